/* SPDX-License-Identifier: Apache-2.0 */
/* A file is one block, -----BEGIN SLUICE SEALED PRIVATE KEY-----, of base64: salt, then the sealed
 * bytes. A longer derivation than a password's would buy nothing for the passphrase we make, and
 * every worker would pay it at its start. */
#include "crypto/keystore.h"

#include <argon2.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/codec.h"
#include "crypto/internal.h"

#define BEGIN      "-----BEGIN SLUICE SEALED PRIVATE KEY-----\n"
#define END        "\n-----END SLUICE SEALED PRIVATE KEY-----\n"
#define SALT_LEN   16
#define MEMORY_KIB 19456 /* as password.c */
#define PASSES     2
#define CACHE_MAX  8
#define MADE_BYTES 32

struct derived { /* a key-encryption key this process has made before */
    uint8_t salt[SALT_LEN], passphrase_sm3[CRYPTO_HASH_LEN], key[CRYPTO_KEY_LEN];
};
static struct {
    pthread_mutex_t lock;
    struct derived rows[CACHE_MAX];
    size_t n;
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

bool crypto_passphrase_file(const char *path, char out[static CRYPTO_PATH_MAX])
{
    const char *named = getenv(CRYPTO_PASSPHRASE_FILE), *slash = strrchr(path, '/');
    int folder = slash ? (int)(slash - path) + 1 : 0;
    int n = named && *named ? snprintf(out, CRYPTO_PATH_MAX, "%s", named)
                            : snprintf(out, CRYPTO_PATH_MAX, "%.*spassphrase", folder, path);

    return n > 0 && n < CRYPTO_PATH_MAX;
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* EIO with errno: not there; ELOCKED: no passphrase, or others may read it. */
static enum crypto_err read_passphrase(const char *file, struct passphrase *out)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;

    if (fd < 0) {
        return CRYPTO_EIO;
    }
    bool ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0037) == 0;
    ssize_t n = ok ? pread(fd, out->text, sizeof out->text, 0) : -1;
    close(fd);
    if (n > 0 && out->text[n - 1] == '\n') {
        n--;
    }
    if (n < CRYPTO_PASSPHRASE_MIN || n > CRYPTO_PASSPHRASE_MAX) {
        crypto_wipe(out, sizeof *out);
        return CRYPTO_ELOCKED;
    }
    out->n = (size_t)n;
    return CRYPTO_OK;
}

static enum crypto_err make_passphrase(const char *file)
{
    uint8_t random[MADE_BYTES];
    char text[CODEC_BASE64URL_LEN(MADE_BYTES) + 1];

    crypto_random(random, sizeof random);
    size_t n = codec_base64url(text, random, sizeof random);
    text[n++] = '\n';
    enum crypto_err err = crypto_file_write(file, CRYPTO_FILE_NEW, 0400, slice_of(text, n));
    crypto_wipe(random, sizeof random);
    crypto_wipe(text, sizeof text);
    return err == CRYPTO_EIO && errno == EEXIST ? CRYPTO_OK : err; /* another process was first */
}

enum crypto_err passphrase_for(const char *path, bool make, struct passphrase *out)
{
    const char *named = getenv(CRYPTO_PASSPHRASE_FILE);
    char file[CRYPTO_PATH_MAX];

    if (!crypto_passphrase_file(path, file)) {
        errno = ENAMETOOLONG;
        return CRYPTO_EIO;
    }
    enum crypto_err err = read_passphrase(file, out);
    if (named && *named) {
        return err == CRYPTO_OK ? CRYPTO_OK : CRYPTO_ELOCKED;
    }
    if (err != CRYPTO_EIO) {
        return err;
    }
    if (!make || errno != ENOENT) {
        return make ? CRYPTO_EIO : CRYPTO_ELOCKED;
    }
    err = make_passphrase(file);
    return err == CRYPTO_OK ? read_passphrase(file, out) : err;
}

static bool cached(const uint8_t salt[static SALT_LEN], const uint8_t hash[static CRYPTO_HASH_LEN],
                   uint8_t key[static CRYPTO_KEY_LEN])
{
    for (size_t i = 0; i < cache.n; i++) {
        const struct derived *d = &cache.rows[i];
        if (memcmp(d->salt, salt, SALT_LEN) == 0 &&
            crypto_equal(d->passphrase_sm3, hash, CRYPTO_HASH_LEN)) {
            memcpy(key, d->key, CRYPTO_KEY_LEN);
            return true;
        }
    }
    return false;
}

/* Under the lock, so that threads that start together derive once. */
static void derive(const struct passphrase *p, const uint8_t salt[static SALT_LEN],
                   uint8_t key[static CRYPTO_KEY_LEN])
{
    uint8_t hash[CRYPTO_HASH_LEN];

    crypto_hash(CRYPTO_SM3, p->text, p->n, hash);
    pthread_mutex_lock(&cache.lock);
    if (!cached(salt, hash, key)) {
        if (argon2id_hash_raw(PASSES, MEMORY_KIB, 1, p->text, p->n, salt, SALT_LEN, key,
                              CRYPTO_KEY_LEN) != ARGON2_OK) {
            crypto_die("argon2id failed, probably out of memory");
        }
        struct derived *d = &cache.rows[cache.n < CACHE_MAX ? cache.n++ : 0];
        memcpy(d->salt, salt, SALT_LEN);
        memcpy(d->passphrase_sm3, hash, CRYPTO_HASH_LEN);
        memcpy(d->key, key, CRYPTO_KEY_LEN);
    }
    pthread_mutex_unlock(&cache.lock);
    crypto_wipe(hash, sizeof hash);
}

