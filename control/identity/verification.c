/* SPDX-License-Identifier: Apache-2.0 */
/* Verified identity: proven at registration, proven again when it falls due (EC-6.1.4.4c), and
 * compared with what others claim about a user (BK-9.3.1b). Name, number and phone are sealed and
 * never shown whole. */
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "identity/inner.h"
#include "notices/notices.h"

#define VALUE_MAX 256
#define DUE_BATCH 64

static json_t *time_json(uint64_t ms)
{
    char text[CLOCK_RFC3339_LEN + 1];

    clock_format_ms(ms, text);
    return json_string(text);
}

enum problem verification_fill(struct rest_call *c, struct store_txn *txn, json_t *row,
                               const struct identity_claim *claim, const char *phone)
{
    char days[SETTING_MAX];
    const char *id = row_text(row, "id");
    enum problem p = setting_get(c, txn, "verify-days", days);
    uint64_t n = strtoull(days, NULL, 10);

    json_object_set_new(row, "real_name_sealed",
                        secret_seal(c, id, "real_name_sealed", slice_str(claim->name)));
    json_object_set_new(row, "id_number_sealed",
                        secret_seal(c, id, "id_number_sealed", slice_str(claim->id_number)));
    if (phone) {
        json_object_set_new(row, "phone_sealed",
                            secret_seal(c, id, "phone_sealed", slice_str(phone)));
    }
    json_object_set_new(row, "verified_at", time_json(c->now_ms));
    json_object_set_new(row, "verify_due_at",
                        n ? time_json(c->now_ms + n * VERIFY_DAYS_MS) : json_null());
    json_object_set_new(row, "verify_suspended", json_false());
    return p == PROBLEM_OK ? identity_note(c, txn, id, claim) : p;
}

/* Compares digests, so that neither length nor content shows in time. */
static bool same(const char *a, size_t a_n, const char *b, size_t b_n)
{
    uint8_t x[CRYPTO_HASH_LEN], y[CRYPTO_HASH_LEN];

    crypto_hash(CRYPTO_SM3, a, a_n, x);
    crypto_hash(CRYPTO_SM3, b, b_n, y);
    return crypto_equal(x, y, sizeof x);
}

/* *there: whether there is a value on record at all. */
static bool matches_record(const struct rest_call *c, const json_t *user, const char *attribute,
                           const char *value, bool *there)
{
    char stored[VALUE_MAX];
    size_t n = 0;

    *there = secret_open(c, user, attribute, stored, sizeof stored, &n);
    bool equal = same(stored, n, value, strlen(value));
    crypto_wipe(stored, sizeof stored);
    return equal && *there;
}

/* Verifying oneself ----------------------------------------------------------------------------
 */
static enum problem refeed_one(struct rest_call *c, struct change *ch)
{
    return change_feed(c, ch->txn, ch->res, ch->row);
}

/* The nodes are told the owner's grants anew; each tells what identity_overdue() says now. */
enum problem identity_claims_changed(struct rest_call *c, struct store_txn *txn,
                                     const char *subject)
{
    return subject[0] ? row_each(c, txn, &grants_resource, "owner", subject, refeed_one, NULL)
                      : PROBLEM_OK;
}

static enum problem load_me(struct rest_call *c, json_t **row, struct failures *f)
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    failures_of(f, "verification", c->user.id);
    if (p != PROBLEM_OK) {
        return p;
    }
    p = row_load(c, txn, &users_resource, c->user.id, false, row);
    if (p == PROBLEM_OK) {
        p = *row ? failures_load(c, txn, f) : PROBLEM_NOT_SIGNED_IN;
    }
    store_rollback(&txn);
    return p == PROBLEM_OK ? failures_wait(c, f) : p;
}

static enum problem store_verified(struct rest_call *c, const struct identity_claim *claim,
                                   const char *phone, json_t **row)
{
    struct store_txn *txn = NULL;
    json_t *old = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = api_load(c, txn, &users_resource, c->user.id, &old);
    if (p == PROBLEM_OK) {
        *row = json_deep_copy(old);
        p = verification_fill(c, txn, *row, claim, phone);
    }
    if (p == PROBLEM_OK) {
        p = change_store(c, txn, &users_resource, old, *row, "verify-identity");
    }
    if (p == PROBLEM_OK) {
        p = identity_claims_changed(c, txn, row_text(*row, "subject"));
    }
    json_decref(old);
    return rest_finish(c, &txn, p);
}

