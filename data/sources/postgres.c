/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sources/postgres.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <xxhash.h>

#include "base/clock.h"
#include "crypto/crypto.h"
#include "data/sources/attributes.h"

#define GRACE_MS    1000 /* beyond the server's own limit before we give it up */
#define OPTIONS_MAX 12
#define OID_BYTEA   17
#define OID_STAMPTZ 1184

struct prepared {
    uint64_t hash, used;
    char *sql; /* as it came, NULL: free */
    size_t sql_n;
    unsigned number; /* of its name */
};

struct postgres {
    char *text; /* what the option values point at */
    size_t text_n;
    const char *keys[OPTIONS_MAX + 1], *values[OPTIONS_MAX + 1];
    PGconn *conn;
    uint64_t uses, timeout_ms, set_ms; /* set_ms: what the server was told */
    unsigned names;
    struct prepared prepared[SOURCE_STATEMENTS];
    PGresult *row;  /* the current one */
    bool first_row; /* row was fetched with the query and not yet asked for */
    bool busy;      /* results are outstanding */
    struct buf bytes;
};

static const struct {
    const char *attribute, *key;
} options[] = {
    {"SERVER", "host"},     {"SERVERNAME", "host"},   {"PORT", "port"},
    {"DATABASE", "dbname"}, {"UID", "user"},          {"USERNAME", "user"},
    {"PWD", "password"},    {"PASSWORD", "password"}, {"SSLMODE", "sslmode"},
};

static const char *option_key(struct slice name)
{
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (name.n == strlen(options[i].attribute) &&
            strncasecmp(name.p, options[i].attribute, name.n) == 0)
            return options[i].key;
    return NULL;
}

static bool add_option(struct postgres *p, const char *key, const char *value)
{
    size_t n = 0;
    while (p->keys[n])
        if (strcmp(p->keys[n++], key) == 0)
            return false;
    if (n == OPTIONS_MAX)
        return false;
    p->keys[n] = key;
    p->values[n] = value;
    return true;
}

/* Values are cut out of our own copy, one after the other. */
static bool take_options(struct postgres *p, struct slice connection)
{
    struct attribute a;
    char *at = p->text;
    bool driver = false;
    while (attribute_next(&connection, &a)) {
        if (!a.name.p)
            return false;
        if (a.name.n == 6 && strncasecmp(a.name.p, "DRIVER", 6) == 0) {
            struct slice name = attribute_unquoted(a.value);
            driver = name.n >= 10 && strncasecmp(name.p, "PostgreSQL", 10) == 0;
            continue;
        }
        const char *key = option_key(a.name);
        struct slice value = attribute_unquoted(a.value);
        if (!key || !add_option(p, key, at))
            return false;
        memcpy(at, value.p, value.n);
        at[value.n] = '\0';
        at += value.n + 1;
    }
    return driver && add_option(p, "connect_timeout", "5") &&
           add_option(p, "client_encoding", "UTF8") && add_option(p, "application_name", "sluice");
}

struct postgres *postgres_new(struct slice connection)
{
    struct postgres *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    buf_init(&p->bytes);
    p->timeout_ms = SOURCE_TIMEOUT_S * 1000;
    p->text_n = connection.n + 1;
    p->text = calloc(1, p->text_n);
    if (!p->text || !take_options(p, connection))
        postgres_free(&p);
    return p;
}

void postgres_free(struct postgres **slot)
{
    struct postgres *p = *slot;
    if (!p)
        return;
    postgres_close(p);
    if (p->text)
        crypto_wipe(p->text, p->text_n);
    free(p->text);
    buf_fini(&p->bytes);
    free(p);
    *slot = NULL;
}

bool postgres_connected(const struct postgres *p)
{
    return p->conn != NULL;
}

static void forget(struct prepared *st)
{
    free(st->sql);
    *st = (struct prepared){0};
}

void postgres_close(struct postgres *p)
{
    PQclear(p->row);
    p->row = NULL;
    p->busy = p->first_row = false;
    for (size_t i = 0; i < SOURCE_STATEMENTS; i++)
        forget(&p->prepared[i]);
    PQfinish(p->conn);
    p->conn = NULL;
}

