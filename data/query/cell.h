/* SPDX-License-Identifier: Apache-2.0 */
/* A value of a source as JSON. What does not look like its type becomes a string, so an answer is
 * JSON whatever a source holds; bytes that are not UTF-8 become U+FFFD. */
#pragma once
#include "base/buf.h"
#include "data/query/query.h"

enum cell_style {
    CELL_ISO,    /* 2026-01-02T03:04:05.678 */
    CELL_SECONDS /* 2026-01-02 03:04:05, midnight for a bare date (CI-A.3f) */
};

void cell_write(struct buf *out, enum query_type type, struct slice value);
/* Always a JSON string; dates in the given style (the credit profiles). */
void cell_write_text(struct buf *out, enum query_type type, enum cell_style style,
                     struct slice value);
/* The same value without JSON around it: what cell_write() puts between quotes, before escapes.
 * True: it is a literal (number, boolean, JSON), which JSON has without quotes. */
bool cell_plain(struct buf *out, enum query_type type, struct slice value);
