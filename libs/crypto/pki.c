/* SPDX-License-Identifier: Apache-2.0 */
/* A small inner CA. Its key signs only what this function is asked for; certificates say serverAuth
 * and clientAuth, since each process is both, and the CA may not make further CAs. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
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
#define PATH_ROOM    4096
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

static bool make_path(char out[static PATH_ROOM], const char *dir, const char *name,
                      const char *suffix)
{
    int n = snprintf(out, PATH_ROOM, "%s/%s.%s", dir, name, suffix);
    if (n < 0 || n >= PATH_ROOM) {
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

/* The certificate last: it is what says that the pair is whole. */
static enum crypto_err save(const struct identity *id, const char *dir, const char *name)
{
    char key_path[PATH_ROOM], crt_path[PATH_ROOM];
    if (!make_path(key_path, dir, name, "key") || !make_path(crt_path, dir, name, "crt")) {
        return CRYPTO_EIO;
    }
    BIO *key = BIO_new(BIO_s_mem()), *crt = BIO_new(BIO_s_mem());
    if (key == NULL || crt == NULL || PEM_write_bio_X509(crt, id->crt) != 1 ||
        PEM_write_bio_PKCS8PrivateKey(key, id->key, NULL, NULL, 0, NULL, NULL) != 1) {
        crypto_die("certificate cannot be encoded");
    }
    enum crypto_err err = put(key, key_path, 0600);
    if (err != CRYPTO_OK) {
        BIO_free(crt);
        return err;
    }
    return put(crt, crt_path, 0644);
}

/* CRYPTO_EIO with errno ENOENT: not there. A pair that does not match is EFORMAT. */
static enum crypto_err load(struct identity *id, const char *dir, const char *name)
{
    char path[PATH_ROOM];
    FILE *file = make_path(path, dir, name, "crt") ? fopen(path, "re") : NULL;
    if (file == NULL) {
        return CRYPTO_EIO;
    }
    id->crt = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    file = make_path(path, dir, name, "key") ? fopen(path, "re") : NULL;
    if (file == NULL) {
        int error = errno;
        identity_fini(id);
        errno = error;
        return CRYPTO_EIO;
    }
    static char no_passphrase[] = "";
    id->key = PEM_read_PrivateKey(file, NULL, NULL, no_passphrase);
    fclose(file);
    bool matches =
        id->crt != NULL && id->key != NULL && X509_check_private_key(id->crt, id->key) == 1;
    ERR_clear_error();
    if (!matches) {
        identity_fini(id);
        return CRYPTO_EFORMAT;
    }
    return CRYPTO_OK;
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
    char crt_path[PATH_ROOM];
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
    if (err == CRYPTO_EIO && errno != ENOENT) {
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
