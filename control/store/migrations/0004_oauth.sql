-- SPDX-License-Identifier: Apache-2.0
-- The OAuth 2.0 and OpenID Connect server: how apps are clients, requests, codes, refresh tokens, the keys of tokens,
-- what was revoked. Secrets that clients hold (request ids, codes, refresh tokens) are known here by their SM3 alone.
CREATE TABLE clients (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  app_id TEXT NOT NULL REFERENCES apps (id), redirect_uris TEXT NOT NULL, post_logout_redirect_uris TEXT NOT NULL,
  backchannel_logout_uri TEXT, frontchannel_logout_uri TEXT, token_endpoint_auth_method TEXT NOT NULL, grant_types TEXT NOT NULL,
  profile TEXT NOT NULL, dpop_bound INTEGER NOT NULL, require_par INTEGER NOT NULL, access_token_s INTEGER NOT NULL,
  refresh_token_s INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX clients_app ON clients (app_id) WHERE state <> 'removed';
CREATE INDEX clients_apps ON clients (app_id, created_at);
CREATE INDEX clients_created ON clients (created_at);
CREATE INDEX clients_state ON clients (state, created_at);
CREATE INDEX clients_profile ON clients (profile, created_at);

CREATE TABLE oauth_requests (
  id_sm3 BLOB PRIMARY KEY, app_id TEXT NOT NULL REFERENCES apps (id), pushed INTEGER NOT NULL, params TEXT NOT NULL, apis TEXT NOT NULL,
  dpop_jkt TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, used_at INTEGER) STRICT;
CREATE INDEX oauth_requests_expires ON oauth_requests (expires_at);

CREATE TABLE oauth_codes (
  code_sm3 BLOB PRIMARY KEY, app_id TEXT NOT NULL REFERENCES apps (id), user_id TEXT NOT NULL, session_id TEXT, params TEXT NOT NULL,
  apis TEXT NOT NULL, grants TEXT NOT NULL, dpop_jkt TEXT NOT NULL, signed_in_at INTEGER NOT NULL, factors INTEGER NOT NULL,
  created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, used_at INTEGER, family_id TEXT) STRICT;
CREATE INDEX oauth_codes_expires ON oauth_codes (expires_at);
CREATE INDEX oauth_codes_session ON oauth_codes (session_id);
CREATE INDEX oauth_codes_user ON oauth_codes (user_id, app_id);

-- What one code led to: every refresh token and access token after it.
CREATE TABLE oauth_families (
  id TEXT PRIMARY KEY, app_id TEXT NOT NULL REFERENCES apps (id), user_id TEXT NOT NULL, session_id TEXT, params TEXT NOT NULL,
  apis TEXT NOT NULL, grants TEXT NOT NULL, dpop_jkt TEXT NOT NULL, signed_in_at INTEGER NOT NULL, factors INTEGER NOT NULL,
  created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, revoked_at INTEGER) STRICT;
CREATE INDEX oauth_families_expires ON oauth_families (expires_at);
CREATE INDEX oauth_families_session ON oauth_families (session_id);
CREATE INDEX oauth_families_user ON oauth_families (user_id, app_id);
CREATE INDEX oauth_families_app ON oauth_families (app_id);

CREATE TABLE oauth_refresh_tokens (
  token_sm3 BLOB PRIMARY KEY, family_id TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, used_at INTEGER) STRICT;
CREATE INDEX oauth_refresh_tokens_family ON oauth_refresh_tokens (family_id);
CREATE INDEX oauth_refresh_tokens_expires ON oauth_refresh_tokens (expires_at);

-- use: access (seals access tokens) or jwt (signs id tokens). public: its JWK, jwt only.
CREATE TABLE token_keys (
  id TEXT PRIMARY KEY, "use" TEXT NOT NULL, key_id INTEGER NOT NULL, key_sealed TEXT NOT NULL, public TEXT, state TEXT NOT NULL,
  not_before INTEGER NOT NULL, expires_at INTEGER NOT NULL, created_at INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX token_keys_number ON token_keys ("use", key_id);

-- seq grows with each change, so that a reader finds what is new.
CREATE TABLE token_revocations (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, subject TEXT NOT NULL, value TEXT NOT NULL, before_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL, UNIQUE (subject, value)) STRICT;
CREATE INDEX token_revocations_expires ON token_revocations (expires_at);

-- Tokens that apps got for themselves, from the journal beside the store.
CREATE TABLE token_issues (
  id TEXT PRIMARY KEY, app_id TEXT NOT NULL, at_ms INTEGER NOT NULL, expires_at INTEGER NOT NULL, binding INTEGER NOT NULL) STRICT;
CREATE INDEX token_issues_app ON token_issues (app_id, at_ms);
CREATE INDEX token_issues_expires ON token_issues (expires_at);
