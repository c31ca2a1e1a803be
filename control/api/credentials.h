/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a credential: how long one of its class may live, its successor, its end. */
#pragma once
#include "api/api.h"

struct credential_policy { /* days, BK-7.3.4c1 */
    int64_t default_days, max_days, overlap_days;
};
enum problem credential_policy_load(struct rest_call *c, struct store_txn *txn, const char *class,
                                    struct credential_policy *policy);
/* The class of an app's credential: given ("" when it was not), else A2 when the app may call an A2
 * API. FIELD_INVALID: A1 for such an app, whose key would outlive what A2 allows. */
enum problem credential_class(struct rest_call *c, struct store_txn *txn, const char *app_id,
                              const char *given, const char **class);
/* A whole new row as POST /credentials would make it from body (borrowed), not yet stored. *row:
 * the caller's in every case. */
enum problem credential_make(struct rest_call *c, struct store_txn *txn, json_t *body,
                             const char *id, json_t **row);
/* Voids what an app has, with the reason kept: at its exit (BK-9.4b1). */
enum problem credentials_void_app(struct rest_call *c, struct store_txn *txn, const char *app_id,
                                  const char *reason);

/* Hooks of the resources */
enum problem credential_void(struct rest_call *c, struct change *ch);
enum problem credential_lost(struct rest_call *c, struct change *ch);
enum problem credential_found(struct rest_call *c, struct change *ch);
enum problem credential_after(struct rest_call *c, struct change *ch);
enum problem credentials_follow_app(struct rest_call *c, struct change *ch);
/* Tells the organisation of an app; object: a credential or a request of it. */
enum problem credential_tell(struct rest_call *c, struct store_txn *txn, const char *kind,
                             const char *object_kind, const json_t *object);

enum problem credential_rotate(struct rest_call *c); /* POST credentials/{id}/rotate */
enum problem credentials_watch(struct rest_call *c); /* a job */
