-- SPDX-License-Identifier: Apache-2.0
-- A new store is as strict as the clauses ask (control/rest/strict.c has the same values). One that is in use keeps what
-- its administrator set: the first user is made at the end of the first start, so where there is one, somebody works here.
ALTER TABLE admission_settings ADD COLUMN reason TEXT;
ALTER TABLE admission_settings ADD COLUMN relaxed_by TEXT;
ALTER TABLE admission_settings ADD COLUMN relaxed_at INTEGER;
ALTER TABLE catalog_settings ADD COLUMN reason TEXT;
ALTER TABLE catalog_settings ADD COLUMN relaxed_by TEXT;
ALTER TABLE catalog_settings ADD COLUMN relaxed_at INTEGER;
ALTER TABLE classify_settings ADD COLUMN reason TEXT;
ALTER TABLE classify_settings ADD COLUMN relaxed_by TEXT;
ALTER TABLE classify_settings ADD COLUMN relaxed_at INTEGER;
ALTER TABLE identity_settings ADD COLUMN reason TEXT;
ALTER TABLE identity_settings ADD COLUMN relaxed_by TEXT;
ALTER TABLE identity_settings ADD COLUMN relaxed_at INTEGER;
ALTER TABLE service_settings ADD COLUMN reason TEXT;
ALTER TABLE service_settings ADD COLUMN relaxed_by TEXT;
ALTER TABLE service_settings ADD COLUMN relaxed_at INTEGER;
ALTER TABLE stage_settings ADD COLUMN reason TEXT;
ALTER TABLE stage_settings ADD COLUMN relaxed_by TEXT;
ALTER TABLE stage_settings ADD COLUMN relaxed_at INTEGER;

UPDATE admission_settings SET value = 'on' WHERE name IN ('admission-required', 'agreement-required', 'privacy-agreement-required', 'provider-approval-required',
  'version-required')
  AND NOT EXISTS (SELECT 1 FROM users);
UPDATE admission_settings SET value = 'mlps,cryptography' WHERE name = 'certificates-required' AND NOT EXISTS (SELECT 1 FROM users);
UPDATE catalog_settings SET value = 'on' WHERE name = 'scope-required' AND NOT EXISTS (SELECT 1 FROM users);
UPDATE classify_settings SET value = 'on' WHERE name IN ('security-review-required', 'discover-new-datasets', 'sensitive-check-required', 'personal-financial-consent')
  AND NOT EXISTS (SELECT 1 FROM users);
UPDATE classify_settings SET value = 'mask' WHERE name = 'submitted-personal' AND NOT EXISTS (SELECT 1 FROM users);
UPDATE classify_settings SET value = 'title opening-class audience' WHERE name = 'required-attributes' AND NOT EXISTS (SELECT 1 FROM users);
UPDATE identity_settings SET value = 'staff' WHERE name = 'second-factor' AND NOT EXISTS (SELECT 1 FROM users);
UPDATE identity_settings SET value = '365' WHERE name = 'verify-days' AND NOT EXISTS (SELECT 1 FROM users);
UPDATE service_settings SET value = 'on' WHERE name IN ('stages-required', 'entry-required', 'evaluation-required', 'change-control', 'termination-control')
  AND NOT EXISTS (SELECT 1 FROM users);
UPDATE service_settings SET value = 'functional security performance' WHERE name = 'reports-required' AND NOT EXISTS (SELECT 1 FROM users);
UPDATE service_settings SET value = 'operators' WHERE name = 'moved-by' AND NOT EXISTS (SELECT 1 FROM users);
UPDATE stage_settings SET value = 'on' WHERE name IN ('test-report-required', 'preparation-required', 'user-documents-required', 'exit-required', 'declassification-required')
  AND NOT EXISTS (SELECT 1 FROM users);
UPDATE stage_settings SET value = 'functional conformity' WHERE name = 'test-report-kinds' AND NOT EXISTS (SELECT 1 FROM users);

-- What is sensitive is masked without anybody saying how.
INSERT INTO mask_rules (id, state, revision, created_at, updated_at, name, rule, default_of_tag, default_of_level, category, description, version)
  SELECT column1, 'active', 1, 0, 0, column2, column3, column4, column5, 'shipped', column6, 1 FROM (VALUES
    ('01a20106-0dc8-7000-8000-000000003701', 'shipped-level-3', 'keep:0:0', NULL, 3, 'Any field of level 3 that says no mask'),
    ('01a20106-0dc8-7000-8000-000000003702', 'shipped-personal-financial', 'keep:0:0', 'personal-financial', NULL, 'Personal financial information that says no mask'),
    ('01a20106-0dc8-7000-8000-000000003703', 'shipped-payment-sensitive', 'null', 'payment-sensitive', NULL, 'Payment-sensitive information that says no mask'),
    ('01a20106-0dc8-7000-8000-000000003704', 'shipped-payment-account', 'keep:0:4', 'payment-account', NULL, 'Bank accounts, payment account codes and card numbers that say no mask'))
  WHERE NOT EXISTS (SELECT 1 FROM users);
