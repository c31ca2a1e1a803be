/* SPDX-License-Identifier: Apache-2.0 */
/* Every source has an environment handle of its own: the driver manager's locks are by environment,
 * so threads never wait for each other there. Values leave the driver as text: a decimal keeps its
 * digits, and one code path serves all types. */
#include "data/sources/odbc_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/clock.h"
#include "crypto/crypto.h"
#include "data/sources/connection.h"
#include "data/sources/encoding.h"
#include "data/sources/postgres.h"
#include "data/sources/watchdog.h"
#include "data/zones/zones.h"

static const char *const errors[] = {
    [SOURCE_OK] = "no error",
    [SOURCE_EUNAVAILABLE] = "the source cannot be reached or lacks the table",
    [SOURCE_ETIMEOUT] = "the source cut the query off",
    [SOURCE_EVALUE] = "a value does not fit its column",
    [SOURCE_ECONNECTION] = "the connection string is not acceptable",
    [SOURCE_ECHANGED] = "the source's table is not what the dataset says",
    [SOURCE_ECONSTRAINT] = "a rule of the table refuses the row",
    [SOURCE_EBUSY] = "another transaction was there first",
};

const char *source_strerror(enum source_err err)
{
    return (size_t)err < sizeof errors / sizeof *errors ? errors[err] : "unknown error";
}

#define EXTRA_MAX 128

/* A SQLite file that is gone must not be made anew. MariaDB's driver is to count the rows that an
 * UPDATE found, not those that became other, and to wait for a server that has gone silent no
 * longer than for a statement and its grace. */
static void add_extra(struct source *s)
{
    char *at = s->connection + s->given_n;
    unsigned wait_s = (unsigned)(s->patience_ms / 1000) + 2;
    *at = '\0';
    if (strcasestr(s->connection, "sqlite"))
        strcpy(at, ";NoCreat=1;Timeout=2000");
    else if (s->mariadb)
        snprintf(at, EXTRA_MAX, ";OPTION=2;CHARSET=utf8mb4;READ_TIMEOUT=%u;WRITE_TIMEOUT=%u",
                 wait_s, wait_s);
}

struct source *source_new(struct slice connection, const char *data_dir)
{
    struct source *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->given_n = connection.n;
    s->connection_n = connection.n + EXTRA_MAX;
    s->connection = calloc(1, s->connection_n);
    if (!s->connection) {
        free(s);
        return NULL;
    }
    s->timeout_ms = s->patience_ms = SOURCE_TIMEOUT_S * 1000;
    memcpy(s->connection, connection.p, connection.n);
    s->mariadb = strcasestr(s->connection, "mariadb") != NULL;
    add_extra(s);
    s->data_dir = data_dir;
    s->postgres = postgres_new(connection);
    return s;
}

struct source *source_new_managed(const struct uuid *id, const char *data_dir)
{
    char path[700], connection[800];
    if (!zone_path(data_dir, id, path, sizeof path) || strchr(path, ';'))
        return NULL;
    snprintf(connection, sizeof connection, "DRIVER=SQLite3;Database=%s", path);
    struct source *s = source_new(slice_str(connection), data_dir);
    if (s)
        s->managed = true;
    return s;
}

static void statement_drop(struct statement *st)
{
    for (size_t i = 0; i < st->n_columns; i++) {
        free(st->columns[i].bytes);
        buf_fini(&st->columns[i].more);
    }
    free(st->columns);
    free(st->sql);
    if (st->handle)
        SQLFreeHandle(SQL_HANDLE_STMT, st->handle);
    *st = (struct statement){0};
}

void source_lost(struct source *s)
{
    for (size_t i = 0; i < SOURCE_STATEMENTS; i++)
        statement_drop(&s->statements[i]);
    if (s->dbc) {
        SQLDisconnect(s->dbc);
        SQLFreeHandle(SQL_HANDLE_DBC, s->dbc);
        s->dbc = NULL;
    }
    if (s->env) {
        SQLFreeHandle(SQL_HANDLE_ENV, s->env);
        s->env = NULL;
    }
    s->connected = false;
    s->said_ms = 0;
    if (s->postgres)
        postgres_close(s->postgres);
}

void source_free(struct source **s)
{
    if (!*s)
        return;
    source_lost(*s);
    postgres_free(&(*s)->postgres);
    encoding_free(&(*s)->encoding);
    crypto_wipe((*s)->connection, (*s)->connection_n);
    free((*s)->connection);
    free(*s);
    *s = NULL;
}

static bool run_setup(struct source *s)
{
    SQLHSTMT h;
    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, s->dbc, &h)))
        return false;
    const char *const *setup = s->writable ? s->dialect->setup_write : s->dialect->setup;
    bool ok = !s->writable || s->dialect->begin;
    for (size_t i = 0; ok && i < 4 && setup[i]; i++) {
        SQLRETURN r = SQLExecDirect(h, (SQLCHAR *)(uintptr_t)setup[i], SQL_NTS);
        ok = SQL_SUCCEEDED(r) || r == SQL_NO_DATA;
        SQLFreeStmt(h, SQL_CLOSE);
    }
    SQLFreeHandle(SQL_HANDLE_STMT, h);
    return ok;
}

