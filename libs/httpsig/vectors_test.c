/* SPDX-License-Identifier: Apache-2.0 */
/* tests/vectors/httpsig.json, made by another reading of the RFC; its path is argv[1]. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/codec.h"
#include "crypto/crypto.h"
#include "httpsig/httpsig.h"

#define VECTORS_MIN 10

static const char *path;

static struct slice text_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    assert_true(json_is_string(value));
    return slice_of(json_string_value(value), json_string_length(value));
}

static bool field(void *ctx, struct slice name, struct slice *value)
{
    const json_t *found = json_object_getn(ctx, name.p, name.n);
    *value = slice_of(json_string_value(found), json_string_length(found));
    return found != NULL;
}

static void check_body(const json_t *request)
{
    if (json_object_get(request, "body") == NULL) {
        return;
    }
    struct slice body = text_of(request, "body");
    enum httpsig_digest alg;
    uint8_t want[CRYPTO_HASH_LEN], got[CRYPTO_HASH_LEN];
    struct slice digest = text_of(json_object_get(request, "headers"), "content-digest");
    assert_int_equal(httpsig_digest_parse(digest, &alg, want), HTTPSIG_OK);
    crypto_hash(alg == HTTPSIG_DIGEST_SM3 ? CRYPTO_SM3 : CRYPTO_SHA256, body.p, body.n, got);
    assert_memory_equal(got, want, sizeof got);
}

static void check(const json_t *vector)
{
    const json_t *request = json_object_get(vector, "request");
    struct httpsig_request req = {.method = text_of(request, "method"),
                                  .scheme = text_of(request, "scheme"),
                                  .authority = text_of(request, "authority"),
                                  .target = text_of(request, "target"),
                                  .field = field,
                                  .ctx = json_object_get(request, "headers")};
    struct httpsig s;
    size_t bad_at, n, key_n;
    char base[4096];
    assert_int_equal(httpsig_parse(&s, text_of(vector, "signature_input"),
                                   text_of(vector, "signature"), &bad_at),
                     HTTPSIG_OK);
    assert_int_equal(httpsig_base(&s, &req, base, sizeof base, &n), HTTPSIG_OK);
    struct slice want = text_of(vector, "base"), secret = text_of(vector, "secret");
    if (!slice_eq(slice_of(base, n), want)) {
        fail_msg("%s:\n%.*s", json_string_value(json_object_get(vector, "name")), (int)n, base);
    }
    assert_true(slice_eq(s.keyid, text_of(vector, "keyid")));
    assert_true(slice_eq(s.alg, text_of(vector, "algorithm")));
    uint8_t key[64], mac[CRYPTO_HASH_LEN];
    assert_true(codec_unbase64url(key, sizeof key, &key_n, secret.p, secret.n));
    enum crypto_hash alg = slice_eq(s.alg, SLICE("hmac-sm3")) ? CRYPTO_SM3 : CRYPTO_SHA256;
    struct crypto_hmac *h = crypto_hmac_new(alg, key, key_n);
    crypto_hmac_sign(h, base, n, mac);
    crypto_hmac_free(&h);
    assert_int_equal(s.sig_n, sizeof mac);
    assert_memory_equal(mac, s.sig, sizeof mac);
    check_body(request);
}

static void vectors(void **state)
{
    (void)state;
    json_error_t error;
    json_t *all = json_load_file(path, 0, &error), *vector;
    if (all == NULL) {
        fail_msg("%s: %s", path, error.text);
    }
    assert_in_range(json_array_size(all), VECTORS_MIN, 1000);
    size_t i;
    json_array_foreach(all, i, vector)
    {
        check(vector);
    }
    json_decref(all);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        {"[EC-6.1.3.1b] httpsig: signed requests made by another implementation", vectors, NULL,
         NULL, NULL},
    };
    path = argc > 1 ? argv[1] : "tests/vectors/httpsig.json";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
