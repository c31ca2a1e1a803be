-- SPDX-License-Identifier: Apache-2.0
-- Which rows a subscription or a grant opens, and that in plain words.
ALTER TABLE subscriptions ADD COLUMN row_filter TEXT;
ALTER TABLE subscriptions ADD COLUMN row_filter_text TEXT;
ALTER TABLE grants ADD COLUMN row_filter TEXT;
ALTER TABLE grants ADD COLUMN row_filter_text TEXT;
