/* SPDX-License-Identifier: Apache-2.0 */
/* What an app asks of its exports, below the API's path:
 *   POST   exports[?query]        makes a job        GET exports          those it has made
 *   GET    exports/{id}           how far it is      DELETE exports/{id}  ends it, erases the file
 *   GET    exports/{id}/manifest  [.jws]             GET exports/{id}/data the file, by ranges
 * The gateway has decided each call as a read of the API. A job is its app's alone, and of the
 * owner it was made for; a file leaves only while every field in it may still leave as it stands
 * there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/codec.h"
#include "data/batch/batch.h"
#include "data/ranges.h"
#include "plan/plan.h"

#define LIST_MAX    200
#define EXPORTS     "/exports"
#define RETRY_S     "2"
#define EXPORT_HEAD "Sluice-Export" /* tells the gateway that this is no answer of rows */

bool batch_target(const struct catalog_api *api, struct slice target, struct slice *rest)
{
    static const size_t n = sizeof EXPORTS - 1;
    size_t path = api->path && !api->graph ? strlen(api->path) : 0;
    const char *mark = memchr(target.p, '?', target.n);
    struct slice own = slice_of(target.p, mark ? (size_t)(mark - target.p) : target.n);
    if (!path || !api->batch || own.n < path + n || memcmp(own.p, api->path, path) != 0 ||
        memcmp(own.p + path, EXPORTS, n) != 0)
        return false;
    *rest = slice_of(own.p + path + n, own.n - path - n);
    return rest->n == 0 || rest->p[0] == '/';
}

/* Making one ----------------------------------------------------------------------------------- */

struct ask {
    struct worker *w;
    const struct catalog_api *api;
    const struct service_request *rq;
    struct service_reply *rp;
    const char *detail;
    struct slice where;
};

static enum problem wrong(struct ask *a, const char *where, const char *detail)
{
    a->where = slice_str(where);
    a->detail = detail;
    return PROBLEM_FIELD_INVALID;
}

static enum problem read_compression(struct ask *a, const json_t *body, struct job *job)
{
    const json_t *v = json_object_get(body, "compression"), *one;
    size_t i;
    if (!v)
        return PROBLEM_OK;
    json_array_foreach(v, i, one) /* the first we speak: the app says them in its order */
    {
        const char *text = json_string_value(one);
        job->method = (uint8_t)(text ? pack_method_by_name(slice_str(text)) : PACK_METHODS);
        if (job->method < PACK_METHODS)
            return PROBLEM_OK;
    }
    if (json_is_string(v))
        job->method = (uint8_t)pack_method_by_name(slice_str(json_string_value(v)));
    return json_is_string(v) && job->method < PACK_METHODS
               ? PROBLEM_OK
               : wrong(a, "/compression", "none, gzip or zstd, or a list of them, is needed");
}

/* The column rows are followed by: one the app may see as it is, or its values would leak. */
static enum problem read_since(struct ask *a, const json_t *body, struct job *job)
{
    const json_t *since = json_object_get(body, "since");
    const char *column = json_string_value(json_object_get(since, "column"));
    const char *after = json_string_value(json_object_get(since, "after"));
    if (!since)
        return PROBLEM_OK;
    if (!column || strlen(column) > JOB_COLUMN_MAX || (after && strlen(after) > JOB_CURSOR_MAX))
        return wrong(a, "/since", "{column, after?} is needed, each a short text");
    for (size_t i = 0; i < a->api->table.n_columns; i++) {
        uint8_t type = a->api->columns[i].type;
        if (!slice_eq(a->api->columns[i].name, slice_str(column)))
            continue;
        if (a->w->call.outcome[i] != PLAN_KEEP)
            break;
        if (type != QUERY_INTEGER && type != QUERY_NUMBER && type != QUERY_DATE &&
            type != QUERY_DATETIME && type != QUERY_STRING)
            return wrong(a, "/since/column", "a column of numbers, dates or text is needed");
        if (after && !query_value_fits((enum query_type)type, slice_str(after)))
            return wrong(a, "/since/after", "this is no value of that column");
        snprintf(job->since, sizeof job->since, "%s", column);
        snprintf(job->after, sizeof job->after, "%s", after ? after : "");
        snprintf(job->cursor, sizeof job->cursor, "%s", job->after);
        return PROBLEM_OK;
    }
    return wrong(a, "/since/column", "there is no such column that the app may read as it is");
}

