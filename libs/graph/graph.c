/* SPDX-License-Identifier: Apache-2.0 */
/* Compilation. Every mistake is found here, at the control plane that takes the definition and
 * again at the node that runs it, so that evaluation has none left to find. */
#include "graph/graph.h"

#include <stdio.h>
#include <stdlib.h>

#include "graph/internal.h"

static bool known_members(struct compile *c, const json_t *object, const char *const names[])
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value)
    {
        size_t i = 0;
        while (names[i] && strcmp(names[i], name) != 0)
            i++;
        if (!names[i])
            return compile_fail(c, "", "has a member it cannot have: %.40s", name);
    }
    return true;
}

static bool read_number(struct compile *c, const json_t *object, const char *member, uint32_t max,
                        uint32_t *out)
{
    const json_t *value = json_object_get(object, member);
    *out = 0;
    if (!value)
        return true;
    json_int_t n = json_integer_value(value);
    if (!json_is_integer(value) || n < 0 || n > (json_int_t)max)
        return compile_fail(c, member, "must be a whole number of at most %u", max);
    *out = (uint32_t)n;
    return true;
}

static bool read_text(struct compile *c, const json_t *object, const char *member, const char **out)
{
    const json_t *value = json_object_get(object, member);
    *out = json_string_value(value);
    if (value && (!*out || strlen(*out) != json_string_length(value)))
        return compile_fail(c, member, "must be text without NUL");
    return true;
}

/* The names that say who calls, how long the body is or where it goes are not a graph's to set. */
static bool header_allowed(const char *name)
{
    static const char *const no[] = {"host",
                                     "connection",
                                     "content-length",
                                     "transfer-encoding",
                                     "te",
                                     "trailer",
                                     "upgrade",
                                     "expect",
                                     "keep-alive",
                                     "content-digest",
                                     "signature",
                                     "signature-input",
                                     "accept-encoding",
                                     "content-encoding",
                                     "content-type",
                                     "traceparent",
                                     "forwarded",
                                     NULL};
    size_t n = strlen(name);
    if (n == 0 || n > 64 || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != n)
        return false;
    return !compile_is_word(slice_str(name), no) && strncmp(name, "sluice-", 7) != 0 &&
           strncmp(name, "proxy-", 6) != 0 && strncmp(name, "x-forwarded", 11) != 0;
}

static bool read_templates(struct compile *c, const json_t *step, const char *member,
                           const json_t **out)
{
    const json_t *object = json_object_get(step, member);
    bool headers = strcmp(member, "headers") == 0;
    const char *name;
    json_t *value;
    *out = object;
    if (object && !json_is_object(object))
        return compile_fail(c, member, "must be an object of texts");
    if (json_object_size(object) > 64)
        return compile_fail(c, member, "has more than 64 members");
    json_object_foreach((json_t *)object, name, value)
    {
        const char *text = json_string_value(value);
        if (!text || strlen(text) != json_string_length(value) ||
            (headers && !header_allowed(name)))
            return compile_fail(c, member, "%.40s cannot be set, or not to that", name);
        if (!compile_template(c, member, text))
            return false;
    }
    return true;
}

static bool path_text(struct slice path, const char *more)
{
    for (size_t i = 0; i < path.n; i++) {
        char ch = path.p[i];
        bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
                     (ch >= '0' && ch <= '9') || (ch && strchr("/-._~", ch));
        if (!plain && !(ch && strchr(more, ch)))
            return false;
    }
    return true;
}

/* What an API's path and a template's literal parts may be; graph_target() looks at the whole. */
static bool check_path(struct compile *c, const struct graph_step *step)
{
    struct slice api = slice_str(step->api), rest = slice_str(step->path);
    struct template_part part;
    bool bad;
    if (api.n < 2 || api.n > GRAPH_PATH_MAX || api.p[0] != '/' || api.p[api.n - 1] == '/' ||
        !path_text(api, "") || strstr(step->api, "//") || strstr(step->api, "/."))
        return compile_fail(c, "api", "must be the path of an API");
    if (rest.n && rest.p[0] != '/')
        return compile_fail(c, "path", "must begin with /");
    if (!compile_template(c, "path", step->path))
        return false;
    while (template_next(&rest, &part, &bad))
        if (!part.pointer && !path_text(part.text, "!$&'()*+,;=:@"))
            return compile_fail(c, "path", "has a character a path cannot have");
    return true;
}

