/* SPDX-License-Identifier: Apache-2.0 */
#include "personal/personal_inner.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "detect/detect.h"
#include "mask/mask.h"

#define COVER_ALL "keep:0:0"

/* What is somebody's for certain. An enterprise's code is nobody's. */
static const char *const somebodys[] = {"id-card", "bank-card", "mobile", "email"};

struct found {
    const struct detect_rule *rule; /* NULL: nothing */
    bool inside;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct detect *detect; /* under lock; compiled when it is first asked */

enum personal_guard personal_guard_named(const char *name)
{
    return strcmp(name, "off") == 0    ? PERSONAL_OFF
           : strcmp(name, "mask") == 0 ? PERSONAL_MASK
                                       : PERSONAL_REFUSE;
}

enum personal_guard personal_guard_of(const json_t *guarded)
{
    const char *what = json_string_value(json_object_get(guarded, "do"));
    return what ? personal_guard_named(what) : PERSONAL_OFF;
}

bool personal_guards(const json_t *guarded, struct slice column)
{
    const json_t *name;
    size_t i;
    json_array_foreach(json_object_get(guarded, "columns"), i, name)
    {
        if (json_is_string(name) && slice_eq(slice_str(json_string_value(name)), column))
            return true;
    }
    return false;
}

bool personal_is_somebodys(size_t rule)
{
    for (size_t i = 0; i < sizeof somebodys / sizeof *somebodys; i++)
        if (strcmp(detect_rules[rule].name, somebodys[i]) == 0)
            return true;
    return false;
}

static bool count(struct detect_column *column, struct slice text)
{
    size_t bad;
    struct detect_error err;
    pthread_mutex_lock(&lock);
    bool ready = detect || detect_new(&detect, NULL, 0, &bad, &err) == DETECT_OK;
    if (ready)
        detect_value(detect, column, text);
    pthread_mutex_unlock(&lock);
    return ready;
}

static void note(void *ctx, const struct personal_hit *hit)
{
    struct found *found = ctx;
    for (size_t i = 0; !found->rule && i < detect_rules_n; i++)
        if (strcmp(detect_rules[i].name, hit->kind) == 0)
            *found = (struct found){&detect_rules[i], true};
}

/* Longer than a value that the detector looks at whole. */
static bool look_long(struct slice text, struct found *found)
{
    struct personal_stream *s = personal_stream_new(note, found);
    if (!s)
        return false;
    personal_stream_add(s, text);
    personal_stream_end(s);
    personal_stream_free(&s);
    return true;
}

/* False: it could not be looked at. */
static bool look(struct slice text, struct found *found)
{
    *found = (struct found){0};
    if (text.n > DETECT_VALUE_MAX)
        return look_long(text, found);
    struct detect_column *column = calloc(1, sizeof *column);
    bool looked = column && count(column, text);
    for (size_t i = 0; looked && i < detect_rules_n; i++) {
        const struct detect_votes *votes = &column->votes[i];
        if (!personal_is_somebodys(i) || (!votes->valid && !votes->inside))
            continue;
        if (!found->rule || (found->inside && votes->valid))
            *found = (struct found){&detect_rules[i], !votes->valid};
    }
    free(column);
    return looked;
}

const char *personal_find(struct slice text)
{
    struct found found;
    if (!look(text, &found))
        return "unknown";
    return found.rule ? found.rule->name : NULL;
}

json_t *personal_cover(struct slice text)
{
    struct found found;
    struct mask_spec spec;
    bool whole = look(text, &found) && found.rule && !found.inside;
    if (mask_parse(&spec, slice_str(whole ? found.rule->mask : COVER_ALL)) != MASK_OK)
        return NULL;
    char *out = malloc(MASK_OUT_MAX(text.n));
    json_t *covered = NULL;
    if (out)
        covered = json_stringn(out, mask_apply(&spec, NULL, text, out));
    free(out);
    return covered;
}

bool personal_pass(enum personal_guard guard, json_t **value, const char **kind)
{
    struct slice text = slice_of(json_string_value(*value), json_string_length(*value));
    *kind = NULL;
    if (guard == PERSONAL_OFF || !json_is_string(*value) || text.n == 0)
        return true;
    *kind = personal_find(text);
    if (!*kind)
        return true;
    json_t *covered = guard == PERSONAL_MASK ? personal_cover(text) : NULL;
    if (!covered)
        return false;
    json_decref(*value);
    *value = covered;
    return true;
}
