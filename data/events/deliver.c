/* SPDX-License-Identifier: Apache-2.0 */
/* One event after another for one app: decided for its owner, masked, and recorded by runs that the
 * same decision covers, as a call that gives so many rows is. */
#include <stdio.h>

#include "base/clock.h"
#include "data/events/broker.h"

void deliver_begin(struct delivery *d, struct events *e, struct topic *t, const struct uuid *app)
{
    memset(d, 0, sizeof *d);
    d->e = e;
    d->d = broker_decider(e);
    d->topic = t;
    d->app = *app;
    d->method = POLICY_GET;
    uuid_new(&d->txn);
}

enum problem deliver_may(struct events *e, const struct uuid *api, const struct uuid *app,
                         uint8_t stream)
{
    struct decide *d = broker_decider(e);
    const struct decide_question q = {.api = *api,
                                      .app = *app,
                                      .owner = SLICE(""),
                                      .method = stream == POLICY_STREAM_PUBLISH ? POLICY_POST
                                                                                : POLICY_GET,
                                      .stream = stream};
    const struct decision *decision = d ? decide_ask(d, &q) : NULL;
    return decision ? decision->reason : PROBLEM_INTERNAL;
}

static bool flush(struct delivery *d)
{
    if (!d->open)
        return true;
    d->open = false;
    enum problem reason = d->reason;
    struct audit_call call = {.txn = d->txn,
                              .at_us = d->at_us,
                              .elapsed_us = (uint32_t)(clock_wall_us() - d->at_us),
                              .status = (uint16_t)problem_row(reason)->status,
                              .reason = (uint16_t)reason,
                              .method = d->method,
                              .rows = d->rows,
                              .bytes_out = d->bytes,
                              .target = slice_str(d->about)};
    bool ok = decide_record(d->e->audit, d->d, d->decision, &call);
    uuid_new(&d->txn); /* the next run is a delivery of its own */
    return ok;
}

static void start(struct delivery *d, const struct decision *decision)
{
    d->open = true;
    d->decision = decision;
    d->reason = decision->reason; /* the lists may change it in place */
    d->rows = d->bytes = 0;
    d->at_us = clock_wall_us();
    decide_begin(d->d);
}

static bool same_run(const struct delivery *d, const struct decision *decision)
{
    return d->open && d->decision == decision && d->reason == decision->reason;
}

enum deliver deliver_event(struct delivery *d, const struct event *event, struct buf *out)
{
    if (!d->d || event->owner.n > sizeof d->owner)
        return DELIVER_FAILED;
    bool same_owner = d->open && slice_eq(slice_of(d->owner, d->owner_n), event->owner);
    if (!same_owner && !flush(d))
        return DELIVER_FAILED;
    memcpy(d->owner, event->owner.p ? event->owner.p : "", event->owner.n);
    d->owner_n = event->owner.n;
    const struct decide_question q = {.api = d->topic->api,
                                      .app = d->app,
                                      .owner = event->owner,
                                      .method = POLICY_GET,
                                      .stream = POLICY_STREAM_EVENT};
    const struct decision *decision = decide_ask(d->d, &q);
    if (!decision)
        return DELIVER_FAILED;
    if (!decision->reason && !decide_admits(decision, event->data))
        return DELIVER_REFUSED; /* as if it were not there: no call would have been answered it */
    if (!same_run(d, decision)) {
        if (!flush(d))
            return DELIVER_FAILED;
        start(d, decision);
    }
    if (decision->reason)
        return DELIVER_REFUSED;
    size_t before = out->n;
    buf_add(out, event->head.p, event->head.n);
    buf_addf(out, ",\"sequence\":\"%llu\",\"data\":", (unsigned long long)event->seq);
    if (!decide_mask(d->d, decision, event->data, out))
        return DELIVER_FAILED;
    buf_addc(out, '}');
    if (out->failed)
        return DELIVER_FAILED;
    d->rows++;
    d->bytes += out->n - before;
    return DELIVER_GIVEN;
}

bool deliver_end(struct delivery *d)
{
    return flush(d);
}
