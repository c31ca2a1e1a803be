/* SPDX-License-Identifier: Apache-2.0 */
#include "data/events/state.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

enum statement {
    POSITION,
    SET_POSITION,
    DROP_ACKS,
    ACK,
    ACKED,
    BURY,
    DEAD,
    DEAD_COUNT,
    EXHUME,
    FORGET_POSITION,
    FORGET_ACKS,
    FORGET_DEAD,
    SUBS,
    ROW,
    SET_ROW,
    TOUCH_ROW,
    GONE_ROW,
    ROUNDS,
    LOOK,
    SET_LOOK,
    STATEMENTS
};

static const char *const texts[STATEMENTS] = {
    [POSITION] = "SELECT acked FROM position WHERE sub = ?1",
    [SET_POSITION] =
        "INSERT INTO position (sub, acked) VALUES (?1, ?2) ON CONFLICT (sub) DO UPDATE "
        "SET acked = ?2",
    [DROP_ACKS] = "DELETE FROM ack WHERE sub = ?1 AND seq <= ?2",
    [ACK] = "INSERT OR IGNORE INTO ack (sub, seq) VALUES (?1, ?2)",
    [ACKED] = "SELECT 1 FROM ack WHERE sub = ?1 AND seq = ?2",
    [BURY] = "INSERT OR REPLACE INTO dead (sub, seq, attempts, at, reason) VALUES (?1, ?2, ?3, ?4, "
             "?5)",
    [DEAD] = "SELECT seq, attempts, at, reason FROM dead WHERE sub = ?1 ORDER BY seq LIMIT ?2",
    [DEAD_COUNT] = "SELECT count(*) FROM dead WHERE sub = ?1",
    [EXHUME] = "DELETE FROM dead WHERE sub = ?1 AND (?2 = 0 OR seq = ?2) RETURNING seq",
    [FORGET_POSITION] = "DELETE FROM position WHERE sub = ?1",
    [FORGET_ACKS] = "DELETE FROM ack WHERE sub = ?1",
    [FORGET_DEAD] = "DELETE FROM dead WHERE sub = ?1",
    [SUBS] = "SELECT sub FROM position UNION SELECT sub FROM ack UNION SELECT sub FROM dead",
    [ROW] = "SELECT hash, sealed FROM row WHERE topic = ?1 AND key = ?2",
    [SET_ROW] = "INSERT OR REPLACE INTO row (topic, key, hash, round, sealed) VALUES (?1, ?2, ?3, "
                "?4, ?5)",
    [TOUCH_ROW] = "UPDATE row SET round = ?3 WHERE topic = ?1 AND key = ?2",
    [GONE_ROW] = "DELETE FROM row WHERE topic = ?1 AND key = (SELECT key FROM row WHERE topic = ?1 "
                 "AND round < ?2 LIMIT 1) RETURNING key, sealed",
    [ROUNDS] = "SELECT max(round) FROM row WHERE topic = ?1",
    [LOOK] = "SELECT round, swept, mark FROM look WHERE topic = ?1",
    [SET_LOOK] = "INSERT INTO look (topic, round, swept, mark) VALUES (?1, ?2, ?3, ?4) ON CONFLICT "
                 "(topic) DO UPDATE SET round = ?2, swept = ?3, mark = ?4",
};

static const char schema[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
    "CREATE TABLE IF NOT EXISTS position (sub BLOB PRIMARY KEY, acked INTEGER NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS ack (sub BLOB, seq INTEGER, PRIMARY KEY (sub, seq)) STRICT, "
    "WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS dead (sub BLOB, seq INTEGER, attempts INTEGER NOT NULL, at INTEGER "
    "NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (sub, seq)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS row (topic BLOB, key BLOB, hash BLOB NOT NULL, round INTEGER NOT "
    "NULL, sealed BLOB NOT NULL, PRIMARY KEY (topic, key)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS row_round ON row (topic, round);"
    "CREATE TABLE IF NOT EXISTS look (topic BLOB PRIMARY KEY, round INTEGER NOT NULL, swept "
    "INTEGER "
    "NOT NULL, mark TEXT) STRICT, WITHOUT ROWID;";

struct state {
    pthread_mutex_t lock;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
};

struct state *state_open(const char *path)
{
    struct state *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&s->lock, &attr);
    pthread_mutexattr_destroy(&attr);
    bool ok = sqlite3_open(path, &s->db) == SQLITE_OK &&
              sqlite3_busy_timeout(s->db, 2000) == SQLITE_OK &&
              sqlite3_exec(s->db, schema, NULL, NULL, NULL) == SQLITE_OK;
    for (int i = 0; ok && i < STATEMENTS; i++)
        ok = sqlite3_prepare_v3(s->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statements[i],
                                NULL) == SQLITE_OK;
    if (!ok)
        state_close(&s);
    return s;
}

void state_close(struct state **slot)
{
    struct state *s = *slot;
    if (!s)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(s->statements[i]);
    sqlite3_close(s->db);
    pthread_mutex_destroy(&s->lock);
    free(s);
    *slot = NULL;
}

