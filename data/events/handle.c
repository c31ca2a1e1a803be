/* SPDX-License-Identifier: Apache-2.0 */
/* A call about a topic: publish, follow, read a page, pull, acknowledge. The gateway has decided
 * that the app may call; here it is decided what it may be given, and whether it may publish. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/clock.h"
#include "data/events/broker.h"
#include "data/events/cloudevents.h"

#define PAGE_DEFAULT 100
#define PAGE_MAX     1000
#define PAGE_BYTES   (1u << 20)

struct refusal {
    enum problem problem;
    const char *detail;
    char where[96];
};

static struct refusal refuse(enum problem problem, const char *detail, const char *where)
{
    struct refusal r = {.problem = problem, .detail = detail};
    snprintf(r.where, sizeof r.where, "%s", where);
    return r;
}

/* Publish ---------------------------------------------------------------------------------------
 */
static bool is_publisher(struct events *e, const struct topic *t, const struct uuid *app)
{
    char id[UUID_TEXT_LEN + 1];
    const json_t *v;
    size_t i;
    bool found = false;
    uuid_format(app, id);
    pthread_mutex_lock(&e->lock);
    json_array_foreach(json_object_get(t->config, "publishers"), i, v) found =
        found || (json_is_string(v) && strcmp(json_string_value(v), id) == 0);
    pthread_mutex_unlock(&e->lock);
    return found;
}

/* A member of the topic as the feed tells it: a new reference, NULL when there is none. */
static json_t *member_of(struct events *e, const struct topic *t, const char *name)
{
    pthread_mutex_lock(&e->lock);
    json_t *copy = json_deep_copy(json_object_get(t->config, name));
    pthread_mutex_unlock(&e->lock);
    return copy;
}

static struct refusal store(struct worker *w, struct topic *t, struct event *events, size_t n,
                            size_t covered)
{
    size_t duplicates = 0;
    enum log_err err = topic_log_append(t->log, events, n, &duplicates);
    if (err)
        return refuse(err == LOG_EMEMORY ? PROBLEM_BODY_TOO_LARGE
                      : err == LOG_EAWAY ? PROBLEM_EVENTS_UNAVAILABLE
                                         : PROBLEM_STORAGE_FULL,
                      NULL, "");
    buf_addf(&w->body, "{\"accepted\":%zu,\"duplicates\":%zu,\"cursor\":\"%llu\"", n - duplicates,
             duplicates, (unsigned long long)topic_log_last(t->log));
    if (covered)
        buf_addf(&w->body, ",\"covered\":%zu", covered);
    buf_addc(&w->body, '}');
    broker_wake(w->events);
    return refuse(PROBLEM_OK, NULL, "");
}

static struct refusal refuse_events(const struct ce_fault *fault)
{
    struct refusal r =
        refuse(fault->personal ? PROBLEM_SENSITIVE_FIELD : PROBLEM_BODY_INVALID, fault->detail, "");
    snprintf(r.where, sizeof r.where,
             fault->personal && fault->seen.path[0] ? "/%zu/%.64s" : "/%zu", fault->index,
             fault->seen.path);
    return r;
}

static struct refusal take(struct worker *w, struct topic *t, const struct ce_input *in)
{
    struct ce_fault fault;
    struct buf kept;
    size_t n = 0;
    struct event *events = calloc(LOG_BATCH_MAX, sizeof *events);
    struct refusal r = refuse(PROBLEM_INTERNAL, NULL, "");
    buf_init(&kept);
    if (events && !ce_parse(in, events, LOG_BATCH_MAX, &n, &kept, &fault))
        r = refuse_events(&fault);
    else if (events && fault.seen.covered &&
             !deliver_covered(w->events, t, &w->call.app, &w->call.txn, &fault.seen))
        r = refuse(PROBLEM_AUDIT_UNAVAILABLE, NULL, "");
    else if (events)
        r = store(w, t, events, n, fault.seen.covered);
    buf_wipe(&kept);
    free(events);
    return r;
}