static enum problem read_body(struct ask *a, const json_t *body, struct job *job)
{
    static const char *const members[] = {"format", "compression", "since", "expires_in_s"};
    const json_t *format = json_object_get(body, "format");
    const json_t *life = json_object_get(body, "expires_in_s");
    json_int_t life_s = life ? json_integer_value(life) : BATCH_LIFE_S;
    size_t known = 0;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        known += json_object_get(body, members[i]) != NULL;
    if (json_object_size(body) != known)
        return wrong(a, "", "format, compression, since and expires_in_s are what there is");
    job->format =
        (uint8_t)(!format                  ? FORMAT_NDJSON
                  : json_is_string(format) ? format_by_name(slice_str(json_string_value(format)))
                                           : FORMATS);
    if (job->format == FORMATS)
        return wrong(a, "/format", "one of csv, ndjson, xml is needed");
    if (life_s < 60 || life_s > BATCH_LIFE_MAX_S)
        return wrong(a, "/expires_in_s", "60 to 604800 seconds are allowed");
    job->expires_ms = job->created_ms + (uint64_t)life_s * 1000;
    enum problem p = read_compression(a, body, job);
    return p ? p : read_since(a, body, job);
}

/* The query, and the rows after the cursor when there is one. */
static char *whole_query(const struct job *job, struct slice raw)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    struct buf text;
    buf_init(&text);
    buf_add(&text, raw.p, raw.n);
    const char *parts[] = {job->since, job->after};
    for (size_t i = 0; job->since[0] && job->after[0] && i < 2; i++) {
        buf_adds(&text, i ? "=gt." : text.n ? "&" : "");
        for (const unsigned char *p = (const unsigned char *)parts[i]; *p; p++)
            if (strchr(safe, *p))
                buf_addc(&text, (char)*p);
            else
                buf_addf(&text, "%%%02X", *p);
    }
    buf_addc(&text, '\0');
    char *out = text.failed ? NULL : text.p;
    if (!out)
        buf_fini(&text);
    return out;
}

static enum problem check_query(struct ask *a, const struct job *job)
{
    struct query_error err = {.where = SLICE("")};
    struct query_input in = {.raw = slice_str(job->query),
                             .range = SLICE(""),
                             .range_unit = SLICE(""),
                             .prefer = SLICE(""),
                             .accept = SLICE(""),
                             .outcome = job->outcome,
                             .regex = true,
                             .max_rows = UINT32_MAX};
    enum problem p = query_parse(&a->w->query, &a->w->arena, &a->api->table, &in, &err);
    a->detail = err.detail;
    return p;
}

/* What leaves, as it is decided now: kept with the file, to be held against later decisions. */
static json_t *leaving(const struct ask *a)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < a->w->query.n_select; i++) {
        uint16_t c = a->w->query.select[i];
        char mask[MASK_SPEC_TEXT_MAX];
        const struct catalog_rule *rule = &a->api->rules[c];
        bool masked = a->w->call.outcome[c] == PLAN_MASK;
        mask_format(&rule->mask, mask);
        json_t *one = json_pack("{s:s%, s:i, s:s}", "name", a->api->columns[c].name.p,
                                a->api->columns[c].name.n, "level", rule->level, "outcome",
                                masked ? "mask" : "keep");
        if (masked)
            json_object_set_new(one, "mask", json_string(mask));
        json_array_append_new(list, one);
    }
    return list;
}

enum problem batch_make(struct worker *w, const struct catalog_api *api,
                        const struct service_request *rq, const json_t *body, struct slice raw,
                        struct job **slot, const char **detail, struct slice *where)
{
    struct ask a = {.w = w, .api = api, .rq = rq, .where = SLICE("")};
    struct job *job = job_new();
    if (!job)
        return PROBLEM_INTERNAL;
    uuid_new(&job->id);
    job->api = api->id;
    job->app = w->call.app;
    job->grant = w->call.grant;
    job->api_rev = api->rev;
    job->sandbox = w->call.sandbox;
    job->created_ms = clock_wall_ms();
    job->n_fields = w->call.n_fields;
    memcpy(job->outcome, w->call.outcome, job->n_fields);
    memcpy(job->owner, w->call.owner.p ? w->call.owner.p : "", w->call.owner.n);
    memcpy(job->rows, w->call.rows.p ? w->call.rows.p : "", w->call.rows.n);
    enum problem p = raw.n > JOB_QUERY_MAX ? PROBLEM_QUERY_TOO_LARGE : read_body(&a, body, job);
    if (!p && !(job->query = whole_query(job, raw)))
        p = PROBLEM_INTERNAL;
    p = p ? p : check_query(&a, job);
    if (!p && !(job->fields = leaving(&a)))
        p = PROBLEM_INTERNAL;
    *detail = a.detail;
    *where = a.where;
    if (p)
        job_free(&job);
    *slot = job;
    return p;
}

