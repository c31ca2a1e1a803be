-- SPDX-License-Identifier: Apache-2.0
-- What is told to whom, where they want to be told, and what is still under way to them.
CREATE TABLE notices (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  kind TEXT NOT NULL, user_id TEXT REFERENCES users (id), organisation_id TEXT REFERENCES organisations (id),
  object_kind TEXT, object_id TEXT, title_en TEXT NOT NULL, title_zh TEXT NOT NULL, detail TEXT) STRICT;
CREATE INDEX notices_created ON notices (created_at);
CREATE INDEX notices_state ON notices (state, created_at);
CREATE INDEX notices_kind ON notices (kind, created_at);
CREATE INDEX notices_user ON notices (user_id, created_at);
CREATE INDEX notices_organisation ON notices (organisation_id, created_at);
CREATE INDEX notices_object ON notices (object_id, created_at);

CREATE TABLE contact_points (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  user_id TEXT NOT NULL REFERENCES users (id), channel TEXT NOT NULL, address TEXT NOT NULL, language TEXT NOT NULL, kinds TEXT,
  secret_sealed TEXT) STRICT;
CREATE UNIQUE INDEX contact_points_address ON contact_points (user_id, channel, address) WHERE state = 'active';
CREATE INDEX contact_points_created ON contact_points (created_at);
CREATE INDEX contact_points_state ON contact_points (state, created_at);
CREATE INDEX contact_points_user ON contact_points (user_id, created_at);
CREATE INDEX contact_points_channel ON contact_points (channel, created_at);

-- One row a notice and contact point, removed when it is delivered; state 'given-up' keeps the reason.
CREATE TABLE notice_deliveries (
  notice_id TEXT NOT NULL REFERENCES notices (id), contact_id TEXT NOT NULL REFERENCES contact_points (id), state TEXT NOT NULL,
  attempts INTEGER NOT NULL, due_at INTEGER NOT NULL, reason TEXT, PRIMARY KEY (notice_id, contact_id)) STRICT, WITHOUT ROWID;
CREATE INDEX notice_deliveries_due ON notice_deliveries (state, due_at);