static struct refusal publish(struct worker *w, const struct catalog_api *api, struct topic *t,
                              const struct service_request *rq)
{
    if (!is_publisher(w->events, t, &w->call.app))
        return refuse(PROBLEM_PUBLISH_FORBIDDEN, NULL, "");
    enum problem p = deliver_may(w->events, &t->api, &w->call.app, POLICY_STREAM_PUBLISH);
    if (p)
        return refuse(p, NULL, "");
    json_t *attributes = member_of(w->events, t, "attributes"),
           *guarded = member_of(w->events, t, "guarded");
    const struct ce_input in = {.content_type = rq->header(rq->ctx, "Content-Type"),
                                .body = rq->body,
                                .header = rq->header,
                                .ctx = rq->ctx,
                                .attributes = attributes,
                                .guarded = guarded,
                                .owned = api->owner_scoped,
                                .now_ms = clock_wall_ms()};
    struct refusal r = take(w, t, &in);
    json_decref(attributes);
    json_decref(guarded);
    return r;
}

/* Read ------------------------------------------------------------------------------------------
 */
struct asked {
    uint64_t after, limit;
};

static struct slice parameter(struct worker *w, struct slice target, const char *name)
{
    const char *at = memchr(target.p, '?', target.n), *end = target.p + target.n;
    size_t n = strlen(name);
    while (at && ++at < end) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        size_t len = (size_t)((stop ? stop : end) - at);
        if (len > n && memcmp(at, name, n) == 0 && at[n] == '=')
            return query_decode(&w->arena, slice_of(at + n + 1, len - n - 1));
        at = stop;
    }
    return SLICE("");
}

/* From a cursor, a time, or now. */
static struct refusal position(struct worker *w, struct topic *t, const struct service_request *rq,
                               struct asked *a)
{
    struct slice last = rq->header(rq->ctx, "Last-Event-ID"),
                 after = parameter(w, rq->target, "after"),
                 since = parameter(w, rq->target, "since"),
                 limit = parameter(w, rq->target, "limit");
    uint64_t newest = topic_log_last(t->log), at_ms;
    if (!topic_log_ready(t->log))
        return refuse(PROBLEM_EVENTS_UNAVAILABLE, NULL, "");
    if (!after.p || !since.p || !limit.p)
        return refuse(PROBLEM_PARAMETER_INVALID, "a parameter cannot be decoded", "query");
    a->after = newest;
    a->limit = PAGE_DEFAULT;
    if (limit.n && (!query_uint(limit, &a->limit) || a->limit < 1 || a->limit > PAGE_MAX))
        return refuse(PROBLEM_PARAMETER_INVALID, "limit is 1 to 1000", "limit");
    if (last.n || after.n) {
        const char *where = last.n ? "last-event-id" : "after";
        if (!query_uint(last.n ? last : after, &a->after) || a->after > newest)
            return refuse(PROBLEM_PARAMETER_INVALID, "no position this topic gave", where);
        if (a->after + 1 < topic_log_first(t->log))
            return refuse(PROBLEM_CURSOR_GONE, NULL, where);
    } else if (since.n) {
        if (!clock_parse_ms(since.p, since.n, &at_ms))
            return refuse(PROBLEM_PARAMETER_INVALID, "an RFC 3339 time in UTC is needed", "since");
        a->after = topic_log_before(t->log, at_ms);
    }
    return refuse(PROBLEM_OK, NULL, "");
}

static struct refusal page(struct worker *w, struct topic *t, const struct asked *a)
{
    struct delivery d;
    struct event event;
    char id[UUID_TEXT_LEN + 1];
    bool ok = true, any = false;
    enum log_read read = LOG_NONE;
    uint64_t cursor = a->after;
    struct topic_reader *reader = topic_reader_new(t->log);
    if (!reader)
        return refuse(PROBLEM_INTERNAL, NULL, "");
    topic_reader_seek(reader, a->after);
    deliver_begin(&d, w->events, t, &w->call.app);
    uuid_format(&w->call.txn, id);
    snprintf(d.about, sizeof d.about, "events %s", id);
    buf_adds(&w->body, "{\"events\":[");
    for (uint64_t i = 0; ok && i < a->limit && w->body.n < PAGE_BYTES; i++) {
        read = topic_reader_next(reader, &event);
        if (read != LOG_READ)
            break;
        size_t before = w->body.n;
        buf_adds(&w->body, any ? "," : "");
        enum deliver given = deliver_event(&d, &event, &w->body);
        ok = given != DELIVER_FAILED;
        any = any || given == DELIVER_GIVEN;
        if (given != DELIVER_GIVEN)
            w->body.n = before;
        cursor = event.seq;
    }
    buf_addf(&w->body, "],\"cursor\":\"%llu\"}", (unsigned long long)cursor);
    topic_reader_free(&reader);
    ok = deliver_end(&d) && ok && !w->body.failed;
    if (!ok)
        return refuse(PROBLEM_AUDIT_UNAVAILABLE, NULL, "");
    if (read == LOG_AWAY && cursor == a->after) /* else what there is, and the rest the next time */
        return refuse(PROBLEM_EVENTS_UNAVAILABLE, NULL, "");
    return refuse(read == LOG_DAMAGED ? PROBLEM_INTERNAL : PROBLEM_OK, NULL, "");
}

