/* SPDX-License-Identifier: Apache-2.0 */
/* Words of the index, who finds what, and what a harvest's result does to an entry. */
#include "catalog/catalog.h"
#include "catalog/tally.h"

#include <stdio.h>

#include "catalog/harvest.h"
#include "test/fixture.h"

static struct fixture f;

static int setup(void **state)
{
    (void)state;
    fixture_open(&f);
    fixture_people(&f);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

static void words(const char *in, const char *want, const char *query)
{
    struct buf b;

    buf_init(&b);
    index_words(&b, in);
    buf_addc(&b, '\0');
    assert_string_equal(b.p, want);
    buf_clear(&b);
    assert_int_equal(index_query(&b, in), query != NULL);
    buf_addc(&b, '\0');
    assert_string_equal(b.p, query ? query : "");
    buf_fini(&b);
}

static void pairs(void **state)
{
    (void)state;
    words("进口", "进口 口 ", "\"进口\"");
    words("进口货", "进口 口货 货 ", "\"进口 口货\"");
    words("货", "货 ", "\"货\"*");
    words("HS编码2026", "HS 编码 码 2026 ", "\"HS\"* AND \"编码\" AND \"2026\"*");
    words("a\" OR b", "a   OR  b ", "\"a\"* AND \"OR\"* AND \"b\"*");
    words("，。\"*", "    ", NULL);
    words("\xff\xfe", "  ", NULL); /* not UTF-8: no letters */
    words("", "", NULL);
}

static size_t found(enum who who, const char *query)
{
    struct reply r = fixture_call(&f, who, "GET", text("entries/search?%s", query), NULL, NULL);
    assert_int_equal(r.status, 200);
    size_t n = json_array_size(json_object_get(r.json, "items"));
    assert_int_equal(n, json_integer_value(json_object_get(r.json, "total")));
    reply_free(&r);
    return n;
}

static const char *make_entry(const char *name)
{
    return fixture_ok(&f, PROVIDER, "POST", "entries",
                      text("{\"name\":\"%s\",\"summary\":\"s\",\"department\":\"d\"}", name), "id");
}

static void listed(void **state)
{
    (void)state;
    const char *open = make_entry("apples"), *closed = make_entry("apples too");
    const char *ids[] = {open, closed}, *decisions[] = {"open", "closed"};

    assert_int_equal(found(DEVELOPER, "q=apples"), 0);
    for (int i = 0; i < 2; i++) {
        const char *target = text("entries/%s", ids[i]);
        fixture_refused(&f, DEVELOPER, "GET", target, NULL, NULL, "not-found");
        fixture_ok(&f, OPERATOR, "PATCH", target, text("{\"decision\":\"%s\"}", decisions[i]),
                   NULL);
        fixture_ok(&f, PROVIDER, "POST", text("%s/submit", target), NULL, NULL);
        struct reply r =
            fixture_call(&f, OPERATOR, "POST", text("%s/publish", target), "auto", NULL);
        assert_int_equal(r.status, 200);
        reply_free(&r);
    }
    assert_int_equal(found(DEVELOPER, "q=apples"), 1);
    assert_int_equal(found(DEVELOPER, ""), 1);
    assert_int_equal(found(OWNER, "department=D"), 1);
    assert_int_equal(found(PROVIDER, "q=apples"), 2);
    assert_int_equal(found(OPERATOR, "q=apples"), 2);
    fixture_refused(&f, DEVELOPER, "GET", text("entries/%s", closed), NULL, NULL, "not-found");
    fixture_refused(&f, DEVELOPER, "PATCH", text("entries/%s", open), "auto", "{\"name\":\"x\"}",
                    "not-permitted");
    fixture_ok(&f, PROVIDER, "POST", text("entries/%s/withdraw", open), "{\"comment\":\"c\"}",
               NULL);
    assert_int_equal(found(DEVELOPER, "q=apples"), 0);
    assert_int_equal(found(OPERATOR, "q=apples"), 1);
}

static void wrong(void **state)
{
    (void)state;
    static const char *const bodies[][2] = {
        {"{\"name\":\"a\\u0001b\"}", "field-invalid"},
        {"{\"name\":\"a\",\"fields\":[{\"title\":\"x\"}]}", "field-invalid"},
        {"{\"name\":\"a\",\"fields\":[{\"name\":\"x\",\"length\":-1}]}", "field-invalid"},
        {"{\"name\":\"a\",\"tags\":[1]}", "field-invalid"},
        {"{\"name\":\"a\",\"decision\":\"open\"}", "not-permitted"},
        {"{\"name\":\"a\",\"version\":7}", "field-invalid"},
    };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        fixture_refused(&f, PROVIDER, "POST", "entries", NULL, bodies[i][0], bodies[i][1]);
    }
    fixture_refused(&f, DEVELOPER, "GET", "entries/search?x=1", NULL, NULL, "query-malformed");
    fixture_refused(&f, DEVELOPER, "GET", "entries/search?page=0", NULL, NULL, "query-malformed");
    fixture_refused(&f, OPERATOR, "POST", "catalog_nodes", NULL,
                    "{\"scheme\":\"Theme\",\"name\":\"x\"}", "field-invalid");
    fixture_refused(&f, DEVELOPER, "GET", "harvests", NULL, NULL, "not-permitted");
}

