/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a provider's own query: refused, or it is one statement that reads, its quotes
 * closed, each parameter a `?` and no other `?` in it. */
#include <stdlib.h>

#include "data/query/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What stands outside quotes: none of what begins another statement or a comment. */
static void check(const struct buf *out, size_t n_marks)
{
    char quote = 0;
    size_t marks = 0;
    for (size_t i = 0; i < out->n; i++) {
        char c = out->p[i], next = i + 1 < out->n ? out->p[i + 1] : '\0';
        marks += c == '?';
        if (c == '\\' || (quote && c == '?'))
            abort();
        if (quote) {
            quote = c == quote ? 0 : quote;
            continue;
        }
        if (c == '\'' || c == '"')
            quote = c;
        if (c == '\0' || strchr(";$`#", c) || (c == '-' && next == '-') ||
            (c == '/' && next == '*'))
            abort();
    }
    if (quote || marks != n_marks)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct buf out;
    static const struct query_argument arguments[] = {
        {.name = {"a", 1}, .type = QUERY_STRING},
        {.name = {"from_day", 8}, .type = QUERY_DATE},
    };
    uint16_t marks[TEMPLATE_MARKS_MAX];
    size_t n_marks = 0;
    if (template_compile(slice_of((const char *)data, n), arguments, 2, &out, marks, &n_marks))
        return 0;
    for (size_t i = 0; i < n_marks; i++)
        if (marks[i] > 1)
            abort();
    check(&out, n_marks);
    return 0;
}
