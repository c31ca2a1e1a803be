/* SPDX-License-Identifier: Apache-2.0 */
/* The journal does not keep for ever what people did not leave there for ever: the images hold
 * their data. */
#include "data/write/journal_inner.h"

#define DAY_MS    86400000ull
#define KEEP_MS   3600000ull /* between two looks */
#define KEEP_STEP 500u
#define KEEP_MAX  20 /* steps of one look */

void wjournal_retain(struct journal *j, unsigned days)
{
    days = days ? days : JOURNAL_DAYS;
    j->days = days < JOURNAL_DAYS_MIN ? JOURNAL_DAYS_MIN : days;
}

/* Of a batch all or none, so that a batch that is there can be taken back. */
static enum journal_err choose(struct journal *j, uint64_t before_ms, unsigned max)
{
    sqlite3_stmt *st = wjournal_sql(
        j,
        "INSERT INTO temp.gone SELECT seq FROM operations o WHERE at < ?1 AND state <> 'prepared' "
        "AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.seq = o.seq AND d.state = 'due') AND "
        "NOT EXISTS (SELECT 1 FROM operations b WHERE b.batch = o.batch AND b.dataset = o.dataset "
        "AND (b.at >= ?1 OR b.state = 'prepared')) ORDER BY at LIMIT ?2",
        NULL, 0);
    if (st) {
        sqlite3_bind_int64(st, 1, (int64_t)before_ms);
        sqlite3_bind_int64(st, 2, max);
    }
    return wjournal_run(st);
}

size_t wjournal_prune(struct journal *j, uint64_t before_ms, unsigned max)
{
    static const char *const steps[] = {
        ("INSERT INTO pruned (one, at) SELECT 1, max(at) FROM operations WHERE seq IN temp.gone "
         "HAVING count(*) > 0 ON CONFLICT (one) DO UPDATE SET at = max(at, excluded.at)"),
        "DELETE FROM deliveries WHERE seq IN temp.gone",
        "DELETE FROM consents WHERE seq IN temp.gone",
        "DELETE FROM images WHERE seq IN temp.gone",
        "DELETE FROM operations WHERE seq IN temp.gone",
    };
    size_t gone = 0;
    pthread_mutex_lock(&j->lock);
    enum journal_err err = wjournal_begin(j);
    if (!err)
        err = wjournal_run(wjournal_sql(j, "DELETE FROM temp.gone", NULL, 0));
    if (!err)
        err = choose(j, before_ms, max);
    for (size_t i = 0; !err && i < sizeof steps / sizeof *steps; i++)
        err = wjournal_run(wjournal_sql(j, steps[i], NULL, 0));
    if (!err)
        gone = (size_t)sqlite3_changes(j->db);
    err = wjournal_end(j, err);
    pthread_mutex_unlock(&j->lock);
    return err ? 0 : gone;
}

uint64_t wjournal_pruned(struct journal *j)
{
    uint64_t at = 0;
    pthread_mutex_lock(&j->lock);
    sqlite3_stmt *st = wjournal_sql(j, "SELECT at FROM pruned", NULL, 0);
    if (st && sqlite3_step(st) == SQLITE_ROW)
        at = (uint64_t)sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    pthread_mutex_unlock(&j->lock);
    return at;
}

void wjournal_keep(struct journal *j, uint64_t now_ms)
{
    pthread_mutex_lock(&j->lock);
    bool due = now_ms - j->kept_ms >= KEEP_MS;
    j->kept_ms = due ? now_ms : j->kept_ms;
    uint64_t kept = (j->days ? j->days : JOURNAL_DAYS) * DAY_MS;
    pthread_mutex_unlock(&j->lock);
    for (int i = 0; due && i < KEEP_MAX; i++)
        due = wjournal_prune(j, now_ms > kept ? now_ms - kept : 0, KEEP_STEP) == KEEP_STEP;
}