/* Locks; release() unlocks. */
static sqlite3_stmt *use(struct state *s, enum statement which, const struct uuid *id)
{
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *st = s->statements[which];
    sqlite3_bind_blob(st, 1, id->b, UUID_LEN, SQLITE_TRANSIENT);
    return st;
}

static void release(struct state *s, sqlite3_stmt *st)
{
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    pthread_mutex_unlock(&s->lock);
}

static bool run(struct state *s, enum statement which, const struct uuid *id, uint64_t number)
{
    sqlite3_stmt *st = use(s, which, id);
    if (sqlite3_bind_parameter_count(st) > 1)
        sqlite3_bind_int64(st, 2, (sqlite3_int64)number);
    bool ok = sqlite3_step(st) == SQLITE_DONE;
    release(s, st);
    return ok;
}

static bool number(struct state *s, enum statement which, const struct uuid *id, uint64_t with,
                   uint64_t *out)
{
    sqlite3_stmt *st = use(s, which, id);
    if (sqlite3_bind_parameter_count(st) > 1)
        sqlite3_bind_int64(st, 2, (sqlite3_int64)with);
    bool there = sqlite3_step(st) == SQLITE_ROW;
    if (there)
        *out = (uint64_t)sqlite3_column_int64(st, 0);
    release(s, st);
    return there;
}

bool state_position(struct state *s, const struct uuid *sub, uint64_t *acked)
{
    return number(s, POSITION, sub, 0, acked);
}

bool state_begin(struct state *s)
{
    pthread_mutex_lock(&s->lock);
    if (sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK)
        return true;
    pthread_mutex_unlock(&s->lock);
    return false;
}

bool state_end(struct state *s, bool keep)
{
    bool ok = sqlite3_exec(s->db, keep ? "COMMIT" : "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK;
    if (!ok && keep)
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

bool state_set_position(struct state *s, const struct uuid *sub, uint64_t acked)
{
    if (!state_begin(s))
        return false;
    bool ok = run(s, SET_POSITION, sub, acked) && run(s, DROP_ACKS, sub, acked);
    return state_end(s, ok) && ok;
}

bool state_ack(struct state *s, const struct uuid *sub, const uint64_t *seqs, size_t n)
{
    if (!state_begin(s))
        return false;
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++)
        ok = run(s, ACK, sub, seqs[i]);
    return state_end(s, ok) && ok;
}

bool state_acked(struct state *s, const struct uuid *sub, uint64_t seq)
{
    uint64_t one;
    return number(s, ACKED, sub, seq, &one);
}

void state_unack(struct state *s, const struct uuid *sub)
{
    (void)run(s, FORGET_ACKS, sub, 0);
}

bool state_bury(struct state *s, const struct uuid *sub, uint64_t seq, unsigned attempts,
                const char *reason, uint64_t now_ms)
{
    sqlite3_stmt *st = use(s, BURY, sub);
    sqlite3_bind_int64(st, 2, (sqlite3_int64)seq);
    sqlite3_bind_int64(st, 3, attempts);
    sqlite3_bind_int64(st, 4, (sqlite3_int64)now_ms);
    sqlite3_bind_text(st, 5, reason, -1, SQLITE_TRANSIENT);
    bool ok = sqlite3_step(st) == SQLITE_DONE;
    release(s, st);
    return ok;
}

json_t *state_dead(struct state *s, const struct uuid *sub, size_t max)
{
    json_t *list = json_array();
    sqlite3_stmt *st = use(s, DEAD, sub);
    sqlite3_bind_int64(st, 2, (sqlite3_int64)max);
    while (sqlite3_step(st) == SQLITE_ROW)
        json_array_append_new(list, json_pack("{s:I, s:I, s:I, s:s}", "sequence",
                                              (json_int_t)sqlite3_column_int64(st, 0), "attempts",
                                              (json_int_t)sqlite3_column_int64(st, 1), "at",
                                              (json_int_t)sqlite3_column_int64(st, 2), "reason",
                                              (const char *)sqlite3_column_text(st, 3)));
    release(s, st);
    return list;
}

uint64_t state_dead_count(struct state *s, const struct uuid *sub)
{
    uint64_t n = 0;
    (void)number(s, DEAD_COUNT, sub, 0, &n);
    return n;
}

uint64_t state_exhume(struct state *s, const struct uuid *sub, uint64_t seq,
                      void (*each)(void *ctx, uint64_t seq), void *ctx)
{
    uint64_t lowest = 0;
    sqlite3_stmt *st = use(s, EXHUME, sub);
    sqlite3_bind_int64(st, 2, (sqlite3_int64)seq);
    while (sqlite3_step(st) == SQLITE_ROW) {
        uint64_t one = (uint64_t)sqlite3_column_int64(st, 0);
        if (!lowest || one < lowest)
            lowest = one;
        each(ctx, one);
    }
    release(s, st);
    return lowest;
}

void state_forget(struct state *s, const struct uuid *sub)
{
    (void)run(s, FORGET_POSITION, sub, 0);
    (void)run(s, FORGET_ACKS, sub, 0);
    (void)run(s, FORGET_DEAD, sub, 0);
}

void state_each(struct state *s, void (*each)(void *ctx, const struct uuid *sub), void *ctx)
{
    struct uuid *found = NULL;
    size_t n = 0, room = 0;
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *st = s->statements[SUBS];
    while (sqlite3_step(st) == SQLITE_ROW) {
        if (sqlite3_column_bytes(st, 0) != UUID_LEN)
            continue;
        if (n == room) {
            room = room ? 2 * room : 64;
            struct uuid *more = realloc(found, room * sizeof *found);
            if (!more)
                break; /* the rest another time */
            found = more;
        }
        memcpy(found[n++].b, sqlite3_column_blob(st, 0), UUID_LEN);
    }
    sqlite3_reset(st);
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < n; i++)
        each(ctx, &found[i]);
    free(found);
}

