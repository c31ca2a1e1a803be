/* SPDX-License-Identifier: Apache-2.0 */
/* Topics of datasets: the rows are read now and then, or when told that they changed, and compared
 * with what they looked like; each row that came, changed or went is an event. With a column that
 * grows with each change only the rows from the highest value of the last look on are read, but for
 * a sweep over all now and then: it finds what went, and what was dated before it was committed. An
 * event is in the log before its row is remembered, so a crash between the two repeats it and loses
 * none. The first time of all only takes stock. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <xxhash.h>

#include "base/clock.h"
#include "base/slice.h"
#include "data/events/broker.h"
#include "data/events/cloudevents.h"
#include "data/query/cell.h"

#define ROWS_MAX   1000000u
#define CHUNK      400 /* events appended at once */
#define CHUNK_ROOM (1u << 20)
#define PAUSE_MS   100
#define LOOK_MS    500  /* soonest after the last look */
#define RETRY_MS   2000 /* after one that failed */

struct change {
    uint64_t key[2], hash[2];
    size_t head, head_n, data, data_n, key_at, key_n, owner, owner_n; /* in store */
    const char *type;
    bool told; /* an event; else only remembered */
};

struct look {
    struct events *e;
    struct topic *topic;
    const struct catalog_api *api;
    uint64_t round, now_ms;
    bool first, all; /* all: the rows that are not seen are gone */
    struct state_look last;
    char mark[64];   /* the highest change before the rows are read; "": none, or not asked */
    uint16_t change; /* its field; QUERY_NO_COLUMN: none */
    int owner_column;
    uint8_t *is_key;
    struct change changes[CHUNK];
    size_t n, room; /* room: of one append, in bytes */
    struct buf store, row, key, plain;
};

static void row_json(struct look *l, const struct source_rows *rows, const uint16_t *select,
                     size_t n, bool keys, struct buf *out)
{
    bool any = false;
    buf_clear(out);
    buf_addc(out, '{');
    for (size_t i = 0; i < n; i++) {
        struct slice value;
        uint16_t c = select[i];
        if (keys && !l->is_key[c])
            continue;
        buf_adds(out, any ? "," : "");
        any = true;
        buf_add(out, l->api->members[c].p, l->api->members[c].n);
        if (source_cell(rows, i, &value))
            cell_write(out, (enum query_type)l->api->columns[c].type, value);
        else
            buf_add(out, "null", 4);
    }
    buf_addc(out, '}');
}

static void digest(struct slice s, uint64_t out[2])
{
    XXH128_hash_t h = XXH3_128bits(s.p, s.n);
    out[0] = h.low64;
    out[1] = h.high64;
}

static size_t add(struct buf *store, struct slice s)
{
    size_t at = store->n;
    buf_add(store, s.p, s.n);
    return at;
}

/* What is needed of a row when it is gone: whose it was and its key, sealed. */
static struct slice sealed_of(struct look *l, const struct change *c)
{
    const uint16_t n = (uint16_t)c->owner_n;
    buf_clear(&l->plain);
    buf_add(&l->plain, &n, 2);
    buf_add(&l->plain, l->store.p + c->owner, c->owner_n);
    buf_add(&l->plain, l->store.p + c->key_at, c->key_n);
    size_t at = l->plain.n;
    if (!buf_reserve(&l->plain, at + CRYPTO_SEAL_EXTRA))
        return SLICE("");
    crypto_seal(l->e->store_key, slice_of((const char *)l->topic->api.b, UUID_LEN), l->plain.p, at,
                (uint8_t *)l->plain.p + at);
    return slice_of(l->plain.p + at, at + CRYPTO_SEAL_EXTRA);
}

static bool unseal(struct look *l, const struct buf *sealed, struct change *c)
{
    uint16_t n;
    buf_clear(&l->plain);
    if (sealed->n < CRYPTO_SEAL_EXTRA + 2 || !buf_reserve(&l->plain, sealed->n) ||
        crypto_open(l->e->store_key, slice_of((const char *)l->topic->api.b, UUID_LEN), sealed->p,
                    sealed->n, (uint8_t *)l->plain.p) != CRYPTO_OK)
        return false;
    size_t all = sealed->n - CRYPTO_SEAL_EXTRA;
    memcpy(&n, l->plain.p, 2);
    if ((size_t)n + 2 > all)
        return false;
    c->owner_n = n;
    c->owner = add(&l->store, slice_of(l->plain.p + 2, n));
    c->key_n = c->data_n = all - 2 - n;
    c->key_at = c->data = add(&l->store, slice_of(l->plain.p + 2 + n, all - 2 - n));
    return true;
}

