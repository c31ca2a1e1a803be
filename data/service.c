/* SPDX-License-Identifier: Apache-2.0 */
#include "data/service.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "data/batch/batch.h"
#include "data/events/events.h"
#include "data/files/files.h"
#include "data/query/cell.h"
#include "data/rows.h"
#include "data/write/write.h"

struct worker *worker_new(const struct service_config *cfg)
{
    uint8_t key[CRYPTO_KEY_LEN];
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->max_rows = cfg->max_rows;
    w->events = cfg->events;
    w->collector = cfg->collector;
    w->batch = cfg->batch;
    w->files = cfg->files;
    buf_init(&w->sql);
    buf_init(&w->body);
    link_mac_init(&w->link, "link.call", cfg->link_key);
    link_mac_init(&w->ticket, "link.ticket", cfg->link_key);
    crypto_derive(cfg->link_key, "data.cursor", w->cursor_key);
    w->journal = cfg->journal;
    crypto_derive(cfg->link_key, "write.version", key);
    w->version = crypto_hmac_new(CRYPTO_SM3, key, sizeof key);
    crypto_derive(cfg->link_key, "mask.pseudonym", key); /* as the gateway masks */
    w->mask_key = mask_key_new(key);
    crypto_derive(cfg->link_key, "feed.secret", key);
    if (!arena_init(&w->arena, ARENA_BYTES) ||
        !catalog_init(&w->catalog, cfg->replica, cfg->data_dir, key))
        worker_free(&w);
    crypto_wipe(key, sizeof key);
    return w;
}

void worker_free(struct worker **w)
{
    if (!*w)
        return;
    catalog_fini(&(*w)->catalog);
    link_mac_fini(&(*w)->link);
    link_mac_fini(&(*w)->ticket);
    crypto_wipe((*w)->cursor_key, sizeof(*w)->cursor_key);
    crypto_hmac_free(&(*w)->version);
    mask_key_free(&(*w)->mask_key);
    arena_fini(&(*w)->arena);
    buf_fini(&(*w)->sql);
    buf_fini(&(*w)->body);
    free(*w);
    *w = NULL;
}

void service_problem(struct worker *w, const struct service_request *rq, struct service_reply *rp,
                     enum problem problem, const char *detail, struct slice where)
{
    char text[PROBLEM_RENDER_MAX], instance[UUID_TEXT_LEN + 1] = "";
    if (problem != PROBLEM_LINK_REFUSED)
        uuid_format(&w->call.txn, instance);
    bool zh = problem_prefers_zh(rq->header(rq->ctx, "Accept-Language"));
    size_t n = problem_render(problem, zh, slice_str(detail ? detail : ""), where,
                              slice_str(instance), text);
    rp->status = problem_row(problem)->status;
    rp->problem = problem;
    rp->content_type = "application/problem+json";
    rp->n_headers = 0;
    buf_clear(&w->body);
    buf_add(&w->body, text, n);
}

void service_header(struct service_reply *rp, const char *name, const char *fmt, ...)
{
    struct service_header *h = &rp->headers[rp->n_headers];
    va_list args;
    if (rp->n_headers == SERVICE_HEADERS_MAX)
        return;
    va_start(args, fmt);
    int n = vsnprintf(h->value, sizeof h->value, fmt, args);
    va_end(args);
    h->name = name;
    if (n >= 0 && (size_t)n < sizeof h->value)
        rp->n_headers++;
}

enum problem service_source_problem(enum source_err err)
{
    static const enum problem problems[] = {
        [SOURCE_OK] = PROBLEM_OK,
        [SOURCE_EUNAVAILABLE] = PROBLEM_SOURCE_UNAVAILABLE,
        [SOURCE_ETIMEOUT] = PROBLEM_UPSTREAM_TIMEOUT,
        [SOURCE_EVALUE] = PROBLEM_QUERY_MALFORMED,
        [SOURCE_ECONNECTION] = PROBLEM_SOURCE_UNAVAILABLE,
        [SOURCE_ECHANGED] = PROBLEM_SOURCE_CHANGED,
        [SOURCE_ECONSTRAINT] = PROBLEM_STATE_CONFLICT,
        [SOURCE_EBUSY] = PROBLEM_SOURCE_UNAVAILABLE,
    };
    return problems[err];
}

