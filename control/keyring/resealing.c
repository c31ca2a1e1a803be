/* SPDX-License-Identifier: Apache-2.0 */
/* Every column of the store that holds something sealed under the master key: a test compares this
 * table with the schema. A row that is renewed keeps its revision, since nothing of it changed for
 * anybody. */
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "base/codec.h"
#include "keyring/replacements.h"

#define CONTEXT_MAX 256
#define SQL_MAX     400

/* What is bound into the seal beside the row: its id alone, the id and the column's name, or
 * "document/" and the id. MEMBERS: an object of sealed texts, each by the id and its own name. */
enum form { ID, ID_COLUMN, DOCUMENT, MEMBERS };
static const struct place {
    const char *table, *column, *key, *id; /* key: what rows are gone through by */
    enum form form;
} places[] = {
    /* clang-format off */
    {"applications", "sealed", "id", "id", MEMBERS},
    {"application_versions", "sealed", "id", "application_id", MEMBERS},
    {"approvals", "request_sealed", "id", "id", ID},
    {"authorities", "key_sealed", "name", "name", ID},
    {"contact_points", "secret_sealed", "id", "id", ID},
    {"credentials", "secret_sealed", "id", "id", ID},
    {"delivery_targets", "secret_sealed", "id", "id", ID},
    {"document_contents", "sealed", "document_id", "document_id", DOCUMENT},
    {"event_subscriptions", "secret_sealed", "id", "id", ID},
    {"exchange_nodes", "credential_sealed", "id", "id", ID},
    {"exchange_nodes", "key_sealed", "id", "id", ID},
    {"exchange_nodes", "shared_key_sealed", "id", "id", ID},
    {"login_keys", "private_sealed", "kid", "kid", ID_COLUMN},
    {"peers", "key_sealed", "id", "id", ID},
    {"probe_keys", "private_sealed", "credential_id", "credential_id", ID},
    {"sources", "connection_sealed", "id", "id", ID},
    {"token_keys", "key_sealed", "id", "id", ID},
    {"users", "id_number_sealed", "id", "id", ID_COLUMN},
    {"users", "phone_sealed", "id", "id", ID_COLUMN},
    {"users", "real_name_sealed", "id", "id", ID_COLUMN},
    {"users", "totp_pending_sealed", "id", "id", ID_COLUMN},
    {"users", "totp_sealed", "id", "id", ID_COLUMN},
    {"meta", "value", "key", "key", ID}, /* of kept_keys alone: select_sql() */
    /* clang-format on */
};
const size_t reseal_places = COUNT(places);

const char *reseal_name(size_t i)
{
    static _Thread_local char name[80];

    snprintf(name, sizeof name, "%s.%s", places[i].table, places[i].column);
    return name;
}

static struct slice context_of(const struct place *at, const char *id, const char *member,
                               char out[static CONTEXT_MAX])
{
    int n = at->form == ID         ? snprintf(out, CONTEXT_MAX, "%s", id)
            : at->form == DOCUMENT ? snprintf(out, CONTEXT_MAX, "document/%s", id)
                                   : snprintf(out, CONTEXT_MAX, "%s/%s", id, member);

    return slice_of(out, n > 0 && n < CONTEXT_MAX ? (size_t)n : 0);
}

/* True: it opened. *renewed: and was sealed under the old key, so `sealed` is now another text. */
static bool renew(const struct rest_call *c, struct slice context, uint8_t *sealed, size_t n,
                  bool *renewed)
{
    uint8_t *plain = n >= CRYPTO_SEAL_EXTRA ? malloc(n) : NULL;
    bool ok = plain && context.n > 0 &&
              keyring_open_aged(c->ctl, context, sealed, n, plain, renewed) == CRYPTO_OK;

    if (ok && *renewed) {
        keyring_seal(c->ctl, context, plain, n - CRYPTO_SEAL_EXTRA, sealed);
    }
    if (plain) {
        crypto_wipe(plain, n);
    }
    free(plain);
    return ok;
}

/* *out: the text anew, NULL when it stands. */
static bool renew_text(const struct rest_call *c, struct slice context, const char *text,
                       char **out)
{
    size_t text_n = strlen(text), n = 0;
    uint8_t *sealed = malloc(text_n + 1);
    bool renewed = false;

    *out = NULL;
    bool ok = sealed && codec_unbase64url(sealed, text_n, &n, text, text_n) &&
              renew(c, context, sealed, n, &renewed);
    if (ok && renewed) {
        *out = malloc(CODEC_BASE64URL_LEN(n) + 1);
        ok = *out != NULL;
        if (ok) {
            (*out)[codec_base64url(*out, sealed, n)] = '\0';
        }
    }
    free(sealed);
    return ok;
}

static bool renew_members(const struct rest_call *c, const struct place *at, const char *id,
                          const char *text, char **out)
{
    json_t *members = json_loads(text, 0, NULL), *v;
    char context[CONTEXT_MAX], *fresh;
    bool ok = json_is_object(members) || json_is_null(members), changed = false;
    const char *name;

    *out = NULL;
    json_object_foreach(members, name, v)
    {
        fresh = NULL;
        ok = ok && json_is_string(v) &&
             renew_text(c, context_of(at, id, name, context), json_string_value(v), &fresh);
        if (fresh) {
            json_object_set_new(members, name, json_string(fresh));
            changed = true;
        }
        free(fresh);
    }
    if (ok && changed) {
        *out = json_dumps(members, JSON_COMPACT);
        ok = *out != NULL;
    }
    json_decref(members);
    return ok;
}

