-- SPDX-License-Identifier: Apache-2.0
-- The catalogue: standards, plans, shares.

-- What a search reads of its hits stands beside their words, so that it opens no entry but those it answers with; words of
-- one to three letters are an index of their own. Marks (control/catalog/index.c) begin with a sign that no word has.
ALTER TABLE entry_docs RENAME COLUMN entry_id TO id;
ALTER TABLE entry_docs ADD COLUMN state TEXT;
ALTER TABLE entry_docs ADD COLUMN decision TEXT;
ALTER TABLE entry_docs ADD COLUMN organisation_id TEXT;
ALTER TABLE entry_docs ADD COLUMN department TEXT;
ALTER TABLE entry_docs ADD COLUMN theme_id TEXT;
ALTER TABLE entry_docs ADD COLUMN category_id TEXT;
ALTER TABLE entry_docs ADD COLUMN application_id TEXT;
ALTER TABLE entry_docs ADD COLUMN tags TEXT;
ALTER TABLE entry_docs ADD COLUMN name_bytes INTEGER;
UPDATE entry_docs SET (state, decision, organisation_id, department, theme_id, category_id, application_id, tags, name_bytes) =
  (SELECT e.state, e.decision, e.organisation_id, e.department, e.theme_id, e.category_id, e.application_id,
    (SELECT group_concat(j.value, char(31)) FROM json_each(e.tags) j),
    length(CAST(e.name AS BLOB)) FROM entries e WHERE e.id = entry_docs.id);
CREATE VIRTUAL TABLE entry_words USING fts5 (name, labels, about, body, marks, prefix = '1 2 3',
  tokenize = "unicode61 remove_diacritics 2 tokenchars _");
INSERT INTO entry_words (rowid, name, labels, about, body, marks)
  SELECT i.rowid, i.name, i.labels, i.about, i.body, replace(i.marks, 'x', '_') || CASE WHEN d.organisation_id IS NULL THEN '' ELSE
    '_o' || lower(hex(lower(d.organisation_id))) || ' ' END FROM entry_index i JOIN entry_docs d ON d.doc = i.rowid;
DROP TABLE entry_index;

-- What the data of a business domain is made of; editions stand side by side.
CREATE TABLE metadata_standards (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  code TEXT NOT NULL, edition TEXT NOT NULL, title TEXT NOT NULL, domain_id TEXT NOT NULL REFERENCES service_domains (id), origin TEXT,
  elements TEXT NOT NULL, code_lists TEXT NOT NULL, in_force_at INTEGER, retired_at INTEGER) STRICT;
CREATE UNIQUE INDEX metadata_standards_edition ON metadata_standards (code, edition);
CREATE INDEX metadata_standards_domain ON metadata_standards (domain_id, state);
CREATE INDEX metadata_standards_created ON metadata_standards (created_at);
ALTER TABLE entries ADD COLUMN domain_id TEXT REFERENCES service_domains (id);
CREATE INDEX entries_domain ON entries (domain_id, created_at);
ALTER TABLE harvests ADD COLUMN standard_id TEXT REFERENCES metadata_standards (id);
ALTER TABLE harvests ADD COLUMN domain_id TEXT REFERENCES service_domains (id);

