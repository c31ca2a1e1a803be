/* SPDX-License-Identifier: Apache-2.0 */
/* What surrounds a grant: how one comes from a licence or from a request to its owner, services
 * that somebody closed, the confirmation of one transaction, what is kept as evidence. The grant
 * itself is api/grants.c. */
#pragma once
#include "rest/resource.h"

extern const struct resource licences_resource;
extern const struct resource grant_requests_resource;
extern const struct resource closures_resource;
extern const struct resource confirmations_resource;
extern const struct resource audiences_resource;
extern const struct resource corrections_resource;
/* The fields a subscription asks for beyond what its purpose needs, as far as that is declared.
 * New. */
enum problem purposes_surplus(struct rest_call *c, struct store_txn *txn,
                              const json_t *subscription, const json_t *api, json_t **surplus);
extern const struct resource purposes_resource;

/* api/grants.c ----------------------------------------------------------------------------------
 */
/* Stores a grant in txn: row has what is to be said, the rest is filled in; its id if it has none.
 */
enum problem grants_make(struct rest_call *c, struct store_txn *txn, json_t *row);
/* Revokes the grant of this row, if it is active. reason: NULL none. */
enum problem grants_end(struct rest_call *c, struct store_txn *txn, const json_t *old,
                        const char *reason);
/* PROBLEM_CONSENT_INCOMPLETE unless the body says act and statement. */
enum problem consent_by_clerk(struct rest_call *c);

/* licences.c: the licence whose grant this is, if it is one's, ends with it. */
/* POST /licences/upload: the file and what it is about in one call. */
enum problem rest_licence_upload(struct rest_call *c);
enum problem licences_follow(struct rest_call *c, struct store_txn *txn, const json_t *grant);

/* closures.c: PROBLEM_SERVICES_CLOSED when the owner closed the services of this app, or of all. */
enum problem closures_refuse(struct rest_call *c, struct store_txn *txn, const char *owner,
                             const char *app_id);
/* Closes for the signed-in owner, at once; app_id NULL: all apps. */
enum problem closures_close(struct rest_call *c, struct store_txn *txn, const char *app_id,
                            const char *statement);
/* Ends a closure of the signed-in owner's. */
enum problem closures_reopen(struct rest_call *c, struct store_txn *txn, const char *id);

/* audiences.c: the audience a grant names is its owner's and there; who is in it (new reference;
 * NULL: the grant names none, and is for everybody). */
enum problem audiences_check(struct rest_call *c, struct store_txn *txn, const json_t *grant);
enum problem audiences_members(struct rest_call *c, struct store_txn *txn, const json_t *grant,
                               json_t **members);

/* push.c: what an app asks its user to confirm. */
#define CONFIRMATION_LIFE_S 300                      /* to decide, and at most from then on */
enum problem confirmation_push(struct rest_call *c); /* POST /oauth/confirmations */
/* confirmations.c: the undecided one of the page's secret; PROBLEM_AUTHORIZATION_INVALID. */
enum problem confirmation_load(struct rest_call *c, struct store_txn *txn, const char *secret,
                               json_t **row);
/* What the user of c decided on a page that said `statement`. sealed: what the app shows the
 * gateway; "" when refused. */
struct confirmation_decision {
    bool agreed;
    const char *statement;
    const char *risk_version; /* NULL: there was no notice */
};
#define CONFIRMATION_SEALED_MAX 512
enum problem confirmation_decide(struct rest_call *c, struct store_txn *txn, const json_t *old,
                                 const struct confirmation_decision *d,
                                 char sealed[static CONFIRMATION_SEALED_MAX]);
enum problem confirmations_expire(struct rest_call *c); /* a job */

/* risk.c: the notice an API of this operation needs (BK-10.2.2c); version NULL: none. */
struct consent_risk {
    const char *version, *en, *zh;
};
const struct consent_risk *consent_risk_of(const json_t *api);      /* of a consent; NULL: none */
const struct consent_risk *consent_risk_of_call(const json_t *api); /* of one transaction */

/* evidence.c */
/* Every act on a resource as the chained operations log has it, appended to acts. */
enum problem evidence_acts(struct rest_call *c, struct store_txn *txn, const char *id,
                           json_t *acts);
enum problem rest_grant_evidence(struct rest_call *c); /* GET /grants/{id}/evidence */

/* personal.c */
enum problem rest_me_data(struct rest_call *c);  /* GET /users/me/data */
enum problem rest_me_close(struct rest_call *c); /* POST /users/me/close */

/* purposes.c */
enum problem rest_subscription_surplus(struct rest_call *c); /* GET /subscriptions/{id}/surplus */

/* use.c: what nodes say of the use of grants; at most once a minute of each reaches the store. */
enum problem grants_used(struct rest_call *c, struct store_txn *txn, const char *grant_id,
                         uint64_t at_ms);
