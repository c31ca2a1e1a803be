/* SPDX-License-Identifier: Apache-2.0 */
/* How a kind of database differs from another, one row each, found by its SQL_DBMS_NAME. */
#pragma once
#include <stdbool.h>

#include "base/slice.h"

enum dialect_paging {
    DIALECT_LIMIT_OFFSET /* LIMIT ? OFFSET ? */,
    DIALECT_OFFSET_FETCH /* OFFSET ? ROWS FETCH NEXT ? ROWS ONLY */
};
enum dialect_binding {
    DIALECT_BIND_TEXT, /* the server infers a parameter's type from the column */
    DIALECT_BIND_TYPED /* integers and booleans must be bound as integers */
};

struct dialect_error {
    int native, err; /* enum source_err */
};

/* The database's own catalogue, where it says more than the driver's calls. A schema is never ""
 * when there is a statement that tells which one the connection is in. */
struct dialect_catalogue {
    const char *schema;  /* the connection's; NULL: "" stands for it */
    const char *tables;  /* schema, name, type; NULL, as of columns: the driver's calls */
    const char *columns; /* of schema, table, schema, table: name, type, length, may it be null, is
                            it of the key, comment */
    const char *details; /* of schema, table: bytes it takes, its comment; where columns is NULL
                            each column's name and comment, a row each */
};

struct dialect {
    const char *dbms; /* SQL_DBMS_NAME begins with it */
    enum dialect_paging paging;
    enum dialect_binding binding;
    const char *like[2],
        *ilike[2]; /* before and after the column; the parameter is `?` in the second */
    const char *match[2], *imatch[2]; /* likewise; NULL: the database has none */
    const char *distinct[2];          /* before the two sides and between them */
    /* Around a text column, so that it equals what is the same text to the letter: where a database
     * says of its own accord that 'M1' is 'm1' or 'M1 '. NULL: it does not. */
    const char *exact[2];
    const char *number;             /* in place of `?` for a decimal; NULL: `?` */
    const char *is_true, *is_false; /* after the column */
    const char *const
        *json;         /* what follows a bound step of ->: a name, an index; NULL: no arrows */
    bool json_path;    /* no arrows, but JSON_EXTRACT by a path in one bound text */
    bool costs;        /* EXPLAIN (FORMAT JSON) tells what a statement will cost */
    bool nulls_words;  /* knows NULLS FIRST and LAST */
    bool unlimited;    /* knows no time limit of its own: sources/watchdog.h cuts statements off */
    bool utf8;         /* whatever a column's character set is, the server gives UTF-8 */
    bool buffers;      /* its driver takes a whole result into memory: read page by page */
    const char *limit; /* said when the time limit changes, with the seconds behind it; NULL: not */
    const struct dialect_error *errors; /* what its own error numbers mean where the SQLSTATE does
                                           not say; ends with 0 */
    const struct dialect_catalogue *catalogue; /* NULL: the driver's calls tell all there is */
    const char *setup[4]; /* said once on each new connection: read only, time limit */
    const char *raw; /* said after these where text is in an encoding of its own: bytes as they are;
                        NULL: they come so */
    /* Of a connection that writes (data/write): setup_write in place of setup; the transaction's
     * beginning; what makes a SELECT hold its rows; what waits for the transaction of the same
     * number to be over (NULL: beginning one does); the key the last INSERT made. */
    const char *setup_write[4];
    const char *begin, *lock, *guard, *last_key;
    const char *unguard;  /* ends what guard began, after the transaction; NULL: its end does */
    const char *defaults; /* of an INSERT that says no value */
};

/* NULL: we do not speak it. */
const struct dialect *dialect_by_dbms(const char *dbms);
