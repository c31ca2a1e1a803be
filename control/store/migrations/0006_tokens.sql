-- SPDX-License-Identifier: Apache-2.0
-- How strongly the user of a call must have signed in.
ALTER TABLE apis ADD COLUMN user_factors INTEGER NOT NULL DEFAULT 0;
