-- SPDX-License-Identifier: Apache-2.0
-- Versions of apps, filed before they go live.
CREATE TABLE app_versions (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  app_id TEXT NOT NULL REFERENCES apps (id), version TEXT NOT NULL, changes TEXT NOT NULL, document_id TEXT NOT NULL REFERENCES documents (id),
  package_sm3 TEXT, filed_by TEXT NOT NULL, comment TEXT, decided_by TEXT, decided_at INTEGER, live_at INTEGER) STRICT;
CREATE UNIQUE INDEX app_versions_one ON app_versions (app_id, version) WHERE state <> 'withdrawn';
CREATE UNIQUE INDEX app_versions_live ON app_versions (app_id) WHERE state = 'live';
CREATE INDEX app_versions_created ON app_versions (created_at);
CREATE INDEX app_versions_state ON app_versions (state, created_at);
ALTER TABLE apps ADD COLUMN states_version INTEGER NOT NULL DEFAULT 0;
INSERT INTO admission_settings VALUES
  ('01a20106-0dc8-7000-8000-000000003401', 'active', 1, 0, 0, 'version-required', 'off');