static bool read_method(struct compile *c, const json_t *from, struct graph_step *step)
{
    const char *method;
    if (!read_text(c, from, "method", &method))
        return false;
    step->post = method && strcmp(method, "POST") == 0;
    if (method && !step->post && strcmp(method, "GET") != 0)
        return compile_fail(c, "method", "must be GET or POST");
    step->body = json_object_get(from, "body");
    if (step->body && !step->post)
        return compile_fail(c, "body", "goes with POST alone");
    uint32_t retries;
    if (!read_number(c, from, "retries", GRAPH_RETRIES_MAX, &retries))
        return false;
    if (retries && step->post)
        return compile_fail(c, "retries", "goes with GET alone");
    step->retries = (uint8_t)retries;
    return !step->body || compile_mapping(c, "body", step->body);
}

static bool read_failure(struct compile *c, const json_t *from, struct graph_step *step)
{
    const json_t *value = json_object_get(from, "on_failure");
    const char *word = json_string_value(value);
    step->fallback = json_object_get(value, "default");
    if (step->fallback && json_object_size(value) == 1)
        step->on_failure = GRAPH_DEFAULT;
    else if (word && strcmp(word, "null") == 0)
        step->on_failure = GRAPH_NULL;
    else if (value && (!word || strcmp(word, "fail") != 0))
        return compile_fail(c, "on_failure", "must be fail, null or {\"default\": …}");
    return true;
}

static bool read_after(struct compile *c, const json_t *from)
{
    const json_t *after = json_object_get(from, "after"), *value;
    size_t i;
    if (after && !json_is_array(after))
        return compile_fail(c, "after", "must be a list of steps");
    json_array_foreach((json_t *)after, i, value)
    {
        const char *name = json_string_value(value);
        int step = name ? compile_find_step(c, slice_str(name)) : -1;
        if (step < 0)
            return compile_fail(c, "after", "names a step there is not");
        c->refs |= UINT32_C(1) << step;
    }
    return true;
}

static bool read_when(struct compile *c, const json_t *from, struct graph_step *step)
{
    return read_text(c, from, "when", &step->when) &&
           (!step->when || compile_pointer(c, "when", slice_str(step->when)));
}

static bool read_step(struct compile *c, const json_t *from, struct graph_step *step)
{
    static const char *const members[] = {"name",       "api",     "method", "path", "query",
                                          "headers",    "body",    "after",  "when", "on_failure",
                                          "timeout_ms", "retries", NULL};
    c->refs = 0;
    if (!known_members(c, from, members) || !read_text(c, from, "api", &step->api) ||
        !read_text(c, from, "path", &step->path))
        return false;
    step->api = step->api ? step->api : "";
    step->path = step->path ? step->path : "";
    bool ok = check_path(c, step) && read_method(c, from, step) &&
              read_templates(c, from, "query", &step->query) &&
              read_templates(c, from, "headers", &step->headers) && read_failure(c, from, step) &&
              read_after(c, from) && read_when(c, from, step) &&
              read_number(c, from, "timeout_ms", GRAPH_DEADLINE_MAX, &step->timeout_ms);
    step->after = c->refs;
    return ok;
}

static bool read_name(struct compile *c, const json_t *from, struct graph_step *step)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    const char *name;
    if (!json_is_object(from))
        return compile_fail(c, "", "must be an object");
    if (!read_text(c, from, "name", &name))
        return false;
    size_t n = name ? strlen(name) : 0;
    if (n == 0 || n > GRAPH_NAME_MAX || strspn(name, letters) != n || strspn(name, letters) == 0)
        return compile_fail(c, "name", "must be 1 to %d of a-z, 0-9 and _", GRAPH_NAME_MAX);
    if (compile_find_step(c, slice_str(name)) >= 0)
        return compile_fail(c, "name", "is another step's");
    step->name = name;
    return true;
}

