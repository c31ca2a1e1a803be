/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "personal/personal_inner.h"

struct walk {
    enum personal_guard guard;
    const json_t *meant;
    struct personal_seen *seen;
    char path[PERSONAL_PATH_MAX + 2];
    size_t n; /* bytes of the path; more than PERSONAL_PATH_MAX: too long to be meant */
};

/* "a.b" is meant by "a.b", and by "a", which has all that is below it. */
static bool is_meant(const struct walk *w)
{
    const json_t *path;
    size_t i;
    if (w->n > PERSONAL_PATH_MAX)
        return false;
    json_array_foreach(w->meant, i, path)
    {
        const char *text = json_string_value(path);
        size_t n = text ? strlen(text) : 0;
        if (n && n <= w->n && memcmp(text, w->path, n) == 0 && (n == w->n || w->path[n] == '.'))
            return true;
    }
    return false;
}

static size_t enter(struct walk *w, const char *name)
{
    size_t was = w->n, more = strlen(name) + (w->n > 0);
    if (w->n + more > PERSONAL_PATH_MAX) {
        w->n = PERSONAL_PATH_MAX + 1;
        return was;
    }
    snprintf(w->path + w->n, sizeof w->path - w->n, "%s%s", w->n ? "." : "", name);
    w->n += more;
    return was;
}

static void note(struct walk *w, const char *kind)
{
    w->seen->kind = kind;
    snprintf(w->seen->path, sizeof w->seen->path, "%.*s",
             (int)(w->n > PERSONAL_PATH_MAX ? 0 : w->n), w->path);
}

static bool pass_text(struct walk *w, json_t **value)
{
    const char *kind;
    bool passed = personal_pass(w->guard, value, &kind);
    if (kind)
        note(w, kind);
    w->seen->covered += kind && passed;
    return passed;
}

/* A number that proves to be somebody's becomes a text: no digit of it stays. */
static bool pass_number(struct walk *w, json_t **value)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%lld", (long long)json_integer_value(*value));
    const char *kind = n < 11 ? NULL : personal_find(slice_of(text, (size_t)n));
    json_t *covered = NULL;
    if (!kind)
        return true;
    note(w, kind);
    if (w->guard == PERSONAL_MASK)
        covered = personal_cover(slice_of(text, (size_t)n));
    if (!covered)
        return false;
    json_decref(*value);
    *value = covered;
    w->seen->covered++;
    return true;
}

static bool pass_value(struct walk *w, json_t **value, unsigned depth);

static bool pass_members(struct walk *w, json_t *object, unsigned depth)
{
    const char *name;
    json_t *member;
    bool passed = true;
    json_object_foreach(object, name, member)
    {
        size_t was = enter(w, name);
        json_t *one = json_incref(member);
        passed = is_meant(w) || pass_value(w, &one, depth + 1);
        if (passed && one != member)
            json_object_set(object, name, one); /* of a key that is there: no rehash */
        json_decref(one);
        if (!passed)
            break;
        w->n = was;
    }
    return passed;
}

static bool pass_items(struct walk *w, json_t *array, unsigned depth)
{
    bool passed = true;
    for (size_t i = 0; passed && i < json_array_size(array); i++) {
        json_t *item = json_array_get(array, i), *one = json_incref(item);
        passed = pass_value(w, &one, depth + 1);
        if (passed && one != item)
            json_array_set(array, i, one);
        json_decref(one);
    }
    return passed;
}

static bool pass_value(struct walk *w, json_t **value, unsigned depth)
{
    if (depth > PERSONAL_DEPTH_MAX)
        return false; /* cannot be looked at */
    switch (json_typeof(*value)) {
    case JSON_STRING:
        return pass_text(w, value);
    case JSON_INTEGER:
        return pass_number(w, value);
    case JSON_OBJECT:
        return pass_members(w, *value, depth);
    case JSON_ARRAY:
        return pass_items(w, *value, depth);
    default:
        return true;
    }
}

bool personal_document(enum personal_guard guard, const json_t *meant, json_t **value,
                       struct personal_seen *seen)
{
    struct walk w = {.guard = guard, .meant = meant, .seen = seen};
    return guard == PERSONAL_OFF || pass_value(&w, value, 0);
}
