/* SPDX-License-Identifier: Apache-2.0 */
/* Proofs of possession at the token endpoint, introspection and userinfo (RFC 9449): judged by
 * libs/jwt as at the gateway, and good once. */
#include <stdio.h>

#include "base/codec.h"
#include "jwt/dpop.h"
#include "oauth/inner.h"

bool dpop_check(struct rest_call *c, const char *access_token,
                uint8_t thumb[static CRYPTO_HASH_LEN], struct oauth_error *e)
{
    const char *text = rest_request_header(c, "DPoP");
    char here[700], scope[5 + CODEC_HEX_LEN(CRYPTO_HASH_LEN) + 1] = "dpop:";
    struct dpop proof;

    snprintf(here, sizeof here, "%s%s", oauth_issuer(c->ctl), c->req->path);
    const struct dpop_call call = {.method = slice_str(c->req->method),
                                   .url = slice_str(here),
                                   .access_token = slice_str(access_token ? access_token : ""),
                                   .now_s = c->now_ms / 1000};
    enum dpop_err err = dpop_judge(&proof, slice_str(text ? text : ""), &call);
    if (err != DPOP_OK) {
        return oauth_refuse(e, "invalid_dpop_proof", "%s", dpop_strerror(err));
    }
    memcpy(thumb, proof.thumb, CRYPTO_HASH_LEN);
    scope[5 + codec_hex(scope + 5, thumb, CRYPTO_HASH_LEN)] = '\0';
    if (!oauth_once(c, scope, proof.jti, proof.spent_until_s, e)) {
        return strcmp(e->code, "invalid_request") == 0
                   ? oauth_refuse(e, "invalid_dpop_proof", "the DPoP proof has been used")
                   : false;
    }
    return true;
}
