/* SPDX-License-Identifier: Apache-2.0 */
/* The passphrase of the key files, in a hardware module's keeping (hsm/hsm.h). */
#pragma once
#include "settings.h"

/* Opens DATA_DIR/keys/passphrase.hsm and uses it for this process and its children. make: seals one
 * when there is none: keys/passphrase, which stays where it is for the operator to remove, or a new
 * one. Without an hsm in the settings it does nothing. False: a sentence on stderr. */
bool cli_hsm_passphrase(const struct settings *s, bool make) __attribute__((warn_unused_result));
