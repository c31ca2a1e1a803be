/* SPDX-License-Identifier: Apache-2.0 */
/* What a source holds, in neutral types, read live by the catalogue calls of ODBC. */
#pragma once
#include <jansson.h>

#include "data/query/query.h"
#include "data/sources/odbc.h"

#define METADATA_TABLES_MAX 10000

/* Names are matched exactly; schema may be "". *items: a new array of {schema,name,type}. */
enum source_err metadata_tables(struct source *s, json_t **items)
    __attribute__((warn_unused_result));
/* *columns: a new array of {name,type,length,nullable,key,native_type,comment}; empty: there is no
 * such table. */
enum source_err metadata_columns(struct source *s, const char *schema, const char *table,
                                 json_t **columns) __attribute__((warn_unused_result));
/* What the source says of a table beyond that: *about gets comment and bytes, the columns their
 * comments, where it can tell. */
enum source_err metadata_details(struct source *s, const char *schema, const char *table,
                                 json_t *columns, json_t *about)
    __attribute__((warn_unused_result));
/* The neutral type of an ODBC type and the database's own name for it. */
enum query_type metadata_type(int odbc_type, const char *native);