CREATE TABLE catalog_settings (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, value TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX catalog_settings_name ON catalog_settings (name);
INSERT INTO catalog_settings VALUES
  ('01a20106-0dc8-7000-8000-000000002801', 'active', 1, 0, 0, 'scope-required', 'off'),
  ('01a20106-0dc8-7000-8000-000000002802', 'active', 1, 0, 0, 'plan-notice-days', '7');

CREATE TABLE opening_scopes (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  title TEXT NOT NULL, basis TEXT NOT NULL, organisation_id TEXT REFERENCES organisations (id),
  domain_id TEXT REFERENCES service_domains (id), node_id TEXT REFERENCES catalog_nodes (id), department TEXT, entry_ids TEXT,
  not_before INTEGER, expires_at INTEGER, submitted_by TEXT, submitted_at INTEGER, approved_by TEXT, approved_at INTEGER,
  comment TEXT) STRICT;
CREATE INDEX opening_scopes_state ON opening_scopes (state, created_at);
CREATE INDEX opening_scopes_created ON opening_scopes (created_at);

CREATE TABLE opening_plan_items (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  title TEXT NOT NULL, entry_id TEXT REFERENCES entries (id), organisation_id TEXT REFERENCES organisations (id),
  responsible_id TEXT NOT NULL REFERENCES users (id), due_at INTEGER NOT NULL, note TEXT, started_at INTEGER, done_at INTEGER,
  reminded_at INTEGER, overdue_at INTEGER, comment TEXT) STRICT;
CREATE INDEX opening_plan_items_due ON opening_plan_items (state, due_at);
CREATE INDEX opening_plan_items_entry ON opening_plan_items (entry_id);
CREATE INDEX opening_plan_items_created ON opening_plan_items (created_at);

CREATE TABLE entry_shares (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  entry_id TEXT NOT NULL REFERENCES entries (id), organisation_id TEXT NOT NULL REFERENCES organisations (id),
  receiver_id TEXT NOT NULL REFERENCES organisations (id), purpose TEXT NOT NULL, max_level INTEGER NOT NULL, fields TEXT,
  expires_at INTEGER NOT NULL, submitted_by TEXT, approved_by TEXT, approved_at INTEGER, comment TEXT) STRICT;
CREATE UNIQUE INDEX entry_shares_one ON entry_shares (entry_id, receiver_id) WHERE state IN ('offered', 'active');
CREATE INDEX entry_shares_receiver ON entry_shares (receiver_id, state, entry_id);
CREATE INDEX entry_shares_due ON entry_shares (state, expires_at);
CREATE INDEX entry_shares_created ON entry_shares (created_at);
ALTER TABLE subscriptions ADD COLUMN share_id TEXT REFERENCES entry_shares (id);
CREATE INDEX subscriptions_share ON subscriptions (share_id) WHERE share_id IS NOT NULL;

CREATE TABLE maintenance_records (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  centre TEXT NOT NULL, title TEXT NOT NULL, period_from INTEGER NOT NULL, period_to INTEGER NOT NULL, note TEXT, figures TEXT,
  made_by TEXT, confirmed_by TEXT, confirmed_at INTEGER, comment TEXT) STRICT;
CREATE INDEX maintenance_records_centre ON maintenance_records (centre, period_from);
CREATE INDEX maintenance_records_created ON maintenance_records (created_at);

-- Queries tried in place and kept, one of a dataset in use; tables as one thing of the business.
CREATE TABLE query_versions (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  dataset_id TEXT NOT NULL REFERENCES datasets (id), organisation_id TEXT NOT NULL, number INTEGER NOT NULL, query TEXT NOT NULL,
  parameters TEXT NOT NULL, note TEXT, columns TEXT, made_by TEXT, used_by TEXT, used_at INTEGER) STRICT;
CREATE UNIQUE INDEX query_versions_number ON query_versions (dataset_id, number);
CREATE INDEX query_versions_created ON query_versions (created_at);
ALTER TABLE datasets ADD COLUMN whole INTEGER;
CREATE TABLE business_entities (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, title TEXT NOT NULL, description TEXT, entry_id TEXT NOT NULL REFERENCES entries (id),
  organisation_id TEXT NOT NULL REFERENCES organisations (id), fields TEXT NOT NULL, parts TEXT NOT NULL, owner_column TEXT,
  dataset_id TEXT REFERENCES datasets (id), part_dataset_ids TEXT) STRICT;
CREATE UNIQUE INDEX business_entities_name ON business_entities (organisation_id, name) WHERE state = 'active';
CREATE INDEX business_entities_dataset ON business_entities (dataset_id);
CREATE INDEX business_entities_created ON business_entities (created_at);
