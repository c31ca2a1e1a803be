-- SPDX-License-Identifier: Apache-2.0
-- Holds the number for what is being merged.
SELECT 1;
