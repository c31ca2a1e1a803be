/* SPDX-License-Identifier: Apache-2.0 */
/* The SM2 key of audit seals: a struct crypto_key whose signatures travel as DER. */
#include <errno.h>
#include <stdlib.h>

#include "crypto/internal.h"
#include "crypto/key.h"

struct crypto_sm2 {
    struct crypto_key *key;
};

static struct crypto_sm2 *wrap(struct crypto_key *key)
{
    struct crypto_sm2 *sm2 = malloc(sizeof *sm2);
    if (sm2 == NULL) {
        crypto_die("out of memory");
    }
    sm2->key = key;
    return sm2;
}

struct crypto_sm2 *crypto_sm2_new(void)
{
    return wrap(crypto_key_new(CRYPTO_KEY_SM2));
}

void crypto_sm2_free(struct crypto_sm2 **key)
{
    if (*key != NULL) {
        crypto_key_free(&(*key)->key);
        free(*key);
        *key = NULL;
    }
}

enum crypto_err crypto_sm2_load(struct crypto_sm2 **key, const char *pem_path)
{
    struct crypto_key *loaded = NULL;
    enum crypto_err err = crypto_key_load_file(&loaded, CRYPTO_KEY_PAIR, pem_path);
    if (err == CRYPTO_EFORMAT) {
        err = crypto_key_load_file(&loaded, CRYPTO_KEY_PUBLIC, pem_path);
    }
    if (err != CRYPTO_OK) {
        return err;
    }
    if (crypto_key_kind(loaded) != CRYPTO_KEY_SM2) {
        crypto_key_free(&loaded);
        return CRYPTO_EFORMAT;
    }
    *key = wrap(loaded);
    return CRYPTO_OK;
}

/* Wipes and frees the text. */
static enum crypto_err write_pem(char *pem, const char *path, enum crypto_file_mode how,
                                 unsigned mode)
{
    size_t n = strlen(pem);
    enum crypto_err err = crypto_file_write(path, how, mode, slice_of(pem, n));
    int error = errno;
    crypto_wipe(pem, n);
    free(pem);
    errno = error;
    return err;
}

enum crypto_err crypto_sm2_save(const struct crypto_sm2 *key, const char *private_path,
                                const char *public_path)
{
    enum crypto_err err =
        write_pem(crypto_key_private_pem(key->key), private_path, CRYPTO_FILE_NEW, 0600);
    return err != CRYPTO_OK
               ? err
               : write_pem(crypto_key_public_pem(key->key), public_path, CRYPTO_FILE_REPLACE, 0644);
}

void crypto_sm2_sign(const struct crypto_sm2 *key, const void *in, size_t n,
                     uint8_t sig[static CRYPTO_SM2_SIG_MAX], size_t *sig_n)
{
    uint8_t raw[CRYPTO_SIG_MAX];
    size_t raw_n;
    if (crypto_key_sign(key->key, CRYPTO_ALG_SM2_SM3, in, n, raw, &raw_n) != CRYPTO_OK) {
        crypto_die("SM2 signing failed (is it a private key?)");
    }
    *sig_n = crypto_sig_to_der(raw, sig);
}

enum crypto_err crypto_sm2_verify(const struct crypto_sm2 *key, const void *in, size_t n,
                                  const uint8_t *sig, size_t sig_n)
{
    uint8_t raw[CRYPTO_RAW_SIG_LEN];
    if (!crypto_sig_from_der(sig, sig_n, raw)) {
        return CRYPTO_EVERIFY;
    }
    return crypto_key_verify(key->key, CRYPTO_ALG_SM2_SM3, in, n, raw, sizeof raw);
}
