/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of keyring/ share. */
#pragma once
#include <limits.h>

#include "core.h"
#include "keyring/keyring.h"

/* A sentence on stderr, from errno where err is CRYPTO_EIO. Always false. */
bool keyring_complain(const char *path, enum crypto_err err);
/* Where the key file of that name lies. */
void keyring_path(const struct control *ctl, const char *name, char out[static PATH_MAX]);
