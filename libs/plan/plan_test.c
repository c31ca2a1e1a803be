/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "plan/plan.h"

/* Output into room that grows by what is asked and no more, so that every refill is met. */
struct sink {
    struct plan_out out;
    char *start;
    size_t limit; /* bytes in all; past them more() refuses */
};

static bool sink_more(struct plan_out *out, size_t need)
{
    struct sink *sink = (struct sink *)out;
    size_t used = (size_t)(out->pos - sink->start), size = used + need;
    if (size > sink->limit) {
        return false;
    }
    sink->start = realloc(sink->start, size);
    out->pos = sink->start + used;
    out->end = sink->start + size;
    return true;
}

static void sink_init(struct sink *sink, size_t room)
{
    sink->start = malloc(room + 1);
    sink->limit = SIZE_MAX;
    sink->out = (struct plan_out){sink->start, sink->start + room, sink_more};
}

/* Feeds [0, cut), [cut, n); or, with cut SIZE_MAX, byte by byte. Each piece is a block of its own.
 */
static enum plan_err run(struct plan_stream *s, struct slice doc, size_t cut, struct sink *sink)
{
    size_t at = 0;
    while (at < doc.n) {
        size_t n = cut == SIZE_MAX ? 1 : at < cut && cut < doc.n ? cut - at : doc.n - at;
        char *piece = malloc(n);
        memcpy(piece, doc.p + at, n);
        enum plan_err err = plan_stream_feed(s, slice_of(piece, n), &sink->out);
        free(piece);
        if (err != PLAN_OK) {
            return err;
        }
        at += n;
    }
    return plan_stream_end(s, &sink->out);
}

static const struct {
    const char *path;
    uint8_t outcome, type;
    const char *mask;
} fields[] = {
    {"id", PLAN_KEEP, PLAN_SCALAR, NULL},
    {"phone", PLAN_MASK, PLAN_SCALAR, "phone"},
    {"name", PLAN_MASK, PLAN_SCALAR, "name"},
    {"secret", PLAN_DROP, PLAN_SCALAR, NULL},
    {"gone", PLAN_MASK, PLAN_SCALAR, "null"},
    {"tags", PLAN_KEEP, PLAN_SCALAR, NULL},
    {"more", PLAN_KEEP, PLAN_JSON, NULL},
    {"part", PLAN_KEEP, PLAN_JSON, NULL},
    {"part.secret", PLAN_DROP, PLAN_SCALAR, NULL},
    {"part.open", PLAN_KEEP, PLAN_SCALAR, NULL},
    {"data.list.id", PLAN_KEEP, PLAN_SCALAR, NULL},
    {"data.list.phone", PLAN_MASK, PLAN_SCALAR, "phone"},
    {"data.list.secret", PLAN_DROP, PLAN_SCALAR, NULL},
    {"data.total", PLAN_KEEP, PLAN_SCALAR, NULL},
    {"dead.end", PLAN_DROP, PLAN_SCALAR, NULL},
    {"名", PLAN_MASK, PLAN_SCALAR, "name"},
    {"a\"b\n", PLAN_KEEP, PLAN_SCALAR, NULL},
    {"a name of many more than sixteen bytes", PLAN_KEEP, PLAN_SCALAR, NULL},
    {"two", PLAN_KEEP, PLAN_SCALAR, NULL},
    {"two", PLAN_DROP, PLAN_SCALAR, NULL},
    {"first", PLAN_MASK, PLAN_SCALAR, "keep:1:1"},
    {"masked_json", PLAN_MASK, PLAN_JSON, "phone"},
    {"", PLAN_KEEP, PLAN_SCALAR, NULL},
};
#define FIELDS (sizeof fields / sizeof *fields)

static struct plan *test_plan(void)
{
    struct plan_field made[FIELDS];
    memset(made, 0, sizeof made);
    for (size_t i = 0; i < FIELDS; i++) {
        made[i].path = slice_str(fields[i].path);
        made[i].outcome = fields[i].outcome;
        made[i].type = fields[i].type;
        if (fields[i].mask != NULL) {
            assert_int_equal(mask_parse(&made[i].mask, slice_str(fields[i].mask)), MASK_OK);
        }
    }
    struct plan *plan = plan_new(made, FIELDS);
    assert_non_null(plan);
    return plan;
}

