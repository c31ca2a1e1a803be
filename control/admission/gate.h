/* SPDX-License-Identifier: Apache-2.0 */
/* The gate before an app becomes active (BK-9.1.1a): a table of conditions, each with what is
 * missing and the next step. Another part adds its own as a row of gate.c. */
#pragma once
#include "rest/resource.h"

struct gate_condition {
    const char *name;    /* "agreement" */
    const char *missing; /* what to say when it does not hold: "a signed agreement" */
    const char *next;    /* the next step, for people */
    enum problem (*holds)(struct rest_call *c, struct store_txn *txn, const json_t *app,
                          bool *holds);
};

/* PROBLEM_ADMISSION_INCOMPLETE, naming all that is missing, unless the setting admission-required
 * is off or every condition holds. app: a whole row of apps. */
enum problem admission_gate(struct rest_call *c, struct store_txn *txn, const json_t *app)
    __attribute__((warn_unused_result));
/* Answers with what `what` says of the app that the path names, if the caller sees it. */
typedef enum problem (*gate_describe)(struct rest_call *c, struct store_txn *txn, const json_t *app,
                                      json_t **answer);
enum problem gate_describe_app(struct rest_call *c, gate_describe what)
    __attribute__((warn_unused_result));
#define APP_VERSION_MAX 40
/* The version of the app that is live; "": none was filed and went live (versions.c). */
enum problem app_version_live(struct rest_call *c, struct store_txn *txn, const char *app_id,
                              char version[static APP_VERSION_MAX + 1])
    __attribute__((warn_unused_result));

/* The same as a transition's hook of apps. */
enum problem admission_gate_hook(struct rest_call *c, struct change *ch);
