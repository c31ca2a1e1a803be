/* SPDX-License-Identifier: Apache-2.0 */
/* What went wrong with a source: as it says it, and as we do. */
#include <stdio.h>

#include "crypto/crypto.h"
#include "data/sources/odbc_inner.h"

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
