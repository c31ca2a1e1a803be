/* SPDX-License-Identifier: Apache-2.0 */
#include "httpsig/httpsig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define PARAMS      ";created=1;keyid=\"k\";alg=\"a\""
#define SIG         "s=:AAAA:"
#define COVERS(c)   "s=(" c ")" PARAMS
#define REQUEST_SIG "sig1=:AQID:"

static const struct {
    const char *input;
    enum httpsig_err err;
} rows[] = {
    {COVERS("\"@status\" \"content-digest\""), HTTPSIG_OK},
    {COVERS("\"@status\" \"@method\";req \"@target-uri\";req"), HTTPSIG_OK},
    {COVERS("\"date\" \"date\";req"), HTTPSIG_OK},
    {COVERS("\"signature\";req;key=\"sig1\" \"signature\";key=\"sig2\";req"), HTTPSIG_OK},
    {COVERS("\"signature-input\";req;key=\"sig1\""), HTTPSIG_OK},
    {COVERS("\"signature\";req"), HTTPSIG_OK},
    {"s=();created=1;expires=2;nonce=\"12345678\";keyid=\"k\";alg=\"a\"", HTTPSIG_OK},
    {COVERS("\"@status\";req"), HTTPSIG_ECOMPONENT},
    {COVERS("\"@method\""), HTTPSIG_ECOMPONENT},
    {COVERS("\"@target-uri\""), HTTPSIG_ECOMPONENT},
    {COVERS("\"@authority\""), HTTPSIG_ECOMPONENT},
    {COVERS("\"@method\";req=?1"), HTTPSIG_ECOMPONENT},
    {COVERS("\"@method\";req=1"), HTTPSIG_ECOMPONENT},
    {COVERS("\"@method\";req;req"), HTTPSIG_ECOMPONENT},
    {COVERS("\"@method\";req \"@method\";req"), HTTPSIG_ECOMPONENT},
    {COVERS("\"@method\";req;key=\"a\""), HTTPSIG_ECOMPONENT},
    {COVERS("\"@status\";key=\"a\""), HTTPSIG_ECOMPONENT},
    {COVERS("\"signature\";key=\"sig1\""), HTTPSIG_ECOMPONENT},
    {COVERS("\"signature\";req;key=\"\""), HTTPSIG_ECOMPONENT},
    {COVERS("\"signature\";req;key=sig1"), HTTPSIG_ECOMPONENT},
    {COVERS("\"signature\";req;key"), HTTPSIG_ECOMPONENT},
    {COVERS("\"signature\";req;key=\"a\";key=\"b\""), HTTPSIG_ECOMPONENT},
    {COVERS("\"signature\";req;key=\"a\\\\b\""), HTTPSIG_ECOMPONENT},
    {COVERS("\"signature\";req;key=\"a\" \"signature\";key=\"a\";req"), HTTPSIG_ECOMPONENT},
    {COVERS("\"content-digest\";req;key=\"sm3\""), HTTPSIG_ECOMPONENT},
    {COVERS("\"date\";sf"), HTTPSIG_ECOMPONENT},
    {COVERS("\"date\";bs;req"), HTTPSIG_ECOMPONENT},
    {COVERS("\"date\";tr"), HTTPSIG_ECOMPONENT},
    {COVERS("\"@query-param\";req;name=\"a\""), HTTPSIG_ECOMPONENT},
    {COVERS("\"@status\"; req"), HTTPSIG_ESYNTAX},
    {COVERS("\"@method\";req="), HTTPSIG_ESYNTAX},
    {COVERS("\"@method\";"), HTTPSIG_ESYNTAX},
    {COVERS("\"@method\" ;req"), HTTPSIG_ESYNTAX},
    {"s=(\"@status\")", HTTPSIG_EPARAMETER},
    {"s=();keyid=\"k\";alg=\"a\"", HTTPSIG_EPARAMETER},
    {"s=();created=1;alg=\"a\"", HTTPSIG_EPARAMETER},
    {"s=();created=1;keyid=\"k\"", HTTPSIG_EPARAMETER},
    {"s=()" PARAMS ";expires=1", HTTPSIG_EPARAMETER},
    {"s=()" PARAMS ";expires=0", HTTPSIG_EPARAMETER},
    {"s=()" PARAMS ";nonce=\"1234567\"", HTTPSIG_EPARAMETER},
    {"s=()" PARAMS ";created=1", HTTPSIG_EPARAMETER},
    {"t=()" PARAMS, HTTPSIG_ELABEL},
    {"", HTTPSIG_EMISSING},
};

