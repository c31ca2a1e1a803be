/* SPDX-License-Identifier: Apache-2.0 */
/* What both back ends of a log have in common. */
#include <stdlib.h>

#include "data/events/log_inner.h"

static const uint64_t *place(const struct seen *s, const uint64_t identity[2])
{
    return s->table[identity[0] % SEEN_SLOTS];
}

bool seen_known(const struct seen *s, const uint64_t identity[2])
{
    const uint64_t *at = place(s, identity);
    return at[0] == identity[0] && at[1] == identity[1] && (at[0] || at[1]);
}

void seen_remember(struct seen *s, const uint64_t identity[2])
{
    memcpy(s->table[identity[0] % SEEN_SLOTS], identity, sizeof s->table[0]);
}

void seen_block(struct seen *s, struct slice plain)
{
    struct event event;
    size_t at = 0;
    while (block_event(plain, &at, &event))
        seen_remember(s, event.identity);
}

void topic_log_close(struct topic_log **log)
{
    if (*log)
        (*log)->ops->close(*log);
    *log = NULL;
}

bool topic_log_ready(struct topic_log *log)
{
    return log->ops->ready(log);
}

enum log_err topic_log_append(struct topic_log *log, struct event *events, size_t n,
                              size_t *duplicates)
{
    return n > LOG_BATCH_MAX ? LOG_EMEMORY : log->ops->append(log, events, n, duplicates);
}

size_t topic_log_room(struct topic_log *log)
{
    return log->ops->room(log);
}

uint64_t topic_log_last(struct topic_log *log)
{
    return log->ops->last(log);
}

uint64_t topic_log_first(struct topic_log *log)
{
    return log->ops->first(log);
}

uint64_t topic_log_bytes(struct topic_log *log)
{
    return log->ops->bytes(log);
}

uint64_t topic_log_before(struct topic_log *log, uint64_t at_ms)
{
    return log->ops->before(log, at_ms);
}

void topic_log_trim(struct topic_log *log, uint64_t at_ms, uint64_t bytes)
{
    log->ops->trim(log, at_ms, bytes);
}

/* Reading ---------------------------------------------------------------------------------------
 */
struct topic_reader *topic_reader_new(struct topic_log *log)
{
    struct topic_reader *r = calloc(1, log->ops->reader_bytes);
    if (!r)
        return NULL;
    r->log = log;
    buf_init(&r->raw);
    buf_init(&r->plain);
    log->ops->forget(r);
    return r;
}

void topic_reader_free(struct topic_reader **slot)
{
    struct topic_reader *r = *slot;
    if (!r)
        return;
    r->log->ops->forget(r);
    buf_fini(&r->raw);
    buf_wipe(&r->plain);
    free(r);
    *slot = NULL;
}

uint64_t topic_reader_after(const struct topic_reader *r)
{
    return r->after;
}

void topic_reader_seek(struct topic_reader *r, uint64_t after)
{
    r->log->ops->forget(r);
    r->after = after;
    r->at = 0;
    buf_clear(&r->plain);
}

enum log_read topic_reader_next(struct topic_reader *r, struct event *event)
{
    if (r->after >= r->limit)
        r->limit = topic_log_last(r->log);
    if (r->after >= r->limit)
        return topic_log_ready(r->log) ? LOG_NONE : LOG_AWAY;
    for (;;) {
        while (block_event(buf_slice(&r->plain), &r->at, event)) {
            event->seq = r->seq++;
            event->at_ms = r->at_ms;
            if (event->seq > r->after) {
                r->after = event->seq;
                return LOG_READ;
            }
        }
        enum log_read read = r->log->ops->next_block(r);
        if (read != LOG_READ)
            return read;
    }
}
