-- SPDX-License-Identifier: Apache-2.0
-- collection, zones, exchange spaces.
ALTER TABLE sources ADD COLUMN zone TEXT;

CREATE TABLE exchange_nodes (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, code TEXT NOT NULL, kind TEXT NOT NULL, organisation_id TEXT NOT NULL REFERENCES organisations (id), address TEXT,
  ca TEXT, agreement TEXT, credential_header TEXT, credential_sealed TEXT, shared_key_sealed TEXT, public_key TEXT, platform_key TEXT,
  key_sealed TEXT, private_address INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX exchange_nodes_code ON exchange_nodes (code);
CREATE INDEX exchange_nodes_organisation ON exchange_nodes (organisation_id, created_at);
CREATE INDEX exchange_nodes_created ON exchange_nodes (created_at);

CREATE TABLE collection_tools (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, organisation_id TEXT NOT NULL REFERENCES organisations (id), scope TEXT NOT NULL, token_sm3 TEXT) STRICT;
CREATE INDEX collection_tools_organisation ON collection_tools (organisation_id, created_at);
CREATE INDEX collection_tools_created ON collection_tools (created_at);

CREATE TABLE collections (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, organisation_id TEXT NOT NULL REFERENCES organisations (id), tool_id TEXT NOT NULL REFERENCES collection_tools (id),
  target_id TEXT NOT NULL REFERENCES sources (id), target_table TEXT NOT NULL, inputs TEXT NOT NULL, mapping TEXT, columns TEXT NOT NULL,
  standard TEXT, rules TEXT, merge TEXT, mode TEXT NOT NULL, schedule TEXT, next_at INTEGER, last_success_at INTEGER) STRICT;
CREATE UNIQUE INDEX collections_name ON collections (organisation_id, name);
CREATE INDEX collections_due ON collections (state, next_at);
CREATE INDEX collections_created ON collections (created_at);

-- payload: the records of a delivery, until the run has taken them.
CREATE TABLE collection_runs (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  collection_id TEXT NOT NULL REFERENCES collections (id), cause TEXT NOT NULL, operator TEXT NOT NULL, reason TEXT, started_at INTEGER,
  ended_at INTEGER, code TEXT, place TEXT, detail TEXT, received INTEGER, accepted INTEGER, duplicate INTEGER, blank INTEGER, illegal INTEGER, converted INTEGER, quarantined INTEGER, sm3 TEXT, payload TEXT) STRICT;
CREATE INDEX collection_runs_collection ON collection_runs (collection_id, created_at);
CREATE INDEX collection_runs_state ON collection_runs (state, created_at);
CREATE INDEX collection_runs_created ON collection_runs (created_at);

CREATE TABLE exchange_records (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  kind TEXT NOT NULL, task_id TEXT NOT NULL, organisation_id TEXT NOT NULL, sender TEXT NOT NULL, receivers TEXT NOT NULL,
  transfer_result TEXT NOT NULL, processing_result TEXT NOT NULL, records INTEGER, sm3 TEXT, at INTEGER NOT NULL) STRICT;
CREATE INDEX exchange_records_task ON exchange_records (task_id);
CREATE INDEX exchange_records_organisation ON exchange_records (organisation_id, at);
CREATE INDEX exchange_records_created ON exchange_records (created_at);

CREATE TABLE transfers (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  dataset_id TEXT NOT NULL REFERENCES datasets (id), target_id TEXT REFERENCES sources (id), target_table TEXT,
  node_id TEXT REFERENCES exchange_nodes (id), path TEXT, seal INTEGER, reason TEXT NOT NULL, "where" TEXT, sender_id TEXT REFERENCES exchange_nodes (id), receiver_id TEXT REFERENCES exchange_nodes (id),
  organisation_id TEXT NOT NULL, receiver_organisation_id TEXT NOT NULL, operator TEXT NOT NULL, from_zone TEXT, to_zone TEXT, columns TEXT,
  started_at INTEGER, ended_at INTEGER, code TEXT, place TEXT, detail TEXT, received INTEGER, accepted INTEGER, duplicate INTEGER, blank INTEGER, illegal INTEGER, converted INTEGER, quarantined INTEGER, sm3 TEXT) STRICT;
CREATE INDEX transfers_state ON transfers (state, created_at);
CREATE INDEX transfers_target ON transfers (target_id, ended_at);
CREATE INDEX transfers_organisation ON transfers (organisation_id, created_at);
CREATE INDEX transfers_created ON transfers (created_at);

CREATE TABLE exchange_spaces (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, organisation_id TEXT NOT NULL REFERENCES organisations (id), use_source_id TEXT NOT NULL REFERENCES sources (id),
  report_source_id TEXT NOT NULL REFERENCES sources (id), use_policy TEXT, report_policy TEXT) STRICT;
CREATE UNIQUE INDEX exchange_spaces_organisation ON exchange_spaces (organisation_id) WHERE state = 'active';
CREATE INDEX exchange_spaces_created ON exchange_spaces (created_at);
