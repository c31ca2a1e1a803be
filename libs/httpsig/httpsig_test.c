/* SPDX-License-Identifier: Apache-2.0 */
#include "httpsig/httpsig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/codec.h"
#include "crypto/crypto.h"

#define PARAMS ";created=1;expires=9;nonce=\"12345678\";keyid=\"k\";alg=\"a\""
#define GOOD   "sig=(\"@method\" \"@path\")" PARAMS
#define SIG    "sig=:AAAA:"

/* Copies without a NUL, so that ASan sees a read past the end. */
static struct slice exact(const char *text)
{
    size_t n = strlen(text);
    char *copy = malloc(n > 0 ? n : 1);
    assert_non_null(copy);
    memcpy(copy, text, n);
    return slice_of(copy, n);
}

static const struct {
    const char *input, *signature;
    enum httpsig_err err;
    int bad_at; /* -1: not looked at */
} rows[] = {
    {GOOD, SIG, HTTPSIG_OK, -1},
    {"  " GOOD "  ", " " SIG " ", HTTPSIG_OK, -1},
    {"sig=()" PARAMS, SIG, HTTPSIG_OK, -1},
    {GOOD ";tag=\"app\";x;y=?0;z=tok;w=-1.5", SIG, HTTPSIG_OK, -1},
    {"tr=(\"@status\";req);created=5, " GOOD, "tr=:AA==:, " SIG, HTTPSIG_ELABEL, 30},
    {"tr=(\"@status\";req);created=5, " GOOD, SIG, HTTPSIG_OK, -1},
    {GOOD ",\t x=()", SIG ",y=:AA==:", HTTPSIG_OK, -1},
    {"", SIG, HTTPSIG_EMISSING, 0},
    {GOOD, "", HTTPSIG_EMISSING, 0},
    {GOOD, "other=:AAAA:", HTTPSIG_ELABEL, -1},
    {GOOD, SIG ", " SIG, HTTPSIG_ELABEL, -1},
    {GOOD ", " GOOD, SIG, HTTPSIG_ELABEL, -1},
    {GOOD ",", SIG, HTTPSIG_ESYNTAX, -1},
    {GOOD " x", SIG, HTTPSIG_ESYNTAX, -1},
    {GOOD, SIG ",", HTTPSIG_ESYNTAX, -1},
    {GOOD, "sig=AAAA", HTTPSIG_ESYNTAX, 4},
    {GOOD, "sig=:AAAA", HTTPSIG_ESYNTAX, -1},
    {GOOD, "sig=:AA A:", HTTPSIG_ESYNTAX, 7},
    {GOOD, "sig=:AAA:", HTTPSIG_ESYNTAX, -1},
    {GOOD, "sig=::", HTTPSIG_ESYNTAX, -1},
    {GOOD, "sig=:AAAA:;p=1", HTTPSIG_ESYNTAX, -1},
    {GOOD, "a=:AA==:,b=:AA==:,c=:AA==:,d=:AA==:,sig=:AA==:", HTTPSIG_ELIMIT, -1},
    {"Sig=()" PARAMS, SIG, HTTPSIG_ESYNTAX, 0},
    {"sig", SIG, HTTPSIG_ESYNTAX, 3},
    {"sig=", SIG, HTTPSIG_ESYNTAX, 4},
    {"sig=?1", SIG, HTTPSIG_ESYNTAX, 4},
    {"sig=(", SIG, HTTPSIG_ESYNTAX, 5},
    {"sig=(\"@method", SIG, HTTPSIG_ESYNTAX, 13},
    {"sig=(\"@method\"", SIG, HTTPSIG_ESYNTAX, 14},
    {"sig=(\"@method\"\"@path\")" PARAMS, SIG, HTTPSIG_ESYNTAX, 14},
    {"sig=(\"@method\"  \"@path\")" PARAMS, SIG, HTTPSIG_ESYNTAX, 15},
    {"sig=( \"@method\")" PARAMS, SIG, HTTPSIG_ESYNTAX, 5},
    {"sig=(\"@method\" )" PARAMS, SIG, HTTPSIG_ESYNTAX, -1},
    {"sig=(method)" PARAMS, SIG, HTTPSIG_ESYNTAX, 5},
    {"sig=(\"@method\") ;created=1", SIG, HTTPSIG_ESYNTAX, -1},
    {"sig=(\"@method\"); created=1", SIG, HTTPSIG_ESYNTAX, -1},
    {"sig=(\"a\x01\")" PARAMS, SIG, HTTPSIG_ESYNTAX, 7},
    {"sig=(\"\xc3\xa9\")" PARAMS, SIG, HTTPSIG_ESYNTAX, 6},
    {"sig=(\"a\\n\")" PARAMS, SIG, HTTPSIG_ESYNTAX, -1},
    {"sig=(\"a\\", SIG, HTTPSIG_ESYNTAX, -1},
    {"sig=(\"\")" PARAMS, SIG, HTTPSIG_ECOMPONENT, 5},
    {"sig=(\"a\\\"b\")" PARAMS, SIG, HTTPSIG_ECOMPONENT, 5},
    {"sig=(\"Date\")" PARAMS, SIG, HTTPSIG_ECOMPONENT, 5},
    {"sig=(\"a b\")" PARAMS, SIG, HTTPSIG_ECOMPONENT, 5},
    {"sig=(\"@status\")" PARAMS, SIG, HTTPSIG_ECOMPONENT, 5},
    {"sig=(\"@query-param\";name=\"a\")" PARAMS, SIG, HTTPSIG_ECOMPONENT, 5},
    {"sig=(\"date\" \"date\")" PARAMS, SIG, HTTPSIG_ECOMPONENT, 12},
    {"sig=(\"@path\" \"@path\")" PARAMS, SIG, HTTPSIG_ECOMPONENT, 13},
    {"sig=(\"date\";sf)" PARAMS, SIG, HTTPSIG_ECOMPONENT, -1},
    {"sig=(\"date\";bs)" PARAMS, SIG, HTTPSIG_ECOMPONENT, -1},
    {"sig=(\"date\";tr)" PARAMS, SIG, HTTPSIG_ECOMPONENT, -1},
    {"sig=(\"date\";req)" PARAMS, SIG, HTTPSIG_ECOMPONENT, -1},
    {"sig=(\"date\";key=\"a\")" PARAMS, SIG, HTTPSIG_ECOMPONENT, -1},
    {"sig=(\"a\" \"b\" \"c\" \"d\" \"e\" \"f\" \"g\" \"h\" \"i\" \"j\" \"k\" \"l\" \"m\" \"n\" "
     "\"o\" "
     "\"p\" \"q\")" PARAMS,
     SIG, HTTPSIG_ELIMIT, -1},
    {"sig=()", SIG, HTTPSIG_EPARAMETER, 6},
    {"sig=();expires=9;nonce=\"12345678\";keyid=\"k\";alg=\"a\"", SIG, HTTPSIG_EPARAMETER, -1},
    {"sig=();created=1;nonce=\"12345678\";keyid=\"k\";alg=\"a\"", SIG, HTTPSIG_EPARAMETER, -1},
    {"sig=();created=1;expires=9;keyid=\"k\";alg=\"a\"", SIG, HTTPSIG_EPARAMETER, -1},
    {"sig=();created=1;expires=9;nonce=\"12345678\";alg=\"a\"", SIG, HTTPSIG_EPARAMETER, -1},
    {"sig=();created=1;expires=9;nonce=\"12345678\";keyid=\"k\"", SIG, HTTPSIG_EPARAMETER, -1},
    {GOOD ";created=2", SIG, HTTPSIG_EPARAMETER, -1},
    {GOOD ";nonce=\"12345678\"", SIG, HTTPSIG_EPARAMETER, -1},
    {"sig=();created=9;expires=9;nonce=\"12345678\";keyid=\"k\";alg=\"a\"", SIG, HTTPSIG_EPARAMETER,
     -1},
    {"sig=();created=-1;expires=9;nonce=\"12345678\";keyid=\"k\";alg=\"a\"", SIG,
     HTTPSIG_EPARAMETER, 7},
    {"sig=();created=1.0;expires=9;nonce=\"12345678\";keyid=\"k\";alg=\"a\"", SIG,
     HTTPSIG_EPARAMETER, -1},
    {"sig=();created=\"1\";expires=9;nonce=\"12345678\";keyid=\"k\";alg=\"a\"", SIG,
     HTTPSIG_EPARAMETER, -1},
    {"sig=();created=1234567890123456", SIG, HTTPSIG_ESYNTAX, -1},
    {"sig=();created=", SIG, HTTPSIG_ESYNTAX, -1},
    {"sig=();created=1;expires=9;nonce=\"1234567\";keyid=\"k\";alg=\"a\"", SIG, HTTPSIG_EPARAMETER,
     -1},
    {"sig=();created=1;expires=9;nonce=12345678;keyid=\"k\";alg=\"a\"", SIG, HTTPSIG_EPARAMETER,
     -1},
    {"sig=();created=1;expires=9;nonce=\"1234\\\\5678\";keyid=\"k\";alg=\"a\"", SIG,
     HTTPSIG_EPARAMETER, -1},
    {"sig=();created=1;expires=9;nonce=\"12345678\";keyid=\"\";alg=\"a\"", SIG, HTTPSIG_EPARAMETER,
     -1},
};

