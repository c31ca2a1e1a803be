-- SPDX-License-Identifier: Apache-2.0
-- Who somebody is: registration and its review, real-name verification, factors, sessions by
-- scenario. What is personal is sealed; what proves is a digest or sealed.
ALTER TABLE users ADD COLUMN kind TEXT;
ALTER TABLE users ADD COLUMN holder_kind TEXT;
ALTER TABLE users ADD COLUMN email TEXT;
ALTER TABLE users ADD COLUMN phone_sealed TEXT;
ALTER TABLE users ADD COLUMN real_name_sealed TEXT;
ALTER TABLE users ADD COLUMN id_number_sealed TEXT;
ALTER TABLE users ADD COLUMN verified_at INTEGER;
ALTER TABLE users ADD COLUMN verify_due_at INTEGER;
ALTER TABLE users ADD COLUMN verify_suspended INTEGER;
ALTER TABLE users ADD COLUMN totp INTEGER;
ALTER TABLE users ADD COLUMN totp_sealed TEXT;
ALTER TABLE users ADD COLUMN totp_pending_sealed TEXT;
ALTER TABLE users ADD COLUMN totp_last_step INTEGER;
ALTER TABLE users ADD COLUMN certificate_subject TEXT;
ALTER TABLE users ADD COLUMN certificate_trust_id TEXT REFERENCES trusts (id);
ALTER TABLE users ADD COLUMN accessid TEXT;
ALTER TABLE users ADD COLUMN reviewed_by TEXT;
ALTER TABLE users ADD COLUMN reviewed_at INTEGER;
ALTER TABLE users ADD COLUMN review_comment TEXT;
CREATE INDEX users_kind ON users (kind, created_at);
CREATE INDEX users_verify_due ON users (verify_due_at);
-- A row of users is never deleted, so an accessid is never given twice.
CREATE UNIQUE INDEX users_accessid ON users (accessid);
CREATE UNIQUE INDEX users_certificate ON users (certificate_trust_id, certificate_subject) WHERE state <> 'closed';

-- Sessions from before have no scenario and no public id: everybody signs in once more.
DELETE FROM sessions;
ALTER TABLE sessions ADD COLUMN id TEXT;
ALTER TABLE sessions ADD COLUMN factors INTEGER NOT NULL DEFAULT 1;
ALTER TABLE sessions ADD COLUMN scenario TEXT NOT NULL DEFAULT 'portal';
ALTER TABLE sessions ADD COLUMN idle_ms INTEGER NOT NULL DEFAULT 1800000;
ALTER TABLE sessions ADD COLUMN signed_in_at INTEGER NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX sessions_id ON sessions (id);

CREATE TABLE session_policies (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  scenario TEXT NOT NULL UNIQUE, idle_s INTEGER NOT NULL, absolute_s INTEGER NOT NULL) STRICT;
CREATE INDEX session_policies_created ON session_policies (created_at);
CREATE INDEX session_policies_state ON session_policies (state, created_at);
INSERT INTO session_policies VALUES
  ('01900000-0000-7000-8000-000000000301', 'active', 1, 0, 0, 'portal', 1800, 43200),
  ('01900000-0000-7000-8000-000000000302', 'active', 1, 0, 0, 'oauth', 900, 28800),
  ('01900000-0000-7000-8000-000000000303', 'active', 1, 0, 0, 'counter', 300, 14400),
  ('01900000-0000-7000-8000-000000000304', 'active', 1, 0, 0, 'api', 1800, 7200),
  ('01900000-0000-7000-8000-000000000305', 'active', 1, 0, 0, 'verification', 600, 900);

CREATE TABLE identity_settings (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL UNIQUE, value TEXT NOT NULL) STRICT;
CREATE INDEX identity_settings_created ON identity_settings (created_at);
CREATE INDEX identity_settings_state ON identity_settings (state, created_at);
INSERT INTO identity_settings VALUES
  ('01900000-0000-7000-8000-000000000311', 'active', 1, 0, 0, 'captcha', 'after-failures'),
  ('01900000-0000-7000-8000-000000000312', 'active', 1, 0, 0, 'second-factor', 'off'),
  ('01900000-0000-7000-8000-000000000313', 'active', 1, 0, 0, 'verify-days', '0'),
  ('01900000-0000-7000-8000-000000000314', 'active', 1, 0, 0, 'identity-source', 'checksum');

CREATE TABLE captchas (id TEXT PRIMARY KEY, answer_sm3 BLOB NOT NULL, expires_at INTEGER NOT NULL) STRICT;
CREATE INDEX captchas_expires ON captchas (expires_at);

CREATE TABLE login_keys (kid TEXT PRIMARY KEY, private_sealed TEXT NOT NULL, created_at INTEGER NOT NULL) STRICT;
CREATE INDEX login_keys_created ON login_keys (created_at);

-- Sealed passwords that were used, until their time makes them useless anyway.
CREATE TABLE sealed_used (digest_sm3 BLOB PRIMARY KEY, expires_at INTEGER NOT NULL) STRICT;
CREATE INDEX sealed_used_expires ON sealed_used (expires_at);

CREATE TABLE password_history (user_id TEXT NOT NULL REFERENCES users (id), at INTEGER NOT NULL, password_hash TEXT NOT NULL) STRICT;
CREATE INDEX password_history_user ON password_history (user_id, at);
