/* SPDX-License-Identifier: Apache-2.0 */
/* tests/vectors/signed.json: requests and responses signed by key pairs, one by one and in batches,
 * made by other implementations; its path is argv[1]. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "crypto/key.h"
#include "httpsig/batch.h"

#define VECTORS_MIN 12

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

static size_t read_base(const json_t *vector, struct httpsig *s, char *base, size_t cap)
{
    const json_t *request = json_object_get(vector, "request"),
                 *response = json_object_get(vector, "response"),
                 *headers = json_object_get(response != NULL ? response : request, "headers");
    struct httpsig_request req = {.method = text_of(request, "method"),
                                  .scheme = text_of(request, "scheme"),
                                  .authority = text_of(request, "authority"),
                                  .target = text_of(request, "target"),
                                  .field = field,
                                  .ctx = json_object_get(request, "headers")};
    struct httpsig_response res = {.field = field, .ctx = json_object_get(response, "headers")};
    struct slice input = text_of(headers, "signature-input"), sig = text_of(headers, "signature");
    struct slice missing;
    size_t bad_at, n = 0;
    if (response == NULL) {
        assert_int_equal(httpsig_parse(s, input, sig, &bad_at), HTTPSIG_OK);
        assert_int_equal(httpsig_covers(s, NULL, 0, &missing), HTTPSIG_OK);
        assert_int_equal(httpsig_base(s, &req, base, cap, &n), HTTPSIG_OK);
        return n;
    }
    res.status = (unsigned)json_integer_value(json_object_get(response, "status"));
    assert_int_equal(httpsig_parse_response(s, input, sig, &bad_at), HTTPSIG_OK);
    assert_int_equal(httpsig_covers_response(s, NULL, 0, &missing), HTTPSIG_OK);
    assert_int_equal(httpsig_base_response(s, &res, &req, base, cap, &n), HTTPSIG_OK);
    return n;
}

/* One more: what the SM2 key signed for the batch. */
static bool is_valid_in_batch(const json_t *vector, const struct crypto_key *key,
                              const struct httpsig *s, struct slice base, bool changed)
{
    struct httpsig_batch batch;
    struct merkle_node root;
    char text[HTTPSIG_BATCH_TEXT_MAX];
    assert_true(httpsig_batch_decode(&batch, s->sig, s->sig_n));
    httpsig_batch_root(&batch, base, &root);
    size_t n = httpsig_batch_text(batch.size, &root, text);
    assert_int_equal(slice_eq(slice_of(text, n), text_of(vector, "text")), !changed);
    return crypto_key_verify(key, CRYPTO_ALG_SM2_SM3, text, n, batch.sig, sizeof batch.sig) ==
           CRYPTO_OK;
}

static bool is_valid(const json_t *vector, const struct crypto_key *key, const struct httpsig *s,
                     struct slice base, bool changed)
{
    enum crypto_alg alg;
    if (slice_eq(s->alg, SLICE(HTTPSIG_BATCH_ALG))) {
        return is_valid_in_batch(vector, key, s, base, changed);
    }
    assert_true(crypto_algorithm_find(s->alg, &alg));
    return crypto_key_verify(key, alg, base.p, base.n, s->sig, s->sig_n) == CRYPTO_OK;
}

static void check(const json_t *vector)
{
    const char *name = json_string_value(json_object_get(vector, "name"));
    struct crypto_key *key = NULL;
    struct httpsig s;
    char base[4096];
    assert_int_equal(crypto_key_load_pem(&key, CRYPTO_KEY_PUBLIC, text_of(vector, "key")),
                     CRYPTO_OK);
    size_t n = read_base(vector, &s, base, sizeof base);
    if (!slice_eq(slice_of(base, n), text_of(vector, "base"))) {
        fail_msg("%s:\n%.*s", name, (int)n, base);
    }
    assert_true(slice_eq(s.alg, text_of(vector, "algorithm")));
    if (!is_valid(vector, key, &s, slice_of(base, n), false)) {
        fail_msg("%s: the signature does not verify", name);
    }
    base[n / 2] ^= 1;
    if (is_valid(vector, key, &s, slice_of(base, n), true)) {
        fail_msg("%s: another message verifies too", name);
    }
    crypto_key_free(&key);
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
        {"[BK-7.2.2b2] httpsig: requests and answers signed by other implementations, alone and in "
         "batches",
         vectors, NULL, NULL, NULL},
    };
    path = argc > 1 ? argv[1] : "tests/vectors/signed.json";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
