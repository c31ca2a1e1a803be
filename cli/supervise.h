/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice serve`: the roles as children of one process. A role that ends is started again, the
 * others are left alone; all are stopped in reverse order of their start. */
#pragma once
#include "settings.h"

/* argv: of serve, passed on to each role. Returns the exit code. */
int supervise(const struct settings *s, int argc, char **argv);
