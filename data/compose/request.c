/* SPDX-License-Identifier: Apache-2.0 */
/* What a graph may refer to of the caller's request. */
#include <stdlib.h>

#include "data/compose/job.h"

#define PARAMETERS_MAX 64
#define SEGMENTS_MAX   16

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* NULL: a bad escape, or not UTF-8. */
static json_t *decoded(struct slice text, bool plus, struct buf *scratch)
{
    buf_clear(scratch);
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '%') {
            int high = i + 2 < text.n ? hex(text.p[i + 1]) : -1;
            int low = high >= 0 ? hex(text.p[i + 2]) : -1;
            if (low < 0)
                return NULL;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (plus && c == '+') {
            c = ' ';
        }
        buf_addc(scratch, c);
    }
    return scratch->failed ? NULL : json_stringn(scratch->n ? scratch->p : "", scratch->n);
}

static struct slice cut(struct slice *rest, char at)
{
    const char *p = rest->n ? memchr(rest->p, at, rest->n) : NULL;
    size_t n = p ? (size_t)(p - rest->p) : rest->n, used = p ? n + 1 : n;
    struct slice head = slice_of(rest->p, n);
    *rest = slice_of(rest->p + used, rest->n - used);
    return head;
}

/* What follows the API's path, segment by segment. */
static json_t *read_path(struct slice path, const char *api, struct buf *scratch)
{
    size_t n = strlen(api);
    if (path.n < n || memcmp(path.p, api, n) != 0 || (path.n > n && path.p[n] != '/'))
        return NULL;
    struct slice rest = slice_of(path.p + n, path.n - n);
    json_t *segments = json_array();
    if (rest.n)
        rest = slice_of(rest.p + 1, rest.n - 1);
    while (rest.n) {
        struct slice one = cut(&rest, '/');
        if (json_array_size(segments) == SEGMENTS_MAX ||
            json_array_append_new(segments, decoded(one, false, scratch)) != 0) {
            json_decref(segments);
            return NULL;
        }
    }
    return segments;
}

/* A name that comes twice could mean either: refused. */
static json_t *read_query(struct slice query, struct buf *scratch)
{
    json_t *out = json_object();
    while (query.n) {
        struct slice value = cut(&query, '&');
        struct slice name = cut(&value, '=');
        if (name.n == 0)
            continue;
        json_t *key = decoded(name, true, scratch);
        bool ok =
            key && strlen(json_string_value(key)) == json_string_length(key) &&
            json_object_size(out) < PARAMETERS_MAX &&
            !json_object_get(out, json_string_value(key)) &&
            json_object_set_new(out, json_string_value(key), decoded(value, true, scratch)) == 0;
        json_decref(key);
        if (!ok) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

static enum problem fill(json_t *request, const struct compose_request *rq, struct buf *scratch,
                         struct slice *where)
{
    struct slice query = rq->target, path = cut(&query, '?');
    json_t *segments = read_path(path, rq->path, scratch);
    *where = SLICE("path");
    if (json_object_set_new(request, "path", segments) != 0)
        return PROBLEM_NOT_FOUND;
    *where = SLICE("query");
    if (json_object_set_new(request, "query", read_query(query, scratch)) != 0)
        return PROBLEM_QUERY_MALFORMED;
    *where = SLICE("body");
    json_t *body = rq->body.n ? json_loadb(rq->body.p, rq->body.n,
                                           JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL)
                              : json_null();
    return json_object_set_new(request, "body", body) == 0 ? PROBLEM_OK : PROBLEM_BODY_MALFORMED;
}

json_t *compose_read_request(const struct compose_request *rq, enum problem *problem,
                             struct slice *where)
{
    struct buf scratch;
    buf_init(&scratch);
    json_t *request = json_object();
    *where = SLICE("");
    *problem = PROBLEM_INTERNAL;
    if (json_object_set_new(request, "method", json_stringn(rq->method.p, rq->method.n)) == 0)
        *problem = fill(request, rq, &scratch, where);
    if (*problem != PROBLEM_OK) {
        json_decref(request);
        request = NULL;
    }
    buf_fini(&scratch);
    return request;
}