static void parse_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slice input = exact(rows[i].input), signature = exact(rows[i].signature);
        struct httpsig s;
        size_t bad_at = 12345;
        enum httpsig_err err = httpsig_parse(&s, input, signature, &bad_at);
        bool place = rows[i].bad_at < 0 || (size_t)rows[i].bad_at == bad_at;
        if (err != rows[i].err || !place) {
            fail_msg("%s | %s: %s at %zu", rows[i].input, rows[i].signature, httpsig_strerror(err),
                     bad_at);
        }
        free((void *)(uintptr_t)input.p);
        free((void *)(uintptr_t)signature.p);
    }
}

static void parse_values(void **state)
{
    (void)state;
    static const char input[] =
        "x=(), s-1.b=(\"@method\" \"@path\" \"content-digest\");created=1800000000;"
        "expires=1800000060;nonce=\"n-0123456789\";keyid=\"key 1\";alg=\"hmac-sm3\"";
    struct httpsig s;
    size_t bad_at;
    assert_int_equal(httpsig_parse(&s, slice_str(input), SLICE("s-1.b=:AQID:"), &bad_at),
                     HTTPSIG_OK);
    assert_true(slice_eq(s.label, SLICE("s-1.b")));
    assert_true(slice_eq(s.params, slice_str(strchr(input + 4, '('))));
    assert_int_equal(s.n_components, 3);
    assert_int_equal(s.components[1].kind, HTTPSIG_PATH);
    assert_int_equal(s.components[2].kind, HTTPSIG_FIELD);
    assert_true(slice_eq(s.components[2].name, SLICE("content-digest")));
    assert_true(s.created_s == 1800000000 && s.expires_s == 1800000060);
    assert_true(slice_eq(s.nonce, SLICE("n-0123456789")));
    assert_true(slice_eq(s.keyid, SLICE("key 1")));
    assert_true(slice_eq(s.alg, SLICE("hmac-sm3")));
    assert_int_equal(s.sig_n, 3);
    assert_memory_equal(s.sig, "\1\2\3", 3);
}

