/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of struct crypto_key share; nothing outside this module includes it. */
#pragma once
#include <openssl/evp.h>
#include <pthread.h>

#include "crypto/internal.h"
#include "crypto/key.h"

#define EC_PREFIX_LEN 27 /* of an SPKI on either curve, up to and with the 04 of its point */
#define EC_SPKI_LEN   91
#define EC_FIELD_LEN  32

struct sm2_signer; /* sm2.c */

/* What a key makes at its first signature or verification and keeps. */
struct key_ops {
    pthread_mutex_t lock; /* over all of it */
    EVP_PKEY_CTX *verify, *sign;
    struct sm2_signer *sm2;
};

struct crypto_key {
    EVP_PKEY *pkey;
    enum crypto_key_kind kind;
    bool pair;
    uint8_t *spki;
    size_t spki_n;
    char id[CRYPTO_KEY_ID_LEN + 1];
    struct key_ops *ops; /* behind a pointer: using a key does not change it */
};

/* Takes pkey, also when it refuses. EFORMAT as crypto/key.h says of the loads. */
enum crypto_err key_take(struct crypto_key **key, EVP_PKEY *pkey, bool is_pair,
                         enum crypto_key_part part) __attribute__((warn_unused_result));

/* sm2.c: raw signatures. private_key: NULL or 32 bytes. NULL when the provider refuses the key. */
struct sm2_signer *sm2_signer_new(const uint8_t *point_xy, const uint8_t *private_key);
void sm2_signer_free(struct sm2_signer **signer);
bool sm2_verify(struct sm2_signer *signer, const void *in, size_t n,
                const uint8_t sig[static CRYPTO_RAW_SIG_LEN]) __attribute__((warn_unused_result));
void sm2_sign(struct sm2_signer *signer, const void *in, size_t n,
              uint8_t sig[static CRYPTO_RAW_SIG_LEN]);
