/* SPDX-License-Identifier: Apache-2.0 */
/* What the parser takes and refuses, and the SQL that comes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "data/query/cell.h"
#include "data/query/sql.h"
#include "plan/plan.h"

#define TEXT(s)                                                                                    \
    {                                                                                              \
        (s), sizeof(s) - 1                                                                         \
    }

static const struct query_column columns[] = {
    {TEXT("id"), TEXT("order_id"), QUERY_INTEGER},      {TEXT("name"), TEXT("name"), QUERY_STRING},
    {TEXT("price"), TEXT("price"), QUERY_NUMBER},       {TEXT("paid"), TEXT("paid"), QUERY_BOOLEAN},
    {TEXT("made"), TEXT("made_at"), QUERY_DATETIME},    {TEXT("note"), TEXT("note"), QUERY_JSON},
    {TEXT("phone"), TEXT("phone"), QUERY_STRING}, /* masked */
    {TEXT("card"), TEXT("card"), QUERY_STRING},   /* dropped */
    {TEXT("odd.name"), TEXT("odd\"col"), QUERY_STRING}, {TEXT("nowhere"), TEXT(""), QUERY_STRING},
};
static const uint8_t outcomes[] = {PLAN_KEEP, PLAN_KEEP, PLAN_KEEP, PLAN_KEEP, PLAN_KEEP,
                                   PLAN_KEEP, PLAN_MASK, PLAN_DROP, PLAN_KEEP, PLAN_KEEP};
static const struct slice keys[] = {TEXT("order_id")};
static const struct query_table table = {
    .schema = TEXT("shop"),
    .table = TEXT("orders"),
    .owner_column = TEXT("merchant"),
    .columns = columns,
    .n_columns = sizeof columns / sizeof *columns,
    .keys = keys,
    .n_keys = 1,
};

static struct arena arena;
static struct query query;

static enum problem parse_with(const char *raw, struct query_input in, struct query_error *err)
{
    arena_reset(&arena);
    in.raw = slice_str(raw);
    in.outcome = outcomes;
    in.max_rows = in.max_rows ? in.max_rows : 1000;
    *err = (struct query_error){.where = SLICE("")};
    return query_parse(&query, &arena, &table, &in, err);
}

