/* SPDX-License-Identifier: Apache-2.0 */
/* SM2 by OpenSSL's EVP, so that any provider (an HSM's, Tongsuo) can take its place: nothing
 * outside this file knows what is behind struct crypto_sm2. */
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/internal.h"

#define PEM_BYTES_MAX 16384

struct crypto_sm2 {
    EVP_PKEY *pkey;
};

/* GB/T 35276: the identity every party uses unless they agree on another. */
static char default_id[] = "1234567812345678";

static struct crypto_sm2 *wrap(EVP_PKEY *pkey)
{
    struct crypto_sm2 *key = malloc(sizeof *key);
    if (key == NULL || pkey == NULL) {
        crypto_die("no SM2, or out of memory");
    }
    key->pkey = pkey;
    return key;
}

struct crypto_sm2 *crypto_sm2_new(void)
{
    return wrap(EVP_PKEY_Q_keygen(NULL, NULL, "SM2"));
}

void crypto_sm2_free(struct crypto_sm2 **key)
{
    if (*key != NULL) {
        EVP_PKEY_free((*key)->pkey);
        free(*key);
        *key = NULL;
    }
}

/* A passphrase prompt on a server's terminal would hang it: encrypted PEM is refused. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
    (void)buf, (void)size, (void)writing, (void)arg;
    return -1;
}

static EVP_PKEY *read_pem(const char *pem, size_t n)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)n);
    if (bio == NULL) {
        crypto_die("out of memory");
    }
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    if (pkey == NULL) {
        (void)BIO_reset(bio);
        pkey = PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
    }
    BIO_free(bio);
    ERR_clear_error();
    return pkey;
}

enum crypto_err crypto_sm2_load(struct crypto_sm2 **key, const char *pem_path)
{
    FILE *file = fopen(pem_path, "re");
    if (file == NULL) {
        return CRYPTO_EIO;
    }
    char pem[PEM_BYTES_MAX];
    size_t n = fread(pem, 1, sizeof pem, file);
    bool failed = ferror(file) != 0;
    int error = errno;
    fclose(file);
    EVP_PKEY *pkey = failed ? NULL : read_pem(pem, n);
    crypto_wipe(pem, sizeof pem);
    if (failed) {
        errno = error;
        return CRYPTO_EIO;
    }
    if (pkey == NULL || !EVP_PKEY_is_a(pkey, "SM2")) {
        EVP_PKEY_free(pkey);
        return CRYPTO_EFORMAT;
    }
    *key = wrap(pkey);
    return CRYPTO_OK;
}

static enum crypto_err write_bio(BIO *bio, const char *path, enum crypto_file_mode how,
                                 unsigned mode)
{
    char *bytes;
    long n = BIO_get_mem_data(bio, &bytes);
    enum crypto_err err = crypto_file_write(path, how, mode, slice_of(bytes, (size_t)n));
    int error = errno;
    crypto_wipe(bytes, (size_t)n);
    BIO_free(bio);
    errno = error;
    return err;
}

enum crypto_err crypto_sm2_save(const struct crypto_sm2 *key, const char *private_path,
                                const char *public_path)
{
    BIO *private_pem = BIO_new(BIO_s_mem()), *public_pem = BIO_new(BIO_s_mem());
    if (private_pem == NULL || public_pem == NULL ||
        !PEM_write_bio_PKCS8PrivateKey(private_pem, key->pkey, NULL, NULL, 0, NULL, NULL) ||
        !PEM_write_bio_PUBKEY(public_pem, key->pkey)) {
        crypto_die("SM2 key cannot be encoded");
    }
    enum crypto_err err = write_bio(private_pem, private_path, CRYPTO_FILE_NEW, 0600);
    if (err != CRYPTO_OK) {
        BIO_free(public_pem);
        return err;
    }
    return write_bio(public_pem, public_path, CRYPTO_FILE_REPLACE, 0644);
}

typedef int (*start_fn)(EVP_MD_CTX *, EVP_PKEY_CTX **, const char *, OSSL_LIB_CTX *, const char *,
                        EVP_PKEY *, const OSSL_PARAM[]);

static EVP_MD_CTX *start(start_fn init, const struct crypto_sm2 *key)
{
    const OSSL_PARAM params[] = {
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_DIST_ID, default_id, sizeof default_id - 1),
        OSSL_PARAM_END};
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL || init(ctx, NULL, "SM3", NULL, NULL, key->pkey, params) != 1) {
        crypto_die("SM2 with SM3 cannot be set up");
    }
    return ctx;
}

void crypto_sm2_sign(const struct crypto_sm2 *key, const void *in, size_t n,
                     uint8_t sig[static CRYPTO_SM2_SIG_MAX], size_t *sig_n)
{
    EVP_MD_CTX *ctx = start(EVP_DigestSignInit_ex, key);
    *sig_n = CRYPTO_SM2_SIG_MAX;
    if (EVP_DigestSign(ctx, sig, sig_n, in, n) != 1) {
        crypto_die("SM2 signing failed (is it a private key?)");
    }
    EVP_MD_CTX_free(ctx);
}

enum crypto_err crypto_sm2_verify(const struct crypto_sm2 *key, const void *in, size_t n,
                                  const uint8_t *sig, size_t sig_n)
{
    if (sig_n > CRYPTO_SM2_SIG_MAX) {
        return CRYPTO_EVERIFY;
    }
    EVP_MD_CTX *ctx = start(EVP_DigestVerifyInit_ex, key);
    bool genuine = EVP_DigestVerify(ctx, sig, sig_n, in, n) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error(); /* a wrong signature is an event, not this thread's error */
    return genuine ? CRYPTO_OK : CRYPTO_EVERIFY;
}
