-- SPDX-License-Identifier: Apache-2.0
-- What the gateway is told beyond who may read which field: targets and their protection, keys and
-- certificates, limits, lists, checks, conversions; and what the nodes report back.
ALTER TABLE organisations ADD COLUMN subject TEXT;
CREATE INDEX organisations_subject ON organisations (subject, created_at);

ALTER TABLE apps ADD COLUMN factors TEXT;
ALTER TABLE apps ADD COLUMN channel TEXT NOT NULL DEFAULT 'server';
CREATE INDEX apps_channel ON apps (channel, created_at);

ALTER TABLE credentials ADD COLUMN "use" TEXT NOT NULL DEFAULT 'signing';
ALTER TABLE credentials ADD COLUMN public_key TEXT;
ALTER TABLE credentials ADD COLUMN certificate TEXT;
ALTER TABLE credentials ADD COLUMN certificate_mode TEXT;
ALTER TABLE credentials ADD COLUMN certificate_sm3 TEXT;
ALTER TABLE credentials ADD COLUMN certificate_subject TEXT;
ALTER TABLE credentials ADD COLUMN spki TEXT; -- base64url of the SubjectPublicKeyInfo's DER
CREATE INDEX credentials_spki ON credentials (spki);
CREATE INDEX credentials_certificate ON credentials (certificate_sm3, created_at);

ALTER TABLE apis ADD COLUMN operation TEXT NOT NULL DEFAULT 'other';
ALTER TABLE apis ADD COLUMN query INTEGER NOT NULL DEFAULT 0;
ALTER TABLE apis ADD COLUMN targets TEXT;
ALTER TABLE apis ADD COLUMN balance TEXT;
ALTER TABLE apis ADD COLUMN canary_percent INTEGER;
ALTER TABLE apis ADD COLUMN canary_apps TEXT;
ALTER TABLE apis ADD COLUMN retries INTEGER;
ALTER TABLE apis ADD COLUMN breaker TEXT;
ALTER TABLE apis ADD COLUMN health TEXT;
ALTER TABLE apis ADD COLUMN cache_ms INTEGER;
ALTER TABLE apis ADD COLUMN cache_epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE apis ADD COLUMN schemes TEXT;
ALTER TABLE apis ADD COLUMN signature_max_s INTEGER;
ALTER TABLE apis ADD COLUMN sign_response INTEGER;
ALTER TABLE apis ADD COLUMN seal_request TEXT;
ALTER TABLE apis ADD COLUMN seal_response TEXT;
ALTER TABLE apis ADD COLUMN successor TEXT;
ALTER TABLE apis ADD COLUMN notice_zh TEXT;
ALTER TABLE apis ADD COLUMN notice_en TEXT;
ALTER TABLE apis ADD COLUMN mobile INTEGER NOT NULL DEFAULT 0;
ALTER TABLE apis ADD COLUMN deprecated_at INTEGER;
CREATE INDEX apis_operation ON apis (operation, created_at);

ALTER TABLE subscriptions ADD COLUMN risk_assessment TEXT;
ALTER TABLE subscriptions ADD COLUMN risk_approver TEXT;
ALTER TABLE subscriptions ADD COLUMN risk_approved_at INTEGER;

CREATE TABLE limits (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT, per TEXT NOT NULL, app_id TEXT REFERENCES apps (id), api_id TEXT REFERENCES apis (id), measure TEXT NOT NULL,
  amount INTEGER NOT NULL, window_ms INTEGER, action TEXT NOT NULL, suspend_s INTEGER, not_before INTEGER, expires_at INTEGER,
  released_at INTEGER, reason TEXT, alert_id TEXT) STRICT;
CREATE INDEX limits_created ON limits (created_at);
CREATE INDEX limits_state ON limits (state, created_at);
CREATE INDEX limits_app ON limits (app_id, created_at);
CREATE INDEX limits_api ON limits (api_id, created_at);
CREATE INDEX limits_measure ON limits (measure, created_at);
CREATE INDEX limits_alert ON limits (alert_id, created_at);

CREATE TABLE lists (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  list TEXT NOT NULL, subject TEXT NOT NULL, value TEXT NOT NULL, app_id TEXT REFERENCES apps (id), api_id TEXT REFERENCES apis (id),
  not_before INTEGER, expires_at INTEGER, reason TEXT NOT NULL, added_by TEXT, lifted_by TEXT, lifted_at INTEGER, comment TEXT) STRICT;
