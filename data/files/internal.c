/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/codec.h"
#include "data/files/files.h"

struct asked {
    struct files *files;
    struct files_source source;
    const json_t *body;
    json_t **answer;
    char *detail; /* 400 bytes */
};

static const char *text_of(const json_t *body, const char *name)
{
    const char *text = json_string_value(json_object_get(body, name));
    return text ? text : "";
}

static enum problem done(struct asked *a)
{
    *a->answer = json_pack("{s:b}", "ok", 1);
    return *a->answer ? PROBLEM_OK : PROBLEM_INTERNAL;
}

static enum problem check(struct asked *a)
{
    enum problem p = files_check(a->files, &a->source);
    if (p == PROBLEM_SOURCE_UNAVAILABLE)
        snprintf(a->detail, 400, "the folder is not there, or not among those the operator allows");
    return p ? p : done(a);
}

static enum problem drop(struct asked *a)
{
    enum problem p = files_drop(a->files, &a->source.id);
    return p ? p : done(a);
}

static enum problem refresh(struct asked *a)
{
    const char *ticket = text_of(a->body, "ticket");
    const char *state = ticket[0] ? files_refresh(a->files, &a->source, ticket) : NULL;
    if (!state)
        return ticket[0] ? PROBLEM_CONCURRENCY_LIMITED : PROBLEM_BODY_MALFORMED;
    *a->answer = json_pack("{s:s}", "state", state);
    return PROBLEM_OK;
}

static enum problem items(struct asked *a)
{
    return files_items(a->files, &a->source.id, a->answer);
}

static enum problem item(struct asked *a)
{
    return files_item(a->files, &a->source.id, text_of(a->body, "table"), a->answer);
}

static enum problem put(struct asked *a)
{
    const char *data = text_of(a->body, "data");
    json_int_t at = json_integer_value(json_object_get(a->body, "at"));
    size_t room = strlen(data) / 4 * 3 + 3, n = 0;
    char *bytes = malloc(room);
    enum problem p = PROBLEM_BODY_MALFORMED;
    if (bytes && at >= 0 && codec_unbase64(bytes, room, &n, data, strlen(data)))
        p = files_put(a->files, &a->source.id, text_of(a->body, "name"), (uint64_t)at,
                      slice_of(bytes, n), json_is_true(json_object_get(a->body, "last")));
    free(bytes);
    return p ? p : done(a);
}

static enum problem take_away(struct asked *a)
{
    enum problem p = files_remove(a->files, &a->source.id, text_of(a->body, "name"));
    return p ? p : done(a);
}

static const struct {
    struct slice path;
    enum problem (*run)(struct asked *a);
} routes[] = {
    {{"/internal/v1/files/check", 24}, check},      {{"/internal/v1/files/drop", 23}, drop},
    {{"/internal/v1/files/refresh", 26}, refresh},  {{"/internal/v1/files/items", 24}, items},
    {{"/internal/v1/files/item", 23}, item},        {{"/internal/v1/files/put", 22}, put},
    {{"/internal/v1/files/remove", 25}, take_away},
};

enum problem files_internal(struct worker *w, struct slice target, const json_t *body,
                            json_t **answer, char detail[static 400])
{
    struct asked a = {.files = w->files, .body = body, .answer = answer, .detail = detail};
    const char *id = text_of(body, "id");
    a.source.folder = text_of(body, "folder");
    a.source.encoding = text_of(body, "encoding");
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        if (slice_eq(routes[i].path, target))
            return !w->files                                   ? PROBLEM_INTERNAL
                   : !uuid_parse(&a.source.id, id, strlen(id)) ? PROBLEM_BODY_MALFORMED
                                                               : routes[i].run(&a);
    return PROBLEM_NOT_FOUND;
}