enum problem service_open(struct worker *w, const struct catalog_api *api, struct source **source)
{
    *source = NULL;
    if (w->call.sandbox)
        return PROBLEM_OK;
    enum problem p = catalog_source(&w->catalog, &api->source, source);
    if (p)
        return p;
    source_set_timeout_ms(*source,
                          api->query_timeout_ms ? api->query_timeout_ms : SOURCE_TIMEOUT_S * 1000);
    return service_source_problem(source_ready(*source));
}

bool service_scope(const struct worker *w, const struct catalog_api *api, struct sql_scope *scope)
{
    *scope = (struct sql_scope){.owner = {NULL, 0}, .rows = w->rows};
    if (!api->owner_scoped)
        return true;
    scope->owner = w->call.owner;
    return scope->owner.n > 0 && api->table.owner_column.n > 0;
}

struct sql service_sql(struct worker *w, const struct source *source)
{
    return (struct sql){.text = &w->sql,
                        .arena = &w->arena,
                        .dialect = source_dialect(source),
                        .quote = source_quote(source)[0]};
}

enum problem service_count(struct worker *w, const struct catalog_api *api, struct source *source,
                           uint64_t *total)
{
    struct slice text;
    struct sql_scope scope;
    struct source_rows rows;
    bool more = false;
    *total = 0;
    if (w->call.sandbox)
        return synthetic_count(w, api, total);
    if (!service_scope(w, api, &scope))
        return PROBLEM_OK;
    struct sql sql = service_sql(w, source);
    sql_count(&sql, &api->table, &w->query, &scope);
    if (sql.failed)
        return PROBLEM_QUERY_TOO_LARGE;
    enum source_err err =
        source_query(source, buf_slice(sql.text), sql.params, sql.n_params, &rows);
    if (err)
        return service_source_problem(err);
    err = source_next(&rows, &more);
    bool ok = !err && more && source_cell(&rows, 0, &text) && query_uint(text, total);
    source_rows_end(&rows);
    return ok ? PROBLEM_OK : PROBLEM_SOURCE_UNAVAILABLE;
}

/* What the source thinks the statement will cost it, where a dataset sets a limit and the source
 * can say: in PostgreSQL's own unit, a page read in order. */
static enum problem check_cost(const struct catalog_api *api, struct source *source,
                               struct sql *sql)
{
    static const char explain[] = "EXPLAIN (FORMAT JSON) ";
    struct source_rows rows;
    struct slice text;
    bool more = false;
    double cost = 0;
    if (!api->max_cost || !sql->dialect->costs)
        return PROBLEM_OK;
    struct buf statement;
    buf_init(&statement);
    buf_adds(&statement, explain);
    buf_add(&statement, sql->text->p, sql->text->n);
    buf_addc(&statement, '\0');
    enum source_err err = statement.failed
                              ? SOURCE_EUNAVAILABLE
                              : source_query(source, slice_of(statement.p, statement.n - 1),
                                             sql->params, sql->n_params, &rows);
    buf_fini(&statement);
    if (err)
        return service_source_problem(err);
    err = source_next(&rows, &more);
    if (!err && more && source_cell(&rows, 0, &text)) {
        json_t *plan = json_loadb(text.p, text.n, 0, NULL);
        cost = json_number_value(
            json_object_get(json_object_get(json_array_get(plan, 0), "Plan"), "Total Cost"));
        json_decref(plan);
    }
    source_rows_end(&rows);
    return err                    ? service_source_problem(err)
           : cost > api->max_cost ? PROBLEM_QUERY_TOO_COSTLY
                                  : PROBLEM_OK;
}

static void write_text_row(struct worker *w, const struct catalog_api *api,
                           const struct source_rows *rows)
{
    for (size_t i = 0; i < w->query.n_select; i++) {
        uint16_t column = w->query.select[i];
        struct slice value;
        buf_addc(&w->body, i ? ',' : '{');
        buf_add(&w->body, api->members[column].p, api->members[column].n);
        if (!source_cell(rows, i, &value))
            buf_add(&w->body, "null", 4);
        else
            cell_write_text(&w->body, (enum query_type)api->columns[column].type, CELL_SECONDS,
                            value);
    }
}

void rows_object(struct buf *out, const struct query *q, const struct query_table *table,
                 const struct slice *members, const struct source_rows *rows)
{
    if (q->n_select == 0)
        buf_addc(out, '{');
    for (size_t i = 0; i < q->n_select; i++) {
        uint16_t column = q->select[i];
        uint8_t type = q->special ? q->from[i].type : table->columns[column].type;
        struct slice value;
        buf_addc(out, i ? ',' : '{');
        buf_add(out, members[column].p, members[column].n);
        if (!source_cell(rows, i, &value))
            buf_add(out, "null", 4);
        else
            cell_write(out, (enum query_type)type, value);
    }
}

