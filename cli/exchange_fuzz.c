/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a saved exchange. Everything read lies inside it. */
#include <stdlib.h>

#include "exchange.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct slice part, struct slice all)
{
    if (part.n > 0 && (part.p < all.p || part.p + part.n > all.p + all.n)) {
        abort();
    }
}

static void check(struct exchange_message *m, struct slice all)
{
    struct slice value;
    inside(m->body, all);
    for (size_t i = 0; i < m->n_fields; i++) {
        inside(m->fields[i].name, all);
        inside(m->fields[i].value, all);
    }
    if (exchange_field(m, SLICE("content-length"), &value)) {
        inside(value, all);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct exchange_message request, response;
    struct slice all = slice_of((const char *)data, size);
    if (exchange_both(&request, &response, all) == NULL) {
        inside(request.method, all);
        inside(request.target, all);
        check(&request, all);
        check(&response, all);
    }
    if (exchange_response(&response, all) == NULL) {
        check(&response, all);
        if (response.status < 200 || response.status > 999) {
            abort();
        }
    }
    return 0;
}
