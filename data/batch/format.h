/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as a file: CSV (RFC 4180), NDJSON, XML 1.0. Pure functions; text is UTF-8. What a program
 * that opens a file might take for a formula is given as text (CSV), what XML cannot hold becomes
 * U+FFFD. Null and the empty text stay two things: nothing and "" in CSV, null and "" in NDJSON,
 * nil="true" and an empty element in XML. */
#pragma once
#include "base/buf.h"

enum format { FORMAT_CSV, FORMAT_NDJSON, FORMAT_XML, FORMATS };

struct format_cell {
    bool null, literal; /* literal: a number, a boolean or JSON, text as it stands */
    struct slice text;
};

struct format_column {
    struct slice name, member; /* member: `"name":` in JSON */
};

const char *format_name(enum format format);
const char *format_media_type(enum format format);
/* FORMATS when there is none of the name. */
enum format format_by_name(struct slice name);

/* What a program that opens a CSV file might take for a formula: CSV gives it as text. */
bool format_is_formula(struct slice text);

void format_begin(struct buf *out, enum format format, const struct format_column *columns,
                  size_t n);
void format_row(struct buf *out, enum format format, const struct format_column *columns,
                const struct format_cell *cells, size_t n);
void format_end(struct buf *out, enum format format);
