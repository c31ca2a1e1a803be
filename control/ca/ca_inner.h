/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of ca.h share; nothing outside this folder includes it. */
#pragma once
#include "ca/ca.h"

/* The CA with its key; KEY_STORE_LOCKED when that cannot be opened. */
enum problem ca_open(struct rest_call *c, struct store_txn *txn, const char *name,
                     struct crypto_authority **ca);
