/* SPDX-License-Identifier: Apache-2.0 */
/* Which algorithms the platform uses now. The rows are those of libs/crypto's table; switching one
 * off is a change of its status, which every node follows (BK-7.1a). */
#include <stdio.h>

#include "api/api.h"
#include "crypto/algorithm.h"

static const char *const statuses[] = {"enabled", "deprecated", "disabled", NULL};

static const struct attr attrs[] = {
    {"name", ATTR_TEXT, AF_READ_ONLY | AF_FILTER | AF_SORT},
    {"purpose", ATTR_TEXT, AF_READ_ONLY | AF_FILTER | AF_SORT},
    {"status", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 20, .values = statuses},
    {"sunset_at", ATTR_TIME, AF_SORT},
};

/* One that works now and has no end. */
static bool lasting(const json_t *row)
{
    return strcmp(row_text(row, "status"), "disabled") != 0 && !api_ms(row, "sunset_at");
}

static enum problem count_lasting(struct rest_call *c, struct change *ch)
{
    int *n = ch->arg;

    (void)c;
    *n += lasting(ch->row);
    return PROBLEM_OK;
}

/* Without any algorithm of a purpose nothing more could be called, not even to undo it. */
static enum problem check(struct rest_call *c, struct change *ch)
{
    const char *purpose = row_text(ch->row, "purpose");
    int n = 0;

    if (!lasting(ch->old) || lasting(ch->row)) {
        return PROBLEM_OK;
    }
    enum problem p =
        row_each(c, ch->txn, &algorithms_resource, "purpose", purpose, count_lasting, &n);
    if (p == PROBLEM_OK && n < 2) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/status",
                      "%s is the last usable algorithm for %s; enable another first",
                      row_text(ch->row, "name"), purpose);
    }
    return p;
}

static enum problem feed(struct rest_call *c, struct store_txn *txn, const json_t *row,
                         json_t **data)
{
    (void)c;
    (void)txn;
    *data =
        json_pack("{s:s, s:s}", "name", row_text(row, "name"), "status", row_text(row, "status"));
    if (api_ms(row, "sunset_at")) {
        json_object_set_new(*data, "sunset_at", api_feed_ms(row, "sunset_at"));
    }
    return *data ? PROBLEM_OK : PROBLEM_INTERNAL;
}

static enum problem seed(struct rest_call *c, struct store_txn *txn,
                         const struct crypto_algorithm *alg)
{
    struct uuid id;
    char text[UUID_TEXT_LEN + 1];

    uuid_new(&id);
    uuid_format(&id, text);
    json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s, s:n}", "id", text, "state", "active", "name",
                            alg->name, "purpose", crypto_purpose_name(alg->purpose), "status",
                            crypto_status_name(alg->status), "sunset_at");
    enum problem p = change_store(c, txn, &algorithms_resource, NULL, row, "create");
    json_decref(row);
    return p;
}

static enum problem known(struct rest_call *c, struct store_txn *txn, const char *name, bool *there)
{
    const struct store_value v = store_text(name);
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, "SELECT 1 FROM algorithms WHERE name = ?", &v, 1, &rows);

    *there = err == STORE_OK && store_next(rows);
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

enum problem algorithms_seed(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    for (unsigned i = 0; i < CRYPTO_ALG_COUNT && p == PROBLEM_OK; i++) {
        const struct crypto_algorithm *alg = crypto_algorithm((enum crypto_alg)i);
        bool there = false;
        p = known(c, txn, alg->name, &there);
        if (p == PROBLEM_OK && !there) {
            p = seed(c, txn, alg);
        }
    }
    return rest_finish(c, &txn, p);
}

const struct resource algorithms_resource = {
    .plural = "algorithms",
    .kind = "algorithm",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .read_roles = ROLE_ALL,
    .patch_roles = ROLE_ADMIN,
    .check = check,
    .feed = feed,
    .feed_kind = "algorithm",
};
