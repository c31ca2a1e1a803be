-- SPDX-License-Identifier: Apache-2.0
-- Files people hand in; their bytes apart, sealed, so that lists do not read them.
CREATE TABLE documents (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, purpose TEXT, media_type TEXT NOT NULL, size INTEGER NOT NULL, content_sm3 TEXT NOT NULL,
  organisation_id TEXT REFERENCES organisations (id), user_id TEXT NOT NULL REFERENCES users (id), reason TEXT) STRICT;
CREATE INDEX documents_created ON documents (created_at);
CREATE INDEX documents_state ON documents (state, created_at);
CREATE INDEX documents_organisation ON documents (organisation_id, created_at);
CREATE INDEX documents_user ON documents (user_id, created_at);
CREATE INDEX documents_name ON documents (name, created_at);
CREATE INDEX documents_purpose ON documents (purpose, created_at);
CREATE INDEX documents_media_type ON documents (media_type, created_at);
CREATE INDEX documents_size ON documents (size, created_at);
CREATE INDEX documents_sm3 ON documents (content_sm3, created_at);
CREATE TABLE document_contents (document_id TEXT PRIMARY KEY REFERENCES documents (id), sealed BLOB NOT NULL) STRICT;