static void parse_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t n = strlen(rows[i].input), bad_at = 0;
        char *exact = malloc(n + !n); /* without a NUL, so that ASan sees a read past the end */
        assert_non_null(exact);
        memcpy(exact, rows[i].input, n);
        struct httpsig s;
        enum httpsig_err err = httpsig_parse_response(&s, slice_of(exact, n), SLICE(SIG), &bad_at);
        if (err != rows[i].err || bad_at > n) {
            fail_msg("%s: %s at %zu", rows[i].input, httpsig_strerror(err), bad_at);
        }
        free(exact);
    }
}

static void only_of_responses(void **state)
{
    (void)state;
    static const char *const inputs[] = {"\"@status\"", "\"@method\";req",
                                         "\"signature\";req;key=\"sig1\"", "\"date\";req"};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        char input[256];
        struct httpsig s;
        size_t bad_at;
        int n = snprintf(input, sizeof input, "s=(%s)" PARAMS ";expires=2;nonce=\"12345678\"",
                         inputs[i]);
        assert_int_equal(httpsig_parse(&s, slice_of(input, (size_t)n), SLICE(SIG), &bad_at),
                         HTTPSIG_ECOMPONENT);
    }
}

struct fields {
    struct slice name, value;
};

static bool field(void *ctx, struct slice name, struct slice *value)
{
    for (const struct fields *f = ctx; f->name.p != NULL; f++) {
        if (slice_eq(f->name, name)) {
            *value = f->value;
            return true;
        }
    }
    return false;
}

static struct fields of_response[] = {
    {{"content-type", 12}, {"application/json", 16}}, {{"content-digest", 14}, {"sm3=:AAAA:", 10}},
    {{"sluice-transaction", 18}, {"t-1", 3}},         {{"signature", 9}, {"sig1=:////:", 11}},
    {{"x-broken", 8}, {"a\n\"@status\": 200", 16}},   {{NULL, 0}, {NULL, 0}},
};
static struct fields of_request[] = {
    {{"content-type", 12}, {"text/plain", 10}},
    {{"signature", 9}, {"p=:BBBB:, sig1=:AQID:", 21}},
    {{"signature-input", 15}, {"p=(\"@status\";req);x, sig1=(\"@method\");created=5", 47}},
    {{NULL, 0}, {NULL, 0}},
};

static const struct httpsig_response response = {.status = 200, .field = field, .ctx = of_response};
static const struct httpsig_request request = {
    .method = {"POST", 4},
    .scheme = {"https", 5},
    .authority = {"Gw.example", 10},
    .target = {"/a?b", 4},
    .field = field,
    .ctx = of_request,
};

static const struct {
    const char *component, *value; /* NULL: ECOMPONENT */
} values[] = {
    {"\"@status\"", "200"},
    {"\"content-type\"", "application/json"},
    {"\"content-type\";req", "text/plain"},
    {"\"@method\";req", "POST"},
    {"\"@target-uri\";req", "https://gw.example/a?b"},
    {"\"@request-target\";req", "/a?b"},
    {"\"@authority\";req", "gw.example"},
    {"\"@path\";req", "/a"},
    {"\"@query\";req", "?b"},
    {"\"@scheme\";req", "https"},
    {"\"signature\"", "sig1=:////:"},
    {"\"signature\";req", "p=:BBBB:, sig1=:AQID:"},
    {"\"signature\";req;key=\"sig1\"", ":AQID:"},
    {"\"signature\";key=\"p\";req", ":BBBB:"},
    {"\"signature\";req;key=\"sig2\"", NULL},
    {"\"signature-input\";req;key=\"sig1\"", "(\"@method\");created=5"},
    {"\"signature-input\";req;key=\"p\"", "(\"@status\";req);x"},
    {"\"signature-input\";req;key=\"sig\"", NULL},
    {"\"x-absent\"", NULL},
    {"\"sluice-transaction\";req", NULL},
    {"\"x-broken\"", NULL},
};

static enum httpsig_err parsed(struct httpsig *s, char *input, size_t cap, const char *components)
{
    size_t bad_at;
    int n = snprintf(input, cap, "s=(%s)" PARAMS, components);
    return httpsig_parse_response(s, slice_of(input, (size_t)n), SLICE(SIG), &bad_at);
}

