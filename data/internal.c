/* SPDX-License-Identifier: Apache-2.0 */
/* What the control plane asks of a source that may not be in the feed yet: can it be opened, what
 * does it hold. The connection lives for the request only. */
#include <stdlib.h>

#include "base/clock.h"
#include "data/batch/batch.h"
#include "data/collect/handle.h"
#include "data/develop.h"
#include "data/files/files.h"
#include "data/harvest/harvest.h"
#include "data/row_filter.h"
#include "data/scan.h"
#include "data/service.h"
#include "data/sources/account.h"
#include "data/sources/metadata.h"
#include "data/sources/pool.h"
#include "data/write/write.h"
#include "data/zones/zones.h"

#define PROFILES_MAX 16
#define PROFILES_MS  1000 /* after these no further table is begun */

struct internal_call {
    struct source *source;
    struct worker *w;
    struct uuid id;
    bool managed, held; /* held: a place of the source's connections */
    struct slice target;
    const char *schema, *table;
    const json_t *body;
    json_t *answer;
    char detail[400]; /* of a refusal */
};

static const char *text_member(const json_t *body, const char *name)
{
    const char *text = json_string_value(json_object_get(body, name));
    return text ? text : "";
}

static enum problem check(struct internal_call *c)
{
    enum source_err err = source_ready(c->source);
    if (!err) {
        json_t *rights = NULL, *keeping = NULL;
        if (!c->managed) /* a store of our own is looked after elsewhere */
            account_ask(c->source, &rights, &keeping);
        c->answer = json_pack("{s:b, s:o*, s:o*}", "ok", 1, "account", rights, "keeping", keeping);
    }
    return service_source_problem(err);
}

static enum problem tables(struct internal_call *c)
{
    json_t *items = NULL;
    enum source_err err = metadata_tables(c->source, &items);
    if (!err)
        c->answer = json_pack("{s:o}", "items", items);
    return service_source_problem(err);
}

static enum problem columns(struct internal_call *c)
{
    json_t *list = NULL;
    if (!c->table[0])
        return PROBLEM_BODY_MALFORMED;
    enum source_err err = metadata_columns(c->source, c->schema, c->table, &list);
    if (err)
        return service_source_problem(err);
    if (json_array_size(list) == 0) {
        json_decref(list);
        return PROBLEM_NOT_FOUND;
    }
    c->answer = json_pack("{s:o}", "columns", list);
    return PROBLEM_OK;
}

static enum problem profile(struct internal_call *c)
{
    json_int_t n = json_integer_value(json_object_get(c->body, "sample"));
    if (!c->table[0])
        return PROBLEM_BODY_MALFORMED;
    return harvest_profile(c->source, c->schema, c->table, json_object_get(c->body, "masks"),
                           json_object_get(c->body, "codes"),
                           n > 0 && n < HARVEST_ROWS_MAX ? (unsigned)n : 3, &c->answer);
}

/* Several tables on one connection. What one cannot give is said at its place. When the source goes
 * away, or PROFILES_MS are over, the rest is left out. */
static enum problem profiles(struct internal_call *c)
{
    const json_t *tables = json_object_get(c->body, "tables"), *t;
    uint64_t until_us = clock_mono_us() + PROFILES_MS * 1000;
    json_t *items;
    size_t i;
    if (!json_is_array(tables) || json_array_size(tables) > PROFILES_MAX)
        return PROBLEM_BODY_MALFORMED;
    items = json_array();
    json_array_foreach(tables, i, t)
    {
        json_t *answer = NULL;
        enum problem p =
            harvest_profile(c->source, text_member(t, "schema"), text_member(t, "table"), NULL,
                            json_object_get(c->body, "codes"), 3, &answer);
        json_array_append_new(items,
                              p ? json_pack("{s:s}", "problem", problem_row(p)->code) : answer);
        if (p == PROBLEM_SOURCE_UNAVAILABLE || clock_mono_us() > until_us)
            break;
    }
    c->answer = json_pack("{s:o}", "items", items);
    return PROBLEM_OK;
}

static enum problem zone_problem(enum zone_err err)
{
    return err == ZONE_OK      ? PROBLEM_OK
           : err == ZONE_EFULL ? PROBLEM_STORAGE_FULL
                               : PROBLEM_SOURCE_UNAVAILABLE;
}

/* A zone store comes and goes by its source's life alone. */
static enum problem make(struct internal_call *c)
{
    enum problem p = c->managed ? zone_problem(zone_make(c->w->catalog.data_dir, &c->id))
                                : PROBLEM_BODY_MALFORMED;
    return p ? p : check(c);
}

static enum problem drop(struct internal_call *c)
{
    if (!c->managed)
        return PROBLEM_BODY_MALFORMED;
    source_free(&c->source);
    c->answer = json_pack("{s:b}", "ok", 1);
    return zone_problem(zone_drop(c->w->catalog.data_dir, &c->id));
}

static enum problem scan(struct internal_call *c)
{
    return scan_step(c->source, c->body, &c->answer);
}

static enum problem try_query(struct internal_call *c)
{
    return develop_try(c->source, c->body, &c->answer, c->detail, sizeof c->detail);
}

/* No source: only whether what the provider wrote can be read. */
static enum problem check_dataset(struct internal_call *c)
{
    if (!catalog_check(c->body)) {
        snprintf(c->detail, sizeof c->detail,
                 "its row_filter, query or a relation cannot be read: see docs/query.md");
        return PROBLEM_QUERY_MALFORMED;
    }
    c->answer = json_pack("{s:b}", "ok", 1);
    return PROBLEM_OK;
}

