/* SPDX-License-Identifier: Apache-2.0 */
/* The platform's own plans for emergencies (BK-10.5a): each version approved by somebody else than
 * its author, owned by somebody, and practised by the clock. */
#pragma once
#include "rest/resource.h"

enum problem emergency_plans_job(struct rest_call *c); /* tells of a drill that is overdue */

extern const struct resource emergency_plans_resource;
