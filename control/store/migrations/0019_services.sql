-- SPDX-License-Identifier: Apache-2.0
-- the life of a service: assessments, changes, terminations, archive.
CREATE TABLE service_settings (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, value TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX service_settings_name ON service_settings (name);
INSERT INTO service_settings VALUES
  ('01a20106-0dc8-7000-8000-000000001901', 'active', 1, 0, 0, 'stages-required', 'off'),
  ('01a20106-0dc8-7000-8000-000000001902', 'active', 1, 0, 0, 'entry-required', 'off'),
  ('01a20106-0dc8-7000-8000-000000001903', 'active', 1, 0, 0, 'evaluation-required', 'off'),
  ('01a20106-0dc8-7000-8000-000000001904', 'active', 1, 0, 0, 'reports-required', 'none'),
  ('01a20106-0dc8-7000-8000-000000001905', 'active', 1, 0, 0, 'report-days', '365'),
  ('01a20106-0dc8-7000-8000-000000001906', 'active', 1, 0, 0, 'moved-by', 'providers'),
  ('01a20106-0dc8-7000-8000-000000001907', 'active', 1, 0, 0, 'change-control', 'off'),
  ('01a20106-0dc8-7000-8000-000000001908', 'active', 1, 0, 0, 'change-notice-days', '7'),
  ('01a20106-0dc8-7000-8000-000000001909', 'active', 1, 0, 0, 'termination-control', 'off'),
  ('01a20106-0dc8-7000-8000-00000000190a', 'active', 1, 0, 0, 'termination-notice-days', '30'),
  ('01a20106-0dc8-7000-8000-00000000190b', 'active', 1, 0, 0, 'gateway-url', 'none'),
  ('01a20106-0dc8-7000-8000-00000000190c', 'active', 1, 0, 0, 'probe-app', 'none');

-- What a service is filed under: interface: what each API of the domain must have.
CREATE TABLE service_domains (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  code TEXT NOT NULL, title_zh TEXT NOT NULL, title_en TEXT NOT NULL, interface TEXT) STRICT;
CREATE UNIQUE INDEX service_domains_code ON service_domains (code) WHERE state = 'active';
INSERT INTO service_domains VALUES
  ('01a20106-0dc8-7000-8000-000000001911', 'active', 1, 0, 0, 'customs-declaration', '报关业务', 'Customs declaration', NULL),
  ('01a20106-0dc8-7000-8000-000000001912', 'active', 1, 0, 0, 'means-of-transport', '运输工具', 'Means of transport', NULL),
  ('01a20106-0dc8-7000-8000-000000001913', 'active', 1, 0, 0, 'manifest', '舱单业务', 'Manifest', NULL),
  ('01a20106-0dc8-7000-8000-000000001914', 'active', 1, 0, 0, 'cross-border-e-commerce', '跨境电商', 'Cross-border e-commerce', NULL),
  ('01a20106-0dc8-7000-8000-000000001915', 'active', 1, 0, 0, 'express-parcel', '快递件业务', 'Express parcels', NULL),
  ('01a20106-0dc8-7000-8000-000000001916', 'active', 1, 0, 0, 'bonded-business', '保税业务', 'Bonded business', NULL);

CREATE TABLE services (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, title TEXT NOT NULL, organisation_id TEXT REFERENCES organisations (id), kind TEXT NOT NULL,
  domain_id TEXT REFERENCES service_domains (id), purpose TEXT, audience TEXT, usage TEXT, availability_permille INTEGER,
  response_ms INTEGER, throughput INTEGER, support_hours TEXT, technical TEXT, link TEXT, dataset_ids TEXT, related_ids TEXT,
  submitted_by TEXT, submitted_at INTEGER, approved_by TEXT, approved_at INTEGER, comment TEXT) STRICT;
CREATE UNIQUE INDEX services_name ON services (name) WHERE state <> 'withdrawn';
CREATE INDEX services_domain ON services (domain_id, state);
CREATE INDEX services_organisation ON services (organisation_id, created_at);
CREATE INDEX services_created ON services (created_at);

CREATE TABLE service_evaluations (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  service_id TEXT NOT NULL REFERENCES services (id), need TEXT NOT NULL, acceptance TEXT NOT NULL, business_value TEXT NOT NULL, risk TEXT NOT NULL,
  level INTEGER NOT NULL, result TEXT NOT NULL, evaluated_by TEXT NOT NULL) STRICT;
CREATE INDEX service_evaluations_service ON service_evaluations (service_id, created_at);
CREATE INDEX service_evaluations_created ON service_evaluations (created_at);

ALTER TABLE apis ADD COLUMN service_id TEXT REFERENCES services (id);
ALTER TABLE apis ADD COLUMN bound_apps TEXT;
ALTER TABLE apis ADD COLUMN paged INTEGER NOT NULL DEFAULT 0;
ALTER TABLE apis ADD COLUMN comment TEXT;
ALTER TABLE apis ADD COLUMN gate TEXT;
ALTER TABLE apis ADD COLUMN rectified_at INTEGER;
CREATE INDEX apis_service ON apis (service_id, created_at);

-- definition_sm3: of what was tested; a report speaks of nothing else.
CREATE TABLE service_reports (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  api_id TEXT NOT NULL REFERENCES apis (id), kind TEXT NOT NULL, result TEXT NOT NULL, cases TEXT, summary TEXT, figures TEXT,
  document_id TEXT REFERENCES documents (id), definition_sm3 TEXT NOT NULL, expires_at INTEGER NOT NULL, source TEXT NOT NULL,
  tested_by TEXT NOT NULL, accepted_by TEXT, accepted_at INTEGER, comment TEXT) STRICT;
CREATE INDEX service_reports_api ON service_reports (api_id, kind, state);
CREATE INDEX service_reports_created ON service_reports (created_at);

CREATE TABLE service_changes (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  api_id TEXT NOT NULL REFERENCES apis (id), summary TEXT NOT NULL, change TEXT, new_api_id TEXT REFERENCES apis (id), plan TEXT,
  emergency_plan TEXT, touches_users INTEGER NOT NULL, user_notice TEXT, canary_apps TEXT, release_at INTEGER, impact TEXT, affected TEXT,
  assessed_by TEXT, assessed_at INTEGER, announced_by TEXT, announced_at INTEGER, released_at INTEGER, earlier TEXT, comment TEXT) STRICT;
CREATE INDEX service_changes_api ON service_changes (api_id, state);
CREATE INDEX service_changes_due ON service_changes (state, release_at);
CREATE INDEX service_changes_created ON service_changes (created_at);

CREATE TABLE service_terminations (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  api_id TEXT NOT NULL REFERENCES apis (id), reason TEXT NOT NULL, end_at INTEGER NOT NULL, user_notice TEXT NOT NULL, parties TEXT NOT NULL,
  announced_by TEXT NOT NULL, cancellation TEXT, confirmed_by TEXT, confirmed_at INTEGER, comment TEXT) STRICT;
CREATE UNIQUE INDEX service_terminations_one ON service_terminations (api_id) WHERE state <> 'cancelled';
CREATE INDEX service_terminations_created ON service_terminations (created_at);

-- Who was told of what: the notice itself has its own delivery and reading.
CREATE TABLE service_notices (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  about_kind TEXT NOT NULL, about_id TEXT NOT NULL, party TEXT NOT NULL, organisation_id TEXT, app_id TEXT, user_id TEXT, owner TEXT,
  delivered INTEGER NOT NULL, text TEXT) STRICT;
CREATE INDEX service_notices_about ON service_notices (about_id, created_at);
CREATE INDEX service_notices_created ON service_notices (created_at);

CREATE TABLE retention_rules (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  data_class TEXT NOT NULL, days INTEGER NOT NULL, rule TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX retention_rules_class ON retention_rules (data_class);
INSERT INTO retention_rules VALUES
  ('01a20106-0dc8-7000-8000-000000001921', 'active', 1, 0, 0, 'definition', 1825, 'The institution''s own rule; check it'),
  ('01a20106-0dc8-7000-8000-000000001922', 'active', 1, 0, 0, 'grants', 1825, 'The institution''s own rule; check it'),
  ('01a20106-0dc8-7000-8000-000000001923', 'active', 1, 0, 0, 'operations', 1825, 'The institution''s own rule; check it'),
  ('01a20106-0dc8-7000-8000-000000001924', 'active', 1, 0, 0, 'transactions', 1825, 'The institution''s own rule; check it');

CREATE TABLE service_archives (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  api_id TEXT NOT NULL REFERENCES apis (id), termination_id TEXT REFERENCES service_terminations (id), data_class TEXT NOT NULL,
  name TEXT NOT NULL, version TEXT NOT NULL, content TEXT, content_sm3 TEXT NOT NULL, days INTEGER NOT NULL, rule TEXT NOT NULL, keep_until INTEGER NOT NULL,
  due_at INTEGER, disposed_by TEXT, disposed_at INTEGER, comment TEXT) STRICT;
CREATE UNIQUE INDEX service_archives_one ON service_archives (api_id, data_class);
CREATE INDEX service_archives_due ON service_archives (state, keep_until);
CREATE INDEX service_archives_created ON service_archives (created_at);

CREATE TABLE service_instances (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  api_id TEXT NOT NULL REFERENCES apis (id), url TEXT NOT NULL, weight INTEGER NOT NULL, heartbeat_s INTEGER NOT NULL, seen_at INTEGER,
  lost_at INTEGER) STRICT;
CREATE UNIQUE INDEX service_instances_one ON service_instances (api_id, url) WHERE state <> 'removed';
CREATE INDEX service_instances_state ON service_instances (state, seen_at);
CREATE INDEX service_instances_created ON service_instances (created_at);

CREATE TABLE scheduled_tasks (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, task TEXT NOT NULL, api_id TEXT REFERENCES apis (id), every_s INTEGER, next_at INTEGER, last_at INTEGER, last_result TEXT,
  last_detail TEXT, failures INTEGER NOT NULL) STRICT;
CREATE INDEX scheduled_tasks_due ON scheduled_tasks (state, next_at);
CREATE INDEX scheduled_tasks_created ON scheduled_tasks (created_at);

