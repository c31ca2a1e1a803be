-- SPDX-License-Identifier: Apache-2.0
-- What an upload tells of people, and whether it was meant to; files handed in that are taken away.
ALTER TABLE uploads ADD COLUMN personal TEXT;
ALTER TABLE collections ADD COLUMN delivery_kib INTEGER NOT NULL DEFAULT 256;
