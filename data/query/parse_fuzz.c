/* SPDX-License-Identifier: Apache-2.0 */
/* Any query string: read or refused, and what is read becomes SQL in which no byte of a value
 * stands. */
#include <stdio.h>
#include <stdlib.h>

#include "data/query/sql.h"
#include "plan/plan.h"

#define TEXT(s)                                                                                    \
    {                                                                                              \
        (s), sizeof(s) - 1                                                                         \
    }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct query_column columns[] = {
    {TEXT("id"), TEXT("id"), QUERY_INTEGER},      {TEXT("name"), TEXT("name"), QUERY_STRING},
    {TEXT("price"), TEXT("price"), QUERY_NUMBER}, {TEXT("paid"), TEXT("paid"), QUERY_BOOLEAN},
    {TEXT("phone"), TEXT("phone"), QUERY_STRING}, {TEXT("card"), TEXT("card"), QUERY_STRING},
};
static const uint8_t outcomes[] = {PLAN_KEEP, PLAN_KEEP, PLAN_KEEP,
                                   PLAN_KEEP, PLAN_MASK, PLAN_DROP};
static const struct query_table table = {.table = TEXT("t"), .columns = columns, .n_columns = 6};

/* Everything in the text is ours: these bytes and no others. The limit is a number of ours too. */
static void check_text(const struct buf *text)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_`\"*.,()=<>?'\\~ 0123456789";
    for (size_t i = 0; i < text->n; i++)
        if (!strchr(allowed, text->p[i]))
            abort();
    if (memmem(text->p, text->n, "card", 4))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct arena arena;
    static struct buf text;
    static struct query q;
    struct query_error err = {.where = SLICE("")};
    if (n == 0 || (!arena.block && !arena_init(&arena, ARENA_BYTES)))
        return 0;
    arena_reset(&arena);
    const struct dialect *dialect = dialect_by_dbms(data[0] & 2   ? "MariaDB"
                                                    : data[0] & 1 ? "PostgreSQL"
                                                                  : "SQLite");
    struct query_input in = {
        .outcome = outcomes, .max_rows = 1000, .regex = dialect->match[0] != NULL};
    struct slice rest = slice_of((const char *)data + 1, n - 1);
    const char *line = memchr(rest.p, '\n', rest.n);
    in.raw = line ? slice_of(rest.p, (size_t)(line - rest.p)) : rest;
    in.range = line ? slice_of(line + 1, rest.n - in.raw.n - 1) : SLICE("");
    if (query_parse(&q, &arena, &table, &in, &err) != PROBLEM_OK)
        return 0;
    struct sql sql = {
        .text = &text, .arena = &arena, .dialect = dialect, .quote = data[0] & 2 ? '`' : '"'};
    sql_select(&sql, &table, &q, &(const struct sql_scope){.owner = {NULL, 0}});
    if (sql.failed)
        return 0;
    size_t marks = 0;
    for (size_t i = 0; i < text.n; i++)
        marks += text.p[i] == '?';
    if (marks != sql.n_params || q.limit > 1000)
        abort();
    check_text(&text);
    return 0;
}
