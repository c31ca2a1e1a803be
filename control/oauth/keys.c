/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of tokens: those that seal access tokens, which the gateways hold too, and those that
 * sign id tokens, whose public part anyone may have. Which one is in use follows from the time
 * alone: a new one begins only after everybody has been told of it, and an old one stays until the
 * last token of it is over. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/codec.h"
#include "oauth/engine.h"
#include "oauth/inner.h"

static const struct use {
    const char *name;
    uint64_t notice_ms; /* from being told to being used */
    uint64_t life_ms;   /* in use */
    uint64_t after_ms;  /* kept behind that */
} uses[] = {
    {"access", 10ull * 1000, 7ull * 86400 * 1000, OAUTH_ACCESS_MAX_S * 1000ull + 60000},
    {"jwt", 3600ull * 1000, 30ull * 86400 * 1000, 86400ull * 1000},
};

struct key_row {
    char id[UUID_TEXT_LEN + 1], use[8], state[8];
    uint32_t number;
    char *sealed, *public;
    uint64_t from_ms, to_ms;
};

static void key_row_fini(struct key_row *k)
{
    free(k->sealed);
    free(k->public);
    *k = (struct key_row){0};
}

static enum store_err read_rows(struct store_txn *txn, struct key_row rows[static OAUTH_KEYS_MAX],
                                size_t *n, const char *use)
{
    const struct store_value v = store_text(use);
    struct store_rows *r = NULL;
    enum store_err err =
        store_query(txn,
                    "SELECT id, \"use\", key_id, key_sealed, public, state, not_before, expires_at "
                    "FROM token_keys WHERE \"use\" = ? ORDER BY not_before DESC, key_id DESC",
                    &v, 1, &r);

    *n = 0;
    while (err == STORE_OK && *n < OAUTH_KEYS_MAX && store_next(r)) {
        struct key_row *k = &rows[(*n)++];
        const char *public = store_get_text(r, 4);
        snprintf(k->id, sizeof k->id, "%s", store_get_text(r, 0));
        snprintf(k->use, sizeof k->use, "%s", store_get_text(r, 1));
        snprintf(k->state, sizeof k->state, "%s", store_get_text(r, 5));
        k->number = (uint32_t)store_get_int(r, 2);
        k->sealed = strdup(store_get_text(r, 3));
        k->public = public ? strdup(public) : NULL;
        k->from_ms = (uint64_t)store_get_int(r, 6);
        k->to_ms = (uint64_t)store_get_int(r, 7);
    }
    return err == STORE_OK ? store_rows_end(&r) : err;
}

/* The secret of a row into out; its length, 0: cannot be opened. */
static size_t open_secret(const struct control *ctl, const struct key_row *k, uint8_t *out,
                          size_t cap)
{
    uint8_t sealed[4096];
    size_t n = 0;

    if (!k->sealed || !codec_unbase64url(sealed, sizeof sealed, &n, k->sealed, strlen(k->sealed)) ||
        n < CRYPTO_SEAL_EXTRA || n - CRYPTO_SEAL_EXTRA > cap ||
        keyring_open(ctl, slice_str(k->id), sealed, n, out) != CRYPTO_OK) {
        return 0;
    }
    return n - CRYPTO_SEAL_EXTRA;
}

static bool load_access(struct rest_call *c, struct oauth *o, const struct key_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct token_key_row *k = &o->access[i];
        *k = (struct token_key_row){
            .key.id = rows[i].number, .from_ms = rows[i].from_ms, .to_ms = rows[i].to_ms};
        if (open_secret(c->ctl, &rows[i], k->key.key, CRYPTO_KEY_LEN) != CRYPTO_KEY_LEN) {
            return false;
        }
    }
    o->n_access = n;
    return true;
}

