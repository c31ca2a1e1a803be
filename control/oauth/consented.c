/* SPDX-License-Identifier: Apache-2.0 */
/* What needs no asking again. A consent counts for a request when it answered the same question or
 * a wider one: every word of the scope, every API for the same purpose and term and no more fields;
 * and when all that it gave still stands. */
#include <stdio.h>

#include "oauth/inner.h"

#define CANDIDATES 8 /* latest consents that are looked at */

static bool within(const json_t *fields, const json_t *wider)
{
    json_t *v;
    size_t i, k;

    if (!json_is_array(wider)) { /* all there were: the user chose among other fields than these */
        return !json_is_array(fields);
    }
    if (!json_is_array(fields)) {
        return false;
    }
    json_array_foreach(fields, i, v)
    {
        for (k = 0; k < json_array_size(wider) && !json_equal(v, json_array_get(wider, k)); k++) {
        }
        if (k == json_array_size(wider)) {
            return false;
        }
    }
    return true;
}

/* One use that was agreed to is used up by the first. */
static bool same_question(const json_t *asked, const json_t *given)
{
    return strcmp(row_text(asked, "api_id"), row_text(given, "api_id")) == 0 &&
           strcmp(row_text(asked, "purpose"), row_text(given, "purpose")) == 0 &&
           strcmp(row_text(asked, "term"), row_text(given, "term")) == 0 &&
           strcmp(row_text(asked, "term"), "once") != 0 &&
           within(json_object_get(asked, "fields"), json_object_get(given, "fields"));
}

static bool apis_covered(const json_t *asked, const json_t *given)
{
    json_t *a, *g;
    size_t i, k;

    json_array_foreach(asked, i, a)
    {
        bool found = false;
        json_array_foreach(given, k, g)
        {
            found = found || same_question(a, g);
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

/* Words that name APIs are looked at as APIs. */
static bool words_covered(const char *asked, const char *given)
{
    static const char *const plain[] = {"openid", "profile"};

    for (size_t i = 0; i < COUNT(plain); i++) {
        size_t n = strlen(plain[i]);
        if (oauth_scope_has(asked, plain[i], n) && !oauth_scope_has(given, plain[i], n)) {
            return false;
        }
    }
    return true;
}

static enum problem families(struct rest_call *c, struct store_txn *txn, const char *app,
                             char ids[static CANDIDATES][UUID_TEXT_LEN + 1], size_t *n)
{
    const struct store_value v[] = {store_text(c->user.id), store_text(app),
                                    store_int((int64_t)c->now_ms), store_int(CANDIDATES)};
    struct store_rows *rows = NULL;
    enum store_err err =
        store_query(txn,
                    "SELECT id FROM oauth_families WHERE user_id = ? AND app_id = ? AND revoked_at "
                    "IS NULL AND expires_at > ? ORDER BY created_at DESC LIMIT ?",
                    v, COUNT(v), &rows);

    *n = 0;
    while (err == STORE_OK && *n < CANDIDATES && store_next(rows)) {
        snprintf(ids[(*n)++], UUID_TEXT_LEN + 1, "%s", store_get_text(rows, 0));
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

static enum problem before(struct rest_call *c, struct store_txn *txn,
                           const struct oauth_request *r, bool *yes, json_t **grants)
{
    char ids[CANDIDATES][UUID_TEXT_LEN + 1];
    size_t n = 0;
    enum problem p = families(c, txn, row_text(r->client, "id"), ids, &n);

    *yes = false;
    for (size_t i = 0; i < n && p == PROBLEM_OK && !*yes; i++) {
        struct oauth_standing s = {0};
        p = standing_of_family(c, txn, ids[i], &s);
        if (p == PROBLEM_OK && apis_covered(r->apis, s.apis) &&
            words_covered(row_text(r->params, "scope"), row_text(s.params, "scope"))) {
            p = standing_live(c, txn, &s, yes);
        }
        if (p == PROBLEM_OK && *yes) {
            *grants = json_incref(s.grants);
        }
        standing_fini(&s);
    }
    return p;
}

static enum problem is_peer(struct rest_call *c, struct store_txn *txn, const char *app, bool *yes)
{
    const struct store_value v = store_text(app);
    struct store_rows *rows = NULL;
    enum store_err err = store_query(
        txn, "SELECT 1 FROM peers WHERE app_id = ? AND state = 'active' AND sign_on = 1", &v, 1,
        &rows);

    *yes = err == STORE_OK && store_next(rows);
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

enum problem oauth_consented(struct rest_call *c, struct store_txn *txn,
                             const struct oauth_request *r, enum oauth_consent *consent,
                             json_t **grants)
{
    bool yes = false;
    enum problem p = PROBLEM_OK;

    *consent = OAUTH_CONSENT_NONE;
    *grants = NULL;
    if (json_array_size(r->apis) == 0) {
        p = is_peer(c, txn, row_text(r->client, "id"), &yes);
    }
    if (p != PROBLEM_OK || yes) {
        *consent = yes ? OAUTH_CONSENT_PEER : OAUTH_CONSENT_NONE;
        *grants = json_array();
        return p;
    }
    p = before(c, txn, r, &yes, grants);
    *consent = p == PROBLEM_OK && yes ? OAUTH_CONSENT_BEFORE : OAUTH_CONSENT_NONE;
    return p;
}