struct row {
    const char *in, *out; /* out NULL: see err */
    enum plan_err err;
    uint64_t rows;
};

/* One document cut at one place, into a sink with little room. */
static void check_cut(struct plan_stream *s, const struct plan *plan, const struct row *row,
                      size_t cut, size_t room)
{
    struct sink sink;
    sink_init(&sink, room);
    plan_stream_reset(s, plan, NULL);
    enum plan_err err = run(s, slice_str(row->in), cut, &sink);
    struct slice got = slice_of(sink.start, (size_t)(sink.out.pos - sink.start));
    if (err != row->err) {
        fail_msg("%s cut at %zu: %s", row->in, cut, plan_strerror(err));
    }
    if (row->out != NULL && !slice_eq(got, slice_str(row->out))) {
        fail_msg("%s cut at %zu: got %.*s, want %s", row->in, cut, (int)got.n, got.p, row->out);
    }
    if (row->out != NULL) {
        assert_int_equal(plan_stream_rows(s), row->rows);
        json_t *json = json_loadb(got.p, got.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(json);
        json_decref(json);
    }
    free(sink.start);
}

static void check_rows(const struct row *rows, size_t n)
{
    struct plan *plan = test_plan();
    struct plan_stream *s = plan_stream_new(plan, NULL);
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(rows[i].in);
        check_cut(s, plan, &rows[i], SIZE_MAX, 0);
        check_cut(s, plan, &rows[i], 0, 4096);
        for (size_t cut = 1; cut < length; cut++) {
            check_cut(s, plan, &rows[i], cut, cut % 2 == 0 ? 4096 : 0);
        }
    }
    plan_stream_free(&s);
    plan_free(&plan);
    assert_null(plan);
}

#define ROWS(...)                                                                                  \
    static const struct row rows[] = {__VA_ARGS__};                                                \
    (void)state;                                                                                   \
    check_rows(rows, sizeof rows / sizeof *rows)

static void outcomes(void **state)
{
    ROWS({"{\"id\":1,\"phone\":\"13812345678\",\"secret\":\"x\",\"other\":2}",
          "{\"id\":1,\"phone\":\"138****5678\"}", PLAN_OK, 1},
         {" { \"id\" : -1.5e+3 , \"name\" : \"张三丰\" } ", "{\"id\":-1.5e+3,\"name\":\"张**\"}",
          PLAN_OK, 1},
         {"{\"other\":{\"id\":1},\"dead\":{\"end\":1,\"id\":2}}", "{}", PLAN_OK, 0},
         {"[{\"id\":1},{\"id\":2},{\"secret\":3},4,\"x\",null,[{\"id\":5}]]",
          "[{\"id\":1},{\"id\":2},{},[{\"id\":5}]]", PLAN_OK, 3},
         {"{\"phone\":13812345678,\"name\":true,\"gone\":\"x\",\"id\":null}",
          "{\"phone\":\"138****5678\",\"name\":\"t***\",\"gone\":null,\"id\":null}", PLAN_OK, 1},
         {"{\"phone\":null,\"gone\":{\"a\":1},\"first\":\"\"}", "{\"phone\":null,\"first\":\"\"}",
          PLAN_OK, 1},
         {"{\"tags\":[1,\"a\",null,[true,{\"x\":1}],{\"id\":1}],\"phone\":[\"13812345678\",\"x\"]}",
          "{\"tags\":[1,\"a\",null,[true]],\"phone\":[\"138****5678\",\"***\"]}", PLAN_OK, 1},
         {"{\"id\":{\"id\":1},\"tags\":{},\"phone\":{\"x\":\"13812345678\"}}", "{}", PLAN_OK, 0},
         {"{\"more\":{ \"any\" : [1, {\"phone\":\"13812345678\"}] },\"id\":1}",
          "{\"more\":{ \"any\" : [1, {\"phone\":\"13812345678\"}] },\"id\":1}", PLAN_OK, 1},
         {"{\"more\":[ {} , [ ] ],\"secret\":[{}]}", "{\"more\":[ {} , [ ] ]}", PLAN_OK, 1},
         {"{\"more\":\"text\",\"masked_json\":{\"a\":1}}", "{\"more\":\"text\"}", PLAN_OK, 1},
         {"{\"part\":{\"secret\":1,\"open\":2,\"else\":3}}", "{\"part\":{\"open\":2}}", PLAN_OK, 1},
         {"{\"two\":1,\"a name of many more than sixteen bytes\":2,\"a name of many MORE than "
          "sixteen bytes\":3}",
          "{\"a name of many more than sixteen bytes\":2}", PLAN_OK, 1},
         {"{\"\":1,\"名\":\"李四\",\"data\":5}", "{\"\":1,\"名\":\"李*\"}", PLAN_OK, 1},
         {"5", "null", PLAN_OK, 0}, {" \"x\" ", "null", PLAN_OK, 0}, {"true", "null", PLAN_OK, 0},
         {"-0.5E-7", "null", PLAN_OK, 0}, {"[]", "[]", PLAN_OK, 0}, {"{}", "{}", PLAN_OK, 0},
         {"[1,2]", "[]", PLAN_OK, 0});
}

