/* SPDX-License-Identifier: Apache-2.0 */
#include "jwt/dpop.h"

#include <stdlib.h>

#include "base/codec.h"

const char *dpop_strerror(enum dpop_err err)
{
    static const char *const text[] = {
        [DPOP_OK] = "no error",
        [DPOP_EFORMAT] = "not a signed DPoP proof",
        [DPOP_EKEY] = "its key is not one for ES256, PS256, PS512 or SM2",
        [DPOP_ESIGNATURE] = "the proof's signature does not match",
        [DPOP_ECALL] = "the proof is for another method, address or token",
        [DPOP_ETIME] = "the proof was made more than a minute before or after now",
    };
    return (size_t)err < sizeof text / sizeof *text ? text[err] : "unknown error of a DPoP proof";
}

static bool member_is(const json_t *object, const char *name, struct slice wanted)
{
    const json_t *v = json_object_get(object, name);

    return json_is_string(v) &&
           slice_eq(slice_of(json_string_value(v), json_string_length(v)), wanted);
}

static bool load_key(const json_t *header, struct crypto_key **key)
{
    const json_t *jwk = json_object_get(header, "jwk");
    char *text = json_is_object(jwk) ? json_dumps(jwk, JSON_COMPACT) : NULL;
    bool ok = text && crypto_key_load_jwk(key, CRYPTO_KEY_PUBLIC, slice_str(text)) == CRYPTO_OK;

    free(text);
    return ok;
}

/* The address as it was sent; a query or fragment the client left on is not looked at. */
static bool address_is(const struct jwt *j, struct slice url)
{
    const char *htu = jwt_text(j, "htu");

    return slice_eq(slice_of(htu, strcspn(htu, "?#")), url);
}

static bool token_is(const struct jwt *j, struct slice token)
{
    uint8_t hash[CRYPTO_HASH_LEN];
    char text[CODEC_BASE64URL_LEN(CRYPTO_HASH_LEN)];

    if (token.n == 0) {
        return true;
    }
    crypto_hash(CRYPTO_SHA256, token.p, token.n, hash);
    size_t n = codec_base64url(text, hash, sizeof hash);
    return member_is(j->claims, "ath", slice_of(text, n));
}

static enum dpop_err judge_claims(struct dpop *out, const struct jwt *j,
                                  const struct dpop_call *call)
{
    const json_t *jti = json_object_get(j->claims, "jti");
    uint64_t iat_s = 0;

    if (!json_is_string(jti) || json_string_length(jti) == 0 ||
        json_string_length(jti) > DPOP_JTI_MAX || !jwt_seconds(j, "iat", &iat_s)) {
        return DPOP_EFORMAT;
    }
    if (!member_is(j->claims, "htm", call->method) || !address_is(j, call->url) ||
        !token_is(j, call->access_token)) {
        return DPOP_ECALL;
    }
    if (iat_s > call->now_s + DPOP_WINDOW_S || iat_s + DPOP_WINDOW_S < call->now_s) {
        return DPOP_ETIME;
    }
    memcpy(out->jti, json_string_value(jti), json_string_length(jti) + 1);
    out->spent_until_s = iat_s + DPOP_WINDOW_S + 1;
    return DPOP_OK;
}

static enum dpop_err judge(struct dpop *out, const struct jwt *j, const struct dpop_call *call)
{
    struct crypto_key *key = NULL;

    if (!member_is(j->header, "typ", SLICE("dpop+jwt"))) {
        return DPOP_EFORMAT;
    }
    if (!load_key(j->header, &key)) {
        return DPOP_EKEY;
    }
    enum jwt_err verified = jwt_verify(j, key);
    crypto_key_thumbprint(key, out->thumb);
    crypto_key_free(&key);
    return verified == JWT_OK ? judge_claims(out, j, call)
                              : (verified == JWT_EALGORITHM ? DPOP_EKEY : DPOP_ESIGNATURE);
}

enum dpop_err dpop_judge(struct dpop *out, struct slice proof, const struct dpop_call *call)
{
    struct jwt j;
    enum jwt_err err = jwt_read(&j, proof);

    if (err != JWT_OK) {
        return err == JWT_EALGORITHM ? DPOP_EKEY : DPOP_EFORMAT;
    }
    enum dpop_err verdict = judge(out, &j, call);
    jwt_fini(&j);
    return verdict;
}
