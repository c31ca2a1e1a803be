-- SPDX-License-Identifier: Apache-2.0
-- what is there to open: harvests, entries, categories, themes.
CREATE TABLE catalog_nodes (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  scheme TEXT NOT NULL, name TEXT NOT NULL, name_en TEXT, code TEXT, parent_id TEXT REFERENCES catalog_nodes (id)) STRICT;
CREATE UNIQUE INDEX catalog_nodes_name ON catalog_nodes (scheme, ifnull(parent_id, ''), name) WHERE state = 'active';
CREATE INDEX catalog_nodes_parent ON catalog_nodes (parent_id);
CREATE INDEX catalog_nodes_created ON catalog_nodes (created_at);

CREATE TABLE entries (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  identifier TEXT NOT NULL UNIQUE, name TEXT NOT NULL, summary TEXT, organisation_id TEXT NOT NULL REFERENCES organisations (id),
  department TEXT, theme_id TEXT REFERENCES catalog_nodes (id), category_id TEXT REFERENCES catalog_nodes (id),
  application_id TEXT REFERENCES catalog_nodes (id), node_ids TEXT, tags TEXT, keywords TEXT, update_frequency TEXT, volatility TEXT,
  opening TEXT, access_conditions TEXT, decision TEXT NOT NULL, volume INTEGER, storage TEXT, fields TEXT,
  dataset_id TEXT REFERENCES datasets (id), source_id TEXT REFERENCES sources (id), schema TEXT, "table" TEXT, version INTEGER NOT NULL,
  published_at INTEGER, last_update INTEGER, submitted_by TEXT, reviewed_by TEXT, reviewed_at INTEGER, comment TEXT, merged_into TEXT,
  profile TEXT, volumes TEXT, bytes INTEGER, harvested_at INTEGER, gone_at INTEGER, digest TEXT, data_digest TEXT) STRICT;
CREATE INDEX entries_created ON entries (created_at);
CREATE INDEX entries_state ON entries (state, created_at);
CREATE INDEX entries_open ON entries (decision, state, created_at);
CREATE INDEX entries_organisation ON entries (organisation_id, created_at);
CREATE INDEX entries_table ON entries (source_id, "table");
CREATE INDEX entries_dataset ON entries (dataset_id);
CREATE INDEX entries_theme ON entries (theme_id);
CREATE INDEX entries_category ON entries (category_id);
CREATE INDEX entries_application ON entries (application_id);

CREATE TABLE entry_versions (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  entry_id TEXT NOT NULL REFERENCES entries (id), organisation_id TEXT NOT NULL, version INTEGER NOT NULL, made_by TEXT NOT NULL,
  snapshot TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX entry_versions_one ON entry_versions (entry_id, version);
CREATE INDEX entry_versions_created ON entry_versions (created_at);

-- What search reads: text cut into words and pairs of characters by control/catalog/index.c.
CREATE TABLE entry_docs (doc INTEGER PRIMARY KEY AUTOINCREMENT, entry_id TEXT NOT NULL UNIQUE) STRICT;
CREATE VIRTUAL TABLE entry_index USING fts5 (name, labels, about, body, marks, tokenize = "unicode61 remove_diacritics 2");

CREATE TABLE harvests (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  source_id TEXT NOT NULL REFERENCES sources (id), organisation_id TEXT NOT NULL, filter TEXT, schedule INTEGER, dry_run INTEGER NOT NULL,
  standard TEXT, department TEXT, run INTEGER NOT NULL, due_at INTEGER, started_at INTEGER, finished_at INTEGER, total INTEGER NOT NULL,
  done INTEGER NOT NULL, failures INTEGER NOT NULL, reason TEXT) STRICT;
CREATE INDEX harvests_due ON harvests (state, due_at);
CREATE INDEX harvests_source ON harvests (source_id);
CREATE INDEX harvests_created ON harvests (created_at);

CREATE TABLE harvest_items (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  harvest_id TEXT NOT NULL REFERENCES harvests (id), organisation_id TEXT NOT NULL, run INTEGER NOT NULL, schema TEXT NOT NULL,
  "table" TEXT NOT NULL, kind TEXT, entry_id TEXT, reason TEXT, deviations TEXT) STRICT;
CREATE UNIQUE INDEX harvest_items_one ON harvest_items (harvest_id, run, schema, "table");
CREATE INDEX harvest_items_state ON harvest_items (harvest_id, run, state);
CREATE INDEX harvest_items_created ON harvest_items (created_at);
