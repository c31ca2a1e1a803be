/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of admission/ share and nobody else needs. */
#pragma once
#include "admission/admission.h"
#include "api/api.h"

#define DAY_MS          (86400ull * 1000)
#define ADMISSION_VALUE 128 /* room for a setting */
#define APPLICANT_ROLES (ROLE_STAFF | ROLE_DEVELOPER | ROLE_PROVIDER)

/* common.c */
json_t *admission_time(uint64_t ms);
/* Whether the query has a row; each a bound value. */
enum problem admission_exists(struct rest_call *c, struct store_txn *txn, const char *sql,
                              const struct store_value *v, size_t n, bool *there);
enum problem admission_count(struct rest_call *c, struct store_txn *txn, const char *sql,
                             const struct store_value *v, size_t n, int64_t *count);
/* The texts of a query's first column, appended. */
enum problem admission_texts(struct rest_call *c, struct store_txn *txn, const char *sql,
                             const struct store_value *v, size_t n, json_t *texts);
/* A notice; organisation NULL: to the operators. */
enum problem admission_tell(struct rest_call *c, struct store_txn *txn, const char *notice,
                            const char *organisation, const struct resource *res, const json_t *row,
                            const char *name, const char *detail);
/* id names a document that is there and that the caller may see. */
enum problem admission_document(struct rest_call *c, struct store_txn *txn, const char *where,
                                const json_t *id);
/* Stores a row's new state with the action; row is edited. */
enum problem admission_move(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                            json_t *row, const char *state, const char *action);
/* The visible, writable row that the call's path names, under its If-Match. *row: the caller's. */
enum problem admission_load_path(struct rest_call *c, struct store_txn *txn,
                                 const struct resource *res, json_t **row);
bool admission_state_is(const json_t *row, const char *state);

/* settings.c */
enum problem admission_setting(struct rest_call *c, struct store_txn *txn, const char *name,
                               char value[static ADMISSION_VALUE]);
enum problem admission_setting_on(struct rest_call *c, struct store_txn *txn, const char *name,
                                  bool *on);
enum problem admission_setting_int(struct rest_call *c, struct store_txn *txn, const char *name,
                                   int64_t *value);

/* reviews.c */
struct review_step {
    char name[64], reviewer_role[16];
    bool last;
};
/* PROBLEM_STATE_CONFLICT when the form kind has no such step. */
enum problem review_step_load(struct rest_call *c, struct store_txn *txn, const char *form_kind,
                              int64_t position, struct review_step *step);

/* approval.c, effects.c: what an approval needs and what follows from it. */
enum problem approval_check(struct rest_call *c, struct store_txn *txn, const json_t *application);
enum problem approval_effects(struct rest_call *c, struct store_txn *txn,
                              const json_t *application);

/* assessments.c */
struct rating {
    const char *name;
    int64_t score; /* from which it is given */
    bool a2;       /* may call APIs of class A2 */
    int64_t max_level;
    int64_t max_owners; /* that may be linked to its apps; 0: none */
};
/* NULL *rating: the organisation has no assessment that counts. */
enum problem rating_of(struct rest_call *c, struct store_txn *txn, const char *organisation,
                       const struct rating **rating);

/* risk_classes.c: what a party of that rating may do by an API that moves money; of any other API
 * it says nothing. 0: no bound. */
struct risk_bounds {
    bool permitted;
    json_int_t call_cents, day_cents;
};
enum problem risk_bounds_of(struct rest_call *c, struct store_txn *txn, const char *rating,
                            const json_t *api, struct risk_bounds *bounds);

/* certificates.c: "none", or kinds of qualification certificate with commas between them. */
bool certificates_list_ok(const char *text);
/* The first kind the setting asks for that the organisation has no valid one of; "" when none. */
enum problem certificates_lacking(struct rest_call *c, struct store_txn *txn,
                                  const char *organisation, char kind[static ADMISSION_VALUE]);

/* terms.c: the nodes are told the subscriptions of an app, or of an organisation's apps, anew. */
enum problem terms_refeed_app(struct rest_call *c, struct store_txn *txn, const char *app_id);
enum problem terms_refeed_organisation(struct rest_call *c, struct store_txn *txn,
                                       const char *organisation);

/* Takes offline what an organisation composes of others' APIs without a privacy agreement. */
enum problem terms_stop_composed(struct rest_call *c, struct store_txn *txn,
                                 const char *organisation);
