/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice verify --consent FILE`: whether a saved evidence of a consent (GET /grants/{id}/evidence)
 * is the platform's own, with no platform at hand. The exit code of `sluice verify`. */
#pragma once
#include "proof.h"

int verify_consent(const char *path, const struct proof_keys *keys);
