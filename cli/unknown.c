/* SPDX-License-Identifier: Apache-2.0 */
#include "unknown.h"

#include <stdio.h>
#include <string.h>

void cli_unknown_option(const char *command, const char *given, const char *const *first, size_t n,
                        size_t stride)
{
    fprintf(stderr, "sluice %s: there is no option '%s'; it takes", command, given);
    for (size_t i = 0; i < n; i++) {
        const char *name;
        memcpy(&name, (const char *)first + i * stride, sizeof name);
        fprintf(stderr, " %s%s", name[0] == '-' ? "" : "--", name);
    }
    fprintf(stderr, "\n  'sluice %s --help' explains them, with examples\n", command);
}
