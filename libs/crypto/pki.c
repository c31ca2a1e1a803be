/* SPDX-License-Identifier: Apache-2.0 */
/* A small inner CA. Its key signs only what this function is asked for; certificates say serverAuth
 * and clientAuth, since each process is both, and the CA may not make further CAs. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/internal.h"

#define CA_DAYS      3650
#define LEAF_DAYS    730
#define RENEW_DAYS   90
#define NAME_MAX_LEN 64
#define SCRYPT_N     16384
#define SCRYPT_R     8
#define SAN_ROOM     512
#define BACKDATE_S   300 /* a node's clock may be a little behind */
#define DAY_S        86400L

struct identity {
    EVP_PKEY *key;
    X509 *crt;
};

static void identity_fini(struct identity *id)
{
    EVP_PKEY_free(id->key);
    X509_free(id->crt);
    *id = (struct identity){0};
}

static bool make_path(char out[static CRYPTO_PATH_MAX], const char *dir, const char *name,
                      const char *suffix)
{
    int n = snprintf(out, CRYPTO_PATH_MAX, "%s/%s.%s", dir, name, suffix);
    if (n < 0 || n >= CRYPTO_PATH_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    return true;
}

static bool good_name(const char *name)
{
    size_t n = strlen(name);
    return n >= 1 && n <= NAME_MAX_LEN &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

/* "DNS:localhost,IP:127.0.0.1,IP:::1,…". A host with a comma would smuggle in another name. */
static bool make_san(char out[static SAN_ROOM], const char *host)
{
    static const char always[] = "DNS:localhost,IP:127.0.0.1,IP:::1";
    if (host == NULL || *host == '\0') {
        strcpy(out, always);
        return true;
    }
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
    unsigned char address[16];
    const char *kind = "DNS";
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1) {
        kind = "IP";
    } else if (strspn(host, allowed) != strlen(host) || strlen(host) > 253) {
        return false;
    }
    snprintf(out, SAN_ROOM, "%s,%s:%s", always, kind, host);
    return true;
}

static void add_extension(X509 *crt, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, crt, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    if (extension == NULL || X509_add_ext(crt, extension, -1) != 1) {
        crypto_die("certificate extension refused");
    }
    X509_EXTENSION_free(extension);
}

static void set_serial(X509 *crt)
{
    uint8_t bytes[16];
    crypto_random(bytes, sizeof bytes);
    bytes[0] =
        (uint8_t)((bytes[0] & 0x7f) | 0x40); /* positive, always 16 bytes (RFC 5280 4.1.2.2) */
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    if (number == NULL || BN_to_ASN1_INTEGER(number, X509_get_serialNumber(crt)) == NULL) {
        crypto_die("out of memory");
    }
    BN_free(number);
}

static X509 *new_certificate(EVP_PKEY *key, const char *common_name, long days)
{
    X509 *crt = X509_new();
    if (crt == NULL || X509_set_version(crt, X509_VERSION_3) != 1) {
        crypto_die("out of memory");
    }
    set_serial(crt);
    X509_NAME *subject = X509_get_subject_name(crt);
    if (X509_gmtime_adj(X509_getm_notBefore(crt), -BACKDATE_S) == NULL ||
        X509_gmtime_adj(X509_getm_notAfter(crt), days * DAY_S) == NULL ||
        X509_set_pubkey(crt, key) != 1 ||
        X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC, (const uint8_t *)"Sluice", -1, -1,
                                   0) != 1 ||
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)common_name, -1,
                                   -1, 0) != 1) {
        crypto_die("certificate cannot be filled");
    }
    return crt;
}

