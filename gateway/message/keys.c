/* SPDX-License-Identifier: Apache-2.0 */
/* The node's own keys, which the agent made (node/keys.h). A worker without the one that signs
 * answers goes on with the APIs that need no signature; those that do get none out. */
#include "sluice.h"

static const char *const body_names[SLUICE_BODY_KEYS] = {"body-sm2.key", "body-ec.key"};

static struct crypto_key *load(ngx_log_t *log, ngx_str_t dir, const char *name)
{
    struct crypto_key *key = NULL;
    u_char path[NGX_MAX_PATH];
    ngx_snprintf(path, sizeof path, "%V/%s%Z", &dir, name);
    path[sizeof path - 1] = '\0';
    enum crypto_err err = crypto_key_load_file(&key, CRYPTO_KEY_PAIR, (char *)path);
    if (err != CRYPTO_OK) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno, "sluice: \"%s\": %s", path,
                      crypto_strerror(err));
    }
    return key;
}

void sluice_keys_load(ngx_log_t *log, ngx_str_t dir)
{
    sluice_keys_t *keys = &sluice_worker.keys;
    if (!keys->answer) {
        keys->answer = load(log, dir, "answer.key");
    }
    for (size_t i = 0; i < SLUICE_BODY_KEYS; i++) {
        struct crypto_key *key = keys->body[i] ? NULL : load(log, dir, body_names[i]);
        if (key) {
            keys->body[i] = jwe_key_take(&key, slice_str(crypto_key_id(key)));
        }
    }
}

void sluice_keys_free(void)
{
    crypto_key_free(&sluice_worker.keys.answer);
    for (size_t i = 0; i < SLUICE_BODY_KEYS; i++) {
        jwe_key_free(&sluice_worker.keys.body[i]);
    }
}
