/* SPDX-License-Identifier: Apache-2.0 */
/* The peers: whom an administrator trusts, in which direction, with what. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/apis.h"
#include "crypto/certificate.h"
#include "identity/identity.h"
#include "peers/inner.h"

static enum problem check_name(struct rest_call *c, const char *where, const json_t *v)
{
    for (const char *s = json_string_value(v); *s; s++) {
        if (!isalnum((unsigned char)*s) && !strchr(".-", *s)) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                             "letters, digits, . and - are allowed");
        }
    }
    return PROBLEM_OK;
}

static enum problem check_issuer(struct rest_call *c, const char *where, const json_t *v)
{
    const char *s = json_string_value(v);
    size_t n = strlen(s);

    return targets_url_ok(s, "https://") && n > 0 && s[n - 1] != '/'
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                           "an address like https://name:port, no slash at its end");
}

static enum problem check_fields(struct rest_call *c, const char *where, const json_t *v)
{
    size_t n = 0;

    while (account_fields[n]) {
        n++;
    }
    return json_is_array(v) && json_array_size(v) == 0
               ? PROBLEM_OK
               : api_check_words(c, where, v, account_fields, n);
}

static enum problem check_ca(struct rest_call *c, const char *where, const json_t *v)
{
    struct crypto_trust *trust = crypto_trust_new(CRYPTO_CRL_WHERE_NAMED);
    bool ok = crypto_trust_add_ca(trust, slice_str(json_string_value(v))) == CRYPTO_OK;

    crypto_trust_free(&trust);
    return ok ? PROBLEM_OK
              : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                          "one PEM block with the certificate of a CA is needed");
}

static const struct attr attrs[] = {
    {"name", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER | AF_SORT, 1, 40,
     .check = check_name},
    {"issuer", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 8, 190, .check = check_issuer},
    {"client_id", ATTR_TEXT, 0, 1, 200},
    {"ca", ATTR_TEXT, AF_LINES, 1, CRYPTO_CERTIFICATE_MAX, .check = check_ca},
    {"public_key", ATTR_TEXT, AF_READ_ONLY},
    {"key_sealed", ATTR_TEXT, AF_HIDDEN},
    {"app_id", ATTR_REF, AF_FILTER, .ref = "apps"},
    {"sign_on", ATTR_BOOL, 0, .fallback = "false"},
    {"query_fields", ATTR_JSON, 0, .check = check_fields, .fallback = "[]"},
    {"registers", ATTR_BOOL, 0, .fallback = "false"},
    {"offered", ATTR_BOOL, 0, .fallback = "false"},
    {"silent", ATTR_BOOL, 0, .fallback = "false"},
    {"told", ATTR_BOOL, 0, .fallback = "false"},
    {"trust_factors", ATTR_BOOL, 0, .fallback = "false"},
    {"trust_subjects", ATTR_BOOL, 0, .fallback = "false"},
};

bool peer_flag(const json_t *peer, const char *name)
{
    return json_is_true(json_object_get(peer, name));
}

enum problem peer_load(struct rest_call *c, struct store_txn *txn, const char *column,
                       const char *value, json_t **peer)
{
    const struct store_value v = store_text(value);
    struct store_rows *rows = NULL;
    struct buf sql;

    *peer = NULL;
    buf_init(&sql);
    buf_adds(&sql, "SELECT ");
    row_columns(&peers_resource, &sql);
    buf_addf(&sql, " FROM peers WHERE %s = ? AND state = 'active'", column);
    buf_addc(&sql, '\0');
    enum store_err err = sql.failed ? STORE_EIO : store_query(txn, sql.p, &v, 1, &rows);
    if (err == STORE_OK && store_next(rows)) {
        *peer = row_read(&peers_resource, rows);
    }
    if (err == STORE_OK) {
        err = store_rows_end(&rows);
    }
    buf_fini(&sql);
    enum problem p = rest_store_problem(c, err);
    return p == PROBLEM_OK && !*peer ? PROBLEM_NOT_FOUND : p;
}

/* Our key for this peer alone: what one platform verifies says nothing at another. */
static enum problem make_key(struct rest_call *c, json_t *row)
{
    struct crypto_key *pair = crypto_key_new(CRYPTO_KEY_P256);
    char *pem = crypto_key_private_pem(pair), *jwk = crypto_key_jwk(pair);

