/* SPDX-License-Identifier: Apache-2.0 */
/* Queries developed in place, and their versions. */
#pragma once
#include "rest/resource.h"

extern const struct resource query_versions_resource;
enum problem query_try(struct rest_call *c); /* POST datasets/{id}/try */
