/* SPDX-License-Identifier: Apache-2.0 */
/* Zone stores: the platform's own places for data that is collected, exchanged or opened. A store
 * is one SQLite file, DATA/data/zones/<id of its source>.db, which the data service alone opens; it
 * is a source of kind `managed`, so datasets are made on its tables like on any other source's.
 *
 * Rows come by loads. A load writes into a staging table nobody reads and becomes visible in one
 * transaction; it has an id, and a load that was committed stays committed: begun again after a
 * crash it is told so, so that nothing is lost and nothing doubled. Readers see old or new.
 *
 * A handle belongs to one thread at a time; any number of handles may be open on a store. */
#pragma once
#include "base/slice.h"
#include "crypto/crypto.h"
#include "data/query/query.h"
#include "id/uuid.h"

#define ZONE_NAME_MAX    128        /* bytes of a table's or column's name */
#define ZONE_COLUMNS_MAX 512        /* of one table */
#define ZONE_CELL_MAX    (8u << 20) /* bytes of one value */
#define ZONE_DIGITS_MAX  15         /* significant digits of a number; more would not be kept */
#define ZONE_HIDDEN      "_sluice_" /* tables whose names begin so are ours, and never listed */
#define ZONE_FOLDER      "data/zones"

enum zone_err {
    ZONE_OK,
    ZONE_EMISSING, /* there is no such store, table or load */
    ZONE_EEXISTS,  /* a table of that name has other columns */
    ZONE_ENAME,    /* a name that cannot be one, or the same twice, or too many */
    ZONE_EVALUE,   /* a value that its column cannot hold as it is */
    ZONE_EKEY,     /* a load repeats a key, or the table has it already */
    ZONE_EDONE,    /* the load was committed before */
    ZONE_EBUSY,    /* another load writes to the store, for longer than one waits */
    ZONE_EFULL,    /* no room on the disk */
    ZONE_EIO       /* anything else: said on stderr */
};
const char *zone_strerror(enum zone_err err); /* static, never NULL */

struct zone_column {
    struct slice name;
    enum query_type type;
    bool key; /* part of the primary key */
};

struct zone_value { /* as text: decimal numbers, 1 and 0 or true and false, dates as written */
    struct slice text;
    bool null;
};

struct zone_sum {
    uint64_t rows;
    uint8_t sm3[CRYPTO_HASH_LEN];
};

/* The file of a source's store. False: the path is too long. */
bool zone_path(const char *data_dir, const struct uuid *id, char *path, size_t cap);
/* Makes an empty store where there is none; one that is there stays as it is. */
enum zone_err zone_make(const char *data_dir, const struct uuid *id)
    __attribute__((warn_unused_result));
/* Removes the store with all it holds; none there is no error. */
enum zone_err zone_drop(const char *data_dir, const struct uuid *id)
    __attribute__((warn_unused_result));

struct zone;
enum zone_err zone_open(struct zone **z, const char *data_dir, const struct uuid *id)
    __attribute__((warn_unused_result));
void zone_close(struct zone **z);  /* what was not committed is not there */
void *zone_handle(struct zone *z); /* sqlite3 *, for what lives in a store beside its tables */

/* An empty table; one of the same columns stays as it is. */
enum zone_err zone_table_make(struct zone *z, struct slice table, const struct zone_column *columns,
                              size_t n) __attribute__((warn_unused_result));
enum zone_err zone_table_drop(struct zone *z, struct slice table)
    __attribute__((warn_unused_result)); /* none there is no error */

enum zone_mode {
    ZONE_APPEND,  /* to what is there; the table is made when there is none */
    ZONE_REPLACE, /* in place of what was there, its columns too */
    ZONE_UPSERT   /* as append; a row whose key is there takes that row's place */
};

/* Begins the load `id` (a name of the caller's, unique in the store: a run, a job). Rows that an
 * earlier attempt staged and never committed are gone. EDONE: committed before; *done, when not
 * NULL, then says what. One load at a time for each handle. */
enum zone_err zone_load_begin(struct zone *z, struct slice id, struct slice table,
                              enum zone_mode mode, const struct zone_column *columns, size_t n,
                              struct zone_sum *done) __attribute__((warn_unused_result));
/* One value for each column. After an error the load can go on with another row, or be aborted. */
enum zone_err zone_load_row(struct zone *z, const struct zone_value *values)
    __attribute__((warn_unused_result));
/* Of what the load has staged, read back, before it is visible: to be held against what was sent.
 */
enum zone_err zone_load_sum(struct zone *z, struct zone_sum *sum)
    __attribute__((warn_unused_result));
/* Makes the load visible, durably. *sum, when not NULL: of the load's rows as the store now holds
 * them, read back; equal to zone_sum_* of what was given when nothing was changed on the way. */
enum zone_err zone_load_commit(struct zone *z, struct zone_sum *sum)
    __attribute__((warn_unused_result));
void zone_load_abort(struct zone *z);

/* The digest of rows on their way: SM3 over each value in its plainest form, with its length. */
struct zone_summer {
    struct crypto_hasher hasher;
    uint64_t rows;
};
void zone_sum_init(struct zone_summer *s);
/* ZONE_EVALUE: no store could hold this value as it is. */
enum zone_err zone_sum_value(struct zone_summer *s, enum query_type type,
                             const struct zone_value *value) __attribute__((warn_unused_result));
void zone_sum_row(struct zone_summer *s);
void zone_sum_end(struct zone_summer *s, struct zone_sum *sum); /* frees */