static void nesting(void **state)
{
    ROWS({"{\"data\":{\"total\":2,\"list\":[{\"id\":1,\"phone\":\"13812345678\",\"secret\":1},{"
          "\"secret\":{\"a\":[]},\"id\":2}]},\"msg\":\"x\"}",
          "{\"data\":{\"total\":2,\"list\":[{\"id\":1,\"phone\":\"138****5678\"},{\"id\":2}]}}",
          PLAN_OK, 2},
         {"{\"data\":[{\"list\":[{\"id\":1},{\"id\":2}]},{\"list\":[]},{\"list\":{\"id\":3}}]}",
          "{\"data\":[{\"list\":[{\"id\":1},{\"id\":2}]},{\"list\":[]},{\"list\":{\"id\":3}}]}",
          PLAN_OK, 3},
         {"{\"data\":null,\"id\":1}", "{\"id\":1}", PLAN_OK, 1},
         {"{\"data\":[1,\"x\"]}", "{\"data\":[]}", PLAN_OK, 0},
         {"{\"data\":{}}", "{\"data\":{}}", PLAN_OK, 0},
         {"[[[{\"id\":1}]]]", "[[[{\"id\":1}]]]", PLAN_OK, 1},
         {"{\"data.total\":1,\"data\":{\"list.id\":2}}", "{\"data\":{}}", PLAN_OK, 0});
}

static void tricks(void **state)
{
    ROWS({"{\"\\u0070hone\":\"13812345678\"}", "{\"phone\":\"138****5678\"}", PLAN_OK, 1},
         {"{\"phone\":\"\\u0031381234567\\u0038\"}", "{\"phone\":\"138****5678\"}", PLAN_OK, 1},
         {"{\"\\u0073ecret\":1,\"se\\u0063ret\":2,\"Secret\":3,\"secret\\u0000\":4}", "{}", PLAN_OK,
          0},
         {"{\"id\":1,\"id\":2,\"i\\u0064\":3,\"id\":{\"x\":1}}", "{\"id\":1}", PLAN_OK, 1},
         {"{\"phone\":{\"x\":1},\"phone\":\"13812345678\"}", "{}", PLAN_OK, 0},
         {"{\"\\u540d\":\"\\u674e\\u56db\"}", "{\"名\":\"李*\"}", PLAN_OK, 1},
         {"{\"first\":\"\\ud842\\udfb7ab\\uD83d\\uDe00\"}", "{\"first\":\"𠮷**😀\"}", PLAN_OK, 1},
         {"{\"first\":\"\\\"abc\\\\\"}", "{\"first\":\"\\\"***\\\\\"}", PLAN_OK, 1},
         {"{\"first\":\"\\u0001ab\\n\"}", "{\"first\":\"\\u0001**\\u000a\"}", PLAN_OK, 1},
         {"{\"id\":\"\\u4e2d\\n\\/\\\"\"}", "{\"id\":\"\\u4e2d\\n\\/\\\"\"}", PLAN_OK, 1},
         {"{\"a\\\"b\\n\":1}", "{\"a\\\"b\\u000a\":1}", PLAN_OK, 1},
         {"{\"id\":\"𠮷é張\x7f\"}", "{\"id\":\"𠮷é張\x7f\"}", PLAN_OK, 1},
         {"{\"phone\\u0000\":\"13812345678\"}", "{}", PLAN_OK, 0});
}

