/* SPDX-License-Identifier: Apache-2.0 */
/* Data that leaves as files, and the rules it is masked by: the history of exports and those of
 * operators, the library of mask rules with its test bench, and the approval it takes to open what
 * was sensitive. docs/batch.md, docs/masking.md. */
#pragma once
#include "rest/resource.h"

extern const struct resource exports_resource;
extern const struct resource mask_rules_resource;
extern const struct resource declassifications_resource;

/* exports.c */
enum problem export_manifest(struct rest_call *c); /* GET exports/{id}/manifest */
/* mirror.c: a job; what the data service knows of exports becomes rows here, what operators asked
 * for becomes its jobs. */
enum problem exports_job(struct rest_call *c);

/* mask_rules.c */
enum problem mask_rule_try(struct rest_call *c); /* POST mask_rules/try */
/* Fields of level 3 that have no mask get the default rule of their tag, or else of their level;
 * what a library's rule is named after becomes its text. */
enum problem mask_rules_fill(struct rest_call *c, struct store_txn *txn, json_t *fields);
/* [{name, version, rule}] of the rules these fields are masked by. New reference. */
enum problem mask_rules_used(struct rest_call *c, struct store_txn *txn, const json_t *fields,
                             json_t **used);

/* declassifications.c: refuses a change of a dataset's fields that opens what was masked or closed;
 * that takes a declassification. */
enum problem declassification_check(struct rest_call *c, const json_t *old, const json_t *row);