/* Takes away what depends on nothing left until nothing is, or until it cannot. */
static bool check_cycles(struct compile *c)
{
    uint32_t done = 0, n = c->g->n_steps;
    for (uint32_t round = 0; round < n; round++)
        for (uint32_t i = 0; i < n; i++)
            if ((c->g->steps[i].after & ~done) == 0)
                done |= UINT32_C(1) << i;
    for (uint32_t i = 0; i < n; i++) {
        if (done >> i & 1)
            continue;
        snprintf(c->at, sizeof c->at, "/steps/%u", i);
        return compile_fail(c, "", "waits for itself");
    }
    return true;
}

static bool read_steps(struct compile *c)
{
    const json_t *steps = json_object_get(c->g->source, "steps");
    size_t n = json_array_size(steps);
    snprintf(c->at, sizeof c->at, "/steps");
    if (n == 0 || n > GRAPH_STEPS_MAX)
        return compile_fail(c, "", "1 to %d steps are needed", GRAPH_STEPS_MAX);
    for (uint32_t i = 0; i < n; i++) {
        snprintf(c->at, sizeof c->at, "/steps/%u", i);
        if (!read_name(c, json_array_get(steps, i), &c->g->steps[i]))
            return false;
        c->g->n_steps = i + 1;
    }
    for (uint32_t i = 0; i < n; i++) {
        snprintf(c->at, sizeof c->at, "/steps/%u", i);
        if (!read_step(c, json_array_get(steps, i), &c->g->steps[i]))
            return false;
    }
    return check_cycles(c);
}

static bool shallow(const json_t *value, unsigned depth)
{
    const char *name;
    json_t *member;
    size_t i;
    if (depth == 0)
        return false;
    json_object_foreach((json_t *)value, name, member)
    {
        if (!shallow(member, depth - 1))
            return false;
    }
    json_array_foreach((json_t *)value, i, member)
    {
        if (!shallow(member, depth - 1))
            return false;
    }
    return true;
}

static bool compile(struct compile *c, const json_t *definition)
{
    static const char *const members[] = {"deadline_ms", "steps", "output", NULL};
    if (!json_is_object(definition))
        return compile_fail(c, "", "must be an object");
    if (!shallow(definition, GRAPH_DEPTH_MAX))
        return compile_fail(c, "", "is nested deeper than %d", GRAPH_DEPTH_MAX);
    if (json_dumpb(definition, NULL, 0, JSON_COMPACT) > GRAPH_BYTES_MAX)
        return compile_fail(c, "", "is longer than %u bytes", GRAPH_BYTES_MAX);
    c->g->source = json_deep_copy(definition);
    if (!c->g->source)
        return compile_fail(c, "", "out of memory");
    if (!known_members(c, c->g->source, members) ||
        !read_number(c, c->g->source, "deadline_ms", GRAPH_DEADLINE_MAX, &c->g->deadline_ms) ||
        !read_steps(c))
        return false;
    c->at[0] = '\0';
    c->g->output = json_object_get(c->g->source, "output");
    return c->g->output ? compile_mapping(c, "output", c->g->output)
                        : compile_fail(c, "output", "a mapping is needed");
}

struct graph *graph_new(const json_t *definition, struct graph_error *error)
{
    struct graph *g = calloc(1, sizeof *g);
    struct compile c = {.g = g, .error = error};
    *error = (struct graph_error){.text = "out of memory"};
    if (!g)
        return NULL;
    g->refs = 1;
    if (!compile(&c, definition))
        graph_free(&g);
    return g;
}

struct graph *graph_ref(struct graph *g)
{
    __atomic_add_fetch(&g->refs, 1, __ATOMIC_RELAXED);
    return g;
}

void graph_free(struct graph **g)
{
    struct graph *old = *g;
    *g = NULL;
    if (!old || __atomic_sub_fetch(&old->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    json_decref(old->source);
    free(old);
}
