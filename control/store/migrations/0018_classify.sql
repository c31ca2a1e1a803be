-- SPDX-License-Identifier: Apache-2.0
-- What data is and how it may be opened: settings, security reviews.
CREATE TABLE classify_settings (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  name TEXT NOT NULL, value TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX classify_settings_name ON classify_settings (name);
INSERT INTO classify_settings VALUES
  ('01a20106-0dc8-7000-8000-000000001801', 'active', 1, 0, 0, 'security-review-required', 'on');

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