static const struct {
    const char *raw;
    enum problem problem;
    const char *where;
} refused[] = {
    {"select=nope", PROBLEM_FIELD_UNKNOWN, "select"},
    {"select=card", PROBLEM_FIELD_FORBIDDEN, "select"},
    {"select=id,card", PROBLEM_FIELD_FORBIDDEN, "select"},
    {"select=order_id", PROBLEM_FIELD_UNKNOWN, "select"},
    {"select=nowhere", PROBLEM_FIELD_UNKNOWN, "select"},
    {"select=name:phone", PROBLEM_QUERY_MALFORMED, "select"}, /* an alias would pass the mask by */
    {"select=name:card", PROBLEM_FIELD_FORBIDDEN, "select"},
    {"select=id::text", PROBLEM_QUERY_MALFORMED, "select"},
    {"select=merchants(id)", PROBLEM_FIELD_UNKNOWN, "select"},
    {"select=id,", PROBLEM_QUERY_MALFORMED, "select"},
    {"select=,id", PROBLEM_QUERY_MALFORMED, "select"},
    {"select=id,,name", PROBLEM_QUERY_MALFORMED, "select"},
    {"select=id&select=name", PROBLEM_QUERY_MALFORMED, "select"},
    {"select=id;drop table orders", PROBLEM_FIELD_UNKNOWN, "select"},
    {"select=count(*)", PROBLEM_FIELD_UNKNOWN, "select"},
    {"select=%22id", PROBLEM_FIELD_UNKNOWN, "select"},
    {"card=eq.1", PROBLEM_FIELD_FORBIDDEN, "card"},
    {"phone=eq.1", PROBLEM_FILTER_FORBIDDEN, "phone"},
    {"nope=eq.1", PROBLEM_FIELD_UNKNOWN, "nope"},
    {"id%20or%201=eq.1", PROBLEM_FIELD_UNKNOWN, "id or 1"},
    {"id'--=eq.1", PROBLEM_FIELD_UNKNOWN, "id'--"},
    {"=eq.1", PROBLEM_FIELD_UNKNOWN, ""},
    {"id", PROBLEM_QUERY_MALFORMED, "id"},
    {"id=", PROBLEM_QUERY_MALFORMED, "id"},
    {"id=1", PROBLEM_QUERY_MALFORMED, "id"},
    {"id=eq", PROBLEM_QUERY_MALFORMED, "id"},
    {"id=EQ.1", PROBLEM_QUERY_MALFORMED, "id"},
    {"id=eqq.1", PROBLEM_QUERY_MALFORMED, "id"},
    {"id=not.1", PROBLEM_QUERY_MALFORMED, "id"},
    {"id=not.not.eq.1", PROBLEM_QUERY_MALFORMED, "id"},
    {"id=eq.", PROBLEM_QUERY_MALFORMED, "id"},
    {"id=eq.1;drop table orders", PROBLEM_QUERY_MALFORMED, "id"},
    {"id=eq.1 or 1=1", PROBLEM_QUERY_MALFORMED, "id"},
    {"id=eq.1.5", PROBLEM_QUERY_MALFORMED, "id"},
    {"id=eq.9999999999999999999", PROBLEM_QUERY_MALFORMED, "id"},
    {"id=eq.0x10", PROBLEM_QUERY_MALFORMED, "id"},
    {"price=eq.abc", PROBLEM_QUERY_MALFORMED, "price"},
    {"price=eq.1e", PROBLEM_QUERY_MALFORMED, "price"},
    {"price=eq.NaN", PROBLEM_QUERY_MALFORMED, "price"},
    {"paid=eq.yes", PROBLEM_QUERY_MALFORMED, "paid"},
    {"paid=is.maybe", PROBLEM_QUERY_MALFORMED, "paid"},
    {"name=is.true", PROBLEM_QUERY_MALFORMED, "name"},
    {"name=is.NULL", PROBLEM_QUERY_MALFORMED, "name"},
    {"note=eq.1", PROBLEM_QUERY_MALFORMED, "note"},
    {"id=like.1*", PROBLEM_QUERY_MALFORMED, "id"},
    {"name=match.a", PROBLEM_QUERY_MALFORMED, "name"}, /* the source has none */
    {"name=fts.a", PROBLEM_QUERY_MALFORMED, "name"},
    {"name=like(any).{a,b}", PROBLEM_QUERY_MALFORMED, "name"},
    {"name=eq.%", PROBLEM_QUERY_MALFORMED, "name"},
    {"name=eq.%4", PROBLEM_QUERY_MALFORMED, "name"},
    {"name=eq.%zz", PROBLEM_QUERY_MALFORMED, "name"},
    {"name=eq.%00", PROBLEM_QUERY_MALFORMED, "name"},
    {"name=eq.%ff", PROBLEM_QUERY_MALFORMED, "name"},
    {"name=eq.%c0%af", PROBLEM_QUERY_MALFORMED, "name"},
    {"name=eq.%ed%a0%80", PROBLEM_QUERY_MALFORMED, "name"},
    {"%ff=eq.1", PROBLEM_QUERY_MALFORMED, ""},
    {"id=in.1,2", PROBLEM_QUERY_MALFORMED, "id"},
    {"id=in.(1,2", PROBLEM_QUERY_MALFORMED, "id"},
    {"id=in.(1,2))", PROBLEM_QUERY_MALFORMED, "id"},
    {"id=in.(1,)", PROBLEM_QUERY_MALFORMED, "id"},
    {"id=in.(1,(2))", PROBLEM_QUERY_MALFORMED, "id"},
    {"name=in.(\"a)", PROBLEM_QUERY_MALFORMED, "name"},
    {"name=in.(\"a\"b)", PROBLEM_QUERY_MALFORMED, "name"},
    {"name=in.(\"a\\", PROBLEM_QUERY_MALFORMED, "name"},
    {"or=id.eq.1", PROBLEM_QUERY_MALFORMED, "or"},
    {"or=()", PROBLEM_QUERY_MALFORMED, "or"},
    {"or=(id.eq.1", PROBLEM_QUERY_MALFORMED, "or"},
    {"or=(id.eq.1,)", PROBLEM_QUERY_MALFORMED, "or"},
    {"or=(id.eq.1)x", PROBLEM_QUERY_MALFORMED, "or"},
    {"or=(id.eq.1)) or (1=1", PROBLEM_QUERY_MALFORMED, "or"},
    {"or=(card.eq.1,id.eq.1)", PROBLEM_FIELD_FORBIDDEN, "or"},
    {"or=(id.eq.1,phone.like.1*)", PROBLEM_FILTER_FORBIDDEN, "or"},
    {"and=(id.eq.1,or(name.eq.a,card.is.null))", PROBLEM_FIELD_FORBIDDEN, "and"},
    {"and=(xor(id.eq.1,id.eq.2))", PROBLEM_QUERY_MALFORMED, "and"},
    {"not.and=(nope.eq.1)", PROBLEM_FIELD_UNKNOWN, "not.and"},
    {"and=(and(and(and(and(and(and(and(and(id.eq.1)))))))))", PROBLEM_QUERY_TOO_LARGE, "and"},
    {"order=nope", PROBLEM_FIELD_UNKNOWN, "order"},
    {"order=card", PROBLEM_FIELD_FORBIDDEN, "order"},
    {"order=phone.desc", PROBLEM_FILTER_FORBIDDEN, "order"},
    {"order=id.down", PROBLEM_QUERY_MALFORMED, "order"},
    {"order=id.asc.desc", PROBLEM_QUERY_MALFORMED, "order"},
    {"order=id.nullsfirst.asc", PROBLEM_QUERY_MALFORMED, "order"},
    {"order=id.", PROBLEM_QUERY_MALFORMED, "order"},
    {"order=id;drop", PROBLEM_FIELD_UNKNOWN, "order"},
    {"order=(select 1)", PROBLEM_FIELD_UNKNOWN, "order"},
    {"order=id&order=name", PROBLEM_QUERY_MALFORMED, "order"},
    {"limit=-1", PROBLEM_QUERY_MALFORMED, "limit"},
    {"limit=1;", PROBLEM_QUERY_MALFORMED, "limit"},
    {"limit=all", PROBLEM_QUERY_MALFORMED, "limit"},
    {"limit=", PROBLEM_QUERY_MALFORMED, "limit"},
    {"limit=1&limit=2", PROBLEM_QUERY_MALFORMED, "limit"},
    {"offset=1.0", PROBLEM_QUERY_MALFORMED, "offset"},
    {"offset=99999999999999999999", PROBLEM_QUERY_MALFORMED, "offset"},
    {"pageno=1", PROBLEM_PARAMETER_MISSING, "pagesize"},
    {"pageno=x", PROBLEM_QUERY_MALFORMED, "pageno"},
    {"pageno=0&pagesize=10", PROBLEM_QUERY_MALFORMED, "pageno"},
    {"pageno=x&pagesize=10", PROBLEM_QUERY_MALFORMED, "pageno"},
    {"pageno=-1&pagesize=10", PROBLEM_QUERY_MALFORMED, "pageno"},
    {"pageno=1&pagesize=0", PROBLEM_QUERY_MALFORMED, "pagesize"},
    {"pageno=1&pagesize=1001", PROBLEM_QUERY_TOO_LARGE, "pagesize"},
    {"pageno=1&pagesize=10&limit=5", PROBLEM_QUERY_MALFORMED, "pageno"},
    {"pageno=99999999999&pagesize=10", PROBLEM_QUERY_TOO_LARGE, "pageno"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct query_error err;
        enum problem p = parse_with(refused[i].raw, (struct query_input){0}, &err);
        if (p != refused[i].problem || !slice_eq(err.where, slice_str(refused[i].where)))
            fail_msg("%s: %s at %.*s, wanted %s at %s", refused[i].raw, problem_row(p)->code,
                     SLICE_FMT(err.where), problem_row(refused[i].problem)->code, refused[i].where);
    }
}

