-- SPDX-License-Identifier: Apache-2.0
-- exports, uploads, packages, mask rules.
ALTER TABLE apis ADD COLUMN batch INTEGER;
