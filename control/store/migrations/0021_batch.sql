-- SPDX-License-Identifier: Apache-2.0
-- Data as files and the rules it is masked by.
ALTER TABLE apis ADD COLUMN batch INTEGER;

CREATE TABLE exports (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  api_id TEXT NOT NULL, owner TEXT, query TEXT, format TEXT, compression TEXT, since_column TEXT, since_after TEXT, expires_in_s INTEGER,
  zone_source_id TEXT, zone_table TEXT, app_id TEXT, grant_id TEXT, requested_by TEXT, fields TEXT, rules TEXT, rows INTEGER, bytes INTEGER, sm3 TEXT, cursor TEXT, error TEXT,
  finished_at INTEGER, expires_at INTEGER) STRICT;
CREATE INDEX exports_app ON exports (app_id);
CREATE INDEX exports_api ON exports (api_id);
CREATE INDEX exports_state ON exports (state);
-- How far the data service's changes have been kept here.
CREATE TABLE export_cursor (one INTEGER PRIMARY KEY, after_ms INTEGER NOT NULL) STRICT;
INSERT INTO export_cursor VALUES (1, 0);

CREATE TABLE mask_rules (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, rule TEXT NOT NULL, default_of_tag TEXT, default_of_level INTEGER, category TEXT, description TEXT,
  version INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX mask_rules_name ON mask_rules (name);

CREATE TABLE declassifications (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  dataset_id TEXT NOT NULL, field TEXT NOT NULL, to_level INTEGER NOT NULL, to_mask TEXT, reason TEXT NOT NULL, from_level INTEGER,
  from_mask TEXT, requested_by TEXT, decided_by TEXT, decided_at INTEGER, comment TEXT) STRICT;
CREATE INDEX declassifications_dataset ON declassifications (dataset_id);
INSERT INTO stage_settings VALUES
  ('01a20106-0dc8-7000-8000-00000000120e', 'active', 1, 0, 0, 'declassification-required', 'off');

CREATE TABLE uploads (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, media_type TEXT NOT NULL, size INTEGER NOT NULL, offset INTEGER NOT NULL, organisation_id TEXT, user_id TEXT NOT NULL,
  content_sm3 TEXT, error TEXT, package TEXT, expires_at INTEGER NOT NULL) STRICT;
CREATE INDEX uploads_open ON uploads (state, expires_at);

CREATE TABLE packages (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  export_id TEXT NOT NULL, credential_id TEXT NOT NULL, app_id TEXT, bytes INTEGER, sm3 TEXT, made_by TEXT, receipt TEXT, received_by TEXT,
  received_at INTEGER) STRICT;
CREATE INDEX packages_app ON packages (app_id);