/* Query → WHERE … of the PostgreSQL text, and the parameters before limit and offset, joined by
 * '|'. */
static const struct {
    const char *raw, *tail, *params;
} golden[] = {
    {"", " ORDER BY \"order_id\"", ""},
    {"&&", " ORDER BY \"order_id\"", ""},
    {"id=eq.5", " WHERE ((\"order_id\" = ?))", "5|"},
    {"id=not.eq.5", " WHERE (NOT (\"order_id\" = ?)) ORDER BY \"order_id\"", "5|"},
    {"id=neq.-5", " WHERE ((\"order_id\" <> ?)) ORDER BY \"order_id\"", "-5|"},
    {"id=gt.1&id=lte.9",
     " WHERE ((\"order_id\" > ?) AND (\"order_id\" <= ?)) ORDER BY \"order_id\"", "1|9|"},
    {"price=gte.1.50", " WHERE ((\"price\" >= ?)) ORDER BY \"order_id\"", "1.50|"},
    {"price=lt.1e-3", " WHERE ((\"price\" < ?)) ORDER BY \"order_id\"", "1e-3|"},
    {"name=eq.%27%20OR%20%271%27=%271", " WHERE ((\"name\" = ?)) ORDER BY \"order_id\"",
     "' OR '1'='1|"},
    {"name=eq.a;DROP+TABLE+orders--", " WHERE ((\"name\" = ?)) ORDER BY \"order_id\"",
     "a;DROP TABLE orders--|"},
    {"name=eq.%22quoted%22", " WHERE ((\"name\" = ?)) ORDER BY \"order_id\"", "\"quoted\"|"},
    {"name=eq.%E4%B8%AD", " WHERE ((\"name\" = ?)) ORDER BY \"order_id\"", "中|"},
    {"name=eq.", " WHERE ((\"name\" = ?)) ORDER BY \"order_id\"", "|"},
    {"name=eq.a%26b=c", " WHERE ((\"name\" = ?)) ORDER BY \"order_id\"", "a&b=c|"},
    {"name=like.*a%25", " WHERE ((\"name\" LIKE ?)) ORDER BY \"order_id\"", "%a%|"},
    {"name=ilike.*a*", " WHERE ((\"name\" ILIKE ?)) ORDER BY \"order_id\"", "%a%|"},
    {"name=match.^a.*$", " WHERE ((\"name\" ~ ?)) ORDER BY \"order_id\"", "^a.*$|"},
    {"name=isdistinct.x", " WHERE ((\"name\" IS DISTINCT FROM ?)) ORDER BY \"order_id\"", "x|"},
    {"name=is.null", " WHERE ((\"name\" IS NULL)) ORDER BY \"order_id\"", ""},
    {"name=not.is.null", " WHERE (NOT (\"name\" IS NULL)) ORDER BY \"order_id\"", ""},
    {"paid=is.true", " WHERE ((\"paid\" IS TRUE)) ORDER BY \"order_id\"", ""},
    {"paid=is.unknown", " WHERE ((\"paid\" IS NULL)) ORDER BY \"order_id\"", ""},
    {"id=in.(1,2,3)", " WHERE ((\"order_id\" IN (?, ?, ?))) ORDER BY \"order_id\"", "1|2|3|"},
    {"id=in.()", " WHERE ((1 = 0)) ORDER BY \"order_id\"", ""},
    {"name=in.(a,\"b,c\",\"d\\\"e\")", " WHERE ((\"name\" IN (?, ?, ?))) ORDER BY \"order_id\"",
     "a|b,c|d\"e|"},
    {"name=in.(1) or (1)", NULL, ""},
    {"odd.name=eq.1", " WHERE ((\"odd\"\"col\" = ?)) ORDER BY \"order_id\"", "1|"},
    {"or=(\"odd.name\".eq.1)", " WHERE ((((\"odd\"\"col\" = ?)))) ORDER BY \"order_id\"", NULL},
    {"or=(id.eq.1,name.eq.b)",
     " WHERE (((\"order_id\" = ?) OR (\"name\" = ?))) ORDER BY \"order_id\"", "1|b|"},
    {"not.or=(id.eq.1,id.eq.2)",
     " WHERE (NOT ((\"order_id\" = ?) OR (\"order_id\" = ?))) ORDER BY \"order_id\"", "1|2|"},
    {"and=(id.gt.1,not.or(name.eq.\"a)b\",paid.not.is.null))",
     " WHERE (((\"order_id\" > ?) AND NOT ((\"name\" = ?) OR NOT (\"paid\" IS NULL)))) ORDER BY "
     "\"order_id\"",
     "1|a)b|"},
    {"order=name", " ORDER BY \"name\" ASC NULLS LAST, \"order_id\"", ""},
    {"order=name.desc,price.asc.nullsfirst",
     " ORDER BY \"name\" DESC NULLS FIRST, \"price\" ASC NULLS FIRST, \"order_id\"", ""},
    {"order=id.desc", " ORDER BY \"order_id\" DESC", ""},
    {"order=id.desc.nullslast", " ORDER BY \"order_id\" DESC NULLS LAST", ""},
    {"order=name.nullslast", " ORDER BY \"name\" ASC NULLS LAST, \"order_id\"", ""},
};

