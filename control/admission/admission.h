/* SPDX-License-Identifier: Apache-2.0 */
/* Admission: from an application to an app that may be active, and what keeps it so. What others
 * ask is in gate.h (may this app be active) and terms.h (what does its agreement name). */
#pragma once
#include "rest/resource.h"

extern const struct resource admission_settings_resource;
extern const struct resource review_steps_resource;
extern const struct resource applications_resource;
extern const struct resource application_versions_resource;
extern const struct resource application_reviews_resource;
extern const struct resource risk_classes_resource;
extern const struct resource assessments_resource;
extern const struct resource qualification_certificates_resource;
extern const struct resource signing_keys_resource;
extern const struct resource agreement_templates_resource;
extern const struct resource agreements_resource;
extern const struct resource filings_resource;
extern const struct resource preparations_resource;
extern const struct resource re_reviews_resource;
extern const struct resource major_changes_resource;
extern const struct resource app_versions_resource;

enum problem rest_form_kinds(struct rest_call *c);          /* GET /form-kinds */
enum problem rest_assessment_criteria(struct rest_call *c); /* GET /assessment-criteria */
enum problem rest_agreement_clauses(struct rest_call *c);   /* GET /agreement-clauses */
enum problem
rest_application_verify(struct rest_call *c);          /* POST /applications/{id}/verify-identity */
enum problem rest_agreement_sign(struct rest_call *c); /* POST /agreements/{id}/sign */
enum problem rest_app_admission(struct rest_call *c);  /* GET /apps/{id}/admission */
enum problem rest_app_access_record(struct rest_call *c); /* GET /apps/{id}/access-record */
enum problem admission_watch(struct rest_call *c);        /* a job: ends, warnings, re-reviews */
