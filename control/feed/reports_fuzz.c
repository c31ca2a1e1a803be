/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a node's report: read or refused with a sentence, never both, never a crash. */
#include <stdlib.h>
#include <string.h>

#include "feed/reports.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char why[REPORTS_WHY_MAX];
    json_t *report = reports_read(slice_of((const char *)data, n), why);

    if ((report == NULL) == (why[0] == '\0') || !memchr(why, '\0', sizeof why)) {
        abort();
    }
    json_decref(report);
    return 0;
}
