/* SPDX-License-Identifier: Apache-2.0 */
/* What the control plane asks of the journal. */
#include <string.h>

#include "base/clock.h"
#include "data/write/write.h"

typedef enum problem (*handler)(struct worker *w, const json_t *body, json_t **answer,
                                char detail[static 400]);

static const char *text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

static enum problem items(json_t *list, json_t **answer)
{
    *answer = list ? json_pack("{s:o}", "items", list) : NULL;
    return *answer ? PROBLEM_OK : PROBLEM_INTERNAL;
}

static enum problem list(struct worker *w, const json_t *body, json_t **answer,
                         char detail[static 400])
{
    (void)detail;
    write_recover(w, NULL);
    return items(wjournal_list(w->journal, body), answer);
}

static enum problem images(struct worker *w, const json_t *body, json_t **answer,
                           char detail[static 400])
{
    (void)detail;
    return items(wjournal_rows(w->journal, text_of(body, "operation")), answer);
}

static enum problem due(struct worker *w, const json_t *body, json_t **answer,
                        char detail[static 400])
{
    (void)body, (void)detail;
    write_recover(w, NULL);
    wjournal_keep(w->journal, clock_wall_ms());
    return items(wjournal_due(w->journal, clock_wall_ms()), answer);
}

static enum problem done(json_t **answer, enum journal_err err)
{
    if (!err)
        *answer = json_pack("{s:b}", "ok", 1);
    return write_journal_problem(err);
}

static enum problem delivered(struct worker *w, const json_t *body, json_t **answer,
                              char detail[static 400])
{
    (void)detail;
    return done(answer,
                wjournal_delivered(w->journal, json_object_get(body, "outcome"), clock_wall_ms()));
}

static enum problem deliveries(struct worker *w, const json_t *body, json_t **answer,
                               char detail[static 400])
{
    (void)detail;
    return items(wjournal_deliveries(w->journal, body), answer);
}

static enum problem redeliver(struct worker *w, const json_t *body, json_t **answer,
                              char detail[static 400])
{
    (void)detail;
    return done(answer, wjournal_redeliver(w->journal, text_of(body, "dataset"),
                                           json_integer_value(json_object_get(body, "id"))));
}

static const struct {
    const char *path;
    handler run;
} routes[] = {
    {"/internal/v1/writes/list", list},
    {"/internal/v1/writes/images", images},
    {"/internal/v1/writes/rollback", write_undo},
    {"/internal/v1/writes/supply", write_supply},
    {"/internal/v1/writes/due", due},
    {"/internal/v1/writes/delivered", delivered},
    {"/internal/v1/writes/deliveries", deliveries},
    {"/internal/v1/writes/redeliver", redeliver},
};

enum problem write_internal(struct worker *w, struct slice path, const json_t *body,
                            json_t **answer, char detail[static 400])
{
    detail[0] = '\0';
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        if (slice_eq(path, slice_str(routes[i].path)))
            return w->journal ? routes[i].run(w, body, answer, detail) : PROBLEM_INTERNAL;
    return PROBLEM_NOT_FOUND;
}
