/* SPDX-License-Identifier: Apache-2.0 */
/* A provider's own query: SQL with named parameters, `:name`. Each becomes a `?` to bind; nothing
 * of a caller becomes part of the text. What cannot be read without doubt is refused, not guessed
 * at: comments, `;`, `?`, backslashes and dollars, which databases read differently. Pure; what the
 * statement may do is the read-only connection's to hold. */
#pragma once
#include "base/buf.h"
#include "data/query/query.h"

#define TEMPLATE_BYTES_MAX 8192
#define TEMPLATE_ARGS_MAX  QUERY_ORDER_MAX
#define TEMPLATE_MARKS_MAX 64

/* NULL, or what is wrong with it (static). out: the text with `?`; marks[i]: which of the arguments
 * the i-th is. */
const char *template_compile(struct slice text, const struct query_argument *arguments, size_t n,
                             struct buf *out, uint16_t marks[static TEMPLATE_MARKS_MAX],
                             size_t *n_marks) __attribute__((warn_unused_result));
