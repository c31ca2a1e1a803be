/* SPDX-License-Identifier: Apache-2.0 */
/* One job from its question to its file. Rows come in, are masked and written chunk by chunk; where
 * a chunk ended goes with it to the disk, sealed, so that after a kill the next rows follow on the
 * last that count. Whatever fails leaves no file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "data/batch/batch.h"
#include "data/batch/read.h"
#include "data/batch/row.h"
#include "data/batch/zone.h"
#include "data/sandbox.h"

#define BUSY_TRIES 30 /* each as long as a call waits for a connection: a job has time */

struct run {
    struct batch *b;
    struct worker *w;
    struct job *job;
    const struct catalog_api *api;
    struct row_plan *plan;
    struct reader *reader; /* NULL in the test stage */
    struct pack *pack;
    struct buf chunk, at, key, scratch;
    char cursor[JOB_CURSOR_MAX + 1];
    uint16_t tracked;
    uint64_t rows, made; /* in the chunk; of the test stage, so far */
    struct slice values[QUERY_SELECT_MAX];
    struct pack_total loaded; /* into a zone store */
    bool done;                /* a run before this one wrote the last chunk */
};

static enum problem pack_problem(enum pack_err err)
{
    return err == PACK_OK      ? PROBLEM_OK
           : err == PACK_EFULL ? PROBLEM_STORAGE_FULL
                               : PROBLEM_INTERNAL;
}

/* The API as it was when the job was asked for: other levels or rules, and the job is over. */
static enum problem same_api(struct run *r)
{
    return catalog_api(&r->w->catalog, &r->job->api, r->job->api_rev, &r->api);
}

static enum problem parse(struct run *r)
{
    struct query_error err = {.where = SLICE("")};
    struct query_input in = {.raw = slice_str(r->job->query),
                             .range = SLICE(""),
                             .range_unit = SLICE(""),
                             .prefer = SLICE(""),
                             .accept = SLICE(""),
                             .outcome = r->job->outcome,
                             .regex = true,
                             .max_rows = UINT32_MAX};
    arena_reset(&r->w->arena);
    enum problem p = query_parse(&r->w->query, &r->w->arena, &r->api->table, &in, &err);
    r->w->rows = NULL;
    if (p || !r->job->rows[0])
        return p;
    return catalog_rows(&r->w->arena, &r->api->table, slice_str(r->job->rows), &r->w->rows)
               ? PROBLEM_OK
               : PROBLEM_ROW_FILTER_UNUSABLE;
}

/* Where a chunk ended: {k: where the reader stands, c: the cursor, d: it was the last}. */
static enum problem read_at(struct run *r)
{
    json_t *at = r->at.n ? json_loadb(r->at.p, r->at.n, 0, NULL) : NULL;
    const char *key = json_string_value(json_object_get(at, "k"));
    const char *cursor = json_string_value(json_object_get(at, "c"));
    bool ok = !r->at.n || (key && cursor && strlen(cursor) <= JOB_CURSOR_MAX);
    if (ok && at) {
        buf_adds(&r->key, key);
        snprintf(r->cursor, sizeof r->cursor, "%s", cursor);
        r->done = json_is_true(json_object_get(at, "d"));
    }
    json_decref(at);
    return ok && !r->key.failed ? PROBLEM_OK : PROBLEM_INTERNAL;
}

static bool write_at(struct run *r, bool last)
{
    buf_clear(&r->key);
    if (r->reader && !reader_at(r->reader, &r->key))
        return false;
    json_t *at = json_pack("{s:s%, s:s, s:b}", "k", r->key.p ? r->key.p : "", r->key.n, "c",
                           r->cursor, "d", last);
    char *text = at ? json_dumps(at, JSON_COMPACT) : NULL;
    json_decref(at);
    buf_clear(&r->at);
    if (text) {
        buf_adds(&r->at, text);
        crypto_wipe(text, strlen(text));
    }
    free(text);
    return text && !r->at.failed;
}

