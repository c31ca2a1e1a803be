/* SPDX-License-Identifier: Apache-2.0 */
/* By the clock: releases whose time has come, archives whose time is over. */
#include "services/changes.h"

enum problem services_job(struct rest_call *c)
{
    enum problem released = changes_due(c), due = archives_due(c);

    return released != PROBLEM_OK ? released : due;
}
