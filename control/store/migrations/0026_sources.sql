-- SPDX-License-Identifier: Apache-2.0
-- Sources: how long a call waits for a connection, and what their text is written in.
ALTER TABLE sources ADD COLUMN connection_wait_ms INTEGER NOT NULL DEFAULT 1000;
ALTER TABLE sources ADD COLUMN encoding TEXT;
