/* SPDX-License-Identifier: Apache-2.0 */
/* Entries carry secrets sealed under the link key. Another link key than the last time (a new one,
 * a restored backup) makes them unreadable for every node, so all are written anew under a new
 * epoch. */
#include <stdio.h>

#include "access/access.h"
#include "base/codec.h"
#include "feed/feed.h"
#include "identity/identity.h"
#include "link/ring.h"
#include "oauth/engine.h"
#include "rest/resource.h"

#define MARK_LEN 16

static bool key_mark(char mark[static MARK_LEN + 1])
{
    uint8_t key[CRYPTO_KEY_LEN], digest[CRYPTO_HASH_LEN];

    if (!link_ring_signing("feed.secret", key)) {
        return false;
    }
    crypto_derive(key, "feed.mark", digest);
    crypto_wipe(key, sizeof key);
    mark[codec_hex(mark, digest, MARK_LEN / 2)] = '\0';
    return true;
}

static enum store_err same_mark(struct store_txn *txn, const char *mark, bool *same)
{
    struct store_rows *rows = NULL;
    enum store_err err =
        store_query(txn, "SELECT value FROM meta WHERE key = 'link_key'", NULL, 0, &rows);

    *same = err == STORE_OK && store_next(rows) && strcmp(store_get_text(rows, 0), mark) == 0;
    return err == STORE_OK ? store_rows_end(&rows) : err;
}

static enum store_err ids_of(struct store_txn *txn, const struct resource *res, json_t *ids)
{
    char sql[80];
    struct store_rows *rows = NULL;

    snprintf(sql, sizeof sql, "SELECT id FROM %s ORDER BY created_at, id", res->plural);
    enum store_err err = store_query(txn, sql, NULL, 0, &rows);
    while (err == STORE_OK && store_next(rows)) {
        json_array_append_new(ids, json_string(store_get_text(rows, 0)));
    }
    return err == STORE_OK ? store_rows_end(&rows) : err;
}

static enum problem tell_all(struct rest_call *c, struct store_txn *txn, const struct resource *res)
{
    json_t *ids = json_array(), *id, *row;
    enum problem p = rest_store_problem(c, ids_of(txn, res, ids));
    size_t i;

    json_array_foreach(ids, i, id)
    {
        row = NULL;
        if (p == PROBLEM_OK) {
            p = row_load(c, txn, res, json_string_value(id), false, &row);
        }
        if (p == PROBLEM_OK && row) {
            p = change_feed(c, txn, res, row);
        }
        json_decref(row);
    }
    json_decref(ids);
    return p;
}

static enum problem rebuild(struct rest_call *c, struct store_txn *txn, const char *mark)
{
    uint8_t random[16];
    enum problem p =
        rest_store_problem(c, store_exec(txn, "DELETE FROM feed_current", NULL, 0, NULL));

    crypto_random(random, sizeof random);
    c->ctl->epoch[codec_hex(c->ctl->epoch, random, sizeof random)] = '\0';
    const struct store_value v[] = {store_text(c->ctl->epoch), store_text(mark)};
    if (p == PROBLEM_OK) {
        p = rest_store_problem(
            c, store_exec(txn,
                          "INSERT INTO meta (key, value) VALUES ('epoch', ?), ('link_key', ?) ON "
                          "CONFLICT (key) DO UPDATE SET value = excluded.value",
                          v, 2, NULL));
    }
    for (size_t i = 0; i < resources_n && p == PROBLEM_OK; i++) {
        p = resources[i]->feed ? tell_all(c, txn, resources[i]) : PROBLEM_OK;
    }
    if (p == PROBLEM_OK) {
        p = oauth_feed_all(c, txn);
    }
    if (p == PROBLEM_OK) {
        p = access_feed_all(c, txn);
    }
    if (p == PROBLEM_OK) {
        p = accounts_feed_all(c, txn);
    }
    return p;
}

/* What carries a secret is told anew; nobody has to begin from the start. */
enum problem feed_reseal(struct rest_call *c, struct store_txn *txn)
{
    static const char *const plurals[] = {"credentials", "sources", "event_subscriptions"};
    char mark[MARK_LEN + 1];
    enum problem p = key_mark(mark) ? PROBLEM_OK : PROBLEM_INTERNAL;

    for (size_t i = 0; i < sizeof plurals / sizeof *plurals && p == PROBLEM_OK; i++) {
        p = tell_all(c, txn, resource_by_plural(plurals[i]));
    }
    p = p == PROBLEM_OK ? oauth_feed_all(c, txn) : p;
    const struct store_value v = store_text(mark);
    return p == PROBLEM_OK
               ? rest_store_problem(
                     c, store_exec(txn, "UPDATE meta SET value = ? WHERE key = 'link_key'", &v, 1,
                                   NULL))
               : p;
}

bool feed_check_key(struct control *ctl)
{
    struct rest_request req = {0};
    struct rest_call c = {.ctl = ctl, .req = &req};
    struct store_txn *txn = NULL;
    char mark[MARK_LEN + 1];
    bool same = false;
    enum problem p = rest_begin(&c, STORE_WRITE, &txn);

    if (p == PROBLEM_OK && !key_mark(mark)) {
        p = PROBLEM_INTERNAL;
    }
    if (p == PROBLEM_OK) {
        p = rest_store_problem(&c, same_mark(txn, mark, &same));
        if (p == PROBLEM_OK && !same) {
            p = rebuild(&c, txn, mark);
        }
        p = rest_finish(&c, &txn, p);
    }
    if (p != PROBLEM_OK) {
        fprintf(stderr, "sluice: control: the feed cannot be prepared: %s\n",
                c.detail[0] ? c.detail : problem_row(p)->title_en);
    }
    return p == PROBLEM_OK;
}