size_t rows_sorts(const struct worker *w, const struct catalog_api *api)
{
    struct sql_sort sorts[QUERY_SORT_MAX];
    return w->query.after.p ? sql_sorts(&api->table, &w->query, sorts) : 0;
}

void rows_mark(struct worker *w, const struct source_rows *rows, size_t sorts,
               struct rows_page *page)
{
    if (sorts == 0 || page->n + 1 != w->query.limit)
        return;
    page->more = true;
    page->n_last = sorts;
    for (size_t i = 0; i < sorts; i++) {
        struct slice value;
        page->last[i] = source_cell(rows, w->query.n_select + i, &value)
                            ? arena_copy(&w->arena, value)
                            : (struct slice){NULL, 0};
    }
}

static void version_row(struct worker *w, const struct catalog_api *api,
                        const struct source_rows *rows)
{
    for (size_t i = 0; i < w->query.n_select; i++) {
        struct slice value;
        bool null = !source_cell(rows, i, &value);
        write_version_add(w, (enum query_type)api->columns[w->query.select[i]].type,
                          null ? SLICE("") : value, null);
    }
}

static enum problem write_rows(struct worker *w, const struct catalog_api *api,
                               struct source_rows *rows, bool as_text, struct rows_page *page)
{
    size_t sorts = rows_sorts(w, api);
    if (rows->n_columns != w->query.n_select + sorts)
        return PROBLEM_SOURCE_CHANGED;
    for (page->n = 0;; page->n++) {
        bool more = false;
        enum source_err err = source_next(rows, &more);
        if (err || !more)
            return service_source_problem(err);
        if (page->n)
            buf_addc(&w->body, ',');
        if (as_text)
            write_text_row(w, api, rows);
        else
            rows_object(&w->body, &w->query, &api->table, api->members, rows);
        buf_addc(&w->body, '}');
        if (w->versioned)
            version_row(w, api, rows);
        if (w->body.failed || w->body.n > SERVICE_ANSWER_MAX)
            return PROBLEM_QUERY_TOO_LARGE;
        rows_mark(w, rows, sorts, page);
    }
}

static enum problem run_page(struct worker *w, const struct catalog_api *api, struct source *source,
                             bool as_text, struct rows_page *page)
{
    struct sql_scope scope;
    struct source_rows rows;
    *page = (struct rows_page){0};
    if (w->call.sandbox)
        return synthetic_rows(w, api, as_text, &page->n);
    if (!service_scope(w, api, &scope) || w->query.limit == 0)
        return PROBLEM_OK;
    struct sql sql = service_sql(w, source);
    sql_select(&sql, &api->table, &w->query, &scope);
    if (sql.failed)
        return PROBLEM_QUERY_TOO_LARGE;
    enum problem p = check_cost(api, source, &sql);
    if (p)
        return p;
    enum source_err err =
        source_query(source, buf_slice(sql.text), sql.params, sql.n_params, &rows);
    if (err)
        return service_source_problem(err);
    if (w->query.n_embeds)
        return related_rows(w, api, source, &rows, page);
    p = write_rows(w, api, &rows, as_text, page);
    source_rows_end(&rows);
    return p;
}

enum problem service_page(struct worker *w, const struct catalog_api *api, struct source *source,
                          struct rows_page *page)
{
    return run_page(w, api, source, false, page);
}

enum problem service_rows(struct worker *w, const struct catalog_api *api, struct source *source,
                          bool as_text, uint64_t *n)
{
    struct rows_page page;
    enum problem p = run_page(w, api, source, as_text, &page);
    *n = page.n;
    return p;
}

static const char INTERNAL[] = "/internal/";

static bool is_internal(struct slice target)
{
    return target.n >= sizeof INTERNAL - 1 && memcmp(target.p, INTERNAL, sizeof INTERNAL - 1) == 0;
}

/* A caller proves itself, for this method and target, for these 30 seconds; the control plane with
 * nil ids may speak to /internal/ and to nothing else. */
static enum problem check_caller(struct worker *w, const struct service_request *rq)
{
    struct slice text = rq->header(rq->ctx, LINK_HEADER);
    w->rows = NULL; /* of the call before */
    if (text.n == 0 || text.n > LINK_TEXT_MAX)
        return PROBLEM_LINK_REFUSED;
    if (link_mac_call(&w->call, &w->link, rq->method, rq->target, text, clock_wall_ms(),
                      w->scratch) != LINK_OK)
        return PROBLEM_LINK_REFUSED;
    return uuid_is_nil(&w->call.api) == is_internal(rq->target) ? PROBLEM_OK : PROBLEM_LINK_REFUSED;
}