CREATE INDEX lists_created ON lists (created_at);
CREATE INDEX lists_state ON lists (state, created_at);
CREATE INDEX lists_list ON lists (list, created_at);
CREATE INDEX lists_subject ON lists (subject, created_at);
CREATE INDEX lists_value ON lists (value, created_at);
CREATE INDEX lists_app ON lists (app_id, created_at);
CREATE INDEX lists_api ON lists (api_id, created_at);

CREATE TABLE trusts (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, certificate TEXT NOT NULL, crl TEXT, crl_required INTEGER NOT NULL, ocsp TEXT,
  certificate_subject TEXT, certificate_sm3 TEXT) STRICT;
CREATE UNIQUE INDEX trusts_certificate ON trusts (certificate_sm3) WHERE state <> 'removed';
CREATE INDEX trusts_created ON trusts (created_at);
CREATE INDEX trusts_state ON trusts (state, created_at);
CREATE INDEX trusts_named ON trusts (name, created_at);

CREATE TABLE algorithms (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL UNIQUE, purpose TEXT NOT NULL, status TEXT NOT NULL, sunset_at INTEGER) STRICT;
CREATE INDEX algorithms_created ON algorithms (created_at);
CREATE INDEX algorithms_state ON algorithms (state, created_at);
CREATE INDEX algorithms_purpose ON algorithms (purpose, created_at);
CREATE INDEX algorithms_status ON algorithms (status, created_at);

CREATE TABLE schemas (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  api_id TEXT NOT NULL REFERENCES apis (id), openapi TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX schemas_one ON schemas (api_id) WHERE state <> 'removed';
CREATE INDEX schemas_api ON schemas (api_id, created_at);
CREATE INDEX schemas_created ON schemas (created_at);
CREATE INDEX schemas_state ON schemas (state, created_at);

CREATE TABLE conversions (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  api_id TEXT NOT NULL REFERENCES apis (id), definition TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX conversions_one ON conversions (api_id) WHERE state <> 'removed';
CREATE INDEX conversions_api ON conversions (api_id, created_at);
CREATE INDEX conversions_created ON conversions (created_at);
CREATE INDEX conversions_state ON conversions (state, created_at);

CREATE TABLE compositions (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  api_id TEXT NOT NULL REFERENCES apis (id), graph TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX compositions_one ON compositions (api_id) WHERE state <> 'removed';
CREATE INDEX compositions_api ON compositions (api_id, created_at);
CREATE INDEX compositions_created ON compositions (created_at);
CREATE INDEX compositions_state ON compositions (state, created_at);

-- What nodes report. The id is the event's own, so that one sent twice is one. What it names may be
-- gone by now, hence no references.
CREATE TABLE alerts (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  kind TEXT NOT NULL, at INTEGER NOT NULL, node TEXT NOT NULL, api_id TEXT, app_id TEXT, credential_id TEXT, limit_id TEXT,
  owner TEXT, address TEXT, target TEXT, count INTEGER, reason TEXT, comment TEXT, handled_by TEXT, handled_at INTEGER) STRICT;
CREATE INDEX alerts_created ON alerts (created_at);
CREATE INDEX alerts_state ON alerts (state, created_at);
CREATE INDEX alerts_kind ON alerts (kind, created_at);
CREATE INDEX alerts_node ON alerts (node, created_at);
CREATE INDEX alerts_app ON alerts (app_id, created_at);
CREATE INDEX alerts_api ON alerts (api_id, created_at);
CREATE INDEX alerts_credential ON alerts (credential_id, created_at);
CREATE INDEX alerts_limit ON alerts (limit_id, created_at);
CREATE INDEX alerts_at ON alerts (at);

-- Public keys of the nodes. Those no longer in use stay: what they signed still has to verify.
CREATE TABLE node_keys (
  thumbprint TEXT NOT NULL, node TEXT NOT NULL, jwk TEXT NOT NULL, "use" TEXT NOT NULL, "current" INTEGER NOT NULL,
  first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, PRIMARY KEY (node, thumbprint, "use")) STRICT;
CREATE INDEX node_keys_current ON node_keys ("current", last_at);
