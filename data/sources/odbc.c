/* SPDX-License-Identifier: Apache-2.0 */
/* Every source has an environment handle of its own: the driver manager's locks are by environment,
 * so threads never wait for each other there. Values leave the driver as text: a decimal keeps its
 * digits, and one code path serves all types. */
#include "data/sources/odbc_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "data/sources/encoding.h"
#include "data/sources/postgres.h"
#include "data/sources/watchdog.h"

static bool bind_column(SQLHSTMT h, SQLUSMALLINT i, struct source_column *c)
{
    SQLSMALLINT type = 0, digits, nullable, name_n;
    SQLULEN size = 0;
    char name[4];
    if (!SQL_SUCCEEDED(SQLDescribeCol(h, i, (SQLCHAR *)name, sizeof name, &name_n, &type, &size,
                                      &digits, &nullable)))
        return false;
    c->binary = type == SQL_BINARY || type == SQL_VARBINARY || type == SQL_LONGVARBINARY;
    c->cap = size == 0 || size * 4 > SOURCE_BOUND_MAX ? SOURCE_BOUND_MAX : (SQLLEN)size * 4 + 32;
    c->bytes = malloc((size_t)c->cap);
    buf_init(&c->more);
    return c->bytes && SQL_SUCCEEDED(SQLBindCol(h, i, c->binary ? SQL_C_BINARY : SQL_C_CHAR,
                                                c->bytes, c->cap, &c->length));
}

static bool bind_columns(struct statement *st)
{
    SQLSMALLINT n = 0;
    if (!SQL_SUCCEEDED(SQLNumResultCols(st->handle, &n)) || n <= 0)
        return false;
    st->columns = calloc((size_t)n, sizeof *st->columns);
    if (!st->columns)
        return false;
    st->n_columns = (size_t)n;
    for (SQLSMALLINT i = 0; i < n; i++)
        if (!bind_column(st->handle, (SQLUSMALLINT)(i + 1), &st->columns[i]))
            return false;
    return true;
}

static struct statement *statement_find(struct source *s, struct slice sql, uint64_t hash)
{
    struct statement *oldest = &s->statements[0];
    for (size_t i = 0; i < SOURCE_STATEMENTS; i++) {
        struct statement *st = &s->statements[i];
        if (st->handle && st->hash == hash && slice_eq(slice_of(st->sql, st->sql_n), sql))
            return st;
        if (st->used < oldest->used)
            oldest = st;
    }
    source_statement_drop(oldest);
    return oldest;
}

static enum source_err statement_prepare(struct source *s, struct statement *st, struct slice sql,
                                         bool *dead)
{
    *dead = true;
    st->sql = malloc(sql.n + 1);
    if (!st->sql || !SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, s->dbc, &st->handle)))
        return SOURCE_EUNAVAILABLE;
    memcpy(st->sql, sql.p, sql.n);
    st->sql[sql.n] = '\0';
    st->sql_n = sql.n;
    SQLSetStmtAttr(st->handle, SQL_ATTR_NOSCAN, (SQLPOINTER)SQL_NOSCAN_ON, 0);
    if (!SQL_SUCCEEDED(SQLPrepare(st->handle, (SQLCHAR *)st->sql, (SQLINTEGER)sql.n)))
        return source_judge(s, st->handle, dead);
    return SOURCE_OK;
}

bool source_bind_param(SQLHSTMT h, SQLUSMALLINT i, const struct source_param *p, SQLLEN *length)
{
    if (p->is_integer) {
        *length = sizeof p->integer;
        return SQL_SUCCEEDED(SQLBindParameter(h, i, SQL_PARAM_INPUT, SQL_C_SBIGINT, SQL_BIGINT, 19,
                                              0, (SQLPOINTER)(uintptr_t)&p->integer,
                                              sizeof p->integer, length));
    }
    *length = p->is_null ? SQL_NULL_DATA : (SQLLEN)p->text.n;
    if (p->is_binary)
        return SQL_SUCCEEDED(SQLBindParameter(
            h, i, SQL_PARAM_INPUT, SQL_C_BINARY, SQL_LONGVARBINARY, p->text.n ? p->text.n : 1, 0,
            (SQLPOINTER)(uintptr_t)p->text.p, (SQLLEN)p->text.n, length));
    return SQL_SUCCEEDED(
        SQLBindParameter(h, i, SQL_PARAM_INPUT, SQL_C_CHAR, SQL_VARCHAR, p->text.n ? p->text.n : 1,
                         0, (SQLPOINTER)(uintptr_t)p->text.p, (SQLLEN)p->text.n, length));
}