static void malformed(void **state)
{
    ROWS({"{", NULL, PLAN_ETRUNCATED}, {"", NULL, PLAN_ETRUNCATED}, {" ", NULL, PLAN_ETRUNCATED},
         {"[1", NULL, PLAN_ETRUNCATED}, {"\"abc", NULL, PLAN_ETRUNCATED},
         {"-", NULL, PLAN_ETRUNCATED}, {"1.", NULL, PLAN_ETRUNCATED}, {"1e", NULL, PLAN_ETRUNCATED},
         {"tru", NULL, PLAN_ETRUNCATED}, {"{\"id\"", NULL, PLAN_ETRUNCATED},
         {"{\"id\":", NULL, PLAN_ETRUNCATED}, {"{\"id\":1", NULL, PLAN_ETRUNCATED},
         {"{\"id\":1,", NULL, PLAN_ETRUNCATED}, {"{\"id\":1,}", NULL, PLAN_ESYNTAX},
         {"[1,]", NULL, PLAN_ESYNTAX}, {"[,1]", NULL, PLAN_ESYNTAX}, {"{,}", NULL, PLAN_ESYNTAX},
         {"[1}", NULL, PLAN_ESYNTAX}, {"{\"id\":1]", NULL, PLAN_ESYNTAX},
         {"{\"x\":[1}}", NULL, PLAN_ESYNTAX}, {"{\"x\":{\"a\":1,}}", NULL, PLAN_ESYNTAX},
         {"{\"x\":{1}}", NULL, PLAN_ESYNTAX}, {"{\"more\":{\"a\" 1}}", NULL, PLAN_ESYNTAX},
         {"{id:1}", NULL, PLAN_ESYNTAX}, {"{'id':1}", NULL, PLAN_ESYNTAX},
         {"{\"id\" 1}", NULL, PLAN_ESYNTAX}, {"{\"id\":01}", NULL, PLAN_ESYNTAX},
         {"{\"x\":01}", NULL, PLAN_ESYNTAX}, {"{\"x\":-}", NULL, PLAN_ESYNTAX},
         {"{\"x\":1.}", NULL, PLAN_ESYNTAX}, {"{\"x\":.5}", NULL, PLAN_ESYNTAX},
         {"{\"x\":+1}", NULL, PLAN_ESYNTAX}, {"{\"x\":1e}", NULL, PLAN_ESYNTAX},
         {"{\"x\":1e+}", NULL, PLAN_ESYNTAX}, {"{\"x\":0x1}", NULL, PLAN_ESYNTAX},
         {"{\"x\":NaN}", NULL, PLAN_ESYNTAX}, {"{\"x\":nul}", NULL, PLAN_ESYNTAX},
         {"{\"x\":truE}", NULL, PLAN_ESYNTAX}, {"{\"x\":nullx}", NULL, PLAN_ESYNTAX},
         {"{\"x\":\"a\nb\"}", NULL, PLAN_ESYNTAX}, {"{\"id\":\"a\tb\"}", NULL, PLAN_ESYNTAX},
         {"{\"x\":\"\\x\"}", NULL, PLAN_ESYNTAX}, {"{\"x\":\"\\u12g4\"}", NULL, PLAN_ESYNTAX},
         {"{\"a\nb\":1}", NULL, PLAN_ESYNTAX}, {"{\"x\":1 2}", NULL, PLAN_ESYNTAX},
         {"{} {}", NULL, PLAN_ETRAILING}, {"[]]", NULL, PLAN_ETRAILING},
         {"null,", NULL, PLAN_ETRAILING}, {"1 1", NULL, PLAN_ETRAILING},
         {"\xef\xbb\xbf{}", NULL, PLAN_ESYNTAX}, {"/**/{}", NULL, PLAN_ESYNTAX},
         {"[1 \f]", NULL, PLAN_ESYNTAX}, {"{\"x\":\"\\ud800\"}", NULL, PLAN_EUTF8},
         {"{\"id\":\"\\udc00\"}", NULL, PLAN_EUTF8},
         {"{\"phone\":\"\\ud800\\u0041\"}", NULL, PLAN_EUTF8},
         {"{\"phone\":\"\\ud800x\"}", NULL, PLAN_EUTF8},
         {"{\"phone\":\"\\ud800\\n\"}", NULL, PLAN_EUTF8}, {"{\"\\ud800\":1}", NULL, PLAN_EUTF8},
         {"{\"x\":\"\x80\"}", NULL, PLAN_EUTF8}, {"{\"id\":\"\xc0\x80\"}", NULL, PLAN_EUTF8},
         {"{\"id\":\"\xed\xa0\x80\"}", NULL, PLAN_EUTF8},
         {"{\"id\":\"\xe4\xb8\"}", NULL, PLAN_EUTF8},
         {"{\"id\":\"\xf4\x90\x80\x80\"}", NULL, PLAN_EUTF8},
         {"{\"id\":\"\xf0\x80\x80\x80\"}", NULL, PLAN_EUTF8},
         {"{\"id\":\"\xe0\x80\x80\"}", NULL, PLAN_EUTF8},
         {"{\"phone\":\"\xff\"}", NULL, PLAN_EUTF8}, {"{\"\xff\":1}", NULL, PLAN_EUTF8},
         {"\x80", NULL, PLAN_ESYNTAX});
}

