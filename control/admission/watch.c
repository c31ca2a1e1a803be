/* SPDX-License-Identifier: Apache-2.0 */
/* What falls due: each duty is a query of ids and what to do with one, in a transaction of its own
 * batch, so that a job killed half way goes on where it was. */
#include "admission/inner.h"

#define BATCH_MAX 64

static enum problem suspend_one(struct rest_call *c, struct change *ch)
{
    if (!admission_state_is(ch->row, "admitted")) {
        return PROBLEM_OK;
    }
    json_object_set_new(ch->row, "comment", json_string(ch->arg));
    return admission_move(c, ch->txn, ch->res, ch->row, "suspended", "suspend");
}

static enum problem suspend_apps(struct rest_call *c, struct store_txn *txn,
                                 const char *organisation, const char *why)
{
    return row_each(c, txn, &apps_resource, "organisation_id", organisation, suspend_one,
                    (void *)(uintptr_t)why);
}

/* Certificates --------------------------------------------------------------------------------- */
static enum problem tell_certificate(struct rest_call *c, struct store_txn *txn, const char *notice,
                                     const json_t *row)
{
    const struct resource *res = &qualification_certificates_resource;
    enum problem p = admission_tell(c, txn, notice, row_text(row, "organisation_id"), res, row,
                                    row_text(row, "number"), row_text(row, "kind"));

    return p == PROBLEM_OK ? admission_tell(c, txn, notice, NULL, res, row, row_text(row, "number"),
                                            row_text(row, "kind"))
                           : p;
}

static enum problem warn_certificate(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    json_object_set_new(row, "warned_at", admission_time(c->now_ms));
    enum problem p =
        admission_move(c, txn, &qualification_certificates_resource, row, "valid", "warn");
    return p == PROBLEM_OK ? tell_certificate(c, txn, "certificate-document-expiring", row) : p;
}

/* An expired one raises a review besides the notice (BK-9.3.4a). */
static enum problem expire_certificate(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    json_t *review = resource_row(&re_reviews_resource);

    json_object_set(review, "organisation_id", json_object_get(row, "organisation_id"));
    json_object_set_new(review, "cause", json_string("certificate"));
    json_object_set_new(review, "due_at", admission_time(c->now_ms + 7 * DAY_MS));
    enum problem p =
        admission_move(c, txn, &qualification_certificates_resource, row, "expired", "expire");
    p = p == PROBLEM_OK ? change_store(c, txn, &re_reviews_resource, NULL, review, "create") : p;
    json_decref(review);
    return p == PROBLEM_OK ? tell_certificate(c, txn, "certificate-document-expired", row) : p;
}

/* Past its grace, and without another one, a party's apps stop (GS-6.8d-2). */
static enum problem enforce_certificate(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    const char *organisation = row_text(row, "organisation_id");
    char lacking[ADMISSION_VALUE];
    bool on = false;
    enum problem p = admission_setting_on(c, txn, "admission-required", &on);

    p = p == PROBLEM_OK ? certificates_lacking(c, txn, organisation, lacking) : p;
    json_object_set_new(row, "enforced_at", admission_time(c->now_ms));
    p = p == PROBLEM_OK ? admission_move(c, txn, &qualification_certificates_resource, row,
                                         "expired", "enforce")
                        : p;
    return p == PROBLEM_OK && on && lacking[0]
               ? suspend_apps(c, txn, organisation, "a certificate that is needed is over")
               : p;
}

/* Others --------------------------------------------------------------------------------------- */
static enum problem expire_assessment(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    enum problem p = admission_move(c, txn, &assessments_resource, row, "expired", "expire");

    return p == PROBLEM_OK
               ? admission_tell(c, txn, "assessment-expired", NULL, &assessments_resource, row,
                                row_text(row, "rating"), row_text(row, "organisation_id"))
               : p;
}

static enum problem expire_agreement(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    json_object_set_new(row, "ended_at", admission_time(c->now_ms));
    return admission_move(c, txn, &agreements_resource, row, "expired", "expire");
}

static enum problem open_review(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    static const char *const same[] = {"organisation_id", "app_id"};
    json_t *review = resource_row(&re_reviews_resource);

    for (size_t i = 0; i < COUNT(same); i++) {
        json_object_set(review, same[i], json_object_get(row, same[i]));
    }
    json_object_set(review, "application_id", json_object_get(row, "id"));
    json_object_set_new(review, "cause", json_string("schedule"));
    json_object_set(review, "due_at", json_object_get(row, "review_due_at"));
    enum problem p = change_store(c, txn, &re_reviews_resource, NULL, review, "create");
    p = p == PROBLEM_OK ? admission_tell(c, txn, "re-review-opened", NULL, &re_reviews_resource,
                                         review, row_text(row, "title"), NULL)
                        : p;
    p = p == PROBLEM_OK
            ? admission_tell(c, txn, "re-review-opened", row_text(row, "organisation_id"),
                             &re_reviews_resource, review, row_text(row, "title"), NULL)
            : p;
    json_decref(review);
    return p;
}