static void base_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char input[256], want[512], base[512];
        struct httpsig s;
        size_t n = 0;
        assert_int_equal(parsed(&s, input, sizeof input, values[i].component), HTTPSIG_OK);
        enum httpsig_err err =
            httpsig_base_response(&s, &response, &request, base, sizeof base, &n);
        if (values[i].value == NULL) {
            assert_int_equal(err, HTTPSIG_ECOMPONENT);
            continue;
        }
        int want_n = snprintf(want, sizeof want, "%s: %s\n\"@signature-params\": %s",
                              values[i].component, values[i].value, input + 2);
        if (err != HTTPSIG_OK || n != (size_t)want_n || memcmp(base, want, n) != 0) {
            fail_msg("row %zu: %.*s", i, (int)n, base);
        }
        for (size_t cap = 0; cap < n; cap++) {
            char small[512];
            assert_int_equal(httpsig_base_response(&s, &response, &request, small, cap, &n),
                             HTTPSIG_ELIMIT);
        }
        bool bound = strstr(values[i].component, "req") != NULL;
        assert_int_equal(httpsig_base_response(&s, &response, NULL, base, sizeof base, &n),
                         bound ? HTTPSIG_ECOMPONENT : HTTPSIG_OK);
        assert_int_equal(httpsig_base(&s, &request, base, sizeof base, &n),
                         bound || i == 0 ? HTTPSIG_ECOMPONENT : HTTPSIG_OK);
    }
}

static void statuses(void **state)
{
    (void)state;
    static const unsigned bad[] = {0, 99, 1000, 0xffffffff};
    struct httpsig s;
    char input[256], base[256];
    size_t n;
    assert_int_equal(parsed(&s, input, sizeof input, "\"@status\""), HTTPSIG_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct httpsig_response res = {.status = bad[i]};
        assert_int_equal(httpsig_base_response(&s, &res, NULL, base, sizeof base, &n),
                         HTTPSIG_ECOMPONENT);
    }
}

/* A Signature header of the request that is no dictionary of byte sequences has no members. */
static void broken_members(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "", "sig1", "sig1=:AQID", "sig1=:AQID:,", "sig1=1", "sig1=:A:, sig1=:B:"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct fields bad[] = {{SLICE("signature"), slice_str(broken[i])},
                               {SLICE("signature-input"), slice_str(broken[i])},
                               {{NULL, 0}, {NULL, 0}}};
        struct httpsig_request req = request;
        req.ctx = bad;
        static const char *const names[] = {"\"signature\";req;key=\"sig1\"",
                                            "\"signature-input\";req;key=\"sig1\""};
        for (size_t k = 0; k < 2; k++) {
            struct httpsig s;
            char input[256], base[512];
            size_t n;
            assert_int_equal(parsed(&s, input, sizeof input, names[k]), HTTPSIG_OK);
            assert_int_equal(httpsig_base_response(&s, &response, &req, base, sizeof base, &n),
                             HTTPSIG_ECOMPONENT);
        }
    }
}

static void coverage(void **state)
{
    (void)state;
#define ALL "\"@status\" \"content-digest\" \"@method\";req \"@request-target\";req "
    static const struct {
        const char *components, *missing;
    } table[] = {
        {ALL "\"signature\";req;key=\"x\" \"sluice-transaction\"", NULL},
        {ALL "\"signature\";req \"sluice-transaction\"", NULL},
        {"\"@status\" \"content-digest\" \"@method\";req \"@path\";req \"@query\";req "
         "\"signature\";req \"sluice-transaction\"",
         NULL},
        {ALL "\"signature\";req", "sluice-transaction"},
        {ALL "\"signature\";req \"sluice-transaction\";req", "sluice-transaction"},
        {ALL "\"sluice-transaction\"", "signature"},
        {ALL "\"sluice-transaction\" \"signature\"", "signature"},
        {ALL "\"sluice-transaction\" \"signature-input\";req", "signature"},
        {"\"content-digest\" \"@method\";req \"@target-uri\";req \"signature\";req", "@status"},
        {"\"@status\" \"@method\";req \"@target-uri\";req \"signature\";req", "content-digest"},
        {"\"@status\" \"content-digest\";req \"@method\";req", "content-digest"},
        {"\"@status\" \"content-digest\" \"@target-uri\";req", "@method"},
        {"\"@status\" \"content-digest\" \"@method\";req", "@path"},
        {"\"@status\" \"content-digest\" \"@method\";req \"@path\";req", "@query"},
    };
    static const struct slice demanded[] = {{"sluice-transaction", 18}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char input[512];
        struct httpsig s;
        struct slice missing = SLICE("");
        assert_int_equal(parsed(&s, input, sizeof input, table[i].components), HTTPSIG_OK);
        enum httpsig_err err = httpsig_covers_response(&s, demanded, 1, &missing);
        assert_int_equal(err, table[i].missing == NULL ? HTTPSIG_OK : HTTPSIG_ECOVERAGE);
        if (table[i].missing != NULL && !slice_eq(missing, slice_str(table[i].missing))) {
            fail_msg("row %zu: %.*s", i, SLICE_FMT(missing));
        }
    }
}