static bool say_json(struct worker *w, struct service_reply *rp, json_t *json, unsigned status)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (text)
        buf_adds(&w->body, text);
    free(text);
    rp->status = status;
    rp->content_type = "application/json";
    service_header(rp, EXPORT_HEAD, "job");
    return text && !w->body.failed;
}

static struct slice query_of(struct slice target)
{
    const char *mark = memchr(target.p, '?', target.n);
    return mark ? slice_of(mark + 1, target.n - (size_t)(mark + 1 - target.p)) : SLICE("");
}

static enum problem create(struct ask *a)
{
    struct job *job = NULL;
    char id[UUID_TEXT_LEN + 1];
    json_t *body = a->rq->body.n
                       ? json_loadb(a->rq->body.p, a->rq->body.n, JSON_REJECT_DUPLICATES, NULL)
                       : json_object();
    if (!json_is_object(body)) {
        json_decref(body);
        return PROBLEM_BODY_MALFORMED;
    }
    enum problem p =
        batch_make(a->w, a->api, a->rq, body, query_of(a->rq->target), &job, &a->detail, &a->where);
    json_decref(body);
    if (p)
        return p;
    json_t *told = job_public(job, a->api->path);
    uuid_format(&job->id, id);
    p = batch_add(a->w->batch, job);
    if (p) {
        job_free(&job);
        json_decref(told);
        return p;
    }
    service_header(a->rp, "Location", "%s/exports/%s", a->api->path, id);
    return say_json(a->w, a->rp, told, 202) ? PROBLEM_OK : PROBLEM_INTERNAL;
}

/* Asking for it -------------------------------------------------------------------------------- */

static bool is_mine(const struct ask *a, const struct job *job)
{
    struct slice owner = slice_str(job->owner);
    return uuid_eq(&job->app, &a->w->call.app) && uuid_eq(&job->api, &a->api->id) &&
           job->sandbox == a->w->call.sandbox && slice_eq(owner, a->w->call.owner);
}

static enum problem list(struct ask *a)
{
    struct batch *b = a->w->batch;
    json_t *items = json_array();
    pthread_mutex_lock(&b->lock);
    for (const struct job *job = b->jobs; job && json_array_size(items) < LIST_MAX; job = job->next)
        if (is_mine(a, job))
            json_array_append_new(items, job_public(job, a->api->path));
    pthread_mutex_unlock(&b->lock);
    return say_json(a->w, a->rp, json_pack("{s:o}", "items", items), 200) ? PROBLEM_OK
                                                                          : PROBLEM_INTERNAL;
}

/* Whether the field may still leave as it stands in the file. */
static bool still_leaves(const struct ask *a, const json_t *field)
{
    const char *name = json_string_value(json_object_get(field, "name"));
    const char *mask = json_string_value(json_object_get(field, "mask"));
    char now[MASK_SPEC_TEXT_MAX];
    for (size_t i = 0; name && i < a->api->table.n_columns; i++) {
        uint8_t outcome = a->w->call.outcome[i];
        if (!slice_eq(a->api->columns[i].name, slice_str(name)))
            continue;
        if (outcome != PLAN_MASK || !mask)
            return outcome == PLAN_KEEP;
        mask_format(&a->api->rules[i].mask, now);
        return strcmp(now, mask) == 0;
    }
    return false;
}

static enum problem check_still(struct ask *a, const struct job *job)
{
    size_t i;
    json_t *field;
    if (!slice_eq(slice_str(job->rows), a->w->call.rows))
        return PROBLEM_EXPORT_OUTDATED;
    json_array_foreach(job->fields, i, field)
    {
        if (!still_leaves(a, field))
            return PROBLEM_EXPORT_OUTDATED;
    }
    return PROBLEM_OK;
}

static enum problem check_ready(struct ask *a, const struct job *job)
{
    if (job->state == JOB_READY)
        return check_still(a, job);
    a->detail = job_state_name((enum job_state)job->state);
    return job->state < JOB_READY ? PROBLEM_STATE_CONFLICT : PROBLEM_EXPORT_GONE;
}

/* The file ------------------------------------------------------------------------------------- */

struct span {
    uint64_t first, last, rows;
};

static bool add_rows(const struct pack_chunk *chunk, void *ctx)
{
    struct span *s = ctx;
    if (chunk->offset >= s->first && chunk->offset <= s->last)
        s->rows += chunk->rows;
    return chunk->offset <= s->last;
}