static enum problem overdue_review(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    const char *organisation = row_text(row, "organisation_id");
    char what[ADMISSION_VALUE];
    enum problem p = admission_setting(c, txn, "overdue-review", what);

    json_object_set_new(row, "overdue_at", admission_time(c->now_ms));
    p = p == PROBLEM_OK ? admission_move(c, txn, &re_reviews_resource, row, "overdue", "overdue")
                        : p;
    p = p == PROBLEM_OK ? admission_tell(c, txn, "re-review-overdue", NULL, &re_reviews_resource,
                                         row, NULL, row_text(row, "cause"))
                        : p;
    return p == PROBLEM_OK && strcmp(what, "suspend") == 0
               ? suspend_apps(c, txn, organisation, "its review is overdue")
               : p;
}

static enum problem overdue_preparation(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    json_object_set_new(row, "overdue_at", admission_time(c->now_ms));
    enum problem p = admission_move(c, txn, &preparations_resource, row, "overdue", "overdue");
    return p == PROBLEM_OK ? admission_tell(c, txn, "preparation-overdue", NULL,
                                            &preparations_resource, row, NULL, NULL)
                           : p;
}

/* now - by a number of days of the settings, when the duty has one. */
static const struct duty {
    const char *sql;  /* ids that are due at ?, at most ? */
    const char *days; /* NULL: none */
    int sign;         /* of the days: +1 ahead of the date, -1 after it */
    const struct resource *res;
    enum problem (*act)(struct rest_call *c, struct store_txn *txn, json_t *row);
} duties[] = {
    {"SELECT id FROM qualification_certificates WHERE state = 'valid' AND warned_at IS NULL AND "
     "valid_until <= ? LIMIT ?",
     "warn-days", 1, &qualification_certificates_resource, warn_certificate},
    {"SELECT id FROM qualification_certificates WHERE state = 'valid' AND valid_until <= ? LIMIT ?",
     NULL, 0, &qualification_certificates_resource, expire_certificate},
    {"SELECT id FROM qualification_certificates WHERE state = 'expired' AND enforced_at IS NULL "
     "AND valid_until <= ? LIMIT ?",
     "grace-days", -1, &qualification_certificates_resource, enforce_certificate},
    {"SELECT id FROM assessments WHERE state = 'active' AND expires_at <= ? LIMIT ?", NULL, 0,
     &assessments_resource, expire_assessment},
    {"SELECT id FROM agreements WHERE state = 'in_force' AND expires_at <= ? LIMIT ?", NULL, 0,
     &agreements_resource, expire_agreement},
    {"SELECT id FROM applications t WHERE state = 'approved' AND review_due_at <= ? AND NOT EXISTS "
     "(SELECT 1 FROM re_reviews r WHERE r.application_id = t.id AND r.state IN ('open', "
     "'overdue')) LIMIT ?",
     "warn-days", 1, &applications_resource, open_review},
    {"SELECT id FROM re_reviews WHERE state = 'open' AND due_at <= ? LIMIT ?", NULL, 0,
     &re_reviews_resource, overdue_review},
    {"SELECT id FROM preparations WHERE state = 'open' AND due_at <= ? LIMIT ?", NULL, 0,
     &preparations_resource, overdue_preparation},
};

static enum problem due(struct rest_call *c, struct store_txn *txn, const struct duty *duty,
                        json_t *ids)
{
    int64_t days = 0;
    enum problem p = duty->days ? admission_setting_int(c, txn, duty->days, &days) : PROBLEM_OK;
    const struct store_value v[] = {
        store_int((int64_t)c->now_ms + duty->sign * days * (int64_t)DAY_MS), store_int(BATCH_MAX)};

    return p == PROBLEM_OK ? admission_texts(c, txn, duty->sql, v, COUNT(v), ids) : p;
}

static enum problem fulfil(struct rest_call *c, struct store_txn *txn, const struct duty *duty,
                           json_t *ids)
{
    enum problem p = PROBLEM_OK;
    json_t *id;
    size_t i;

    json_array_foreach(ids, i, id)
    {
        json_t *row = NULL;
        p = p == PROBLEM_OK ? api_load(c, txn, duty->res, json_string_value(id), &row) : p;
        p = p == PROBLEM_OK ? duty->act(c, txn, row) : p;
        json_decref(row);
    }
    return p;
}

/* The write lock is taken only when something is due. */
static enum problem turn(struct rest_call *c, const struct duty *duty)
{
    struct store_txn *txn = NULL;
    json_t *ids = json_array();
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = due(c, txn, duty, ids);
        store_rollback(&txn);
    }
    if (p == PROBLEM_OK && json_array_size(ids) > 0) {
        json_array_clear(ids);
        p = rest_begin(c, STORE_WRITE, &txn);
        if (p == PROBLEM_OK) {
            p = due(c, txn, duty, ids);
            p = p == PROBLEM_OK ? fulfil(c, txn, duty, ids) : p;
            p = rest_finish(c, &txn, p);
        }
    }
    json_decref(ids);
    return p;
}

enum problem admission_watch(struct rest_call *c)
{
    enum problem p = PROBLEM_OK;

    for (size_t i = 0; i < COUNT(duties); i++) {
        enum problem one = turn(c, &duties[i]);
        p = p == PROBLEM_OK ? one : p; /* one that fails does not hold up the others */
    }
    return p;
}
