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
  ('01a20106-0dc8-7000-8000-00000000120b', 'active', 1, 0, 0, 'confidentiality-days', '730'),
  ('01a20106-0dc8-7000-8000-00000000120c', 'active', 1, 0, 0, 'self-reports-required', 'none'),
  ('01a20106-0dc8-7000-8000-00000000120d', 'active', 1, 0, 0, 'exit-required', 'off');

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
  document_id TEXT REFERENCES documents (id), assessor TEXT, qualification TEXT, tested_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, source TEXT NOT NULL,
  confirmed_by TEXT, confirmed_at INTEGER, accepted_by TEXT, accepted_at INTEGER, comment TEXT) STRICT;
CREATE INDEX test_reports_app ON test_reports (app_id, kind, state);
CREATE INDEX test_reports_created ON test_reports (created_at);
CREATE INDEX test_reports_state ON test_reports (state, created_at);

CREATE TABLE test_preparations (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  app_id TEXT NOT NULL REFERENCES apps (id), due_at INTEGER NOT NULL, environment TEXT, hardening TEXT, hardening_document_id TEXT REFERENCES documents (id),
  backup TEXT, recovery TEXT, contacts TEXT, connected_transaction_id TEXT, completed_by TEXT, completed_at INTEGER,
  warned_at INTEGER) STRICT;
CREATE INDEX test_preparations_app ON test_preparations (app_id, state);
CREATE INDEX test_preparations_created ON test_preparations (created_at);
CREATE INDEX test_preparations_state ON test_preparations (state, created_at);

CREATE TABLE incidents (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  app_id TEXT NOT NULL REFERENCES apps (id), kind TEXT NOT NULL, severity TEXT NOT NULL, title TEXT NOT NULL, detail TEXT,
  transaction_id TEXT, document_id TEXT REFERENCES documents (id), due_at INTEGER NOT NULL, source TEXT NOT NULL, opened_by TEXT NOT NULL, remedy TEXT,
  comment TEXT, containment TEXT, verified_by TEXT, verified_at INTEGER, warned_at INTEGER, suspended_at INTEGER) STRICT;
CREATE INDEX incidents_app ON incidents (app_id, created_at);
CREATE INDEX incidents_due ON incidents (state, due_at);
CREATE INDEX incidents_created ON incidents (created_at);

CREATE TABLE self_reports (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  organisation_id TEXT NOT NULL REFERENCES organisations (id), kind TEXT NOT NULL, app_id TEXT REFERENCES apps (id),
  content TEXT NOT NULL, document_id TEXT REFERENCES documents (id), period_from INTEGER, period_to INTEGER, submitted_by TEXT NOT NULL, accepted_by TEXT,
  accepted_at INTEGER, comment TEXT) STRICT;
CREATE INDEX self_reports_organisation ON self_reports (organisation_id, kind, state);
CREATE INDEX self_reports_created ON self_reports (created_at);
CREATE INDEX self_reports_state ON self_reports (state, created_at);

CREATE TABLE report_duties (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  organisation_id TEXT NOT NULL REFERENCES organisations (id), kind TEXT NOT NULL, every_days INTEGER NOT NULL,
  remind_days INTEGER NOT NULL, due_at INTEGER NOT NULL, reminded_at INTEGER, overdue_at INTEGER, suspended_at INTEGER) STRICT;
CREATE UNIQUE INDEX report_duties_one ON report_duties (organisation_id, kind) WHERE state = 'active';
CREATE INDEX report_duties_due ON report_duties (state, due_at);
CREATE INDEX report_duties_created ON report_duties (created_at);

CREATE TABLE exits (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  app_id TEXT NOT NULL REFERENCES apps (id), reason TEXT NOT NULL, leave_at INTEGER NOT NULL, confidentiality_days INTEGER NOT NULL,
  surviving TEXT, side TEXT NOT NULL, requested_by TEXT NOT NULL, notice_cursor TEXT NOT NULL, noticed_at INTEGER,
  owners_noticed INTEGER NOT NULL, owners_unreached INTEGER NOT NULL, settlement TEXT, settled_by TEXT, settled_at INTEGER,
  ended_at INTEGER, deletion_order TEXT, receipt_due_at INTEGER, receipt TEXT, received_by TEXT, received_at INTEGER,
  checked_by TEXT, checked_at INTEGER, comment TEXT, warned_at INTEGER) STRICT;
CREATE UNIQUE INDEX exits_one ON exits (app_id) WHERE state <> 'cancelled';
CREATE INDEX exits_due ON exits (state, leave_at);
CREATE INDEX exits_created ON exits (created_at);

CREATE TABLE exit_notices (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  exit_id TEXT NOT NULL REFERENCES exits (id), owner TEXT NOT NULL, user_id TEXT, reached INTEGER NOT NULL, at INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX exit_notices_one ON exit_notices (exit_id, owner);
CREATE INDEX exit_notices_created ON exit_notices (created_at);

-- until: what was agreed or the law demands; the row stays when it is over.
CREATE TABLE exit_duties (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  exit_id TEXT NOT NULL REFERENCES exits (id), app_id TEXT NOT NULL REFERENCES apps (id),
  organisation_id TEXT NOT NULL REFERENCES organisations (id), kind TEXT NOT NULL, until INTEGER NOT NULL, note TEXT) STRICT;
CREATE INDEX exit_duties_until ON exit_duties (state, until);
CREATE INDEX exit_duties_organisation ON exit_duties (organisation_id, state);
CREATE INDEX exit_duties_created ON exit_duties (created_at);
