/* SPDX-License-Identifier: Apache-2.0 */
/* First byte: the format. Whatever comes is rows of known columns, or an error that is said. */
#include <stdlib.h>

#include "data/files/inner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct files_detail detail = {""};
    struct records r;
    if (n == 0)
        return 0;
    struct slice text = slice_of((const char *)data + 1, n - 1);
    if (!records_init(&r, &detail))
        abort();
    bool ok = data[0] % 4 == 0   ? read_csv(&r, text)
              : data[0] % 4 == 1 ? read_ndjson(&r, text)
              : data[0] % 4 == 2 ? read_json(&r, text)
                                 : read_xml(&r, text, NULL);
    if (ok != (r.err == FILES_OK) || (!ok && !detail.text[0]) || r.n > ZONE_COLUMNS_MAX)
        abort();
    records_types(&r);
    for (size_t i = 0; i < r.n; i++)
        if (!r.columns[i].name[0])
            abort();
    records_fini(&r);
    return 0;
}
