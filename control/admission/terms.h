/* SPDX-License-Identifier: Apache-2.0 */
/* What an app's approved application, rating and agreements leave of a subscription: the gateway
 * is told this and no more (SW-9.8-use2b, SW-9.8-use2c, CI-6.1.4c, EC-4.2.2a4). */
#pragma once
#include "rest/resource.h"

struct admission_terms {
    bool serves;                      /* false: an agreement is needed and none names this */
    int64_t max_level;                /* at most the subscription's */
    uint64_t from_ms, to_ms;          /* 0: no bound */
    json_int_t call_cents, day_cents; /* of transactions, by the party's rating; 0: no bound */
    json_t *fields;                   /* the caller's; NULL: all of them */
    json_t *ways;                     /* the caller's: of access, as agreed; NULL: any */
    json_t *purpose;                  /* the caller's: the agreement's; NULL: none is in force */
};
enum problem admission_terms_of(struct rest_call *c, struct store_txn *txn,
                                const json_t *subscription, const json_t *api,
                                struct admission_terms *t) __attribute__((warn_unused_result));

/* terms_ways.c: what follows from an agreement's access modes and data formats (CI-6.1.4b, -d). */
/* Of an interface with access_mode and ways: each way is one of the mode's. */
bool terms_ways_agree(const json_t *interface);
/* The ways by which this interface may be reached: new; NULL: any. Empty: by none, since what the
 * API answers in is no format that was agreed on. */
enum problem terms_ways(struct rest_call *c, struct store_txn *txn, const json_t *interface,
                        const json_t *terms, json_t **ways);
/* Is `format` (of a file) one of those agreed on, where any are? True without an agreement. */
enum problem terms_format_agreed(struct rest_call *c, struct store_txn *txn, const char *app_id,
                                 const char *api_id, const char *format, bool *agreed);

/* Refuses what the rating of the app's organisation does not bear: an API's class, a level, one
 * more owner (BK-10.2.1c). PROBLEM_RISK_EXCEEDED. */
enum problem admission_subscription_allowed(struct rest_call *c, struct store_txn *txn,
                                            const json_t *subscription, const json_t *api)
    __attribute__((warn_unused_result));
enum problem admission_grant_allowed(struct rest_call *c, struct store_txn *txn,
                                     const json_t *grant) __attribute__((warn_unused_result));

/* Refuses addresses of an OAuth client outside the domains of its app's access plan. */
enum problem admission_domains_allow(struct rest_call *c, struct store_txn *txn,
                                     const json_t *client) __attribute__((warn_unused_result));

/* Whether a privacy agreement in force lets `receiver` use `api_id` of `provider` (organisations)
 * for this operation at this level (SW-9.6.2-4a, SW-9.6.2-4b); PROBLEM_AGREEMENT_MISSING when none
 * does. OK without looking when the setting privacy-agreement-required is off or both are one. */
struct admission_task {
    const char *provider, *receiver, *api_id;
    const char *operation; /* "compose", "aggregate", "model", "export" */
    int64_t level;
    bool always; /* whatever that setting says */
};
enum problem agreement_permits(struct rest_call *c, struct store_txn *txn,
                               const struct admission_task *task)
    __attribute__((warn_unused_result));
/* Every API that a composed one takes its parts from; graph: of compositions. */
enum problem agreement_permits_graph(struct rest_call *c, struct store_txn *txn,
                                     const json_t *composed_api, const json_t *graph)
    __attribute__((warn_unused_result));
/* The same by the composition that the API has. */
enum problem agreement_permits_composed(struct rest_call *c, struct store_txn *txn,
                                        const json_t *composed_api)
    __attribute__((warn_unused_result));
