/* SPDX-License-Identifier: Apache-2.0 */
/* The platform's store behind the control plane: transactions and statements with bound parameters.
 * SQL text is built only from tables in this program, never from a request; it keeps to what SQLite
 * and PostgreSQL share. One writer at a time, any number of readers, each with a snapshot. Safe
 * from any thread; a transaction and its rows belong to the thread that began it. */
#pragma once
#include "base/slice.h"

enum store_err {
    STORE_OK,
    STORE_EEXISTS, /* a unique index refuses */
    STORE_EREF,    /* a reference points at nothing */
    STORE_EFULL,   /* no room; the transaction must be rolled back */
    STORE_EIO,     /* anything else the engine reports; reported on stderr */
    STORE_ENEWER   /* the store was written by a newer program */
};

struct store;
struct store_txn;
struct store_rows;

/* Makes the file and its folder's schema when there is none, applies missing migrations. why: a
 * sentence for the operator on error. */
#define STORE_WHY_MAX 256
enum store_err store_open(struct store **st, const char *path, char why[static STORE_WHY_MAX])
    __attribute__((warn_unused_result));
void store_close(struct store **st);
/* Bounds the store's size in pages, 0 = no bound: what a quota or a full disk does. */
enum store_err store_limit_pages(struct store *st, unsigned pages)
    __attribute__((warn_unused_result));

/* WRITE_SOON is a WRITE whose commit does not wait for the disk: it outlives the process, killed at
 * any instant, but not a power cut before the next WRITE. For what its user just does again. */
enum store_mode { STORE_READ, STORE_WRITE, STORE_WRITE_SOON };
enum store_err store_begin(struct store *st, enum store_mode mode, struct store_txn **txn)
    __attribute__((warn_unused_result));
/* Both end the transaction, whatever they return, and set *txn to NULL. After a failed commit
 * nothing of it is in the store. */
enum store_err store_commit(struct store_txn **txn) __attribute__((warn_unused_result));
void store_rollback(struct store_txn **txn);

struct store_value {
    enum { STORE_NULL, STORE_INT, STORE_TEXT, STORE_BLOB } type;
    int64_t i;
    struct slice s; /* borrowed until the call returns (exec) or the rows end (query) */
};
static inline struct store_value store_int(int64_t i)
{
    return (struct store_value){.type = STORE_INT, .i = i};
}
/* NULL text is SQL NULL. */
static inline struct store_value store_text(const char *s)
{
    return s ? (struct store_value){.type = STORE_TEXT, .s = slice_str(s)}
             : (struct store_value){.type = STORE_NULL};
}
static inline struct store_value store_blob(const void *p, size_t n)
{
    return (struct store_value){.type = STORE_BLOB, .s = slice_of(p, n)};
}

/* Parameters are `?`, one value each, in order. changed may be NULL. */
enum store_err store_exec(struct store_txn *txn, const char *sql, const struct store_value *v,
                          size_t n, int64_t *changed) __attribute__((warn_unused_result));
enum store_err store_query(struct store_txn *txn, const char *sql, const struct store_value *v,
                           size_t n, struct store_rows **rows) __attribute__((warn_unused_result));
/* True: a row is current. False: the end, or an error that store_rows_end returns. */
bool store_next(struct store_rows *rows);
int64_t store_get_int(struct store_rows *rows, int column);
const char *store_get_text(struct store_rows *rows,
                           int column); /* NULL for SQL NULL; until store_next */
struct slice store_get_blob(struct store_rows *rows, int column);
bool store_is_null(struct store_rows *rows, int column);
enum store_err store_rows_end(struct store_rows **rows); /* NULL inside: no-op */
int64_t store_last_seq(struct store_txn *txn); /* the AUTOINCREMENT number of the last insert */
