-- SPDX-License-Identifier: Apache-2.0
-- Calls proven by accessid, username and pwd, where an API allows it: as which app an account calls, and what its
-- password is compared with at the gateways.
ALTER TABLE users ADD COLUMN app_id TEXT REFERENCES apps (id);
ALTER TABLE users ADD COLUMN call_verifier TEXT;
ALTER TABLE apis ADD COLUMN account_parameters INTEGER NOT NULL DEFAULT 0;