static void join_params(const struct sql *sql, struct buf *out)
{
    buf_clear(out);
    for (size_t i = 0; i < sql->n_params; i++) {
        if (sql->params[i].is_integer)
            buf_addf(out, "#%lld|", (long long)sql->params[i].integer);
        else
            buf_addf(out, "%.*s|", SLICE_FMT(sql->params[i].text));
    }
    buf_addc(out, '\0');
}

static void write_sql(struct sql *sql, const char *dbms, struct buf *text, struct slice owner)
{
    *sql =
        (struct sql){.text = text, .arena = &arena, .dialect = dialect_by_dbms(dbms), .quote = '"'};
    sql_select(sql, &table, &query, &(const struct sql_scope){.owner = owner});
}

static void test_golden(void **state)
{
    (void)state;
    struct buf text, params;
    buf_init(&text);
    buf_init(&params);
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
        struct query_error err;
        struct sql sql;
        char want[1024];
        enum problem p = parse_with(golden[i].raw, (struct query_input){.regex = true}, &err);
        if (!golden[i].tail) {
            assert_int_not_equal(p, PROBLEM_OK);
            continue;
        }
        if (p)
            fail_msg("%s: %s", golden[i].raw, err.detail);
        write_sql(&sql, "PostgreSQL", &text, (struct slice){NULL, 0});
        assert_false(sql.failed);
        snprintf(want, sizeof want,
                 "SELECT \"order_id\", \"name\", \"price\", \"paid\", \"made_at\", \"note\", "
                 "\"phone\", \"odd\"\"col\""
                 " FROM \"shop\".\"orders\"%s LIMIT 1000",
                 golden[i].tail);
        if (golden[i].params) {
            assert_string_equal(text.p, want);
            join_params(&sql, &params);
            assert_string_equal(params.p, golden[i].params);
        }
    }
    buf_fini(&text);
    buf_fini(&params);
}

