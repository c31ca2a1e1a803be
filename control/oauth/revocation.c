/* SPDX-License-Identifier: Apache-2.0 */
/* What was revoked: a row, an entry of the feed, and a set in memory that introspection asks. The
 * set follows the table: after any commit that wrote feed entries it reads the rows it has not
 * seen, so that a rolled back revocation never counts and no committed one is missed. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "oauth/inner.h"

#define BUCKETS 65536u
#define LIFE_MS (OAUTH_ACCESS_MAX_S * 1000ull + 60000)

static const char *const subjects[] = {"token", "grant", "session", "family", "app-user"};
enum subject { OF_TOKEN, OF_GRANT, OF_SESSION, OF_FAMILY, OF_APP_USER };

struct entry {
    struct uuid a, b; /* b: the user of app-user */
    uint64_t before_ms;
    struct entry *next;
    uint8_t subject;
};
struct revocations {
    pthread_rwlock_t lock;
    struct entry *buckets[BUCKETS];
    int64_t seq;               /* under lock: rows up to it are in */
    _Atomic uint64_t rings;    /* of the control plane when last read */
    pthread_mutex_t load_lock; /* one reader of the table at a time */
};

struct revocations *revocations_new(void)
{
    struct revocations *r = calloc(1, sizeof *r);

    if (r) {
        pthread_rwlock_init(&r->lock, NULL);
        pthread_mutex_init(&r->load_lock, NULL);
        atomic_store(&r->rings, UINT64_MAX);
    }
    return r;
}

void revocations_free(struct revocations **r)
{
    if (!*r) {
        return;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct entry *e = (*r)->buckets[i], *next; e; e = next) {
            next = e->next;
            free(e);
        }
    }
    pthread_rwlock_destroy(&(*r)->lock);
    pthread_mutex_destroy(&(*r)->load_lock);
    free(*r);
    *r = NULL;
}

/* The last bytes of a UUIDv7 are random. */
static struct entry **bucket_of(struct revocations *r, const struct uuid *a)
{
    return &r->buckets[((unsigned)a->b[14] << 8 | a->b[15]) % BUCKETS];
}

static struct entry *find(struct revocations *r, enum subject subject, const struct uuid *a,
                          const struct uuid *b)
{
    struct entry *e = *bucket_of(r, a);

    while (e && !(e->subject == subject && uuid_eq(&e->a, a) && uuid_eq(&e->b, b))) {
        e = e->next;
    }
    return e;
}

static bool read_value(const char *subject, const char *value, struct entry *e)
{
    size_t i = 0;

    while (i < COUNT(subjects) && strcmp(subjects[i], subject) != 0) {
        i++;
    }
    e->subject = (uint8_t)i;
    return i < COUNT(subjects) && uuid_parse(&e->a, value, strnlen(value, UUID_TEXT_LEN)) &&
           (i != OF_APP_USER || (strlen(value) == 2 * UUID_TEXT_LEN + 1 &&
                                 uuid_parse(&e->b, value + UUID_TEXT_LEN + 1, UUID_TEXT_LEN)));
}

static bool take(struct revocations *r, const char *subject, const char *value, uint64_t before_ms)
{
    struct entry read = {.before_ms = before_ms};

    if (!read_value(subject, value, &read)) {
        return true; /* nothing of ours names that */
    }
    struct entry *e = find(r, read.subject, &read.a, &read.b);
    if (e) {
        e->before_ms = before_ms > e->before_ms ? before_ms : e->before_ms;
        return true;
    }
    e = malloc(sizeof *e);
    if (!e) {
        return false;
    }
    *e = read;
    e->next = *bucket_of(r, &read.a);
    *bucket_of(r, &read.a) = e;
    return true;
}

static enum store_err load_new(struct revocations *r, struct store_txn *txn)
{
    const struct store_value v = store_int(r->seq);
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn,
                                     "SELECT seq, subject, value, before_at FROM token_revocations "
                                     "WHERE seq > ? ORDER BY seq",
                                     &v, 1, &rows);

    pthread_rwlock_wrlock(&r->lock);
    while (err == STORE_OK && store_next(rows)) {
        if (!take(r, store_get_text(rows, 1), store_get_text(rows, 2),
                  (uint64_t)store_get_int(rows, 3))) {
            err = STORE_EIO;
            break;
        }
        r->seq = store_get_int(rows, 0);
    }
    pthread_rwlock_unlock(&r->lock);
    enum store_err end = store_rows_end(&rows);
    return err == STORE_OK ? end : err;
}