/* What the call's conditions are of this API. Those that cannot be applied are never left out:
 * the gateway asks for them because that is all the app was given. */
static enum problem take_rows(struct worker *w, const struct catalog_api *api)
{
    w->rows = NULL;
    if (w->call.rows.n == 0 || api->topic) /* of a topic each event is decided by itself */
        return PROBLEM_OK;
    bool table = !api->graph && !api->unit && api->profile != CATALOG_SUBMISSION;
    return table && catalog_rows(&w->arena, &api->table, w->call.rows, &w->rows)
               ? PROBLEM_OK
               : PROBLEM_ROW_FILTER_UNUSABLE;
}

static enum problem check_method(const struct catalog_api *api, struct slice method)
{
    if (api->graph)
        return PROBLEM_OK; /* which methods it has is the API's to say, and the gateway's to hold */
    static const struct {
        struct slice method;
        uint8_t bit;
    } writes[] = {{{"POST", 4}, CATALOG_INSERT},
                  {{"PATCH", 5}, CATALOG_UPDATE},
                  {{"DELETE", 6}, CATALOG_DELETE}};
    for (size_t i = 0; api->profile == CATALOG_REST && i < sizeof writes / sizeof *writes; i++)
        if (slice_eq(method, writes[i].method))
            return api->writes & writes[i].bit ? PROBLEM_OK : PROBLEM_METHOD_NOT_ALLOWED;
    bool get = slice_eq(method, SLICE("GET")) || slice_eq(method, SLICE("HEAD"));
    bool fits = api->profile == CATALOG_REST ? get : slice_eq(method, SLICE("POST"));
    return fits ? PROBLEM_OK : PROBLEM_METHOD_NOT_ALLOWED;
}

static void handle(struct worker *w, const struct service_request *rq, struct service_reply *rp)
{
    const struct catalog_api *api = NULL;
    *rp = (struct service_reply){.status = 200, .content_type = "application/json"};
    buf_clear(&w->body);
    arena_reset(&w->arena);
    enum problem p = check_caller(w, rq);
    if (!p && is_internal(rq->target)) {
        if (events_is_internal(rq->target))
            events_internal(w, rq, rp);
        else
            internal_handle(w, rq, rp);
        return;
    }
    if (!p)
        p = catalog_api(&w->catalog, &w->call.api, w->call.api_rev, &api);
    if (!p && w->call.n_fields != api->table.n_columns)
        p = PROBLEM_PLAN_CHANGED;
    if (!p && api->state == POLICY_API_OFFLINE)
        p = PROBLEM_API_OFFLINE;
    if (!p)
        p = take_rows(w, api);
    if (!p && api->topic) {
        events_handle(w, api, rq, rp);
        return;
    }
    if (!p && api->unit) { /* the gateway sends its calls there, but for those of the test stage */
        if (w->call.sandbox) {
            synthetic_document(w, api, rq, rp);
            return;
        }
        p = PROBLEM_LINK_REFUSED;
    }
    if (!p && api->owner_scoped && api->table.owner_column.n == 0)
        p = PROBLEM_INTERNAL; /* nothing tells whose rows are whose */
    struct slice rest;
    if (!p && batch_target(api, rq->target, &rest)) {
        batch_handle(w, api, rq, rest, rp);
        return;
    }
    if (!p && files_target(api, rq->target, &rest)) {
        files_handle(w, api, rq, rest, rp);
        return;
    }
    if (!p)
        p = check_method(api, rq->method);
    if (p)
        service_problem(w, rq, rp, p, NULL, SLICE(""));
    else if (api->graph)
        compose_handle(w, api, rq, rp);
    else if (api->profile == CATALOG_REST && !slice_eq(rq->method, SLICE("GET")) &&
             !slice_eq(rq->method, SLICE("HEAD")))
        write_handle(w, api, rq, rp);
    else if (api->profile == CATALOG_REST)
        rest_handle(w, api, rq, rp);
    else if (api->profile == CATALOG_SUBMISSION)
        submission_handle(w, api, rq, rp);
    else
        credit_handle(w, api, rq, rp);
}

void service_handle(struct worker *w, const struct service_request *rq, struct service_reply *rp)
{
    handle(w, rq, rp);
    catalog_release(&w->catalog);
}
