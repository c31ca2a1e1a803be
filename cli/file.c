/* SPDX-License-Identifier: Apache-2.0 */
#include "file.h"

#include <errno.h>
#include <stdio.h>

#include "crypto/crypto.h"

/* A file that cannot be read whole is an error, one of a directory too. What it holds may be a
 * secret. */
bool file_read(const char *path, size_t most, struct buf *out)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    char chunk[16384];
    size_t n;
    while (out->n <= most && (n = fread(chunk, 1, sizeof chunk, file)) > 0) {
        buf_add(out, chunk, n);
    }
    bool whole = !ferror(file) && out->n <= most && !out->failed;
    if (out->n > most) {
        errno = EFBIG;
    }
    fclose(file);
    crypto_wipe(chunk, sizeof chunk);
    return whole;
}
