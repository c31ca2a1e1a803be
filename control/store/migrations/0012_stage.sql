-- SPDX-License-Identifier: Apache-2.0
-- Third parties before, during and after their time here: the test stage and its reports, incidents, periodic reports, exits.
ALTER TABLE apps ADD COLUMN testing_since INTEGER;
ALTER TABLE apps ADD COLUMN scan_days INTEGER;
ALTER TABLE apps ADD COLUMN scanned_at INTEGER;
ALTER TABLE apps ADD COLUMN scan_warned_at INTEGER;

CREATE TABLE stage_settings (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, value TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX stage_settings_name ON stage_settings (name);
INSERT INTO stage_settings VALUES
  ('01a20106-0dc8-7000-8000-000000001201', 'active', 1, 0, 0, 'test-report-required', 'off'),
  ('01a20106-0dc8-7000-8000-000000001202', 'active', 1, 0, 0, 'test-report-kinds', 'functional'),
  ('01a20106-0dc8-7000-8000-000000001203', 'active', 1, 0, 0, 'test-report-days', '365'),
  ('01a20106-0dc8-7000-8000-000000001204', 'active', 1, 0, 0, 'preparation-required', 'off'),
  ('01a20106-0dc8-7000-8000-000000001205', 'active', 1, 0, 0, 'preparation-days', '14'),
  ('01a20106-0dc8-7000-8000-000000001206', 'active', 1, 0, 0, 'scan-overdue', 'alert'),
  ('01a20106-0dc8-7000-8000-000000001207', 'active', 1, 0, 0, 'incident-suspend-days', '7'),
  ('01a20106-0dc8-7000-8000-000000001208', 'active', 1, 0, 0, 'self-report-suspend-days', '0'),
  ('01a20106-0dc8-7000-8000-000000001209', 'active', 1, 0, 0, 'exit-notice-days', '30'),
  ('01a20106-0dc8-7000-8000-00000000120a', 'active', 1, 0, 0, 'exit-receipt-days', '30'),
  ('01a20106-0dc8-7000-8000-00000000120b', 'active', 1, 0, 0, 'confidentiality-days', '730');

CREATE TABLE sandbox_calls (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  app_id TEXT NOT NULL, api_id TEXT, credential_id TEXT, transaction_id TEXT, at INTEGER NOT NULL, status INTEGER NOT NULL, code TEXT,
  node TEXT NOT NULL) STRICT;
CREATE INDEX sandbox_calls_app ON sandbox_calls (app_id, at);
CREATE INDEX sandbox_calls_created ON sandbox_calls (created_at);
CREATE INDEX sandbox_calls_transaction ON sandbox_calls (transaction_id);

CREATE TABLE test_reports (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  app_id TEXT NOT NULL REFERENCES apps (id), kind TEXT NOT NULL, result TEXT NOT NULL, cases TEXT, summary TEXT, app_version TEXT,
  document_id TEXT, assessor TEXT, qualification TEXT, tested_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, source TEXT NOT NULL,
  confirmed_by TEXT, confirmed_at INTEGER, accepted_by TEXT, accepted_at INTEGER, comment TEXT) STRICT;
CREATE INDEX test_reports_app ON test_reports (app_id, kind, state);
CREATE INDEX test_reports_created ON test_reports (created_at);
CREATE INDEX test_reports_state ON test_reports (state, created_at);

CREATE TABLE preparations (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  app_id TEXT NOT NULL REFERENCES apps (id), due_at INTEGER NOT NULL, environment TEXT, hardening TEXT, hardening_document_id TEXT,
  backup TEXT, recovery TEXT, contacts TEXT, connected_transaction_id TEXT, completed_by TEXT, completed_at INTEGER,
  warned_at INTEGER) STRICT;
CREATE INDEX preparations_app ON preparations (app_id, state);
CREATE INDEX preparations_created ON preparations (created_at);
CREATE INDEX preparations_state ON preparations (state, created_at);
