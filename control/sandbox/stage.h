/* SPDX-License-Identifier: Apache-2.0 */
/* What the test stage, incidents, reports and exits of third parties share: settings, times and
 * changes that the platform makes by itself. */
#pragma once
#include "rest/resource.h"

#define STAGE_DAY_MS (86400ull * 1000)
#define STAGE_BATCH_MAX                                                                            \
    200 /* rows of one turn of a job, so that it never holds the store for long */
#define STAGE_OWN_APP "t.app_id IN (SELECT id FROM apps WHERE organisation_id = ?)"

/* Settings are rows with names that nobody adds to. Unknown names are a bug of ours. */
#define STAGE_SETTING_MAX 200
enum problem stage_setting(struct rest_call *c, struct store_txn *txn, const char *name,
                           char value[static STAGE_SETTING_MAX]);
enum problem stage_setting_days(struct rest_call *c, struct store_txn *txn, const char *name,
                                uint64_t *days);
enum problem stage_setting_on(struct rest_call *c, struct store_txn *txn, const char *name,
                              bool *on);
extern const struct resource stage_settings_resource;

/* A document that the caller sees; where: the JSON pointer of its id. */
enum problem stage_document(struct rest_call *c, struct store_txn *txn, const char *where,
                            const char *id);
json_t *stage_time(uint64_t ms); /* as rows have it; 0: null */
/* Notes who and when: by "accepted" and the caller, accepted_by and accepted_at. */
void stage_sign(struct rest_call *c, json_t *row, const char *done);
/* The app must be one the caller's organisation has; staff may speak of each. *app: the caller's,
 * NULL when refused. */
enum problem stage_app(struct rest_call *c, struct store_txn *txn, const json_t *row, json_t **app);
/* A notice of an app's row: to its organisation, or with `to_operators` to the operators. */
enum problem stage_tell(struct rest_call *c, struct store_txn *txn, const char *kind,
                        const char *object_kind, const json_t *row, const char *app_id,
                        const char *detail, bool to_operators);
/* Changes a row as its table's action would, without asking who calls. state NULL: it stays; row is
 * the new row with its old state. */
enum problem stage_change(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                          const json_t *old, json_t *row, const char *state, const char *action);
/* Suspends an app that is admitted, and says why to its organisation. */
enum problem stage_suspend_app(struct rest_call *c, struct store_txn *txn, const char *app_id,
                               const char *why);
/* Revokes each active grant of the app that was made at `since_ms` or later. */
enum problem stage_revoke_grants(struct rest_call *c, struct store_txn *txn, const char *app_id,
                                 uint64_t since_ms, const char *why);
/* Each id that sql gives, bound to now + ahead_ms where it asks for a time, STAGE_BATCH_MAX at
 * most, is visited in a transaction of its own: a job killed between two goes on, and one that
 * fails holds up no other. The first problem. */
typedef enum problem (*stage_visit)(struct rest_call *c, struct store_txn *txn, json_t *row);
enum problem stage_each_due(struct rest_call *c, const char *sql, uint64_t ahead_ms,
                            const struct resource *res, stage_visit visit);
/* The same outside any transaction: who is visited asks somebody, and opens its own. */
typedef enum problem (*stage_outside)(struct rest_call *c, const char *id, void *arg);
enum problem stage_each_id(struct rest_call *c, const char *sql, uint64_t ahead_ms,
                           stage_outside visit, void *arg);