static void be_quiet(void *unused, const char *message)
{
    (void)unused, (void)message; /* it may hold names and values */
}

/* The next result, waited for no longer than the limit and its grace. NULL: none follows, or
 * *late. */
static PGresult *next_result(struct postgres *p, bool *late)
{
    uint64_t until_us = 0;
    *late = false;
    if (PQflush(p->conn) < 0)
        return NULL;
    while (PQisBusy(p->conn)) {
        struct pollfd fd = {.fd = PQsocket(p->conn), .events = POLLIN};
        uint64_t now = clock_mono_us();
        if (until_us == 0)
            until_us = now + (p->timeout_ms + GRACE_MS) * 1000;
        *late = now >= until_us;
        if (*late)
            return NULL;
        if (poll(&fd, 1, (int)((until_us - now) / 1000 + 1)) > 0 && !PQconsumeInput(p->conn))
            break;
    }
    return PQgetResult(p->conn);
}

/* What went wrong, from the SQLSTATE: see judge() of odbc.c. */
static enum source_err judge(struct postgres *p, const PGresult *r, bool *dead)
{
    const char *state = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
    *dead = PQstatus(p->conn) != CONNECTION_OK || !state;
    if (*dead)
        return SOURCE_EUNAVAILABLE;
    if (strncmp(state, "22", 2) == 0)
        return SOURCE_EVALUE;
    if (strcmp(state, "57014") == 0)
        return SOURCE_ETIMEOUT;
    if (strncmp(state, "42", 2) == 0 || strcmp(state, "0A000") == 0)
        return SOURCE_ECHANGED;
    return SOURCE_EUNAVAILABLE;
}

/* Reads what is left of the results of one command. */
static enum source_err finish(struct postgres *p, enum source_err err, bool *dead)
{
    bool late = false;
    PGresult *r;
    while ((r = next_result(p, &late)) != NULL) {
        ExecStatusType status = PQresultStatus(r);
        if (!err && status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK &&
            status != PGRES_SINGLE_TUPLE)
            err = judge(p, r, dead);
        PQclear(r);
    }
    p->busy = false;
    if (late || PQstatus(p->conn) != CONNECTION_OK)
        *dead = true;
    return late ? SOURCE_ETIMEOUT : *dead && !err ? SOURCE_EUNAVAILABLE : err;
}

static enum source_err command(struct postgres *p, const char *sql, bool *dead)
{
    *dead = false;
    if (!PQsendQuery(p->conn, sql))
        return judge(p, NULL, dead);
    return finish(p, SOURCE_OK, dead);
}

bool postgres_connect(struct postgres *p, const char *const setup[4])
{
    bool dead = false;
    p->conn = PQconnectdbParams(p->keys, p->values, 0);
    bool ok = p->conn && PQstatus(p->conn) == CONNECTION_OK;
    if (ok) {
        PQsetNoticeProcessor(p->conn, be_quiet, NULL);
        ok = PQsetnonblocking(p->conn, 1) == 0;
    }
    for (size_t i = 0; ok && i < 4 && setup[i]; i++)
        ok = command(p, setup[i], &dead) == SOURCE_OK;
    p->set_ms = 0;
    if (!ok)
        postgres_close(p);
    return ok;
}

void postgres_limit(struct postgres *p, uint64_t timeout_ms)
{
    p->timeout_ms = timeout_ms;
}

static enum source_err set_limit(struct postgres *p, bool *dead)
{
    char sql[64];
    if (p->set_ms == p->timeout_ms)
        return SOURCE_OK;
    snprintf(sql, sizeof sql, "SET statement_timeout = %llu", (unsigned long long)p->timeout_ms);
    enum source_err err = command(p, sql, dead);
    if (!err)
        p->set_ms = p->timeout_ms;
    return err;
}

