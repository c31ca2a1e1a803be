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

struct dialect {
    const char *dbms; /* SQL_DBMS_NAME begins with it */
    enum dialect_paging paging;
    enum dialect_binding binding;
    const char *like[2],
        *ilike[2]; /* before and after the column; the parameter is `?` in the second */
    const char *match, *imatch;     /* operator; NULL: the database has none */
    const char *distinct;           /* operator */
    const char *is_true, *is_false; /* after the column */
    const char *const
        *json;        /* what follows a bound step of ->: a name, an index; NULL: no arrows */
    bool costs;       /* EXPLAIN (FORMAT JSON) tells what a statement will cost */
    bool nulls_words; /* knows NULLS FIRST and LAST */
    bool unlimited;   /* knows no time limit of its own: sources/watchdog.h cuts statements off */
    const char *setup[4]; /* said once on each new connection: read only, time limit */
    /* Of a connection that writes (data/write): setup_write in place of setup; the transaction's
     * beginning; what makes a SELECT hold its rows; what waits for the transaction of the same
     * number to be over (NULL: beginning one does); the key the last INSERT made. */
    const char *setup_write[4];
    const char *begin, *lock, *guard, *last_key;
};

/* NULL: we do not speak it. */
const struct dialect *dialect_by_dbms(const char *dbms);
