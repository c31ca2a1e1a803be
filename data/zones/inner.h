/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. */
#pragma once
#include <sqlite3.h>

#include "base/buf.h"
#include "data/zones/zones.h"

#define ZONE_STAGE "_sluice_stage" /* the load's rows before its commit */

struct zone {
    sqlite3 *db;
    /* the load under way */
    bool loading;
    enum zone_mode mode;
    char id[65], table[ZONE_NAME_MAX + 1];
    struct zone_column *columns; /* their names are in `names` */
    size_t n;
    char *names;
    sqlite3_stmt *insert;
};

/* A value in its plainest form: what is hashed, and what is bound. */
struct zone_plain {
    enum {
        ZONE_PLAIN_NULL,
        ZONE_PLAIN_INT,
        ZONE_PLAIN_REAL,
        ZONE_PLAIN_TEXT,
        ZONE_PLAIN_BYTES
    } kind;
    int64_t integer;
    double real;
    struct slice text;
    char digits[40];
};
bool zone_plain(enum query_type type, const struct zone_value *value, struct zone_plain *out);

enum zone_err zone_db_err(sqlite3 *db, int rc);
enum zone_err zone_exec(sqlite3 *db, const char *sql);
enum zone_err zone_exec_buf(sqlite3 *db, struct buf *sql); /* wipes nothing, frees the buf */
bool zone_name_ok(struct slice name);
void zone_quote(struct buf *sql, struct slice name);
enum zone_err zone_check_columns(const struct zone_column *columns, size_t n);
void zone_create_sql(struct buf *sql, struct slice table, const struct zone_column *columns,
                     size_t n, bool keys);
/* Whether the table is there, and with these columns. */
enum zone_err zone_table_fits(sqlite3 *db, struct slice table, const struct zone_column *columns,
                              size_t n, bool *there);
enum zone_err zone_table_sum(sqlite3 *db, struct slice table, struct zone_sum *sum);

/* For tests: rows of a table; the digest of the whole of it, in the order of their arrival. */
enum zone_err zone_count(struct zone *z, struct slice table, uint64_t *n)
    __attribute__((warn_unused_result));
enum zone_err zone_digest(struct zone *z, struct slice table, struct zone_sum *sum)
    __attribute__((warn_unused_result));