static enum problem open_pack(struct run *r)
{
    char dir[JOB_DIR_MAX];
    job_dir(r->b->root, &r->job->id, dir);
    enum problem p = pack_problem(
        pack_open(&r->pack, dir, (enum pack_method)r->job->method, r->b->at_key, &r->at));
    return p ? p : read_at(r);
}

/* A reading that cannot be gone on with begins anew. */
static enum problem start_over(struct run *r)
{
    pack_close(&r->pack);
    job_erase(r->b->root, r->job, false);
    buf_clear(&r->at);
    buf_clear(&r->key);
    r->cursor[0] = '\0';
    r->done = false;
    return open_pack(r);
}

static enum problem open_reader(struct run *r)
{
    struct source *source = NULL;
    struct reader_ask ask = {.api = r->api, .query = &r->w->query, .tracked = -1};
    enum problem p = PROBLEM_SOURCE_BUSY;
    for (int i = 0; p == PROBLEM_SOURCE_BUSY && i < BUSY_TRIES; i++)
        p = catalog_source(&r->w->catalog, &r->api->source, &source);
    if (p)
        return p;
    ask.source = source;
    ask.at = r->key.n ? buf_slice(&r->key) : SLICE("");
    ask.rows = r->pack ? pack_total(r->pack).rows : 0;
    ask.scope.rows = r->w->rows;
    if (r->api->owner_scoped && !r->job->whole)
        ask.scope.owner = slice_str(r->job->owner);
    if (r->job->since[0])
        ask.tracked = r->tracked;
    r->reader = reader_new(&ask);
    if (r->reader && r->pack && !reader_resumes(r->reader) && pack_total(r->pack).chunks &&
        !r->done) {
        reader_free(&r->reader);
        p = start_over(r);
        ask.at = SLICE("");
        ask.rows = 0;
        r->reader = p ? NULL : reader_new(&ask);
    }
    return p ? p : r->reader ? PROBLEM_OK : PROBLEM_INTERNAL;
}

static enum problem prepare(struct run *r)
{
    const struct job *job = r->job;
    enum problem p = same_api(r);
    if (!p && (job->n_fields != r->api->table.n_columns || r->api->graph || !r->api->batch))
        p = PROBLEM_PLAN_CHANGED;
    if (!p && r->api->state == POLICY_API_OFFLINE)
        p = PROBLEM_API_OFFLINE;
    if (!p && r->api->owner_scoped && !job->whole &&
        (r->api->table.owner_column.n == 0 || !job->owner[0]))
        p = PROBLEM_INTERNAL;
    for (size_t i = 0; !p && job->since[0] && i < r->api->table.n_columns; i++)
        if (slice_eq(r->api->columns[i].name, slice_str(job->since)))
            r->tracked = (uint16_t)i;
    p = p ? p : parse(r);
    if (p)
        return p;
    r->plan = row_plan_new(r->api, job->outcome, r->w->query.select, r->w->query.n_select,
                           r->b->mask_key);
    if (!r->plan)
        return PROBLEM_INTERNAL;
    p = uuid_is_nil(&job->zone) ? open_pack(r) : PROBLEM_OK;
    return p || job->sandbox ? p : open_reader(r);
}

/* Rows ----------------------------------------------------------------------------------------- */

static bool numeric(const struct run *r)
{
    uint8_t type = r->api->columns[r->tracked].type;
    return type == QUERY_INTEGER || type == QUERY_NUMBER;
}

/* Keeps the greater; text of equal form compares as it stands (dates do). */
static void follow(struct run *r)
{
    struct slice v = reader_tracked(r->reader);
    if (!v.p || v.n > JOB_CURSOR_MAX || memchr(v.p, '\0', v.n))
        return;
    char text[JOB_CURSOR_MAX + 1];
    memcpy(text, v.p, v.n);
    text[v.n] = '\0';
    bool greater =
        numeric(r) ? strtold(text, NULL) > strtold(r->cursor, NULL) : strcmp(text, r->cursor) > 0;
    if (!r->cursor[0] || greater)
        memcpy(r->cursor, text, v.n + 1);
}

