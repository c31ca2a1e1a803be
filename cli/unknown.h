/* SPDX-License-Identifier: Apache-2.0 */
/* The answer to an option that does not exist: those that do. */
#pragma once
#include <stddef.h>

/* Says on stderr that `sluice command` has no option `given` and which it takes. first: the name
 * (const char *) in the first row of any table of n options, each stride bytes long; a name may
 * leave out its "--". */
void cli_unknown_option(const char *command, const char *given, const char *const *first, size_t n,
                        size_t stride);