static enum source_err run(struct source *s, struct statement *st, bool *dead)
{
    struct watch watch;
    bool cut = false;
    if (s->dialect->unlimited)
        watchdog_begin(&watch, st->handle, s->timeout_ms);
    SQLRETURN r = SQLExecute(st->handle);
    if (s->dialect->unlimited)
        cut = watchdog_end(&watch);
    if (SQL_SUCCEEDED(r))
        return SOURCE_OK;
    enum source_err err = source_judge(s, st->handle, dead);
    *dead = *dead && !cut;
    return cut ? SOURCE_ETIMEOUT : err;
}

static enum source_err execute(struct source *s, struct statement *st,
                               const struct source_param *params, SQLLEN *lengths, size_t n,
                               bool *dead)
{
    *dead = true;
    for (size_t i = 0; i < n; i++)
        if (!source_bind_param(st->handle, (SQLUSMALLINT)(i + 1), &params[i], &lengths[i]))
            return source_judge(s, st->handle, dead);
    st->used = ++s->uses;
    enum source_err err = run(s, st, dead);
    if (err)
        return err;
    if (!st->columns && !bind_columns(st))
        return SOURCE_EUNAVAILABLE;
    return SOURCE_OK;
}

/* One statement that is ours as it stands. */
enum source_err source_say(struct source *s, const char *sql, bool *dead)
{
    SQLHSTMT h;
    enum source_err err = SOURCE_OK;
    *dead = true;
    if (!s->connected || !SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, s->dbc, &h)))
        return SOURCE_EUNAVAILABLE;
    SQLRETURN r = SQLExecDirect(h, (SQLCHAR *)(uintptr_t)sql, SQL_NTS);
    if (!SQL_SUCCEEDED(r) && r != SQL_NO_DATA)
        err = source_judge(s, h, dead);
    SQLFreeHandle(SQL_HANDLE_STMT, h);
    return err;
}

static enum source_err say_limit(struct source *s, bool *dead)
{
    char sql[80];
    if (!s->dialect->limit || s->said_ms == s->timeout_ms)
        return SOURCE_OK;
    snprintf(sql, sizeof sql, "%s%llu.%03llu", s->dialect->limit,
             (unsigned long long)s->timeout_ms / 1000, (unsigned long long)s->timeout_ms % 1000);
    enum source_err err = source_say(s, sql, dead);
    if (!err)
        s->said_ms = s->timeout_ms;
    return err;
}

static enum source_err attempt(struct source *s, struct slice sql,
                               const struct source_param *params, SQLLEN *lengths, size_t n,
                               struct source_rows *rows, bool *dead)
{
    *dead = false;
    if (s->in_txn && !s->connected)
        return SOURCE_EUNAVAILABLE;
    enum source_err err = source_ready(s);
    if (!err && !s->postgres)
        err = say_limit(s, dead);
    if (err)
        return err;
    if (s->postgres) {
        *rows = (struct source_rows){.source = s, .postgres = s->postgres};
        return postgres_query(s->postgres, sql, params, n, &rows->n_columns, dead);
    }
    uint64_t hash = XXH3_64bits(sql.p, sql.n);
    struct statement *st = statement_find(s, sql, hash);
    if (!st->handle) {
        st->hash = hash;
        err = statement_prepare(s, st, sql, dead);
    }
    if (!err)
        err = execute(s, st, params, lengths, n, dead);
    if (err) {
        source_statement_drop(st);
        return err;
    }
    *rows = (struct source_rows){
        .source = s, .handle = st->handle, .columns = st->columns, .n_columns = st->n_columns};
    return SOURCE_OK;
}

bool source_set_encoding(struct source *s, struct slice name)
{
    encoding_free(&s->encoding);
    s->encoding = name.n ? encoding_new(name) : NULL;
    return name.n == 0 || s->encoding;
}

static bool is_ascii(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return false;
    return true;
}

static enum source_err query(struct source *s, struct slice sql, const struct source_param *params,
                             size_t n_params, struct source_rows *rows)
{
    SQLLEN few[16], *lengths = n_params > 16 ? malloc(n_params * sizeof *lengths) : few;
    bool dead = false, was_connected = s->postgres ? postgres_connected(s->postgres) : s->connected;
    if (!lengths)
        return SOURCE_EUNAVAILABLE;
    enum source_err err = attempt(s, sql, params, lengths, n_params, rows, &dead);
    if (err && dead) {
        source_lost(s);
        if (was_connected && !s->in_txn)
            err = attempt(s, sql, params, lengths, n_params, rows, &dead);
        if (err && dead)
            source_lost(s);
    }
    if (lengths != few)
        free(lengths);
    return err;
}

