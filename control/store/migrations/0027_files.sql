-- SPDX-License-Identifier: Apache-2.0
-- Files and documents as datasets.
ALTER TABLE sources ADD COLUMN folder TEXT;
ALTER TABLE sources ADD COLUMN encoding TEXT;
ALTER TABLE entries ADD COLUMN media_type TEXT;
ALTER TABLE entries ADD COLUMN content_sm3 TEXT;
