-- SPDX-License-Identifier: Apache-2.0
-- The life of data, and reports of it; what an end agrees, what a case ends in, plans for emergencies.

-- What the two sides of a service that ends agree on, one a matter and party (BK-11c).
CREATE TABLE termination_items (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  termination_id TEXT NOT NULL REFERENCES service_terminations (id), api_id TEXT NOT NULL REFERENCES apis (id),
  organisation_id TEXT NOT NULL REFERENCES organisations (id), matter TEXT NOT NULL, responsible TEXT, responsible_name TEXT, agreement TEXT,
  proposed_by TEXT, proposed_at INTEGER, agreed_by TEXT, agreed_at INTEGER, comment TEXT) STRICT;
CREATE UNIQUE INDEX termination_items_one ON termination_items (termination_id, organisation_id, matter);
CREATE INDEX termination_items_created ON termination_items (created_at);

ALTER TABLE cases ADD COLUMN disclosure TEXT;
ALTER TABLE cases ADD COLUMN disclosed_by TEXT;
ALTER TABLE cases ADD COLUMN disclosed_at INTEGER;
ALTER TABLE cases ADD COLUMN blacklist_id TEXT REFERENCES lists (id);
ALTER TABLE cases ADD COLUMN blacklisted_by TEXT;
ALTER TABLE cases ADD COLUMN blacklisted_at INTEGER;

CREATE TABLE emergency_plans (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, version INTEGER NOT NULL, owner TEXT NOT NULL, document_id TEXT NOT NULL REFERENCES documents (id), drill_days INTEGER NOT NULL,
  made_by TEXT NOT NULL, approved_by TEXT, approved_at INTEGER, drill_result TEXT, drills TEXT NOT NULL, next_drill_at INTEGER, warned_at INTEGER,
  comment TEXT) STRICT;
CREATE UNIQUE INDEX emergency_plans_one ON emergency_plans (name) WHERE state = 'approved';
CREATE INDEX emergency_plans_due ON emergency_plans (state, next_drill_at);
CREATE INDEX emergency_plans_created ON emergency_plans (created_at);

-- What nodes counted of the calls: a row for each day, API, app, grant and owner ('' for none); after some time of the owners together.
CREATE TABLE data_uses (
  api_id TEXT NOT NULL, day INTEGER NOT NULL, app_id TEXT NOT NULL, grant_id TEXT NOT NULL, owner TEXT NOT NULL, calls INTEGER NOT NULL,
  refused INTEGER NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (api_id, day, app_id, grant_id, owner)) STRICT;
CREATE INDEX data_uses_day ON data_uses (day);
-- The last batch of each node: sent again, it is not counted again.
CREATE TABLE usage_batches (node TEXT PRIMARY KEY, batch_id TEXT NOT NULL, at INTEGER NOT NULL) STRICT;

CREATE TABLE dataset_lives (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  dataset_id TEXT NOT NULL UNIQUE REFERENCES datasets (id), organisation_id TEXT NOT NULL, name TEXT NOT NULL, stage TEXT NOT NULL, since INTEGER NOT NULL,
  ways TEXT, zones TEXT, must_encrypt INTEGER NOT NULL, backup_days INTEGER, encryption TEXT, backup_place TEXT, backed_up_at INTEGER,
  breaches TEXT NOT NULL, checked_at INTEGER NOT NULL, remains TEXT) STRICT;
CREATE INDEX dataset_lives_created ON dataset_lives (created_at);
CREATE INDEX dataset_lives_stage ON dataset_lives (stage, checked_at);

CREATE TABLE security_reports (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  made_by TEXT NOT NULL, result TEXT NOT NULL, missing INTEGER NOT NULL, content TEXT NOT NULL) STRICT;
CREATE INDEX security_reports_created ON security_reports (created_at);

-- What becomes of personal information that is handed in where its field is not meant for it: off, mask or refuse.
INSERT INTO classify_settings VALUES ('01a20106-0dc8-7000-8000-000000001805', 'active', 1, 0, 0, 'submitted-personal', 'off');
-- Whether a field tagged as personal financial information is opened only where whose it is has a say.
INSERT INTO classify_settings VALUES ('01a20106-0dc8-7000-8000-000000001806', 'active', 1, 0, 0, 'personal-financial-consent', 'off');

-- What the account of a source's connection may do beyond reading, as it was when it was checked.
CREATE TABLE source_accounts (
  source_id TEXT PRIMARY KEY REFERENCES sources (id), administers INTEGER NOT NULL, writes INTEGER NOT NULL, checked_at INTEGER NOT NULL) STRICT;