/* PLAN_DEPTH_MAX containers pass, one more does not, wherever they stand. */
static void depth(void **state)
{
    static const char *const heads[] = {"", "{\"x\":", "{\"more\":", "{\"tags\":", "{\"data\":"};
    struct plan *plan = test_plan();
    struct plan_stream *s = plan_stream_new(plan, NULL);
    (void)state;
    for (size_t h = 0; h < sizeof heads / sizeof *heads; h++) {
        for (size_t extra = 0; extra < 2; extra++) {
            char doc[256] = "";
            size_t own = heads[h][0] != '\0', n = PLAN_DEPTH_MAX - own + extra;
            strcpy(doc, heads[h]);
            memset(doc + strlen(doc), '[', n);
            memset(doc + strlen(doc), ']', n);
            strcat(doc, own != 0 ? "}" : "");
            struct row row = {.in = doc, .err = extra != 0 ? PLAN_EDEPTH : PLAN_OK};
            check_cut(s, plan, &row, SIZE_MAX, 0);
            check_cut(s, plan, &row, 0, 4096);
        }
    }
    plan_stream_free(&s);
    plan_free(&plan);
}

static void seen_bits(void **state)
{
    struct plan *plan = test_plan();
    struct plan_stream *s = plan_stream_new(plan, NULL);
    struct sink sink;
    (void)state;
    sink_init(&sink, 10);
    struct slice doc =
        SLICE("{\"phone\":\"1\",\"secret\":1,\"data\":{\"list\":[{\"id\":1}]},\"gone\":1}");
    assert_int_equal(run(s, doc, 20, &sink), PLAN_OK);
    assert_int_equal(plan_stream_seen(s)[0], 1u << 1 | 1u << 4 | 1u << 10);
    assert_int_equal(plan_stream_feed(s, SLICE("x"), &sink.out), PLAN_ETRAILING);
    assert_int_equal(plan_stream_end(s, &sink.out), PLAN_ETRAILING); /* errors stick */
    plan_stream_reset(s, plan, NULL);
    assert_int_equal(plan_stream_seen(s)[0], 0);
    assert_int_equal(run(s, SLICE("{}"), 0, &sink), PLAN_OK);
    free(sink.start);
    plan_stream_free(&s);
    plan_free(&plan);
}

/* A value past MASK_INPUT_MAX is covered; a kept one of any length passes; no room is an error. */
static void long_values(void **state)
{
    size_t n = (size_t)1 << 20;
    char *doc = malloc(2 * n + 100);
    struct plan *plan = test_plan();
    struct plan_stream *s = plan_stream_new(plan, NULL);
    (void)state;
    char *p = doc + sprintf(doc, "{\"name\":\"");
    memset(p, 'a', n);
    p += n + (size_t)sprintf(p + n, "\",\"id\":\"");
    memset(p, 'b', n);
    p += n + (size_t)sprintf(p + n, "\"}");
    for (size_t cut = 0; cut < n; cut += n / 3) {
        struct sink sink;
        sink_init(&sink, 100);
        plan_stream_reset(s, plan, NULL);
        assert_int_equal(run(s, slice_of(doc, (size_t)(p - doc)), cut, &sink), PLAN_OK);
        assert_int_equal(sink.out.pos - sink.start, n + strlen("{\"name\":\"***\",\"id\":\"\"}"));
        sink.out.pos = sink.start;
        sink.out.end = sink.start;
        sink.limit = n / 2;
        plan_stream_reset(s, plan, NULL);
        assert_int_equal(run(s, slice_of(doc, (size_t)(p - doc)), cut, &sink), PLAN_EMEMORY);
        free(sink.start);
    }
    plan_stream_free(&s);
    plan_free(&plan);
    free(doc);
}

