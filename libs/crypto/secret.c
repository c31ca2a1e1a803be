/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/codec.h"
#include "crypto/internal.h"
#include "crypto/keystore.h"

#define FILE_MAX 512 /* bytes of a sealed key of 32 */

void crypto_random(void *out, size_t n)
{
    uint8_t *p = out;
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno != EINTR) {
            crypto_die("no random bytes from the kernel");
        }
        p += got > 0 ? got : 0;
        n -= got > 0 ? (size_t)got : 0;
    }
}

void crypto_random_text(char out[static CRYPTO_RANDOM_TEXT])
{
    uint8_t bytes[32];

    crypto_random(bytes, sizeof bytes);
    out[codec_base64url(out, bytes, sizeof bytes)] = '\0';
    crypto_wipe(bytes, sizeof bytes);
}

void crypto_wipe(void *p, size_t n)
{
    explicit_bzero(p, n);
}

bool crypto_equal(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

/* Reads until n bytes or the end; -1 with errno. */
static ssize_t read_some(int fd, uint8_t *out, size_t n)
{
    size_t have = 0;
    while (have < n) {
        ssize_t got = read(fd, out + have, n - have);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        have += (size_t)got;
    }
    return (ssize_t)have;
}

static enum crypto_err key_of(const char *path, const uint8_t *bytes, size_t n,
                              uint8_t key[static CRYPTO_KEY_LEN], bool *plain)
{
    struct slice text = slice_of((const char *)bytes, n);
    uint8_t opened[FILE_MAX];
    size_t opened_n = 0;

    *plain = n == CRYPTO_KEY_LEN;
    if (*plain) {
        memcpy(key, bytes, CRYPTO_KEY_LEN);
        return CRYPTO_OK;
    }
    enum crypto_err err = crypto_keystore_open(path, text, opened, &opened_n);
    if (err == CRYPTO_OK && opened_n != CRYPTO_KEY_LEN) {
        err = CRYPTO_EFORMAT;
    }
    if (err == CRYPTO_OK) {
        memcpy(key, opened, CRYPTO_KEY_LEN);
    }
    crypto_wipe(opened, sizeof opened);
    return err;
}

static enum crypto_err load(const char *path, uint8_t key[static CRYPTO_KEY_LEN], bool *plain)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hang us */
    if (fd < 0) {
        return CRYPTO_EIO;
    }
    enum crypto_err err = CRYPTO_EIO;
    uint8_t bytes[FILE_MAX];
    ssize_t n = 0;
    struct stat st;
    if (fstat(fd, &st) != 0) {
        goto out;
    }
    err = CRYPTO_EFORMAT;
    if (!S_ISREG(st.st_mode) || (st.st_mode & 0177) != 0 || st.st_size > FILE_MAX) {
        goto out; /* a key that others could read may be known to them */
    }
    n = read_some(fd, bytes, sizeof bytes);
    err = n < 0 ? CRYPTO_EIO : key_of(path, bytes, (size_t)n, key, plain);
out:
    close(fd);
    crypto_wipe(bytes, sizeof bytes);
    return err;
}

enum crypto_err crypto_keyfile_load(const char *path, uint8_t key[static CRYPTO_KEY_LEN])
{
    bool plain;

    return load(path, key, &plain);
}

enum crypto_err crypto_keyfile_create(const char *path, uint8_t key[static CRYPTO_KEY_LEN])
{
    bool plain = false;
    enum crypto_err err = load(path, key, &plain);

    if (err == CRYPTO_OK && plain) {
        return crypto_keystore_write(path, true, slice_of((char *)key, CRYPTO_KEY_LEN));
    }
    if (err != CRYPTO_EIO || errno != ENOENT) {
        return err;
    }
    uint8_t fresh[CRYPTO_KEY_LEN];
    crypto_random(fresh, sizeof fresh);
    err = crypto_keystore_write(path, false, slice_of((char *)fresh, sizeof fresh));
    crypto_wipe(fresh, sizeof fresh);
    if (err == CRYPTO_EIO && errno != EEXIST) { /* EEXIST: another process was first; its key is */
        return err;
    }
    return err == CRYPTO_OK || err == CRYPTO_EIO ? load(path, key, &plain) : err;
}