static enum problem check_rows(struct internal_call *c)
{
    return row_filter_check(c->body, &c->answer, c->detail, sizeof c->detail);
}

static enum problem writes(struct internal_call *c)
{
    return write_internal(c->w, c->target, c->body, &c->answer, c->detail);
}

static enum problem collections(struct internal_call *c)
{
    return collect_handle(c->w, c->target, c->body, &c->answer);
}

static enum problem folders(struct internal_call *c)
{
    return files_internal(c->w, c->target, c->body, &c->answer, c->detail);
}

enum { HERE, SOURCE, BELOW }; /* SOURCE: it is opened first; BELOW: and what is below the path */
static const struct route {
    struct slice path;
    int kind;
    enum problem (*run)(struct internal_call *c);
} routes[] = {
    {{"/internal/v1/sources/check", 26}, SOURCE, check},
    {{"/internal/v1/sources/tables", 27}, SOURCE, tables},
    {{"/internal/v1/sources/columns", 28}, SOURCE, columns},
    {{"/internal/v1/sources/profile", 28}, SOURCE, profile},
    {{"/internal/v1/sources/profiles", 29}, SOURCE, profiles},
    {{"/internal/v1/sources/try", 24}, SOURCE, try_query},
    {{"/internal/v1/sources/make", 25}, SOURCE, make},
    {{"/internal/v1/sources/drop", 25}, SOURCE, drop},
    {{"/internal/v1/sources/scan", 25}, SOURCE, scan},
    {{"/internal/v1/datasets/check", 27}, HERE, check_dataset},
    {{"/internal/v1/datasets/rows", 26}, HERE, check_rows},
    {{"/internal/v1/writes/", 20}, BELOW, writes},
    {{"/internal/v1/collect/", 21}, BELOW, collections},
    {{"/internal/v1/files/", 19}, BELOW, folders},
};

static const struct route *route_of(struct slice target)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        struct slice path = routes[i].path;
        if (routes[i].kind == BELOW ? target.n >= path.n && memcmp(target.p, path.p, path.n) == 0
                                    : slice_eq(path, target))
            return &routes[i];
    }
    return NULL;
}

static enum problem open_source(struct worker *w, const json_t *body, struct internal_call *c)
{
    struct buf connection;
    struct slice id_text = slice_str(text_member(body, "id"));
    if (!uuid_parse(&c->id, id_text.p, id_text.n))
        return PROBLEM_BODY_MALFORMED;
    if (pool_enter(&c->id, &c->held) != POOL_OK)
        return PROBLEM_SOURCE_BUSY;
    const char *kind = text_member(body, "kind");
    c->managed = strcmp(kind, "managed") == 0;
    if (c->managed || strcmp(kind, "files") == 0) { /* data/files alone writes to its store */
        c->source = source_new_managed(&c->id, w->catalog.data_dir);
        return c->source ? PROBLEM_OK : PROBLEM_INTERNAL;
    }
    buf_init(&connection);
    enum problem p = PROBLEM_BODY_MALFORMED;
    if (catalog_unseal(w->catalog.secret_key, id_text,
                       slice_str(text_member(body, "connection_sealed")), &connection)) {
        c->source = source_new(buf_slice(&connection), w->catalog.data_dir);
        p = c->source && source_set_encoding(c->source, slice_str(text_member(body, "encoding")))
                ? PROBLEM_OK
                : PROBLEM_INTERNAL;
    }
    buf_wipe(&connection);
    return p;
}

static enum problem run(struct worker *w, const struct service_request *rq, const json_t *body,
                        struct internal_call *c)
{
    const struct route *route = route_of(rq->target);
    if (!route)
        return PROBLEM_NOT_FOUND;
    if (!slice_eq(rq->method, SLICE("POST")))
        return PROBLEM_METHOD_NOT_ALLOWED;
    if (!json_is_object(body))
        return PROBLEM_BODY_MALFORMED;
    c->w = w;
    c->target = rq->target;
    c->schema = text_member(body, "schema");
    c->table = text_member(body, "table");
    c->body = body;
    enum problem p = route->kind == SOURCE ? open_source(w, body, c) : PROBLEM_OK;
    return p ? p : route->run(c);
}

void internal_handle(struct worker *w, const struct service_request *rq, struct service_reply *rp)
{
    struct internal_call c = {0};
    if (batch_internal(w, rq, rp))
        return;
    json_t *body = json_loadb(rq->body.p, rq->body.n, JSON_REJECT_DUPLICATES, NULL);
    enum problem p = run(w, rq, body, &c);
    char *text = p ? NULL : json_dumps(c.answer, JSON_COMPACT);
    if (!p && !text)
        p = PROBLEM_INTERNAL;
    /* One sentence for all that can be wrong: which of a host's files exist is no provider's
     * business. */
    const char *detail = p == PROBLEM_SOURCE_UNAVAILABLE
                             ? "it cannot be reached, or its connection string is not acceptable"
                             : NULL;
    if (c.detail[0])
        detail = c.detail;
    if (p)
        service_problem(w, rq, rp, p, detail, SLICE(""));
    else
        buf_adds(&w->body, text);
    free(text);
    json_decref(c.answer);
    json_decref(body);
    source_free(&c.source);
    if (c.held)
        pool_leave(&c.id);
}
