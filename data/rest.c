/* SPDX-License-Identifier: Apache-2.0 */
/* A dataset read in PostgREST's grammar. */
#include <stdio.h>
#include <string.h>

#include "data/cursor.h"
#include "data/rows.h"
#include "data/write/write.h"
#include "plan/plan.h"

#define WHERE_MAX 64 /* bytes */

static struct slice query_of(struct slice target)
{
    const char *mark = memchr(target.p, '?', target.n);
    if (!mark)
        return SLICE("");
    return slice_of(mark + 1, target.n - (size_t)(mark + 1 - target.p));
}

/* The whole number of rows: by the rows themselves when they reach the end, else asked for. */
static enum problem find_total(struct worker *w, const struct catalog_api *api,
                               struct source *source, uint64_t n, uint64_t *total)
{
    if (n < w->query.limit && (n > 0 || w->query.offset == 0)) {
        *total = w->query.offset + n;
        return PROBLEM_OK;
    }
    return service_count(w, api, source, total);
}

static void set_range(const struct worker *w, struct service_reply *rp, uint64_t n, uint64_t total)
{
    char rows[48] = "*", all[24] = "*";
    if (n)
        snprintf(rows, sizeof rows, "%llu-%llu", (unsigned long long)w->query.offset,
                 (unsigned long long)(w->query.offset + n - 1));
    if (w->query.count)
        snprintf(all, sizeof all, "%llu", (unsigned long long)total);
    snprintf(rp->content_range, sizeof rp->content_range, "%s/%s", rows, all);
    rp->status = w->query.count && n < total ? 206 : 200;
}

/* A version is of all that the caller may read, in the fields' order: of fewer it would be another.
 */
static bool whole_row(const struct worker *w, const struct catalog_api *api)
{
    size_t n = 0;
    for (size_t i = 0; i < api->table.n_columns; i++) {
        if (!api->columns[i].column.n || w->call.outcome[i] == PLAN_DROP)
            continue;
        if (n >= w->query.n_select || w->query.select[n++] != i)
            return false;
    }
    return n == w->query.n_select;
}

static enum problem answer(struct worker *w, const struct catalog_api *api, struct slice raw,
                           struct service_reply *rp, const char **detail)
{
    struct source *source;
    struct rows_page page;
    uint64_t n = 0, total = 0;
    enum problem p = service_open(w, api, &source);
    if (p)
        return p;
    if (!w->query.single)
        buf_addc(&w->body, '[');
    w->versioned = api->writes && !w->call.sandbox && whole_row(w, api);
    if (w->versioned)
        write_version_begin(w);
    p = service_page(w, api, source, &page);
    n = page.n;
    if (w->versioned && !p)
        write_version_end(w, rp->etag);
    if (p || n != 1)
        rp->etag[0] = '\0';
    w->versioned = false;
    if (!p && w->query.count)
        p = find_total(w, api, source, n, &total);
    if (p)
        return p;
    if (w->query.single && n != 1) {
        *detail = n ? "more than one row" : "no row";
        return PROBLEM_NOT_ACCEPTABLE;
    }
    if (!w->query.single)
        buf_addc(&w->body, ']');
    if (page.more)
        cursor_write(w, api, raw, page.last, page.n_last, rp->next);
    if (page.more && !rp->next[0]) {
        *detail = "the values of the order are too long for a cursor";
        return PROBLEM_QUERY_TOO_LARGE;
    }
    set_range(w, rp, n, total);
    if (w->query.count && w->query.offset > total) /* Content-Range still tells the total */
        return PROBLEM_RANGE_UNSATISFIABLE;
    return w->body.failed ? PROBLEM_INTERNAL : PROBLEM_OK;
}

static bool asks_for_dialect(struct slice raw)
{
    return raw.p && raw.n && raw.n <= QUERY_BYTES_MAX &&
           (memmem(raw.p, raw.n, "match.", 6) || memmem(raw.p, raw.n, "->", 2) ||
            memmem(raw.p, raw.n, "-%3E", 4) || memmem(raw.p, raw.n, "-%3e", 4));
}

/* Parsing comes before the source: a query that cannot be read never costs a connection. Whether a
 * regular expression can be asked for is only known when the source has been connected once. */
static enum problem parse(struct worker *w, const struct catalog_api *api,
                          const struct service_request *rq, struct query_error *err)
{
    struct source *source = NULL;
    struct query_input in = {
        .raw = query_of(rq->target),
        .range = rq->header(rq->ctx, "Range"),
        .range_unit = rq->header(rq->ctx, "Range-Unit"),
        .prefer = rq->header(rq->ctx, "Prefer"),
        .accept = rq->header(rq->ctx, "Accept"),
        .outcome = w->call.outcome,
        .max_rows = w->max_rows,
        .extended = true,
    };
    if (api->max_rows && api->max_rows < in.max_rows)
        in.max_rows = api->max_rows;
    if (asks_for_dialect(in.raw)) {
        enum problem p = service_open(w, api, &source);
        if (p)
            return p;
        in.regex = !source || source_dialect(source)->match[0] != NULL;
        in.json = !source || source_dialect(source)->json != NULL;
    }
    enum problem p = query_parse(&w->query, &w->arena, &api->table, &in, err);
    if (p || w->query.after.n == 0 || cursor_open(w, api, in.raw))
        return p;
    err->where = SLICE("after");
    err->detail = "begin again with an empty one";
    return PROBLEM_CURSOR_INVALID;
}

/* A name the caller sent is said again only where it can be nothing but a name. */
static struct slice plain_name(struct slice name)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    bool plain = name.n <= WHERE_MAX;
    for (size_t i = 0; plain && i < name.n; i++)
        plain = memchr(letters, name.p[i], sizeof letters - 1) != NULL;
    return plain ? name : SLICE("");
}

/* SW-9.6.2-4a: groups of another's rows are for a task with that owner's agreement, where its API
 * says so. */
static enum problem may_group(struct worker *w, struct query_error *err)
{
    if (!w->query.grouped ||
        catalog_way(&w->catalog, &w->call.app, &w->call.api, POLICY_WAY_AGGREGATE))
        return PROBLEM_OK;
    err->where = SLICE("select");
    err->detail = "groups of these rows are for a registered analysis task";
    return PROBLEM_AGREEMENT_MISSING;
}

void rest_handle(struct worker *w, const struct catalog_api *api, const struct service_request *rq,
                 struct service_reply *rp)
{
    struct query_error err = {.where = SLICE("")};
    enum problem p = parse(w, api, rq, &err);
    if (!p)
        p = may_group(w, &err);
    if (!p)
        p = answer(w, api, query_of(rq->target), rp, &err.detail);
    if (p)
        service_problem(w, rq, rp, p, err.detail, plain_name(err.where));
    else if (w->query.single)
        rp->content_type = "application/vnd.pgrst.object+json; charset=utf-8";
    else
        rp->content_type = "application/json; charset=utf-8";
}
