/* SPDX-License-Identifier: Apache-2.0 */
/* Data that leaves as files, and the rules it is masked by: the history of exports and those of
 * operators, the library of mask rules with its test bench, and the approval it takes to open what
 * was sensitive. docs/batch.md, docs/masking.md. */
#pragma once
#include "rest/resource.h"

/* What POST /exports would make of body (borrowed), by the platform. *row: new, in every case. */
enum problem export_request(struct rest_call *c, struct store_txn *txn, json_t *body, json_t **row);
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

/* uploads.c: files handed in by tus 1.0 */
#define UPLOAD_PATH_MAX 4200
extern const struct resource uploads_resource;
enum problem upload_create(struct rest_call *c); /* POST uploads */
enum problem upload_head(struct rest_call *c);   /* HEAD uploads/{id} */
enum problem upload_patch(struct rest_call *c);  /* PATCH uploads/{id} */
enum problem upload_delete(struct rest_call *c); /* DELETE uploads/{id} */
enum problem uploads_job(struct rest_call *c);   /* a job: those whose time is over */
/* Where the bytes of a complete one lie. */
void upload_path(const struct control *ctl, const char *id, char path[static UPLOAD_PATH_MAX]);

/* source_files.c: uploads that become files of a source (docs/files.md) */
extern const struct resource source_files_resource;
enum problem source_files_job(struct rest_call *c); /* a job: sends them to the data service */

/* packages.c: exports sealed to a receiver, and what is sealed to the platform */
extern const struct resource packages_resource;
enum problem package_content(struct rest_call *c); /* GET packages/{id}/content */
/* Verifies and opens the package at path, of an upload's row, which gets `package`. SEAL_INVALID:
 * of nobody known, changed, or not for the platform. */
enum problem package_judge(struct rest_call *c, json_t *row, const char *path);
enum problem packages_keep_key(struct rest_call *c); /* the platform's, shown among its keys */
