/* SPDX-License-Identifier: Apache-2.0 */
#include "data/ranges.h"

#include <stdio.h>

/* RFC 9110 14.1: one range of bytes; anything else is as if none were asked for. False: it lies
 * behind the end. */
static bool read_range(struct slice text, uint64_t bytes, struct ranges_span *s, bool *partial)
{
    static const char unit[] = "bytes=";
    const char *dash = text.n ? memchr(text.p, '-', text.n) : NULL;
    uint64_t first = 0, last = 0;
    *partial = false;
    if (!dash || text.n < sizeof unit || memcmp(text.p, unit, sizeof unit - 1) != 0)
        return true;
    struct slice a = slice_of(text.p + 6, (size_t)(dash - text.p) - 6);
    struct slice b = slice_of(dash + 1, text.n - (size_t)(dash + 1 - text.p));
    if ((!a.n && !b.n) || (a.n && !query_uint(a, &first)) || (b.n && !query_uint(b, &last)) ||
        (a.n && b.n && last < first))
        return true;
    *partial = true;
    if (!a.n) { /* the last so many */
        first = last >= bytes ? 0 : bytes - last;
        b.n = last ? 0 : 1;
        last = 0;
    }
    s->first = first;
    s->last = b.n && last < bytes ? last : bytes - 1;
    return bytes > 0 && first < bytes && s->last >= first;
}

enum problem ranges_read(const struct service_request *rq, struct service_reply *rp,
                         const char *etag, uint64_t bytes, struct ranges_span *span,
                         const char **detail)
{
    struct slice range = rq->header(rq->ctx, "Range");
    struct slice if_range = rq->header(rq->ctx, "If-Range");
    bool partial = false;
    *span = (struct ranges_span){0, bytes ? bytes - 1 : 0};
    bool get = slice_eq(rq->method, SLICE("GET")); /* of no other method is a range defined */
    if (!get || (if_range.n && !slice_eq(if_range, slice_str(etag))))
        range = SLICE("");
    if (!read_range(range, bytes, span, &partial)) {
        snprintf(rp->content_range, sizeof rp->content_range, "bytes */%llu",
                 (unsigned long long)bytes);
        *detail = "the range lies behind the end of the file";
        return PROBLEM_RANGE_UNSATISFIABLE;
    }
    if (partial) {
        rp->status = 206;
        snprintf(rp->content_range, sizeof rp->content_range, "bytes %llu-%llu/%llu",
                 (unsigned long long)span->first, (unsigned long long)span->last,
                 (unsigned long long)bytes);
    }
    service_header(rp, "ETag", "%s", etag);
    service_header(rp, "Accept-Ranges", "bytes");
    return PROBLEM_OK;
}
