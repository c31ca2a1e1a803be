-- SPDX-License-Identifier: Apache-2.0
-- collection, zones, exchange spaces.
ALTER TABLE sources ADD COLUMN zone TEXT;
