/* SPDX-License-Identifier: Apache-2.0 */
/* Loads. The whole load is one SQLite transaction on a staging table of its own: a process that
 * dies leaves nothing of it, and readers, who are on the WAL's last commit, see none of it before
 * its commit. Writers of one store wait for each other. */
#include <stdlib.h>

#include "base/clock.h"
#include "data/zones/inner.h"

static void forget(struct zone *z)
{
    sqlite3_finalize(z->insert);
    z->insert = NULL;
    free(z->columns);
    free(z->names);
    z->columns = NULL;
    z->names = NULL;
    z->n = 0;
    z->loading = false;
}

void zone_load_abort(struct zone *z)
{
    bool loading = z->loading;
    forget(z);
    if (loading && !sqlite3_get_autocommit(z->db))
        sqlite3_exec(z->db, "ROLLBACK", NULL, NULL, NULL);
}

static bool copy_columns(struct zone *z, const struct zone_column *columns, size_t n)
{
    size_t bytes = 0, at = 0;
    for (size_t i = 0; i < n; i++)
        bytes += columns[i].name.n;
    z->columns = calloc(n, sizeof *z->columns);
    z->names = malloc(bytes + 1);
    if (!z->columns || !z->names)
        return false;
    for (size_t i = 0; i < n; i++) {
        memcpy(z->names + at, columns[i].name.p, columns[i].name.n);
        z->columns[i] = columns[i];
        z->columns[i].name = slice_of(z->names + at, columns[i].name.n);
        at += columns[i].name.n;
    }
    z->n = n;
    return true;
}

/* What an earlier attempt committed under this id. */
static enum zone_err committed(struct zone *z, struct slice id, struct zone_sum *done)
{
    sqlite3_stmt *st = NULL;
    int rc =
        sqlite3_prepare_v2(z->db, "SELECT n, sm3 FROM _sluice_loads WHERE id = ?", -1, &st, NULL);
    if (rc != SQLITE_OK)
        return zone_db_err(z->db, rc);
    sqlite3_bind_text(st, 1, id.p, (int)id.n, SQLITE_STATIC);
    rc = sqlite3_step(st);
    if (rc == SQLITE_ROW && done && sqlite3_column_bytes(st, 1) == CRYPTO_HASH_LEN) {
        done->rows = (uint64_t)sqlite3_column_int64(st, 0);
        memcpy(done->sm3, sqlite3_column_blob(st, 1), CRYPTO_HASH_LEN);
    }
    sqlite3_finalize(st);
    return rc == SQLITE_ROW ? ZONE_EDONE : zone_db_err(z->db, rc);
}

static enum zone_err make_stage(struct zone *z)
{
    struct buf sql;
    buf_init(&sql);
    zone_create_sql(&sql, SLICE(ZONE_STAGE), z->columns, z->n, true);
    enum zone_err err = zone_exec_buf(z->db, &sql);
    if (err)
        return err;
    buf_init(&sql);
    buf_adds(&sql, z->mode == ZONE_UPSERT ? "INSERT OR REPLACE INTO " ZONE_STAGE " VALUES ("
                                          : "INSERT INTO " ZONE_STAGE " VALUES (");
    for (size_t i = 0; i < z->n; i++)
        buf_adds(&sql, i ? ",?" : "?");
    buf_addc(&sql, ')');
    int rc =
        sql.failed ? SQLITE_NOMEM : sqlite3_prepare_v2(z->db, sql.p, (int)sql.n, &z->insert, NULL);
    buf_fini(&sql);
    return zone_db_err(z->db, rc);
}

static enum zone_err begin(struct zone *z, struct zone_sum *done)
{
    bool there = false;
    enum zone_err err = zone_exec(z->db, "BEGIN IMMEDIATE");
    if (err)
        return err;
    err = committed(z, slice_str(z->id), done);
    if (!err && z->mode != ZONE_REPLACE)
        err = zone_table_fits(z->db, slice_str(z->table), z->columns, z->n, &there);
    if (!err)
        err = zone_exec(z->db, "DROP TABLE IF EXISTS " ZONE_STAGE);
    return err ? err : make_stage(z);
}