static void parse_limits(void **state)
{
    (void)state;
    char base64[800] = "sig=:";
    struct httpsig s;
    size_t bad_at;
    memset(base64 + 5, 'A', 684);
    strcpy(base64 + 689, ":");
    assert_int_equal(httpsig_parse(&s, SLICE(GOOD), slice_str(base64), &bad_at), HTTPSIG_ESYNTAX);
    memset(base64 + 5, 'A', 680); /* 510 bytes */
    strcpy(base64 + 685, ":");
    assert_int_equal(httpsig_parse(&s, SLICE(GOOD), slice_str(base64), &bad_at), HTTPSIG_OK);
    assert_int_equal(s.sig_n, 510);
    memset(base64 + 5, 'A', 700);
    strcpy(base64 + 705, ":");
    assert_int_equal(httpsig_parse(&s, SLICE(GOOD), slice_str(base64), &bad_at), HTTPSIG_ELIMIT);
}

static const struct {
    struct slice name, value;
} fields[] = {
    /* the request of RFC 9421 appendix B.2 */
    {{"date", 4}, {"Tue, 20 Apr 2021 02:07:55 GMT", 29}},
    {{"content-type", 12}, {"application/json", 16}},
    {{"content-length", 14}, {"18", 2}},
    {{"x-two-lines", 11}, {"one, two", 8}},
    {{"x-empty", 7}, {"", 0}},
    {{"x-broken", 8}, {"a\n\"@method\": GET", 16}},
};

