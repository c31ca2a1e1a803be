/* SPDX-License-Identifier: Apache-2.0 */
/* Personal information in what is handed in: found when it proves to be, covered, and nothing else.
 * All numbers are made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "personal/personal.h"

static const struct {
    const char *text, *found, *covered; /* NULL found: nothing */
} rows[] = {
    {"11010519491231002X", "id-card", NULL},
    {"13812345678", "mobile", "138****5678"},
    {"nobody@example.com", "email", NULL},
    {"call 13812345678 after six", "mobile", "**************************"},
    {"110105194912310021", NULL, NULL}, /* a wrong check digit */
    {"10812345678", NULL, NULL},        /* no mobile begins so */
    {"packed", NULL, NULL},
    {"", NULL, NULL},
    {"2026-11-26", NULL, NULL},
    {"91350100M000100Y43", NULL, NULL}, /* an enterprise's code is nobody's */
    {"\xff\xfe 13812345678", NULL, NULL},
};

static void what_is_somebodys_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *found = personal_find(slice_str(rows[i].text));
        if (!rows[i].found) {
            assert_null(found);
            continue;
        }
        assert_non_null(found);
        assert_string_equal(found, rows[i].found);
        json_t *covered = personal_cover(slice_str(rows[i].text));
        assert_non_null(covered);
        assert_null(strstr(json_string_value(covered), rows[i].text));
        if (rows[i].covered)
            assert_string_equal(json_string_value(covered), rows[i].covered);
        json_decref(covered);
    }
}

static void a_policy_names_columns(void **state)
{
    (void)state;
    json_t *guarded = json_pack("{s:s, s:[s, i]}", "do", "refuse", "columns", "status", 7);
    assert_int_equal(personal_guard_of(NULL), PERSONAL_OFF);
    assert_int_equal(personal_guard_of(guarded), PERSONAL_REFUSE);
    assert_true(personal_guards(guarded, SLICE("status")));
    assert_false(personal_guards(guarded, SLICE("phone")));
    assert_false(personal_guards(NULL, SLICE("status")));
    json_object_set_new(guarded, "do", json_string("mask"));
    assert_int_equal(personal_guard_of(guarded), PERSONAL_MASK);
    json_decref(guarded);
}

/* Documents: where the member `meant` leads is left alone. */
static const struct {
    const char *before, *after; /* NULL after: refused even to be covered */
    size_t covered;
    const char *kind, *path;
} documents[] = {
    {"{\"no\":1,\"place\":\"berth 7\"}", "{\"no\":1,\"place\":\"berth 7\"}", 0, NULL, ""},
    {"{\"place\":\"13812345678\"}", "{\"place\":\"138****5678\"}", 1, "mobile", "place"},
    {"{\"meant\":\"13812345678\"}", "{\"meant\":\"13812345678\"}", 0, NULL, ""},
    {"{\"meant\":{\"a\":[13812345678]}}", "{\"meant\":{\"a\":[13812345678]}}", 0, NULL, ""},
    {"{\"meantime\":\"13812345678\"}", "{\"meantime\":\"138****5678\"}", 1, "mobile", "meantime"},
    {"[{\"a\":{\"b\":\"x\"}},{\"a\":{\"b\":\"nobody@example.com\"}}]",
     "[{\"a\":{\"b\":\"x\"}},{\"a\":{\"b\":\"n***@example.com\"}}]", 1, "email", "a.b"},
    {"{\"n\":13812345678,\"m\":1381234567}", "{\"n\":\"138****5678\",\"m\":1381234567}", 1,
     "mobile", "n"},
    {"{\"n\":1.5,\"t\":true,\"z\":null}", "{\"n\":1.5,\"t\":true,\"z\":null}", 0, NULL, ""},
};

static void a_document_is_looked_through(void **state)
{
    (void)state;
    json_t *meant = json_pack("[s, i]", "meant", 7);
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        struct personal_seen seen = {0};
        json_t *value = json_loads(documents[i].before, 0, NULL);
        assert_true(personal_document(PERSONAL_MASK, meant, &value, &seen));
        char *text = json_dumps(value, JSON_COMPACT);
        assert_string_equal(text, documents[i].after);
        assert_int_equal(seen.covered, documents[i].covered);
        assert_string_equal(seen.kind ? seen.kind : "", documents[i].kind ? documents[i].kind : "");
        assert_string_equal(seen.path, documents[i].path);
        free(text);
        json_decref(value);
        value = json_loads(documents[i].before, 0, NULL);
        assert_int_equal(personal_document(PERSONAL_REFUSE, meant, &value, &seen),
                         documents[i].covered == 0);
        assert_true(personal_document(PERSONAL_OFF, meant, &value, &seen));
        json_decref(value);
    }
    json_decref(meant);
    char deep[PERSONAL_DEPTH_MAX * 2 + 40] = "";
    for (size_t i = 0; i < PERSONAL_DEPTH_MAX + 2; i++)
        strcat(deep, "[");
    strcat(deep, "1");
    for (size_t i = 0; i < PERSONAL_DEPTH_MAX + 2; i++)
        strcat(deep, "]");
    json_t *value = json_loads(deep, 0, NULL);
    assert_false(personal_document(PERSONAL_MASK, NULL, &value, &(struct personal_seen){0}));
    json_decref(value);
}