/* False: the table cannot be read; then nothing is known to be unrevoked. */
static bool follow(struct rest_call *c, struct revocations *r)
{
    uint64_t rings = atomic_load(&c->ctl->rings);
    struct store_txn *txn = NULL;

    if (atomic_load(&r->rings) == rings) {
        return true;
    }
    pthread_mutex_lock(&r->load_lock);
    bool ok = atomic_load(&r->rings) == rings;
    if (!ok && store_begin(c->ctl->store, STORE_READ, &txn) == STORE_OK) {
        ok = load_new(r, txn) == STORE_OK;
        store_rollback(&txn);
        if (ok) {
            atomic_store(&r->rings, rings);
        }
    }
    pthread_mutex_unlock(&r->load_lock);
    return ok;
}

static bool covers(struct revocations *r, enum subject subject, const struct uuid *a,
                   const struct uuid *b, uint64_t issued_ms)
{
    static const struct uuid none;
    const struct entry *e = find(r, subject, a, b ? b : &none);

    return e && issued_ms <= e->before_ms;
}

bool revocations_cover(struct rest_call *c, const struct token *t)
{
    struct revocations *r = c->ctl->oauth->revocations;

    if (!follow(c, r)) {
        return true;
    }
    pthread_rwlock_rdlock(&r->lock);
    bool covered =
        covers(r, OF_TOKEN, &t->id, NULL, t->issued_ms) ||
        covers(r, OF_APP_USER, &t->app, &t->user, t->issued_ms) ||
        (!uuid_is_nil(&t->session) && covers(r, OF_SESSION, &t->session, NULL, t->issued_ms)) ||
        (!uuid_is_nil(&t->family) && covers(r, OF_FAMILY, &t->family, NULL, t->issued_ms));
    for (size_t i = 0; i < t->n_grants && !covered; i++) {
        covered = covers(r, OF_GRANT, &t->grants[i], NULL, t->issued_ms);
    }
    pthread_rwlock_unlock(&r->lock);
    return covered;
}

/* Writing -----------------------------------------------------------------------------------------
 */
static enum problem feed_one(struct rest_call *c, struct store_txn *txn, const char *id,
                             const char *subject, const char *value, int64_t before_ms,
                             int64_t expires_ms)
{
    json_t *data = json_pack("{s:s, s:s, s:I, s:I}", "subject", subject, "value", value, "before",
                             (json_int_t)before_ms, "expires_at", (json_int_t)expires_ms);
    char *text = data ? json_dumps(data, JSON_COMPACT) : NULL;
    enum problem p =
        text ? rest_store_problem(c, log_feed(txn, "token-revocation", id, text, c->ctl->feed_keep))
             : PROBLEM_INTERNAL;

    c->rang = true;
    free(text);
    json_decref(data);
    return p;
}

/* The id of the row there is, or a new one. */
static enum store_err id_of(struct store_txn *txn, const char *subject, const char *value,
                            char id[static UUID_TEXT_LEN + 1])
{
    const struct store_value v[] = {store_text(subject), store_text(value)};
    struct store_rows *rows = NULL;

    uuid_new_text(id);
    enum store_err err = store_query(
        txn, "SELECT id FROM token_revocations WHERE subject = ? AND value = ?", v, 2, &rows);
    if (err == STORE_OK && store_next(rows)) {
        snprintf(id, UUID_TEXT_LEN + 1, "%s", store_get_text(rows, 0));
    }
    return err == STORE_OK ? store_rows_end(&rows) : err;
}

