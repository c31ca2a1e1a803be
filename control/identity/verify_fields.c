/* SPDX-License-Identifier: Apache-2.0 */
/* What an app says about a user against the record (BK-9.3.1b): one answer for all of it, with no
 * word about which value, and the same for a user there is not. */
#include <stdio.h>
#include <stdlib.h>

#include "access/access.h"
#include "api/api.h"
#include "base/codec.h"
#include "crypto/verifier.h"
#include "identity/inner.h"

#define VALUE_MAX 256

static const struct {
    const char *member, *attribute;
} fields[] = {
    {"real_name", "real_name_sealed"},
    {"id_number", "id_number_sealed"},
    {"phone", "phone_sealed"},
    {"email", NULL},      /* kept as it is */
    {"birth_date", NULL}, /* of the number */
};
enum { EMAIL = 3, BIRTH_DATE = 4 };
#define BIRTH_AT  6 /* GB 11643: where in a number of 18, and how long */
#define BIRTH_LEN 8

/* What is on record of a user; false: nothing. */
static bool on_record(const struct rest_call *c, const json_t *user, size_t i,
                      char out[static VALUE_MAX], size_t *n)
{
    if (i == EMAIL) {
        *n = (size_t)snprintf(out, VALUE_MAX, "%s", row_text(user, "email"));
        return *n > 0 && *n < VALUE_MAX;
    }
    if (i != BIRTH_DATE) {
        return secret_open(c, user, fields[i].attribute, out, VALUE_MAX, n);
    }
    bool ok = secret_open(c, user, "id_number_sealed", out, VALUE_MAX, n) && *n == 18 &&
              strspn(out + BIRTH_AT, "0123456789") >= BIRTH_LEN;
    if (ok) {
        memmove(out, out + BIRTH_AT, BIRTH_LEN);
        *n = BIRTH_LEN;
    }
    return ok;
}

static enum problem take_user(struct rest_call *c, struct store_txn *txn, const char *subject,
                              json_t **user)
{
    const struct store_value v = store_text(subject);
    struct store_rows *rows = NULL;
    struct buf sql;

    buf_init(&sql);
    buf_adds(&sql, "SELECT ");
    row_columns(&users_resource, &sql);
    buf_adds(&sql,
             " FROM users WHERE subject = ? AND state = 'active' ORDER BY created_at LIMIT 1");
    buf_addc(&sql, '\0');
    enum store_err err = sql.failed ? STORE_EIO : store_query(txn, sql.p, &v, 1, &rows);
    if (err == STORE_OK && store_next(rows)) {
        *user = row_read(&users_resource, rows);
    }
    if (err == STORE_OK) {
        err = store_rows_end(&rows);
    }
    buf_fini(&sql);
    return rest_store_problem(c, err);
}

static void add_claim(const struct rest_call *c, const json_t *user, const char *subject, size_t i,
                      json_t *claims)
{
    char stored[VALUE_MAX], text[CODEC_BASE64URL_LEN(CRYPTO_HASH_LEN)];
    uint8_t digest[CRYPTO_HASH_LEN];
    size_t n = 0;

    if (on_record(c, user, i, stored, &n)) {
        crypto_claim(c->ctl->verifier, slice_str(fields[i].member), slice_str(subject),
                     slice_of(stored, n), digest);
        json_object_set_new(claims, fields[i].member,
                            json_stringn(text, codec_base64url(text, digest, sizeof digest)));
    }
    crypto_wipe(stored, sizeof stored);
}

enum problem identity_claims(struct rest_call *c, struct store_txn *txn, const char *subject,
                             const json_t *checks, json_t **claims)
{
    json_t *user = NULL;
    enum problem p = take_user(c, txn, subject, &user);

    *claims = json_object();
    for (size_t i = 0; i < COUNT(fields) && p == PROBLEM_OK && user; i++) {
        if (json_object_get(checks, fields[i].member)) {
            add_claim(c, user, subject, i, *claims);
        }
    }
    json_decref(user);
    return p;
}

/* Only for who has the user's consent, or serves an API that has: else it would be a way to ask
 * about anybody. */
static enum problem check_related(struct rest_call *c, struct store_txn *txn, const char *subject,
                                  bool *related)
{
    static const char apps[] = "SELECT 1 FROM grants g JOIN apps a ON a.id = g.app_id WHERE "
                               "g.owner = ? AND g.state = 'active' AND a.organisation_id = ?";
    static const char apis[] = "SELECT 1 FROM grants g JOIN apis a ON a.id = g.api_id WHERE "
                               "g.owner = ? AND g.state = 'active' AND a.organisation_id = ?";
    const struct store_value v[] = {store_text(subject), store_text(c->user.organisation)};
    struct store_rows *rows = NULL;

    *related = access_may(c, "users.verify-anyone");
    if (*related) {
        return PROBLEM_OK;
    }
    enum store_err err = store_query(txn, c->user.role == ROLE_PROVIDER ? apis : apps, v, 2, &rows);
    if (err == STORE_OK) {
        *related = store_next(rows);
        err = store_rows_end(&rows);
    }
    return rest_store_problem(c, err);
}