static void write_head(struct look *l, struct change *c)
{
    char id[80], now[CLOCK_RFC3339_LEN + 1];
    snprintf(id, sizeof id, "%016llx%016llx-%llu-%.6s", (unsigned long long)c->key[1],
             (unsigned long long)c->key[0], (unsigned long long)l->round, c->type + 8);
    clock_format_ms(l->now_ms, now);
    c->head = l->store.n;
    ce_head(&l->store, slice_str(id), slice_str(l->api->path), slice_str(c->type), slice_str(now));
    c->head_n = l->store.n - c->head;
}

static bool append(struct look *l)
{
    static struct event events[CHUNK]; /* one poller */
    size_t n = 0, duplicates;
    for (size_t i = 0; i < l->n; i++) {
        const struct change *c = &l->changes[i];
        if (!c->told)
            continue;
        struct event *e = &events[n++];
        *e = (struct event){.head = slice_of(l->store.p + c->head, c->head_n),
                            .data = slice_of(l->store.p + c->data, c->data_n),
                            .owner = slice_of(l->store.p + c->owner, c->owner_n),
                            .type = slice_str(c->type)};
        size_t key_n = c->key_n < CE_KEY_MAX ? c->key_n : CE_KEY_MAX;
        e->key = slice_of(l->store.p + c->key_at, key_n);
        ce_identity(e, slice_str(l->api->path), e->head); /* the id is in it */
    }
    if (l->store.failed)
        return false;
    return n == 0 || topic_log_append(l->topic->log, events, n, &duplicates) == LOG_OK;
}

static bool settle(struct look *l)
{
    if (l->n == 0)
        return true;
    bool told = false;
    for (size_t i = 0; i < l->n; i++)
        told = told || l->changes[i].told;
    bool ok = append(l) && state_begin(l->e->state);
    if (ok) {
        for (size_t i = 0; ok && i < l->n; i++) {
            const struct change *c = &l->changes[i];
            if (!c->type && !l->all)
                continue;
            if (!c->type) {
                ok = state_touch_row(l->e->state, &l->topic->api, c->key, l->round);
                continue;
            }
            struct slice sealed = sealed_of(l, c);
            ok = sealed.n &&
                 state_set_row(l->e->state, &l->topic->api, c->key, c->hash, l->round, sealed);
        }
        ok = state_end(l->e->state, ok) && ok;
    }
    l->n = 0;
    buf_clear(&l->store);
    if (ok && told)
        broker_wake(l->e);
    return ok;
}

static bool compare(struct look *l, const struct source_rows *rows, const uint16_t *select,
                    size_t n)
{
    struct change c = {0};
    struct slice owner = SLICE("");
    uint64_t hash[2];
    row_json(l, rows, select, n, false, &l->row);
    row_json(l, rows, select, n, true, &l->key);
    if (l->row.failed || l->key.failed)
        return false;
    digest(buf_slice(&l->key), c.key);
    digest(buf_slice(&l->row), c.hash);
    buf_clear(&l->plain);
    bool there = state_row(l->e->state, &l->topic->api, c.key, hash, &l->plain);
    if (there && memcmp(hash, c.hash, sizeof hash) == 0) {
        l->changes[l->n++] = c; /* as it was: no type */
        return l->n < CHUNK ? true : settle(l);
    }
    if (l->owner_column >= 0 &&
        (!source_cell(rows, (size_t)l->owner_column, &owner) || owner.n > CE_OWNER_MAX))
        owner = SLICE(""); /* nobody's: given to nobody */
    c.type = there ? "dataset.update" : "dataset.insert";
    c.told = !l->first;
    c.owner_n = owner.n;
    c.owner = add(&l->store, owner);
    c.key_n = l->key.n;
    c.key_at = add(&l->store, buf_slice(&l->key));
    c.data_n = l->row.n;
    c.data = add(&l->store, buf_slice(&l->row));
    write_head(l, &c);
    l->changes[l->n++] = c;
    return l->n < CHUNK && l->store.n < l->room ? true : settle(l);
}

/* What is told of each is decided at each delivery. */
static const struct sql_scope everything = {.owner = {NULL, 0}};

static struct sql sql_for(struct source *source, struct arena *arena, struct buf *text)
{
    buf_clear(text);
    return (struct sql){.text = text,
                        .arena = arena,
                        .dialect = source_dialect(source),
                        .quote = source_quote(source)[0]};
}

