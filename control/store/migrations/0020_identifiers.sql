-- SPDX-License-Identifier: Apache-2.0
-- U_API_ID: the institution's code, its service categories, what is issued and registered.
CREATE TABLE identifier_settings (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, value TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX identifier_settings_name ON identifier_settings (name);
INSERT INTO identifier_settings VALUES ('01a20106-0dc8-7000-8000-000000002001', 'active', 1, 0, 0, 'institution-code', 'none');

CREATE TABLE service_categories (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  code TEXT NOT NULL, parent_id TEXT REFERENCES service_categories (id), name TEXT NOT NULL, name_en TEXT, description TEXT,
  fixed INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX service_categories_code ON service_categories (code);
CREATE INDEX service_categories_parent ON service_categories (parent_id, code);
CREATE INDEX service_categories_created ON service_categories (created_at);
INSERT INTO service_categories VALUES
  ('01a20106-0dc8-7000-8000-000000002101', 'active', 1, 0, 0, '01', NULL, '账户服务', 'Account services', NULL, 1),
  ('01a20106-0dc8-7000-8000-000000002102', 'active', 1, 0, 0, '02', NULL, '支付结算', 'Payment and settlement', NULL, 1),
  ('01a20106-0dc8-7000-8000-000000002103', 'active', 1, 0, 0, '03', NULL, '投资理财', 'Investment and wealth management', NULL, 1),
  ('01a20106-0dc8-7000-8000-000000002104', 'active', 1, 0, 0, '04', NULL, '信贷', 'Lending', NULL, 1),
  ('01a20106-0dc8-7000-8000-000000002105', 'active', 1, 0, 0, '05', NULL, '信用卡', 'Credit card', NULL, 1),
  ('01a20106-0dc8-7000-8000-000000002106', 'active', 1, 0, 0, '06', NULL, '行业服务', 'Industry services',
   '银行通过接口为其他行业提供的金融服务 / financial services given to other industries through APIs', 1),
  ('01a20106-0dc8-7000-8000-000000002107', 'active', 1, 0, 0, '07', NULL, '国际业务', 'International business', NULL, 1),
  ('01a20106-0dc8-7000-8000-000000002108', 'active', 1, 0, 0, '08', NULL, '科技服务', 'Technology services', NULL, 1),
  ('01a20106-0dc8-7000-8000-000000002109', 'active', 1, 0, 0, '010001', '01a20106-0dc8-7000-8000-000000002101', '存管账户', 'Custody account', NULL, 1),
  ('01a20106-0dc8-7000-8000-000000002110', 'active', 1, 0, 0, '010002', '01a20106-0dc8-7000-8000-000000002101', '积分账户', 'Points account', NULL, 1);

-- api_identifier: the bank's own API_ID. Versions of one API share both codes.
ALTER TABLE apis ADD COLUMN type TEXT NOT NULL DEFAULT 'external';
ALTER TABLE apis ADD COLUMN partners TEXT;
ALTER TABLE apis ADD COLUMN api_identifier TEXT;
ALTER TABLE apis ADD COLUMN category_id TEXT REFERENCES service_categories (id);
ALTER TABLE apis ADD COLUMN u_api_id TEXT;
CREATE INDEX apis_type ON apis (type, created_at);
CREATE INDEX apis_identifier ON apis (api_identifier) WHERE api_identifier IS NOT NULL;
CREATE INDEX apis_u_api_id ON apis (u_api_id) WHERE u_api_id IS NOT NULL;
CREATE INDEX apis_category ON apis (category_id, created_at);

CREATE TABLE api_partners (
  api_id TEXT NOT NULL REFERENCES apis (id), organisation_id TEXT NOT NULL REFERENCES organisations (id),
  PRIMARY KEY (api_id, organisation_id)) STRICT, WITHOUT ROWID;
CREATE INDEX api_partners_organisation ON api_partners (organisation_id);

CREATE TABLE u_api_sequences (
  institution TEXT NOT NULL, type INTEGER NOT NULL, category TEXT NOT NULL, last INTEGER NOT NULL,
  PRIMARY KEY (institution, type, category)) STRICT, WITHOUT ROWID;

CREATE TABLE api_registrations (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  api_id TEXT NOT NULL REFERENCES apis (id), u_api_id TEXT NOT NULL, kind TEXT NOT NULL, reference TEXT, submitted_by TEXT,
  submitted_at INTEGER, receipt TEXT, decided_by TEXT, decided_at INTEGER, comment TEXT) STRICT;
CREATE UNIQUE INDEX api_registrations_open ON api_registrations (u_api_id, kind) WHERE state <> 'refused';
CREATE INDEX api_registrations_api ON api_registrations (api_id, created_at);
CREATE INDEX api_registrations_state ON api_registrations (state, created_at);
CREATE INDEX api_registrations_created ON api_registrations (created_at);
