-- SPDX-License-Identifier: Apache-2.0
-- What data is and how it may be opened: settings, security reviews, levels, opening classes, rules, what was found.
CREATE TABLE classify_settings (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, value TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX classify_settings_name ON classify_settings (name);
INSERT INTO classify_settings VALUES
  ('01a20106-0dc8-7000-8000-000000001801', 'active', 1, 0, 0, 'security-review-required', 'on'),
  ('01a20106-0dc8-7000-8000-000000001802', 'active', 1, 0, 0, 'discover-new-datasets', 'on'),
  ('01a20106-0dc8-7000-8000-000000001803', 'active', 1, 0, 0, 'sensitive-check-required', 'off'),
  ('01a20106-0dc8-7000-8000-000000001804', 'active', 1, 0, 0, 'required-attributes', 'none');

-- fields: name, level and mask of each as it was reviewed.
CREATE TABLE security_reviews (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  dataset_id TEXT REFERENCES datasets (id), api_id TEXT REFERENCES apis (id), organisation_id TEXT REFERENCES organisations (id),
  legal_basis TEXT NOT NULL, fields TEXT NOT NULL, requested_by TEXT NOT NULL, reviewed_by TEXT, reviewed_at INTEGER,
  conclusion TEXT, comment TEXT) STRICT;
CREATE UNIQUE INDEX security_reviews_dataset ON security_reviews (dataset_id) WHERE state = 'passed' AND dataset_id IS NOT NULL;
CREATE UNIQUE INDEX security_reviews_api ON security_reviews (api_id) WHERE state = 'passed' AND api_id IS NOT NULL;
CREATE INDEX security_reviews_created ON security_reviews (created_at);
CREATE INDEX security_reviews_state ON security_reviews (state, created_at);
CREATE INDEX security_reviews_organisation ON security_reviews (organisation_id, created_at);
CREATE INDEX security_reviews_of_dataset ON security_reviews (dataset_id, created_at);
CREATE INDEX security_reviews_of_api ON security_reviews (api_id, created_at);

ALTER TABLE datasets ADD COLUMN opening_class TEXT;
ALTER TABLE datasets ADD COLUMN confidentiality TEXT;
ALTER TABLE datasets ADD COLUMN audience TEXT;
ALTER TABLE datasets ADD COLUMN derived_from TEXT;
CREATE INDEX datasets_opening ON datasets (opening_class, created_at);
ALTER TABLE subscriptions ADD COLUMN categories TEXT;

CREATE TABLE level_definitions (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  level INTEGER NOT NULL, name TEXT NOT NULL, name_en TEXT NOT NULL, importance TEXT NOT NULL, damage_impact TEXT NOT NULL,
  protection TEXT NOT NULL, description TEXT) STRICT;
CREATE UNIQUE INDEX level_definitions_level ON level_definitions (level);
INSERT INTO level_definitions VALUES
  ('01a20106-0dc8-7000-8000-000000001811', 'active', 1, 0, 0, 1, '公开', 'public', 'ordinary', 'none', 'open', 'For everybody; a registered app is enough.'),
  ('01a20106-0dc8-7000-8000-000000001812', 'active', 1, 0, 0, 2, '授权公开', 'by grant', 'important', 'slight', 'grant', 'For whom the owner, or the owning organisation, has authorised.'),
  ('01a20106-0dc8-7000-8000-000000001813', 'active', 1, 0, 0, 3, '需脱敏', 'masked', 'sensitive', 'serious', 'mask', 'Private or confidential: third parties get it masked, grant or no grant.'),
  ('01a20106-0dc8-7000-8000-000000001814', 'active', 1, 0, 0, 4, '禁止', 'closed', 'core', 'severe', 'refuse', 'Secret: it leaves by no path.');

CREATE TABLE opening_classes (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, title TEXT NOT NULL, max_level INTEGER NOT NULL, access TEXT NOT NULL, sign_response INTEGER NOT NULL,
  seal_response TEXT NOT NULL, cache INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX opening_classes_name ON opening_classes (name);
INSERT INTO opening_classes VALUES
  ('01a20106-0dc8-7000-8000-000000001821', 'active', 1, 0, 0, 'unconditional', '无条件开放', 1, 'registered', 0, 'off', 1),
  ('01a20106-0dc8-7000-8000-000000001822', 'active', 1, 0, 0, 'conditional', '有条件开放', 3, 'subscription', 1, 'off', 0),
  ('01a20106-0dc8-7000-8000-000000001823', 'active', 1, 0, 0, 'not-open', '非开放', 0, 'subscription', 1, 'required', 0);

CREATE TABLE detection_patterns (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, pattern TEXT NOT NULL, words TEXT, level INTEGER NOT NULL, mask TEXT, category TEXT, tags TEXT) STRICT;
CREATE UNIQUE INDEX detection_patterns_name ON detection_patterns (name) WHERE state = 'active';
CREATE INDEX detection_patterns_state ON detection_patterns (state, created_at);
CREATE INDEX detection_patterns_created ON detection_patterns (created_at);

CREATE TABLE classification_rules (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  position INTEGER NOT NULL, name TEXT NOT NULL, clause TEXT, words TEXT, kind TEXT, data_type TEXT, confidentiality TEXT, audience TEXT,
  level INTEGER NOT NULL, mask TEXT, category TEXT, tags TEXT, sensitive INTEGER) STRICT;
CREATE UNIQUE INDEX classification_rules_position ON classification_rules (position) WHERE state <> 'removed';
CREATE INDEX classification_rules_state ON classification_rules (state, created_at);
CREATE INDEX classification_rules_created ON classification_rules (created_at);
-- The shipped templates: what the trade standard names for each level.
INSERT INTO classification_rules (id, state, revision, created_at, updated_at, position, name, clause, words, level, mask, category, tags) VALUES
  ('01a20106-0dc8-7000-8000-000000001831', 'active', 1, 0, 0, 1010, 'user-confidential', 'EC-5.2.4a', 'password 密码 口令 credit_card 信用卡 bank_account 银行帐号 银行账号 security_question 密保 id_document 证件影像', 4, NULL, 'credential', '["user-data"]'),
  ('01a20106-0dc8-7000-8000-000000001832', 'active', 1, 0, 0, 1020, 'user-behaviour', 'EC-5.2.3a2', 'purchase purchase_record buying 购买 browse browsing 浏览 favourite favorite favourites 收藏 chat chat_record 聊天 consignee 收货人', 3, 'keep:1:0', 'behaviour', '["business-data", "behaviour"]'),
  ('01a20106-0dc8-7000-8000-000000001833', 'active', 1, 0, 0, 1030, 'user-private', 'EC-5.2.3a-0', 'gender 性别 marital 婚姻 education 学历 occupation 职业 qualification 资质 income 收入 health 健康 nationality 民族 user_behaviour user_natural user_qualification', 3, 'keep:1:0', 'identity', '["user-data"]'),
  ('01a20106-0dc8-7000-8000-000000001834', 'active', 1, 0, 0, 1040, 'business-confidential', 'EC-5.2.3b', 'category_transaction category_ranking 类目交易 类目排名 category_product_data 类目产品数据 back_category backend_category 后台类目 logistics 物流 shipping_cost category_finance 类目财务', 3, 'keep:1:0', 'business', '["business-data"]'),
  ('01a20106-0dc8-7000-8000-000000001835', 'active', 1, 0, 0, 1050, 'business-internal', 'EC-5.2.2b', 'turnover total_turnover gmv 成交总额 成交额 sales_total revenue 营业额 conversion_rate 转化率', 2, NULL, 'business', '["business-data"]'),
  ('01a20106-0dc8-7000-8000-000000001836', 'active', 1, 0, 0, 1060, 'user-public', 'EC-5.2.1a', 'product product_title product_price goods 商品 shop shop_name shop_basic 店铺 customer_service service_hotline 客服', 1, NULL, 'trade', '["user-data"]'),
  ('01a20106-0dc8-7000-8000-000000001837', 'active', 1, 0, 0, 1070, 'business-public', 'EC-5.2.1b', 'seller_tier seller_level 卖家层级 卖家等级 campaign campaign_rules 活动规则 招商规则 front_category frontend_category 前台类目', 1, NULL, 'trade', '["business-data"]'),
  ('01a20106-0dc8-7000-8000-000000001838', 'active', 1, 0, 0, 1080, 'code-tables', NULL, 'currency country division code unit 币种 国别 单位', 1, NULL, 'trade', NULL);
INSERT INTO classification_rules (id, state, revision, created_at, updated_at, position, name, clause, confidentiality, audience, data_type, level, mask, category, tags) VALUES
  ('01a20106-0dc8-7000-8000-000000001841', 'active', 1, 0, 0, 1110, 'secret-by-requirement', 'EC-5.2b', 'secret', NULL, NULL, 4, NULL, 'business', '["business-data"]'),
  ('01a20106-0dc8-7000-8000-000000001842', 'active', 1, 0, 0, 1120, 'confidential-by-requirement', 'EC-5.2b', 'confidential', NULL, NULL, 3, 'keep:1:0', 'business', '["business-data"]'),
  ('01a20106-0dc8-7000-8000-000000001843', 'active', 1, 0, 0, 1130, 'public-by-audience', 'EC-5.2c', 'public', 'public', NULL, 1, NULL, NULL, NULL),
  ('01a20106-0dc8-7000-8000-000000001844', 'active', 1, 0, 0, 1140, 'internal-by-audience', 'EC-5.2c', NULL, 'internal', NULL, 3, 'keep:1:0', 'business', '["business-data"]'),
  ('01a20106-0dc8-7000-8000-000000001845', 'active', 1, 0, 0, 1150, 'binary-by-type', 'EC-5.2a', NULL, NULL, 'binary', 3, 'null', NULL, NULL);

-- counts: of each column the values seen and the votes of each rule; never a value.
CREATE TABLE discoveries (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  dataset_id TEXT NOT NULL REFERENCES datasets (id), organisation_id TEXT REFERENCES organisations (id), mode TEXT NOT NULL,
  sample_rows INTEGER NOT NULL, rows INTEGER NOT NULL, attempts INTEGER NOT NULL, counts TEXT NOT NULL, reason TEXT,
  requested_by TEXT NOT NULL, finished_at INTEGER) STRICT;
CREATE INDEX discoveries_dataset ON discoveries (dataset_id, created_at);
CREATE INDEX discoveries_due ON discoveries (state, updated_at);
CREATE INDEX discoveries_created ON discoveries (created_at);
CREATE INDEX discoveries_organisation ON discoveries (organisation_id, created_at);

CREATE TABLE findings (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  discovery_id TEXT REFERENCES discoveries (id), dataset_id TEXT NOT NULL REFERENCES datasets (id), organisation_id TEXT REFERENCES organisations (id),
  "column" TEXT NOT NULL, rule TEXT, level INTEGER NOT NULL, mask TEXT, category TEXT, tags TEXT, sensitive INTEGER,
  confidence INTEGER NOT NULL, evidence TEXT, decided_by TEXT, decided_at INTEGER, comment TEXT) STRICT;
CREATE INDEX findings_dataset ON findings (dataset_id, state);
CREATE INDEX findings_discovery ON findings (discovery_id, created_at);
CREATE INDEX findings_state ON findings (state, created_at);
CREATE INDEX findings_created ON findings (created_at);
CREATE INDEX findings_organisation ON findings (organisation_id, created_at);
