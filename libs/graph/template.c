/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/internal.h"

#include <stdio.h>

#define POINTER_MAX 512

bool template_next(struct slice *rest, struct template_part *part, bool *bad)
{
    *bad = false;
    if (rest->n == 0)
        return false;
    const char *p = rest->p, *end = rest->p + rest->n;
    bool brace = *p == '{' || *p == '}';
    bool doubled = brace && rest->n > 1 && p[1] == *p;
    size_t used;
    part->pointer = brace && !doubled;
    if (doubled) {
        part->text = slice_of(p, 1);
        used = 2;
    } else if (*p == '{') {
        const char *close = memchr(p, '}', rest->n);
        *bad = close == NULL;
        part->text = slice_of(p + 1, close ? (size_t)(close - p) - 1 : 0);
        used = part->text.n + 2;
    } else {
        const char *q = p;
        while (q < end && *q != '{' && *q != '}')
            q++;
        *bad = q == p; /* a closing brace alone */
        part->text = slice_of(p, (size_t)(q - p));
        used = part->text.n;
    }
    if (*bad)
        return false;
    *rest = slice_of(p + used, rest->n - used);
    return true;
}

/* One reference token, ~0 and ~1 undone. */
static bool token(const char **at, char out[static POINTER_MAX])
{
    size_t n = 0;
    const char *p = *at + 1;
    for (; *p && *p != '/'; p++) {
        char c = *p;
        if (c == '~') {
            p++;
            if (*p != '0' && *p != '1')
                return false;
            c = *p == '0' ? '~' : '/';
        }
        if (n + 1 >= POINTER_MAX)
            return false;
        out[n++] = c;
    }
    out[n] = '\0';
    *at = p;
    return true;
}

static bool index_of(const char *text, size_t *index)
{
    if (!*text || (text[0] == '0' && text[1]) || strlen(text) > 7)
        return false;
    for (*index = 0; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        *index = *index * 10 + (size_t)(*text - '0');
    }
    return true;
}

const json_t *graph_find(const json_t *scope, const char *pointer)
{
    char name[POINTER_MAX];
    const json_t *at = scope;
    while (at && *pointer) {
        size_t i;
        if (*pointer != '/' || !token(&pointer, name))
            return NULL;
        if (json_is_object(at))
            at = json_object_get(at, name);
        else
            at = json_is_array(at) && index_of(name, &i) ? json_array_get(at, i) : NULL;
    }
    return at;
}

static bool unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c));
}

static void add_encoded(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (unreserved(c))
            buf_addc(out, (char)c);
        else
            buf_addf(out, "%%%02X", c);
    }
}

static void add(struct buf *out, struct slice text, bool encode)
{
    if (encode)
        add_encoded(out, text);
    else
        buf_add(out, text.p, text.n);
}

static enum graph_text add_value(const json_t *value, bool encode, struct buf *out)
{
    char number[40];
    if (!value || json_is_null(value))
        return GRAPH_TEXT_ABSENT;
    if (json_is_string(value)) {
        add(out, slice_of(json_string_value(value), json_string_length(value)), encode);
        return GRAPH_TEXT_OK;
    }
    if (json_is_boolean(value)) {
        buf_adds(out, json_is_true(value) ? "true" : "false");
        return GRAPH_TEXT_OK;
    }
    if (!json_is_number(value) ||
        json_dumpb(value, number, sizeof number, GRAPH_JSON) > sizeof number)
        return GRAPH_TEXT_BAD;
    size_t n = json_dumpb(value, number, sizeof number, GRAPH_JSON);
    add(out, slice_of(number, n), encode);
    return GRAPH_TEXT_OK;
}

/* An escaped slash is a slash again to whoever looks for a route: a value is one segment. */
static bool has_slash(const json_t *value)
{
    size_t n = json_string_length(value);
    return n > 0 && memchr(json_string_value(value), '/', n) != NULL;
}

enum escape { NOTHING, VALUES, ALL }; /* what is percent-encoded */

static enum graph_text fill(const char *text, const json_t *scope, enum escape escape,
                            struct buf *out)
{
    struct slice rest = slice_str(text);
    struct template_part part;
    char pointer[POINTER_MAX];
    bool bad;
    while (template_next(&rest, &part, &bad)) {
        if (!part.pointer) {
            add(out, part.text, escape == ALL);
            continue;
        }
        if (part.text.n >= sizeof pointer)
            return GRAPH_TEXT_BAD;
        snprintf(pointer, sizeof pointer, "%.*s", SLICE_FMT(part.text));
        const json_t *value = graph_find(scope, pointer);
        if (escape == VALUES && has_slash(value))
            return GRAPH_TEXT_BAD;
        enum graph_text result = add_value(value, escape != NOTHING, out);
        if (result != GRAPH_TEXT_OK)
            return result;
    }
    return bad || out->failed ? GRAPH_TEXT_BAD : GRAPH_TEXT_OK;
}

/* A value must not have made a segment empty, "." or "..", all of which mean another path. */
static bool shape_kept(struct slice path)
{
    size_t begin = 0;
    for (size_t i = 0; i <= path.n; i++) {
        if (i < path.n && path.p[i] != '/')
            continue;
        struct slice segment = slice_of(path.p + begin, i - begin);
        if ((segment.n == 0 && begin != 0) || slice_eq(segment, SLICE(".")) ||
            slice_eq(segment, SLICE("..")))
            return false;
        begin = i + 1;
    }
    return true;
}

static enum graph_text add_query(const struct graph_step *step, const json_t *scope,
                                 struct buf *out)
{
    char mark = '?';
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)step->query, name, value)
    {
        size_t before = out->n;
        buf_addc(out, mark);
        add_encoded(out, slice_str(name));
        buf_addc(out, '=');
        enum graph_text result = fill(json_string_value(value), scope, ALL, out);
        if (result == GRAPH_TEXT_BAD)
            return result;
        if (result == GRAPH_TEXT_ABSENT)
            out->n = before;
        else
            mark = '&';
    }
    return GRAPH_TEXT_OK;
}

enum graph_text graph_target(const struct graph_step *step, const json_t *scope, struct buf *out)
{
    size_t before = out->n;
    buf_adds(out, step->api);
    enum graph_text result = fill(step->path, scope, VALUES, out);
    if (result != GRAPH_TEXT_OK)
        return result;
    if (out->failed || !shape_kept(slice_of(out->p + before, out->n - before)))
        return GRAPH_TEXT_BAD;
    result = step->query ? add_query(step, scope, out) : GRAPH_TEXT_OK;
    return out->failed || out->n - before > GRAPH_TARGET_MAX ? GRAPH_TEXT_BAD : result;
}

enum graph_text graph_header(const char *template_text, const json_t *scope, struct buf *out)
{
    size_t before = out->n;
    enum graph_text result = fill(template_text, scope, NOTHING, out);
    for (size_t i = before; result == GRAPH_TEXT_OK && i < out->n; i++) {
        unsigned char c = (unsigned char)out->p[i];
        if (c < 0x20 || c == 0x7f)
            return GRAPH_TEXT_BAD;
    }
    return result;
}
