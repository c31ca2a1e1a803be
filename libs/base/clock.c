/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static uint64_t now_us(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t); /* cannot fail for the two clocks asked here */
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t clock_wall_us(void)
{
    return now_us(CLOCK_REALTIME);
}

uint64_t clock_wall_ms(void)
{
    return now_us(CLOCK_REALTIME) / 1000;
}

uint64_t clock_mono_us(void)
{
    return now_us(CLOCK_MONOTONIC);
}

void clock_format_ms(uint64_t wall_ms, char out[CLOCK_RFC3339_LEN + 1])
{
    time_t s = (time_t)(wall_ms / 1000);
    struct tm tm;
    if (!gmtime_r(&s, &tm) || tm.tm_year > 9999 - 1900) {
        memcpy(out, "9999-12-31T23:59:59.999Z", CLOCK_RFC3339_LEN + 1);
        return;
    }
    char head[sizeof "2026-11-22T01:02:03"];
    strftime(head, sizeof head, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out, CLOCK_RFC3339_LEN + 1, "%s.%03uZ", head, (unsigned)(wall_ms % 1000));
}

/* Reads exactly n digits; -1 when one is not. */
static int digits(const char *p, size_t n)
{
    int v = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return -1;
        }
        v = v * 10 + (p[i] - '0');
    }
    return v;
}

/* ".456Z" or "Z"; -1 when it is neither. */
static int fraction_ms(const char *p, size_t n)
{
    if (n == 1 && p[0] == 'Z') {
        return 0;
    }
    return n == 5 && p[0] == '.' && p[4] == 'Z' ? digits(p + 1, 3) : -1;
}

bool clock_parse_ms(const char *text, size_t n, uint64_t *wall_ms)
{
    static const char shape[] = "0000-00-00T00:00:00";
    if (n < sizeof shape) {
        return false;
    }
    for (size_t i = 0; i < sizeof shape - 1; i++) {
        if (shape[i] != '0' && text[i] != shape[i]) {
            return false;
        }
    }
    int year = digits(text, 4), month = digits(text + 5, 2), day = digits(text + 8, 2);
    int hour = digits(text + 11, 2), min = digits(text + 14, 2), sec = digits(text + 17, 2);
    int ms = fraction_ms(text + 19, n - 19);
    if (year < 1970 || month < 1 || day < 1 || hour < 0 || hour > 23 || min < 0 || min > 59 ||
        sec < 0 || sec > 59 || ms < 0) {
        return false;
    }
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_min = min,
                    .tm_sec = sec};
    time_t s = timegm(&tm);
    /* timegm carries 31 February into March; such a day was never meant. */
    if (s < 0 || tm.tm_mon != month - 1 || tm.tm_mday != day) {
        return false;
    }
    *wall_ms = (uint64_t)s * 1000 + (uint64_t)ms;
    return true;
}
