-- SPDX-License-Identifier: Apache-2.0
-- Write-back: what of a dataset apps may write, where its business unit is told of writes, and by which keys it supplies records.
ALTER TABLE datasets ADD COLUMN writable TEXT;

CREATE TABLE delivery_targets (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  dataset_id TEXT NOT NULL REFERENCES datasets (id), organisation_id TEXT NOT NULL REFERENCES organisations (id), url TEXT NOT NULL,
  secret_sealed TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX delivery_targets_one ON delivery_targets (dataset_id) WHERE state = 'active';
CREATE INDEX delivery_targets_created ON delivery_targets (created_at);
CREATE INDEX delivery_targets_organisation ON delivery_targets (organisation_id, state);

CREATE TABLE supply_keys (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  dataset_id TEXT NOT NULL REFERENCES datasets (id), organisation_id TEXT NOT NULL REFERENCES organisations (id), name TEXT NOT NULL,
  expires_at INTEGER, verifier TEXT NOT NULL) STRICT;
CREATE INDEX supply_keys_dataset ON supply_keys (dataset_id, state);
CREATE INDEX supply_keys_created ON supply_keys (created_at);
CREATE INDEX supply_keys_organisation ON supply_keys (organisation_id, state);
