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

-- How each API served, by the day: what failed, and what was answered by how long it took (contract/feed.md, USE).
CREATE TABLE api_times (
  api_id TEXT NOT NULL, day INTEGER NOT NULL, failed INTEGER NOT NULL, t0 INTEGER NOT NULL, t1 INTEGER NOT NULL, t2 INTEGER NOT NULL, t3 INTEGER NOT NULL,
  t4 INTEGER NOT NULL, t5 INTEGER NOT NULL, t6 INTEGER NOT NULL, t7 INTEGER NOT NULL, t8 INTEGER NOT NULL, t9 INTEGER NOT NULL,
  PRIMARY KEY (api_id, day)) STRICT;
CREATE INDEX api_times_day ON api_times (day);

-- What an app's calls may come from.
ALTER TABLE apps ADD COLUMN packages TEXT;
