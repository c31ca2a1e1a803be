-- SPDX-License-Identifier: Apache-2.0
-- Streams and exchange.
ALTER TABLE exchange_nodes ADD COLUMN token_url TEXT;
ALTER TABLE exchange_nodes ADD COLUMN client_id TEXT;
ALTER TABLE exchange_nodes ADD COLUMN token_scope TEXT;
ALTER TABLE topics ADD COLUMN change_column TEXT;
ALTER TABLE topics ADD COLUMN sweep_s INTEGER;
