/* SPDX-License-Identifier: Apache-2.0 */
#include "jwe/jwe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/codec.h"

static struct crypto_policy policy;
static struct jwe_key *keys[3]; /* SM2, P-256, another P-256 */

static struct jwe_key *make(enum crypto_key_kind kind, const char *kid)
{
    struct crypto_key *key = crypto_key_new(kind);
    return jwe_key_take(&key, slice_str(kid));
}

static int make_keys(void **state)
{
    (void)state;
    crypto_policy_init(&policy);
    keys[0] = make(CRYPTO_KEY_SM2, "sm2-1");
    keys[1] = make(CRYPTO_KEY_P256, "ec-1");
    keys[2] = make(CRYPTO_KEY_P256, "ec-2");
    return keys[0] && keys[1] && keys[2] ? 0 : -1;
}

static int free_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        jwe_key_free(&keys[i]);
    }
    return 0;
}

static enum jwe_err open_text(struct slice sealed, struct buf *out, char *cty)
{
    return jwe_open(keys, 3, &policy, 1000, sealed, out, cty);
}

static void round_trip(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 3, 15, 16, 17, 1000, 100000};
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            struct buf sealed, plain;
            char cty[JWE_CTY_MAX + 1], *text = malloc(sizes[i] + 1);
            memset(text, 'p', sizes[i] + 1);
            buf_init(&sealed);
            buf_init(&plain);
            buf_adds(&plain, "before");
            assert_int_equal(
                jwe_seal(keys[k], SLICE("application/json"), slice_of(text, sizes[i]), &sealed),
                JWE_OK);
            assert_int_equal(open_text(buf_slice(&sealed), &plain, cty), JWE_OK);
            assert_string_equal(cty, "application/json");
            assert_int_equal(plain.n, sizes[i] + 6);
            assert_memory_equal(plain.p + 6, text, sizes[i]);
            free(text);
            buf_fini(&sealed);
            buf_fini(&plain);
        }
    }
}

static void sealed_for(size_t k, struct buf *sealed)
{
    buf_init(sealed);
    assert_int_equal(jwe_seal(keys[k], SLICE("text/plain"), SLICE("the plain text of it"), sealed),
                     JWE_OK);
}

/* Every byte of either suite's text, changed: never opened, nothing of the plain text given. */
static void altered(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct buf sealed, plain;
        char cty[JWE_CTY_MAX + 1];
        sealed_for(k, &sealed);
        buf_init(&plain);
        for (size_t i = 0; i < sealed.n; i++) {
            char was = sealed.p[i];
            sealed.p[i] = was == 'A' ? 'B' : 'A';
            assert_int_not_equal(open_text(buf_slice(&sealed), &plain, cty), JWE_OK);
            assert_int_equal(plain.n, 0);
            sealed.p[i] = was;
        }
        for (size_t n = 0; n < sealed.n; n++) {
            assert_int_not_equal(open_text(slice_of(sealed.p, n), &plain, cty), JWE_OK);
        }
        buf_addc(&sealed, 'A');
        assert_int_not_equal(open_text(buf_slice(&sealed), &plain, cty), JWE_OK);
        buf_fini(&sealed);
        buf_fini(&plain);
    }
}

/* The header replaced, the rest of a good text kept: what is wrong with it is told before a key is
 * used. */