static bool learn_dialect(struct source *s)
{
    char name[128] = "";
    SQLSMALLINT n;
    if (!SQL_SUCCEEDED(SQLGetInfo(s->dbc, SQL_DBMS_NAME, name, sizeof name, &n)))
        return false;
    s->dialect = dialect_by_dbms(name);
    memset(s->quote, 0, sizeof s->quote);
    SQLRETURN r = SQLGetInfo(s->dbc, SQL_IDENTIFIER_QUOTE_CHAR, s->quote, sizeof s->quote, &n);
    return s->dialect && SQL_SUCCEEDED(r) && s->quote[0] && s->quote[0] != ' ';
}

static bool connect_now(struct source *s)
{
    if (s->patience_ms < s->timeout_ms)
        s->patience_ms = s->timeout_ms;
    add_extra(s);
    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &s->env)))
        return false;
    SQLSetEnvAttr(s->env, SQL_ATTR_ODBC_VERSION, (SQLPOINTER)SQL_OV_ODBC3, 0);
    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_DBC, s->env, &s->dbc)))
        return false;
    SQLSetConnectAttr(s->dbc, SQL_ATTR_LOGIN_TIMEOUT, (SQLPOINTER)SOURCE_TIMEOUT_S,
                      SQL_IS_UINTEGER);
    SQLSMALLINT n;
    SQLRETURN r = SQLDriverConnect(s->dbc, NULL, (SQLCHAR *)s->connection, SQL_NTS, NULL, 0, &n,
                                   SQL_DRIVER_NOPROMPT);
    s->connected = SQL_SUCCEEDED(r);
    return s->connected && learn_dialect(s) && run_setup(s);
}

static bool connect_postgres(struct source *s)
{
    s->dialect = dialect_by_dbms("PostgreSQL");
    s->quote[0] = '"';
    const char *setup[4] = {NULL};
    size_t n = 0;
    while (n < 3 && s->dialect->setup[n]) {
        setup[n] = s->dialect->setup[n];
        n++;
    }
    setup[n] = s->encoding ? s->dialect->raw : NULL;
    return postgres_connect(s->postgres, setup);
}

static enum source_err ready(struct source *s, bool connected, bool (*connect)(struct source *s))
{
    if (connected)
        return SOURCE_OK;
    uint64_t now = clock_mono_us();
    if (now < s->refuse_until_us)
        return SOURCE_EUNAVAILABLE;
    if (!s->managed && !connection_allowed(slice_of(s->connection, s->given_n), s->data_dir))
        return SOURCE_ECONNECTION;
    if (connect(s)) {
        s->refuse_until_us = 0;
        return SOURCE_OK;
    }
    source_lost(s);
    s->refuse_until_us = clock_mono_us() + SOURCE_RETRY_MS * 1000;
    return SOURCE_EUNAVAILABLE;
}

enum source_err source_ready(struct source *s)
{
    return s->postgres ? ready(s, postgres_connected(s->postgres), connect_postgres)
                       : ready(s, s->connected, connect_now);
}

const struct dialect *source_dialect(const struct source *s)
{
    return s->dialect;
}

const char *source_quote(const struct source *s)
{
    return s->quote;
}

/* A connection that would not wait so long is made anew. */
void source_set_timeout_ms(struct source *s, uint64_t timeout_ms)
{
    s->timeout_ms = timeout_ms;
    if (s->mariadb && s->connected && s->patience_ms < timeout_ms)
        source_lost(s);
    if (s->postgres)
        postgres_limit(s->postgres, timeout_ms);
}

void *source_handle(struct source *s)
{
    return ready(s, s->connected, connect_now) == SOURCE_OK ? s->dbc : NULL;
}

/* SQLite's driver says HY000 of everything; the library's own number tells more. */
static bool native_is(const struct source *s, SQLINTEGER native, int constraint)
{
    return s->dialect && s->dialect->unlimited && (native & 0xff) == constraint;
}

static enum source_err by_number(const struct source *s, SQLINTEGER native)
{
    const struct dialect_error *e = s->dialect ? s->dialect->errors : NULL;
    for (; e && e->native; e++)
        if (e->native == native)
            return (enum source_err)e->err;
    return SOURCE_OK;
}

/* What went wrong, from the SQLSTATE: class 22 is the caller's value, 57014 and HYT00 a time limit,
 * 42 a table that is not there; the rest means that the connection cannot be relied on. */
enum source_err source_judge(const struct source *s, SQLHSTMT h, bool *dead)
{
    char state[6] = "", text[256] = "";
    SQLINTEGER native = 0;
    SQLSMALLINT n;
    *dead = false;
    if (h)
        SQLGetDiagRec(SQL_HANDLE_STMT, h, 1, (SQLCHAR *)state, &native, (SQLCHAR *)text,
                      sizeof text, &n);
    crypto_wipe(text, sizeof text);
    enum source_err err = by_number(s, native);
    if (err)
        return err;
    if (memcmp(state, "22", 2) == 0)
        return SOURCE_EVALUE;
    if (memcmp(state, "23", 2) == 0 || native_is(s, native, 19))
        return SOURCE_ECONSTRAINT;
    if (memcmp(state, "40", 2) == 0 || native_is(s, native, 5))
        return SOURCE_EBUSY;
    if (strcmp(state, "57014") == 0 || strcmp(state, "HYT00") == 0)
        return SOURCE_ETIMEOUT;
    *dead = memcmp(state, "42", 2) != 0;
    return *dead ? SOURCE_EUNAVAILABLE : SOURCE_ECHANGED;
}

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
    statement_drop(oldest);
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
        statement_drop(st);
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