static void issue(struct identity *id, struct identity *ca, const char *common_name,
                  const char *san)
{
    bool is_ca = ca == id;
    id->key = EVP_EC_gen("P-256");
    if (id->key == NULL) {
        crypto_die("no P-256");
    }
    id->crt = new_certificate(id->key, common_name, is_ca ? CA_DAYS : LEAF_DAYS);
    X509_set_issuer_name(id->crt, X509_get_subject_name(ca->crt));
    add_extension(id->crt, ca->crt, NID_basic_constraints,
                  is_ca ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE");
    add_extension(id->crt, ca->crt, NID_key_usage,
                  is_ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
    add_extension(id->crt, ca->crt, NID_subject_key_identifier, "hash");
    add_extension(id->crt, ca->crt, NID_authority_key_identifier, "keyid");
    if (!is_ca) {
        add_extension(id->crt, ca->crt, NID_ext_key_usage, "serverAuth,clientAuth");
        add_extension(id->crt, ca->crt, NID_subject_alt_name, san);
    }
    if (X509_sign(id->crt, ca->key, EVP_sha256()) <= 0) {
        crypto_die("certificate cannot be signed");
    }
}

static enum crypto_err put(BIO *bio, const char *path, unsigned mode)
{
    char *bytes;
    long n = BIO_get_mem_data(bio, &bytes);
    enum crypto_err err =
        crypto_file_write(path, CRYPTO_FILE_REPLACE, mode, slice_of(bytes, (size_t)n));
    int error = errno;
    crypto_wipe(bytes, (size_t)n);
    BIO_free(bio);
    errno = error;
    return err;
}

/* scrypt for 16 MB: what OpenSSL, and so nginx, takes without a setting. */
static void encrypt_key(BIO *out, const EVP_PKEY *key, const struct passphrase *p)
{
    X509_ALGOR *how =
        PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), NULL, 0, NULL, SCRYPT_N, SCRYPT_R, 1);
    PKCS8_PRIV_KEY_INFO *plain = EVP_PKEY2PKCS8(key);
    X509_SIG *sealed =
        how == NULL || plain == NULL ? NULL : PKCS8_set0_pbe(p->text, (int)p->n, plain, how);
    if (sealed == NULL || PEM_write_bio_PKCS8(out, sealed) != 1) {
        crypto_die("private key cannot be encrypted");
    }
    X509_SIG_free(sealed); /* and `how` with it */
    PKCS8_PRIV_KEY_INFO_free(plain);
}

/* The certificate last: it is what says that the pair is whole. */
static enum crypto_err save(const struct identity *id, const char *dir, const char *name)
{
    char key_path[CRYPTO_PATH_MAX], crt_path[CRYPTO_PATH_MAX];
    struct passphrase p;
    if (!make_path(key_path, dir, name, "key") || !make_path(crt_path, dir, name, "crt")) {
        return CRYPTO_EIO;
    }
    enum crypto_err err = passphrase_for(key_path, true, &p);
    if (err != CRYPTO_OK) {
        return err;
    }
    BIO *key = BIO_new(BIO_s_mem()), *crt = BIO_new(BIO_s_mem());
    if (key == NULL || crt == NULL || PEM_write_bio_X509(crt, id->crt) != 1) {
        crypto_die("certificate cannot be encoded");
    }
    encrypt_key(key, id->key, &p);
    crypto_wipe(&p, sizeof p);
    err = put(key, key_path, 0600);
    if (err != CRYPTO_OK) {
        BIO_free(crt);
        return err;
    }
    return put(crt, crt_path, 0644);
}

struct asked { /* whether a key file wanted its passphrase, and there was none */
    const char *path;
    bool asked, locked;
};

static int tell_passphrase(char *out, int room, int writing, void *ctx)
{
    struct asked *a = ctx;
    struct passphrase p;
    (void)writing;
    a->asked = true;
    a->locked = passphrase_for(a->path, false, &p) != CRYPTO_OK || p.n > (size_t)room;
    if (a->locked) {
        return -1;
    }
    memcpy(out, p.text, p.n);
    int n = (int)p.n;
    crypto_wipe(&p, sizeof p);
    return n;
}

/* *sealed: the file was not plain. */
static enum crypto_err load_key(const char *path, EVP_PKEY **key, bool *sealed)
{
    struct asked a = {.path = path};
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return CRYPTO_EIO;
    }
    *key = PEM_read_PrivateKey(file, NULL, tell_passphrase, &a);
    fclose(file);
    ERR_clear_error();
    *sealed = a.asked;
    return *key != NULL ? CRYPTO_OK : a.asked ? CRYPTO_ELOCKED : CRYPTO_EFORMAT;
}

enum crypto_err crypto_pki_key(const char *path, char **pem)
{
    EVP_PKEY *key = NULL;
    bool sealed;
    char *bytes;
    enum crypto_err err = load_key(path, &key, &sealed);
    *pem = NULL;
    if (err != CRYPTO_OK) {
        return err;
    }
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
        crypto_die("private key cannot be encoded");
    }
    long n = BIO_get_mem_data(bio, &bytes);
    *pem = strndup(bytes, (size_t)n);
    crypto_wipe(bytes, (size_t)n);
    BIO_free(bio);
    EVP_PKEY_free(key);
    if (*pem == NULL) {
        crypto_die("out of memory");
    }
    return CRYPTO_OK;
}

