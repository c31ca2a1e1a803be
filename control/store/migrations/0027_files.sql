-- SPDX-License-Identifier: Apache-2.0
-- Files and documents as datasets.
ALTER TABLE sources ADD COLUMN folder TEXT;
ALTER TABLE entries ADD COLUMN media_type TEXT;
ALTER TABLE entries ADD COLUMN content_sm3 TEXT;

CREATE TABLE source_files (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  source_id TEXT NOT NULL REFERENCES sources (id), upload_id TEXT NOT NULL REFERENCES uploads (id), organisation_id TEXT REFERENCES organisations (id),
  name TEXT NOT NULL, bytes INTEGER NOT NULL, sent INTEGER NOT NULL, content_sm3 TEXT, failures INTEGER NOT NULL, error TEXT) STRICT;
CREATE INDEX source_files_source ON source_files (source_id, created_at);
CREATE INDEX source_files_upload ON source_files (upload_id);
CREATE INDEX source_files_organisation ON source_files (organisation_id, created_at);
CREATE INDEX source_files_state ON source_files (state, created_at);
CREATE INDEX source_files_created ON source_files (created_at);
