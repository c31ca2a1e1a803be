/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/record.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>

#define ID "019a0000-0000-7000-8000-000000000001"

static void paths(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        bool ok;
    } rows[] = {
        {"/a", true},
        {"/a/b/c/d/e/f/g/h/i/j/k/l", true},
        {"/a/b/c/d/e/f/g/h/i/j/k/l/m", false},
        {"/A-._~9", true},
        {"/...", true},
        {"", false},
        {"/", false},
        {"a/b", false},
        {"//a", false},
        {"/a//b", false},
        {"/a/", false},
        {"/.", false},
        {"/a/..", false},
        {"/a/./b", false},
        {"/a b", false},
        {"/a%2f", false},
        {"/a?b", false},
        {"/a#b", false},
        {"/a;b", false},
        {"/\xe4\xb8\xad", false},
        {"/a\n", false},
    };
    char longest[REPLICA_PATH_MAX + 2];
    memset(longest, 'a', sizeof longest);
    longest[0] = '/';
    assert_true(record_path_ok(slice_of(longest, REPLICA_PATH_MAX)));
    assert_false(record_path_ok(slice_of(longest, REPLICA_PATH_MAX + 1)));
    assert_false(record_path_ok(slice_of("/a\0b", 4)));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (record_path_ok(slice_str(rows[i].path)) != rows[i].ok) {
            fail_msg("%s", rows[i].path);
        }
    }
}

static void upstream_urls(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool ok;
    } rows[] = {
        {"http://a", true},
        {"http://a:65535/x", true},
        {"http://", false},
        {"http:///x", false},
        {"http://a:0", false},
        {"http://a:65536", false},
        {"http://a:", false},
        {"http://a:8x", false},
        {"http://u@a", false},
        {"http://a/b?c", false},
        {"http://a/b\r\n", false},
        {"http://[::1", false},
        {"http://[::1]x", false},
        {"http://[]:1", false},
        {"HTTP://a", false},
        {"http://a b", false},
        {"", false},
        {"http://a/%2e", false},
        {"https://a", true},
        {"https://a:8443/x", true},
        {"https://", false},
        {"https:///x", false},
        {"https://a:0", false},
        {"https://u@a", false},
        {"https://a/b?c", false},
        {"HTTPS://a", false},
        {"httpss://a", false},
        {"https:/a", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct record_upstream to;
        if (record_upstream_split(slice_str(rows[i].url), &to) != rows[i].ok) {
            fail_msg("%s", rows[i].url);
        }
    }
}

