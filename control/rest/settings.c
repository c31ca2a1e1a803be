/* SPDX-License-Identifier: Apache-2.0 */
#include "rest/settings.h"

#include <stdio.h>
#include <stdlib.h>

#include "rest/strict.h"

enum problem settings_check(struct rest_call *c, const struct setting *settings, size_t n,
                            struct change *ch)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(settings[i].name, row_text(ch->row, "name")) == 0 &&
            !settings[i].ok(row_text(ch->row, "value"))) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, "/value", "%s is needed",
                             settings[i].allowed);
        }
    }
    return strict_check(c, ch);
}

enum problem settings_get(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                          const char *name, char *value, size_t cap)
{
    const struct store_value v = store_text(name);
    struct store_rows *rows = NULL;
    struct buf sql;

    value[0] = '\0';
    buf_init(&sql);
    buf_addf(&sql, "SELECT value FROM %s WHERE name = ?", res->plural);
    buf_addc(&sql, '\0');
    enum store_err err = sql.failed ? STORE_EIO : store_query(txn, sql.p, &v, 1, &rows);
    if (err == STORE_OK && store_next(rows)) {
        snprintf(value, cap, "%s", store_get_text(rows, 0));
    }
    if (err == STORE_OK) {
        err = store_rows_end(&rows);
    }
    buf_fini(&sql);
    return rest_store_problem(c, err);
}

enum problem settings_on(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                         const char *name, bool *on)
{
    char value[SETTINGS_TEXT_MAX];
    enum problem p = settings_get(c, txn, res, name, value, sizeof value);

    *on = strcmp(value, "on") == 0;
    return p == PROBLEM_OK && !value[0] ? PROBLEM_INTERNAL : p;
}

bool setting_is_switch(const char *value)
{
    return strcmp(value, "on") == 0 || strcmp(value, "off") == 0;
}

bool setting_is_number(const char *value, long min, long max)
{
    char *end = NULL;
    long n = strtol(value, &end, 10);

    return *value >= '0' && *value <= '9' && *end == '\0' && n >= min && n <= max;
}
