-- SPDX-License-Identifier: Apache-2.0
-- What is asked of a service before it is published, and how the platform runs.

-- The private halves of the key pairs that the platform's own app proves itself by to APIs of class A2, sealed.
CREATE TABLE probe_keys (credential_id TEXT PRIMARY KEY REFERENCES credentials (id), private_sealed TEXT NOT NULL) STRICT;

-- What a task is about beside an API, what it is done with, and what it began.
ALTER TABLE scheduled_tasks ADD COLUMN target_id TEXT;
ALTER TABLE scheduled_tasks ADD COLUMN parameters TEXT;
ALTER TABLE scheduled_tasks ADD COLUMN about_id TEXT;

-- What running instances of the service behind an API go by.
CREATE TABLE service_configs (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  api_id TEXT NOT NULL REFERENCES apis (id), name TEXT NOT NULL, value TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX service_configs_one ON service_configs (api_id, name) WHERE state = 'active';
CREATE INDEX service_configs_created ON service_configs (created_at);

-- Made in a format that the agreement of its app does not name.
ALTER TABLE exports ADD COLUMN departs INTEGER;
UPDATE exports SET departs = 0;
CREATE INDEX exports_departs ON exports (departs, state) WHERE departs = 1;
