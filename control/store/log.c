/* SPDX-License-Identifier: Apache-2.0 */
/* The two logs a change writes in its own transaction: what was done (chained), what nodes are
 * told. */
#include <inttypes.h>
#include <stdio.h>

#include "crypto/crypto.h"
#include "store/log.h"

#define TRIM_EVERY 64 /* entries between trims of the feed */

static void hash_line(struct crypto_hasher *h, const char *text)
{
    crypto_hasher_add(h, text, strlen(text));
    crypto_hasher_add(h, "\n", 1);
}

static void chain_value(const struct operation *op, int64_t seq,
                        const uint8_t before[static CRYPTO_HASH_LEN],
                        uint8_t out[static CRYPTO_HASH_LEN])
{
    struct crypto_hasher h;
    char number[24];

    crypto_hasher_init(&h, CRYPTO_SM3);
    crypto_hasher_add(&h, before, CRYPTO_HASH_LEN);
    snprintf(number, sizeof number, "%" PRId64, seq);
    hash_line(&h, number);
    snprintf(number, sizeof number, "%" PRIu64, op->at_ms);
    hash_line(&h, number);
    hash_line(&h, op->actor);
    hash_line(&h, op->action);
    hash_line(&h, op->kind);
    hash_line(&h, op->id);
    hash_line(&h, op->before ? op->before : "");
    crypto_hasher_add(&h, op->after ? op->after : "", op->after ? strlen(op->after) : 0);
    crypto_hasher_end(&h, out);
    crypto_hasher_fini(&h);
}

enum store_err log_operation(struct store_txn *txn, const struct operation *op)
{
    struct store_rows *rows = NULL;
    uint8_t before[CRYPTO_HASH_LEN] = {0}, chain[CRYPTO_HASH_LEN];
    int64_t seq = 1;
    enum store_err err = store_query(
        txn, "SELECT seq, chain FROM operations ORDER BY seq DESC LIMIT 1", NULL, 0, &rows);

    if (err != STORE_OK) {
        return err;
    }
    if (store_next(rows)) {
        struct slice last = store_get_blob(rows, 1);
        seq = store_get_int(rows, 0) + 1;
        memcpy(before, last.p, last.n < sizeof before ? last.n : sizeof before);
    }
    err = store_rows_end(&rows);
    if (err != STORE_OK) {
        return err;
    }
    chain_value(op, seq, before, chain);
    const struct store_value v[] = {
        store_int(seq),         store_int((int64_t)op->at_ms), store_text(op->actor),
        store_text(op->action), store_text(op->kind),          store_text(op->id),
        store_text(op->before), store_text(op->after),         store_blob(chain, sizeof chain)};
    return store_exec(txn,
                      "INSERT INTO operations (seq, at_ms, actor, action, kind, resource_id, "
                      "before, after, chain) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                      v, sizeof v / sizeof *v, NULL);
}

enum store_err log_verify(struct store_txn *txn, int64_t last, int64_t *looked, int64_t *bad)
{
    static const char sql[] =
        "SELECT seq, at_ms, actor, action, kind, resource_id, before, after, chain FROM operations "
        "WHERE seq >= (SELECT max(seq) FROM operations) - ? ORDER BY seq";
    const struct store_value v = store_int(last);
    uint8_t before[CRYPTO_HASH_LEN] = {0}, chain[CRYPTO_HASH_LEN];
    struct store_rows *rows = NULL;
    int64_t previous = 0;
    enum store_err err = store_query(txn, sql, &v, 1, &rows);

    *looked = *bad = 0;
    while (err == STORE_OK && store_next(rows)) {
        const struct operation op = {
            .at_ms = (uint64_t)store_get_int(rows, 1),
            .actor = store_get_text(rows, 2),
            .action = store_get_text(rows, 3),
            .kind = store_get_text(rows, 4),
            .id = store_get_text(rows, 5),
            .before = store_is_null(rows, 6) ? NULL : store_get_text(rows, 6),
            .after = store_is_null(rows, 7) ? NULL : store_get_text(rows, 7)};
        int64_t seq = store_get_int(rows, 0);
        struct slice stored = store_get_blob(rows, 8);
        chain_value(&op, seq, before, chain);
        bool follows = stored.n == sizeof chain && memcmp(stored.p, chain, sizeof chain) == 0 &&
                       seq == previous + 1;
        if (!follows && *bad == 0 && (*looked > 0 || seq == 1)) {
            *bad = seq; /* the oldest one looked at has nothing to follow, unless it is the first */
        }
        memcpy(before, stored.p, stored.n < sizeof before ? stored.n : sizeof before);
        previous = seq;
        (*looked)++;
    }
    return err == STORE_OK ? store_rows_end(&rows) : err;
}

static enum store_err log_current(struct store_txn *txn, const char *kind, const char *id,
                                  const char *data, int64_t seq)
{
    const struct store_value v[] = {store_text(kind), store_text(id), store_int(seq),
                                    store_text(data)};

    if (!data) {
        return store_exec(txn, "DELETE FROM feed_current WHERE kind = ? AND id = ?", v, 2, NULL);
    }
    return store_exec(
        txn,
        "INSERT INTO feed_current (kind, id, seq, data) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (kind, id) DO UPDATE SET seq = excluded.seq, data = excluded.data",
        v, 4, NULL);
}

/* data NULL: the record goes. A record nobody has is not told to go. */
enum store_err log_feed(struct store_txn *txn, const char *kind, const char *id, const char *data,
                        uint64_t keep)
{
    const struct store_value v[] = {store_text(kind), store_text(id),
                                    store_text(data ? "put" : "del"), store_text(data)};
    struct store_rows *rows = NULL;
    bool known = data != NULL;
    enum store_err err = STORE_OK;

    if (!known) {
        err = store_query(txn, "SELECT 1 FROM feed_current WHERE kind = ? AND id = ?", v, 2, &rows);
        known = err == STORE_OK && store_next(rows);
        if (err == STORE_OK) {
            err = store_rows_end(&rows);
        }
    }
    if (err != STORE_OK || !known) {
        return err;
    }
    err = store_exec(txn, "INSERT INTO feed (kind, id, op, data) VALUES (?, ?, ?, ?)", v, 4, NULL);
    if (err != STORE_OK) {
        return err;
    }
    int64_t seq = store_last_seq(txn);
    err = log_current(txn, kind, id, data, seq);
    if (err != STORE_OK || seq % TRIM_EVERY != 0 || (uint64_t)seq <= keep) {
        return err;
    }
    const struct store_value oldest[] = {store_int(seq - (int64_t)keep)};
    return store_exec(txn, "DELETE FROM feed WHERE seq <= ?", oldest, 1, NULL);
}
