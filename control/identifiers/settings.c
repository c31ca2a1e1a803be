/* SPDX-License-Identifier: Apache-2.0 */
/* Which institution issues the codes. */
#include <stdio.h>

#include "api/api.h"
#include "identifiers/identifiers.h"
#include "rest/settings.h"
#include "uapi/uapi.h"

static bool code_ok(const char *value)
{
    return strcmp(value, "none") == 0 || uapi_institution_ok(slice_str(value));
}

static const struct setting settings[] = {
    {"institution-code", code_ok, "none, or the 14 characters of JR/T 0124-2014"},
};

static const struct attr attrs[] = {
    {"name", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"value", ATTR_TEXT, AF_REQUIRED, 1, UAPI_INSTITUTION_MAX},
};

/* Codes that were issued go by the code they were issued under. */
static enum problem refuse_issued(struct rest_call *c, struct store_txn *txn, const char *value)
{
    const struct store_value v = store_text(value);
    struct store_rows *rows = NULL;
    enum problem p = rest_store_problem(
        c, store_query(txn,
                       "SELECT u_api_id FROM apis WHERE u_api_id IS NOT NULL AND state <> "
                       "'archived' AND substr(u_api_id, 3, 6) <> substr(?, 1, 6) LIMIT 1",
                       &v, 1, &rows));

    if (p == PROBLEM_OK && store_next(rows)) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/value",
                      "APIs live under codes of another institution, %s among them",
                      store_get_text(rows, 0));
    }
    enum store_err err = store_rows_end(&rows);
    return p == PROBLEM_OK ? rest_store_problem(c, err) : p;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    enum problem p = settings_check(c, settings, COUNT(settings), ch);

    return p == PROBLEM_OK ? refuse_issued(c, ch->txn, row_text(ch->row, "value")) : p;
}

enum problem identifiers_institution(struct rest_call *c, struct store_txn *txn,
                                     char institution[static 7])
{
    char value[UAPI_INSTITUTION_MAX + 1];
    enum problem p = settings_get(c, txn, &identifier_settings_resource, "institution-code", value,
                                  sizeof value);

    snprintf(institution, UAPI_INSTITUTION_LEN + 1, "%.*s", UAPI_INSTITUTION_LEN,
             strcmp(value, "none") == 0 ? "" : value);
    return p;
}

const struct resource identifier_settings_resource = {
    .plural = "identifier_settings",
    .kind = "identifier-setting",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR,
    .patch_roles = ROLE_ADMIN,
    .check = check,
};