/* Every member of a wide object is found, given once, and keeps its place in `seen`. */
static void wide(void **state)
{
    static char paths[PLAN_FIELDS_MAX + 1][32], doc[65536], want[65536];
    struct plan_field made[PLAN_FIELDS_MAX + 1];
    size_t at = 0;
    (void)state;
    memset(made, 0, sizeof made);
    for (size_t i = 0; i <= PLAN_FIELDS_MAX; i++) {
        made[i].path = slice_of(paths[i], (size_t)sprintf(paths[i], "field%zu", i * 7919));
        made[i].outcome = PLAN_KEEP;
    }
    assert_null(plan_new(made, PLAN_FIELDS_MAX + 1));
    struct plan *plan = plan_new(made, PLAN_FIELDS_MAX);
    for (size_t i = 0; i < PLAN_FIELDS_MAX; i++) {
        at += (size_t)sprintf(doc + at, "%c\"%s\":%zu", i == 0 ? '{' : ',', paths[i], i);
    }
    strcpy(want, doc);
    strcat(want, "}");
    strcat(doc, ",\"field\":1,");
    strcat(doc, want + 1);
    struct plan_stream *s = plan_stream_new(plan, NULL);
    struct sink sink;
    sink_init(&sink, 0);
    assert_int_equal(run(s, slice_str(doc), 1000, &sink), PLAN_OK);
    assert_true(
        slice_eq(slice_of(sink.start, (size_t)(sink.out.pos - sink.start)), slice_str(want)));
    for (size_t i = 0; i < PLAN_FIELDS_MAX / 64; i++) {
        assert_true(plan_stream_seen(s)[i] == UINT64_MAX);
    }
    free(sink.start);
    plan_stream_free(&s);
    plan_free(&plan);
}

static void limits(void **state)
{
    char path[300];
    struct plan_field field = {.outcome = PLAN_KEEP};
    (void)state;
    memset(path, 'a', sizeof path);
    field.path = slice_of(path, PLAN_PATH_MAX + 1);
    assert_null(plan_new(&field, 1));
    for (size_t i = 1; i < sizeof path; i += 2) {
        path[i] = '.';
    }
    field.path = slice_of(path, PLAN_DEPTH_MAX * 2 + 1);
    assert_null(plan_new(&field, 1));
    field.path = slice_of(path, PLAN_DEPTH_MAX * 2 - 1);
    struct plan *plan = plan_new(&field, 1);
    assert_non_null(plan);
    assert_true(plan_size_bytes(plan) > 0);
    plan_free(&plan);
    field.path = SLICE("\xff");
    plan = plan_new(&field, 1); /* names nothing */
    assert_non_null(plan);
    plan_free(&plan);
    plan = plan_new(NULL, 0);
    struct plan_stream *s = plan_stream_new(plan, NULL);
    struct row row = {"{\"a\":[{\"b\":1}]}", "{}", PLAN_OK, 0};
    check_cut(s, plan, &row, 0, 100);
    plan_stream_free(&s);
    plan_free(&plan);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"[EC-5.2d] [EC-6.1.4.2] kept, masked and dropped fields", outcomes, NULL, NULL, NULL},
        {"[EC-5.2d] containers, arrays and rows", nesting, NULL, NULL, NULL},
        {"[SW-9.1-7a] escapes and duplicates do not get a field past its plan", tricks, NULL, NULL,
         NULL},
        {"[BK-7.1g] what is not JSON in UTF-8 is refused wherever it is cut", malformed, NULL, NULL,
         NULL},
        {"depth is bounded", depth, NULL, NULL, NULL},
        {"seen fields are known; errors stick; streams start anew", seen_bits, NULL, NULL, NULL},
        {"[EC-6.1.4.2] values of any length", long_values, NULL, NULL, NULL},
        {"512 fields in one object", wide, NULL, NULL, NULL},
        {"limits of a plan", limits, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
