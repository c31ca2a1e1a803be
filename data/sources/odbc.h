/* SPDX-License-Identifier: Apache-2.0 */
/* One thread's connection to one source of data, through unixODBC. Connects when first asked, keeps
 * a bounded set of prepared statements by their SQL text, reconnects once when the connection turns
 * out dead before a row was seen, and after a failed connect refuses for a moment instead of trying
 * again. What a driver says stays in this process: it may hold hosts, names, values. */
#pragma once
#include <sql.h>
#include <sqlext.h>

#include "base/buf.h"
#include "data/sources/dialect.h"
#include "id/uuid.h"

#define SOURCE_STATEMENTS 32   /* kept per connection */
#define SOURCE_BOUND_MAX  1024 /* bytes of a column's buffer; longer values are fetched apart */
#define SOURCE_RETRY_MS   250  /* after a failed connect */
#define SOURCE_TIMEOUT_S  5
#define SOURCE_CELL_MAX   (8u << 20) /* bytes of one value */

enum source_err {
    SOURCE_OK,
    SOURCE_EUNAVAILABLE, /* cannot be reached */
    SOURCE_ETIMEOUT,     /* the source cut the query off */
    SOURCE_EVALUE,       /* a bound value does not fit its column */
    SOURCE_ECONNECTION,  /* the connection string is not acceptable */
    SOURCE_ECHANGED,     /* its table is not what the dataset says */
    SOURCE_ECONSTRAINT,  /* a rule of the table refuses the row */
    SOURCE_EBUSY         /* another transaction was there first; again may succeed */
};
const char *source_strerror(enum source_err err);

struct source;
/* Copies the connection string, borrows data_dir, the platform's: a connection string that
 * connection_allowed() (connection.h) does not like is SOURCE_ECONNECTION when it is first used.
 * NULL: out of memory. */
struct source *source_new(struct slice connection, const char *data_dir);
/* The zone store of a source of kind `managed` (data/zones): the one source that lies in the
 * platform's own folder, named by its id alone and never by a connection string. */
struct source *source_new_managed(const struct uuid *id, const char *data_dir);
void source_free(struct source **s); /* closes, wipes */

/* Connects when it must: by libpq to PostgreSQL (postgres.h), else by ODBC. */
enum source_err source_ready(struct source *s) __attribute__((warn_unused_result));
const struct dialect *source_dialect(const struct source *s); /* after source_ready */
const char *source_quote(const struct source *s);             /* one character, or "" */
/* SQLHDBC, for metadata.c and what else speaks ODBC itself: connects when it must, whatever serves
 * queries. NULL: it cannot. */
void *source_handle(struct source *s);
/* Of a statement; SOURCE_TIMEOUT_S seconds unless said. */
void source_set_timeout_ms(struct source *s, uint64_t timeout_ms);
/* What its text is in where that is not UTF-8 (encoding.h); "": it is. False: no such encoding. Of
 * names, and of a server that converts by itself, it says nothing. */
bool source_set_encoding(struct source *s, struct slice name) __attribute__((warn_unused_result));
void source_lost(struct source *s); /* drops the connection; the next use makes another */

struct source_param {
    struct slice text;
    int64_t integer;
    bool is_integer, is_null, is_binary;
};

struct source_column { /* a cell of the current row */
    char *bytes;
    SQLLEN length; /* SQL_NULL_DATA: null */
    SQLLEN cap;
    bool binary;
    struct buf more; /* of a value longer than cap */
};

struct source_rows {
    struct source *source;
    struct postgres *postgres; /* NULL: by the handle */
    SQLHSTMT handle;
    struct source_column *columns;
    size_t n_columns;
    struct buf *decoded; /* NULL, or one for each column: its text in UTF-8 */
};

/* sql is NUL-terminated. On SOURCE_OK the caller must call source_rows_end. */
enum source_err source_query(struct source *s, struct slice sql, const struct source_param *params,
                             size_t n_params, struct source_rows *rows)
    __attribute__((warn_unused_result));
/* *more false: no further row. */
enum source_err source_next(struct source_rows *rows, bool *more)
    __attribute__((warn_unused_result));
/* False: null. The slice is good until the next source_next. */
bool source_cell(const struct source_rows *rows, size_t i, struct slice *value);
void source_rows_end(struct source_rows *rows);

/* Writing, on a connection made for it: source_set_writable before it is first used. Between begin
 * and commit or rollback no lost connection is made anew. A commit that fails with
 * SOURCE_EUNAVAILABLE may have happened. */
void source_set_writable(struct source *s);
enum source_err source_begin(struct source *s) __attribute__((warn_unused_result));
enum source_err source_commit(struct source *s) __attribute__((warn_unused_result));
void source_rollback(struct source *s);
/* A statement without rows; *affected those it changed. */
enum source_err source_execute(struct source *s, struct slice sql,
                               const struct source_param *params, size_t n_params,
                               int64_t *affected) __attribute__((warn_unused_result));
