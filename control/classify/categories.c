/* SPDX-License-Identifier: Apache-2.0 */
/* Security categories beside levels (EC-3.7): which fields of an API reach a subscription. */
#include "api/api.h"
#include "classify/classify.h"

static bool has(const json_t *list, const char *word)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (json_is_string(item) && strcmp(json_string_value(item), word) == 0) {
            return true;
        }
    }
    return false;
}

json_t *classify_reach(const json_t *api_fields, const json_t *categories, json_t *fields)
{
    json_t *out = json_array(), *f;
    bool all = true;
    size_t i;

    json_array_foreach(api_fields, i, f)
    {
        const char *category = row_text(f, "category"), *path = row_text(f, "path");
        bool asked = !json_array_size(fields) || has(fields, path);
        if (category[0] && !has(categories, category)) {
            all = false;
        } else if (asked) {
            json_array_append_new(out, json_string(path));
        }
    }
    if (!all) {
        return out;
    }
    json_decref(out);
    return json_array_size(fields) ? json_incref(fields) : NULL;
}

enum problem classify_check_words(struct rest_call *c, const char *where, const json_t *v)
{
    json_t *item;
    size_t i;
    bool ok = json_is_array(v) && json_array_size(v) <= 40;

    json_array_foreach(v, i, item)
    {
        const char *s = json_is_string(item) ? json_string_value(item) : "";
        size_t n = strlen(s);
        ok = ok && n > 0 && n <= 40 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
    }
    return ok ? PROBLEM_OK
              : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                          "words of letters, digits and - are needed, 40 at most");
}
