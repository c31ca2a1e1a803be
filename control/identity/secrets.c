/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "base/codec.h"
#include "identity/inner.h"

#define CONTEXT_MAX 96

/* The place a secret belongs to is bound to it: moved to another user or column it does not open.
 */
static void context_of(const char *user_id, const char *attribute, char out[static CONTEXT_MAX])
{
    snprintf(out, CONTEXT_MAX, "%s/%s", user_id, attribute);
}

json_t *secret_seal(const struct rest_call *c, const char *user_id, const char *attribute,
                    struct slice plain)
{
    char context[CONTEXT_MAX];

    context_of(user_id, attribute, context);
    return api_seal_kept(c->ctl, context, plain);
}

bool secret_open(const struct rest_call *c, const json_t *user, const char *attribute, char *out,
                 size_t cap, size_t *n)
{
    const char *text = row_text(user, attribute);
    size_t text_n = strlen(text), sealed_n = 0;
    uint8_t *sealed = malloc(text_n + 1);
    char context[CONTEXT_MAX];

    context_of(row_text(user, "id"), attribute, context);
    bool ok =
        sealed && text_n > 0 && codec_unbase64url(sealed, text_n, &sealed_n, text, text_n) &&
        sealed_n >= CRYPTO_SEAL_EXTRA && sealed_n - CRYPTO_SEAL_EXTRA < cap &&
        keyring_open(c->ctl, slice_str(context), sealed, sealed_n, (uint8_t *)out) == CRYPTO_OK;
    *n = ok ? sealed_n - CRYPTO_SEAL_EXTRA : 0;
    out[*n] = '\0';
    free(sealed);
    return ok;
}
