/* SPDX-License-Identifier: Apache-2.0 */
/* The joint test before an app goes live (GS-6.9.2e-2, CI-6.1.6a): in state `testing` it calls the
 * gateway as it will later and gets synthetic data (gateway/caller/sandbox.c, data/sandbox.h); each
 * call is kept here and counts for its test report, without which, when the platform says so, the
 * app does not go live. */
#pragma once
#include "sandbox/stage.h"

/* May this app (as it would be) go live? PROBLEM_TEST_REPORT_MISSING says what it lacks. Asked
 * where apps.c admits, resumes or raises an environment. OK while the platform demands nothing. */
enum problem sandbox_gate(struct rest_call *c, struct store_txn *txn, const json_t *app);

/* Hooks of apps: it enters its test stage; it left it, and what was made for the stage ends. */
enum problem sandbox_enter(struct rest_call *c, struct change *ch);
enum problem sandbox_follow_app(struct rest_call *c, struct change *ch);

bool test_report_kind_known(const char *kind);
/* A report of a call of the test stage from a node (contract/feed.md, sandbox-call). */
enum problem sandbox_call_store(struct rest_call *c, struct store_txn *txn, const json_t *event,
                                const char *node);
/* What the calls of the app's present test stage show: {"passed": bool, "cases": […]}, new. */
enum problem sandbox_evaluate(struct rest_call *c, struct store_txn *txn, const json_t *app,
                              json_t **result);
enum problem sandbox_test_report(struct rest_call *c); /* POST apps/{id}/test-report */
enum problem sandbox_job(struct rest_call *c);         /* a job: what is due, what is old */

/* preparations.c: opens the list of an app that entered its test stage; is it complete? */
enum problem test_preparation_open(struct rest_call *c, struct store_txn *txn, const char *app_id);
enum problem test_preparation_done(struct rest_call *c, struct store_txn *txn, const char *app_id,
                                   bool *done);
enum problem test_preparations_due(struct rest_call *c); /* part of the job */

extern const struct resource test_reports_resource;
extern const struct resource sandbox_calls_resource;
extern const struct resource test_preparations_resource;
