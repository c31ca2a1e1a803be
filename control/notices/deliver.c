/* SPDX-License-Identifier: Apache-2.0 */
/* The job that delivers. Due ones are read, sent side by side, and their outcome written: killed in
 * between, a delivery is sent once more, never lost; its id lets a receiver see that. */
#include <stdio.h>

#include "api/api.h"
#include "notices/inner.h"

#define BATCH      16
#define RETRY_MS   10000ull
#define RETRY_LAST 10 /* attempts; the last one about 85 minutes after the first */
#define TURN_MS    20000

static enum problem read_due(struct rest_call *c, struct delivery batch[static BATCH], size_t *n)
{
    static const char sql[] = "SELECT notice_id, contact_id, attempts FROM notice_deliveries WHERE "
                              "state = 'due' AND due_at <= ? ORDER BY due_at LIMIT 16";
    const struct store_value v = store_int((int64_t)c->now_ms);
    struct store_rows *rows = NULL;
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    enum store_err err = store_query(txn, sql, &v, 1, &rows);
    while (err == STORE_OK && *n < BATCH && store_next(rows)) {
        struct delivery *d = &batch[(*n)++];
        snprintf(d->notice_id, sizeof d->notice_id, "%s", store_get_text(rows, 0));
        snprintf(d->contact_id, sizeof d->contact_id, "%s", store_get_text(rows, 1));
        d->attempts = store_get_int(rows, 2);
    }
    p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    for (size_t i = 0; i < *n && p == PROBLEM_OK; i++) {
        p = row_load(c, txn, &notices_resource, batch[i].notice_id, false, &batch[i].notice);
        if (p == PROBLEM_OK) {
            p = row_load(c, txn, &contact_points_resource, batch[i].contact_id, false,
                         &batch[i].contact);
        }
    }
    store_rollback(&txn);
    return p;
}

/* One that can never be made has no handle. */
static void send_all(struct rest_call *c, struct delivery *batch, size_t n)
{
    struct outbound_transfer *all[BATCH];

    for (size_t i = 0; i < n; i++) {
        all[i] = &batch[i].transfer;
        if (!message_prepare(c, &batch[i])) {
            curl_easy_cleanup(batch[i].transfer.curl);
            batch[i].transfer.curl = NULL;
        }
    }
    outbound_all(all, n, TURN_MS);
}

static bool delivered(const struct delivery *d)
{
    bool mail = strcmp(row_text(d->contact, "channel"), "email") == 0;

    return d->transfer.result == CURLE_OK &&
           (mail || (d->transfer.status >= 200 && d->transfer.status < 300));
}

static enum store_err write_one(struct store_txn *txn, const struct delivery *d, uint64_t now_ms)
{
    char reason[120];
    bool last = d->attempts + 1 >= RETRY_LAST;

    if (delivered(d)) {
        const struct store_value v[] = {store_text(d->notice_id), store_text(d->contact_id)};
        return store_exec(txn,
                          "DELETE FROM notice_deliveries WHERE notice_id = ? AND contact_id = ?", v,
                          2, NULL);
    }
    if (d->transfer.result == CURLE_OK) {
        snprintf(reason, sizeof reason, "answered %ld", d->transfer.status);
    } else {
        snprintf(reason, sizeof reason, "%s", curl_easy_strerror(d->transfer.result));
    }
    const struct store_value v[] = {store_text(last ? "given-up" : "due"),
                                    store_int(d->attempts + 1),
                                    store_int((int64_t)(now_ms + (RETRY_MS << d->attempts))),
                                    store_text(reason),
                                    store_text(d->notice_id),
                                    store_text(d->contact_id)};
    return store_exec(
        txn,
        "UPDATE notice_deliveries SET state = ?, attempts = ?, due_at = ?, reason = ? "
        "WHERE notice_id = ? AND contact_id = ?",
        v, COUNT(v), NULL);
}

enum problem notices_deliver(struct rest_call *c)
{
    struct delivery batch[BATCH] = {0};
    struct store_txn *txn = NULL;
    size_t n = 0;
    enum problem p = read_due(c, batch, &n);

    if (p == PROBLEM_OK && n > 0) {
        send_all(c, batch, n);
        p = rest_begin(c, STORE_WRITE, &txn);
    }
    for (size_t i = 0; i < n && p == PROBLEM_OK; i++) {
        p = rest_store_problem(c, write_one(txn, &batch[i], c->now_ms));
    }
    if (txn) {
        p = rest_finish(c, &txn, p);
    }
    for (size_t i = 0; i < n; i++) {
        delivery_fini(&batch[i]);
    }
    return p;
}
