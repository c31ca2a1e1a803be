/* SPDX-License-Identifier: Apache-2.0 */
#include "link/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/codec.h"
#include "plan/plan.h"

#define NOW_MS 1800000000000u

static struct crypto_hmac *key;
static const struct slice method = {"GET", 3};
static const struct slice target = {"/trade/orders/v1?select=id,buyer&limit=20", 41};

static struct link_call example(void)
{
    struct link_call call = {.api_rev = 0x1122334455667788u, .issued_ms = NOW_MS, .n_fields = 17};
    memset(call.txn.b, 1, UUID_LEN);
    memset(call.api.b, 2, UUID_LEN);
    memset(call.app.b, 3, UUID_LEN);
    memset(call.grant.b, 4, UUID_LEN);
    call.owner = SLICE("商户-00042");
    for (uint32_t i = 0; i < POLICY_FIELDS_MAX; i++) {
        call.outcome[i] = (uint8_t)(i % 3);
    }
    return call;
}

static void assert_same(const struct link_call *a, const struct link_call *b)
{
    assert_memory_equal(&a->txn, &b->txn, 4 * sizeof a->txn);
    assert_true(a->api_rev == b->api_rev && a->issued_ms == b->issued_ms);
    assert_true(a->sandbox == b->sandbox);
    assert_true(slice_eq(a->owner, b->owner));
    assert_true(slice_eq(a->rows, b->rows));
    assert_int_equal(a->n_fields, b->n_fields);
    assert_memory_equal(a->outcome, b->outcome, a->n_fields);
}

static void round_trip(void **state)
{
    (void)state;
    static const uint32_t counts[] = {0, 1, 3, 4, 5, 17, 511, 512};
    static char owner[LINK_OWNER_MAX];
    static char rows[POLICY_ROWS_BOTH];
    memset(owner, 'o', sizeof owner);
    memset(rows, 'r', sizeof rows);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct link_call call = example(), got;
        call.n_fields = counts[i];
        call.sandbox = i % 2;
        call.owner = slice_of(owner, i * 128 / 7);
        call.rows = slice_of(rows, i * POLICY_ROWS_BOTH / 7);
        char text[LINK_TEXT_MAX];
        uint8_t scratch[LINK_TEXT_MAX];
        memset(&got, '?', sizeof got);
        size_t n = link_encode(&call, key, method, target, text);
        assert_in_range(n, 1, LINK_TEXT_MAX);
        assert_int_equal(link_decode(&got, key, method, target, slice_of(text, n), NOW_MS, scratch),
                         LINK_OK);
        assert_same(&call, &got);
    }
}

static void encode_refuses(void **state)
{
    (void)state;
    static char long_text[POLICY_ROWS_BOTH + 1];
    char text[LINK_TEXT_MAX];
    struct link_call call = example();
    call.rows = slice_of(long_text, POLICY_ROWS_BOTH + 1);
    assert_int_equal(link_encode(&call, key, method, target, text), 0);
    call = example();
    call.owner = slice_of(long_text, LINK_OWNER_MAX + 1);
    assert_int_equal(link_encode(&call, key, method, target, text), 0);
    call = example();
    call.n_fields = POLICY_FIELDS_MAX + 1;
    assert_int_equal(link_encode(&call, key, method, target, text), 0);
    call = example();
    assert_int_equal(link_encode(&call, key, slice_of(long_text, 256), target, text), 0);
}

static void window(void **state)
{
    (void)state;
    static const struct {
        int64_t late_ms;
        enum link_err err;
    } rows[] = {
        {0, LINK_OK},
        {30000, LINK_OK},
        {-30000, LINK_OK},
        {30001, LINK_ESTALE},
        {-30001, LINK_ESTALE},
        {3600000, LINK_ESTALE},
        {-(int64_t)NOW_MS, LINK_ESTALE},
    };
    struct link_call call = example(), got;
    char text[LINK_TEXT_MAX];
    uint8_t scratch[LINK_TEXT_MAX];
    size_t n = link_encode(&call, key, method, target, text);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t now_ms = NOW_MS + (uint64_t)rows[i].late_ms;
        assert_int_equal(link_decode(&got, key, method, target, slice_of(text, n), now_ms, scratch),
                         rows[i].err);
    }
}

