/* SPDX-License-Identifier: Apache-2.0 */
/* What codes and refresh tokens stand for, in the store. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/codec.h"
#include "oauth/inner.h"

void standing_fini(struct oauth_standing *s)
{
    json_decref(s->params);
    json_decref(s->apis);
    json_decref(s->grants);
    *s = (struct oauth_standing){0};
}

static void copy_text(char *out, size_t room, const char *text)
{
    snprintf(out, room, "%s", text ? text : "");
}

/* Columns: app_id, user_id, session_id, params, apis, grants, dpop_jkt, signed_in_at, factors,
 * created_at, expires_at, used_at, family_id, revoked_at. */
static void read_standing(struct store_rows *rows, struct oauth_standing *s)
{
    copy_text(s->app_id, sizeof s->app_id, store_get_text(rows, 0));
    copy_text(s->user, sizeof s->user, store_get_text(rows, 1));
    copy_text(s->session, sizeof s->session, store_get_text(rows, 2));
    s->params = json_loads(store_get_text(rows, 3), 0, NULL);
    s->apis = json_loads(store_get_text(rows, 4), 0, NULL);
    s->grants = json_loads(store_get_text(rows, 5), 0, NULL);
    copy_text(s->jkt, sizeof s->jkt, store_get_text(rows, 6));
    s->signed_in_ms = (uint64_t)store_get_int(rows, 7);
    s->factors = (unsigned)store_get_int(rows, 8);
    s->created_ms = (uint64_t)store_get_int(rows, 9);
    s->expires_ms = (uint64_t)store_get_int(rows, 10);
    s->used_ms = (uint64_t)store_get_int(rows, 11);
    copy_text(s->family, sizeof s->family, store_get_text(rows, 12));
    s->revoked_ms = (uint64_t)store_get_int(rows, 13);
}