/* A record cannot be replaced by another person's: name and number have to be those it has. */
static enum problem check_claim(struct rest_call *c, const json_t *user, const struct failures *f,
                                const struct identity_claim *claim)
{
    bool there = false, number_there = false;
    bool name = matches_record(c, user, "real_name_sealed", claim->name, &there);
    bool number = matches_record(c, user, "id_number_sealed", claim->id_number, &number_there);
    enum problem p = (there || number_there) && !(name && number) ? PROBLEM_IDENTITY_MISMATCH
                                                                  : realname_check(c, claim);

    if (p == PROBLEM_IDENTITY_MISMATCH) {
        enum problem noted = failures_note(c, f, true, c->user.login);
        p = noted == PROBLEM_OK ? p : noted;
    }
    return p;
}

enum problem rest_me_verification(struct rest_call *c)
{
    static const char *const members[] = {"real_name", "id_number", "phone", NULL};
    struct identity_claim claim = {.kind = "person"};
    const char *phone = NULL;
    json_t *user = NULL, *row = NULL;
    struct failures f;
    enum problem p = rest_body_members(c, members);

    if (p == PROBLEM_OK) {
        claim.name = rest_body_text(c, "real_name", VALUE_MAX - 1, &p);
    }
    if (p == PROBLEM_OK) {
        claim.id_number = rest_body_text(c, "id_number", 18, &p);
    }
    if (p == PROBLEM_OK && json_object_get(c->body, "phone")) {
        phone = rest_body_text(c, "phone", 32, &p);
    }
    if (p == PROBLEM_OK) {
        p = load_me(c, &user, &f);
    }
    if (p == PROBLEM_OK) {
        claim.kind =
            strcmp(row_text(user, "kind"), "organisation") == 0 ? "organisation" : "person";
        p = check_claim(c, user, &f, &claim);
    }
    if (p == PROBLEM_OK) {
        p = store_verified(c, &claim, phone, &row);
    }
    if (p == PROBLEM_OK) {
        p = resource_answer(c, &users_resource, row, 200);
    }
    json_decref(user);
    json_decref(row);
    return p;
}

/* Showing --------------------------------------------------------------------------------------
 */
/* The first `head` characters and the last `tail` bytes stay. */
static json_t *masked(const struct rest_call *c, const json_t *user, const char *attribute,
                      size_t head, size_t tail)
{
    char value[VALUE_MAX], out[VALUE_MAX + 8];
    size_t n = 0, kept = 0;

    if (!secret_open(c, user, attribute, value, sizeof value, &n)) {
        return json_null();
    }
    for (size_t i = 0, step = 1; i < head && step > 0; i++) {
        step = utf8_char(slice_of(value + kept, n - kept));
        kept += step;
    }
    if (kept + tail >= n && tail > 0) {
        kept = tail = 0;
    }
    snprintf(out, sizeof out, "%.*s****%.*s", (int)kept, value, (int)tail, value + n - tail);
    crypto_wipe(value, sizeof value);
    json_t *text = json_string(out);
    return text ? text : json_null();
}

static enum problem read_me(struct rest_call *c, json_t **user)
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = row_load(c, txn, &users_resource, c->user.id, false, user);
    store_rollback(&txn);
    return p == PROBLEM_OK && !*user ? PROBLEM_NOT_SIGNED_IN : p;
}

enum problem rest_me_get(struct rest_call *c)
{
    json_t *row = NULL;
    enum problem p = read_me(c, &row);

    if (p == PROBLEM_OK) {
        p = resource_answer(c, &users_resource, row, 200);
    }
    json_decref(row);
    return p;
}

enum problem rest_me_identity(struct rest_call *c)
{
    json_t *user = NULL;
    enum problem p = read_me(c, &user);

