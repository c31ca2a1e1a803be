-- SPDX-License-Identifier: Apache-2.0
-- Admission: what is asked for, who looked at it, what was agreed and signed, and when it has to be looked at again.
CREATE TABLE admission_settings (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, value TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX admission_settings_name ON admission_settings (name);
INSERT INTO admission_settings VALUES
  ('01a20106-0dc8-7000-8000-000000000b01', 'active', 1, 0, 0, 'admission-required', 'off'),
  ('01a20106-0dc8-7000-8000-000000000b02', 'active', 1, 0, 0, 'agreement-required', 'off'),
  ('01a20106-0dc8-7000-8000-000000000b03', 'active', 1, 0, 0, 'privacy-agreement-required', 'off'),
  ('01a20106-0dc8-7000-8000-000000000b04', 'active', 1, 0, 0, 'certificates-required', 'mlps'),
  ('01a20106-0dc8-7000-8000-000000000b05', 'active', 1, 0, 0, 'protection-floor', '60'),
  ('01a20106-0dc8-7000-8000-000000000b06', 'active', 1, 0, 0, 'review-days', '365'),
  ('01a20106-0dc8-7000-8000-000000000b07', 'active', 1, 0, 0, 'warn-days', '30'),
  ('01a20106-0dc8-7000-8000-000000000b08', 'active', 1, 0, 0, 'grace-days', '30'),
  ('01a20106-0dc8-7000-8000-000000000b09', 'active', 1, 0, 0, 'overdue-review', 'alert');

CREATE TABLE review_steps (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  form_kind TEXT NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL, reviewer_role TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX review_steps_position ON review_steps (form_kind, position) WHERE state = 'active';
INSERT INTO review_steps VALUES
  ('01a20106-0dc8-7000-8000-000000000c11', 'active', 1, 0, 0, 'third-party-software', 1, 'acceptance', 'operator'),
  ('01a20106-0dc8-7000-8000-000000000c12', 'active', 1, 0, 0, 'third-party-software', 2, 'decision', 'operator'),
  ('01a20106-0dc8-7000-8000-000000000c21', 'active', 1, 0, 0, 'bank-application-party', 1, 'acceptance', 'operator'),
  ('01a20106-0dc8-7000-8000-000000000c22', 'active', 1, 0, 0, 'bank-application-party', 2, 'compliance', 'operator'),
  ('01a20106-0dc8-7000-8000-000000000c23', 'active', 1, 0, 0, 'bank-application-party', 3, 'decision', 'operator'),
  ('01a20106-0dc8-7000-8000-000000000c31', 'active', 1, 0, 0, 'access-plan', 1, 'acceptance', 'operator'),
  ('01a20106-0dc8-7000-8000-000000000c32', 'active', 1, 0, 0, 'access-plan', 2, 'decision', 'operator'),
  ('01a20106-0dc8-7000-8000-000000000c41', 'active', 1, 0, 0, 'credit-platform', 1, 'acceptance', 'operator'),
  ('01a20106-0dc8-7000-8000-000000000c42', 'active', 1, 0, 0, 'credit-platform', 2, 'decision', 'operator'),
  ('01a20106-0dc8-7000-8000-000000000c51', 'active', 1, 0, 0, 'data-service', 1, 'acceptance', 'operator'),
  ('01a20106-0dc8-7000-8000-000000000c52', 'active', 1, 0, 0, 'data-service', 2, 'evaluation', 'provider'),
  ('01a20106-0dc8-7000-8000-000000000c53', 'active', 1, 0, 0, 'data-service', 3, 'decision', 'operator'),
  ('01a20106-0dc8-7000-8000-000000000c61', 'active', 1, 0, 0, 'information-update', 1, 'acceptance', 'operator'),
  ('01a20106-0dc8-7000-8000-000000000c62', 'active', 1, 0, 0, 'information-update', 2, 'decision', 'operator');

-- sealed: what of the content no list or log shows, each under the store's key by its JSON pointer.
CREATE TABLE applications (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  form_kind TEXT NOT NULL, organisation_id TEXT NOT NULL REFERENCES organisations (id), app_id TEXT REFERENCES apps (id),
  provider_id TEXT REFERENCES organisations (id), title TEXT NOT NULL, content TEXT NOT NULL, sealed TEXT, documents TEXT NOT NULL,
  number TEXT, version INTEGER NOT NULL, step INTEGER NOT NULL, submitted_by TEXT, submitted_at INTEGER, accepted_at INTEGER,
  comment TEXT, identity_check TEXT, max_level INTEGER, decided_by TEXT, decided_at INTEGER, review_due_at INTEGER) STRICT;
CREATE UNIQUE INDEX applications_number ON applications (number);
CREATE INDEX applications_created ON applications (created_at);
CREATE INDEX applications_state ON applications (state, created_at);
CREATE INDEX applications_organisation ON applications (organisation_id, created_at);
CREATE INDEX applications_app ON applications (app_id, state);
CREATE INDEX applications_due ON applications (state, review_due_at);

CREATE TABLE application_versions (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  application_id TEXT NOT NULL REFERENCES applications (id), version INTEGER NOT NULL, content TEXT NOT NULL, sealed TEXT,
  documents TEXT NOT NULL, submitted_by TEXT) STRICT;
CREATE UNIQUE INDEX application_versions_version ON application_versions (application_id, version);

CREATE TABLE application_reviews (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  application_id TEXT NOT NULL REFERENCES applications (id), version INTEGER NOT NULL, position INTEGER NOT NULL, step TEXT NOT NULL,
  result TEXT NOT NULL, comment TEXT, findings TEXT, max_level INTEGER, reviewer TEXT NOT NULL) STRICT;
CREATE INDEX application_reviews_application ON application_reviews (application_id, created_at);

CREATE TABLE assessments (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  organisation_id TEXT NOT NULL REFERENCES organisations (id), scores TEXT NOT NULL, comment TEXT, technical_required INTEGER NOT NULL,
  technical_report_id TEXT, security_level TEXT, expires_at INTEGER NOT NULL, score INTEGER NOT NULL, rating TEXT NOT NULL,
  assessor TEXT NOT NULL) STRICT;
CREATE INDEX assessments_organisation ON assessments (organisation_id, state);
CREATE INDEX assessments_expires ON assessments (state, expires_at);

CREATE TABLE qualification_certificates (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  organisation_id TEXT NOT NULL REFERENCES organisations (id), kind TEXT NOT NULL, number TEXT NOT NULL, issuer TEXT NOT NULL,
  issuer_qualification TEXT, level INTEGER, document_id TEXT NOT NULL, issued_at INTEGER NOT NULL, valid_until INTEGER NOT NULL,
  confirmed_by TEXT, comment TEXT, warned_at INTEGER, enforced_at INTEGER) STRICT;
CREATE INDEX qualification_certificates_organisation ON qualification_certificates (organisation_id, kind, state);
CREATE INDEX qualification_certificates_until ON qualification_certificates (state, valid_until);

CREATE TABLE signing_keys (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  organisation_id TEXT NOT NULL REFERENCES organisations (id), label TEXT, public_key TEXT NOT NULL, algorithm TEXT NOT NULL,
  key_id TEXT NOT NULL, registered_by TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX signing_keys_key ON signing_keys (key_id) WHERE state = 'active';
CREATE INDEX signing_keys_organisation ON signing_keys (organisation_id, state);

CREATE TABLE agreement_templates (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, clauses TEXT NOT NULL) STRICT;
CREATE INDEX agreement_templates_kind ON agreement_templates (kind, state);

CREATE TABLE agreements (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  template_id TEXT NOT NULL REFERENCES agreement_templates (id), kind TEXT NOT NULL, provider_id TEXT NOT NULL REFERENCES organisations (id),
  receiver_id TEXT NOT NULL REFERENCES organisations (id), app_id TEXT REFERENCES apps (id), title TEXT NOT NULL, shared_data TEXT,
  interfaces TEXT, purpose TEXT, not_before INTEGER, expires_at INTEGER, retention_days INTEGER, confidential_days INTEGER,
  provider_duties TEXT, receiver_duties TEXT, terms TEXT, text TEXT, digest_sm3 TEXT, signing_text TEXT, provider_signature TEXT,
  receiver_signature TEXT, in_force_at INTEGER, ended_at INTEGER, reason TEXT) STRICT;
CREATE INDEX agreements_app ON agreements (app_id, state);
CREATE INDEX agreements_parties ON agreements (provider_id, receiver_id, state);
CREATE INDEX agreements_receiver ON agreements (receiver_id, created_at);
CREATE INDEX agreements_expires ON agreements (state, expires_at);
ALTER TABLE limits ADD COLUMN agreement_id TEXT REFERENCES agreements (id);
CREATE INDEX limits_agreement ON limits (agreement_id);
ALTER TABLE apis ADD COLUMN agreement_required INTEGER NOT NULL DEFAULT 0;

CREATE TABLE filings (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  organisation_id TEXT NOT NULL REFERENCES organisations (id), app_id TEXT NOT NULL REFERENCES apps (id), application_id TEXT REFERENCES applications (id),
  platform_name TEXT NOT NULL, user_number TEXT NOT NULL, domain TEXT NOT NULL, server_ip TEXT NOT NULL, operating_unit TEXT NOT NULL,
  contact_name TEXT NOT NULL, contact_phone TEXT NOT NULL, filed_by TEXT) STRICT;
CREATE UNIQUE INDEX filings_app ON filings (app_id) WHERE state = 'active';
CREATE INDEX filings_organisation ON filings (organisation_id, created_at);

CREATE TABLE re_reviews (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  organisation_id TEXT NOT NULL REFERENCES organisations (id), app_id TEXT REFERENCES apps (id), application_id TEXT REFERENCES applications (id),
  change_id TEXT, cause TEXT NOT NULL, due_at INTEGER NOT NULL, overdue_at INTEGER, comment TEXT, reviewer TEXT, next_due_at INTEGER) STRICT;
CREATE INDEX re_reviews_state ON re_reviews (state, due_at);
CREATE INDEX re_reviews_organisation ON re_reviews (organisation_id, created_at);
CREATE UNIQUE INDEX re_reviews_application ON re_reviews (application_id) WHERE state IN ('open', 'overdue');

CREATE TABLE major_changes (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  app_id TEXT NOT NULL REFERENCES apps (id), change TEXT NOT NULL, description TEXT NOT NULL, change_plan TEXT NOT NULL,
  emergency_plan TEXT NOT NULL, party_risk TEXT NOT NULL, user_notice TEXT NOT NULL, filed_by TEXT, risk_assessment TEXT, impact_assessment TEXT,
  measure TEXT, limit_per_day INTEGER, comment TEXT, decided_by TEXT, decided_at INTEGER) STRICT;
CREATE INDEX major_changes_app ON major_changes (app_id, created_at);
CREATE INDEX major_changes_state ON major_changes (state, created_at);

CREATE TABLE preparations (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  application_id TEXT NOT NULL REFERENCES applications (id), organisation_id TEXT NOT NULL REFERENCES organisations (id), app_id TEXT REFERENCES apps (id),
  items TEXT NOT NULL, due_at INTEGER NOT NULL, overdue_at INTEGER, completed_by TEXT) STRICT;
CREATE INDEX preparations_state ON preparations (state, due_at);
CREATE INDEX preparations_organisation ON preparations (organisation_id, created_at);