enum source_err source_query(struct source *s, struct slice sql, const struct source_param *params,
                             size_t n_params, struct source_rows *rows)
{
    struct coded coded = {0};
    enum source_err err = source_ready(s);
    if (err)
        return err;
    if (!source_needs_coding(s))
        return query(s, sql, params, n_params, rows);
    err = source_code_params(s, params, n_params, &coded)
              ? query(s, sql, coded.params, n_params, rows)
              : SOURCE_EVALUE; /* it holds no such character: nothing there is equal to it */
    if (!err) {
        rows->decoded = calloc(rows->n_columns + 1, sizeof *rows->decoded);
        if (!rows->decoded) {
            source_rows_end(rows);
            err = SOURCE_EUNAVAILABLE;
        }
    }
    source_coded_end(&coded);
    return err;
}

/* A value longer than its buffer: fetched again, piece by piece. */
static bool fetch_long(SQLHSTMT h, SQLUSMALLINT i, struct source_column *c)
{
    char piece[16384];
    buf_clear(&c->more);
    for (;;) {
        SQLLEN length = 0;
        SQLRETURN r =
            SQLGetData(h, i, c->binary ? SQL_C_BINARY : SQL_C_CHAR, piece, sizeof piece, &length);
        if (r == SQL_NO_DATA)
            return true;
        if (!SQL_SUCCEEDED(r) || length == SQL_NULL_DATA)
            return false;
        size_t room = sizeof piece - (c->binary ? 0 : 1);
        size_t got = length == SQL_NO_TOTAL || (size_t)length > room ? room : (size_t)length;
        buf_add(&c->more, piece, got);
        if (c->more.failed || c->more.n > SOURCE_CELL_MAX)
            return false;
        if (r == SQL_SUCCESS)
            return true;
    }
}

enum source_err source_next(struct source_rows *rows, bool *more)
{
    bool dead;
    if (rows->postgres)
        return postgres_next(rows->postgres, more);
    SQLRETURN r = SQLFetch(rows->handle);
    *more = r != SQL_NO_DATA;
    if (r == SQL_NO_DATA)
        return SOURCE_OK;
    if (!SQL_SUCCEEDED(r))
        return source_judge(rows->source, rows->handle, &dead);
    for (size_t i = 0; i < rows->n_columns; i++) {
        struct source_column *c = &rows->columns[i];
        SQLLEN room = c->cap - (c->binary ? 0 : 1);
        if ((c->length > room || c->length == SQL_NO_TOTAL) &&
            !fetch_long(rows->handle, (SQLUSMALLINT)(i + 1), c))
            return SOURCE_EUNAVAILABLE;
    }
    return SOURCE_OK;
}

static bool raw_cell(const struct source_rows *rows, size_t i, struct slice *value)
{
    if (rows->postgres)
        return postgres_cell(rows->postgres, i, value);
    const struct source_column *c = &rows->columns[i];
    if (c->length == SQL_NULL_DATA)
        return false;
    SQLLEN room = c->cap - (c->binary ? 0 : 1);
    *value = c->length > room || c->length == SQL_NO_TOTAL ? buf_slice(&c->more)
                                                           : slice_of(c->bytes, (size_t)c->length);
    return true;
}

bool source_cell(const struct source_rows *rows, size_t i, struct slice *value)
{
    if (!raw_cell(rows, i, value))
        return false;
    if (!rows->decoded || is_ascii(*value))
        return true;
    bool binary = rows->postgres ? postgres_is_binary(rows->postgres, i) : rows->columns[i].binary;
    if (!binary) {
        encoding_decode(rows->source->encoding, *value, &rows->decoded[i]);
        *value = buf_slice(&rows->decoded[i]);
    }
    return true;
}

void source_rows_end(struct source_rows *rows)
{
    for (size_t i = 0; rows->decoded && i < rows->n_columns; i++)
        buf_wipe(&rows->decoded[i]);
    free(rows->decoded);
    rows->decoded = NULL;
    if (rows->postgres)
        postgres_end(rows->postgres);
    else
        SQLFreeStmt(rows->handle, SQL_CLOSE);
}
