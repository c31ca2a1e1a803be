/* SPDX-License-Identifier: Apache-2.0 */
#include "feed/feed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static const char *const known_kinds[] = {
    "app",        "credential", "api",        "subscription",
    "grant",      "limit",      "list",       "trust",
    "algorithm",  "schema",     "conversion", "composition",
    "dataset",    "source",     "token-key",  "token-revocation",
    "user-apis",  "account",    "topic",      "event-subscription",
    "sdk-release"};
#define KNOWN (sizeof known_kinds / sizeof *known_kinds)
_Static_assert(KNOWN <= FEED_KINDS_MAX, "a query can name every kind");

bool feed_parse_kinds(struct feed_query *q, const char *list)
{
    q->n_kinds = 0;
    while (*list) {
        size_t n = strcspn(list, ","), i = 0;
        while (i < KNOWN && (strlen(known_kinds[i]) != n || memcmp(known_kinds[i], list, n) != 0)) {
            i++;
        }
        if (i == KNOWN || q->n_kinds == FEED_KINDS_MAX) {
            return false;
        }
        q->kinds[q->n_kinds++] = known_kinds[i];
        list += n + (list[n] == ',');
    }
    return true;
}

struct span {
    int64_t first, last; /* of what the feed keeps */
};

static enum store_err read_span(struct store_txn *txn, struct span *s)
{
    struct store_rows *rows = NULL;
    enum store_err err = store_query(
        txn, "SELECT (SELECT min(seq) FROM feed), (SELECT max(seq) FROM feed)", NULL, 0, &rows);

    if (err == STORE_OK && store_next(rows)) {
        *s = (struct span){store_get_int(rows, 0), store_get_int(rows, 1)};
    }
    return err == STORE_OK ? store_rows_end(&rows) : err;
}

static void add_kinds(const struct feed_query *q, struct buf *sql, struct store_value *v, size_t *n)
{
    for (size_t i = 0; i < q->n_kinds; i++) {
        buf_adds(sql, i ? ", ?" : " AND kind IN (?");
        v[(*n)++] = store_text(q->kinds[i]);
    }
    buf_adds(sql, q->n_kinds ? ")" : " AND kind <> 'store'");
}

static void add_entry(struct buf *out, struct store_rows *rows, bool first)
{
    const char *data = store_get_text(rows, 4);

    /* kind, id and op are ours and plain; data is JSON text already. */
    buf_addf(out, "%s{\"seq\":%" PRId64 ",\"kind\":\"%s\",\"id\":\"%s\",\"op\":\"%s\",\"data\":",
             first ? "" : ",", store_get_int(rows, 0), store_get_text(rows, 1),
             store_get_text(rows, 2), store_get_text(rows, 3));
    buf_adds(out, data ? data : "{}");
    buf_addc(out, '}');
}

/* Entries of one statement, in order. *last: the last one's number. */
static enum store_err add_entries(struct store_txn *txn, const char *sql,
                                  const struct store_value *v, size_t n, struct buf *out,
                                  int64_t *count, int64_t *last)
{
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, v, n, &rows);

    *count = 0;
    while (err == STORE_OK && !out->failed && store_next(rows)) {
        add_entry(out, rows, *count == 0);
        *last = store_get_int(rows, 0);
        (*count)++;
    }
    if (err == STORE_OK) {
        err = store_rows_end(&rows);
    }
    return err == STORE_OK && out->failed ? STORE_EIO : err;
}

static void add_head(const struct control *ctl, struct buf *out, int64_t last, bool reset)
{
    buf_addf(out, "{\"epoch\":\"%s\",\"last\":%" PRId64 ",\"reset\":%s,\"entries\":[", ctl->epoch,
             last, reset ? "true" : "false");
}

/* The whole state in one snapshot, oldest change first. */
static enum store_err add_reset(struct control *ctl, struct store_txn *txn,
                                const struct feed_query *q, int64_t last, struct buf *out)
{
    struct store_value v[FEED_KINDS_MAX];
    size_t n = 0;
    int64_t count, seq;
    struct buf sql;

    buf_init(&sql);
    buf_adds(&sql, "SELECT seq, kind, id, 'put', data FROM feed_current WHERE 1 = 1");
    add_kinds(q, &sql, v, &n);
    buf_addc(&sql, '\0');
    add_head(ctl, out, last, true);
    enum store_err err = sql.failed ? STORE_EIO : add_entries(txn, sql.p, v, n, out, &count, &seq);
    buf_fini(&sql);
    buf_adds(out, "]}");
    return err;
}