static const char *first_hit(const char *query)
{
    struct reply r =
        fixture_call(&f, PROVIDER, "GET", text("entries/search?%s", query), NULL, NULL);
    assert_int_equal(r.status, 200);
    const char *name =
        text("%s", row_text(json_array_get(json_object_get(r.json, "items"), 0), "name"));
    reply_free(&r);
    return name;
}

/* A word of the name counts more than one of the summary, however often it comes there; of two
 * alike the shorter name is first. */
static void ranked(void **state)
{
    (void)state;
    fixture_ok(&f, PROVIDER, "POST", "entries",
               "{\"name\":\"the pears of last year\",\"summary\":\"s\"}", NULL);
    fixture_ok(&f, PROVIDER, "POST", "entries", "{\"name\":\"pears\",\"summary\":\"s\"}", NULL);
    fixture_ok(&f, PROVIDER, "POST", "entries",
               "{\"name\":\"fruit\",\"summary\":\"pears pears pears pears\"}", NULL);
    assert_int_equal(found(PROVIDER, "q=pears"), 3);
    assert_string_equal(first_hit("q=pears"), "pears");
    assert_string_equal(first_hit("q=pears last"), "the pears of last year");
    assert_string_equal(first_hit("q=fruit"), "fruit");
}

/* A text cannot pass for a mark: what an outsider finds is what is listed. */
static void marks(void **state)
{
    struct buf mark;

    (void)state;
    buf_init(&mark);
    index_mark(&mark, 'v', "open");
    buf_addc(&mark, '\0');
    fixture_ok(&f, PROVIDER, "POST", "entries",
               text("{\"name\":\"hidden %s\",\"summary\":\"%s\"}", mark.p, mark.p), NULL);
    buf_fini(&mark);
    assert_int_equal(found(PROVIDER, "q=hidden"), 1);
    assert_int_equal(found(DEVELOPER, "q=hidden"), 0);
    assert_int_equal(found(DEVELOPER, "q=hidden&tag=_v6f70656e"), 0);
}

static void tallies(void **state)
{
    static struct tally t;
    const char *name;

    (void)state;
    for (int i = 0; i < 3 * TALLY_MAX; i++) {
        name = text("value %d", i % (TALLY_MAX + 10));
        tally_add(&t, name, strlen(name));
    }
    tally_add(&t, "", 0);
    assert_int_equal(t.n, TALLY_MAX);
    assert_string_equal(t.of[0].text, "value 0");
    assert_int_equal(t.of[0].times, 3);
    assert_int_equal(t.of[TALLY_MAX - 1].times, 2);
    static char lengthy[TALLY_TEXT_MAX + 2];
    static struct tally none;
    memset(lengthy, 'x', sizeof lengthy - 1);
    tally_add(&none, lengthy, sizeof lengthy - 1);
    assert_int_equal(none.n, 0);
    tally_add(&none, lengthy, TALLY_TEXT_MAX);
    assert_int_equal(none.of[0].n_text, TALLY_TEXT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs),  cmocka_unit_test(listed), cmocka_unit_test(wrong),
        cmocka_unit_test(ranked), cmocka_unit_test(marks),  cmocka_unit_test(tallies),
    };
    return cmocka_run_group_tests_name("catalog", tests, setup, teardown);
}
