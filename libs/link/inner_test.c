/* SPDX-License-Identifier: Apache-2.0 */
#include "link/inner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/codec.h"

#define NOW_MS 1800000000000u

static struct crypto_hmac *key;
static const struct link_request request = {{"POST", 4}, {"/x/v1?a=1", 9}, {"sm3=:AA==:", 10}};

static struct link_inner example(void)
{
    struct link_inner inner = {.issued_ms = NOW_MS, .proofs = 5, .client_n = 4};
    struct uuid *ids[] = {&inner.txn,      &inner.nonce, &inner.app,    &inner.credential,
                          &inner.composed, &inner.via,   &inner.purpose};
    for (size_t i = 0; i < 7; i++) {
        memset(ids[i]->b, (int)i + 1, UUID_LEN);
    }
    memcpy(inner.client, "\x7f\0\0\1", 4);
    inner.owner = SLICE("商户-00042");
    return inner;
}

static enum link_err decode(struct slice text, const struct link_request *rq, uint64_t now_ms,
                            struct link_inner *got)
{
    static uint8_t scratch[LINK_INNER_TEXT_MAX];
    return link_inner_decode(got, key, rq, text, now_ms, scratch);
}

static void round_trip(void **state)
{
    (void)state;
    static char owner[LINK_OWNER_MAX + 1];
    memset(owner, 'o', sizeof owner);
    for (size_t n = 0; n <= LINK_OWNER_MAX; n += 32) {
        struct link_inner inner = example(), got;
        char text[LINK_INNER_TEXT_MAX];
        inner.owner = slice_of(owner, n);
        size_t len = link_inner_encode(&inner, key, &request, text);
        assert_in_range(len, 1, LINK_INNER_TEXT_MAX);
        assert_int_equal(decode(slice_of(text, len), &request, NOW_MS, &got), LINK_OK);
        assert_memory_equal(&got.txn, &inner.txn, 7 * sizeof inner.txn);
        assert_true(got.issued_ms == NOW_MS && got.proofs == 5 && got.client_n == 4);
        assert_memory_equal(got.client, inner.client, 4);
        assert_true(slice_eq(got.owner, inner.owner));
    }
    struct link_inner inner = example();
    char text[LINK_INNER_TEXT_MAX];
    inner.owner = slice_of(owner, sizeof owner);
    assert_int_equal(link_inner_encode(&inner, key, &request, text), 0);
    inner = example();
    inner.client_n = 17;
    assert_int_equal(link_inner_encode(&inner, key, &request, text), 0);
}

static void bound(void **state)
{
    (void)state;
    struct link_inner inner = example(), got;
    char text[LINK_INNER_TEXT_MAX];
    size_t n = link_inner_encode(&inner, key, &request, text);
    struct slice whole = slice_of(text, n);
    const struct link_request moved[] = {
        {SLICE("GET"), request.target, request.digest},
        {request.method, SLICE("/x/v1?a=2"), request.digest},
        {request.method, request.target, SLICE("")},
        {request.method, request.target, SLICE("sm3=:AB==:")},
        {SLICE("POS"), request.target, SLICE("T")},
    };
    for (size_t i = 0; i < sizeof moved / sizeof *moved; i++) {
        assert_int_equal(decode(whole, &moved[i], NOW_MS, &got), LINK_EMAC);
    }
    assert_int_equal(decode(whole, &request, NOW_MS + LINK_INNER_WINDOW_MS, &got), LINK_OK);
    assert_int_equal(decode(whole, &request, NOW_MS + LINK_INNER_WINDOW_MS + 1, &got), LINK_ESTALE);
    assert_int_equal(decode(whole, &request, NOW_MS - LINK_INNER_WINDOW_MS - 1, &got), LINK_ESTALE);
    struct crypto_hmac *mine = key;
    key = crypto_hmac_new(CRYPTO_SM3, "other", 5);
    assert_int_equal(decode(whole, &request, NOW_MS, &got), LINK_EMAC);
    crypto_hmac_free(&key);
    key = mine;
    for (size_t i = 0; i < n; i++) {
        char was = text[i];
        text[i] = was == 'A' ? 'B' : 'A';
        assert_int_not_equal(decode(whole, &request, NOW_MS, &got), LINK_OK);
        text[i] = was;
        char *cut = malloc(i + 1); /* ASan sees a read past the end */
        assert_non_null(cut);
        memcpy(cut, text, i);
        assert_int_not_equal(decode(slice_of(cut, i), &request, NOW_MS, &got), LINK_OK);
        free(cut);
    }
}

/* Authentic but wrong. Offsets in the payload of example(): client length 122, owner length 139. */
static void forged_payloads(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t byte;
        int longer;
    } rows[] = {{0, 2, 0},    {123, 5, 0}, {123, 17, 0}, {140, 255, 0}, {140, 13, 0},
                {140, 11, 0}, {0, 3, 1},   {0, 3, -1},   {0, 3, -60},   {0, 3, -153}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct link_inner inner = example(), got;
        char text[LINK_INNER_TEXT_MAX];
        uint8_t payload[512] = {0}, mac[CRYPTO_HASH_LEN];
        size_t n = link_inner_encode(&inner, key, &request, text), payload_n;
        size_t head = (size_t)((char *)memchr(text, '.', n) - text);
        assert_true(codec_unbase64url(payload, sizeof payload, &payload_n, text, head));
        assert_int_equal(payload_n, 153);
        payload[rows[i].at] = rows[i].byte;
        payload_n += (size_t)rows[i].longer;
        crypto_hmac_begin(key);
        crypto_hmac_add(key, payload, payload_n);
        crypto_hmac_add(key, "\4POST\12sm3=:AA==:", 16);
        crypto_hmac_add(key, request.target.p, request.target.n);
        crypto_hmac_end(key, mac);
        n = codec_base64url(text, payload, payload_n);
        text[n++] = '.';
        n += codec_base64url(text + n, mac, sizeof mac);
        assert_int_equal(decode(slice_of(text, n), &request, NOW_MS, &got), LINK_EFORMAT);
    }
}

static void not_a_call(void **state)
{
    (void)state;
    static const char *const rows[] = {"", ".", "a", "a.", "..", "AAAA.AAAA", "=.=", "A A.B"};
    struct link_inner got;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(decode(slice_str(rows[i]), &request, NOW_MS, &got), LINK_EFORMAT);
    }
    static char huge[LINK_INNER_TEXT_MAX + 100];
    memset(huge, 'A', sizeof huge);
    huge[10] = '.';
    assert_int_equal(decode(slice_of(huge, sizeof huge), &request, NOW_MS, &got), LINK_EFORMAT);
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
        {"inner: what is encoded is decoded", round_trip, NULL, NULL, NULL},
        {"[EC-4.3.2a] inner: bound to key, request, seconds and every byte", bound, NULL, NULL,
         NULL},
        {"inner: authentic but malformed", forged_payloads, NULL, NULL, NULL},
        {"inner: text that is no call", not_a_call, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, make_key, free_key);
}
