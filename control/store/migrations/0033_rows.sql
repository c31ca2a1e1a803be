-- SPDX-License-Identifier: Apache-2.0
-- Which rows a subscription or a grant opens, and that in plain words.
ALTER TABLE subscriptions ADD COLUMN row_filter TEXT;
ALTER TABLE subscriptions ADD COLUMN row_filter_text TEXT;
ALTER TABLE grants ADD COLUMN row_filter TEXT;
ALTER TABLE grants ADD COLUMN row_filter_text TEXT;

-- The account of a source is its supply credential: until when it is given, whether it is meant to write; what its database says of itself.
ALTER TABLE sources ADD COLUMN credential_expires_at INTEGER;
ALTER TABLE sources ADD COLUMN for_writing INTEGER;
ALTER TABLE source_accounts ADD COLUMN tls INTEGER;
ALTER TABLE source_accounts ADD COLUMN at_rest INTEGER;
ALTER TABLE source_accounts ADD COLUMN checksums INTEGER;
ALTER TABLE source_accounts ADD COLUMN copies INTEGER;
ALTER TABLE source_accounts ADD COLUMN copied_at INTEGER;
INSERT INTO stage_settings VALUES ('01a20106-0dc8-7000-8000-000000003301', 'active', 1, 0, 0, 'source-rights', 'alert');