static bool load_jwt(struct rest_call *c, struct oauth *o, const struct key_row *rows, size_t n)
{
    uint8_t pem[2048];

    for (size_t i = 0; i < o->n_jwt; i++) {
        crypto_key_free(&o->jwt[i].key);
        json_decref(o->jwt[i].jwk);
    }
    o->n_jwt = 0;
    for (size_t i = 0; i < n; i++) {
        struct jwt_key_row *k = &o->jwt[i];
        uint8_t thumb[CRYPTO_HASH_LEN];
        size_t pem_n = open_secret(c->ctl, &rows[i], pem, sizeof pem);
        *k = (struct jwt_key_row){.from_ms = rows[i].from_ms, .to_ms = rows[i].to_ms};
        enum crypto_err err =
            crypto_key_load_pem(&k->key, CRYPTO_KEY_PAIR, slice_of((const char *)pem, pem_n));
        crypto_wipe(pem, sizeof pem);
        k->jwk = rows[i].public ? json_loads(rows[i].public, 0, NULL) : NULL;
        if (err != CRYPTO_OK || !k->jwk) {
            crypto_key_free(&k->key);
            json_decref(k->jwk);
            return false;
        }
        crypto_key_thumbprint(k->key, thumb);
        k->kid[codec_base64url(k->kid, thumb, sizeof thumb)] = '\0';
        o->n_jwt = i + 1;
    }
    return true;
}

enum problem oauth_keys_load(struct rest_call *c)
{
    struct key_row rows[COUNT(uses)][OAUTH_KEYS_MAX] = {0};
    struct oauth *o = c->ctl->oauth;
    size_t n[COUNT(uses)] = {0};
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    for (size_t u = 0; u < COUNT(uses) && p == PROBLEM_OK; u++) {
        p = rest_store_problem(c, read_rows(txn, rows[u], &n[u], uses[u].name));
    }
    store_rollback(&txn);
    if (p == PROBLEM_OK) {
        pthread_rwlock_wrlock(&o->keys_lock);
        if (!load_access(c, o, rows[0], n[0]) || !load_jwt(c, o, rows[1], n[1])) {
            p = PROBLEM_INTERNAL;
        }
        pthread_rwlock_unlock(&o->keys_lock);
    }
    for (size_t u = 0; u < COUNT(uses); u++) {
        for (size_t i = 0; i < n[u]; i++) {
            key_row_fini(&rows[u][i]);
        }
    }
    return p;
}

/* Feed --------------------------------------------------------------------------------------------
 */
static enum problem feed_key(struct rest_call *c, struct store_txn *txn, const struct key_row *k)
{
    json_t *sealed = strcmp(k->use, "access") == 0 ? api_reseal(c->ctl, k->id, k->sealed) : NULL;
    json_t *data = sealed ? json_pack("{s:I, s:o, s:s, s:I, s:I}", "key_id", (json_int_t)k->number,
                                      "key_sealed", sealed, "state", k->state, "not_before",
                                      (json_int_t)k->from_ms, "expires_at", (json_int_t)k->to_ms)
                          : NULL;
    char *text = data ? json_dumps(data, JSON_COMPACT) : NULL;
    enum problem p = PROBLEM_OK;

    if (strcmp(k->use, "access") == 0) {
        p = text ? rest_store_problem(c, log_feed(txn, "token-key", k->id, text, c->ctl->feed_keep))
                 : PROBLEM_INTERNAL;
        c->rang = true;
    }
    free(text);
    json_decref(data);
    return p;
}

enum problem oauth_feed_all(struct rest_call *c, struct store_txn *txn)
{
    struct key_row rows[OAUTH_KEYS_MAX] = {0};
    size_t n = 0;
    enum problem p = rest_store_problem(c, read_rows(txn, rows, &n, "access"));

    for (size_t i = 0; i < n; i++) {
        p = p == PROBLEM_OK ? feed_key(c, txn, &rows[i]) : p;
        key_row_fini(&rows[i]);
    }
    return p == PROBLEM_OK ? revocations_feed_all(c, txn) : p;
}

/* Making ------------------------------------------------------------------------------------------
 */
static enum problem fill_secret(struct rest_call *c, const struct use *use, struct key_row *k)
{
    json_t *sealed = NULL;

