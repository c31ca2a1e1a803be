/* SPDX-License-Identifier: Apache-2.0 */
/* When a collection runs by itself: {"every_s": 3600} or {"at": ["02:00", "14:30"], "offset":
 * "+08:00"}, with "grace_s": later than that it is missed. All in milliseconds since 1970. */
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "exchange/exchange.h"

#define DAY_MS  (86400ull * 1000)
#define GRACE_S 300

/* "02:30" in minutes; -1: it is none. */
static int minutes(const char *text, int most)
{
    unsigned h, m;
    char more;

    if (!text || strlen(text) != 5 || sscanf(text, "%2u:%2u%c", &h, &m, &more) != 2 || m > 59 ||
        (int)(h * 60 + m) > most || text[0] == '+' || text[3] == '+') {
        return -1;
    }
    return (int)(h * 60 + m);
}

static bool offset_of(const json_t *v, int *out)
{
    const char *text = json_string_value(v);

    *out = 0;
    if (!v || json_is_null(v)) {
        return true;
    }
    if (!text || (text[0] != '+' && text[0] != '-') || minutes(text + 1, 14 * 60) < 0) {
        return false;
    }
    *out = minutes(text + 1, 14 * 60) * (text[0] == '-' ? -1 : 1);
    return true;
}

enum problem schedule_check(struct rest_call *c, const char *where, const json_t *v)
{
    static const char *const members[] = {"every_s", "at", "offset", "grace_s", NULL};
    json_t *every = json_object_get(v, "every_s"), *at = json_object_get(v, "at"), *item;
    json_t *grace = json_object_get(v, "grace_s");
    size_t i;
    int offset;
    bool ok = json_is_object(v) && api_only_members(v, members) && (!every != !at) &&
              (!grace || api_int_within(grace, 1, 86400)) &&
              (!every || api_int_within(every, 10, 366 * 86400)) &&
              (!at || (json_array_size(at) > 0 && json_array_size(at) <= 48)) &&
              offset_of(json_object_get(v, "offset"), &offset);

    json_array_foreach(at, i, item)
    {
        ok = ok && minutes(json_string_value(item), 1439) >= 0;
    }
    return ok ? PROBLEM_OK
              : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                          "{every_s} or {at: [\"HH:MM\"], offset}, and grace_s");
}

uint64_t schedule_grace_ms(const json_t *schedule)
{
    json_int_t s = json_integer_value(json_object_get(schedule, "grace_s"));

    return (uint64_t)(s > 0 ? s : GRACE_S) * 1000;
}

uint64_t schedule_next(const json_t *schedule, uint64_t now_ms)
{
    json_t *every = json_object_get(schedule, "every_s"), *item;
    uint64_t next = 0;
    size_t i;
    int offset;

    if (json_is_integer(every)) {
        return now_ms + (uint64_t)json_integer_value(every) * 1000;
    }
    offset_of(json_object_get(schedule, "offset"), &offset);
    int64_t local = (int64_t)now_ms + (int64_t)offset * 60000;
    json_array_foreach(json_object_get(schedule, "at"), i, item)
    {
        int64_t at = local / (int64_t)DAY_MS * (int64_t)DAY_MS +
                     (int64_t)minutes(json_string_value(item), 1439) * 60000 -
                     (int64_t)offset * 60000;
        at += at <= (int64_t)now_ms ? (int64_t)DAY_MS : 0;
        next = !next || (uint64_t)at < next ? (uint64_t)at : next;
    }
    return next;
}