static enum problem send_file(struct ask *a, const struct job *job, const char *etag)
{
    char dir[JOB_DIR_MAX], path[JOB_DIR_MAX + 8];
    struct ranges_span range;
    enum problem p = ranges_read(a->rq, a->rp, etag, job->total.bytes, &range, &a->detail);
    if (p)
        return p;
    struct span span = {range.first, range.last, 0};
    job_dir(a->w->batch->root, &job->id, dir);
    snprintf(path, sizeof path, "%s/data", dir);
    if (job->total.bytes && pack_each(dir, add_rows, &span) != PACK_OK)
        return PROBLEM_INTERNAL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return PROBLEM_INTERNAL;
    uint64_t n = job->total.bytes ? span.last - span.first + 1 : 0;
    a->rp->file = (struct service_file){true, fd, span.first, n};
    a->rp->content_type = job->method == PACK_GZIP   ? "application/gzip"
                          : job->method == PACK_ZSTD ? "application/zstd"
                                                     : format_media_type((enum format)job->format);
    service_header(a->rp, EXPORT_HEAD, "rows=%llu", (unsigned long long)span.rows);
    return PROBLEM_OK;
}

static enum problem send_text(struct ask *a, const struct job *job, bool jws)
{
    bool ok = jws ? manifest_sign(a->w->batch, job, &a->w->body)
                  : manifest_write(a->w->batch, job, &a->w->body);
    a->rp->content_type = jws ? "application/jose" : "application/json";
    service_header(a->rp, EXPORT_HEAD, "job");
    return ok ? PROBLEM_OK : PROBLEM_INTERNAL;
}

static enum problem part(struct ask *a, struct job *job, struct slice name)
{
    char etag[2 + 32 + 1] = "\"";
    enum problem p = check_ready(a, job);
    if (p)
        return p;
    size_t n = 1 + codec_hex(etag + 1, job->sm3, 16);
    etag[n] = '"';
    etag[n + 1] = '\0';
    bool data = slice_eq(name, SLICE("/data"));
    if (data)
        return send_file(a, job, etag);
    if (slice_eq(name, SLICE("/manifest")) || slice_eq(name, SLICE("/manifest.jws")))
        return send_text(a, job, name.n > 9);
    return PROBLEM_NOT_FOUND;
}

static enum problem one(struct ask *a, struct slice rest)
{
    struct uuid id;
    struct batch *b = a->w->batch;
    bool get = slice_eq(a->rq->method, SLICE("GET")) || slice_eq(a->rq->method, SLICE("HEAD"));
    if (rest.n < 1 + UUID_TEXT_LEN || !uuid_parse(&id, rest.p + 1, UUID_TEXT_LEN))
        return PROBLEM_NOT_FOUND;
    struct slice name = slice_of(rest.p + 1 + UUID_TEXT_LEN, rest.n - 1 - UUID_TEXT_LEN);
    pthread_mutex_lock(&b->lock);
    struct job *job = batch_find(b, &id);
    enum problem p = !job || !is_mine(a, job) ? PROBLEM_NOT_FOUND : PROBLEM_OK;
    if (!p && get && name.n)
        p = part(a, job, name);
    else if (!p && get)
        p = say_json(a->w, a->rp, job_public(job, a->api->path), 200) ? PROBLEM_OK
                                                                      : PROBLEM_INTERNAL;
    else if (!p && !name.n && slice_eq(a->rq->method, SLICE("DELETE")))
        p = batch_erase(b, job);
    else if (!p)
        p = PROBLEM_METHOD_NOT_ALLOWED;
    if (!p && !get)
        p = say_json(a->w, a->rp, job_public(job, NULL), 200) ? PROBLEM_OK : PROBLEM_INTERNAL;
    pthread_mutex_unlock(&b->lock);
    return p;
}

void batch_handle(struct worker *w, const struct catalog_api *api, const struct service_request *rq,
                  struct slice rest, struct service_reply *rp)
{
    struct ask a = {.w = w, .api = api, .rq = rq, .rp = rp, .where = SLICE("")};
    enum problem p = PROBLEM_METHOD_NOT_ALLOWED;
    bool get = slice_eq(rq->method, SLICE("GET")) || slice_eq(rq->method, SLICE("HEAD"));
    if (!w->batch || api->profile != CATALOG_REST)
        p = PROBLEM_ROUTE_UNKNOWN;
    else if (rest.n)
        p = one(&a, rest);
    else if (get)
        p = list(&a);
    else if (slice_eq(rq->method, SLICE("POST")))
        p = create(&a);
    if (p)
        service_problem(w, rq, rp, p, a.detail, a.where);
}