    if (use == &uses[0]) {
        uint8_t key[CRYPTO_KEY_LEN];
        crypto_random(key, sizeof key);
        sealed = api_seal_kept(c->ctl, k->id, slice_of((const char *)key, sizeof key));
        crypto_wipe(key, sizeof key);
    } else {
        struct crypto_key *pair = crypto_key_new(CRYPTO_KEY_P256);
        char *pem = crypto_key_private_pem(pair);
        sealed = api_seal_kept(c->ctl, k->id, slice_str(pem));
        k->public = crypto_key_jwk(pair);
        crypto_wipe(pem, strlen(pem));
        free(pem);
        crypto_key_free(&pair);
    }
    k->sealed = sealed ? strdup(json_string_value(sealed)) : NULL;
    json_decref(sealed);
    return k->sealed ? PROBLEM_OK : PROBLEM_INTERNAL;
}

static enum problem insert_key(struct rest_call *c, struct store_txn *txn, const struct key_row *k)
{
    const struct store_value v[] = {store_text(k->id),
                                    store_text(k->use),
                                    store_int(k->number),
                                    store_text(k->sealed),
                                    store_text(k->public),
                                    store_text(k->state),
                                    store_int((int64_t)k->from_ms),
                                    store_int((int64_t)k->to_ms),
                                    store_int((int64_t)c->now_ms)};
    enum problem p = rest_store_problem(
        c, store_exec(txn,
                      "INSERT INTO token_keys (id, \"use\", key_id, key_sealed, public, state, "
                      "not_before, expires_at, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                      v, COUNT(v), NULL));
    if (p == PROBLEM_OK) {
        p = oauth_log(c, txn, "", "create", "token-key", k->id,
                      json_pack("{s:s, s:I}", "use", k->use, "key_id", (json_int_t)k->number));
    }
    return p == PROBLEM_OK ? feed_key(c, txn, k) : p;
}

/* newest: of that use, or NULL. The first needs no notice: nothing was sealed before it. */
static enum problem make_key(struct rest_call *c, struct store_txn *txn, const struct use *use,
                             const struct key_row *newest, struct key_row *k)
{

    uuid_new_text(k->id);
    snprintf(k->use, sizeof k->use, "%s", use->name);
    snprintf(k->state, sizeof k->state, "%s", newest ? "next" : "current");
    k->number = newest ? newest->number + 1 : 1;
    k->from_ms = c->now_ms + (newest ? use->notice_ms : 0);
    k->to_ms = k->from_ms + use->life_ms + use->after_ms;
    enum problem p = fill_secret(c, use, k);
    return p == PROBLEM_OK ? insert_key(c, txn, k) : p;
}

static enum problem update_key(struct rest_call *c, struct store_txn *txn, struct key_row *k,
                               const char *state, uint64_t to_ms)
{
    if (strcmp(k->state, state) == 0 && k->to_ms == to_ms) {
        return PROBLEM_OK;
    }
    snprintf(k->state, sizeof k->state, "%s", state);
    k->to_ms = to_ms;
    const struct store_value v[] = {store_text(state), store_int((int64_t)to_ms),
                                    store_text(k->id)};
    enum problem p = rest_store_problem(
        c, store_exec(txn, "UPDATE token_keys SET state = ?, expires_at = ? WHERE id = ?", v, 3,
                      NULL));
    if (p == PROBLEM_OK) {
        p = oauth_log(c, txn, "", "update", "token-key", k->id, json_pack("{s:s}", "state", state));
    }
    return p == PROBLEM_OK ? feed_key(c, txn, k) : p;
}

static enum problem drop_key(struct rest_call *c, struct store_txn *txn, const struct key_row *k)
{
    const struct store_value v = store_text(k->id);
    enum store_err err = store_exec(txn, "DELETE FROM token_keys WHERE id = ?", &v, 1, NULL);

    if (err == STORE_OK && strcmp(k->use, "access") == 0) {
        err = log_feed(txn, "token-key", k->id, NULL, c->ctl->feed_keep);
        c->rang = true;
    }
    enum problem p = rest_store_problem(c, err);
    return p == PROBLEM_OK ? oauth_log(c, txn, "", "remove", "token-key", k->id, json_object()) : p;
}

/* rows are newest first: the first that has begun is in use, those behind it are old. */
static enum problem settle(struct rest_call *c, struct store_txn *txn, const struct use *use,
                           struct key_row *rows, size_t n)
{
    enum problem p = PROBLEM_OK;
    size_t current = 0;

    while (current < n && rows[current].from_ms > c->now_ms) {
        current++;
    }
    for (size_t i = current; i < n && p == PROBLEM_OK; i++) {
        uint64_t end = i > current ? rows[i - 1].from_ms + use->after_ms : rows[i].to_ms;
        end = end < rows[i].to_ms ? end : rows[i].to_ms;
        p = i > current && end <= c->now_ms
                ? drop_key(c, txn, &rows[i])
                : update_key(c, txn, &rows[i], i > current ? "old" : "current", end);
    }
    return p;
}

/* force: a new one now, even though the one in use is young. */
static enum problem turn(struct rest_call *c, struct store_txn *txn, const struct use *use,
                         bool force, struct key_row *made)
{
    struct key_row rows[OAUTH_KEYS_MAX] = {0};
    size_t n = 0;
    enum problem p = rest_store_problem(c, read_rows(txn, rows, &n, use->name));

    if (p == PROBLEM_OK) {
        p = settle(c, txn, use, rows, n);
    }
    bool due = n == 0 || force || rows[0].from_ms + use->life_ms <= c->now_ms + use->notice_ms;
    if (p == PROBLEM_OK && n > 0 && force && rows[0].from_ms > c->now_ms) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "",
                      "a new key is on its way to the nodes already");
    }
    if (p == PROBLEM_OK && due && n >= OAUTH_KEYS_MAX - 1) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "%zu keys are kept for tokens that live", n);
    }
    if (p == PROBLEM_OK && due) {
        p = make_key(c, txn, use, n ? &rows[0] : NULL, made);
    }
    for (size_t i = 0; i < n; i++) {
        key_row_fini(&rows[i]);
    }
    return p;
}

