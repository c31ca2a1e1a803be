/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata standards of business domains, and how far data keeps to them. */
#pragma once
#include "rest/resource.h"

#define STANDARD_ELEMENTS_MAX 512

extern const struct resource metadata_standards_resource;

/* conform.c: what differs. fields: [{name, element, type, length}], as an entry has them; element:
 * which of the standard's it is, else the one of the same name, small and capital letters alike.
 * outside: {field name: distinct values that its list of codes lacks}, NULL: not looked at. New
 * object {standard_id, code, edition, conforms, deviations: [{element, field, demand, wanted,
 * found}], beyond: [field]}; demand: missing, type, length or code-list. */
json_t *standard_report(const json_t *standard, const json_t *fields, const json_t *outside);
/* For data_client's profile: {column: [code]} of the fields whose element has a list; NULL: of
 * elements by their own names. New object. */
json_t *standard_codes(const json_t *standard, const json_t *fields);

enum problem entry_conformity(struct rest_call *c);    /* GET entries/{id}/conformity */
enum problem dataset_conformity(struct rest_call *c);  /* GET datasets/{id}/conformity */
enum problem standard_conformity(struct rest_call *c); /* GET metadata_standards/{id}/conformity */
enum problem standard_compare(struct rest_call *c);    /* GET metadata_standards/{id}/compare */