static enum problem load(struct rest_call *c, struct store_txn *txn, const char *sql,
                         struct store_value v, struct oauth_standing *s)
{
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, &v, 1, &rows);

    *s = (struct oauth_standing){0};
    if (err == STORE_OK && store_next(rows)) {
        read_standing(rows, s);
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

enum problem standing_of_code(struct rest_call *c, struct store_txn *txn, const char *code,
                              struct oauth_standing *s)
{
    uint8_t sm3[CRYPTO_HASH_LEN];

    oauth_secret_hash(code, sm3);
    return load(c, txn,
                "SELECT app_id, user_id, session_id, params, apis, grants, dpop_jkt, signed_in_at, "
                "factors, created_at, expires_at, used_at, family_id, NULL FROM oauth_codes WHERE "
                "code_sm3 = ?",
                store_blob(sm3, sizeof sm3), s);
}

enum problem standing_of_refresh(struct rest_call *c, struct store_txn *txn, const char *token,
                                 struct oauth_standing *s)
{
    uint8_t sm3[CRYPTO_HASH_LEN];

    oauth_secret_hash(token, sm3);
    return load(c, txn,
                "SELECT f.app_id, f.user_id, f.session_id, f.params, f.apis, f.grants, f.dpop_jkt, "
                "f.signed_in_at, f.factors, t.created_at, t.expires_at, t.used_at, f.id, "
                "f.revoked_at FROM oauth_refresh_tokens t JOIN oauth_families f ON f.id = "
                "t.family_id WHERE t.token_sm3 = ?",
                store_blob(sm3, sizeof sm3), s);
}

enum problem standing_of_family(struct rest_call *c, struct store_txn *txn, const char *family,
                                struct oauth_standing *s)
{
    return load(c, txn,
                "SELECT app_id, user_id, session_id, params, apis, grants, dpop_jkt, signed_in_at, "
                "factors, created_at, expires_at, NULL, id, revoked_at FROM oauth_families WHERE "
                "id = ?",
                store_text(family), s);
}

enum problem family_store(struct rest_call *c, struct store_txn *txn, struct oauth_standing *s)
{
    char *params = json_dumps(s->params, JSON_COMPACT), *apis = json_dumps(s->apis, JSON_COMPACT),
         *grants = json_dumps(s->grants, JSON_COMPACT);

    uuid_new_text(s->family);
    const struct store_value v[] = {store_text(s->family),
                                    store_text(s->app_id),
                                    store_text(s->user),
                                    store_text(s->session[0] ? s->session : NULL),
                                    store_text(params),
                                    store_text(apis),
                                    store_text(grants),
                                    store_text(s->jkt),
                                    store_int((int64_t)s->signed_in_ms),
                                    store_int(s->factors),
                                    store_int((int64_t)c->now_ms),
                                    store_int((int64_t)s->expires_ms)};
    enum store_err err =
        params && apis && grants
            ? store_exec(txn,
                         "INSERT INTO oauth_families (id, app_id, user_id, session_id, params, "
                         "apis, grants, dpop_jkt, signed_in_at, factors, created_at, expires_at) "
                         "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                         v, COUNT(v), NULL)
            : STORE_EIO;
    free(params);
    free(apis);
    free(grants);
    return rest_store_problem(c, err);
}

enum problem refresh_store(struct rest_call *c, struct store_txn *txn, const char *family,
                           uint64_t expires_ms, char text[static OAUTH_CODE_TEXT])
{
    uint8_t sm3[CRYPTO_HASH_LEN];

    oauth_secret_new(text);
    oauth_secret_hash(text, sm3);
    const struct store_value v[] = {store_blob(sm3, sizeof sm3), store_text(family),
                                    store_int((int64_t)c->now_ms), store_int((int64_t)expires_ms)};
    return rest_store_problem(
        c, store_exec(txn,
                      "INSERT INTO oauth_refresh_tokens (token_sm3, family_id, created_at, "
                      "expires_at) VALUES (?, ?, ?, ?)",
                      v, COUNT(v), NULL));
}

static enum problem one_live(struct rest_call *c, struct store_txn *txn, const char *sql,
                             const char *id, bool *live)
{
    const struct store_value v[] = {store_text(id), store_int((int64_t)c->now_ms)};
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, v, 2, &rows);

    *live = err == STORE_OK && store_next(rows);
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

enum problem standing_live(struct rest_call *c, struct store_txn *txn,
                           const struct oauth_standing *s, bool *live)
{
    json_t *id;
    size_t i;
    enum problem p = one_live(
        c, txn, "SELECT 1 FROM users WHERE id = ? AND state = 'active' AND ? > 0", s->user, live);

    json_array_foreach(s->grants, i, id)
    {
        if (p == PROBLEM_OK && *live) {
            p = one_live(
                c, txn, "SELECT 1 FROM grants WHERE id = ? AND state = 'active' AND expires_at > ?",
                json_string_value(id), live);
        }
    }
    return p;
}

bool oauth_scope_has(const char *scope, const char *word, size_t n)
{
    for (const char *at = scope; *at; at += strspn(at, " ")) {
        size_t m = strcspn(at, " ");
        if (m == n && memcmp(at, word, n) == 0) {
            return true;
        }
        at += m;
    }
    return false;
}

enum problem oauth_log(struct rest_call *c, struct store_txn *txn, const char *app_id,
                       const char *action, const char *kind, const char *id, json_t *after)
{
    if (after && app_id[0]) {
        json_object_set_new(after, "app_id", json_string(app_id));
    }
    char *text = after ? json_dumps(after, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    const struct operation op = {.at_ms = c->now_ms,
                                 .actor = c->user.login[0] ? c->user.login
                                          : app_id[0]      ? app_id
                                                           : "platform",
                                 .action = action,
                                 .kind = kind,
                                 .id = id,
                                 .after = text};
    enum store_err err = text ? log_operation(txn, &op) : STORE_EIO;

    free(text);
    json_decref(after);
    return rest_store_problem(c, err);
}

bool oauth_verifier_fits(const char *verifier, const char *challenge)
{
    uint8_t digest[CRYPTO_HASH_LEN];
    char text[CODEC_BASE64URL_LEN(CRYPTO_HASH_LEN)];
    size_t n = strlen(verifier);

    if (n < 43 || n > 128) {
        return false;
    }
    crypto_hash(CRYPTO_SHA256, verifier, n, digest);
    codec_base64url(text, digest, sizeof digest);
    return strlen(challenge) == sizeof text && crypto_equal(text, challenge, sizeof text);
}

/* Codes -------------------------------------------------------------------------------------------
 */
static enum problem mark_used(struct rest_call *c, struct store_txn *txn,
                              const struct oauth_request *r)
{
    uint8_t sm3[CRYPTO_HASH_LEN];
    int64_t changed = 0;

    oauth_secret_hash(r->id, sm3);
    const struct store_value v[] = {store_int((int64_t)c->now_ms), store_blob(sm3, sizeof sm3),
                                    store_int((int64_t)c->now_ms)};
    enum problem p = rest_store_problem(
        c, store_exec(txn,
                      "UPDATE oauth_requests SET used_at = ? WHERE id_sm3 = ? AND used_at IS NULL "
                      "AND expires_at > ?",
                      v, 3, &changed));
    return p == PROBLEM_OK && changed != 1
               ? rest_fail(c, PROBLEM_AUTHORIZATION_INVALID, "", "the request is used or over")
               : p;
}

enum problem oauth_code_issue(struct rest_call *c, struct store_txn *txn, struct oauth_request *r,
                              const struct oauth_decision *d, char code[static OAUTH_CODE_TEXT])
{
    const char *session = d->session_id ? d->session_id : c->user.session;
    uint8_t sm3[CRYPTO_HASH_LEN];
    enum problem p = mark_used(c, txn, r);
    char *params = json_dumps(r->params, JSON_COMPACT), *apis = json_dumps(r->apis, JSON_COMPACT),
         *grants = json_dumps(d->grants, JSON_COMPACT);

    if (p == PROBLEM_OK && (!params || !apis || !grants || !c->user.id[0])) {
        p = PROBLEM_INTERNAL;
    }
    oauth_secret_new(code);
    oauth_secret_hash(code, sm3);
    const struct store_value v[] = {store_blob(sm3, sizeof sm3),
                                    store_text(row_text(r->client, "id")),
                                    store_text(c->user.id),
                                    store_text(session[0] ? session : NULL),
                                    store_text(params),
                                    store_text(apis),
                                    store_text(grants),
                                    store_text(r->dpop_jkt),
                                    store_int((int64_t)d->signed_in_ms),
                                    store_int(d->factors ? d->factors : c->user.factors),
                                    store_int((int64_t)c->now_ms),
                                    store_int((int64_t)(c->now_ms + OAUTH_CODE_LIFE_MS))};
    if (p == PROBLEM_OK) {
        p = rest_store_problem(
            c, store_exec(txn,
                          "INSERT INTO oauth_codes (code_sm3, app_id, user_id, session_id, params, "
                          "apis, grants, dpop_jkt, signed_in_at, factors, created_at, expires_at) "
                          "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                          v, COUNT(v), NULL));
    }
    free(params);
    free(apis);
    free(grants);
    if (p == PROBLEM_OK) {
        p = oauth_log(c, txn, row_text(r->client, "id"), "authorize", "user", c->user.id,
                      json_pack("{s:O}", "grants", d->grants));
    }
    if (p != PROBLEM_OK) {
        crypto_wipe(code, OAUTH_CODE_TEXT);
    }
    return p;
}
