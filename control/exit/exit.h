/* SPDX-License-Identifier: Apache-2.0 */
/* An app leaves in order (BK-9.4): announced, with those concerned told and nothing new begun;
 * settled; ended on its date in one transaction; then the order to delete, its receipt, closed.
 * Each step is a state, and none can be jumped. Everything by the clock goes on where it stopped
 * when the process dies. */
#pragma once
#include "sandbox/stage.h"

/* STATE_CONFLICT while the app is about to leave: nothing new is begun with it. */
enum problem exit_refuse_new(struct rest_call *c, struct store_txn *txn, const char *app_id);

/* Hook of apps: with `exit-required` what was live leaves by an exit alone. */
enum problem exit_hold_app(struct rest_call *c, struct change *ch);

/* order.c: what the app was given: an array of {api_id, name, class, fields, from, to, owners},
 * new. To be asked before the grants end. */
enum problem exit_order(struct rest_call *c, struct store_txn *txn, const char *app_id,
                        json_t **order);
/* end.c: all that ends with the app, in txn; the exit's row becomes `ended`. */
enum problem exit_end(struct rest_call *c, struct store_txn *txn, json_t *row);
/* duties.c: what outlives the exit, from its row. */
enum problem exit_duties_open(struct rest_call *c, struct store_txn *txn, const json_t *exit);
/* Tells the organisation's record which of them are in force. */
enum problem exit_duties_note(struct rest_call *c, struct store_txn *txn, const char *organisation);
enum problem exit_check_surviving(struct rest_call *c, const char *where, const json_t *v);
/* The end of a surviving duty of the kind, of the exit's row; 0: it has none. */
uint64_t exit_duty_until(const json_t *exit, const char *kind);

enum problem exit_receipt(struct rest_call *c);     /* POST exits/{id}/receipt */
enum problem exits_notify_job(struct rest_call *c); /* jobs */
enum problem exits_end_job(struct rest_call *c);
enum problem exits_remind_job(struct rest_call *c);

extern const struct resource exits_resource;
extern const struct resource exit_notices_resource;
extern const struct resource exit_duties_resource;
