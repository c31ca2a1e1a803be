/* SPDX-License-Identifier: Apache-2.0 */
/* The job that tells business units of writes to their data. What is due is asked of the data
 * service, sent side by side, and its outcome told back: killed in between, a delivery is sent once
 * more, never lost; its id lets a receiver see that. Of a row, one is under way at a time. */
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/codec.h"
#include "data_client.h"
#include "notices/inner.h"
#include "outbound.h"
#include "write/inner.h"

#define BATCH   16
#define TURN_MS 12000
#define TURNS   8 /* of one run, while all arrives */

struct sending {
    const json_t *due;
    json_t *target; /* row; NULL: nobody wants it any more */
    struct outbound_transfer transfer;
    struct curl_slist *headers;
    char *body;
};

static void sending_fini(struct sending *s)
{
    curl_slist_free_all(s->headers);
    curl_easy_cleanup(s->transfer.curl);
    free(s->body);
    json_decref(s->target);
}

static enum problem any_target(struct rest_call *c, bool *any)
{
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = rest_store_problem(
        c, store_query(txn, "SELECT 1 FROM delivery_targets WHERE state = 'active' LIMIT 1", NULL,
                       0, &rows));
    if (p == PROBLEM_OK) {
        *any = store_next(rows);
        p = rest_store_problem(c, store_rows_end(&rows));
    }
    store_rollback(&txn);
    return p;
}

static enum problem take(struct rest_call *c, struct change *ch)
{
    json_t **target = ch->arg;

    (void)c;
    if (strcmp(row_text(ch->row, "state"), "active") == 0) {
        json_decref(*target);
        *target = json_incref(ch->row);
    }
    return PROBLEM_OK;
}

static enum problem find_targets(struct rest_call *c, struct sending *s, size_t n)
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    for (size_t i = 0; i < n && p == PROBLEM_OK; i++) {
        p = row_each(c, txn, &delivery_targets_resource, "dataset_id",
                     row_text(s[i].due, "dataset_id"), take, &s[i].target);
    }
    if (txn) {
        store_rollback(&txn);
    }
    return p;
}

static bool add_header(struct sending *s, const char *format, const char *value)
{
    char text[200];

    snprintf(text, sizeof text, format, value);
    struct curl_slist *more = curl_slist_append(s->headers, text);
    s->headers = more ? more : s->headers;
    return more != NULL;
}

/* A CloudEvent: what was written, in the unit's own columns, and in which order. */
static char *event_text(const struct sending *s, const char *id)
{
    char type[60], at[CLOCK_RFC3339_LEN + 1];
    const json_t *due = s->due;

    snprintf(type, sizeof type, "sluice.write.%.40s", row_text(due, "kind"));
    clock_format_ms((uint64_t)json_integer_value(json_object_get(due, "at")), at);
    json_t *data =
        json_pack("{s:s, s:s, s:O, s:O, s:O}", "operation_id", row_text(due, "operation_id"),
                  "dataset_id", row_text(due, "dataset_id"), "key", json_object_get(due, "key"),
                  "before", json_object_get(due, "before"), "after", json_object_get(due, "after"));
    if (row_text(due, "app_id")[0]) {
        json_object_set(data, "app_id", json_object_get(due, "app_id"));
    }
    json_t *event = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:O, s:s, s:o}", "specversion", "1.0", "id", id, "source",
        "/api/v1/writes", "type", type, "subject", row_text(due, "subject"), "time", at, "sequence",
        json_object_get(due, "sequence"), "datacontenttype", "application/json", "data", data);
    char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;
    json_decref(event);
    return text;
}

/* As Standard Webhooks signs: HMAC-SHA256 over id.time.body. */
static bool sign(struct rest_call *c, struct sending *s, const char *id)
{
    uint8_t sealed[WEBHOOK_SECRET_LEN + CRYPTO_SEAL_EXTRA], secret[WEBHOOK_SECRET_LEN],
        mac[CRYPTO_HASH_LEN];
    const char *text = row_text(s->target, "secret_sealed");
    char now[24], signature[CODEC_BASE64_LEN(CRYPTO_HASH_LEN) + 1];
    size_t n = 0;

    if (!codec_unbase64url(sealed, sizeof sealed, &n, text, strlen(text)) || n != sizeof sealed ||
        keyring_open(c->ctl, slice_str(row_text(s->target, "id")), sealed, n, secret) !=
            CRYPTO_OK) {
        return false;
    }
    snprintf(now, sizeof now, "%llu", (unsigned long long)(c->now_ms / 1000));
    struct crypto_hmac *h = crypto_hmac_new(CRYPTO_SHA256, secret, sizeof secret);
    crypto_wipe(secret, sizeof secret);
    crypto_hmac_begin(h);
    crypto_hmac_add(h, id, strlen(id));
    crypto_hmac_add(h, ".", 1);
    crypto_hmac_add(h, now, strlen(now));
    crypto_hmac_add(h, ".", 1);
    crypto_hmac_add(h, s->body, strlen(s->body));
    crypto_hmac_end(h, mac);
    crypto_hmac_free(&h);
    signature[codec_base64(signature, mac, sizeof mac)] = '\0';
    return add_header(s, "webhook-id: %s", id) && add_header(s, "webhook-timestamp: %s", now) &&
           add_header(s, "webhook-signature: v1,%s", signature);
}