static bool field(void *ctx, struct slice name, struct slice *value)
{
    (void)ctx;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (slice_eq(fields[i].name, name)) {
            *value = fields[i].value;
            return true;
        }
    }
    return false;
}

static struct httpsig_request example(void)
{
    return (struct httpsig_request){.method = SLICE("POST"),
                                    .scheme = SLICE("https"),
                                    .authority = SLICE("example.com"),
                                    .target = SLICE("/foo?param=Value&Pet=dog"),
                                    .field = field};
}

static void rfc_base(void **state)
{
    (void)state;
    struct httpsig s = {.n_components = 3,
                        .params =
                            SLICE("(\"date\" \"@authority\" \"content-type\");created=1618884473"
                                  ";keyid=\"test-shared-secret\"")};
    s.components[0].kind = HTTPSIG_FIELD;
    s.components[0].name = SLICE("date");
    s.components[1].kind = HTTPSIG_AUTHORITY;
    s.components[1].name = SLICE("@authority");
    s.components[2].kind = HTTPSIG_FIELD;
    s.components[2].name = SLICE("content-type");
    static const char want[] = "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n"
                               "\"@authority\": example.com\n"
                               "\"content-type\": application/json\n"
                               "\"@signature-params\": (\"date\" \"@authority\" \"content-type\")"
                               ";created=1618884473;keyid=\"test-shared-secret\"";
    struct httpsig_request req = example();
    char base[1024], text[64];
    size_t n, key_n;
    assert_int_equal(httpsig_base(&s, &req, base, sizeof base, &n), HTTPSIG_OK);
    assert_int_equal(n, sizeof want - 1);
    assert_memory_equal(base, want, n);
    static const char secret[] = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtb"
                                 "mHhIDi6pcl8jsasjlTMtDQ==";
    uint8_t key[64], mac[CRYPTO_HASH_LEN];
    assert_true(codec_unbase64(key, sizeof key, &key_n, secret, sizeof secret - 1));
    struct crypto_hmac *h = crypto_hmac_new(CRYPTO_SHA256, key, key_n);
    crypto_hmac_sign(h, base, n, mac);
    crypto_hmac_free(&h);
    size_t text_n = codec_base64(text, mac, sizeof mac);
    assert_true(
        slice_eq(slice_of(text, text_n), SLICE("pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=")));
}