static void bad_headers(void **state)
{
    static const struct {
        const char *header;
        enum jwe_err err;
    } rows[] = {
        {"", JWE_EFORMAT},
        {"[]", JWE_EFORMAT},
        {"{}", JWE_EALG},
        {"{\"alg\":\"SM2\"}", JWE_EALG},
        {"{\"alg\":\"SM2\",\"enc\":\"SM4GCM\"}x", JWE_EFORMAT},
        {"{\"alg\":\"SM2\",\"alg\":\"SM2\",\"enc\":\"SM4GCM\"}", JWE_EFORMAT},
        {"{\"alg\":1,\"enc\":\"SM4GCM\"}", JWE_EFORMAT},
        {"{\"alg\":\"\",\"enc\":\"SM4GCM\"}", JWE_EFORMAT},
        {"{\"alg\":\"none\",\"enc\":\"SM4GCM\"}", JWE_EALG},
        {"{\"alg\":\"dir\",\"enc\":\"A256GCM\"}", JWE_EALG},
        {"{\"alg\":\"RSA1_5\",\"enc\":\"A256GCM\"}", JWE_EALG},
        {"{\"alg\":\"PBES2-HS256+A128KW\",\"enc\":\"A256GCM\",\"p2c\":2000000000}", JWE_EALG},
        {"{\"alg\":\"SM2\",\"enc\":\"A256GCM\"}", JWE_EALG},
        {"{\"alg\":\"ECDH-ES\",\"enc\":\"SM4GCM\"}", JWE_EALG},
        {"{\"alg\":\"ECDH-ES\",\"enc\":\"A128CBC-HS256\"}", JWE_EALG},
        {"{\"alg\":\"SM2\",\"enc\":\"SM4GCM\",\"zip\":\"DEF\"}", JWE_EALG},
        {"{\"alg\":\"SM2\",\"enc\":\"SM4GCM\",\"crit\":[\"exp\"]}", JWE_EALG},
        {"{\"alg\":\"SM2\",\"enc\":\"SM4GCM\",\"kid\":\"other\"}", JWE_EKEY},
        {"{\"alg\":\"SM2\",\"enc\":\"SM4GCM\",\"kid\":\"ec-1\"}", JWE_EKEY},
        {"{\"alg\":\"SM2\",\"enc\":\"SM4GCM\",\"kid\":7}", JWE_EFORMAT},
        {"{\"alg\":\"SM2\",\"enc\":\"SM4GCM\",\"digest\":\"AAAA\"}", JWE_EFORMAT},
        {"{\"alg\":\"SM2\",\"enc\":\"SM4GCM\",\"cty\":\"a\\nb\"}", JWE_EFORMAT},
        {"{\"alg\":\"SM2\",\"enc\":\"SM4GCM\"}", JWE_EOPEN},
        {"{\"alg\":\"ECDH-ES\",\"enc\":\"A256GCM\"}", JWE_EFORMAT},
    };
    struct buf sealed, plain;
    char cty[JWE_CTY_MAX + 1];
    (void)state;
    sealed_for(0, &sealed);
    buf_init(&plain);
    const char *rest = memchr(sealed.p, '.', sealed.n);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        struct buf changed;
        buf_init(&changed);
        buf_add(&changed, text, codec_base64url(text, rows[i].header, strlen(rows[i].header)));
        buf_add(&changed, rest, (size_t)(sealed.p + sealed.n - rest));
        enum jwe_err err = open_text(buf_slice(&changed), &plain, cty);
        if (err != rows[i].err) {
            fail_msg("%s: %s", rows[i].header, jwe_strerror(err));
        }
        assert_int_equal(plain.n, 0);
        buf_fini(&changed);
    }
    buf_fini(&sealed);
    buf_fini(&plain);
}

static void bad_shapes(void **state)
{
    static const char *const rows[] = {"",           ".",           "....",        "....x",
                                       "a.b.c.d",    "a.b.c.d.e.f", "e30....AAAA", "e30=....AAAA",
                                       "{}....AAAA", "e30.a.a.a.a"};
    struct buf plain;
    char cty[JWE_CTY_MAX + 1];
    (void)state;
    buf_init(&plain);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_not_equal(open_text(slice_str(rows[i]), &plain, cty), JWE_OK);
    }
    char *big = malloc(1 << 20);
    memset(big, 'A', 1 << 20);
    assert_int_equal(open_text(slice_of(big, 1 << 20), &plain, cty), JWE_EFORMAT);
    memcpy(big + (1 << 20) - 8, ".A.A.A.A", 8);
    assert_int_equal(open_text(slice_of(big, 1 << 20), &plain, cty), JWE_EFORMAT);
    free(big);
    buf_fini(&plain);
}

static void wrong_key(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct jwe_key *other = make(k == 0 ? CRYPTO_KEY_SM2 : CRYPTO_KEY_P256,
                                     keys[k] ? (k == 0 ? "sm2-1" : "ec-1") : "");
        struct buf sealed, plain;
        char cty[JWE_CTY_MAX + 1];
        sealed_for(k, &sealed);
        buf_init(&plain);
        assert_int_equal(jwe_open(&other, 1, &policy, 1000, buf_slice(&sealed), &plain, cty),
                         JWE_EOPEN);
        assert_int_equal(jwe_open(&keys[2], 1, &policy, 1000, buf_slice(&sealed), &plain, cty),
                         JWE_EKEY);
        buf_fini(&sealed);
        buf_fini(&plain);
        jwe_key_free(&other);
    }
}

