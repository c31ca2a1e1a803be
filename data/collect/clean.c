/* SPDX-License-Identifier: Apache-2.0 */
/* Cleaning, one rule after the other on the fields they name (docs/collection.md). Dates are read
 * and written by the C library. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "data/collect/inner.h"

#define VALUE_MAX 4096 /* bytes of a value that a rule looks at */

enum verdict { SAME, CHANGED, BLANK, ILLEGAL };

static bool is_blank(const json_t *v)
{
    if (!v || json_is_null(v))
        return true;
    if (!json_is_string(v))
        return false;
    for (const char *p = json_string_value(v); *p; p++)
        if (!isspace((unsigned char)*p))
            return false;
    return true;
}

static enum verdict put(json_t *record, const char *field, const char *text)
{
    const char *old = json_string_value(json_object_get(record, field));
    if (old && strcmp(old, text) == 0)
        return SAME;
    return json_object_set_new(record, field, json_string(text)) == 0 ? CHANGED : ILLEGAL;
}

static enum verdict required(const json_t *rule, json_t *record, const char *field)
{
    (void)rule;
    return is_blank(json_object_get(record, field)) ? BLANK : SAME;
}

static enum verdict fallback(const json_t *rule, json_t *record, const char *field)
{
    if (!is_blank(json_object_get(record, field)))
        return SAME;
    json_object_set(record, field, json_object_get(rule, "value"));
    return CHANGED;
}

static enum verdict trim(const json_t *rule, json_t *record, const char *field)
{
    char text[VALUE_MAX + 1];
    const json_t *v = json_object_get(record, field);
    (void)rule;
    if (!json_is_string(v) || json_string_length(v) > VALUE_MAX)
        return SAME;
    const char *p = json_string_value(v);
    while (isspace((unsigned char)*p))
        p++;
    size_t n = strlen(p);
    memcpy(text, p, n + 1);
    while (n && isspace((unsigned char)text[n - 1]))
        text[--n] = '\0';
    return put(record, field, text);
}

static enum verdict upper(const json_t *rule, json_t *record, const char *field)
{
    char text[VALUE_MAX + 1];
    const json_t *v = json_object_get(record, field);
    (void)rule;
    if (!json_is_string(v) || json_string_length(v) > VALUE_MAX)
        return SAME;
    memcpy(text, json_string_value(v), json_string_length(v) + 1);
    for (char *p = text; *p; p++)
        if (*p >= 'a' && *p <= 'z')
            *p = (char)(*p - 'a' + 'A');
    return put(record, field, text);
}

/* A day that is one: what the calendar makes of it is the same day. */
static bool read_date(const char *text, const char *format, struct tm *tm)
{
    memset(tm, 0, sizeof *tm);
    tm->tm_mday = 1;
    const char *end = strptime(text, format, tm);
    if (!end || *end)
        return false;
    struct tm again = *tm;
    time_t t = timegm(&again);
    return t != (time_t)-1 && again.tm_mday == tm->tm_mday && again.tm_mon == tm->tm_mon &&
           again.tm_year == tm->tm_year;
}

static enum verdict date(const json_t *rule, json_t *record, const char *field)
{
    const json_t *v = json_object_get(record, field), *format;
    const char *to = collect_text(rule, "to");
    char text[64], given[32];
    struct tm tm;
    size_t i;
    if (is_blank(v))
        return SAME;
    if (json_is_integer(v))
        snprintf(given, sizeof given, "%lld", (long long)json_integer_value(v));
    else
        snprintf(given, sizeof given, "%s", json_is_string(v) ? json_string_value(v) : "");
    if (!to[0])
        to = "%Y-%m-%d";
    if (read_date(given, to, &tm))
        return put(record, field, given);
    json_array_foreach(json_object_get(rule, "from"), i, format)
    {
        if (read_date(given, json_string_value(format), &tm) &&
            strftime(text, sizeof text, to, &tm) > 0)
            return put(record, field, text);
    }
    return ILLEGAL;
}

static enum verdict code(const json_t *rule, json_t *record, const char *field)
{
    const json_t *v = json_object_get(record, field);
    char given[64];
    if (is_blank(v))
        return SAME;
    if (json_is_integer(v))
        snprintf(given, sizeof given, "%lld", (long long)json_integer_value(v));
    else
        snprintf(given, sizeof given, "%s", json_is_string(v) ? json_string_value(v) : "");
    json_t *to = json_object_get(json_object_get(rule, "map"), given);
    if (to && !json_equal(to, v))
        return json_object_set(record, field, to) == 0 ? CHANGED : ILLEGAL;
    if (to)
        return SAME;
    const char *key;
    json_object_foreach(json_object_get(rule, "map"), key, to)
    {
        if (json_equal(to, v))
            return SAME;
    }
    return json_is_true(json_object_get(rule, "strict")) ? ILLEGAL : SAME;
}

/* "1.5 t" with {"t": 1000, "kg": 1} is 1500. */
static enum verdict unit(const json_t *rule, json_t *record, const char *field)
{
    const json_t *v = json_object_get(record, field);
    char *end;
    if (is_blank(v) || json_is_number(v))
        return SAME;
    if (!json_is_string(v))
        return ILLEGAL;
    double number = strtod(json_string_value(v), &end);
    if (end == json_string_value(v))
        return ILLEGAL;
    while (*end == ' ')
        end++;
    const json_t *factor = json_object_get(json_object_get(rule, "from"), end);
    if (*end && !json_is_number(factor))
        return ILLEGAL;
    char text[40];
    snprintf(text, sizeof text, "%.12g", number * (*end ? json_number_value(factor) : 1));
    json_t *result = json_loads(text, JSON_DECODE_ANY, NULL);
    return result && json_object_set_new(record, field, result) == 0 ? CHANGED : ILLEGAL;
}

static const struct {
    const char *name;
    enum verdict (*run)(const json_t *rule, json_t *record, const char *field);
} rules_known[] = {
    {"required", required}, {"default", fallback}, {"trim", trim}, {"upper", upper},
    {"date", date},         {"code", code},        {"unit", unit},
};

static enum verdict apply(const json_t *rule, json_t *record, const char *field)
{
    for (size_t i = 0; i < sizeof rules_known / sizeof *rules_known; i++)
        if (strcmp(rules_known[i].name, collect_text(rule, "rule")) == 0)
            return rules_known[i].run(rule, record, field);
    return ILLEGAL;
}

const char *collect_clean(const json_t *rules, json_t *record, uint64_t *converted, bool *blank)
{
    size_t i;
    const json_t *rule;
    *blank = false;
    json_array_foreach(rules, i, rule)
    {
        const char *field = collect_text(rule, "field");
        enum verdict v = apply(rule, record, field);
        *converted += v == CHANGED;
        *blank = v == BLANK;
        if (v == BLANK || v == ILLEGAL)
            return field;
    }
    return NULL;
}