static enum problem turn_all(struct rest_call *c)
{
    struct key_row made[COUNT(uses)] = {0};
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    for (size_t u = 0; u < COUNT(uses) && p == PROBLEM_OK; u++) {
        p = turn(c, txn, &uses[u], false, &made[u]);
    }
    p = txn ? rest_finish(c, &txn, p) : p;
    for (size_t u = 0; u < COUNT(uses); u++) {
        key_row_fini(&made[u]);
    }
    return p == PROBLEM_OK ? oauth_keys_load(c) : p;
}

enum problem oauth_keys_ensure(struct rest_call *c)
{
    return turn_all(c);
}

enum problem oauth_job_keys(struct rest_call *c)
{
    return turn_all(c);
}

/* REST --------------------------------------------------------------------------------------------
 */
static json_t *key_json(const struct key_row *k)
{
    char from[CLOCK_RFC3339_LEN + 1], to[CLOCK_RFC3339_LEN + 1];

    clock_format_ms(k->from_ms, from);
    clock_format_ms(k->to_ms, to);
    return json_pack("{s:s, s:s, s:I, s:s, s:s, s:s}", "id", k->id, "use", k->use, "key_id",
                     (json_int_t)k->number, "state", k->state, "not_before", from, "expires_at",
                     to);
}

enum problem oauth_keys_list(struct rest_call *c)
{
    json_t *items = json_array();
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    for (size_t u = 0; u < COUNT(uses) && p == PROBLEM_OK; u++) {
        struct key_row rows[OAUTH_KEYS_MAX] = {0};
        size_t n = 0;
        p = rest_store_problem(c, read_rows(txn, rows, &n, uses[u].name));
        for (size_t i = 0; i < n; i++) {
            json_array_append_new(items, key_json(&rows[i]));
            key_row_fini(&rows[i]);
        }
    }
    store_rollback(&txn);
    if (p != PROBLEM_OK) {
        json_decref(items);
        return p;
    }
    return rest_answer(c, 200, json_pack("{s:o}", "items", items));
}

enum problem oauth_keys_rotate(struct rest_call *c)
{
    static const char *const members[] = {"use", NULL};
    const char *name = json_string_value(json_object_get(c->body, "use"));
    const struct use *use = !name || strcmp(name, "access") == 0 ? &uses[0] : &uses[1];
    struct key_row made = {0};
    struct store_txn *txn = NULL;