static void copy(sqlite3_stmt *st, int i, void *out, size_t n)
{
    if (sqlite3_column_bytes(st, i) == (int)n)
        memcpy(out, sqlite3_column_blob(st, i), n);
}

bool state_row(struct state *s, const struct uuid *topic, const uint64_t key[2], uint64_t hash[2],
               struct buf *sealed)
{
    sqlite3_stmt *st = use(s, ROW, topic);
    sqlite3_bind_blob(st, 2, key, 16, SQLITE_TRANSIENT);
    bool there = sqlite3_step(st) == SQLITE_ROW;
    if (there) {
        copy(st, 0, hash, 16);
        buf_add(sealed, sqlite3_column_blob(st, 1), (size_t)sqlite3_column_bytes(st, 1));
    }
    release(s, st);
    return there;
}

bool state_set_row(struct state *s, const struct uuid *topic, const uint64_t key[2],
                   const uint64_t hash[2], uint64_t round, struct slice sealed)
{
    sqlite3_stmt *st = use(s, SET_ROW, topic);
    sqlite3_bind_blob(st, 2, key, 16, SQLITE_TRANSIENT);
    sqlite3_bind_blob(st, 3, hash, 16, SQLITE_TRANSIENT);
    sqlite3_bind_int64(st, 4, (sqlite3_int64)round);
    sqlite3_bind_blob(st, 5, sealed.p, (int)sealed.n, SQLITE_TRANSIENT);
    bool ok = sqlite3_step(st) == SQLITE_DONE;
    release(s, st);
    return ok;
}

bool state_touch_row(struct state *s, const struct uuid *topic, const uint64_t key[2],
                     uint64_t round)
{
    sqlite3_stmt *st = use(s, TOUCH_ROW, topic);
    sqlite3_bind_blob(st, 2, key, 16, SQLITE_TRANSIENT);
    sqlite3_bind_int64(st, 3, (sqlite3_int64)round);
    bool ok = sqlite3_step(st) == SQLITE_DONE;
    release(s, st);
    return ok;
}

bool state_gone_row(struct state *s, const struct uuid *topic, uint64_t round, uint64_t key[2],
                    struct buf *sealed)
{
    sqlite3_stmt *st = use(s, GONE_ROW, topic);
    sqlite3_bind_int64(st, 2, (sqlite3_int64)round);
    bool there = sqlite3_step(st) == SQLITE_ROW;
    if (there) {
        copy(st, 0, key, 16);
        buf_add(sealed, sqlite3_column_blob(st, 1), (size_t)sqlite3_column_bytes(st, 1));
        while (sqlite3_step(st) == SQLITE_ROW)
            ;
    }
    release(s, st);
    return there;
}

void state_look(struct state *s, const struct uuid *topic, struct state_look *look)
{
    uint64_t rounds = 0;
    (void)number(s, ROUNDS, topic, 0, &rounds);
    sqlite3_stmt *st = use(s, LOOK, topic);
    *look = (struct state_look){.round = rounds};
    if (sqlite3_step(st) == SQLITE_ROW) {
        const char *mark = (const char *)sqlite3_column_text(st, 2);
        uint64_t round = (uint64_t)sqlite3_column_int64(st, 0);
        look->round = round > rounds ? round : rounds;
        look->swept_ms = (uint64_t)sqlite3_column_int64(st, 1);
        snprintf(look->mark, sizeof look->mark, "%s", mark ? mark : "");
    }
    release(s, st);
}

bool state_set_look(struct state *s, const struct uuid *topic, const struct state_look *look)
{
    sqlite3_stmt *st = use(s, SET_LOOK, topic);
    sqlite3_bind_int64(st, 2, (sqlite3_int64)look->round);
    sqlite3_bind_int64(st, 3, (sqlite3_int64)look->swept_ms);
    sqlite3_bind_text(st, 4, look->mark, -1, SQLITE_TRANSIENT);
    bool ok = sqlite3_step(st) == SQLITE_DONE;
    release(s, st);
    return ok;
}
