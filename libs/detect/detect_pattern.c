/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator may write as a pattern: everything in it says how long it is at most, so that no
 * pattern costs more than its length, and whoever reads it sees what it can match. */
#include "detect/detect_inner.h"

#include <stdio.h>

#include "base/utf8.h"

#define REPEAT_MAX 64
#define SIZE_MAX_  2048 /* characters a pattern can match at most */
#define DEPTH_MAX  6

struct reader {
    struct slice s;
    size_t at;
    unsigned depth;
    struct detect_error *err;
};

static bool wrong(struct reader *r, size_t at, const char *why)
{
    r->err->at = at;
    snprintf(r->err->why, sizeof r->err->why, "%s", why);
    return false;
}

static int peek(const struct reader *r)
{
    return r->at < r->s.n ? (unsigned char)r->s.p[r->at] : -1;
}

static bool escape(struct reader *r)
{
    int c;

    r->at++;
    c = peek(r);
    if (c < 0 || (!strchr("dDwWsS", c) && !strchr(".^$|?*+(){}[]\\-/", c)))
        return wrong(r, r->at - 1,
                     "after \\ stand d, w, s, their capitals, or a sign to be taken as it is");
    r->at++;
    return true;
}

static bool class(struct reader *r)
{
    size_t begun = r->at++;

    if (peek(r) == '^')
        r->at++;
    if (peek(r) == ']')
        return wrong(r, r->at, "a class names at least one character");
    while (peek(r) >= 0 && peek(r) != ']') {
        if (peek(r) == '[')
            return wrong(r, r->at, "a [ in a class is written \\[");
        if (peek(r) == '\\' ? !escape(r) : (r->at++, false))
            return false;
    }
    if (peek(r) < 0)
        return wrong(r, begun, "the class is not closed");
    r->at++;
    return true;
}

static bool whole_number(struct reader *r, unsigned *n)
{
    size_t begun = r->at;

    for (*n = 0; peek(r) >= '0' && peek(r) <= '9' && r->at - begun < 4; r->at++)
        *n = *n * 10 + (unsigned)(peek(r) - '0');
    return r->at > begun;
}

static bool repeat(struct reader *r, uint64_t *min, uint64_t *max)
{
    size_t begun = r->at;
    unsigned low = 0, high = 0;
    int c = peek(r);

    if (c == '*' || c == '+')
        return wrong(r, r->at, "say how often at most, like {1,20}");
    if (c == '?') {
        r->at++;
        *min = 0;
    } else if (c == '{') {
        r->at++;
        if (!whole_number(r, &low))
            return wrong(r, begun, "{n} or {n,m} is needed");
        high = low;
        if (peek(r) == ',' && (r->at++, !whole_number(r, &high)))
            return wrong(r, begun, "say how often at most, like {1,20}");
        if (peek(r) != '}' || high > REPEAT_MAX || low > high || high == 0)
            return wrong(r, begun, "{n} or {n,m} is needed, with m from n and 1 to 64");
        r->at++;
        *min *= low;
        *max *= high;
    }
    if (peek(r) == '?' || peek(r) == '*' || peek(r) == '+' || peek(r) == '{')
        return c == '?' || c == '{' ? wrong(r, r->at, "one repetition is enough") : true;
    return true;
}

static bool alternatives(struct reader *r, uint64_t *min, uint64_t *max);

static bool group(struct reader *r, uint64_t *min, uint64_t *max)
{
    size_t begun = r->at++;

    if (++r->depth > DEPTH_MAX)
        return wrong(r, begun, "groups stand inside each other 6 deep at most");
    if (peek(r) == '?') {
        if (r->at + 1 >= r->s.n || r->s.p[r->at + 1] != ':')
            return wrong(r, r->at, "of the groups with ? only (?:…) is understood");
        r->at += 2;
    }
    if (!alternatives(r, min, max))
        return false;
    if (peek(r) != ')')
        return wrong(r, begun, "the group is not closed");
    r->at++;
    r->depth--;
    return true;
}

static bool atom(struct reader *r, uint64_t *min, uint64_t *max)
{
    int c = peek(r);

    *min = *max = 1;
    switch (c) {
    case '(':
        return group(r, min, max);
    case '[':
        return class(r);
    case '\\':
        return escape(r);
    case '^':
    case '$':
        return wrong(r, r->at, "it is compared with the whole value without being told");
    case '*':
    case '+':
    case '?':
    case '{':
        return wrong(r, r->at, "there is nothing to repeat");
    case '}':
    case ']':
        return wrong(r, r->at, "it is written with a \\ before it");
    default:
        r->at += utf8_char(slice_of(r->s.p + r->at, r->s.n - r->at));
        return true;
    }
}

static bool sequence(struct reader *r, uint64_t *min, uint64_t *max)
{
    for (*min = *max = 0; peek(r) >= 0 && peek(r) != '|' && peek(r) != ')';) {
        uint64_t low, high;
        size_t begun = r->at;
        if (!atom(r, &low, &high) || !repeat(r, &low, &high))
            return false;
        *min += low;
        *max += high;
        if (*max > SIZE_MAX_)
            return wrong(r, begun, "it can match more than 2048 characters");
    }
    return true;
}

static bool alternatives(struct reader *r, uint64_t *min, uint64_t *max)
{
    uint64_t low, high;

    if (!sequence(r, min, max))
        return false;
    while (peek(r) == '|') {
        r->at++;
        if (!sequence(r, &low, &high))
            return false;
        *min = low < *min ? low : *min;
        *max = high > *max ? high : *max;
    }
    return true;
}

enum detect_err detect_pattern_check(struct slice pattern, struct detect_error *err)
{
    struct reader r = {.s = pattern, .err = err};
    uint64_t min = 0, max = 0;
    bool ok = pattern.n > 0 && pattern.n <= DETECT_PATTERN_MAX && utf8_valid(pattern);

    if (!ok) {
        wrong(&r, 0, "1 to 256 bytes of UTF-8 are needed");
        return DETECT_EPATTERN;
    }
    for (size_t i = 0; i < pattern.n; i++) {
        if ((unsigned char)pattern.p[i] < 0x20) {
            wrong(&r, i, "no control character can stand here");
            return DETECT_EPATTERN;
        }
    }
    ok = alternatives(&r, &min, &max);
    if (ok && r.at < pattern.n)
        ok = wrong(&r, r.at, "there is no group to close");
    if (ok && min == 0)
        ok = wrong(&r, 0, "it would match an empty value");
    return ok ? detect_pattern_compiles(pattern, err) : DETECT_EPATTERN;
}