/* Moved to another request, or with any one byte changed, it is refused. */
static void bound(void **state)
{
    (void)state;
    struct link_call call = example(), got;
    char text[LINK_TEXT_MAX];
    uint8_t scratch[LINK_TEXT_MAX];
    size_t n = link_encode(&call, key, method, target, text);
    struct slice whole = slice_of(text, n);
    struct slice moved = slice_of(target.p, target.n - 1);
    assert_int_equal(link_decode(&got, key, SLICE("POST"), target, whole, NOW_MS, scratch),
                     LINK_EMAC);
    assert_int_equal(link_decode(&got, key, method, moved, whole, NOW_MS, scratch), LINK_EMAC);
    assert_int_equal(link_decode(&got, key, SLICE(""), SLICE("GET/"), whole, NOW_MS, scratch),
                     LINK_EMAC);
    struct crypto_hmac *other = crypto_hmac_new(CRYPTO_SM3, "other", 5);
    assert_int_equal(link_decode(&got, other, method, target, whole, NOW_MS, scratch), LINK_EMAC);
    crypto_hmac_free(&other);
    for (size_t i = 0; i < n; i++) {
        char was = text[i];
        text[i] = was == 'A' ? 'B' : 'A';
        assert_int_not_equal(link_decode(&got, key, method, target, whole, NOW_MS, scratch),
                             LINK_OK);
        text[i] = was;
    }
    for (size_t i = 0; i < n; i++) {
        char *cut = malloc(i + 1); /* ASan sees a read past the end */
        assert_non_null(cut);
        memcpy(cut, text, i);
        assert_int_not_equal(
            link_decode(&got, key, method, target, slice_of(cut, i), NOW_MS, scratch), LINK_OK);
        free(cut);
    }
}

/* Offsets in the payload of example(): sandbox 1, owner length 82, owner 83 + 12, row filter's
 * length 95, fields 97, outcomes 99. */
static const struct {
    const char *what;
    size_t at;
    uint8_t byte;
    int longer;
} forged[] = {
    {"another version", 0, 1, 0},
    {"neither live nor sandbox", 1, 2, 0},
    {"owner longer than the rest", 82, 128, 0},
    {"owner longer than allowed", 82, 129, 0},
    {"owner shorter, so the rest does not fit", 82, 0, 0},
    {"a row filter longer than the rest", 96, 200, 0},
    {"a row filter longer than allowed", 95, 255, 0},
    {"more fields than outcomes", 98, 21, 0},
    {"fewer fields than outcomes", 98, 3, 0},
    {"more fields than there can be", 97, 255, 0},
    {"an outcome that does not exist", 99, 0xff, 0},
    {"a byte after the end", 0, 3, 1},
    {"a byte short", 0, 3, -1},
    {"only half", 0, 3, -60},
    {"nothing", 0, 3, -104},
};

/* Authentic but wrong: what a party with the key could send by mistake. */
static void forged_payloads(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
        struct link_call call = example(), got;
        char text[LINK_TEXT_MAX];
        uint8_t scratch[LINK_TEXT_MAX], payload[512] = {0}, mac[CRYPTO_HASH_LEN];
        size_t n = link_encode(&call, key, method, target, text), payload_n;
        assert_true(codec_unbase64url(payload, sizeof payload, &payload_n, text,
                                      (size_t)((char *)memchr(text, '.', n) - text)));
        assert_int_equal(payload_n, 104);
        payload[forged[i].at] = forged[i].byte;
        payload_n += (size_t)forged[i].longer;
        uint8_t signed_bytes[1024];
        memcpy(signed_bytes, payload, payload_n);
        signed_bytes[payload_n] = 3;
        memcpy(signed_bytes + payload_n + 1, method.p, 3);
        memcpy(signed_bytes + payload_n + 4, target.p, target.n);
        crypto_hmac_sign(key, signed_bytes, payload_n + 4 + target.n, mac);
        n = codec_base64url(text, payload, payload_n);
        text[n++] = '.';
        n += codec_base64url(text + n, mac, sizeof mac);
        enum link_err err =
            link_decode(&got, key, method, target, slice_of(text, n), NOW_MS, scratch);
        if (err != LINK_EFORMAT) {
            fail_msg("%s: %s", forged[i].what, link_strerror(err));
        }
    }
}

static void not_a_call(void **state)
{
    (void)state;
    static const char *const rows[] = {"", ".", "a", "a.", "..", "AAAA.AAAA", "=.=", "A A.B"};
    struct link_call got;
    uint8_t scratch[LINK_TEXT_MAX];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(
            link_decode(&got, key, method, target, slice_str(rows[i]), NOW_MS, scratch),
            LINK_EFORMAT);
    }
    static char huge[LINK_TEXT_MAX + 100];
    memset(huge, 'A', sizeof huge);
    huge[LINK_TEXT_MAX] = '.';
    struct slice text = slice_of(huge, sizeof huge);
    assert_int_equal(link_decode(&got, key, method, target, text, NOW_MS, scratch), LINK_EFORMAT);
}

static int make_key(void **state)
{
    (void)state;
    key = crypto_hmac_new(CRYPTO_SM3, "0123456789abcdef0123456789abcdef", 32);
    return 0;
}

static int free_key(void **state)
{
    (void)state;
    crypto_hmac_free(&key);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"link: what is encoded is decoded", round_trip, NULL, NULL, NULL},
        {"link: what does not fit is not sent", encode_refuses, NULL, NULL, NULL},
        {"link: good for 30 seconds", window, NULL, NULL, NULL},
        {"[EC-4.3.2a] link: bound to key, method, target and every byte", bound, NULL, NULL, NULL},
        {"link: authentic but malformed", forged_payloads, NULL, NULL, NULL},
        {"link: text that is no call", not_a_call, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, make_key, free_key);
}
