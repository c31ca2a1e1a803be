-- SPDX-License-Identifier: Apache-2.0
-- Who must still be told that a session is over (OpenID Connect Back-Channel Logout).
CREATE TABLE logout_deliveries (
  app_id TEXT NOT NULL REFERENCES apps (id), session_id TEXT NOT NULL, user_id TEXT NOT NULL, uri TEXT NOT NULL, state TEXT NOT NULL,
  attempts INTEGER NOT NULL, due_at INTEGER NOT NULL, PRIMARY KEY (app_id, session_id)) STRICT, WITHOUT ROWID;
CREATE INDEX logout_deliveries_due ON logout_deliveries (state, due_at);
