/* SPDX-License-Identifier: Apache-2.0 */
/* Against forms that another site sends (CSRF): each carries a MAC that only we can make for this
 * browser, and a browser that says where a request comes from is believed. */
#include "web/web.h"

#include "base/codec.h"
#include "crypto/crypto.h"

void form_token(struct rest_call *c, const char *form, char out[static FORM_TOKEN_TEXT])
{
    uint8_t mac[CRYPTO_HASH_LEN];
    char fresh[FORM_TOKEN_TEXT];
    const char *whose = c->user.role ? c->user.session : web_browser(c, fresh);

    struct crypto_hmac *h =
        crypto_hmac_new(CRYPTO_SM3, keyring_kept(c->ctl, KEYRING_FORMS), CRYPTO_KEY_LEN);
    crypto_hmac_begin(h);
    crypto_hmac_add(h, form, strlen(form) + 1);
    crypto_hmac_add(h, whose, strlen(whose));
    crypto_hmac_end(h, mac);
    crypto_hmac_free(&h);
    out[codec_base64url(out, mac, sizeof mac)] = '\0';
}

void form_guard(struct page *p, const char *form)
{
    char token[FORM_TOKEN_TEXT];

    form_token(p->c, form, token);
    page_hidden(p, "form_token", token);
}

bool form_from_us(const struct rest_call *c)
{
    const char *site = rest_request_header(c, "Sec-Fetch-Site"),
               *origin = rest_request_header(c, "Origin");

    return (!site || strcmp(site, "same-origin") == 0) &&
           (!origin || strcmp(origin, oauth_issuer(c->ctl)) == 0 || strcmp(origin, "null") == 0);
}

enum problem form_check(struct rest_call *c, const char *form)
{
    const char *shown = rest_form(c, "form_token");
    char token[FORM_TOKEN_TEXT];

    if (!form_from_us(c)) {
        return PROBLEM_FORM_STALE;
    }
    form_token(c, form, token);
    return shown && strlen(shown) == strlen(token) && crypto_equal(shown, token, strlen(token))
               ? PROBLEM_OK
               : PROBLEM_FORM_STALE;
}