/* Streams: as it was, covered; how it is cut changes nothing. */
static const struct {
    const char *before, *after;
    size_t hits;
    uint64_t line; /* of the first */
} streams[] = {
    {"", "", 0, 0},
    {"id,note\r\n1,packed\r\n", "id,note\r\n1,packed\r\n", 0, 0},
    {"id,note\n1,call 13812345678 now\n", "id,note\n1,call *********** now\n", 1, 2},
    {"a,\"138-1234-5678\",b\n", "a,\"*************\",b\n", 1, 1},
    {"11010519491231002X\n\n\n110105194912310021\n", "******************\n\n\n110105194912310021\n",
     1, 1},
    {"<a b='nobody@example.com'>x</a>", "<a b='******************'>x</a>", 1, 1},
    {"{\"a\":13812345678,\"b\":\"13812345678\"}\n", "{\"a\":null       ,\"b\":\"***********\"}\n",
     2, 1},
    {"[ -13812345678.5 ]", "[ null           ]", 1, 1},
    {"{\"a\":\"x\\n13812345678\\\"13912345678\"}", "{\"a\":\"x\\n***********\\\"***********\"}", 2,
     1},
    {"{\"a\":\"\\u4e2d13812345678\"}", "{\"a\":\"\\u4e2d***********\"}", 1, 1},
    {"{\"a\":\"tel:13812345678\"}", "{\"a\":\"tel:***********\"}", 1, 1},
    {"\xe7\x94\xb5\xe8\xaf\x9d"
     "13812345678",
     "\xe7\x94\xb5\xe8\xaf\x9d***********", 1, 1},
    {"\xb5\xe7\xbb\xb0"
     "13812345678,\x81\x41"
     "13912345678",
     "\xb5\xe7\xbb\xb0***********,\x81\x41***********", 2, 1},
    {"ref 2026112613812345678", "ref 2026112613812345678", 0, 0}, /* part of a longer number */
    {"91350100M000100Y43,10812345678", "91350100M000100Y43,10812345678", 0, 0},
};

struct told {
    char text[9000];
    size_t hits;
    uint64_t line;
};

static void cover(void *ctx, const struct personal_hit *hit)
{
    struct told *t = ctx;
    personal_fill(t->text + hit->at, hit->n, hit->literal);
    t->line = t->hits++ ? t->line : hit->line;
    assert_non_null(hit->kind);
}

static void run_stream(struct told *t, const char *text, size_t n, size_t step)
{
    *t = (struct told){0};
    memcpy(t->text, text, n);
    struct personal_stream *s = personal_stream_new(cover, t);
    assert_non_null(s);
    for (size_t at = 0; at < n; at += step)
        personal_stream_add(s, slice_of(text + at, n - at < step ? n - at : step));
    personal_stream_end(s);
    personal_stream_free(&s);
}

static void a_stream_is_covered_wherever_it_is_cut(void **state)
{
    (void)state;
    struct told t;
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
        for (size_t step = 1; step < 40; step++) {
            run_stream(&t, streams[i].before, strlen(streams[i].before), step);
            assert_string_equal(t.text, streams[i].after);
            assert_int_equal(t.hits, streams[i].hits);

            assert_int_equal(t.line, streams[i].line);
        }
    }
}

/* Cells longer than the detector looks at: what lies over the cut, and behind it, is found. */
static void a_long_cell_is_looked_through(void **state)
{
    (void)state;
    struct told t;
    static char text[9000];
    for (size_t at = 4070; at < 4110; at++) {
        memset(text, 0, sizeof text);
        memset(text, ' ', 8000);
        memcpy(text + at, "13812345678", 11);
        memcpy(text + 7980, "nobody@example.com", 18);
        run_stream(&t, text, 8000, 333);
        assert_int_equal(t.hits, 2);
        assert_int_equal(t.text[at], '*');
        assert_int_equal(t.text[at + 10], '*');
        assert_int_equal(t.text[at + 11], ' ');
        assert_string_equal(personal_find(slice_of(text, 8000)), "mobile");
    }
    memset(text, 'x', 8000); /* one word, as encoded bytes are */
    run_stream(&t, text, 8000, 1000);
    assert_int_equal(t.hits, 0);
    assert_null(personal_find(slice_of(text, 8000)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_somebodys_is_found),
        cmocka_unit_test(a_policy_names_columns),
        cmocka_unit_test(a_document_is_looked_through),
        cmocka_unit_test(a_stream_is_covered_wherever_it_is_cut),
        cmocka_unit_test(a_long_cell_is_looked_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