static enum store_err add_changes(struct control *ctl, struct store_txn *txn,
                                  const struct feed_query *q, int64_t last, struct buf *out,
                                  bool *any)
{
    struct store_value v[FEED_KINDS_MAX + 3] = {store_int(q->after), store_int(last)};
    size_t n = 2;
    int64_t count = 0, seq = last;
    struct buf sql, entries;

    buf_init(&sql);
    buf_init(&entries);
    buf_adds(&sql, "SELECT seq, kind, id, op, data FROM feed WHERE seq > ? AND seq <= ?");
    add_kinds(q, &sql, v, &n);
    buf_adds(&sql, " ORDER BY seq LIMIT ?");
    v[n++] = store_int(FEED_ENTRIES_MAX);
    buf_addc(&sql, '\0');
    enum store_err err =
        sql.failed ? STORE_EIO : add_entries(txn, sql.p, v, n, &entries, &count, &seq);
    add_head(ctl, out, count == FEED_ENTRIES_MAX ? seq : last, false);
    buf_add(out, entries.p, entries.n);
    buf_adds(out, "]}");
    *any = count > 0;
    buf_fini(&entries);
    buf_fini(&sql);
    return err;
}

static enum store_err answer_once(struct control *ctl, const struct feed_query *q, struct buf *out,
                                  bool *news)
{
    struct store_txn *txn = NULL;
    struct span s = {0, 0};
    enum store_err err = store_begin(ctl->store, STORE_READ, &txn);

    if (err != STORE_OK) {
        return err;
    }
    err = read_span(txn, &s);
    bool known = q->after > 0 && q->after <= s.last && q->after + 1 >= s.first &&
                 strcmp(q->epoch, ctl->epoch) == 0;
    if (err == STORE_OK && !known) {
        *news = true;
        err = add_reset(ctl, txn, q, s.last, out);
    } else if (err == STORE_OK) {
        err = add_changes(ctl, txn, q, s.last, out, news);
    }
    store_rollback(&txn);
    return err == STORE_OK && out->failed ? STORE_EIO : err;
}

static void deadline_in(uint32_t ms, struct timespec *at)
{
    clock_gettime(CLOCK_MONOTONIC, at);
    at->tv_sec += ms / 1000;
    at->tv_nsec += (long)(ms % 1000) * 1000000;
    if (at->tv_nsec >= 1000000000) {
        at->tv_sec++;
        at->tv_nsec -= 1000000000;
    }
}

/* True: the bell rang after `heard`. */
static bool wait_bell(struct control *ctl, uint64_t heard, const struct timespec *until)
{
    int rc = 0;

    pthread_mutex_lock(&ctl->bell_lock);
    while (ctl->rings == heard && !ctl->stopping && rc == 0) {
        rc = pthread_cond_timedwait(&ctl->bell, &ctl->bell_lock, until);
    }
    bool rang = ctl->rings != heard && !ctl->stopping;
    pthread_mutex_unlock(&ctl->bell_lock);
    return rang;
}

static uint64_t hear(struct control *ctl)
{
    pthread_mutex_lock(&ctl->bell_lock);
    uint64_t rings = ctl->rings;
    pthread_mutex_unlock(&ctl->bell_lock);
    return rings;
}

enum store_err feed_answer(struct control *ctl, const struct feed_query *q, struct buf *out)
{
    struct timespec until;

    deadline_in(q->wait_ms < FEED_WAIT_MAX_MS ? q->wait_ms : FEED_WAIT_MAX_MS, &until);
    for (;;) {
        bool news = false;
        uint64_t heard = hear(ctl); /* before the read: a change after it rings again */
        buf_clear(out);
        enum store_err err = answer_once(ctl, q, out, &news);
        if (err != STORE_OK || news || !wait_bell(ctl, heard, &until)) {
            return err;
        }
    }
}