static struct httpsig fresh(void)
{
    return (struct httpsig){.label = SLICE("sluice"),
                            .keyid = SLICE("k"),
                            .alg = SLICE("sm2-sm3"),
                            .created_s = 1795312800};
}

static void answer_written(void **state)
{
    (void)state;
    static const char want[] =
        "sluice=(\"@status\" \"content-type\" \"content-digest\" \"sluice-transaction\" "
        "\"@method\";req \"@target-uri\";req \"signature\";req;key=\"sig1\");created=1795312800;"
        "keyid=\"k\";alg=\"sm2-sm3\"";
    struct httpsig s = fresh(), read;
    char input[512], signature[128], base[1024], again[1024];
    size_t n, signature_n, base_n, again_n, bad_at;
    struct slice missing;
    assert_int_equal(httpsig_cover_answer(&s, true, SLICE("sig1")), HTTPSIG_OK);
    assert_int_equal(httpsig_write_input(&s, input, sizeof input, &n), HTTPSIG_OK);
    assert_true(slice_eq(slice_of(input, n), slice_str(want)));
    assert_int_equal(
        httpsig_write_signature(&s, (const uint8_t *)"\1\2\3", 3, signature, 14, &signature_n),
        HTTPSIG_OK);
    assert_true(slice_eq(slice_of(signature, signature_n), SLICE("sluice=:AQID:")));
    assert_int_equal(httpsig_base_response(&s, &response, &request, base, sizeof base, &base_n),
                     HTTPSIG_OK);
    assert_int_equal(httpsig_parse_response(&read, slice_of(input, n),
                                            slice_of(signature, signature_n), &bad_at),
                     HTTPSIG_OK);
    assert_int_equal(
        httpsig_base_response(&read, &response, &request, again, sizeof again, &again_n),
        HTTPSIG_OK);
    assert_true(slice_eq(slice_of(base, base_n), slice_of(again, again_n)));
    assert_int_equal(httpsig_covers_response(&read, NULL, 0, &missing), HTTPSIG_OK);
    for (size_t cap = 0; cap < strlen(want); cap++) {
        assert_int_equal(httpsig_write_input(&s, again, cap, &n), HTTPSIG_ELIMIT);
    }
    assert_int_equal(
        httpsig_write_signature(&s, (const uint8_t *)"\1\2\3", 3, signature, 12, &signature_n),
        HTTPSIG_ELIMIT);
}

/* The same answer to another request has another base, whatever of the request is another. */
static void not_moved(void **state)
{
    (void)state;
    struct httpsig s = fresh();
    char input[512], base[1024], other[1024];
    size_t n, base_n, other_n;
    assert_int_equal(httpsig_cover_answer(&s, false, SLICE("sig1")), HTTPSIG_OK);
    assert_int_equal(httpsig_write_input(&s, input, sizeof input, &n), HTTPSIG_OK);
    assert_int_equal(httpsig_base_response(&s, &response, &request, base, sizeof base, &base_n),
                     HTTPSIG_OK);
    struct fields next_call[] = {{SLICE("signature"), SLICE("sig1=:AQIE:")},
                                 {{NULL, 0}, {NULL, 0}}};
    struct httpsig_request moved[] = {request, request, request, request};
    moved[0].method = SLICE("GET");
    moved[1].target = SLICE("/a?c");
    moved[2].authority = SLICE("elsewhere");
    moved[3].ctx = next_call;
    for (size_t i = 0; i < sizeof moved / sizeof *moved; i++) {
        assert_int_equal(
            httpsig_base_response(&s, &response, &moved[i], other, sizeof other, &other_n),
            HTTPSIG_OK);
        assert_false(slice_eq(slice_of(base, base_n), slice_of(other, other_n)));
    }
}