static bool one_matches(const struct rest_call *c, const json_t *user, size_t i, const char *value)
{
    char stored[VALUE_MAX];
    uint8_t x[CRYPTO_HASH_LEN], y[CRYPTO_HASH_LEN];
    size_t n = 0;
    bool there = on_record(c, user, i, stored, &n);
    struct slice which = slice_str(fields[i].member);

    crypto_claim(c->ctl->verifier, which, SLICE(""), slice_of(stored, there ? n : 0), x);
    crypto_claim(c->ctl->verifier, which, SLICE(""), slice_str(value), y);
    crypto_wipe(stored, sizeof stored);
    return crypto_equal(x, y, sizeof x) && there;
}

/* All of them are compared, whatever the first says. named: for the log, without values. */
static enum problem compare(struct rest_call *c, const json_t *user, bool *match, json_t *named)
{
    enum problem p = PROBLEM_OK;
    bool all = user != NULL;

    for (size_t i = 0; p == PROBLEM_OK && i < COUNT(fields); i++) {
        if (!json_object_get(c->body, fields[i].member)) {
            continue;
        }
        const char *value = rest_body_text(c, fields[i].member, VALUE_MAX - 1, &p);
        bool one = p == PROBLEM_OK && one_matches(c, user, i, value);
        all = all && one;
        json_array_append_new(named, json_string(fields[i].member));
    }
    *match = all;
    if (p == PROBLEM_OK && json_array_size(named) == 0) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "",
                      "one of real_name, id_number, phone, email and birth_date is needed");
    }
    return p;
}

static enum problem log_outcome(struct rest_call *c, struct store_txn *txn, const char *id,
                                bool match, json_t *named)
{
    json_t *after = json_pack("{s:b, s:O}", "match", match, "fields", named);
    char *text = json_dumps(after, JSON_COMPACT | JSON_SORT_KEYS);
    const struct operation op = {.at_ms = c->now_ms,
                                 .actor = c->user.login,
                                 .action = "verify-fields",
                                 .kind = "user",
                                 .id = id,
                                 .after = text};
    enum store_err err = text ? log_operation(txn, &op) : STORE_EIO;

    free(text);
    json_decref(after);
    return rest_store_problem(c, err);
}

static enum problem load(struct rest_call *c, const char *subject, struct failures *f,
                         json_t **user)
{
    struct store_txn *txn = NULL;
    bool related = false;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    failures_of(f, c->user.id, subject);
    if (p != PROBLEM_OK) {
        return p;
    }
    p = failures_load(c, txn, f);
    if (p == PROBLEM_OK) {
        p = failures_wait(c, f);
    }
    if (p == PROBLEM_OK) {
        p = check_related(c, txn, subject, &related);
    }
    if (p == PROBLEM_OK && related) {
        p = take_user(c, txn, subject, user);
    }
    store_rollback(&txn);
    return p;
}

static enum problem answer(struct rest_call *c, const struct failures *f, const json_t *user,
                           bool match, json_t *named)
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn,
                        log_outcome(c, txn, user ? row_text(user, "id") : "", match, named));
    }
    if (p == PROBLEM_OK && !match) {
        p = failures_note(c, f, true, NULL); /* a value cannot be found by trying */
        p = p == PROBLEM_OK ? PROBLEM_USER_DATA_MISMATCH : p;
    }
    return p == PROBLEM_OK ? rest_answer(c, 200, json_pack("{s:b}", "match", true)) : p;
}

enum problem rest_verify_fields(struct rest_call *c)
{
    static const char *const members[] = {"subject", "real_name",  "id_number", "phone",
                                          "email",   "birth_date", NULL};
    const char *subject = NULL;
    json_t *user = NULL, *named = json_array();
    struct failures f;
    bool match = false;
    enum problem p = rest_body_members(c, members);

    if (p == PROBLEM_OK) {
        subject = rest_body_text(c, "subject", 128, &p);
    }
    if (p == PROBLEM_OK) {
        p = load(c, subject, &f, &user);
    }
    if (p == PROBLEM_OK) {
        p = compare(c, user, &match, named);
    }
    if (p == PROBLEM_OK) {
        p = answer(c, &f, user, match, named);
    }
    json_decref(user);
    json_decref(named);
    return p;
}
