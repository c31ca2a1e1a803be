/* SPDX-License-Identifier: Apache-2.0 */
/* Notices: what concerns somebody is told to them, in the portal always and, where they left an
 * address, by e-mail or webhook. Written in the transaction of what they tell of, so neither is
 * without the other; delivered afterwards by a job, again until it works or is given up. */
#pragma once
#include "rest/resource.h"

/* The catalogue: notices/catalogue.c. Append only: the names reach subscribers. */
struct notice_kind {
    const char *name;                /* "grant-revoked" */
    const char *title_en, *title_zh; /* one sentence; %s is the object's name */
};
const struct notice_kind *notice_kind_by_name(const char *name); /* NULL: none */

struct notice {
    const char *kind;                    /* of the catalogue, else PROBLEM_INTERNAL */
    const char *user_id;                 /* to this user; NULL: to all of the organisation */
    const char *organisation_id;         /* NULL: none; both NULL: to the operators */
    const char *object_kind, *object_id; /* what it is about, "grant" and an id */
    const char *object_name;             /* for the title; NULL: the id */
    const char *detail;                  /* a text for people, NULL: none. Never a secret. */
};
enum problem notice_put(struct rest_call *c, struct store_txn *txn, const struct notice *n)
    __attribute__((warn_unused_result));

/* The notice that a change of a resource calls for, if any: rules.c. Called by change_store(). */
enum problem notice_of_change(struct rest_call *c, struct store_txn *txn,
                              const struct resource *res, const json_t *row, const char *action);

enum problem notices_deliver(struct rest_call *c); /* a job */
extern const struct resource notices_resource;
enum problem rest_notice_kinds(struct rest_call *c); /* GET /notice-kinds */
enum problem rest_notice_test(struct rest_call *c);  /* POST /notices/test, by an operator */