static void test_owner(void **state)
{
    (void)state;
    struct query_error err;
    struct sql sql;
    struct buf text, params;
    buf_init(&text);
    buf_init(&params);
    assert_int_equal(
        parse_with("select=id,phone&or=(id.eq.1,id.eq.2)", (struct query_input){0}, &err),
        PROBLEM_OK);
    write_sql(&sql, "SQLite", &text, SLICE("M' OR 1=1"));
    assert_false(sql.failed);
    assert_string_equal(
        text.p,
        "SELECT \"order_id\", \"phone\" FROM \"shop\".\"orders\" WHERE \"merchant\" = ? AND "
        "(((\"order_id\" = ?) OR (\"order_id\" = ?))) ORDER BY \"order_id\" LIMIT 1000");
    join_params(&sql, &params);
    assert_string_equal(params.p, "M' OR 1=1|#1|#2|");
    sql_count(&sql, &table, &query, &(const struct sql_scope){.owner = SLICE("M")});
    assert_string_equal(text.p,
                        "SELECT COUNT(*) FROM \"shop\".\"orders\" WHERE \"merchant\" = ? AND "
                        "(((\"order_id\" = ?) OR (\"order_id\" = ?)))");
    buf_fini(&text);
    buf_fini(&params);
}

/* An export or a write reads rows and nothing else: what only the answer of a call can hold is
 * refused there, whatever the dataset allows. */
static void test_plain_askers(void **state)
{
    (void)state;
    static const struct query_column counted[] = {
        {TEXT("id"), TEXT("order_id"), QUERY_INTEGER},
        {TEXT("count"), TEXT(""), QUERY_INTEGER, QUERY_COUNT, QUERY_NO_COLUMN},
    };
    static const uint8_t keep[] = {PLAN_KEEP, PLAN_KEEP};
    static const struct query_relation relation = {.name = TEXT("lines")};
    static const char *const asked[] = {"select=count()", "select=id.count()", "after="};
    struct query_table open = table;
    struct query_error err;
    open.columns = counted;
    open.n_columns = 2;
    open.min_group = 3;
    open.relations = &relation;
    open.n_relations = 1;
    for (int extended = 0; extended < 2; extended++)
        for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
            struct query_input in = {
                .raw = slice_str(asked[i]), .outcome = keep, .max_rows = 10, .extended = extended};
            arena_reset(&arena);
            assert_int_equal(query_parse(&query, &arena, &open, &in, &err),
                             extended ? PROBLEM_OK : PROBLEM_QUERY_MALFORMED);
        }
    struct query_input in = {.raw = SLICE("select=lines(*)"), .outcome = keep, .max_rows = 10};
    arena_reset(&arena);
    assert_int_equal(query_parse(&query, &arena, &open, &in, &err), PROBLEM_FIELD_UNKNOWN);
}