/* `?` becomes $1, $2 …; within quotes it is what it is. */
static bool number_params(struct buf *out, struct slice sql)
{
    unsigned n = 0;
    char quote = 0;
    buf_clear(out);
    for (size_t i = 0; i < sql.n; i++) {
        char c = sql.p[i];
        if (quote)
            quote = c == quote ? 0 : quote;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (c == '?') {
            buf_addf(out, "$%u", ++n);
            continue;
        }
        buf_addc(out, c);
    }
    buf_addc(out, '\0');
    return !out->failed;
}

static void name_of(unsigned number, char out[16])
{
    snprintf(out, 16, "s%u", number);
}

static enum source_err drop(struct postgres *p, struct prepared *st, bool *dead)
{
    char sql[40];
    if (!st->sql)
        return SOURCE_OK;
    snprintf(sql, sizeof sql, "DEALLOCATE s%u", st->number);
    forget(st);
    return command(p, sql, dead);
}

static struct prepared *find(struct postgres *p, struct slice sql, uint64_t hash)
{
    struct prepared *oldest = &p->prepared[0];
    for (size_t i = 0; i < SOURCE_STATEMENTS; i++) {
        struct prepared *st = &p->prepared[i];
        if (st->sql && st->hash == hash && slice_eq(slice_of(st->sql, st->sql_n), sql))
            return st;
        if (st->used < oldest->used)
            oldest = st;
    }
    return oldest;
}

static enum source_err prepare(struct postgres *p, struct prepared *st, struct slice sql,
                               uint64_t hash, bool *dead)
{
    char name[16];
    enum source_err err = drop(p, st, dead);
    if (err)
        return err;
    *dead = false;
    if (!number_params(&p->bytes, sql))
        return SOURCE_EUNAVAILABLE;
    name_of(++p->names, name);
    if (!PQsendPrepare(p->conn, name, p->bytes.p, 0, NULL))
        return judge(p, NULL, dead);
    err = finish(p, SOURCE_OK, dead);
    if (err)
        return err;
    st->sql = malloc(sql.n + 1);
    if (!st->sql)
        return SOURCE_EUNAVAILABLE;
    memcpy(st->sql, sql.p, sql.n);
    st->sql_n = sql.n;
    st->hash = hash;
    st->number = p->names;
    return SOURCE_OK;
}

/* In the text protocol all values are texts that end with a NUL. */
static bool fill_values(struct postgres *p, const struct source_param *params, size_t n,
                        const char **values)
{
    size_t room = 0;
    for (size_t i = 0; i < n; i++)
        room += params[i].is_integer ? 24 : params[i].text.n + 1;
    buf_clear(&p->bytes);
    if (!buf_reserve(&p->bytes, room + 1))
        return false;
    char *at = p->bytes.p;
    for (size_t i = 0; i < n; i++) {
        values[i] = params[i].is_null ? NULL : at;
        if (params[i].is_integer) {
            at += snprintf(at, 24, "%lld", (long long)params[i].integer) + 1;
        } else {
            memcpy(at, params[i].text.p, params[i].text.n);
            at += params[i].text.n;
            *at++ = '\0';
        }
    }
    return true;
}

static enum source_err start(struct postgres *p, const struct prepared *st,
                             const struct source_param *params, size_t n, bool *dead)
{
    const char *few[16], **values = n > 16 ? malloc(n * sizeof *values) : few;
    char name[16];
    bool ok = values && fill_values(p, params, n, values);
    *dead = false;
    name_of(st->number, name);
    int sent = ok ? PQsendQueryPrepared(p->conn, name, (int)n, values, NULL, NULL, 0) : 0;
    if (values != few)
        free(values);
    if (!ok)
        return SOURCE_EUNAVAILABLE;
    if (!sent)
        return judge(p, NULL, dead);
    PQsetSingleRowMode(p->conn);
    p->busy = true;
    return SOURCE_OK;
}

/* The next row into p->row, or what came instead of it. */
static enum source_err fetch(struct postgres *p, bool *more, bool *dead)
{
    bool late;
    *more = *dead = false;
    PQclear(p->row);
    p->row = next_result(p, &late);
    if (late) {
        *dead = true;
        return SOURCE_ETIMEOUT;
    }
    ExecStatusType status = p->row ? PQresultStatus(p->row) : PGRES_FATAL_ERROR;
    *more = status == PGRES_SINGLE_TUPLE;
    if (*more || status == PGRES_TUPLES_OK)
        return SOURCE_OK;
    return judge(p, p->row, dead);
}

