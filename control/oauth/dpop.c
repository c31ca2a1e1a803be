/* SPDX-License-Identifier: Apache-2.0 */
/* Proofs of possession (RFC 9449). A proof is for one method and address, for a minute, and once.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/codec.h"
#include "oauth/inner.h"

static bool wrong(struct oauth_error *e, const char *why)
{
    return oauth_refuse(e, "invalid_dpop_proof", "the DPoP proof %s", why);
}

/* The address without query and fragment is what counts (RFC 9449 4.3). */
static bool address_fits(struct rest_call *c, const char *htu)
{
    char here[700];
    size_t n = strcspn(htu, "?#");

    snprintf(here, sizeof here, "%s%s", oauth_issuer(c->ctl), c->req->path);
    return strlen(here) == n && memcmp(here, htu, n) == 0;
}

static bool load_key(const struct jwt *j, struct crypto_key **key)
{
    const json_t *jwk = json_object_get(j->header, "jwk");
    char *text =
        json_is_object(jwk) && !json_object_get(jwk, "d") ? json_dumps(jwk, JSON_COMPACT) : NULL;
    bool ok = text && crypto_key_load_jwk(key, CRYPTO_KEY_PUBLIC, slice_str(text)) == CRYPTO_OK;

    free(text);
    return ok;
}

static bool token_fits(const struct jwt *j, const char *access_token)
{
    uint8_t digest[CRYPTO_HASH_LEN];
    char text[CODEC_BASE64URL_LEN(CRYPTO_HASH_LEN) + 1];

    crypto_hash(CRYPTO_SHA256, access_token, strlen(access_token), digest);
    text[codec_base64url(text, digest, sizeof digest)] = '\0';
    return strcmp(jwt_text(j, "ath"), text) == 0;
}

static bool claims_fit(struct rest_call *c, const struct jwt *j, const char *access_token,
                       struct oauth_error *e)
{
    uint64_t iat = 0, now_s = c->now_ms / 1000;
    const char *jti = jwt_text(j, "jti"),
               *typ = json_string_value(json_object_get(j->header, "typ"));

    if (!typ || strcmp(typ, "dpop+jwt") != 0) {
        return wrong(e, "is not of type dpop+jwt");
    }
    if (strcmp(jwt_text(j, "htm"), c->req->method) != 0) {
        return wrong(e, "is for another method");
    }
    if (!address_fits(c, jwt_text(j, "htu"))) {
        return wrong(e, "is for another address");
    }
    if (!jwt_seconds(j, "iat", &iat) || iat > now_s + OAUTH_CLOCK_SKEW_S ||
        iat + OAUTH_CLOCK_SKEW_S < now_s) {
        return wrong(e, "was not made within the last minute");
    }
    if (!jti[0] || strlen(jti) > OAUTH_JTI_MAX) {
        return wrong(e, "has no usable jti");
    }
    return !access_token || token_fits(j, access_token) ? true
                                                        : wrong(e, "is for another access token");
}

static bool check(struct rest_call *c, const struct jwt *j, const char *access_token,
                  uint8_t thumb[static CRYPTO_HASH_LEN], struct oauth_error *e)
{
    struct crypto_key *key = NULL;
    char scope[5 + CODEC_HEX_LEN(CRYPTO_HASH_LEN) + 1] = "dpop:";
    uint64_t iat = 0;

    if (!claims_fit(c, j, access_token, e)) {
        return false;
    }
    if (!load_key(j, &key)) {
        return wrong(e, "has no public key of its own");
    }
    bool genuine = jwt_verify(j, key) == JWT_OK;
    crypto_key_thumbprint(key, thumb);
    crypto_key_free(&key);
    if (!genuine || !jwt_seconds(j, "iat", &iat)) {
        return wrong(e, "is not signed by its key");
    }
    scope[5 + codec_hex(scope + 5, thumb, CRYPTO_HASH_LEN)] = '\0';
    if (!oauth_once(c, scope, jwt_text(j, "jti"), iat + OAUTH_CLOCK_SKEW_S, e)) {
        return strcmp(e->code, "invalid_request") == 0 ? wrong(e, "has been used") : false;
    }
    return true;
}

bool dpop_check(struct rest_call *c, const char *access_token,
                uint8_t thumb[static CRYPTO_HASH_LEN], struct oauth_error *e)
{
    const char *text = rest_request_header(c, "DPoP");
    struct jwt j = {0};

    if (!text) {
        return wrong(e, "is missing");
    }
    if (jwt_read(&j, slice_str(text)) != JWT_OK) {
        return wrong(e, "cannot be read");
    }
    bool ok = check(c, &j, access_token, thumb, e);
    jwt_fini(&j);
    return ok;
}