enum problem revocation_store(struct rest_call *c, struct store_txn *txn, const char *subject,
                              const char *value)
{
    char id[UUID_TEXT_LEN + 1];
    /* Taken under the write lock: whatever was issued by an earlier transaction is before it. */
    uint64_t wall = clock_wall_ms(), before = wall > c->now_ms ? wall : c->now_ms;
    int64_t expires = (int64_t)(before + LIFE_MS);
    enum store_err err = id_of(txn, subject, value, id);
    const struct store_value gone = store_text(id);
    const struct store_value v[] = {store_text(id), store_text(subject), store_text(value),
                                    store_int((int64_t)before), store_int(expires)};

    if (err == STORE_OK) {
        err = store_exec(txn, "DELETE FROM token_revocations WHERE id = ?", &gone, 1, NULL);
    }
    if (err == STORE_OK) {
        err = store_exec(txn,
                         "INSERT INTO token_revocations (id, subject, value, before_at, "
                         "expires_at) VALUES (?, ?, ?, ?, ?)",
                         v, COUNT(v), NULL);
    }
    enum problem p = rest_store_problem(c, err);
    if (p == PROBLEM_OK) {
        p = feed_one(c, txn, id, subject, value, (int64_t)before, expires);
    }
    return p == PROBLEM_OK ? oauth_log(c, txn, "", "revoke", "token", value,
                                       json_pack("{s:s}", "subject", subject))
                           : p;
}

/* Codes that were not redeemed and families end with what they hang on. */
static enum problem end_where(struct rest_call *c, struct store_txn *txn, const char *where,
                              const char *value, bool codes)
{
    char sql[200];
    const struct store_value v[] = {store_int((int64_t)c->now_ms), store_text(value)};

    snprintf(sql, sizeof sql,
             "UPDATE oauth_families SET revoked_at = ? WHERE %s = ? AND revoked_at IS NULL", where);
    enum store_err err = store_exec(txn, sql, v, 2, NULL);
    if (err == STORE_OK && codes) {
        snprintf(sql, sizeof sql,
                 "UPDATE oauth_codes SET used_at = ? WHERE %s = ? AND used_at IS NULL", where);
        err = store_exec(txn, sql, v, 2, NULL);
    }
    return rest_store_problem(c, err);
}

static enum problem revoke_pair(struct rest_call *c, struct store_txn *txn, const char *app,
                                const char *user)
{
    static const char *const ends[] = {
        "UPDATE oauth_families SET revoked_at = ? WHERE app_id = ? AND user_id = ? AND "
        "revoked_at IS NULL",
        "UPDATE oauth_codes SET used_at = ? WHERE app_id = ? AND user_id = ? AND used_at IS NULL"};
    const struct store_value v[] = {store_int((int64_t)c->now_ms), store_text(app),
                                    store_text(user)};
    char value[2 * UUID_TEXT_LEN + 2];
    enum problem p = PROBLEM_OK;

    for (size_t i = 0; i < COUNT(ends) && p == PROBLEM_OK; i++) {
        p = rest_store_problem(c, store_exec(txn, ends[i], v, 3, NULL));
    }
    snprintf(value, sizeof value, "%.36s:%.36s", app, user);
    return p == PROBLEM_OK ? revocation_store(c, txn, "app-user", value) : p;
}

/* Everybody an app has tokens of, itself included; or every app that has a user's. */
static enum problem revoke_all_of(struct rest_call *c, struct store_txn *txn, const char *app,
                                  const char *user)
{
    const struct store_value v[] = {store_text(app ? app : user), store_text(app ? app : user)};
    const char *sql =
        app ? "SELECT app_id, user_id FROM oauth_families WHERE app_id = ? UNION SELECT app_id, "
              "user_id FROM oauth_codes WHERE app_id = ?"
            : "SELECT app_id, user_id FROM oauth_families WHERE user_id = ? UNION SELECT app_id, "
              "user_id FROM oauth_codes WHERE user_id = ?";
    json_t *pairs = json_array(), *pair;
    struct store_rows *rows = NULL;
    size_t i;
    enum store_err err = store_query(txn, sql, v, 2, &rows);

    while (err == STORE_OK && store_next(rows)) {
        json_array_append_new(
            pairs, json_pack("[s, s]", store_get_text(rows, 0), store_get_text(rows, 1)));
    }
    err = err == STORE_OK ? store_rows_end(&rows) : err;
    if (app) {
        json_array_append_new(pairs,
                              json_pack("[s, s]", app, "00000000-0000-0000-0000-000000000000"));
    }
    enum problem p = rest_store_problem(c, err);
    json_array_foreach(pairs, i, pair)
    {
        if (p == PROBLEM_OK) {
            p = revoke_pair(c, txn, json_string_value(json_array_get(pair, 0)),
                            json_string_value(json_array_get(pair, 1)));
        }
    }
    json_decref(pairs);
    return p;
}

