-- SPDX-License-Identifier: Apache-2.0
-- By which act a consent was given, where, and what the person was shown; why it was taken back.
ALTER TABLE grants ADD COLUMN act TEXT NOT NULL DEFAULT 'statement';
ALTER TABLE grants ADD COLUMN channel TEXT NOT NULL DEFAULT 'api';
ALTER TABLE grants ADD COLUMN statement TEXT;
ALTER TABLE grants ADD COLUMN statement_sm3 TEXT;
ALTER TABLE grants ADD COLUMN given_by TEXT;
ALTER TABLE grants ADD COLUMN revocation_reason TEXT;
ALTER TABLE grants ADD COLUMN revoked_by TEXT;
