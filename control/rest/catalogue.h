/* SPDX-License-Identifier: Apache-2.0 */
/* Which operations there are, and with which fields: GET /api/v1/operation-kinds. */
#pragma once
#include "rest/rest.h"

bool catalogue_has(const char *kind, const char *action);
enum problem rest_operation_kinds(struct rest_call *c);
