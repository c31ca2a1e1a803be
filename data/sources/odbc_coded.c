/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "data/sources/odbc_inner.h"

bool source_needs_coding(const struct source *s)
{
    return s->encoding && !(s->dialect && s->dialect->utf8);
}

bool source_code_params(struct source *s, const struct source_param *params, size_t n,
                        struct coded *coded)
{
    buf_init(&coded->text);
    coded->params = calloc(n + 1, sizeof *coded->params);
    if (!coded->params)
        return false;
    for (size_t i = 0; i < n; i++) { /* first all of them: the text may move as it grows */
        size_t at = coded->text.n;
        coded->params[i] = params[i];
        if (params[i].is_integer || params[i].is_null || params[i].is_binary)
            continue;
        if (!encoding_encode(s->encoding, params[i].text, &coded->text))
            return false;
        coded->params[i].text.n = coded->text.n - at;
    }
    for (size_t i = 0, at = 0; i < n; i++) {
        if (params[i].is_integer || params[i].is_null || params[i].is_binary)
            continue;
        coded->params[i].text.p = coded->text.p ? coded->text.p + at : "";
        at += coded->params[i].text.n;
    }
    return true;
}

void source_coded_end(struct coded *coded)
{
    free(coded->params);
    buf_wipe(&coded->text);
}