enum zone_err zone_load_begin(struct zone *z, struct slice id, struct slice table,
                              enum zone_mode mode, const struct zone_column *columns, size_t n,
                              struct zone_sum *done)
{
    enum zone_err err = zone_name_ok(table) ? zone_check_columns(columns, n) : ZONE_ENAME;
    if (err || z->loading || id.n == 0 || id.n >= sizeof z->id)
        return err ? err : ZONE_ENAME;
    memcpy(z->id, id.p, id.n);
    z->id[id.n] = '\0';
    memcpy(z->table, table.p, table.n);
    z->table[table.n] = '\0';
    z->mode = mode;
    if (!copy_columns(z, columns, n)) {
        forget(z);
        return ZONE_EIO;
    }
    z->loading = true;
    err = begin(z, done);
    if (err)
        zone_load_abort(z);
    return err;
}

static void bind(sqlite3_stmt *st, int i, const struct zone_plain *v)
{
    switch (v->kind) {
    case ZONE_PLAIN_NULL:
        sqlite3_bind_null(st, i);
        break;
    case ZONE_PLAIN_INT:
        sqlite3_bind_int64(st, i, v->integer);
        break;
    case ZONE_PLAIN_REAL:
        sqlite3_bind_double(st, i, v->real);
        break;
    case ZONE_PLAIN_TEXT:
        sqlite3_bind_text(st, i, v->text.p ? v->text.p : "", (int)v->text.n, SQLITE_STATIC);
        break;
    case ZONE_PLAIN_BYTES:
        sqlite3_bind_blob(st, i, v->text.p ? v->text.p : "", (int)v->text.n, SQLITE_STATIC);
        break;
    }
}

enum zone_err zone_load_row(struct zone *z, const struct zone_value *values)
{
    if (!z->loading)
        return ZONE_EMISSING;
    for (size_t i = 0; i < z->n; i++) {
        struct zone_plain plain;
        if (!zone_plain(z->columns[i].type, &values[i], &plain))
            return ZONE_EVALUE;
        bind(z->insert, (int)i + 1, &plain);
    }
    int rc = sqlite3_step(z->insert);
    sqlite3_reset(z->insert);
    return zone_db_err(z->db, rc);
}

/* The stage takes the table's place, or its rows go there. */
static enum zone_err publish(struct zone *z)
{
    struct slice table = slice_str(z->table);
    struct buf sql;
    bool there = false;
    enum zone_err err = ZONE_OK;
    buf_init(&sql);
    if (z->mode != ZONE_REPLACE)
        err = zone_table_fits(z->db, table, z->columns, z->n, &there);
    if (err)
        return err;
    if (there) {
        buf_adds(&sql, z->mode == ZONE_UPSERT ? "INSERT OR REPLACE INTO " : "INSERT INTO ");
        zone_quote(&sql, table);
        buf_adds(&sql, " SELECT * FROM " ZONE_STAGE " ORDER BY rowid; DROP TABLE " ZONE_STAGE);
    } else {
        buf_adds(&sql, "DROP TABLE IF EXISTS ");
        zone_quote(&sql, table);
        buf_adds(&sql, "; ALTER TABLE " ZONE_STAGE " RENAME TO ");
        zone_quote(&sql, table);
    }
    return zone_exec_buf(z->db, &sql);
}

static enum zone_err record(struct zone *z, const struct zone_sum *sum)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(z->db, "INSERT INTO _sluice_loads VALUES (?, ?, ?, ?, ?)", -1, &st,
                                NULL);
    if (rc != SQLITE_OK)
        return zone_db_err(z->db, rc);
    sqlite3_bind_text(st, 1, z->id, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 2, z->table, -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, 3, (sqlite3_int64)sum->rows);
    sqlite3_bind_blob(st, 4, sum->sm3, sizeof sum->sm3, SQLITE_STATIC);
    sqlite3_bind_int64(st, 5, (sqlite3_int64)clock_wall_ms());
    rc = sqlite3_step(st);
    sqlite3_finalize(st);
    return zone_db_err(z->db, rc);
}

enum zone_err zone_load_sum(struct zone *z, struct zone_sum *sum)
{
    return z->loading ? zone_table_sum(z->db, SLICE(ZONE_STAGE), sum) : ZONE_EMISSING;
}

enum zone_err zone_load_commit(struct zone *z, struct zone_sum *sum)
{
    struct zone_sum own;
    if (!z->loading)
        return ZONE_EMISSING;
    sqlite3_finalize(z->insert);
    z->insert = NULL;
    enum zone_err err = zone_table_sum(z->db, SLICE(ZONE_STAGE), &own);
    if (!err)
        err = publish(z);
    if (!err)
        err = record(z, &own);
    if (!err)
        err = zone_exec(z->db, "COMMIT");
    if (!err)
        forget(z);
    else
        zone_load_abort(z);
    if (!err && sum)
        *sum = own;
    return err;
}