    if (p == PROBLEM_OK) {
        p = rest_answer(c, 200,
                        json_pack("{s:o, s:o, s:o, s:O, s:O}", "real_name",
                                  masked(c, user, "real_name_sealed", 1, 0), "id_number",
                                  masked(c, user, "id_number_sealed", 4, 2), "phone",
                                  masked(c, user, "phone_sealed", 3, 2), "verified_at",
                                  json_object_get(user, "verified_at"), "verify_due_at",
                                  json_object_get(user, "verify_due_at")));
    }
    json_decref(user);
    return p;
}

/* Falling due ----------------------------------------------------------------------------------
 */
enum problem identity_overdue(struct rest_call *c, struct store_txn *txn, const char *subject,
                              bool *overdue)
{
    /* A merchant with several users stands as long as one of them is verified. */
    static const char sql[] =
        "SELECT count(*), sum(coalesce(verify_due_at > ?, 1)) FROM users WHERE subject = ? AND "
        "state = 'active'";
    const struct store_value v[] = {store_int((int64_t)c->now_ms), store_text(subject)};
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, v, 2, &rows);

    *overdue = false;
    if (err == STORE_OK && store_next(rows)) {
        *overdue = store_get_int(rows, 0) > 0 && store_get_int(rows, 1) == 0;
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

static enum problem find_due(struct rest_call *c, char ids[static DUE_BATCH][UUID_TEXT_LEN + 1],
                             size_t *n)
{
    static const char sql[] =
        "SELECT id FROM users WHERE verify_due_at <= ? AND coalesce(verify_suspended, 0) = 0 AND "
        "state = 'active' ORDER BY verify_due_at LIMIT ?";
    const struct store_value v[] = {store_int((int64_t)c->now_ms), store_int(DUE_BATCH)};
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    *n = 0;
    if (p != PROBLEM_OK) {
        return p;
    }
    enum store_err err = store_query(txn, sql, v, 2, &rows);
    while (err == STORE_OK && *n < DUE_BATCH && store_next(rows)) {
        snprintf(ids[(*n)++], UUID_TEXT_LEN + 1, "%s", store_get_text(rows, 0));
    }
    p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    store_rollback(&txn);
    return p;
}

static enum problem suspend(struct rest_call *c, const char *id)
{
    const struct notice told = {
        .kind = "identity-overdue", .user_id = id, .object_kind = "user", .object_id = id};
    struct store_txn *txn = NULL;
    json_t *old = NULL, *row = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = api_load(c, txn, &users_resource, id, &old);
    uint64_t due_ms = p == PROBLEM_OK ? api_ms(old, "verify_due_at") : 0;
    if (p == PROBLEM_OK && due_ms && due_ms <= c->now_ms) { /* still: it was read before */
        row = json_deep_copy(old);
        json_object_set_new(row, "verify_suspended", json_true());
        p = change_store(c, txn, &users_resource, old, row, "suspend-unverified");
        p = p == PROBLEM_OK ? identity_claims_changed(c, txn, row_text(row, "subject")) : p;
        p = p == PROBLEM_OK ? notice_put(c, txn, &told) : p;
    }
    json_decref(old);
    json_decref(row);
    return rest_finish(c, &txn, p);
}

static enum problem sweep(struct rest_call *c)
{
    static const char *const texts[] = {
        "DELETE FROM captchas WHERE expires_at < ?",
        "DELETE FROM sealed_used WHERE expires_at < ?",
    };
    const struct store_value now = store_int((int64_t)c->now_ms);
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    for (size_t i = 0; p == PROBLEM_OK && i < COUNT(texts); i++) {
        p = rest_store_problem(c, store_exec(txn, texts[i], &now, 1, NULL));
    }
    return rest_finish(c, &txn, p);
}

enum problem identity_job(struct rest_call *c)
{
    char ids[DUE_BATCH][UUID_TEXT_LEN + 1];
    size_t n = 0;
    enum problem p;

    do {
        p = find_due(c, ids, &n);
        for (size_t i = 0; p == PROBLEM_OK && i < n; i++) {
            p = suspend(c, ids[i]);
        }
    } while (p == PROBLEM_OK && n == DUE_BATCH);
    return p == PROBLEM_OK ? sweep(c) : p;
}