static bool wants_stream(const struct service_request *rq)
{
    struct slice accept = rq->header(rq->ctx, "Accept");
    return accept.n && memmem(accept.p, accept.n, "text/event-stream", 17) != NULL;
}

/* Dispatch --------------------------------------------------------------------------------------
 */
static struct slice below(struct slice target, const char *path)
{
    const char *mark = memchr(target.p, '?', target.n);
    size_t n = mark ? (size_t)(mark - target.p) : target.n, skip = strlen(path);
    if (n < skip)
        return SLICE("?");
    while (n > skip && target.p[n - 1] == '/')
        n--;
    return slice_of(target.p + skip, n - skip);
}

static struct refusal exchange(struct worker *w, struct topic *t, const struct service_request *rq,
                               struct slice action)
{
    const char *detail = NULL;
    json_t *body = json_loadb(rq->body.p, rq->body.n, JSON_REJECT_DUPLICATES, NULL);
    enum problem p = PROBLEM_BODY_MALFORMED;
    if (json_is_object(body) && slice_eq(action, SLICE("/pull")))
        p = pull_take(w, t, body, &detail);
    else if (json_is_object(body))
        p = pull_answer(w, t, body, slice_eq(action, SLICE("/nack")), &detail);
    json_decref(body);
    return refuse(p, detail, "");
}

static struct refusal run(struct worker *w, const struct catalog_api *api, struct topic *t,
                          const struct service_request *rq, struct service_reply *rp)
{
    struct asked asked;
    struct slice action = below(rq->target, api->path);
    bool post = slice_eq(rq->method, SLICE("POST"));
    if (slice_eq(action, SLICE("/pull")) || slice_eq(action, SLICE("/ack")) ||
        slice_eq(action, SLICE("/nack")))
        return post ? exchange(w, t, rq, action) : refuse(PROBLEM_METHOD_NOT_ALLOWED, NULL, "");
    if (action.n)
        return refuse(PROBLEM_NOT_FOUND, NULL, "");
    if (post) {
        rp->status = 202;
        return publish(w, api, t, rq);
    }
    if (!slice_eq(rq->method, SLICE("GET")))
        return refuse(PROBLEM_METHOD_NOT_ALLOWED, NULL, "");
    struct refusal r = position(w, t, rq, &asked);
    if (r.problem || !wants_stream(rq))
        return r.problem ? r : page(w, t, &asked);
    stream_open(w, t, rq, asked.after, rp);
    return r;
}

void events_handle(struct worker *w, const struct catalog_api *api,
                   const struct service_request *rq, struct service_reply *rp)
{
    struct topic *t = w->events ? broker_topic(w->events, &api->id) : NULL;
    struct refusal r = refuse(w->call.sandbox ? PROBLEM_SANDBOX_UNAVAILABLE : PROBLEM_NOT_FOUND,
                              w->call.sandbox ? NULL : "the topic is not active", "");
    if (t && !w->call.sandbox) {
        enum problem p = deliver_may(w->events, &t->api, &w->call.app, POLICY_STREAM_OPEN);
        r = p ? refuse(p, NULL, "") : run(w, api, t, rq, rp);
    }
    if (r.problem)
        service_problem(w, rq, rp, r.problem, r.detail, slice_str(r.where));
}