static const struct {
    const char *raw, *range;
    uint64_t offset, limit;
} ranges[] = {
    {"", "", 0, 100},
    {"limit=5", "", 0, 5},
    {"limit=5&offset=7", "", 7, 5},
    {"limit=5000", "", 0, 100}, /* cut, as PostgREST's db-max-rows does */
    {"limit=0", "", 0, 0},
    {"", "0-24", 0, 25},
    {"", "items=10-", 10, 100},
    {"limit=5&offset=2", "3-20", 3, 4},
    {"limit=5", "10-20", 10, 0},
    {"", "bytes=0-9", 0, 100},
    {"pagesize=10", "", 0, 10},
    {"pageno=3&pagesize=100", "", 200, 100},
    {"offset=999999999999999999", "", 999999999999999999, 100},
};

static void test_ranges(void **state)
{
    (void)state;
    static const char *const bad[] = {"a-b", "5", "-5", "9-3", "1-2-3", "99999999999999999999-"};
    struct query_error err;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        struct query_input in = {.range = slice_str(ranges[i].range), .max_rows = 100};
        assert_int_equal(parse_with(ranges[i].raw, in, &err), PROBLEM_OK);
        if (query.offset != ranges[i].offset || query.limit != ranges[i].limit)
            fail_msg("%s %s: %llu+%llu", ranges[i].raw, ranges[i].range,
                     (unsigned long long)query.offset, (unsigned long long)query.limit);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct query_input in = {.range = slice_str(bad[i])};
        assert_int_equal(parse_with("", in, &err), PROBLEM_QUERY_MALFORMED);
    }
}

static char *repeat(const char *head, const char *item, size_t n, const char *tail)
{
    char *text = malloc(strlen(head) + strlen(item) * n + strlen(tail) + 1);
    char *p = stpcpy(text, head);
    for (size_t i = 0; i < n; i++)
        p = stpcpy(p, item);
    stpcpy(p, tail);
    return text;
}

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *head, *item;
        size_t n;
        const char *tail;
        enum problem problem;
    } rows[] = {
        {"", "id=eq.1&", 100, "", PROBLEM_OK},
        {"", "id=eq.1&", 101, "", PROBLEM_QUERY_TOO_LARGE},
        {"", "id=eq.1&", 100000, "", PROBLEM_QUERY_TOO_LARGE},
        {"id=in.(1", ",1", 199, ")", PROBLEM_OK},
        {"id=in.(1", ",1", 200, ")", PROBLEM_QUERY_TOO_LARGE},
        {"name=eq.", "a", 4096, "", PROBLEM_OK},
        {"name=eq.", "a", 4097, "", PROBLEM_QUERY_TOO_LARGE},
        {"or=(id.eq.1", ",id.eq.1", 100, ")", PROBLEM_QUERY_TOO_LARGE},
        {"or=", "(", 16000, "", PROBLEM_QUERY_MALFORMED},
        {"or=(", "or(", 5000, "", PROBLEM_QUERY_TOO_LARGE},
        {"select=id", ",id", 600, "", PROBLEM_QUERY_TOO_LARGE},
        {"order=id", ",id", 16, "", PROBLEM_QUERY_TOO_LARGE},
    };
    uint64_t start = clock_mono_us();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct query_error err;
        char *raw = repeat(rows[i].head, rows[i].item, rows[i].n, rows[i].tail);
        enum problem p = parse_with(raw, (struct query_input){0}, &err);
        free(raw);
        if (p != rows[i].problem)
            fail_msg("row %zu: %s", i, problem_row(p)->code);
    }
    assert_true(clock_mono_us() - start < 500000);
}

