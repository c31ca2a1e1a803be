-- SPDX-License-Identifier: Apache-2.0
-- The rest of consent: licences, requests to owners, closed services, confirmations of one transaction, audiences,
-- corrections of personal data. A grant that follows from a licence or a request has its id.
ALTER TABLE grants ADD COLUMN last_used_at INTEGER;
ALTER TABLE grants ADD COLUMN audience_id TEXT;
ALTER TABLE apis ADD COLUMN user_confirmation INTEGER;
ALTER TABLE apis ADD COLUMN collects_user_data INTEGER NOT NULL DEFAULT 0;
ALTER TABLE apis ADD COLUMN provider_approval INTEGER NOT NULL DEFAULT 0;
ALTER TABLE subscriptions ADD COLUMN provider_approved_by TEXT;
ALTER TABLE subscriptions ADD COLUMN provider_approved_at INTEGER;

CREATE TABLE licences (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  document_id TEXT NOT NULL, app_id TEXT NOT NULL REFERENCES apps (id), api_id TEXT NOT NULL REFERENCES apis (id), owner TEXT NOT NULL,
  purpose TEXT NOT NULL, not_before INTEGER, expires_at INTEGER NOT NULL, fields TEXT, document_sm3 TEXT, submitted_by TEXT,
  comment TEXT, reviewed_by TEXT, reviewed_at INTEGER, revocation_reason TEXT, revoked_by TEXT) STRICT;
CREATE INDEX licences_created ON licences (created_at);
CREATE INDEX licences_state ON licences (state, created_at);
CREATE INDEX licences_app ON licences (app_id, created_at);
CREATE INDEX licences_api ON licences (api_id, created_at);
CREATE INDEX licences_owner ON licences (owner, created_at);

CREATE TABLE grant_requests (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  app_id TEXT NOT NULL REFERENCES apps (id), api_id TEXT NOT NULL REFERENCES apis (id), owner TEXT NOT NULL, purpose TEXT NOT NULL,
  term TEXT NOT NULL, not_before INTEGER, expires_at INTEGER NOT NULL, fields TEXT, requested_by TEXT, statement TEXT, comment TEXT,
  decided_by TEXT, decided_at INTEGER) STRICT;
CREATE INDEX grant_requests_created ON grant_requests (created_at);
CREATE INDEX grant_requests_state ON grant_requests (state, created_at);
CREATE INDEX grant_requests_app ON grant_requests (app_id, created_at);
CREATE INDEX grant_requests_api ON grant_requests (api_id, created_at);
CREATE INDEX grant_requests_owner ON grant_requests (owner, created_at);

-- app_id NULL: every app.
CREATE TABLE closures (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  owner TEXT NOT NULL, app_id TEXT REFERENCES apps (id), reason TEXT, act TEXT NOT NULL, channel TEXT NOT NULL, statement TEXT,
  statement_sm3 TEXT, requested_by TEXT, handled_by TEXT, handled_at INTEGER, grants_ended INTEGER, reopen_statement TEXT,
  reopened_by TEXT, reopened_at INTEGER) STRICT;
CREATE INDEX closures_created ON closures (created_at);
CREATE INDEX closures_state ON closures (state, created_at);
CREATE INDEX closures_owner ON closures (owner, created_at);
CREATE INDEX closures_app ON closures (app_id, created_at);

-- request_sm3: of the secret in the page's address.
CREATE TABLE confirmations (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  app_id TEXT NOT NULL REFERENCES apps (id), api_id TEXT NOT NULL REFERENCES apis (id), request_sm3 TEXT NOT NULL UNIQUE,
  method TEXT NOT NULL, target TEXT NOT NULL, body TEXT, content_sm3 TEXT NOT NULL, redirect_uri TEXT, client_state TEXT,
  user_id TEXT, owner TEXT, given_by TEXT, factors INTEGER, act TEXT, channel TEXT, statement TEXT, statement_sm3 TEXT,
  risk_version TEXT, risk_acknowledged_at INTEGER, decided_at INTEGER, life_s INTEGER NOT NULL, expires_at INTEGER NOT NULL) STRICT;
CREATE INDEX confirmations_created ON confirmations (created_at);
CREATE INDEX confirmations_state ON confirmations (state, created_at);
CREATE INDEX confirmations_app ON confirmations (app_id, created_at);
CREATE INDEX confirmations_api ON confirmations (api_id, created_at);
CREATE INDEX confirmations_owner ON confirmations (owner, created_at);
CREATE INDEX confirmations_user ON confirmations (user_id, created_at);
CREATE INDEX confirmations_expires ON confirmations (expires_at) WHERE state = 'pending';
CREATE INDEX confirmations_waiting ON confirmations (app_id, expires_at) WHERE state = 'pending';

CREATE TABLE audiences (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  owner TEXT NOT NULL, name TEXT NOT NULL, members TEXT NOT NULL) STRICT;
CREATE INDEX audiences_created ON audiences (created_at);
CREATE INDEX audiences_state ON audiences (state, created_at);
CREATE INDEX audiences_owner ON audiences (owner, created_at);
CREATE INDEX grants_audience ON grants (audience_id, created_at);

CREATE TABLE corrections (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  user_id TEXT NOT NULL REFERENCES users (id), attribute TEXT NOT NULL, value TEXT NOT NULL, reason TEXT, requested_by TEXT,
  comment TEXT, reviewed_by TEXT, reviewed_at INTEGER) STRICT;
CREATE INDEX corrections_created ON corrections (created_at);
CREATE INDEX corrections_state ON corrections (state, created_at);
CREATE INDEX corrections_user ON corrections (user_id, created_at);

CREATE TABLE purposes (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  api_id TEXT NOT NULL REFERENCES apis (id), name TEXT NOT NULL, fields TEXT NOT NULL) STRICT;
CREATE INDEX purposes_created ON purposes (created_at);
CREATE INDEX purposes_state ON purposes (state, created_at);
CREATE INDEX purposes_api ON purposes (api_id, created_at);
CREATE INDEX purposes_name ON purposes (name, created_at);
