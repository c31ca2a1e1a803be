/* SPDX-License-Identifier: Apache-2.0 */
/* Collection and exchange (docs/collection.md, docs/exchange.md): who exchanges (nodes), what
 * brings data in (tools, collections), each time it did (runs), what moves between zones
 * (transfers), and what every message was (records). The data service does the work; here is what
 * is to be done, by whom, and how it ended. Every step is in the store before it is asked for, so
 * a process that dies leaves nothing undone or done twice. */
#pragma once
#include "rest/resource.h"

#define EXCHANGE_OWN "t.organisation_id = ?"

extern const struct resource exchange_nodes_resource;
extern const struct resource collection_tools_resource;
extern const struct resource collections_resource;
extern const struct resource collection_runs_resource;
extern const struct resource exchange_records_resource;
extern const struct resource transfers_resource;
extern const struct resource exchange_spaces_resource;

enum problem collection_start(struct rest_call *c);      /* POST collections/{id}/start */
enum problem collection_deliver(struct rest_call *c);    /* POST collections/{id}/deliveries */
enum problem collection_quarantine(struct rest_call *c); /* GET collection_runs/{id}/quarantine */
enum problem exchange_zone(struct rest_call *c);         /* GET exchange_spaces/{id}/resources */
enum problem exchange_job(struct rest_call *c);          /* jobs: runs and transfers go on */
enum problem collections_schedule_job(struct rest_call *c);

/* For the files of this folder ------------------------------------------------------------------
 */
/* Hooks of APIs and subscriptions: what lies in an enterprise's space is for its own apps alone,
 * and it reports there signed and sealed. */
enum problem space_check_api(struct rest_call *c, struct change *ch);
enum problem space_check_subscription(struct rest_call *c, struct change *ch);
enum problem space_max_level(struct rest_call *c, struct store_txn *txn, const char *source_id,
                             json_int_t *level);
/* Is the store what an enterprise uses in its exchange space? */
enum problem space_uses(struct rest_call *c, struct store_txn *txn, const char *source_id,
                        bool *uses);
enum problem collection_check_columns(struct rest_call *c, const char *where, const json_t *v);
enum problem rest_zone_table(struct rest_call *c); /* POST sources/{id}/tables */

/* How a run or a transfer ended: rows of its attributes. */
#define EXCHANGE_REPORT                                                                            \
    {"code", ATTR_TEXT, AF_READ_ONLY | AF_FILTER}, {"place", ATTR_TEXT, AF_READ_ONLY},             \
        {"detail", ATTR_TEXT, AF_READ_ONLY}, {"received", ATTR_INT, AF_READ_ONLY},                 \
        {"accepted", ATTR_INT, AF_READ_ONLY}, {"duplicate", ATTR_INT, AF_READ_ONLY},               \
        {"blank", ATTR_INT, AF_READ_ONLY}, {"illegal", ATTR_INT, AF_READ_ONLY},                    \
        {"converted", ATTR_INT, AF_READ_ONLY}, {"quarantined", ATTR_INT, AF_READ_ONLY},            \
    {                                                                                              \
        "sm3", ATTR_TEXT, AF_READ_ONLY                                                             \
    }

json_t *exchange_time(uint64_t ms); /* as rows have it; 0: null */
json_t *exchange_row(const struct resource *res);
/* Something somebody should look at: an alert, and a notice to the operators. */
enum problem exchange_alert(struct rest_call *c, struct store_txn *txn, const char *kind,
                            const json_t *about, const char *reason);
/* PROBLEM_OK and *why "" when the tool may do what the collection asks; else *why says what not. */
enum problem tool_covers(struct rest_call *c, struct store_txn *txn, const json_t *tool,
                         const json_t *collection, char why[static 200]);
/* Makes a run; state queued, missed or refused. *row: new. */
enum problem run_make(struct rest_call *c, struct store_txn *txn, const json_t *collection,
                      const char *state, const char *cause, const char *reason, json_t *payload,
                      json_t **row);
/* Queues the collection's run, or refuses it with alert and record; *row is the run in either case.
 */
enum problem collection_queue(struct rest_call *c, struct store_txn *txn, const json_t *collection,
                              const char *cause, const char *reason, json_t *payload, json_t **row);
/* The job of a run or a transfer as the data service takes it: new; NULL and *why: it cannot be. */
enum problem collection_work(struct rest_call *c, struct store_txn *txn, const json_t *run,
                             json_t **job, char why[static 200]);
enum problem transfer_work(struct rest_call *c, struct store_txn *txn, const json_t *transfer,
                           json_t **job, char why[static 200]);
/* The source of a job: {id, kind, connection_sealed}. */
json_t *exchange_source(const struct rest_call *c, const json_t *source);
/* One record for each sender of the report. */
enum problem exchange_note(struct rest_call *c, struct store_txn *txn, const char *kind,
                           const json_t *task, const char *organisation, const json_t *receivers,
                           const json_t *report);
enum problem transfer_follow(struct rest_call *c, struct store_txn *txn, const json_t *row,
                             const json_t *report);
/* work.c: adds to a transfer's job the request that takes it to its node. */
enum problem exchange_outward(struct rest_call *c, struct store_txn *txn, const json_t *transfer,
                              json_t *job, char why[static 200]);
/* Milliseconds of the next time after now; 0: by hand alone. */
uint64_t schedule_next(const json_t *schedule, uint64_t now_ms);
enum problem schedule_check(struct rest_call *c, const char *where, const json_t *v);
uint64_t schedule_grace_ms(const json_t *schedule);
