-- SPDX-License-Identifier: Apache-2.0
-- The first schema: resources, who signed in, what was done, what nodes are told.
-- Times are wall milliseconds. Every filtered column has an index that ends in created_at, so a
-- filtered page in the default order reads only the rows it shows.
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE organisations (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, kind TEXT NOT NULL, uscc TEXT, contact TEXT, comment TEXT) STRICT;
CREATE UNIQUE INDEX organisations_name ON organisations (name) WHERE state NOT IN ('closed', 'rejected');
CREATE INDEX organisations_created ON organisations (created_at);
CREATE INDEX organisations_state ON organisations (state, created_at);
CREATE INDEX organisations_kind ON organisations (kind, created_at);
CREATE INDEX organisations_uscc ON organisations (uscc, created_at);

CREATE TABLE users (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  login TEXT NOT NULL UNIQUE, password_hash TEXT NOT NULL, password_change_required INTEGER NOT NULL DEFAULT 0,
  display_name TEXT, role TEXT NOT NULL, organisation_id TEXT REFERENCES organisations (id), subject TEXT) STRICT;
CREATE INDEX users_created ON users (created_at);
CREATE INDEX users_state ON users (state, created_at);
CREATE INDEX users_role ON users (role, created_at);
CREATE INDEX users_organisation ON users (organisation_id, created_at);
CREATE INDEX users_subject ON users (subject, created_at);

CREATE TABLE sessions (
  token_sm3 BLOB PRIMARY KEY, user_id TEXT NOT NULL REFERENCES users (id),
  created_at INTEGER NOT NULL, used_at INTEGER NOT NULL, expires_at INTEGER NOT NULL) STRICT;
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_used ON sessions (used_at);

CREATE TABLE sign_in_failures (
  login_sm3 BLOB PRIMARY KEY, failures INTEGER NOT NULL, last_at INTEGER NOT NULL, until_at INTEGER NOT NULL) STRICT;
CREATE INDEX sign_in_failures_last ON sign_in_failures (last_at);

CREATE TABLE apps (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, organisation_id TEXT NOT NULL REFERENCES organisations (id), environment TEXT NOT NULL,
  description TEXT, comment TEXT) STRICT;
CREATE UNIQUE INDEX apps_name ON apps (organisation_id, name) WHERE state <> 'withdrawn';
CREATE INDEX apps_created ON apps (created_at);
CREATE INDEX apps_named ON apps (name, created_at);
CREATE INDEX apps_state ON apps (state, created_at);
CREATE INDEX apps_organisation ON apps (organisation_id, created_at);
CREATE INDEX apps_environment ON apps (environment, created_at);

CREATE TABLE credentials (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  app_id TEXT NOT NULL REFERENCES apps (id), algorithm TEXT NOT NULL, not_before INTEGER, expires_at INTEGER NOT NULL,
  secret_sealed TEXT NOT NULL) STRICT;
CREATE INDEX credentials_created ON credentials (created_at);
CREATE INDEX credentials_state ON credentials (state, created_at);
CREATE INDEX credentials_app ON credentials (app_id, created_at);