static const struct {
    const char *component, *scheme, *authority, *target, *value; /* NULL: ECOMPONENT */
} values[] = {
    {"@method", "https", "h", "/", "POST"},
    {"@path", "https", "h", "/foo?param=Value&Pet=dog", "/foo"},
    {"@path", "https", "h", "", "/"},
    {"@path", "https", "h", "?a", "/"},
    {"@path", "https", "h", "/%7Efoo%2fbar/", "/%7Efoo%2fbar/"},
    {"@path", "https", "h", "*", NULL},
    {"@path", "https", "h", "http://h/x", NULL},
    {"@query", "https", "h", "/foo?param=Value&Pet=dog", "?param=Value&Pet=dog"},
    {"@query", "https", "h", "/foo", "?"},
    {"@query", "https", "h", "/foo?", "?"},
    {"@query", "https", "h", "/foo?a?b", "?a?b"},
    {"@query", "https", "h", "h:443", NULL},
    {"@authority", "https", "EXAMPLE.com", "/", "example.com"},
    {"@authority", "https", "example.com:443", "/", "example.com"},
    {"@authority", "HTTPS", "example.com:443", "/", "example.com"},
    {"@authority", "http", "example.com:443", "/", "example.com:443"},
    {"@authority", "http", "example.com:80", "/", "example.com"},
    {"@authority", "https", "example.com:80", "/", "example.com:80"},
    {"@authority", "https", "[2001:DB8::1]:443", "/", "[2001:db8::1]"},
    {"@authority", "https", "a\r\nb", "/", NULL},
    {"@scheme", "HTTPS", "h", "/", "https"},
    {"@request-target", "https", "h", "/a?b", "/a?b"},
    {"@request-target", "https", "h", "*", "*"},
    {"@request-target", "https", "h", "/a\nb", NULL},
    {"@target-uri", "https", "Example.com:443", "/a?b", "https://example.com/a?b"},
    {"@target-uri", "https", "h", "?b", "https://h/?b"},
    {"date", "https", "h", "/", "Tue, 20 Apr 2021 02:07:55 GMT"},
    {"x-two-lines", "https", "h", "/", "one, two"},
    {"x-empty", "https", "h", "/", ""},
    {"x-absent", "https", "h", "/", NULL},
    {"x-broken", "https", "h", "/", NULL},
};

static void base_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char input[256], want[512], base[512];
        int params = snprintf(input, sizeof input, "s=(\"%s\")" PARAMS, values[i].component);
        struct httpsig s;
        size_t bad_at, n = 0;
        assert_int_equal(
            httpsig_parse(&s, slice_of(input, (size_t)params), SLICE("s=:AA==:"), &bad_at),
            HTTPSIG_OK);
        struct httpsig_request req = example();
        req.scheme = slice_str(values[i].scheme);
        req.authority = slice_str(values[i].authority);
        req.target = slice_str(values[i].target);
        enum httpsig_err err = httpsig_base(&s, &req, base, sizeof base, &n);
        if (values[i].value == NULL) {
            assert_int_equal(err, HTTPSIG_ECOMPONENT);
            continue;
        }
        int want_n = snprintf(want, sizeof want, "\"%s\": %s\n\"@signature-params\": %s",
                              values[i].component, values[i].value, input + 2);
        if (err != HTTPSIG_OK || n != (size_t)want_n || memcmp(base, want, n) != 0) {
            fail_msg("row %zu: %.*s", i, (int)n, base);
        }
        for (size_t cap = 0; cap < n; cap++) { /* too little room is an error, never a cut base */
            char *small = malloc(cap + 1);
            assert_non_null(small);
            assert_int_equal(httpsig_base(&s, &req, small, cap, &n), HTTPSIG_ELIMIT);
            free(small);
        }
        assert_int_equal(httpsig_base(&s, &req, base, n, &n), HTTPSIG_OK);
    }
}