static void test_headers(void **state)
{
    (void)state;
    struct query_error err;
    struct query_input in = {.prefer = SLICE("return=minimal, count=exact"),
                             .accept = SLICE("application/vnd.pgrst.object+json")};
    assert_int_equal(parse_with("select=%22id%22,id:id,*", in, &err), PROBLEM_OK);
    assert_true(query.count);
    assert_true(query.single);
    assert_int_equal(query.n_select, 8);
    assert_int_equal(parse_with("", (struct query_input){.prefer = SLICE("count=none")}, &err),
                     PROBLEM_OK);
    assert_false(query.count);
}

static void test_cells(void **state)
{
    (void)state;
    static const struct {
        enum query_type type;
        const char *in, *out;
    } rows[] = {
        {QUERY_NUMBER, "12345678901234567890.1200", "12345678901234567890.1200"},
        {QUERY_NUMBER, ".5", "0.5"},
        {QUERY_NUMBER, "-.5", "-0.5"},
        {QUERY_NUMBER, "5.", "5.0"},
        {QUERY_NUMBER, "007", "7"},
        {QUERY_NUMBER, "-0", "-0"},
        {QUERY_NUMBER, "1e+20", "1e+20"},
        {QUERY_NUMBER, "NaN", "\"NaN\""},
        {QUERY_NUMBER, "", "\"\""},
        {QUERY_NUMBER, "-", "\"-\""},
        {QUERY_NUMBER, ".", "\".\""},
        {QUERY_NUMBER, "1e", "\"1e\""},
        {QUERY_NUMBER, "1,\"x\":2", "\"1,\\\"x\\\":2\""},
        {QUERY_INTEGER, "42", "42"},
        {QUERY_BOOLEAN, "t", "true"},
        {QUERY_BOOLEAN, "0", "false"},
        {QUERY_BOOLEAN, "maybe", "\"maybe\""},
        {QUERY_STRING, "a\"\\\n", "\"a\\\"\\\\\\n\""},
        {QUERY_STRING,
         "a\xff"
         "b",
         "\"a\xef\xbf\xbd"
         "b\""},
        {QUERY_JSON, "{\"a\":[1,2]}", "{\"a\":[1,2]}"},
        {QUERY_JSON, "{\"a\":", "\"{\\\"a\\\":\""},
        {QUERY_BINARY, "\x01\xff", "\"\\\\x01ff\""},
        {QUERY_DATE, "2026-01-02", "\"2026-01-02\""},
        {QUERY_DATETIME, "2026-01-02 03:04:05.678", "\"2026-01-02T03:04:05.678\""},
        {QUERY_DATETIME, "never", "\"never\""},
    };
    struct buf out;
    buf_init(&out);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        buf_clear(&out);
        cell_write(&out, rows[i].type, slice_str(rows[i].in));
        buf_addc(&out, '\0');
        assert_string_equal(out.p, rows[i].out);
    }
    buf_fini(&out);
}

static void test_cell_dates(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"2019-01-07", "\"2019-01-07 00:00:00\""},
        {"2019-01-07 13:20:24", "\"2019-01-07 13:20:24\""},
        {"2019-01-07T13:20:24.123", "\"2019-01-07 13:20:24\""},
        {"2019-01-07 13:20", "\"2019-01-07 13:20:00\""},
        {"soon", "\"soon\""},
    };
    struct buf out;
    buf_init(&out);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        buf_clear(&out);
        cell_write_text(&out, QUERY_DATETIME, CELL_SECONDS, slice_str(rows[i][0]));
        buf_addc(&out, '\0');
        assert_string_equal(out.p, rows[i][1]);
    }
    buf_fini(&out);
}

static int setup(void **state)
{
    (void)state;
    return arena_init(&arena, ARENA_BYTES) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[EC-6.1.4.1][BK-7.2.2a] what may not be asked is refused by name", test_refused, NULL,
         NULL, NULL},
        {"queries become SQL with values bound", test_golden, NULL, NULL, NULL},
        {"[EC-6.1.3.1d] an owner's rows only", test_owner, NULL, NULL, NULL},
        {"exports and writes ask for rows alone", test_plain_askers, NULL, NULL, NULL},
        {"[CI-7.3b] rows are counted out as asked", test_ranges, NULL, NULL, NULL},
        {"too much is refused, quickly", test_sizes, NULL, NULL, NULL},
        {"headers are read", test_headers, NULL, NULL, NULL},
        {"values become JSON", test_cells, NULL, NULL, NULL},
        {"[CI-A.3f] dates of the credit profile", test_cell_dates, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