CREATE TABLE sources (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, organisation_id TEXT NOT NULL REFERENCES organisations (id), kind TEXT NOT NULL,
  connection_sealed TEXT NOT NULL, max_connections INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX sources_name ON sources (organisation_id, name);
CREATE INDEX sources_named ON sources (name, created_at);
CREATE INDEX sources_created ON sources (created_at);
CREATE INDEX sources_state ON sources (state, created_at);
CREATE INDEX sources_organisation ON sources (organisation_id, created_at);

CREATE TABLE datasets (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, title TEXT, source_id TEXT NOT NULL REFERENCES sources (id),
  organisation_id TEXT NOT NULL REFERENCES organisations (id),
  "schema" TEXT, "table" TEXT NOT NULL, owner_column TEXT, fields TEXT NOT NULL,
  published TEXT) STRICT; -- published: what nodes hold, from the last publication
CREATE UNIQUE INDEX datasets_name ON datasets (organisation_id, name) WHERE state <> 'retired';
CREATE INDEX datasets_named ON datasets (name, created_at);
CREATE INDEX datasets_created ON datasets (created_at);
CREATE INDEX datasets_state ON datasets (state, created_at);
CREATE INDEX datasets_source ON datasets (source_id, created_at);
CREATE INDEX datasets_organisation ON datasets (organisation_id, created_at);

CREATE TABLE apis (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, version TEXT NOT NULL, path TEXT NOT NULL, title TEXT, description TEXT, kind TEXT NOT NULL,
  dataset_id TEXT REFERENCES datasets (id), organisation_id TEXT REFERENCES organisations (id), upstream TEXT,
  class TEXT NOT NULL, access TEXT NOT NULL, methods TEXT NOT NULL, profile TEXT NOT NULL, owner_scoped INTEGER NOT NULL,
  timeout_ms INTEGER NOT NULL, max_body_bytes INTEGER NOT NULL, fields TEXT NOT NULL, sunset_at INTEGER) STRICT;
CREATE UNIQUE INDEX apis_path ON apis (path) WHERE state <> 'archived';
CREATE UNIQUE INDEX apis_version ON apis (name, version) WHERE state <> 'archived';
CREATE INDEX apis_named ON apis (name, created_at);
CREATE INDEX apis_created ON apis (created_at);
CREATE INDEX apis_state ON apis (state, created_at);
CREATE INDEX apis_kind ON apis (kind, created_at);
CREATE INDEX apis_class ON apis (class, created_at);
CREATE INDEX apis_access ON apis (access, created_at);
CREATE INDEX apis_profile ON apis (profile, created_at);
CREATE INDEX apis_dataset ON apis (dataset_id, created_at);
CREATE INDEX apis_organisation ON apis (organisation_id, created_at);

CREATE TABLE subscriptions (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  app_id TEXT NOT NULL REFERENCES apps (id), api_id TEXT NOT NULL REFERENCES apis (id), purpose TEXT NOT NULL,
  max_level INTEGER NOT NULL, fields TEXT, not_before INTEGER, expires_at INTEGER, comment TEXT) STRICT;
-- A gateway finds the subscription by app and API, so there is at most one that counts.
CREATE UNIQUE INDEX subscriptions_pair ON subscriptions (app_id, api_id) WHERE state <> 'cancelled';
CREATE INDEX subscriptions_created ON subscriptions (created_at);
CREATE INDEX subscriptions_state ON subscriptions (state, created_at);
CREATE INDEX subscriptions_app ON subscriptions (app_id, created_at);
CREATE INDEX subscriptions_api ON subscriptions (api_id, created_at);

CREATE TABLE grants (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  app_id TEXT NOT NULL REFERENCES apps (id), api_id TEXT NOT NULL REFERENCES apis (id), owner TEXT NOT NULL,
  purpose TEXT NOT NULL, term TEXT NOT NULL, not_before INTEGER, expires_at INTEGER NOT NULL, fields TEXT) STRICT;
CREATE INDEX grants_created ON grants (created_at);
CREATE INDEX grants_state ON grants (state, created_at);
CREATE INDEX grants_app ON grants (app_id, created_at);
CREATE INDEX grants_api ON grants (api_id, created_at);
CREATE INDEX grants_owner ON grants (owner, created_at);
CREATE INDEX grants_term ON grants (term, created_at);

-- What was done, chained with SM3. seq has no gaps: the writer counts it.
CREATE TABLE operations (
  seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, kind TEXT NOT NULL,
  resource_id TEXT NOT NULL, before TEXT, after TEXT, chain BLOB NOT NULL) STRICT;
CREATE INDEX operations_at ON operations (at_ms);
CREATE INDEX operations_actor ON operations (actor, seq);
CREATE INDEX operations_action ON operations (action, seq);
CREATE INDEX operations_kind ON operations (kind, seq);
CREATE INDEX operations_resource ON operations (resource_id, seq);

-- Changes in order, and the current entry of every record for a node that starts anew. Both are
-- written in the transaction of the change, so neither can be ahead of the resources.
CREATE TABLE feed (seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL, op TEXT NOT NULL, data TEXT) STRICT;
CREATE TABLE feed_current (
  kind TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL, data TEXT NOT NULL, PRIMARY KEY (kind, id)) STRICT, WITHOUT ROWID;
-- The first number is spent on nothing, so that no node's cursor is 0 once it is in step.
INSERT INTO feed (kind, id, op, data) VALUES ('store', '00000000-0000-0000-0000-000000000000', 'put', '{}');
