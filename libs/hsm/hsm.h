/* SPDX-License-Identifier: Apache-2.0 */
/* The passphrase of the platform's key files, sealed under an AES key that never leaves a hardware
 * module (PKCS#11 2.40; BK-7.3.4b2, SW-9.7-3a): a stolen disk, backup or folder opens nothing
 * without the module. The module is asked once, at the start of a process; nothing of it stays
 * loaded.
 *
 * A sealed text is one block -----BEGIN SLUICE HSM SEALED PASSPHRASE-----: AES-256-GCM by
 * CKM_AES_GCM, nonce first. Any thread, but one at a time: a module is initialised for the process.
 */
#pragma once
#include "base/slice.h"

#define HSM_PLAIN_MAX 1024
#define HSM_TEXT_MAX  2048
#define HSM_WHY_MAX   256

struct hsm_config {
    const char *module;   /* path of the PKCS#11 library */
    const char *token;    /* its label */
    const char *key;      /* the label of the AES key in it */
    const char *pin_file; /* the user's PIN, of a file that its owner alone may read */
};

/* Both: false, with a sentence in why that names no secret. seal makes the key when the token has
 * none of that label: AES-256, sensitive, not extractable. Lengths without a NUL, one is added. */
bool hsm_seal(const struct hsm_config *cfg, struct slice plain, char text[static HSM_TEXT_MAX],
              size_t *n, char why[static HSM_WHY_MAX]) __attribute__((warn_unused_result));
bool hsm_open(const struct hsm_config *cfg, struct slice text, char plain[static HSM_PLAIN_MAX],
              size_t *n, char why[static HSM_WHY_MAX]) __attribute__((warn_unused_result));
