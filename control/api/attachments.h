/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of what is attached to an API, each by whoever will enforce it. */
#pragma once
#include "api/api.h"

#define ATTACHMENT_DEPTH    66           /* levels of a body: SCHEMA_DOCUMENT_DEPTH and its own */
#define ATTACHMENT_WSDL_MAX (512u << 10) /* bytes */

enum problem attachment_check_openapi(struct rest_call *c, const char *where, const json_t *v);
enum problem attachment_check_definition(struct rest_call *c, const char *where, const json_t *v);
enum problem attachment_check_graph(struct rest_call *c, const char *where, const json_t *v);
/* Takes `wsdl` of the body, with `get_operations`, as the row's definition. */
enum problem attachment_from_wsdl(struct rest_call *c, json_t *row);