static void switched_off(void **state)
{
    static const char *const names[] = {"SM2", "SM4GCM", "ECDH-ES", "A256GCM"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct crypto_policy off = policy;
        struct buf sealed, plain;
        char cty[JWE_CTY_MAX + 1];
        sealed_for(i / 2, &sealed);
        buf_init(&plain);
        assert_true(crypto_policy_set(&off, slice_str(names[i]), CRYPTO_DEPRECATED, 2000));
        assert_int_equal(jwe_open(keys, 3, &off, 1999, buf_slice(&sealed), &plain, cty), JWE_OK);
        assert_int_equal(jwe_open(keys, 3, &off, 2000, buf_slice(&sealed), &plain, cty), JWE_EALG);
        assert_false(jwe_key_allowed(keys[i / 2], &off, 2000));
        assert_true(jwe_key_allowed(keys[1 - i / 2], &off, 2000));
        buf_fini(&sealed);
        buf_fini(&plain);
    }
}

static void cannot_take(void **state)
{
    struct crypto_key *rsa = crypto_key_new(CRYPTO_KEY_RSA), *ec = crypto_key_new(CRYPTO_KEY_P256);
    struct buf out;
    (void)state;
    assert_null(jwe_key_take(&rsa, SLICE("rsa")));
    assert_null(rsa);
    assert_null(jwe_key_take(&ec, SLICE("")));
    buf_init(&out);
    buf_adds(&out, "kept");
    assert_int_equal(jwe_seal(keys[0], SLICE("a\r\nb"), SLICE("x"), &out), JWE_EFORMAT);
    assert_int_equal(out.n, 4);
    buf_fini(&out);
}

/* A header whose digest is another's: sealed by hand with SM2's suite, so all but that is right. */
static void wrong_digest(void **state)
{
    static const char header[] = "{\"alg\":\"SM2\",\"enc\":\"SM4GCM\","
                                 "\"digest\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}";
    uint8_t key[CRYPTO_KEY_LEN] = {7}, wrapped[256], sealed[CRYPTO_SEAL_EXTRA + 5];
    char part[512];
    size_t wrapped_n, n;
    struct crypto_key *pair = crypto_key_new(CRYPTO_KEY_SM2);
    struct buf text, plain;
    char cty[JWE_CTY_MAX + 1];
    (void)state;
    buf_init(&text);
    buf_init(&plain);
    assert_int_equal(crypto_sm2_encrypt(pair, key, 16, wrapped, sizeof wrapped, &wrapped_n), 0);
    n = codec_base64url(part, header, sizeof header - 1);
    crypto_seal(key, slice_of(part, n), "plain", 5, sealed);
    buf_add(&text, part, n);
    const struct {
        const uint8_t *p;
        size_t n;
    } rest[] = {{wrapped, wrapped_n}, {sealed, 12}, {sealed + 12, 5}, {sealed + 17, 16}};
    for (size_t i = 0; i < 4; i++) {
        buf_addc(&text, '.');
        buf_add(&text, part, codec_base64url(part, rest[i].p, rest[i].n));
    }
    struct jwe_key *own = jwe_key_take(&pair, SLICE("own"));
    assert_int_equal(jwe_open(&own, 1, &policy, 0, buf_slice(&text), &plain, cty), JWE_EDIGEST);
    assert_int_equal(plain.n, 0);
    jwe_key_free(&own);
    buf_fini(&text);
    buf_fini(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[SW-9.8-tra4] what is sealed in either suite opens as it was", round_trip, NULL, NULL,
         NULL},
        {"[BK-7.2.2b1] one changed byte anywhere is refused", altered, NULL, NULL, NULL},
        {"headers that are refused, and for what", bad_headers, NULL, NULL, NULL},
        {"what is not five parts is refused", bad_shapes, NULL, NULL, NULL},
        {"[SW-9.4-1a] another key does not open it", wrong_key, NULL, NULL, NULL},
        {"[BK-7.1a] a suite that is switched off opens nothing", switched_off, NULL, NULL, NULL},
        {"what cannot be sealed with is refused", cannot_take, NULL, NULL, NULL},
        {"[CI-6.2.1f] a digest that is not the plain text's is refused", wrong_digest, NULL, NULL,
         NULL},
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