/* CRYPTO_EIO with errno ENOENT: not there. A pair that does not match is EFORMAT. A key from before
 * they were encrypted is encrypted now. */
static enum crypto_err load(struct identity *id, const char *dir, const char *name)
{
    char path[CRYPTO_PATH_MAX];
    bool sealed = true;
    FILE *file = make_path(path, dir, name, "crt") ? fopen(path, "re") : NULL;
    if (file == NULL) {
        return CRYPTO_EIO;
    }
    id->crt = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    enum crypto_err err =
        make_path(path, dir, name, "key") ? load_key(path, &id->key, &sealed) : CRYPTO_EIO;
    int error = errno;
    bool matches =
        err == CRYPTO_OK && id->crt != NULL && X509_check_private_key(id->crt, id->key) == 1;
    ERR_clear_error();
    if (!matches) {
        identity_fini(id);
        errno = error;
        return err == CRYPTO_OK ? CRYPTO_EFORMAT : err;
    }
    return sealed ? CRYPTO_OK : save(id, dir, name);
}

/* Signed by this CA, speaks for `host` too, and not about to end. */
static bool still_good(const struct identity *id, const struct identity *ca, const char *host)
{
    time_t soon = time(NULL) + RENEW_DAYS * DAY_S;
    bool signed_by = X509_verify(id->crt, ca->key) == 1;
    bool named = host == NULL || *host == '\0' || X509_check_host(id->crt, host, 0, 0, NULL) == 1 ||
                 X509_check_ip_asc(id->crt, host, 0) == 1;
    ERR_clear_error();
    return signed_by && named && X509_cmp_time(X509_get0_notAfter(id->crt), &soon) > 0;
}

/* A half-made CA (key without certificate) has signed nothing yet and is made anew; one that cannot
 * be read is left alone: replacing it would cut off every process that trusts it. */
static enum crypto_err ensure_ca(struct identity *ca, const char *dir)
{
    enum crypto_err err = load(ca, dir, "ca");
    char crt_path[CRYPTO_PATH_MAX];
    if (err != CRYPTO_EIO || errno != ENOENT || !make_path(crt_path, dir, "ca", "crt") ||
        access(crt_path, F_OK) == 0) {
        return err;
    }
    ca->key = NULL;
    issue(ca, ca, "Sluice inner CA", NULL);
    return save(ca, dir, "ca");
}

static enum crypto_err ensure_leaf(struct identity *ca, const char *dir, const char *name,
                                   const char *host)
{
    char san[SAN_ROOM];
    if (!good_name(name) || strcmp(name, "ca") == 0 || !make_san(san, host)) {
        return CRYPTO_EFORMAT;
    }
    struct identity leaf = {0};
    enum crypto_err err = load(&leaf, dir, name);
    if ((err == CRYPTO_EIO && errno != ENOENT) || err == CRYPTO_ELOCKED) {
        return err;
    }
    if (err == CRYPTO_OK && still_good(&leaf, ca, host)) {
        identity_fini(&leaf);
        return CRYPTO_OK;
    }
    identity_fini(&leaf);
    issue(&leaf, ca, name, san);
    err = save(&leaf, dir, name);
    identity_fini(&leaf);
    return err;
}

/* The directory itself is the lock: two processes that start together make one CA, not two. */
static int lock_directory(const char *dir)
{
    if (mkdir(dir, 0755) != 0 && errno != EEXIST) {
        return -1;
    }
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

enum crypto_err crypto_pki_ensure(const char *dir, const char *const names[], size_t n,
                                  const char *host)
{
    int lock = lock_directory(dir);
    if (lock < 0) {
        return CRYPTO_EIO;
    }
    struct identity ca = {0};
    enum crypto_err err = ensure_ca(&ca, dir);
    for (size_t i = 0; i < n && err == CRYPTO_OK; i++) {
        err = ensure_leaf(&ca, dir, names[i], host);
    }
    int error = errno;
    identity_fini(&ca);
    close(lock);
    errno = error;
    return err;
}
