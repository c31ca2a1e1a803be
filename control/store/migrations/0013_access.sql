-- SPDX-License-Identifier: Apache-2.0
-- Who may do what on which data: units people belong to, roles that operators define, grants of functions apart from
-- grants of data, acts that need a second administrator, and where staff may come from.
CREATE TABLE departments (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, organisation_id TEXT NOT NULL REFERENCES organisations (id), parent_id TEXT REFERENCES departments (id)) STRICT;
CREATE UNIQUE INDEX departments_name ON departments (organisation_id, coalesce(parent_id, ''), name) WHERE state = 'active';
CREATE INDEX departments_created ON departments (created_at);
CREATE INDEX departments_state ON departments (state, created_at);
CREATE INDEX departments_organisation ON departments (organisation_id, created_at);
CREATE INDEX departments_parent ON departments (parent_id);

CREATE TABLE posts (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, organisation_id TEXT NOT NULL REFERENCES organisations (id)) STRICT;
CREATE UNIQUE INDEX posts_name ON posts (organisation_id, name) WHERE state = 'active';
CREATE INDEX posts_created ON posts (created_at);
CREATE INDEX posts_state ON posts (state, created_at);
CREATE INDEX posts_organisation ON posts (organisation_id, created_at);

ALTER TABLE users ADD COLUMN department_id TEXT REFERENCES departments (id);
ALTER TABLE users ADD COLUMN post_id TEXT REFERENCES posts (id);
ALTER TABLE users ADD COLUMN rank INTEGER;
ALTER TABLE users ADD COLUMN interfaces TEXT DEFAULT 'consent';
CREATE INDEX users_department ON users (department_id, created_at);
CREATE INDEX users_post ON users (post_id, created_at);
CREATE INDEX users_rank ON users (rank);

-- What a connected party is (CI-1b) and, of a receiver, which kind (SW-8.1-0). NULL parties: not registered as any, nothing follows.
ALTER TABLE organisations ADD COLUMN parties TEXT;
ALTER TABLE organisations ADD COLUMN receiver TEXT;

CREATE TABLE groups (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, description TEXT) STRICT;
CREATE UNIQUE INDEX groups_name ON groups (name) WHERE state = 'active';
CREATE INDEX groups_created ON groups (created_at);
CREATE INDEX groups_state ON groups (state, created_at);

CREATE TABLE roles (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, description TEXT, operations TEXT NOT NULL, reach TEXT NOT NULL, apis TEXT) STRICT;
CREATE UNIQUE INDEX roles_name ON roles (name) WHERE state = 'active';
CREATE INDEX roles_created ON roles (created_at);
CREATE INDEX roles_state ON roles (state, created_at);

CREATE TABLE group_members (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  group_id TEXT NOT NULL REFERENCES groups (id), user_id TEXT NOT NULL REFERENCES users (id)) STRICT;
CREATE UNIQUE INDEX group_members_once ON group_members (user_id, group_id) WHERE state = 'active';
CREATE INDEX group_members_created ON group_members (created_at);
CREATE INDEX group_members_state ON group_members (state, created_at);
CREATE INDEX group_members_user ON group_members (user_id, state);
CREATE INDEX group_members_group ON group_members (group_id, created_at);

CREATE TABLE role_members (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  role_id TEXT NOT NULL REFERENCES roles (id), user_id TEXT NOT NULL REFERENCES users (id)) STRICT;
CREATE UNIQUE INDEX role_members_once ON role_members (user_id, role_id) WHERE state = 'active';
CREATE INDEX role_members_created ON role_members (created_at);
CREATE INDEX role_members_state ON role_members (state, created_at);
CREATE INDEX role_members_user ON role_members (user_id, state);
CREATE INDEX role_members_role ON role_members (role_id, created_at);

CREATE TABLE function_grants (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  holder_kind TEXT NOT NULL, holder_id TEXT, rank INTEGER, operation TEXT NOT NULL, effect TEXT NOT NULL, reach TEXT NOT NULL,
  app_id TEXT REFERENCES apps (id), reason TEXT) STRICT;
CREATE INDEX function_grants_holder ON function_grants (holder_kind, holder_id, state);
CREATE INDEX function_grants_rank ON function_grants (holder_kind, state, rank);
CREATE INDEX function_grants_created ON function_grants (created_at);
CREATE INDEX function_grants_state ON function_grants (state, created_at);
CREATE INDEX function_grants_operation ON function_grants (operation, created_at);

CREATE TABLE data_grants (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  holder_kind TEXT NOT NULL, holder_id TEXT, rank INTEGER, api_id TEXT REFERENCES apis (id), dataset_id TEXT REFERENCES datasets (id),
  max_level INTEGER, effect TEXT NOT NULL, reason TEXT) STRICT;
CREATE INDEX data_grants_holder ON data_grants (holder_kind, holder_id, state);
CREATE INDEX data_grants_rank ON data_grants (holder_kind, state, rank);
CREATE INDEX data_grants_api ON data_grants (api_id, created_at);
CREATE INDEX data_grants_dataset ON data_grants (dataset_id, created_at);
CREATE INDEX data_grants_created ON data_grants (created_at);
CREATE INDEX data_grants_state ON data_grants (state, created_at);

-- What the nodes were told last of a user's interfaces; no row: that nothing bounds them.
CREATE TABLE user_interfaces (user_id TEXT PRIMARY KEY REFERENCES users (id), data TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE dual_controls (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  operation TEXT NOT NULL, valid_s INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX dual_controls_operation ON dual_controls (operation) WHERE state = 'active';
CREATE INDEX dual_controls_created ON dual_controls (created_at);
CREATE INDEX dual_controls_state ON dual_controls (state, created_at);

CREATE TABLE approvals (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  operation TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL, request TEXT, request_sealed TEXT NOT NULL, request_sm3 TEXT NOT NULL,
  requested_by TEXT NOT NULL REFERENCES users (id), expires_at INTEGER NOT NULL,
  decided_by TEXT REFERENCES users (id), decided_at INTEGER, comment TEXT, result_status INTEGER, result_code TEXT) STRICT;
CREATE INDEX approvals_created ON approvals (created_at);
CREATE INDEX approvals_state ON approvals (state, created_at);
CREATE INDEX approvals_operation ON approvals (operation, created_at);
CREATE INDEX approvals_requested ON approvals (requested_by, created_at);
-- What was asked for, by whom and until when is never another than when it was asked; a decision is not taken back.
CREATE TRIGGER approvals_fixed BEFORE UPDATE ON approvals
WHEN new.operation <> old.operation OR new.method <> old.method OR new.path <> old.path OR new.request IS NOT old.request
  OR new.request_sealed <> old.request_sealed OR new.request_sm3 <> old.request_sm3 OR new.requested_by <> old.requested_by
  OR new.expires_at <> old.expires_at OR (old.decided_by IS NOT NULL AND new.decided_by IS NOT old.decided_by)
BEGIN SELECT raise(ABORT, 'an approval is fixed once it is asked for'); END;
CREATE TRIGGER approvals_kept BEFORE DELETE ON approvals BEGIN SELECT raise(ABORT, 'an approval is kept'); END;

CREATE TABLE admin_networks (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  network TEXT NOT NULL, description TEXT) STRICT;
CREATE UNIQUE INDEX admin_networks_network ON admin_networks (network) WHERE state = 'active';
CREATE INDEX admin_networks_created ON admin_networks (created_at);
CREATE INDEX admin_networks_state ON admin_networks (state, created_at);

INSERT INTO identity_settings VALUES ('01900000-0000-7000-8000-000000000321', 'active', 1, 0, 0, 'separation', 'off');
