/* SPDX-License-Identifier: Apache-2.0 */
/* Between the data service and the executors: whose call it is, and what became of it. */
#include "base/clock.h"
#include "data/service.h"

/* The ticket says for whom the parts are called; it goes with this very Sluice-Call. */
static bool read_ticket(struct worker *w, const struct service_request *rq,
                        struct link_inner *caller, uint8_t scratch[static LINK_INNER_TEXT_MAX])
{
    struct slice text = rq->header(rq->ctx, LINK_TICKET_HEADER);
    struct link_request request = {.method = rq->method, .target = rq->target, .digest = SLICE("")};
    return link_mac_inner(caller, &w->ticket, &request, text, clock_wall_ms(), scratch) ==
               LINK_OK &&
           uuid_eq(&caller->txn, &w->call.txn) && uuid_eq(&caller->composed, &w->call.api) &&
           uuid_eq(&caller->app, &w->call.app) && slice_eq(caller->owner, w->call.owner);
}

void compose_handle(struct worker *w, const struct catalog_api *api,
                    const struct service_request *rq, struct service_reply *rp)
{
    struct link_inner caller;
    uint8_t scratch[LINK_INNER_TEXT_MAX];
    enum problem problem;
    struct slice where;
    if (!read_ticket(w, rq, &caller, scratch)) {
        service_problem(w, rq, rp, PROBLEM_LINK_REFUSED, NULL, SLICE(""));
        return;
    }
    struct compose_request request = {.graph = graph_ref(api->graph),
                                      .caller = &caller,
                                      .path = api->path,
                                      .method = rq->method,
                                      .target = rq->target,
                                      .body = rq->body,
                                      .traceparent = rq->header(rq->ctx, "traceparent"),
                                      .timeout_ms = api->timeout_ms};
    rp->later = compose_job_new(&request, &problem, &where);
    if (!rp->later)
        service_problem(w, rq, rp, problem, NULL, where);
}

void service_composed(struct worker *w, const struct service_request *rq, const struct uuid *txn,
                      struct compose_result *result, struct service_reply *rp)
{
    *rp = (struct service_reply){.status = 200, .content_type = "application/json"};
    if (result->problem) {
        buf_fini(&result->body);
        w->call.txn = *txn;
        service_problem(w, rq, rp, result->problem, result->detail, slice_str(result->where));
        return;
    }
    buf_fini(&w->body);
    w->body = result->body;
    buf_init(&result->body);
}
