/* SPDX-License-Identifier: Apache-2.0 */
/* Is this message signed by a key of those given? What `sluice verify` says of a saved exchange and
 * `sluice call` asks before it prints an answer. */
#pragma once
#include "crypto/key.h"
#include "exchange.h"
#include "httpsig/batch.h"

#define PROOF_KEYS_MAX 16
#define PROOF_WHY_MAX  240
#define PROOF_BASE_MAX (64u << 10)

struct proof_keys {
    size_t n;
    struct {
        struct crypto_key *key;
        char *id; /* heap; NULL: not said, then the key is tried whatever the signature calls it */
    } list[PROOF_KEYS_MAX];
};

/* path: a public key or certificate in PEM, a JWK or a JWK set. NULL: loaded; else why not, static
 * or of errno. Needs proof_keys_fini either way. */
const char *proof_keys_load(struct proof_keys *keys, const char *path)
    __attribute__((warn_unused_result));
void proof_keys_fini(struct proof_keys *keys);

enum proof_verdict {
    PROOF_VALID,
    PROOF_INVALID,  /* not signed, or not this, or not by these keys */
    PROOF_UNDECIDED /* cannot be told from what is given */
};

struct proof {
    bool parsed; /* sig holds what was read; it borrows from the message */
    struct httpsig sig;
    bool batched;
    struct httpsig_batch batch;
    const struct crypto_key *key; /* that verified it */
    char why[PROOF_WHY_MAX];      /* unless valid */
};

/* response NULL: the request itself is to be proven. scheme: of the call, http or https. request
 * may be NULL: not at hand. */
enum proof_verdict proof_check(struct proof *p, const struct proof_keys *keys,
                               struct exchange_message *request, struct exchange_message *response,
                               struct slice scheme);