static enum source_err attempt(struct postgres *p, struct slice sql,
                               const struct source_param *params, size_t n, bool *dead)
{
    uint64_t hash = XXH3_64bits(sql.p, sql.n);
    enum source_err err = set_limit(p, dead);
    struct prepared *st = find(p, sql, hash);
    bool known = st->sql && st->hash == hash && slice_eq(slice_of(st->sql, st->sql_n), sql);
    if (!err && !known)
        err = prepare(p, st, sql, hash, dead);
    if (err)
        return err;
    st->used = ++p->uses;
    err = start(p, st, params, n, dead);
    if (!err)
        err = fetch(p, &p->first_row, dead);
    if (err && p->busy && !*dead)
        err = finish(p, err, dead);
    if (err == SOURCE_ECHANGED && !*dead) /* a plan of another shape of the table */
        (void)!drop(p, st, dead);
    return err == SOURCE_ECHANGED && known && !*dead ? attempt(p, sql, params, n, dead) : err;
}

enum source_err postgres_query(struct postgres *p, struct slice sql,
                               const struct source_param *params, size_t n_params,
                               size_t *n_columns, bool *dead)
{
    *dead = false;
    enum source_err err = attempt(p, sql, params, n_params, dead);
    if (!err)
        *n_columns = (size_t)PQnfields(p->row);
    return err;
}

enum source_err postgres_next(struct postgres *p, bool *more)
{
    bool dead = false;
    enum source_err err = SOURCE_OK;
    if (p->first_row) {
        p->first_row = false;
        *more = true;
        return SOURCE_OK;
    }
    if (!p->row || PQresultStatus(p->row) == PGRES_TUPLES_OK) {
        *more = false;
        return SOURCE_OK;
    }
    err = fetch(p, more, &dead);
    if (dead)
        postgres_close(p);
    return err;
}

static bool unhex(struct buf *out, const char *p, size_t n)
{
    size_t bytes = 0;
    unsigned char *raw = PQunescapeBytea((const unsigned char *)p, &bytes);
    (void)n;
    buf_clear(out);
    if (raw)
        buf_add(out, raw, bytes);
    PQfreemem(raw);
    return raw && !out->failed;
}

/* A time with a zone is told in the session's, as over ODBC: without saying so. */
static size_t without_zone(const char *p, size_t n)
{
    size_t at = 19;
    while (at < n && p[at] != '+' && p[at] != '-')
        at++;
    return n > 19 ? at : n;
}

bool postgres_cell(struct postgres *p, size_t i, struct slice *value)
{
    int column = (int)i;
    if (PQgetisnull(p->row, 0, column))
        return false;
    *value = slice_of(PQgetvalue(p->row, 0, column), (size_t)PQgetlength(p->row, 0, column));
    Oid type = PQftype(p->row, column);
    if (type == OID_STAMPTZ)
        value->n = without_zone(value->p, value->n);
    if (type == OID_BYTEA && unhex(&p->bytes, value->p, value->n))
        *value = buf_slice(&p->bytes);
    return true;
}

bool postgres_is_binary(const struct postgres *p, size_t i)
{
    return PQftype(p->row, (int)i) == OID_BYTEA;
}

static void tell_to_stop(struct postgres *p)
{
    char ignored[256];
    PGcancel *cancel = PQgetCancel(p->conn);
    if (cancel)
        PQcancel(cancel, ignored, sizeof ignored);
    PQfreeCancel(cancel);
}

void postgres_end(struct postgres *p)
{
    bool dead = false;
    if (!p->conn)
        return;
    if (p->busy && p->row && PQresultStatus(p->row) == PGRES_SINGLE_TUPLE)
        tell_to_stop(p);
    PQclear(p->row);
    p->row = NULL;
    p->first_row = false;
    if (p->busy)
        (void)!finish(p, SOURCE_OK, &dead);
    if (dead)
        postgres_close(p);
}
