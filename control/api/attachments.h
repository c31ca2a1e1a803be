/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of what is attached to an API, each by whoever will enforce it. */
#pragma once
#include "api/api.h"

#define ATTACHMENT_DEPTH     64           /* levels of a body */
#define ATTACHMENT_GRAPH_MAX (256u << 10) /* bytes of JSON */

enum problem attachment_check_openapi(struct rest_call *c, const char *where, const json_t *v);
enum problem attachment_check_definition(struct rest_call *c, const char *where, const json_t *v);
enum problem attachment_check_graph(struct rest_call *c, const char *where, const json_t *v);
