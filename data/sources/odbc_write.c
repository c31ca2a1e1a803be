/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions and statements that write. */
#include <stdlib.h>

#include "data/sources/odbc_inner.h"
#include "data/sources/watchdog.h"

/* Transactions are spoken by ODBC alone. */
void source_set_writable(struct source *s)
{
    postgres_free(&s->postgres);
    s->writable = true;
}

/* An idle connection may have died since it was last used: nothing has happened yet, so once more
 * on a fresh one. */
enum source_err source_begin(struct source *s)
{
    bool dead;
    enum source_err err = source_ready(s);
    if (err)
        return err;
    err = source_say(s, s->dialect->begin, &dead);
    if (err == SOURCE_EUNAVAILABLE) {
        source_lost(s);
        err = source_ready(s);
        if (!err)
            err = source_say(s, s->dialect->begin, &dead);
    }
    s->in_txn = err == SOURCE_OK;
    return err;
}

/* What a lost connection held the server gives back. */
static void say_unguard(struct source *s)
{
    bool dead;
    if (s->connected && s->dialect->unguard && source_say(s, s->dialect->unguard, &dead))
        source_lost(s);
}

enum source_err source_commit(struct source *s)
{
    bool dead;
    enum source_err err = source_say(s, "COMMIT", &dead);
    s->in_txn = false;
    if (err)
        source_lost(s);
    say_unguard(s);
    return err == SOURCE_OK || err == SOURCE_EBUSY || err == SOURCE_ECONSTRAINT
               ? err
               : SOURCE_EUNAVAILABLE;
}

void source_rollback(struct source *s)
{
    bool dead;
    if (s->connected && source_say(s, "ROLLBACK", &dead))
        source_lost(s);
    s->in_txn = false;
    say_unguard(s);
}

static enum source_err execute_once(struct source *s, SQLHSTMT h, struct slice sql,
                                    const struct source_param *params, SQLLEN *lengths, size_t n,
                                    int64_t *affected)
{
    bool dead;
    SQLLEN count = -1;
    SQLSetStmtAttr(h, SQL_ATTR_NOSCAN, (SQLPOINTER)SQL_NOSCAN_ON, 0);
    if (!SQL_SUCCEEDED(SQLPrepare(h, (SQLCHAR *)(uintptr_t)sql.p, (SQLINTEGER)sql.n)))
        return source_judge(s, h, &dead);
    for (size_t i = 0; i < n; i++)
        if (!source_bind_param(h, (SQLUSMALLINT)(i + 1), &params[i], &lengths[i]))
            return source_judge(s, h, &dead);
    enum source_err err = SOURCE_OK;
    struct watch watch;
    bool cut = false;
    if (s->dialect->unlimited)
        watchdog_begin(&watch, h, s->timeout_ms);
    SQLRETURN r = SQLExecute(h);
    if (s->dialect->unlimited)
        cut = watchdog_end(&watch);
    if (!SQL_SUCCEEDED(r) && r != SQL_NO_DATA)
        err = cut ? SOURCE_ETIMEOUT : source_judge(s, h, &dead);
    else
        SQLRowCount(h, &count);
    *affected = count;
    return err;
}

enum source_err source_execute(struct source *s, struct slice sql,
                               const struct source_param *params, size_t n_params,
                               int64_t *affected)
{
    SQLHSTMT h;
    SQLLEN few[16], *lengths = n_params > 16 ? malloc(n_params * sizeof *lengths) : few;
    enum source_err err = SOURCE_EUNAVAILABLE;
    struct coded coded = {0};
    *affected = 0;
    if (source_needs_coding(s)) {
        if (!source_code_params(s, params, n_params, &coded)) {
            source_coded_end(&coded);
            if (lengths != few)
                free(lengths);
            return SOURCE_EVALUE;
        }
        params = coded.params;
    }
    if (lengths && s->connected && SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, s->dbc, &h))) {
        err = execute_once(s, h, sql, params, lengths, n_params, affected);
        SQLFreeHandle(SQL_HANDLE_STMT, h);
    }
    if (coded.params)
        source_coded_end(&coded);
    if (lengths != few)
        free(lengths);
    return err;
}