/* Before the rows are read: what changes while they are is at or above it. */
static bool read_mark(struct look *l, struct source *source, struct arena *arena, struct buf *text)
{
    static struct query query; /* one poller */
    struct source_rows rows;
    struct slice value;
    bool there = false;
    query_clear(&query);
    query.limit = 1;
    query.n_select = query.n_order = 1;
    query.select[0] = l->change;
    query.order[0] =
        (struct query_order){.column = l->change, .nulls = QUERY_NULLS_LAST, .descending = true};
    struct sql sql = sql_for(source, arena, text);
    sql_select(&sql, &l->api->table, &query, &everything);
    if (sql.failed || source_query(source, buf_slice(text), sql.params, sql.n_params, &rows) != 0)
        return false;
    bool ok = source_next(&rows, &there) == SOURCE_OK;
    if (ok && there && source_cell(&rows, 0, &value) && value.n < sizeof l->mark)
        snprintf(l->mark, sizeof l->mark, "%.*s", SLICE_FMT(value));
    source_rows_end(&rows);
    return ok;
}

static bool read_rows(struct look *l, struct source *source, struct arena *arena, struct buf *text)
{
    struct query query = {.limit = ROWS_MAX};
    struct slice mark = slice_str(l->last.mark);
    struct query_node since = {.kind = QUERY_CONDITION,
                               .op = QUERY_GTE,
                               .column = l->change,
                               .n_values = 1,
                               .values = &mark};
    if (!l->all)
        query.where = (struct query_node){.kind = QUERY_AND, .first = &since};
    struct source_rows rows;
    uint64_t count = 0;
    for (size_t i = 0; i < l->api->table.n_columns; i++) {
        if (!l->api->columns[i].column.n)
            continue;
        if (slice_eq(l->api->columns[i].column, l->api->table.owner_column))
            l->owner_column = (int)query.n_select;
        query.select[query.n_select++] = (uint16_t)i;
    }
    if (query.n_select == 0 || (l->api->owner_scoped && l->owner_column < 0))
        return false;
    struct sql sql = sql_for(source, arena, text);
    sql_select(&sql, &l->api->table, &query, &everything);
    if (sql.failed || source_query(source, buf_slice(text), sql.params, sql.n_params, &rows) != 0)
        return false;
    bool ok = rows.n_columns == query.n_select, more = false;
    while (ok && (ok = source_next(&rows, &more) == SOURCE_OK) && more && count++ < ROWS_MAX)
        ok = compare(l, &rows, query.select, query.n_select);
    source_rows_end(&rows);
    return ok && count < ROWS_MAX && settle(l);
}

static bool find_gone(struct look *l)
{
    struct buf sealed;
    bool ok = true, more = true;
    buf_init(&sealed);
    while (ok && more) {
        if (!state_begin(l->e->state)) {
            ok = false;
            break;
        }
        while (l->n < CHUNK) {
            struct change c = {.type = "dataset.delete", .told = true};
            buf_clear(&sealed);
            more = state_gone_row(l->e->state, &l->topic->api, l->round, c.key, &sealed);
            if (!more)
                break;
            if (!unseal(l, &sealed, &c))
                continue;
            write_head(l, &c);
            l->changes[l->n++] = c;
        }
        ok = append(l);
        if (l->n)
            broker_wake(l->e);
        l->n = 0;
        buf_clear(&l->store);
        ok = state_end(l->e->state, ok) && ok;
    }
    buf_fini(&sealed);
    return ok;
}

static void mark_keys(struct look *l)
{
    bool any = false;
    for (size_t i = 0; i < l->api->table.n_columns; i++)
        for (size_t k = 0; k < l->api->table.n_keys; k++)
            if (slice_eq(l->api->columns[i].column, l->api->table.keys[k]))
                l->is_key[i] = any = true;
    if (!any)
        memset(l->is_key, 1, l->api->table.n_columns);
}

/* Where the last look left off, and whether this one is over all rows. */
static void begin(struct look *l)
{
    char name[130] = "";
    uint64_t every;
    pthread_mutex_lock(&l->e->lock);
    const char *column = json_string_value(json_object_get(l->topic->config, "change_column"));
    snprintf(name, sizeof name, "%s", column ? column : "");
    every = (uint64_t)json_integer_value(json_object_get(l->topic->config, "sweep_ms"));
    bool sweep = l->topic->sweep_now;
    l->topic->sweep_now = false;
    pthread_mutex_unlock(&l->e->lock);
    state_look(l->e->state, &l->topic->api, &l->last);
    l->round = l->last.round + 1;
    l->first = l->round == 1;
    l->mark[0] = '\0';
    l->change = QUERY_NO_COLUMN;
    for (size_t i = 0; name[0] && i < l->api->table.n_columns; i++)
        if (l->api->columns[i].column.n && slice_eq(l->api->columns[i].name, slice_str(name)))
            l->change = (uint16_t)i;
    l->all = l->first || sweep || l->change == QUERY_NO_COLUMN || !l->last.mark[0] ||
             l->now_ms - l->last.swept_ms >= every;
}

