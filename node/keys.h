/* SPDX-License-Identifier: Apache-2.0 */
/* The node's own keys, made at its first start and kept: keys/answer.key signs answers (SM2, its
 * public half in keys/answer.pub), keys/body-sm2.key and keys/body-ec.key open request bodies. Mode
 * 0600, PEM. What others need of them is in gateway/state/keys.json, a JWK set
 * (docs/protection.md).
 */
#pragma once
#include <stdbool.h>

/* Makes what is missing and writes the JWK set. False: said on stderr; a file that is there but
 * cannot be read is never replaced, since answers signed with it are out in the world. */
bool node_keys_ensure(const char *data_dir) __attribute__((warn_unused_result));
