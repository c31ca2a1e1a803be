-- SPDX-License-Identifier: Apache-2.0
-- Terms of admission and use.
ALTER TABLE apis ADD COLUMN purpose_required INTEGER;
ALTER TABLE apis ADD COLUMN amount_path TEXT;
ALTER TABLE apis ADD COLUMN user_checks TEXT;
ALTER TABLE organisations ADD COLUMN surviving_duties TEXT;
ALTER TABLE applications ADD COLUMN permissions TEXT;
ALTER TABLE application_reviews ADD COLUMN permissions TEXT;
ALTER TABLE security_reviews ADD COLUMN no_clearing INTEGER;

INSERT INTO stage_settings VALUES
  ('01a20106-0dc8-7000-8000-000000003122', 'active', 1, 0, 0, 'user-documents-required', 'off');
INSERT INTO admission_settings VALUES
  ('01a20106-0dc8-7000-8000-000000003121', 'active', 1, 0, 0, 'provider-approval-required', 'off');

CREATE TABLE financial_scenarios (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  operation TEXT NOT NULL, user_factors INTEGER NOT NULL, confirmation TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX financial_scenarios_operation ON financial_scenarios (operation);
INSERT INTO financial_scenarios VALUES
  ('01a20106-0dc8-7000-8000-000000003111', 'active', 1, 0, 0, 'payment', 2, 'always'),
  ('01a20106-0dc8-7000-8000-000000003112', 'active', 1, 0, 0, 'transfer', 2, 'always'),
  ('01a20106-0dc8-7000-8000-000000003113', 'active', 1, 0, 0, 'product-purchase', 2, 'always'),
  ('01a20106-0dc8-7000-8000-000000003114', 'active', 1, 0, 0, 'balance', 0, 'unless-declined'),
  ('01a20106-0dc8-7000-8000-000000003115', 'active', 1, 0, 0, 'transaction-history', 0, 'unless-declined'),
  ('01a20106-0dc8-7000-8000-000000003116', 'active', 1, 0, 0, 'account-limit', 0, 'unless-declined'),
  ('01a20106-0dc8-7000-8000-000000003117', 'active', 1, 0, 0, 'payment-time', 0, 'unless-declined'),
  ('01a20106-0dc8-7000-8000-000000003118', 'active', 1, 0, 0, 'holdings', 0, 'unless-declined'),
  ('01a20106-0dc8-7000-8000-000000003119', 'active', 1, 0, 0, 'points', 0, 'unless-declined'),
  ('01a20106-0dc8-7000-8000-00000000311a', 'active', 1, 0, 0, 'product-info', 0, 'on-request');

CREATE TABLE risk_classes (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  rating TEXT NOT NULL, fund_operations TEXT NOT NULL, call_cents INTEGER, day_cents INTEGER) STRICT;
CREATE UNIQUE INDEX risk_classes_rating ON risk_classes (rating);
INSERT INTO risk_classes VALUES
  ('01a20106-0dc8-7000-8000-000000003101', 'active', 1, 0, 0, 'A', '["payment","transfer","product-purchase"]', NULL, NULL),
  ('01a20106-0dc8-7000-8000-000000003102', 'active', 1, 0, 0, 'B', '["payment","transfer","product-purchase"]', 5000000, 50000000),
  ('01a20106-0dc8-7000-8000-000000003103', 'active', 1, 0, 0, 'C', '[]', NULL, NULL),
  ('01a20106-0dc8-7000-8000-000000003104', 'active', 1, 0, 0, 'D', '[]', NULL, NULL);
