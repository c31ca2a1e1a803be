-- SPDX-License-Identifier: Apache-2.0
-- APIs that are called through a kit (SDK), its releases, and who may call without one; for which apps and where an API is.
ALTER TABLE apis ADD COLUMN sdk_required INTEGER;
ALTER TABLE apis ADD COLUMN mobile_only INTEGER;
ALTER TABLE apis ADD COLUMN entry TEXT;

CREATE TABLE sdk_releases (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, version TEXT NOT NULL, digest_sm3 TEXT NOT NULL, language TEXT NOT NULL, framework TEXT,
  operating_system TEXT, hardware TEXT, notes TEXT, refused_from INTEGER, comment TEXT) STRICT;
CREATE UNIQUE INDEX sdk_releases_version ON sdk_releases (name, version);

CREATE TABLE direct_connections (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  app_id TEXT NOT NULL REFERENCES apps (id), api_id TEXT NOT NULL REFERENCES apis (id), reason TEXT NOT NULL,
  expires_at INTEGER NOT NULL, requested_by TEXT, decided_by TEXT, decided_at INTEGER, comment TEXT) STRICT;
CREATE INDEX direct_connections_app ON direct_connections (app_id, api_id);