bool crypto_keystore_sealed(struct slice bytes)
{
    return bytes.n >= sizeof BEGIN - 1 && memcmp(bytes.p, BEGIN, sizeof BEGIN - 1) == 0;
}

enum crypto_err crypto_keystore_open(const char *path, struct slice in, uint8_t *out, size_t *n)
{
    const size_t around = sizeof BEGIN - 1 + sizeof END - 1;
    uint8_t bytes[CRYPTO_KEYSTORE_MAX + SALT_LEN + CRYPTO_SEAL_EXTRA], key[CRYPTO_KEY_LEN];
    struct passphrase p;
    size_t bytes_n = 0;

    if (!crypto_keystore_sealed(in)) {
        return CRYPTO_EFORMAT;
    }
    if (in.n < around || memcmp(in.p + in.n - (sizeof END - 1), END, sizeof END - 1) != 0 ||
        !codec_unbase64(bytes, sizeof bytes, &bytes_n, in.p + sizeof BEGIN - 1, in.n - around) ||
        bytes_n <= SALT_LEN + CRYPTO_SEAL_EXTRA) {
        return CRYPTO_ELOCKED;
    }
    enum crypto_err err = passphrase_for(path, false, &p);
    if (err != CRYPTO_OK) {
        return err;
    }
    derive(&p, bytes, key);
    crypto_wipe(&p, sizeof p);
    err = crypto_open(key, slice_str(name_of(path)), bytes + SALT_LEN, bytes_n - SALT_LEN, out);
    crypto_wipe(key, sizeof key);
    if (err != CRYPTO_OK) {
        return CRYPTO_ELOCKED;
    }
    *n = bytes_n - SALT_LEN - CRYPTO_SEAL_EXTRA;
    return CRYPTO_OK;
}

enum crypto_err crypto_keystore_write(const char *path, bool replace, struct slice key)
{
    uint8_t sealed[SALT_LEN + CRYPTO_KEYSTORE_MAX + CRYPTO_SEAL_EXTRA], kek[CRYPTO_KEY_LEN];
    char text[sizeof BEGIN + CODEC_BASE64_LEN(sizeof sealed) + sizeof END];
    struct passphrase p;

    if (key.n == 0 || key.n > CRYPTO_KEYSTORE_MAX) {
        return CRYPTO_EFORMAT;
    }
    enum crypto_err err = passphrase_for(path, true, &p);
    if (err != CRYPTO_OK) {
        return err;
    }
    crypto_random(sealed, SALT_LEN);
    derive(&p, sealed, kek);
    crypto_wipe(&p, sizeof p);
    crypto_seal(kek, slice_str(name_of(path)), key.p, key.n, sealed + SALT_LEN);
    crypto_wipe(kek, sizeof kek);
    memcpy(text, BEGIN, sizeof BEGIN - 1);
    size_t n = sizeof BEGIN - 1;
    n += codec_base64(text + n, sealed, SALT_LEN + key.n + CRYPTO_SEAL_EXTRA);
    memcpy(text + n, END, sizeof END - 1);
    n += sizeof END - 1;
    return crypto_file_write(path, replace ? CRYPTO_FILE_REPLACE : CRYPTO_FILE_NEW, 0600,
                             slice_of(text, n));
}

enum crypto_err crypto_keystore_seal_file(const char *path)
{
    char text[2 * CRYPTO_KEYSTORE_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        return CRYPTO_EIO;
    }
    ssize_t n = pread(fd, text, sizeof text, 0);
    int error = errno;
    close(fd);
    errno = error;
    struct slice plain = slice_of(text, n > 0 ? (size_t)n : 0);
    enum crypto_err err = n < 0 ? CRYPTO_EIO
                          : crypto_keystore_sealed(plain)
                              ? CRYPTO_OK
                              : crypto_keystore_write(path, true, plain);
    crypto_wipe(text, sizeof text);
    return err;
}

enum crypto_err crypto_keystore_use(struct slice passphrase)
{
    char file[64];

    if (passphrase.n < CRYPTO_PASSPHRASE_MIN || passphrase.n > CRYPTO_PASSPHRASE_MAX) {
        return CRYPTO_EFORMAT;
    }
    int fd = memfd_create("sluice-passphrase", 0); /* children inherit it */
    if (fd < 0 || fchmod(fd, 0400) != 0 ||
        write(fd, passphrase.p, passphrase.n) != (ssize_t)passphrase.n) {
        int error = errno;
        if (fd >= 0) {
            close(fd);
        }
        errno = error;
        return CRYPTO_EIO;
    }
    snprintf(file, sizeof file, "/proc/self/fd/%d", fd);
    return setenv(CRYPTO_PASSPHRASE_FILE, file, 1) == 0 ? CRYPTO_OK : CRYPTO_EIO;
}

/* Wiped where it stands, since /proc/PID/environ shows that memory. */
enum crypto_err crypto_keystore_take_environment(void)
{
    char *value = getenv("SLUICE_KEY_PASSPHRASE");

    if (!value) {
        return CRYPTO_OK;
    }
    struct slice given = slice_str(value);
    enum crypto_err err = crypto_keystore_use(given);
    int error = errno;
    crypto_wipe(value, given.n);
    unsetenv("SLUICE_KEY_PASSPHRASE");
    errno = error;
    return err;
}