/* A family need not be ended with a grant: a refresh looks at the state of each. */
enum problem oauth_revoke(struct rest_call *c, struct store_txn *txn,
                          const struct oauth_revocation *r)
{
    enum problem p = PROBLEM_OK;

    if (r->grant_id) {
        p = revocation_store(c, txn, "grant", r->grant_id);
    }
    if (p == PROBLEM_OK && r->session_id) {
        p = end_where(c, txn, "session_id", r->session_id, true);
        p = p == PROBLEM_OK ? revocation_store(c, txn, "session", r->session_id) : p;
    }
    if (p == PROBLEM_OK && r->family_id) {
        p = end_where(c, txn, "id", r->family_id, false);
        p = p == PROBLEM_OK ? revocation_store(c, txn, "family", r->family_id) : p;
    }
    if (p == PROBLEM_OK && r->app_id && r->user_id) {
        return revoke_pair(c, txn, r->app_id, r->user_id);
    }
    return p == PROBLEM_OK && (r->app_id || r->user_id)
               ? revoke_all_of(c, txn, r->app_id, r->user_id)
               : p;
}

enum problem revocations_feed_all(struct rest_call *c, struct store_txn *txn)
{
    struct store_rows *rows = NULL;
    json_t *all = json_array(), *one;
    size_t i;
    enum store_err err = store_query(
        txn, "SELECT id, subject, value, before_at, expires_at FROM token_revocations ORDER BY seq",
        NULL, 0, &rows);

    while (err == STORE_OK && store_next(rows)) {
        json_array_append_new(all, json_pack("[s, s, s, I, I]", store_get_text(rows, 0),
                                             store_get_text(rows, 1), store_get_text(rows, 2),
                                             (json_int_t)store_get_int(rows, 3),
                                             (json_int_t)store_get_int(rows, 4)));
    }
    err = err == STORE_OK ? store_rows_end(&rows) : err;
    enum problem p = rest_store_problem(c, err);
    json_array_foreach(all, i, one)
    {
        const char *id = NULL, *subject = NULL, *value = NULL;
        json_int_t before = 0, expires = 0;
        if (p == PROBLEM_OK &&
            json_unpack(one, "[s, s, s, I, I]", &id, &subject, &value, &before, &expires) == 0) {
            p = feed_one(c, txn, id, subject, value, before, expires);
        }
    }
    json_decref(all);
    return p;
}

/* Those whose tokens are all over: from the table and from the nodes. The set keeps them until the
 * next start; they cost memory alone. */
enum problem revocations_expire(struct rest_call *c, struct store_txn *txn)
{
    const struct store_value v = store_int((int64_t)c->now_ms);
    struct store_rows *rows = NULL;
    json_t *ids = json_array(), *id;
    size_t i;
    enum store_err err = store_query(
        txn,
        "SELECT id FROM token_revocations WHERE expires_at <= ? ORDER BY expires_at LIMIT 5000", &v,
        1, &rows);

    while (err == STORE_OK && store_next(rows)) {
        json_array_append_new(ids, json_string(store_get_text(rows, 0)));
    }
    err = err == STORE_OK ? store_rows_end(&rows) : err;
    json_array_foreach(ids, i, id)
    {
        const struct store_value gone = store_text(json_string_value(id));
        if (err == STORE_OK) {
            err = store_exec(txn, "DELETE FROM token_revocations WHERE id = ?", &gone, 1, NULL);
        }
        if (err == STORE_OK) {
            err = log_feed(txn, "token-revocation", json_string_value(id), NULL, c->ctl->feed_keep);
            c->rang = true;
        }
    }
    json_decref(ids);
    return rest_store_problem(c, err);
}
