/* SPDX-License-Identifier: Apache-2.0 */
/* Compilation, the part that is about what a graph refers to: pointers, templates, mappings. */
#include <stdio.h>

#include "graph/internal.h"

bool compile_fail(struct compile *c, const char *member, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(c->error->text, sizeof c->error->text, fmt, args);
    va_end(args);
    snprintf(c->error->where, sizeof c->error->where, "%s%s%s", c->at, *member ? "/" : "", member);
    return false;
}

int compile_find_step(const struct compile *c, struct slice name)
{
    for (uint32_t i = 0; i < c->g->n_steps; i++)
        if (slice_eq(slice_str(c->g->steps[i].name), name))
            return (int)i;
    return -1;
}

bool compile_is_word(struct slice word, const char *const words[])
{
    for (; *words; words++)
        if (slice_eq(word, slice_str(*words)))
            return true;
    return false;
}

static struct slice next_token(struct slice *rest)
{
    if (rest->n == 0 || rest->p[0] != '/')
        return SLICE("");
    const char *end = memchr(rest->p + 1, '/', rest->n - 1);
    size_t n = end ? (size_t)(end - rest->p) : rest->n;
    struct slice word = slice_of(rest->p + 1, n - 1);
    *rest = slice_of(rest->p + n, rest->n - n);
    return word;
}

bool compile_pointer(struct compile *c, const char *member, struct slice pointer)
{
    static const char *const of_request[] = {"method", "path", "query", "body", NULL};
    static const char *const of_step[] = {"status", "body", NULL};
    struct slice rest = pointer, root = next_token(&rest);
    bool request = slice_eq(root, SLICE("request"));
    if (pointer.n > 500 || (!request && !slice_eq(root, SLICE("steps"))))
        return compile_fail(c, member, "points neither below /request nor /steps");
    for (size_t i = 0; i < pointer.n; i++)
        if (pointer.p[i] == '~' &&
            (i + 1 == pointer.n || (pointer.p[i + 1] != '0' && pointer.p[i + 1] != '1')))
            return compile_fail(c, member, "is not a JSON pointer");
    if (!request) {
        struct slice name = next_token(&rest);
        int step = compile_find_step(c, name);
        if (step < 0)
            return compile_fail(c, member, "refers to a step there is not: %.*s",
                                (int)(name.n < 40 ? name.n : 40), name.p);
        c->refs |= UINT32_C(1) << step;
    }
    return compile_is_word(next_token(&rest), request ? of_request : of_step)
               ? true
               : compile_fail(c, member,
                              request ? "of a request there is method, path, query and body"
                                      : "of a step there is status and body");
}

bool compile_template(struct compile *c, const char *member, const char *text)
{
    struct slice rest = slice_str(text);
    struct template_part part;
    bool bad;
    while (template_next(&rest, &part, &bad))
        if (part.pointer && !compile_pointer(c, member, part.text))
            return false;
    return bad ? compile_fail(c, member, "has a brace without its other") : true;
}

static bool check_text_mapping(struct compile *c, const char *member, const json_t *mapping,
                               const char *name)
{
    const json_t *value = json_object_get(mapping, name);
    const char *text = json_string_value(value);
    if (!text || strlen(text) != json_string_length(value))
        return compile_fail(c, member, "%s must be text without NUL", name);
    return strcmp(name, "$ref") == 0 ? compile_pointer(c, member, slice_str(text))
                                     : compile_template(c, member, text);
}

static bool check_special(struct compile *c, const char *member, const json_t *mapping,
                          const char *name)
{
    bool ref = strcmp(name, "$ref") == 0;
    size_t allowed = ref && json_object_get(mapping, "default") ? 2 : 1;
    if (json_object_size(mapping) != allowed)
        return compile_fail(c, member, "%.16s goes with no other member%s", name,
                            ref ? " but default" : "");
    if (strcmp(name, "$literal") == 0)
        return true;
    if (!ref && strcmp(name, "$text") != 0)
        return compile_fail(c, member, "has a member it cannot have: %.40s", name);
    return check_text_mapping(c, member, mapping, name);
}

/* Depth is bounded: check_size() ran before. */
bool compile_mapping(struct compile *c, const char *member, const json_t *mapping)
{
    const char *name;
    json_t *value;
    size_t i;
    json_object_foreach((json_t *)mapping, name, value)
    {
        if (name[0] == '$')
            return check_special(c, member, mapping, name);
    }
    json_object_foreach((json_t *)mapping, name, value)
    {
        if (!compile_mapping(c, member, value))
            return false;
    }
    json_array_foreach((json_t *)mapping, i, value)
    {
        if (!compile_mapping(c, member, value))
            return false;
    }
    return true;
}