static bool end(struct look *l)
{
    struct state_look now = {.round = l->round, .swept_ms = l->all ? l->now_ms : l->last.swept_ms};
    memcpy(now.mark, l->mark, sizeof now.mark);
    bool same = !l->all && strcmp(now.mark, l->last.mark) == 0;
    return same || state_set_look(l->e->state, &l->topic->api, &now);
}

/* False: the rows could not be read, or not all of what they tell be kept. */
static bool look(struct look *l, struct catalog *catalog, struct arena *arena, struct buf *text)
{
    struct source *source = NULL;
    arena_reset(arena);
    if (catalog_api_now(catalog, &l->topic->api, &l->api) || !l->api->topic || l->api->unit ||
        catalog_source(catalog, &l->api->source, &source) || source_ready(source) != SOURCE_OK)
        return false;
    l->is_key = calloc(l->api->table.n_columns + 1, 1);
    if (!l->is_key)
        return false;
    l->owner_column = -1;
    l->now_ms = clock_wall_ms();
    begin(l);
    l->n = 0;
    buf_clear(&l->store);
    size_t room = topic_log_room(l->topic->log) / 2;
    l->room = room < CHUNK_ROOM ? room : CHUNK_ROOM;
    mark_keys(l);
    bool ok = (l->change == QUERY_NO_COLUMN || read_mark(l, source, arena, text)) &&
              read_rows(l, source, arena, text) && (l->first || !l->all || find_gone(l)) && end(l);
    free(l->is_key);
    l->is_key = NULL;
    return ok;
}

static bool due(struct events *e, struct topic *t, uint64_t now_ms)
{
    pthread_mutex_lock(&e->lock);
    const char *source = json_string_value(json_object_get(t->config, "source"));
    uint64_t every = (uint64_t)json_integer_value(json_object_get(t->config, "poll_ms"));
    bool yes = t->live && source && strcmp(source, "dataset") == 0 &&
               now_ms - t->polled_ms >= (t->poll_failed ? RETRY_MS : LOOK_MS) &&
               (t->poll_now || t->poll_failed || t->polled_ms == 0 ||
                (every && now_ms - t->polled_ms >= every));
    if (yes) {
        t->poll_now = false;
        t->polled_ms = now_ms;
    }
    pthread_mutex_unlock(&e->lock);
    return yes;
}

static void poll_all(struct look *l, struct catalog *catalog, struct arena *arena, struct buf *text)
{
    for (size_t i = 0; !broker_ending(l->e); i++) {
        pthread_mutex_lock(&l->e->lock);
        l->topic = i < l->e->n_topics ? l->e->topics[i] : NULL;
        pthread_mutex_unlock(&l->e->lock);
        if (!l->topic)
            return;
        if (!due(l->e, l->topic, clock_wall_ms()))
            continue;
        bool ok = look(l, catalog, arena, text);
        catalog_release(catalog);
        pthread_mutex_lock(&l->e->lock);
        l->topic->poll_failed = !ok;
        l->topic->sweep_now = l->topic->sweep_now || (!ok && l->all); /* again */
        pthread_mutex_unlock(&l->e->lock);
    }
}

void *poll_run(void *p)
{
    struct events *e = p;
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    struct look *l = calloc(1, sizeof *l);
    struct catalog *catalog = calloc(1, sizeof *catalog);
    struct arena arena = {0};
    struct buf text;
    bool ok = l && catalog && arena_init(&arena, ARENA_BYTES) &&
              catalog_init(catalog, e->replica, e->data_dir, e->feed_key);
    buf_init(&text);
    while (ok && !broker_ending(e)) {
        l->e = e;
        poll_all(l, catalog, &arena, &text);
        nanosleep(&pause, NULL);
    }
    if (l) {
        buf_wipe(&l->store);
        buf_wipe(&l->row);
        buf_wipe(&l->key);
        buf_wipe(&l->plain);
    }
    if (catalog && ok)
        catalog_fini(catalog);
    arena_fini(&arena);
    buf_fini(&text);
    free(catalog);
    free(l);
    return NULL;
}
