/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this module share; nothing outside it includes this. */
#pragma once
#include "crypto/keystore.h"

/* For what no caller could survive: a missing algorithm, no memory, no entropy. */
_Noreturn void crypto_die(const char *what);
/* Sets libgcrypt up, once a process, unless the program already has. */
void crypto_gcrypt_ready(void);

/* keystore.c: the passphrase for the key file `path` (crypto/keystore.h); wipe it. make: one is
 * made when the place beside the file has none. ELOCKED: there is none, or others may read it. */
struct passphrase {
    char text[CRYPTO_PASSPHRASE_MAX + 1];
    size_t n;
};
enum crypto_err passphrase_for(const char *path, bool make, struct passphrase *out)
    __attribute__((warn_unused_result));

enum crypto_file_mode { CRYPTO_FILE_NEW, CRYPTO_FILE_REPLACE };
/* Writes a whole file that others see either complete or not at all, and syncs it to disk.
 * CRYPTO_FILE_NEW: EIO with errno EEXIST when there is one. On error nothing is left behind. */
enum crypto_err crypto_file_write(const char *path, enum crypto_file_mode how, unsigned mode,
                                  struct slice bytes) __attribute__((warn_unused_result));

/* The one PEM block `text` is, of at most `max` bytes; neither encrypted nor with anything but
 * white space around it. Both results go back to pem_free(), which wipes. */
bool pem_read(struct slice text, size_t max, char **label, struct slice *der)
    __attribute__((warn_unused_result));
void pem_free(char *label, struct slice der);
