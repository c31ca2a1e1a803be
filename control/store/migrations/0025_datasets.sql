-- SPDX-License-Identifier: Apache-2.0
-- How a dataset may be read, beyond its table (docs/query.md).
ALTER TABLE datasets ADD COLUMN row_filter TEXT;
ALTER TABLE datasets ADD COLUMN relations TEXT;
ALTER TABLE datasets ADD COLUMN query TEXT;
ALTER TABLE datasets ADD COLUMN parameters TEXT;
ALTER TABLE datasets ADD COLUMN min_group INTEGER;
ALTER TABLE datasets ADD COLUMN groups_only INTEGER;
ALTER TABLE datasets ADD COLUMN query_timeout_ms INTEGER;
ALTER TABLE datasets ADD COLUMN max_rows INTEGER;
ALTER TABLE datasets ADD COLUMN max_cost INTEGER;
