/* SPDX-License-Identifier: Apache-2.0 */
#include <argon2.h>
#include <stdio.h>

#include "crypto/internal.h"

/* OWASP's smallest recommended argon2id: about 25 ms of one core, and 19 MiB an attempt. */
#define MEMORY_KIB 19456
#define PASSES     2
#define LANES      1
#define SALT_LEN   16
#define TAG_LEN    32

/* A stored string that asks for more than this would let whoever wrote it exhaust the machine. */
#define MEMORY_KIB_MAX (256 * 1024)
#define PASSES_MAX     16
#define LANES_MAX      8

void crypto_password_hash(struct slice password, char out[static CRYPTO_PASSWORD_MAX])
{
    uint8_t salt[SALT_LEN];
    crypto_random(salt, sizeof salt);
    if (argon2id_hash_encoded(PASSES, MEMORY_KIB, LANES, password.p, password.n, salt, SALT_LEN,
                              TAG_LEN, out, CRYPTO_PASSWORD_MAX) != ARGON2_OK) {
        crypto_die("argon2id failed, probably out of memory");
    }
}

enum crypto_err crypto_password_verify(const char *phc, struct slice password)
{
    unsigned version, memory_kib, passes, lanes;
    if (strlen(phc) >= CRYPTO_PASSWORD_MAX ||
        sscanf(phc, "$argon2id$v=%9u$m=%9u,t=%9u,p=%9u$", &version, &memory_kib, &passes, &lanes) !=
            4 ||
        memory_kib > MEMORY_KIB_MAX || passes > PASSES_MAX || lanes > LANES_MAX) {
        return CRYPTO_EFORMAT;
    }
    switch (argon2id_verify(phc, password.p, password.n)) {
    case ARGON2_OK:
        return CRYPTO_OK;
    case ARGON2_VERIFY_MISMATCH:
        return CRYPTO_EVERIFY;
    case ARGON2_MEMORY_ALLOCATION_ERROR:
        crypto_die("no memory for argon2id");
    default:
        return CRYPTO_EFORMAT;
    }
}