    json_object_set_new(row, "key_sealed",
                        api_seal_kept(c->ctl, row_text(row, "id"), slice_str(pem)));
    json_object_set_new(row, "public_key", json_string(jwk));
    crypto_wipe(pem, strlen(pem));
    free(pem);
    free(jwk);
    crypto_key_free(&pair);
    return row_text(row, "key_sealed")[0] ? PROBLEM_OK : PROBLEM_INTERNAL;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    static const char *const asking[] = {"offered", "silent", "told"};

    if (ch->old && strcmp(row_text(ch->old, "state"), "removed") == 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "it is removed; make another");
    }
    for (size_t i = 0; i < COUNT(asking); i++) {
        if (peer_flag(ch->row, asking[i]) && !row_text(ch->row, "client_id")[0]) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, "/client_id",
                             "to ask there we have to be a client of theirs");
        }
    }
    if ((peer_flag(ch->row, "sign_on") || peer_flag(ch->row, "registers") ||
         json_array_size(json_object_get(ch->row, "query_fields")) > 0) &&
        !row_text(ch->row, "app_id")[0]) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/app_id",
                         "what the peer may do here, it does as a client: an app");
    }
    return ch->old ? PROBLEM_OK : make_key(c, ch->row);
}

enum problem peers_check_login(struct rest_call *c, struct store_txn *txn, const char *login)
{
    const char *at = strrchr(login, '@');
    const struct store_value v = store_text(at ? at + 1 : "");
    struct store_rows *rows = NULL;
    enum store_err err =
        store_query(txn, "SELECT 1 FROM peers WHERE name = ? LIMIT 1", &v, 1, &rows);
    bool taken = err == STORE_OK && store_next(rows);
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);

    return p == PROBLEM_OK && taken
               ? rest_fail(c, PROBLEM_FIELD_INVALID, "/login",
                           "names that end like this are those of another platform's users")
               : p;
}

#define END_BATCH 64

static enum problem sessions_from(struct rest_call *c, struct store_txn *txn, const char *peer,
                                  char ids[static END_BATCH][UUID_TEXT_LEN + 1], size_t *n)
{
    const struct store_value v[] = {store_text(peer), store_int(END_BATCH)};
    struct store_rows *rows = NULL;
    enum store_err err =
        store_query(txn, "SELECT id FROM sessions WHERE peer_id = ? LIMIT ?", v, 2, &rows);

    *n = 0;
    while (err == STORE_OK && *n < END_BATCH && store_next(rows)) {
        snprintf(ids[(*n)++], UUID_TEXT_LEN + 1, "%s", store_get_text(rows, 0));
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

/* Trust that is withdrawn takes along what came of it. */
static enum problem after(struct rest_call *c, struct change *ch)
{
    char ids[END_BATCH][UUID_TEXT_LEN + 1];
    size_t n = END_BATCH;
    enum problem p = PROBLEM_OK;

    if (strcmp(row_text(ch->row, "state"), "active") == 0) {
        return PROBLEM_OK;
    }
    while (p == PROBLEM_OK && n == END_BATCH) {
        p = sessions_from(c, ch->txn, row_text(ch->row, "id"), ids, &n);
        for (size_t i = 0; p == PROBLEM_OK && i < n; i++) {
            p = identity_session_end(c, ch->txn, ids[i]);
        }
    }
    return p;
}

static const struct transition transitions[] = {
    {"active", "disable", "inactive", ROLE_ADMIN},
    {"inactive", "enable", "active", ROLE_ADMIN},
    {"active|inactive", "remove", "removed", ROLE_ADMIN},
};

const struct resource peers_resource = {
    .plural = "peers",
    .kind = "peer",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR,
    .create_roles = ROLE_ADMIN,
    .patch_roles = ROLE_ADMIN,
    .check = check,
    .after = after,
};
