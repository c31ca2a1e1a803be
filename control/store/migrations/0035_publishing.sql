-- SPDX-License-Identifier: Apache-2.0
-- What is asked of a service before it is published, and how the platform runs.

-- The private halves of the key pairs that the platform's own app proves itself by to APIs of class A2, sealed.
CREATE TABLE probe_keys (credential_id TEXT PRIMARY KEY REFERENCES credentials (id), private_sealed TEXT NOT NULL) STRICT;
