/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/internal.h"

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

enum crypto_err crypto_keyfile_load(const char *path, uint8_t key[static CRYPTO_KEY_LEN])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hang us */
    if (fd < 0) {
        return CRYPTO_EIO;
    }
    enum crypto_err err = CRYPTO_EIO;
    uint8_t bytes[CRYPTO_KEY_LEN];
    ssize_t n = 0;
    struct stat st;
    if (fstat(fd, &st) != 0) {
        goto out;
    }
    err = CRYPTO_EFORMAT;
    if (!S_ISREG(st.st_mode) || (st.st_mode & 0177) != 0 || st.st_size != CRYPTO_KEY_LEN) {
        goto out; /* a key that others could read may be known to them */
    }
    n = read_some(fd, bytes, sizeof bytes);
    if (n < 0) {
        err = CRYPTO_EIO;
    } else if (n == CRYPTO_KEY_LEN) {
        memcpy(key, bytes, CRYPTO_KEY_LEN);
        err = CRYPTO_OK;
    }
out:
    close(fd);
    crypto_wipe(bytes, sizeof bytes);
    return err;
}

enum crypto_err crypto_keyfile_create(const char *path, uint8_t key[static CRYPTO_KEY_LEN])
{
    enum crypto_err err = crypto_keyfile_load(path, key);
    if (err != CRYPTO_EIO || errno != ENOENT) {
        return err;
    }
    uint8_t fresh[CRYPTO_KEY_LEN];
    crypto_random(fresh, sizeof fresh);
    err = crypto_file_write(path, CRYPTO_FILE_NEW, 0600, slice_of((char *)fresh, sizeof fresh));
    crypto_wipe(fresh, sizeof fresh);
    if (err != CRYPTO_OK && errno != EEXIST) { /* EEXIST: another process was first; use its key */
        return err;
    }
    return crypto_keyfile_load(path, key);
}