static void coverage(void **state)
{
    (void)state;
    static const struct {
        const char *components, *missing;
    } table[] = {
        {"\"@method\" \"@path\" \"@query\" \"content-digest\"", NULL},
        {"\"content-digest\" \"@target-uri\" \"@method\"", NULL},
        {"\"@method\" \"@request-target\" \"content-digest\"", NULL},
        {"\"@method\" \"@path\" \"@query\"", "content-digest"},
        {"\"@path\" \"@query\" \"content-digest\"", "@method"},
        {"\"@method\" \"@path\" \"content-digest\"", "@query"},
        {"\"@method\" \"@query\" \"content-digest\"", "@path"},
        {"\"@method\" \"@authority\" \"content-digest\"", "@path"},
        {"", "@method"},
    };
    static const struct slice demanded[] = {{"content-digest", 14}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char input[256];
        int input_n = snprintf(input, sizeof input, "s=(%s)" PARAMS, table[i].components);
        struct httpsig s;
        struct slice missing = {0};
        size_t bad_at;
        assert_int_equal(
            httpsig_parse(&s, slice_of(input, (size_t)input_n), SLICE("s=:AA==:"), &bad_at),
            HTTPSIG_OK);
        enum httpsig_err err = httpsig_covers(&s, demanded, 1, &missing);
        assert_int_equal(err, table[i].missing == NULL ? HTTPSIG_OK : HTTPSIG_ECOVERAGE);
        if (table[i].missing != NULL) {
            assert_true(slice_eq(missing, slice_str(table[i].missing)));
        }
    }
}

#define A32 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define B32 "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="

static void digests(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        enum httpsig_err err;
        enum httpsig_digest alg;
        uint8_t first;
    } table[] = {
        {"sha-256=:" B32 ":", HTTPSIG_OK, HTTPSIG_DIGEST_SHA256, 1},
        {"sm3=:" B32 ":", HTTPSIG_OK, HTTPSIG_DIGEST_SM3, 1},
        {"sha-256=:" A32 ":, sm3=:" B32 ":", HTTPSIG_OK, HTTPSIG_DIGEST_SM3, 1},
        {"sm3=:" B32 ":,sha-256=:" A32 ":", HTTPSIG_OK, HTTPSIG_DIGEST_SM3, 1},
        {"md5=:AAAA:, sha-256=:" B32 ":", HTTPSIG_OK, HTTPSIG_DIGEST_SHA256, 1},
        {"sha-512=:AAAA:", HTTPSIG_OK, HTTPSIG_DIGEST_NONE, 0},
        {"", HTTPSIG_ESYNTAX, 0, 0},
        {"sha-256=" B32, HTTPSIG_ESYNTAX, 0, 0},
        {"sha-256=:AAAA:", HTTPSIG_ESYNTAX, 0, 0},
        {"sha-256=:AA" A32 "A:", HTTPSIG_ESYNTAX, 0, 0},
        {"sha-256=:" A32 ":,", HTTPSIG_ESYNTAX, 0, 0},
        {"sha-256=:" A32 ":, sha-256=:" A32 ":", HTTPSIG_ESYNTAX, 0, 0},
        {"SHA-256=:" A32 ":", HTTPSIG_ESYNTAX, 0, 0},
        {"sha-256=:" A32 ":;q=1", HTTPSIG_ESYNTAX, 0, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        enum httpsig_digest alg = HTTPSIG_DIGEST_NONE;
        uint8_t digest[32] = {0};
        assert_int_equal(httpsig_digest_parse(slice_str(table[i].value), &alg, digest),
                         table[i].err);
        assert_int_equal(alg, table[i].alg);
        assert_int_equal(digest[0], table[i].first);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[EC-6.1.3.1b] httpsig: headers good and bad, and where", parse_rows, NULL, NULL, NULL},
        {"httpsig: what is read", parse_values, NULL, NULL, NULL},
        {"httpsig: signature length", parse_limits, NULL, NULL, NULL},
        {"httpsig: RFC 9421 B.2.5, base and HMAC", rfc_base, NULL, NULL, NULL},
        {"httpsig: each component's value, and no room", base_values, NULL, NULL, NULL},
        {"[EC-6.1.4.3a] httpsig: what a call must cover", coverage, NULL, NULL, NULL},
        {"[EC-6.1.4.3a] httpsig: Content-Digest", digests, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
