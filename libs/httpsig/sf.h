/* SPDX-License-Identifier: Apache-2.0 */
/* A cursor over structured field text (RFC 8941), with only what this module's headers need. Every
 * function returns false at the first wrong byte and leaves the cursor on it. */
#pragma once
#include "base/slice.h"

struct sf {
    const char *start, *at, *end;
};

static inline struct sf sf_of(struct slice text)
{
    return (struct sf){text.p, text.p, text.p + text.n};
}

static inline bool sf_done(const struct sf *c)
{
    return c->at == c->end;
}

static inline bool sf_is(const struct sf *c, char wanted)
{
    return c->at < c->end && *c->at == wanted;
}

static inline bool sf_take(struct sf *c, char wanted)
{
    if (!sf_is(c, wanted)) {
        return false;
    }
    c->at++;
    return true;
}

/* Of an integer. */
#define SF_DIGITS_MAX 15

enum sf_kind { SF_INTEGER, SF_STRING, SF_BYTES, SF_OTHER };
struct sf_item {
    enum sf_kind kind;
    struct slice text; /* between the quotes or colons; escapes as they stand */
    uint64_t number;   /* SF_INTEGER; a negative one is SF_OTHER */
    bool escaped;      /* the string has a backslash */
};

void sf_skip_spaces(
    struct sf *c); /* SP only: between the start or end of a field and its content */
bool sf_key(struct sf *c, struct slice *key);
bool sf_string(struct sf *c, struct sf_item *item);
bool sf_bytes(struct sf *c, struct sf_item *item);
bool sf_item(struct sf *c, struct sf_item *item); /* any bare item */
/* After a member: OWS "," OWS and another must follow, or the end. *more says which. */
bool sf_next_member(struct sf *c, bool *more);
