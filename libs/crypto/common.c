/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <gcrypt.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

const char *crypto_strerror(enum crypto_err err)
{
    static const char *const texts[] = {
        [CRYPTO_OK] = "no error",
        [CRYPTO_EVERIFY] = "signature, tag or password does not match",
        [CRYPTO_EFORMAT] = "key, certificate or sealed text cannot be read",
        [CRYPTO_EIO] = "file cannot be read or written",
        [CRYPTO_ELOCKED] = "key-store-locked: no or a wrong passphrase, or an altered file",
    };
    return (size_t)err < sizeof texts / sizeof *texts ? texts[err] : "unknown error";
}

void crypto_die(const char *what)
{
    fprintf(stderr, "sluice: cryptography is not usable: %s\n", what);
    abort();
}

static void gcrypt_setup(void)
{
    if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P)) {
        return; /* another library of this program was first */
    }
    if (gcry_check_version("1.10.0") == NULL) {
        crypto_die("libgcrypt 1.10 or later is needed");
    }
    gcry_control(GCRYCTL_DISABLE_SECMEM, 0); /* its pool is small and locks; we wipe instead */
    gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
}

void crypto_gcrypt_ready(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, gcrypt_setup);
}

static bool write_all(int fd, struct slice bytes)
{
    while (bytes.n > 0) {
        ssize_t done = write(fd, bytes.p, bytes.n);
        if (done < 0 && errno != EINTR) {
            return false;
        }
        bytes.p += done > 0 ? done : 0;
        bytes.n -= done > 0 ? (size_t)done : 0;
    }
    return fsync(fd) == 0;
}

/* A name is on disk only when its directory is. */
static void sync_directory_of(const char *path)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        strcpy(dir, ".");
    } else {
        size_t n = slash == path ? 1 : (size_t)(slash - path);
        memcpy(dir, path, n);
        dir[n] = '\0';
    }
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

enum crypto_err crypto_file_write(const char *path, enum crypto_file_mode how, unsigned mode,
                                  struct slice bytes)
{
    char temporary[PATH_MAX];
    int n = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof temporary) {
        errno = ENAMETOOLONG;
        return CRYPTO_EIO;
    }
    int fd = mkostemp(temporary, O_CLOEXEC); /* made with mode 0600 */
    if (fd < 0) {
        return CRYPTO_EIO;
    }
    bool done = write_all(fd, bytes) && fchmod(fd, (mode_t)mode) == 0;
    done = close(fd) == 0 && done;
    if (done) { /* link(), unlike rename(), never goes over an existing file */
        done = (how == CRYPTO_FILE_NEW ? link(temporary, path) : rename(temporary, path)) == 0;
    }
    int error = errno;
    if (!done || how == CRYPTO_FILE_NEW) {
        unlink(temporary);
    }
    if (!done) {
        errno = error;
        return CRYPTO_EIO;
    }
    sync_directory_of(path);
    return CRYPTO_OK;
}
