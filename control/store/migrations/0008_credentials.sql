-- SPDX-License-Identifier: Apache-2.0
ALTER TABLE credentials ADD COLUMN class TEXT NOT NULL DEFAULT 'A1';
ALTER TABLE credentials ADD COLUMN label TEXT;
ALTER TABLE credentials ADD COLUMN created_by TEXT;
ALTER TABLE credentials ADD COLUMN key_id TEXT;
ALTER TABLE credentials ADD COLUMN serial TEXT;
ALTER TABLE credentials ADD COLUMN supersedes TEXT REFERENCES credentials (id);
ALTER TABLE credentials ADD COLUMN overlap_until INTEGER;
ALTER TABLE credentials ADD COLUMN reason TEXT;
ALTER TABLE credentials ADD COLUMN voided_at INTEGER;
ALTER TABLE credentials ADD COLUMN warned_at INTEGER;
ALTER TABLE credentials ADD COLUMN lost_at INTEGER;
CREATE INDEX credentials_expires ON credentials (state, expires_at);
CREATE INDEX credentials_serial ON credentials (serial);
ALTER TABLE apps ADD COLUMN services TEXT;

CREATE TABLE credential_policies (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  class TEXT NOT NULL, default_days INTEGER NOT NULL, max_days INTEGER NOT NULL, warn_days INTEGER NOT NULL,
  overlap_days INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX credential_policies_class ON credential_policies (class);
INSERT INTO credential_policies VALUES
  ('01a20106-0dc8-7000-8000-0000000000a1', 'active', 1, 0, 0, 'A1', 365, 730, 30, 30),
  ('01a20106-0dc8-7000-8000-0000000000a2', 'active', 1, 0, 0, 'A2', 180, 365, 30, 14);

CREATE TABLE certificate_requests (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  app_id TEXT NOT NULL REFERENCES apps (id), csr TEXT NOT NULL, class TEXT, label TEXT, algorithm TEXT, key_id TEXT,
  requested_by TEXT, decided_by TEXT, reason TEXT, credential_id TEXT REFERENCES credentials (id)) STRICT;
CREATE INDEX certificate_requests_created ON certificate_requests (created_at);
CREATE INDEX certificate_requests_state ON certificate_requests (state, created_at);
CREATE INDEX certificate_requests_app ON certificate_requests (app_id, created_at);

-- The platform's CAs for apps; key_sealed under the master key. crl: DER, NULL once it is out of date.
CREATE TABLE authorities (
  name TEXT PRIMARY KEY, certificate TEXT NOT NULL, key_sealed TEXT NOT NULL, crl BLOB, crl_number INTEGER NOT NULL,
  crl_until INTEGER NOT NULL) STRICT;
CREATE TABLE certificates (
  serial TEXT PRIMARY KEY, authority TEXT NOT NULL REFERENCES authorities (name), credential_id TEXT NOT NULL REFERENCES credentials (id) DEFERRABLE INITIALLY DEFERRED,
  not_after INTEGER NOT NULL, revoked_at INTEGER, reason INTEGER NOT NULL) STRICT;
CREATE INDEX certificates_credential ON certificates (credential_id);
CREATE INDEX certificates_revoked ON certificates (authority, revoked_at);
