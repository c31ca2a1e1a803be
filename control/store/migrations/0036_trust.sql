-- SPDX-License-Identifier: Apache-2.0
-- Trust: keys of the platform that are replaced while it runs.
CREATE TABLE key_replacements (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  "key" TEXT NOT NULL, reason TEXT NOT NULL, requested_by TEXT NOT NULL, old_key_id TEXT, new_key_id TEXT, pass INTEGER NOT NULL,
  place INTEGER NOT NULL, after TEXT, resealed INTEGER NOT NULL, found INTEGER NOT NULL, finished_at INTEGER,
  hold INTEGER NOT NULL, overlap_s INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX key_replacements_one ON key_replacements ("key") WHERE state <> 'replaced';
CREATE INDEX key_replacements_created ON key_replacements (created_at);
CREATE INDEX key_replacements_state ON key_replacements (state, created_at);
CREATE INDEX key_replacements_key ON key_replacements ("key", created_at);
-- Nobody replaces a key of the platform alone.
INSERT INTO dual_controls VALUES ('01a20106-0dc8-7000-8000-000000003601', 'active', 1, 0, 0, 'key_replacements.create', 86400);

-- As before, but that the request's seal is renewed while a master key is replaced.
DROP TRIGGER approvals_fixed;
CREATE TRIGGER approvals_fixed BEFORE UPDATE ON approvals
WHEN new.operation <> old.operation OR new.method <> old.method OR new.path <> old.path OR new.request IS NOT old.request
  OR new.request_sm3 <> old.request_sm3 OR new.requested_by <> old.requested_by
  OR new.expires_at <> old.expires_at OR (old.decided_by IS NOT NULL AND new.decided_by IS NOT old.decided_by)
  OR (new.request_sealed <> old.request_sealed AND NOT EXISTS (SELECT 1 FROM key_replacements WHERE "key" = 'master' AND state = 'resealing'))
BEGIN SELECT raise(ABORT, 'an approval is fixed once it is asked for'); END;

-- A service that speaks for a user's identity asks for the user's own word each time.
INSERT INTO financial_scenarios VALUES ('01a20106-0dc8-7000-8000-000000003602', 'active', 1, 0, 0, 'identity-authentication', 1, 'always');

-- Why an app may have more fields than its declared purpose needs, in its reviewer's words.
ALTER TABLE subscriptions ADD COLUMN surplus_reason TEXT;

-- Of an app for an API: drawn when the application for that interface is approved.
ALTER TABLE subscriptions ADD COLUMN accessid TEXT;
UPDATE subscriptions SET accessid = lower(hex(randomblob(16))) WHERE state IN ('approved', 'suspended');
CREATE UNIQUE INDEX subscriptions_accessid ON subscriptions (accessid) WHERE accessid IS NOT NULL;
CREATE TRIGGER subscriptions_accessid_kept BEFORE UPDATE ON subscriptions
WHEN old.accessid IS NOT NULL AND new.accessid IS NOT old.accessid
BEGIN SELECT raise(ABORT, 'an accessid is for good'); END;

-- What others' data is computed for, under a privacy agreement with each owner.
ALTER TABLE apis ADD COLUMN analysis_agreement INTEGER NOT NULL DEFAULT 0;
CREATE TABLE analysis_tasks (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, app_id TEXT NOT NULL REFERENCES apps (id), api_ids TEXT NOT NULL, operations TEXT NOT NULL, purpose TEXT NOT NULL,
  registered_by TEXT) STRICT;
CREATE INDEX analysis_tasks_app ON analysis_tasks (app_id, created_at);
CREATE INDEX analysis_tasks_created ON analysis_tasks (created_at);
CREATE INDEX analysis_tasks_state ON analysis_tasks (state, created_at);

-- What users entered at a business unit is supplied with the consent of each.
ALTER TABLE supply_keys ADD COLUMN user_entered INTEGER NOT NULL DEFAULT 0;
