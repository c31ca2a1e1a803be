/* SPDX-License-Identifier: Apache-2.0 */
/* SM2 signatures by Botan, the faster of two in both directions (bench/crypto_bench.c: a verify
 * takes 0.70 of OpenSSL's time, a signature 0.28). Its state belongs to one key and is reused, so
 * that the tables of a public point are computed once. Nothing outside this file knows of Botan. */
#include <botan/ffi.h>
#include <stdlib.h>

#include "crypto/key_inner.h"

/* GB/T 35276: the identity every party uses unless they agree on another. */
static const char scheme[] = "1234567812345678,SM3";
static const char curve[] = "sm2p256v1";

struct sm2_signer {
    botan_rng_t rng;
    botan_pubkey_t public_key;
    botan_privkey_t private_key; /* a signing operation points into it */
    botan_pk_op_verify_t verify;
    botan_pk_op_sign_t sign;
};

static botan_mp_t number(const uint8_t bytes[static EC_FIELD_LEN])
{
    botan_mp_t n;
    if (botan_mp_init(&n) != 0 || botan_mp_from_bin(n, bytes, EC_FIELD_LEN) != 0) {
        crypto_die("out of memory");
    }
    return n;
}

static bool set_public(struct sm2_signer *s, const uint8_t *point_xy)
{
    botan_mp_t x = number(point_xy), y = number(point_xy + EC_FIELD_LEN);
    bool done = botan_pubkey_load_sm2(&s->public_key, x, y, curve) == 0 &&
                botan_pk_op_verify_create(&s->verify, s->public_key, scheme, 0) == 0;
    botan_mp_destroy(x);
    botan_mp_destroy(y);
    return done;
}

static bool set_private(struct sm2_signer *s, const uint8_t *private_key)
{
    botan_mp_t d = number(private_key);
    bool done = botan_rng_init(&s->rng, "system") == 0 &&
                botan_privkey_load_sm2(&s->private_key, d, curve) == 0 &&
                botan_pk_op_sign_create(&s->sign, s->private_key, scheme, 0) == 0;
    botan_mp_clear(d);
    botan_mp_destroy(d);
    return done;
}

struct sm2_signer *sm2_signer_new(const uint8_t *point_xy, const uint8_t *private_key)
{
    struct sm2_signer *s = calloc(1, sizeof *s);
    if (s == NULL) {
        crypto_die("out of memory");
    }
    if (!set_public(s, point_xy) || (private_key != NULL && !set_private(s, private_key))) {
        sm2_signer_free(&s);
    }
    return s;
}

void sm2_signer_free(struct sm2_signer **signer)
{
    struct sm2_signer *s = *signer;
    if (s == NULL) {
        return;
    }
    botan_pk_op_sign_destroy(s->sign); /* each takes NULL */
    botan_pk_op_verify_destroy(s->verify);
    botan_privkey_destroy(s->private_key);
    botan_pubkey_destroy(s->public_key);
    botan_rng_destroy(s->rng);
    free(s);
    *signer = NULL;
}

/* finish() leaves the operation ready for the next message whatever it finds. */
bool sm2_verify(struct sm2_signer *signer, const void *in, size_t n,
                const uint8_t sig[static CRYPTO_RAW_SIG_LEN])
{
    return botan_pk_op_verify_update(signer->verify, in, n) == 0 &&
           botan_pk_op_verify_finish(signer->verify, sig, CRYPTO_RAW_SIG_LEN) == 0;
}

void sm2_sign(struct sm2_signer *signer, const void *in, size_t n,
              uint8_t sig[static CRYPTO_RAW_SIG_LEN])
{
    size_t sig_n = CRYPTO_RAW_SIG_LEN;
    if (botan_pk_op_sign_update(signer->sign, in, n) != 0 ||
        botan_pk_op_sign_finish(signer->sign, signer->rng, sig, &sig_n) != 0 ||
        sig_n != CRYPTO_RAW_SIG_LEN) {
        crypto_die("SM2 signing failed");
    }
}
