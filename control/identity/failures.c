/* SPDX-License-Identifier: Apache-2.0 */
/* Failures are counted by login, known or not, and by address, and make the next attempt wait
 * longer and longer. */
#include "identity/inner.h"

#define FAILURES_FREE     5
#define BACKOFF_MS        30000ull
#define BACKOFF_DOUBLINGS 5
#define FAILURES_KEEP_MS  (24ull * 3600 * 1000)

void failures_of_login(struct failures *f, const char *login)
{
    *f = (struct failures){0};
    crypto_hash(CRYPTO_SM3, login, strlen(login), f->key);
}

void failures_of(struct failures *f, const char *realm, const char *name)
{
    struct crypto_hasher h;

    *f = (struct failures){0};
    crypto_hasher_init(&h, CRYPTO_SM3);
    crypto_hasher_add(&h, "", 1); /* no login has a zero byte */
    crypto_hasher_add(&h, realm, strlen(realm) + 1);
    crypto_hasher_add(&h, name, strlen(name));
    crypto_hasher_end(&h, f->key);
    crypto_hasher_fini(&h);
}

enum problem failures_load(struct rest_call *c, struct store_txn *txn, struct failures *f)
{
    static const char sql[] =
        "SELECT failures, until_at FROM sign_in_failures WHERE login_sm3 = ? AND last_at >= ?";
    const struct store_value v[] = {store_blob(f->key, CRYPTO_HASH_LEN),
                                    store_int((int64_t)(c->now_ms - FAILURES_KEEP_MS))};
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, v, 2, &rows);

    f->count = 0;
    f->until_ms = 0;
    if (err == STORE_OK && store_next(rows)) {
        f->count = store_get_int(rows, 0);
        f->until_ms = (uint64_t)store_get_int(rows, 1);
    }
    if (err == STORE_OK) {
        err = store_rows_end(&rows);
    }
    return rest_store_problem(c, err);
}

/* By the count in the store, not by what this thread read before: many attempts at once are many.
 */
static enum problem put_off(struct rest_call *c, struct store_txn *txn, const struct failures *f)
{
    struct failures now = *f;
    enum problem p = failures_load(c, txn, &now);
    int64_t doublings = now.count - FAILURES_FREE;

    if (p != PROBLEM_OK || doublings < 0) {
        return p;
    }
    uint64_t wait_ms =
        BACKOFF_MS << (doublings < BACKOFF_DOUBLINGS ? doublings : BACKOFF_DOUBLINGS);
    const struct store_value v[] = {store_int((int64_t)(c->now_ms + wait_ms)),
                                    store_blob(f->key, CRYPTO_HASH_LEN)};
    return rest_store_problem(
        c, store_exec(txn,
                      "UPDATE sign_in_failures SET until_at = max(until_at, ?) WHERE login_sm3 = ?",
                      v, 2, NULL));
}

static enum problem log_failure(struct rest_call *c, struct store_txn *txn, const char *actor)
{
    const struct operation op = {.at_ms = c->now_ms,
                                 .actor = actor,
                                 .action = "fail-to-prove",
                                 .kind = "session",
                                 .id = c->user.session};

    return rest_store_problem(c, log_operation(txn, &op));
}

enum problem failures_note(struct rest_call *c, const struct failures *f, bool waits,
                           const char *actor)
{
    static const char sql[] =
        "INSERT INTO sign_in_failures (login_sm3, failures, last_at, until_at) VALUES (?, 1, ?, 0) "
        "ON CONFLICT (login_sm3) DO UPDATE SET failures = failures + 1, last_at = excluded.last_at";
    const struct store_value v[] = {store_blob(f->key, CRYPTO_HASH_LEN),
                                    store_int((int64_t)c->now_ms)};
    const struct store_value old = store_int((int64_t)(c->now_ms - FAILURES_KEEP_MS));
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    enum store_err err =
        store_exec(txn, "DELETE FROM sign_in_failures WHERE last_at < ?", &old, 1, NULL);
    if (err == STORE_OK) {
        err = store_exec(txn, sql, v, 2, NULL);
    }
    p = rest_store_problem(c, err);
    if (p == PROBLEM_OK && waits) {
        p = put_off(c, txn, f);
    }
    return rest_finish(c, &txn, p == PROBLEM_OK && actor ? log_failure(c, txn, actor) : p);
}

enum problem failures_try(struct rest_call *c, uint64_t *wait_ms)
{
    struct failures f;
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    failures_of(&f, "self-check", "");
    const struct store_value v[] = {store_blob(f.key, CRYPTO_HASH_LEN), store_int(FAILURES_FREE),
                                    store_int((int64_t)c->now_ms)};
    if (p == PROBLEM_OK) {
        p = rest_store_problem(
            c, store_exec(txn,
                          "INSERT INTO sign_in_failures (login_sm3, failures, last_at, until_at) "
                          "VALUES (?, ?, ?, 0)",
                          v, 3, NULL));
    }
    if (p == PROBLEM_OK) {
        p = put_off(c, txn, &f);
    }
    if (p == PROBLEM_OK) {
        p = failures_load(c, txn, &f);
    }
    store_rollback(&txn);
    *wait_ms = p == PROBLEM_OK && f.until_ms > c->now_ms ? f.until_ms - c->now_ms : 0;
    return p;
}

enum problem failures_clear(struct rest_call *c, struct store_txn *txn, const struct failures *f)
{
    const struct store_value v = store_blob(f->key, CRYPTO_HASH_LEN);

    return rest_store_problem(
        c, store_exec(txn, "DELETE FROM sign_in_failures WHERE login_sm3 = ?", &v, 1, NULL));
}

enum problem failures_wait(struct rest_call *c, const struct failures *f)
{
    if (f->until_ms <= c->now_ms) {
        return PROBLEM_OK;
    }
    c->resp->retry_after_s = (unsigned)((f->until_ms - c->now_ms + 999) / 1000);
    return rest_fail(c, PROBLEM_TOO_MANY_ATTEMPTS, "", "try again in %u seconds",
                     c->resp->retry_after_s);
}