static void upstream_parts(void **state)
{
    (void)state;
    static const struct {
        const char *url, *host, *name, *base;
        uint16_t port;
        bool tls;
    } rows[] = {
        {"http://a", "a", "a", "", 80, false},
        {"https://a", "a", "a", "", 443, true},
        {"https://a.example:8443/x/", "a.example:8443", "a.example", "/x", 8443, true},
        {"http://a:443/x", "a:443", "a", "/x", 443, false},
        {"https://[::1]:99", "[::1]:99", "::1", "", 99, true},
        {"https://a:80", "a:80", "a", "", 80, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct record_upstream to;
        struct slice url = slice_str(rows[i].url);
        assert_true(record_upstream_split(url, &to));
        assert_true(slice_eq(record_upstream_host(url), slice_str(rows[i].host)));
        assert_true(slice_eq(to.host, slice_str(rows[i].name)));
        assert_true(slice_eq(to.base, slice_str(rows[i].base)));
        assert_int_equal(to.port, rows[i].port);
        assert_int_equal(to.tls, rows[i].tls);
    }
}

static void unpack_any(struct slice in)
{
    static struct policy_field fields[POLICY_FIELDS_MAX];
    struct replica_api api;
    struct replica_app app;
    struct replica_credential c;
    struct policy_subscription s;
    struct policy_grant g;
    struct record_keys k;
    struct slice json;
    uint64_t rev;
    const struct policy_api *p = record_unpack_api(in, &api, fields) ? &api.policy : NULL;
    const bool read[] = {record_unpack_app(in, &app),           record_unpack_credential(in, &c),
                         record_unpack_subscription(in, p, &s), record_unpack_grant(in, p, &g),
                         record_unpack_json(in, &rev, &json),   record_keys_api(in, &k),
                         record_keys_subscription(in, &k),      record_keys_grant(in, &k),
                         record_keys_credential(in, &k),        record_unpack_api(in, &api, NULL)};
    (void)read;
}

/* Every cut and many flipped bytes of each record, in memory of exactly its size for ASan to guard.
 */
static void damaged_records_are_refused(void **state)
{
    (void)state;
    static const char *const data[] = {
        "{\"state\":\"active\",\"environment\":\"general\",\"name\":\"shop\"}",
        "{\"state\":\"active\",\"alg\":\"hmac-sm3\",\"app_id\":\"" ID
        "\",\"expires_at\":9,\"certificate\":null,\"secret_sealed\":"
        "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
        "{\"state\":\"offline\",\"path\":\"/"
        "a\",\"kind\":\"http\",\"class\":\"A1\",\"access\":\"registered\",\"methods\":[\"GET\"],"
        "\"owner_scoped\":false,\"canary_apps\":[\"" ID
        "\"],\"notice_en\":\"x\",\"upstream\":\"http://127.0.0.1:1/"
        "b\",\"fields\":[{\"path\":\"a.b\",\"level\":3,\"type\":\"scalar\","
        "\"mask\":\"keep:1:2\"},{\"path\":\"c\",\"level\":1,\"type\":\"json\"}]}",
        "{\"state\":\"active\",\"max_level\":3,\"app_id\":\"" ID "\",\"api_id\":\"" ID
        "\",\"fields\":[\"a.b\",\"c\"]}",
        "{\"state\":\"revoked\",\"term\":\"once\",\"app_id\":\"" ID "\",\"api_id\":\"" ID
        "\",\"owner\":\"M1\",\"fields\":null}",
        "{\"any\":[1,2]}"};
    record_pack_fn *const packs[] = {record_pack_app,   record_pack_credential,
                                     record_pack_api,   record_pack_subscription,
                                     record_pack_grant, record_pack_json};
    struct policy_field fields[POLICY_FIELDS_MAX];
    for (size_t i = 0; i < sizeof packs / sizeof *packs; i++) {
        json_t *json = json_loads(data[i], 0, NULL);
        struct buf b;
        buf_init(&b);
        assert_true(packs[i](&b, 7, json));
        for (size_t n = 0; n < b.n; n++) {
            char *copy = malloc(n + 1);
            memcpy(copy, b.p, n);
            unpack_any(slice_of(copy, n));
            struct replica_api api;
            assert_false(i == 2 && record_unpack_api(slice_of(copy, n), &api, fields));
            free(copy);
            char *whole = malloc(b.n);
            memcpy(whole, b.p, b.n);
            whole[n] = (char)(whole[n] ^ 0xff);
            unpack_any(slice_of(whole, b.n));
            free(whole);
        }
        buf_fini(&b);
        json_decref(json);
    }
}

/* A test stage is one word of an app alone; whoever does not know a word refuses the record. */
static void states_of_an_app(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        uint8_t state; /* 0xff: the record is refused */
    } rows[] = {{"active", POLICY_ACTIVE}, {"testing", POLICY_TESTING}, {"tested", 0xff}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *json = json_pack("{s:s, s:s, s:s}", "state", rows[i].word, "environment", "general",
                                 "name", "shop");
        struct replica_app app;
        struct buf b;
        buf_init(&b);
        bool packed = record_pack_app(&b, 7, json);
        assert_int_equal(packed, rows[i].state != 0xff);
        assert_true(!packed || record_unpack_app(buf_slice(&b), &app));
        assert_true(!packed || app.policy.state == rows[i].state);
        json_t *other = json_pack("{s:s, s:i, s:s, s:s, s:n}", "state", rows[i].word, "max_level",
                                  3, "app_id", ID, "api_id", ID, "fields");
        buf_clear(&b);
        assert_int_equal(record_pack_subscription(&b, 7, other), i == 0);
        json_object_set_new(other, "rows", json_string("a=eq.1"));
        struct policy_subscription s;
        buf_clear(&b);
        packed = record_pack_subscription(&b, 7, other);
        assert_true(!packed || (record_unpack_subscription(buf_slice(&b), NULL, &s) &&
                                slice_eq(s.rows, SLICE("a=eq.1"))));
        char longest[POLICY_ROWS_MAX + 2] = "";
        memset(longest, 'r', POLICY_ROWS_MAX + 1);
        json_object_set_new(other, "rows", json_string(longest));
        buf_clear(&b);
        assert_false(record_pack_subscription(&b, 7, other));
        buf_fini(&b);
        json_decref(json);
        json_decref(other);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[BK-9.3.2] paths an API may have", paths, NULL, NULL, NULL},
        {"upstream URLs", upstream_urls, NULL, NULL, NULL},
        {"[SW-9.3-2a] an upstream over TLS is told apart, with its name and port", upstream_parts,
         NULL, NULL, NULL},
        {"[BK-12.1e] states of an app", states_of_an_app, NULL, NULL, NULL},
        {"damaged records are refused", damaged_records_are_refused, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
