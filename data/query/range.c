/* SPDX-License-Identifier: Apache-2.0 */
/* Which rows: limit and offset, the Range header (cut to each other, as PostgREST does), or pageno
 * and pagesize (CI-7.3b), which stand alone. A larger limit is cut to max_rows and Content-Range
 * tells; a larger pagesize is refused, not cut (CI-A.2c). */
#include "data/query/parse_internal.h"

static enum problem whole(struct parser *ps, const char *name, struct slice text, uint64_t *value)
{
    ps->where = slice_str(name);
    if (!query_uint(text, value))
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "not a whole number");
    return PROBLEM_OK;
}

static enum problem resolve_pages(struct parser *ps, const struct range_params *params)
{
    uint64_t pageno = 1, pagesize = 0;
    enum problem p = params->pageno.p ? whole(ps, "pageno", params->pageno, &pageno) : PROBLEM_OK;
    if (p)
        return p;
    ps->where = SLICE("pagesize");
    if (!params->pagesize.p)
        return parser_fail(ps, PROBLEM_PARAMETER_MISSING, "pageno needs pagesize");
    ps->where = params->pageno.p ? SLICE("pageno") : SLICE("pagesize");
    if (params->limit.p || params->offset.p)
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "pages and limit do not go together");
    p = whole(ps, "pagesize", params->pagesize, &pagesize);
    if (p)
        return p;
    if (pagesize == 0)
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "starts from 1");
    if (pagesize > QUERY_PAGESIZE_MAX || pagesize > ps->in->max_rows)
        return parser_fail(ps, PROBLEM_QUERY_TOO_LARGE, "more rows than one answer may hold");
    ps->where = SLICE("pageno");
    if (pageno == 0)
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "starts from 1");
    if (pageno > 1000000000)
        return parser_fail(ps, PROBLEM_QUERY_TOO_LARGE, "no such page");
    ps->q->limit = pagesize;
    ps->q->offset = (pageno - 1) * pagesize;
    return PROBLEM_OK;
}

/* `0-24`, `10-`, `items=0-24`; another unit is another matter and ignored (RFC 9110, 14.2). */
static enum problem cut_to_range(struct parser *ps, uint64_t *first, uint64_t *end)
{
    struct slice text = ps->in->range;
    uint64_t from, to;
    if (ps->in->range_unit.n && !slice_eq(ps->in->range_unit, SLICE("items")))
        return PROBLEM_OK;
    if (text.n > 6 && memcmp(text.p, "items=", 6) == 0)
        text = slice_of(text.p + 6, text.n - 6);
    else if (text.n && memchr(text.p, '=', text.n))
        return PROBLEM_OK;
    ps->where = SLICE("Range");
    const char *dash = memchr(text.p, '-', text.n);
    size_t n = dash ? (size_t)(dash - text.p) : text.n;
    if (!dash || !query_uint(slice_of(text.p, n), &from))
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "Range is first-last");
    if (from > *first)
        *first = from;
    if (n + 1 == text.n)
        return PROBLEM_OK;
    if (!query_uint(slice_of(dash + 1, text.n - n - 1), &to) || to < from)
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "Range is first-last");
    if (to + 1 < *end)
        *end = to + 1;
    return PROBLEM_OK;
}

enum problem range_resolve(struct parser *ps, const struct range_params *params)
{
    uint64_t offset = 0, limit = QUERY_NO_LIMIT;
    ps->q->after = params->after;
    if (params->after.p) {
        ps->where = SLICE("after");
        if (params->offset.p || params->pageno.p || params->pagesize.p || ps->in->range.n ||
            !ps->in->extended || ps->q->grouped || ps->q->single)
            return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "a cursor goes with limit alone");
        if (ps->table->n_keys == 0)
            return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "the dataset has no key to go by");
    }
    if (params->pageno.p || params->pagesize.p)
        return resolve_pages(ps, params);
    enum problem p = params->offset.p ? whole(ps, "offset", params->offset, &offset) : PROBLEM_OK;
    if (!p && params->limit.p)
        p = whole(ps, "limit", params->limit, &limit);
    if (p)
        return p;
    uint64_t end = limit > UINT64_MAX - offset ? UINT64_MAX : offset + limit;
    if (ps->in->range.n) {
        p = cut_to_range(ps, &offset, &end);
        if (p)
            return p;
    }
    limit = end > offset ? end - offset : 0;
    ps->q->offset = offset;
    ps->q->limit = limit < ps->in->max_rows ? limit : ps->in->max_rows;
    return PROBLEM_OK;
}
