-- SPDX-License-Identifier: Apache-2.0
CREATE TABLE placeholder_0010 (id TEXT) STRICT;