static void request_written(void **state)
{
    (void)state;
    struct httpsig s = fresh(), read;
    char input[512];
    size_t n, bad_at;
    s.expires_s = s.created_s + 60;
    s.nonce = SLICE("n-0123456789");
    assert_int_equal(httpsig_cover(&s, SLICE("@method")), HTTPSIG_OK);
    assert_int_equal(httpsig_cover(&s, SLICE("@target-uri")), HTTPSIG_OK);
    assert_int_equal(httpsig_cover(&s, SLICE("content-digest")), HTTPSIG_OK);
    assert_int_equal(httpsig_cover(&s, SLICE("@method")), HTTPSIG_ECOMPONENT);
    assert_int_equal(httpsig_cover(&s, SLICE("@nothing")), HTTPSIG_ECOMPONENT);
    assert_int_equal(httpsig_cover(&s, SLICE("Date")), HTTPSIG_ECOMPONENT);
    assert_int_equal(httpsig_write_input(&s, input, sizeof input, &n), HTTPSIG_OK);
    assert_int_equal(httpsig_parse(&read, slice_of(input, n), SLICE("sluice=:AQID:"), &bad_at),
                     HTTPSIG_OK);
    assert_true(slice_eq(read.params, s.params));
    assert_true(read.created_s == s.created_s && read.expires_s == s.expires_s);
    assert_true(slice_eq(read.nonce, s.nonce));
}

static void not_written(void **state)
{
    (void)state;
    struct httpsig bad[] = {fresh(), fresh(), fresh(), fresh(), fresh(),
                            fresh(), fresh(), fresh(), fresh()};
    bad[0].label = SLICE("");
    bad[1].label = SLICE("Sig");
    bad[2].keyid = SLICE("");
    bad[3].keyid = SLICE("a\"b");
    bad[4].alg = SLICE("a\\b");
    bad[5].nonce = SLICE("1234567");
    bad[6].created_s = 0;
    bad[7].expires_s = bad[7].created_s;
    bad[8].keyid = SLICE("a\nb");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char input[512];
        size_t n;
        assert_int_equal(httpsig_write_input(&bad[i], input, sizeof input, &n), HTTPSIG_EPARAMETER);
    }
    struct httpsig s = fresh();
    uint8_t sig[HTTPSIG_SIG_MAX + 1] = {0};
    char text[2048];
    size_t n;
    assert_int_equal(httpsig_write_signature(&s, sig, 0, text, sizeof text, &n), HTTPSIG_ELIMIT);
    assert_int_equal(httpsig_write_signature(&s, sig, sizeof sig, text, sizeof text, &n),
                     HTTPSIG_ELIMIT);
    assert_int_equal(httpsig_write_signature(&s, sig, sizeof sig - 1, text, sizeof text, &n),
                     HTTPSIG_OK);
}

static void digest_written(void **state)
{
    (void)state;
    static const enum httpsig_digest algs[] = {HTTPSIG_DIGEST_SM3, HTTPSIG_DIGEST_SHA256};
    uint8_t digest[32], read[32];
    memset(digest, 0xa5, sizeof digest);
    for (size_t i = 0; i < 2; i++) {
        char text[HTTPSIG_DIGEST_TEXT_MAX];
        enum httpsig_digest alg;
        size_t n = httpsig_write_digest(algs[i], digest, text);
        assert_in_range(n, 1, sizeof text);
        assert_int_equal(httpsig_digest_parse(slice_of(text, n), &alg, read), HTTPSIG_OK);
        assert_int_equal(alg, algs[i]);
        assert_memory_equal(read, digest, sizeof digest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[BK-7.2.2b2] httpsig: a response's signature headers, good and bad", parse_rows, NULL,
         NULL, NULL},
        {"httpsig: what only a response may cover", only_of_responses, NULL, NULL, NULL},
        {"httpsig: each value of a response's base", base_values, NULL, NULL, NULL},
        {"httpsig: what is no status", statuses, NULL, NULL, NULL},
        {"httpsig: members of broken headers", broken_members, NULL, NULL, NULL},
        {"[EC-6.1.4.3a] httpsig: what an answer must cover", coverage, NULL, NULL, NULL},
        {"[BK-7.2.2b2] httpsig: an answer of ours, written and read", answer_written, NULL, NULL,
         NULL},
        {"[BK-7.2.2b2] httpsig: an answer cannot be moved to another request", not_moved, NULL,
         NULL, NULL},
        {"httpsig: a request's signature, written and read", request_written, NULL, NULL, NULL},
        {"httpsig: what cannot be written", not_written, NULL, NULL, NULL},
        {"httpsig: Content-Digest, written and read", digest_written, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
