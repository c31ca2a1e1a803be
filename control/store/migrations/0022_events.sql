-- SPDX-License-Identifier: Apache-2.0
-- Topics, and how apps are given their events when they do not ask for them.
CREATE TABLE topics (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  api_id TEXT NOT NULL REFERENCES apis (id), publishers TEXT NOT NULL, attributes TEXT NOT NULL, poll_ms INTEGER,
  retention_days INTEGER NOT NULL, retention_mb INTEGER NOT NULL) STRICT;
CREATE INDEX topics_created ON topics (created_at);
CREATE UNIQUE INDEX topics_api ON topics (api_id) WHERE state <> 'removed';

CREATE TABLE event_subscriptions (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  app_id TEXT NOT NULL REFERENCES apps (id), api_id TEXT NOT NULL REFERENCES apis (id), name TEXT NOT NULL, mode TEXT NOT NULL, url TEXT,
  types TEXT NOT NULL, start TEXT NOT NULL, batch INTEGER NOT NULL, attempts INTEGER NOT NULL, backoff_ms INTEGER NOT NULL,
  timeout_ms INTEGER NOT NULL, secret_sealed TEXT) STRICT;
CREATE INDEX event_subscriptions_created ON event_subscriptions (created_at);
CREATE INDEX event_subscriptions_api ON event_subscriptions (api_id);
CREATE UNIQUE INDEX event_subscriptions_name ON event_subscriptions (app_id, api_id, name) WHERE state <> 'removed';

-- What somebody must look into: of alerts, of operators, of parties.
CREATE TABLE cases (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  kind TEXT NOT NULL, grade INTEGER NOT NULL, title TEXT NOT NULL, detail TEXT, alert_id TEXT, app_id TEXT REFERENCES apps (id),
  api_id TEXT REFERENCES apis (id), organisation_id TEXT REFERENCES organisations (id), due_at INTEGER NOT NULL, analysis TEXT, remedy TEXT,
  report_document_id TEXT REFERENCES documents (id), hits INTEGER NOT NULL, alerted_at INTEGER, source TEXT NOT NULL, opened_by TEXT NOT NULL,
  handler TEXT, assigned_at INTEGER, measures TEXT, treated_at INTEGER, question TEXT, shared_at INTEGER, answers TEXT NOT NULL, solution TEXT,
  agreed_at INTEGER, result TEXT, closed_by TEXT, closed_at INTEGER, escalations INTEGER NOT NULL, escalated_at INTEGER) STRICT;
CREATE INDEX cases_created ON cases (created_at);
CREATE INDEX cases_due ON cases (state, due_at);
CREATE INDEX cases_organisation ON cases (organisation_id);
CREATE TABLE case_alerts (alert_id TEXT PRIMARY KEY, case_id TEXT NOT NULL) STRICT;
