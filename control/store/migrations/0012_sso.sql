-- SPDX-License-Identifier: Apache-2.0
-- Platforms that trust each other's sign-on: who they are, which account here somebody of theirs has, which sign-ons are on
-- their way, which of our accounts they have been told of.
CREATE TABLE peers (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, issuer TEXT NOT NULL, client_id TEXT, ca TEXT, public_key TEXT NOT NULL, key_sealed TEXT NOT NULL,
  app_id TEXT REFERENCES apps (id), sign_on INTEGER NOT NULL, query_fields TEXT NOT NULL, registers INTEGER NOT NULL,
  offered INTEGER NOT NULL, silent INTEGER NOT NULL, told INTEGER NOT NULL, trust_factors INTEGER NOT NULL,
  trust_subjects INTEGER NOT NULL,
  metadata TEXT, jwks TEXT, fetched_at INTEGER NOT NULL DEFAULT 0, asked_at INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE UNIQUE INDEX peers_name ON peers (name) WHERE state <> 'removed';
CREATE UNIQUE INDEX peers_issuer ON peers (issuer) WHERE state <> 'removed';
CREATE UNIQUE INDEX peers_app ON peers (app_id) WHERE state <> 'removed';
CREATE INDEX peers_created ON peers (created_at);
CREATE INDEX peers_state ON peers (state, created_at);

CREATE TABLE peer_accounts (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  peer_id TEXT NOT NULL REFERENCES peers (id), subject TEXT NOT NULL, user_id TEXT NOT NULL REFERENCES users (id),
  fetched_at INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX peer_accounts_subject ON peer_accounts (peer_id, subject) WHERE state = 'active';
CREATE INDEX peer_accounts_peer ON peer_accounts (peer_id, created_at);
CREATE INDEX peer_accounts_user ON peer_accounts (user_id, created_at);
CREATE INDEX peer_accounts_created ON peer_accounts (created_at);
CREATE INDEX peer_accounts_state ON peer_accounts (state, created_at);

-- state_sm3: of the state that the browser carries; browser_sm3: of the cookie of the browser that began.
CREATE TABLE peer_sign_ons (
  state_sm3 BLOB PRIMARY KEY, peer_id TEXT NOT NULL REFERENCES peers (id), browser_sm3 BLOB NOT NULL, next TEXT NOT NULL,
  tried INTEGER NOT NULL, expires_at INTEGER NOT NULL) STRICT;
CREATE INDEX peer_sign_ons_expires ON peer_sign_ons (expires_at);

CREATE TABLE peer_registrations (
  peer_id TEXT NOT NULL REFERENCES peers (id), user_id TEXT NOT NULL REFERENCES users (id), revision INTEGER NOT NULL,
  attempts INTEGER NOT NULL, due_at INTEGER NOT NULL, PRIMARY KEY (peer_id, user_id)) STRICT, WITHOUT ROWID;

-- Accounts by a keyed digest of their identity number, so that nobody has two without knowing it.
CREATE TABLE user_identities (digest BLOB NOT NULL, user_id TEXT NOT NULL, PRIMARY KEY (digest, user_id)) STRICT, WITHOUT ROWID;

ALTER TABLE sessions ADD COLUMN peer_id TEXT;
ALTER TABLE sessions ADD COLUMN peer_sid TEXT;
CREATE INDEX sessions_peer ON sessions (peer_id, peer_sid);

-- Who is told of a session's end: apps, and the peer it came from. receiver: the id of either.
CREATE TABLE logout_notes (
  receiver TEXT NOT NULL, session_id TEXT NOT NULL, user_id TEXT NOT NULL, audience TEXT NOT NULL, uri TEXT NOT NULL,
  state TEXT NOT NULL, attempts INTEGER NOT NULL, due_at INTEGER NOT NULL, PRIMARY KEY (receiver, session_id)) STRICT, WITHOUT ROWID;
INSERT INTO logout_notes SELECT app_id, session_id, user_id, app_id, uri, state, attempts, due_at FROM logout_deliveries;
DROP TABLE logout_deliveries;
ALTER TABLE logout_notes RENAME TO logout_deliveries;
CREATE INDEX logout_deliveries_due ON logout_deliveries (state, due_at);
