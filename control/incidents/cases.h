/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody must look into and answer for: an anomaly that was alerted, a risk hit, a
 * production incident, a problem a check found, a defect a party reports. Each has a grade with a
 * deadline, a handler, measures and a result; what is not taken up or not done in time is
 * escalated; it may be shared with the party it is about, whose answers are kept in it (BK-10.2,
 * BK-10.5, CI-8.2). */
#pragma once
#include "rest/resource.h"

enum problem case_answer(struct rest_call *c);    /* POST cases/{id}/answer */
enum problem case_blacklist(struct rest_call *c); /* POST cases/{id}/blacklist: case_end.c */
enum problem case_evidence(struct rest_call *c);  /* GET cases/{id}/evidence */
enum problem cases_job(struct rest_call *c);      /* a job: opens those of alerts, escalates */

/* cases.c, for cases_job.c */
void case_set_due(const struct rest_call *c, json_t *row);
uint64_t case_answer_ms(const json_t *row); /* until when somebody must have taken it up */

extern const struct resource cases_resource;
