/* SPDX-License-Identifier: Apache-2.0 */
/* What the control plane asks of the broker: how subscriptions stand, and to deliver again. */
#include <stdlib.h>

#include "base/clock.h"
#include "data/events/broker.h"

static const char prefix[] = "/internal/v1/events/";

bool events_is_internal(struct slice target)
{
    return target.n >= sizeof prefix - 1 && memcmp(target.p, prefix, sizeof prefix - 1) == 0;
}

static json_t *status(struct events *e, struct sub *s)
{
    pthread_mutex_lock(&s->lock);
    window_fill(e, s);
    uint64_t last = s->topic ? topic_log_last(s->topic->log) : 0;
    json_t *answer =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:o}", "position",
                  (json_int_t)s->window.acked, "last", (json_int_t)last, "behind",
                  (json_int_t)(last > s->window.acked ? last - s->window.acked : 0), "delivered",
                  (json_int_t)s->delivered, "failures", (json_int_t)s->failures, "parked_until",
                  (json_int_t)s->parked_until_ms, "dead_letters",
                  (json_int_t)state_dead_count(e->state, &s->id), "last_error", s->last_error,
                  "dead", state_dead(e->state, &s->id, 200));
    pthread_mutex_unlock(&s->lock);
    return answer;
}

static enum problem replay(struct events *e, struct sub *s, const json_t *body, json_t **answer)
{
    const json_t *after = json_object_get(body, "after"), *since = json_object_get(body, "since"),
                 *sequence = json_object_get(body, "sequence");
    size_t redone = 0;
    pthread_mutex_lock(&s->lock);
    window_fill(e, s);
    bool ok = s->begun;
    uint64_t to = 0;
    if (ok && (after || since)) {
        uint64_t first = topic_log_first(s->topic->log), last = topic_log_last(s->topic->log);
        to = since ? topic_log_before(s->topic->log, (uint64_t)json_integer_value(since))
                   : (uint64_t)json_integer_value(after);
        to = to + 1 < first ? first - 1 : to > last ? last : to;
        window_rewind(e, s, to);
    } else if (ok) {
        redone = window_redo(e, s, (uint64_t)json_integer_value(sequence), clock_wall_ms());
    }
    pthread_mutex_unlock(&s->lock);
    *answer =
        json_pack("{s:I, s:I}", "position", (json_int_t)to, "redelivered", (json_int_t)redone);
    broker_wake(e);
    return ok ? PROBLEM_OK : PROBLEM_STATE_CONFLICT;
}

static enum problem run(struct events *e, const struct service_request *rq, json_t **answer)
{
    json_t *body = json_loadb(rq->body.p, rq->body.n, JSON_REJECT_DUPLICATES, NULL);
    const char *id = json_string_value(json_object_get(body, "subscription"));
    struct slice action =
        slice_of(rq->target.p + sizeof prefix - 1, rq->target.n - (sizeof prefix - 1));
    struct uuid uuid;
    enum problem p = PROBLEM_BODY_MALFORMED;
    struct sub *s = NULL;
    if (id && uuid_parse(&uuid, id, strlen(id))) {
        s = broker_sub_by_id(e, &uuid);
        p = s ? PROBLEM_OK : PROBLEM_NOT_FOUND;
    }
    if (!p && slice_eq(action, SLICE("status")))
        *answer = status(e, s);
    else if (!p && slice_eq(action, SLICE("replay")))
        p = replay(e, s, body, answer);
    else if (!p)
        p = PROBLEM_NOT_FOUND;
    json_decref(body);
    return p;
}

void events_internal(struct worker *w, const struct service_request *rq, struct service_reply *rp)
{
    json_t *answer = NULL;
    enum problem p = w->events ? run(w->events, rq, &answer) : PROBLEM_NOT_FOUND;
    char *text = p ? NULL : json_dumps(answer, JSON_COMPACT);
    if (!p && !text)
        p = PROBLEM_INTERNAL;
    if (p)
        service_problem(w, rq, rp, p, NULL, SLICE(""));
    else
        buf_adds(&w->body, text);
    free(text);
    json_decref(answer);
}
