/* SPDX-License-Identifier: Apache-2.0 */
/* The platform's key files, sealed: SM4-GCM under a key that argon2id makes of a passphrase (the
 * file's name is bound in, so one key cannot stand in for another). The passphrase is the content,
 * but for a last line end, of a file that its owner alone may read:
 *   1. the one $SLUICE_KEY_PASSPHRASE_FILE names;
 *   2. else `passphrase` beside the key file. crypto_keystore_write() makes that one, at random,
 *      when there is none: so a first start just runs, and a careful operator moves it away.
 * It is never an argument, a setting or part of the log. Any thread; derived keys are kept for the
 * life of the process. */
#pragma once
#include "crypto/crypto.h"

#define CRYPTO_KEYSTORE_MAX    16384 /* bytes of one key */
#define CRYPTO_PASSPHRASE_MIN  12    /* bytes */
#define CRYPTO_PASSPHRASE_MAX  1024
#define CRYPTO_PASSPHRASE_FILE "SLUICE_KEY_PASSPHRASE_FILE" /* of the environment */

/* The file the passphrase of the key file `path` is looked for in. False: the name is too long. */
#define CRYPTO_PATH_MAX 4096
bool crypto_passphrase_file(const char *path, char out[static CRYPTO_PATH_MAX])
    __attribute__((warn_unused_result));
/* True when bytes are what crypto_keystore_write() writes, whole or not. */
bool crypto_keystore_sealed(struct slice bytes);
/* Opens the content of the key file `path`; out has room for in.n bytes. ELOCKED: no passphrase, or
 * another one, or the file was altered; EFORMAT: not sealed at all. On error nothing is in out. */
enum crypto_err crypto_keystore_open(const char *path, struct slice in, uint8_t *out, size_t *n)
    __attribute__((warn_unused_result));
/* Writes key to path, mode 0600, whole and synced or not at all; replace: over what is there, else
 * EIO with errno EEXIST. */
enum crypto_err crypto_keystore_write(const char *path, bool replace, struct slice key)
    __attribute__((warn_unused_result));
/* Seals a key file that is plain, in its place; one that is sealed is left as it is. EFORMAT: empty
 * or too long. On error the plain one is still there. */
enum crypto_err crypto_keystore_seal_file(const char *path) __attribute__((warn_unused_result));
/* Puts the passphrase into memory without a name that this process's children inherit, and names it
 * by $SLUICE_KEY_PASSPHRASE_FILE. Call before threads start. EFORMAT: too short or too long. */
enum crypto_err crypto_keystore_use(struct slice passphrase) __attribute__((warn_unused_result));
/* Takes SLUICE_KEY_PASSPHRASE out of the environment, memory included, into a sealed-off file of
 * this process and its children that $SLUICE_KEY_PASSPHRASE_FILE then names. Without it nothing.
 * Call before threads start. EFORMAT: shorter than CRYPTO_PASSPHRASE_MIN. */
enum crypto_err crypto_keystore_take_environment(void) __attribute__((warn_unused_result));