static enum problem synthetic_next(struct run *r, const struct slice **values, bool *more)
{
    uint64_t there = SANDBOX_ROWS;
    uint64_t row = pack_total(r->pack).rows + r->made;
    buf_clear(&r->scratch);
    *values = r->values;
    *more = row < there && row < r->w->query.limit;
    if (!*more)
        return PROBLEM_OK;
    size_t ends[QUERY_SELECT_MAX + 1] = {0};
    for (size_t i = 0; i < r->w->query.n_select; i++) {
        uint16_t c = r->w->query.select[i];
        if (r->job->owner[0] && slice_eq(r->api->columns[c].column, r->api->table.owner_column))
            buf_adds(&r->scratch, r->job->owner);
        else
            sandbox_value(&r->scratch, (enum sandbox_kind)r->api->stands_for[c],
                          (enum query_type)r->api->columns[c].type, r->api->columns[c].name, row);
        ends[i + 1] = r->scratch.n;
    }
    for (size_t i = 0; i < r->w->query.n_select; i++)
        r->values[i] = slice_of(r->scratch.p + ends[i], ends[i + 1] - ends[i]);
    r->made++;
    return r->scratch.failed ? PROBLEM_INTERNAL : PROBLEM_OK;
}

/* A source that went away may come back; one read without a key cannot be gone on with. */
static enum problem next_row(struct run *r, const struct slice **values, bool *more)
{
    if (!r->reader)
        return synthetic_next(r, values, more);
    enum problem p = reader_next(r->reader, values, more);
    for (int i = 1; p == PROBLEM_SOURCE_UNAVAILABLE && reader_resumes(r->reader) &&
                    i < BATCH_SOURCE_TRIES && !r->job->stop;
         i++) {
        nanosleep(&(struct timespec){.tv_nsec = 500000000}, NULL);
        p = reader_next(r->reader, values, more);
    }
    return p;
}

static enum problem add_chunk(struct run *r, bool last)
{
    if (!write_at(r, last) || r->chunk.failed)
        return PROBLEM_INTERNAL;
    struct slice plain = r->chunk.n ? buf_slice(&r->chunk) : SLICE("");
    enum problem p = pack_problem(pack_add(r->pack, plain, r->rows, buf_slice(&r->at)));
    if (p)
        return p;
    buf_clear(&r->chunk);
    r->rows = 0;
    r->made = 0;
    pthread_mutex_lock(&r->b->lock);
    r->job->total = pack_total(r->pack);
    memcpy(r->job->cursor, r->cursor, sizeof r->cursor);
    pthread_mutex_unlock(&r->b->lock);
    return last ? PROBLEM_OK : same_api(r);
}

static bool told_to_stop(struct run *r)
{
    pthread_mutex_lock(&r->b->lock);
    bool stop = r->job->stop || r->b->stopping;
    pthread_mutex_unlock(&r->b->lock);
    return stop;
}

/* PROBLEM_COUNT: stopped before it was done. */
static enum problem write_rows(struct run *r)
{
    enum format format = (enum format)r->job->format;
    const struct format_column *columns = row_plan_columns(r->plan);
    size_t n = r->w->query.n_select;
    if (pack_total(r->pack).chunks == 0)
        format_begin(&r->chunk, format, columns, n);
    for (;;) {
        const struct slice *values;
        bool more;
        enum problem p = next_row(r, &values, &more);
        if (p || !more)
            return p;
        const struct format_cell *cells = row_plan_apply(r->plan, values);
        if (!cells)
            return PROBLEM_INTERNAL;
        format_row(&r->chunk, format, columns, cells, n);
        r->rows++;
        if (r->reader && r->job->since[0])
            follow(r);
        if (r->chunk.n < PACK_CHUNK_BYTES && !r->chunk.failed)
            continue;
        p = add_chunk(r, false);
        if (p || told_to_stop(r))
            return p ? p : PROBLEM_COUNT;
    }
}

