/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong with third parties' software and what they owe the platform on their safety
 * (EC-7.2.1, EC-7.2.2, EC-5.1f): incidents with a date to be fixed by, periodic reports
 * with a date to be made by, notices of major changes. What is overdue is told, and by rule
 * suspends. */
#pragma once
#include "sandbox/stage.h"

enum problem incident_contain(struct rest_call *c); /* POST incidents/{id}/contain */
enum problem incidents_job(struct rest_call *c);    /* a job */
enum problem report_duties_job(struct rest_call *c);
/* report_duties.c: a report of this kind was accepted: the duty's next one is due later. */
enum problem report_duty_met(struct rest_call *c, struct store_txn *txn, const char *organisation,
                             const char *kind);

extern const char *const self_report_kinds[]; /* NULL-terminated */
extern const struct resource incidents_resource;
extern const struct resource self_reports_resource;
extern const struct resource report_duties_resource;