static bool make_transfer(struct rest_call *c, struct sending *s)
{
    char id[80];

    snprintf(id, sizeof id, "%s-%lld", row_text(s->due, "operation_id"),
             (long long)json_integer_value(json_object_get(s->due, "id")));
    s->transfer.curl = curl_easy_init();
    s->body = event_text(s, id);
    if (!s->transfer.curl || !s->body || !sign(c, s, id) ||
        !add_header(s, "Content-Type: %s", "application/cloudevents+json")) {
        return false;
    }
    outbound_prepare(s->transfer.curl, c->ctl->cfg);
    curl_easy_setopt(s->transfer.curl, CURLOPT_URL, row_text(s->target, "url"));
    curl_easy_setopt(s->transfer.curl, CURLOPT_POSTFIELDS, s->body);
    curl_easy_setopt(s->transfer.curl, CURLOPT_HTTPHEADER, s->headers);
    return true;
}

static void send_all(struct rest_call *c, struct sending *s, size_t n)
{
    struct outbound_transfer *all[BATCH];

    for (size_t i = 0; i < n; i++) {
        all[i] = &s[i].transfer;
        if (s[i].target && !make_transfer(c, &s[i])) {
            curl_easy_cleanup(s[i].transfer.curl);
            s[i].transfer.curl = NULL;
        }
    }
    outbound_all(all, n, TURN_MS);
}

static bool arrived(const struct sending *s)
{
    return s->transfer.result == CURLE_OK && s->transfer.status >= 200 && s->transfer.status < 300;
}

static json_t *outcome_of(const struct sending *s)
{
    char reason[120];
    bool ok = arrived(s);

    if (!s->target) {
        snprintf(reason, sizeof reason, "no target");
    } else if (s->transfer.result == CURLE_OK) {
        snprintf(reason, sizeof reason, "answered %ld", s->transfer.status);
    } else {
        snprintf(reason, sizeof reason, "%s", curl_easy_strerror(s->transfer.result));
    }
    return json_pack("{s:O, s:b, s:s}", "id", json_object_get(s->due, "id"), "ok", ok, "reason",
                     ok ? "" : reason);
}

static enum problem report(struct rest_call *c, const struct sending *s, size_t n)
{
    json_t *list = json_array(), *answer = NULL;

    for (size_t i = 0; i < n; i++) {
        json_array_append_new(list, outcome_of(&s[i]));
    }
    json_t *body = json_pack("{s:o}", "outcome", list);
    enum problem p = data_client_post(c, "/internal/v1/writes/delivered", body, &answer);
    json_decref(body);
    json_decref(answer);
    return p;
}

/* One batch; *more: it was delivered, and there may be the next of the same rows. */
static enum problem turn(struct rest_call *c, bool *more)
{
    struct sending sending[BATCH] = {0};
    json_t *answer = NULL, *body = json_object(), *due;
    size_t i, n = 0;
    enum problem p = data_client_post(c, "/internal/v1/writes/due", body, &answer);

    p = p == PROBLEM_SOURCE_UNAVAILABLE ? PROBLEM_OK : p; /* away: the next turn asks again */
    json_array_foreach(json_object_get(answer, "items"), i, due)
    {
        if (n < BATCH) {
            sending[n++].due = due;
        }
    }
    if (p == PROBLEM_OK && n > 0) {
        p = find_targets(c, sending, n);
    }
    if (p == PROBLEM_OK && n > 0) {
        send_all(c, sending, n);
        p = report(c, sending, n);
    }
    *more = n > 0;
    for (i = 0; i < n; i++) {
        *more = *more && arrived(&sending[i]);
        sending_fini(&sending[i]);
    }
    json_decref(answer);
    json_decref(body);
    return p;
}

enum problem deliveries_job(struct rest_call *c)
{
    bool more = false;
    enum problem p = any_target(c, &more);

    for (int i = 0; i < TURNS && p == PROBLEM_OK && more; i++) {
        p = turn(c, &more);
    }
    return p;
}