static enum problem next_cells(void *ctx, const struct format_cell **cells, bool *more)
{
    struct run *r = ctx;
    const struct slice *values;
    enum problem p = next_row(r, &values, more);
    if (p || !*more)
        return p;
    *cells = row_plan_apply(r->plan, values);
    return *cells ? PROBLEM_OK : PROBLEM_INTERNAL;
}

static bool stops(void *ctx)
{
    return told_to_stop(ctx);
}

/* Into a zone store: there is no half of it, so a run that was killed begins anew. */
static enum problem fill_zone(struct run *r)
{
    char id[UUID_TEXT_LEN + 1];
    struct zone_sum sum = {0};
    struct zone_run zone = {.api = r->api,
                            .select = r->w->query.select,
                            .n = r->w->query.n_select,
                            .columns = row_plan_columns(r->plan),
                            .next = next_cells,
                            .stop = stops,
                            .ctx = r};
    uuid_format(&r->job->id, id);
    enum problem p = zone_run(&zone, r->b->service.data_dir, &r->job->zone, slice_str(id),
                              slice_str(r->job->table), &sum);
    if (!p) {
        r->loaded.rows = sum.rows;
        memcpy(r->job->sm3, sum.sm3, sizeof sum.sm3);
    }
    return p;
}

static enum problem make_file(struct run *r)
{
    enum problem p = prepare(r);
    if (!uuid_is_nil(&r->job->zone))
        return p || r->job->sandbox ? p : fill_zone(r);
    if (!p && !r->done) {
        p = write_rows(r);
        if (!p) {
            format_end(&r->chunk, (enum format)r->job->format);
            p = add_chunk(r, true);
        }
    }
    if (!p)
        pack_digest(r->pack, r->job->sm3);
    return p;
}

static void settle(struct run *r, enum problem p)
{
    struct job *job = r->job;
    pthread_mutex_lock(&r->b->lock);
    if (p == PROBLEM_COUNT || job->stop) {
        pthread_mutex_unlock(&r->b->lock);
        return; /* it goes on at the next start, or is being erased */
    }
    if (!p)
        job->total = r->pack ? pack_total(r->pack) : r->loaded;
    job->finished_ms = clock_wall_ms();
    job->state = p ? JOB_FAILED : JOB_READY;
    snprintf(job->problem, sizeof job->problem, "%s", p ? problem_row(p)->code : "");
    if (p)
        memset(&job->total, 0, sizeof job->total);
    if (p) /* first the room it takes, then the record of it, which may need some */
        job_erase(r->b->root, job, false);
    if (!job_save(r->b->root, job, job->finished_ms)) { /* the next start goes on with it */
        job->state = JOB_FAILED;
        snprintf(job->problem, sizeof job->problem, "%s", problem_row(batch_problem(errno))->code);
    }
    pthread_mutex_unlock(&r->b->lock);
}

void batch_run(struct batch *b, struct worker *w, struct job *job)
{
    struct run *r = calloc(1, sizeof *r);
    if (!r)
        return;
    *r = (struct run){.b = b, .w = w, .job = job};
    struct buf *bufs[] = {&r->chunk, &r->at, &r->key, &r->scratch};
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
        buf_init(bufs[i]);
    pthread_mutex_lock(&b->lock);
    bool stop = job->stop;
    if (!stop) {
        job->state = JOB_RUNNING;
        job->started_ms = job->started_ms ? job->started_ms : clock_wall_ms();
    }
    pthread_mutex_unlock(&b->lock);
    enum problem p = stop ? PROBLEM_COUNT : make_file(r);
    settle(r, p);
    reader_free(&r->reader);
    catalog_release(&w->catalog);
    row_plan_free(&r->plan);
    pack_close(&r->pack);
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
        buf_wipe(bufs[i]);
    free(r);
}