    enum problem p = c->body ? rest_body_members(c, members) : PROBLEM_OK;
    if (p == PROBLEM_OK &&
        ((json_object_get(c->body, "use") && !name) || (name && strcmp(name, use->name) != 0))) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/use", "access or jwt is needed");
    }
    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_WRITE, &txn);
    }
    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, turn(c, txn, use, true, &made));
    }
    if (p == PROBLEM_OK) {
        p = oauth_keys_load(c);
    }
    if (p == PROBLEM_OK) {
        p = rest_answer(c, 201, key_json(&made));
    }
    key_row_fini(&made);
    return p;
}

/* Use ---------------------------------------------------------------------------------------------
 */
/* The key that seals now. Under keys_lock; NULL: there is none. */
static const struct token_key *sealing_key(const struct rest_call *c)
{
    const struct oauth *o = c->ctl->oauth;
    size_t i = 0;

    while (i < o->n_access && o->access[i].from_ms > c->now_ms) {
        i++;
    }
    return i < o->n_access ? &o->access[i].key : NULL;
}

bool oauth_seal(struct rest_call *c, const struct token *t, char out[static TOKEN_TEXT_MAX])
{
    struct oauth *o = c->ctl->oauth;

    pthread_rwlock_rdlock(&o->keys_lock);
    const struct token_key *key = sealing_key(c);
    if (key) {
        token_seal(t, key, out);
    }
    pthread_rwlock_unlock(&o->keys_lock);
    return key != NULL;
}

bool oauth_confirmation_seal(struct rest_call *c, const struct confirmation *t,
                             char out[static CONFIRMATION_TEXT_MAX])
{
    struct oauth *o = c->ctl->oauth;

    pthread_rwlock_rdlock(&o->keys_lock);
    const struct token_key *key = sealing_key(c);
    if (key) {
        confirmation_seal(t, key, out);
    }
    pthread_rwlock_unlock(&o->keys_lock);
    return key != NULL;
}

enum oauth_token_state oauth_token_read(struct rest_call *c, const char *text, struct token *t)
{
    struct oauth *o = c->ctl->oauth;
    struct token_key keys[OAUTH_KEYS_MAX];
    size_t n = 0;

    pthread_rwlock_rdlock(&o->keys_lock);
    for (size_t i = 0; i < o->n_access; i++) {
        if (o->access[i].to_ms > c->now_ms) {
            keys[n++] = o->access[i].key;
        }
    }
    pthread_rwlock_unlock(&o->keys_lock);
    enum token_err err = token_open(t, keys, n, slice_str(text));
    crypto_wipe(keys, sizeof keys);
    if (err != TOKEN_OK) {
        return OAUTH_TOKEN_INVALID;
    }
    if (t->expires_ms <= c->now_ms) {
        return OAUTH_TOKEN_OVER;
    }
    return revocations_cover(c, t) ? OAUTH_TOKEN_REVOKED : OAUTH_TOKEN_GOOD;
}

char *oauth_jwt_sign(struct rest_call *c, const json_t *claims, const char *typ)
{
    struct oauth *o = c->ctl->oauth;
    char *text = NULL;
    size_t i = 0;

    pthread_rwlock_rdlock(&o->keys_lock);
    while (i < o->n_jwt && o->jwt[i].from_ms > c->now_ms) {
        i++;
    }
    if (i < o->n_jwt) {
        text = jwt_write(o->jwt[i].key, o->jwt[i].kid, typ, claims);
    }
    pthread_rwlock_unlock(&o->keys_lock);
    return text;
}

json_t *oauth_jwks(struct rest_call *c)
{
    struct oauth *o = c->ctl->oauth;
    json_t *keys = json_array();

    pthread_rwlock_rdlock(&o->keys_lock);
    for (size_t i = 0; i < o->n_jwt; i++) {
        json_t *jwk = json_deep_copy(o->jwt[i].jwk);
        json_object_set_new(jwk, "kid", json_string(o->jwt[i].kid));
        json_object_set_new(jwk, "use", json_string("sig"));
        json_object_set_new(jwk, "alg", json_string(jwt_alg_name(o->jwt[i].key)));
        json_array_append_new(keys, jwk);
    }
    pthread_rwlock_unlock(&o->keys_lock);
    return json_pack("{s:o}", "keys", keys);
}