/* Of kept rows ----------------------------------------------------------------------------------
 */

struct row {
    char key[128], id[128];
    struct store_value value; /* on the heap */
};

static void row_fini(struct row *row)
{
    free((char *)(uintptr_t)row->value.s.p);
}

static bool keep(struct row *row, struct store_rows *rows, bool blob)
{
    struct slice v = blob ? store_get_blob(rows, 2) : slice_str(store_get_text(rows, 2));
    char *copy = malloc(v.n + 1);

    snprintf(row->key, sizeof row->key, "%s", store_get_text(rows, 0));
    snprintf(row->id, sizeof row->id, "%s", store_get_text(rows, 1));
    if (copy) {
        memcpy(copy, v.p, v.n);
        copy[v.n] = '\0';
    }
    row->value = blob ? store_blob(copy, v.n) : store_text(copy);
    return copy != NULL;
}

static enum store_err read_rows(struct store_txn *txn, const struct place *at, const char *after,
                                struct row rows[static RESEAL_ROWS], size_t *n)
{
    const struct store_value v = store_text(after);
    struct store_rows *r = NULL;
    char sql[SQL_MAX];
    size_t bytes = 0;

    snprintf(sql, sizeof sql,
             "SELECT %s, %s, %s FROM %s WHERE %s > ? AND %s IS NOT NULL%s ORDER BY %s LIMIT %d",
             at->key, at->id, at->column, at->table, at->key, at->column,
             strcmp(at->table, "meta") == 0 ? " AND key = 'kept_keys'" : "", at->key, RESEAL_ROWS);
    enum store_err err = store_query(txn, sql, &v, 1, &r);
    *n = 0;
    while (err == STORE_OK && *n < RESEAL_ROWS && bytes < RESEAL_BYTES && store_next(r)) {
        if (!keep(&rows[*n], r, at->form == DOCUMENT)) {
            break;
        }
        bytes += rows[(*n)++].value.s.n;
    }
    enum store_err end = store_rows_end(&r);
    return err == STORE_OK ? end : err;
}

static bool renew_row(const struct rest_call *c, const struct place *at, struct row *row,
                      bool *renewed)
{
    char context[CONTEXT_MAX], *fresh = NULL;
    struct slice v = row->value.s;
    bool ok;

    if (at->form == DOCUMENT) {
        return renew(c, context_of(at, row->id, "", context), (uint8_t *)(uintptr_t)v.p, v.n,
                     renewed);
    }
    ok = at->form == MEMBERS
             ? renew_members(c, at, row->id, v.p, &fresh)
             : renew_text(c, context_of(at, row->id, at->column, context), v.p, &fresh);
    *renewed = fresh != NULL;
    if (fresh) {
        free((char *)(uintptr_t)v.p);
        row->value = store_text(fresh);
    }
    return ok;
}

static enum problem store_row(struct rest_call *c, struct store_txn *txn, const struct place *at,
                              const struct row *row)
{
    const struct store_value v[] = {row->value, store_text(row->key)};
    char sql[SQL_MAX];

    snprintf(sql, sizeof sql, "UPDATE %s SET %s = ? WHERE %s = ?", at->table, at->column, at->key);
    return rest_store_problem(c, store_exec(txn, sql, v, COUNT(v), NULL));
}

/* An empty text is a secret that was never given. */
static enum problem take_row(struct rest_call *c, struct store_txn *txn, const struct place *at,
                             struct row *row, struct reseal *r)
{
    bool renewed = false;

    if (row->value.s.n == 0) {
        return PROBLEM_OK;
    }
    if (!renew_row(c, at, row, &renewed)) {
        fprintf(stderr, "sluice: control: %s.%s of %s opens under neither master key\n", at->table,
                at->column, row->key);
        return PROBLEM_INTERNAL;
    }
    r->found += renewed;
    return renewed ? store_row(c, txn, at, row) : PROBLEM_OK;
}

/* Of one column; *n: rows looked at. */
static enum problem take_rows(struct rest_call *c, struct store_txn *txn, struct reseal *r,
                              size_t *n)
{
    struct row rows[RESEAL_ROWS] = {0};
    const struct place *at = &places[r->place];
    enum problem p = rest_store_problem(c, read_rows(txn, at, r->after, rows, n));

    for (size_t i = 0; i < *n; i++) {
        p = p == PROBLEM_OK ? take_row(c, txn, at, &rows[i], r) : p;
    }
    if (p == PROBLEM_OK && *n > 0) {
        snprintf(r->after, sizeof r->after, "%s", rows[*n - 1].key);
    } else if (p == PROBLEM_OK) {
        r->after[0] = '\0';
        r->place++;
    }
    for (size_t i = 0; i < *n; i++) {
        row_fini(&rows[i]);
    }
    return p;
}

enum problem reseal_step(struct rest_call *c, struct store_txn *txn, struct reseal *r)
{
    enum problem p = PROBLEM_OK;
    size_t n = 0, all = 0;

    r->found = 0;
    while (p == PROBLEM_OK && all < RESEAL_ROWS && r->place >= 0 &&
           (size_t)r->place < COUNT(places)) {
        p = take_rows(c, txn, r, &n);
        all += n;
        if (strcmp(places[r->place < (int64_t)COUNT(places) ? r->place : 0].table,
                   "document_contents") == 0) {
            break; /* they are large */
        }
    }
    return p;
}
