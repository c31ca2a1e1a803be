/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of control/write only. */
#pragma once
#include "write/write.h"

#define SUPPLY_PREFIX       "sup_"
#define SUPPLY_PREFIX_LEN   4
#define SUPPLY_VERIFIER_MAX (2 * CRYPTO_HASH_LEN + 1)

/* What the store keeps of a supply key: a keyed digest of id and secret. */
void supply_verifier(const struct rest_call *c, const char *id, struct slice secret,
                     char out[static SUPPLY_VERIFIER_MAX]);
