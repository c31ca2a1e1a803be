/* SPDX-License-Identifier: Apache-2.0 */
/* Whole members at once, for the nine bytes in ten where nothing is cut and nothing is escaped.
 * Each member is first read to the sign after it, without a trace; only then is it acted upon.
 * Whatever is out of the ordinary (the input ends, an escape, anything malformed) is left to
 * plan_stream.c, which starts again at the member's first byte. */
#include "plan/plan_inner.h"
#include "plan/plan_scan.h"

struct member {
    const uint8_t *name, *name_end;
    const uint8_t *value, *value_end; /* value_end NULL: a container begins at value */
    const uint8_t *after;             /* the ',' or '}' */
};

static inline const uint8_t *space(const uint8_t *p, const uint8_t *end)
{
    return p < end && *p <= ' ' ? scan_space(p, end) : p;
}

/* The closing quote of the string whose text begins at p; NULL when it has escapes or does not
 * end here. */
static inline const uint8_t *string_end(const uint8_t *p, const uint8_t *end)
{
    for (;;) {
        p = scan_plain(p, end);
        if (p == end) {
            return NULL;
        }
        if (*p == '"') {
            return p;
        }
        const uint8_t *stop = scan_utf8(p, end);
        if (stop == p) {
            return NULL;
        }
        p = stop;
    }
}

static inline const uint8_t *digits(const uint8_t *p, const uint8_t *end)
{
    while (p < end && (uint8_t)(*p - '0') < 10) {
        p++;
    }
    return p;
}

/* Past the number at p; NULL when it is none. One that `end` cuts is noticed by the caller, who
 * finds no sign after it. */
static inline const uint8_t *number_end(const uint8_t *p, const uint8_t *end)
{
    p += *p == '-';
    const uint8_t *start = p;
    p = digits(p, end);
    if (p == start || (*start == '0' && p - start > 1)) {
        return NULL;
    }
    if (p < end && *p == '.') {
        start = ++p;
        p = digits(p, end);
        if (p == start) {
            return NULL;
        }
    }
    if (p < end && (*p | 0x20) == 'e') {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        start = p;
        p = digits(p, end);
        if (p == start) {
            return NULL;
        }
    }
    return p;
}

static inline const uint8_t *literal_end(const uint8_t *p, const uint8_t *end)
{
    if (end - p < 5) {
        return NULL;
    }
    if (memcmp(p, "true", 4) == 0 || memcmp(p, "null", 4) == 0) {
        return p + 4;
    }
    return memcmp(p, "false", 5) == 0 ? p + 5 : NULL;
}

static inline const uint8_t *scalar_end(const uint8_t *p, const uint8_t *end)
{
    if (*p == '"') {
        p = string_end(p + 1, end);
        return p != NULL ? p + 1 : NULL;
    }
    return *p == '-' || (uint8_t)(*p - '0') < 10 ? number_end(p, end) : literal_end(p, end);
}

static inline bool read_member(struct member *m, const uint8_t *p, const uint8_t *end)
{
    p = space(p, end);
    if (p >= end || *p != '"') {
        return false;
    }
    m->name = p + 1;
    m->name_end = string_end(p + 1, end);
    if (m->name_end == NULL) {
        return false;
    }
    p = space(m->name_end + 1, end);
    if (p >= end || *p != ':') {
        return false;
    }
    m->value = p = space(p + 1, end);
    if (p >= end) {
        return false;
    }
    m->value_end = NULL;
    if (*p == '{' || *p == '[') {
        return true;
    }
    m->value_end = p = scalar_end(p, end);
    if (p == NULL) {
        return false;
    }
    m->after = p = space(p, end);
    return p < end && (*p == ',' || *p == '}');
}

/* May write up to PLAN_COPY_STEP - 1 bytes too many and read as many; the caller has made sure of
 * both. Fields are short: a call of memcpy costs more than two or three of these steps. */
static inline char *copy_short(char *to, const void *from, size_t n)
{
    const char *p = from;
    for (size_t i = 0; i < n; i += PLAN_COPY_STEP) {
        memcpy(to + i, p + i, PLAN_COPY_STEP);
    }
    return to + n;
}

static inline void keep(struct plan_stream *s, struct plan_frame *frame,
                        const struct plan_node *node, const struct member *m, const uint8_t *end)
{
    struct plan_out *out = s->out;
    size_t n = (size_t)(m->value_end - m->value);
    size_t need = 1 + node->label_n + n + PLAN_COPY_STEP;
    if (n > 256 || (size_t)(out->end - out->pos) < need || end - m->value_end < PLAN_COPY_STEP) {
        plan_prefix(s, node);
        plan_put(s, m->value, n);
        return;
    }
    char *pos = out->pos;
    *pos = ',';
    pos += frame->comma;
    frame->comma = true;
    pos = copy_short(pos, node->label, node->label_n);
    out->pos = copy_short(pos, m->value, n);
}

static void mask(struct plan_stream *s, const struct plan_node *node, const struct member *m)
{
    plan_prefix(s, node);
    if (node->mask.rule == MASK_NULL) {
        plan_put(s, "null", 4);
        return;
    }
    size_t quote = *m->value == '"';
    const char *text = (const char *)m->value + quote;
    plan_put_masked(s, &node->mask, slice_of(text, (size_t)(m->value_end - m->value) - 2 * quote));
}

const uint8_t *plan_members(struct plan_stream *s, const uint8_t *p, const uint8_t *end)
{
    struct plan_frame *frame = &s->frames[s->depth - 1];
    struct member m;
    while (s->err == PLAN_OK && read_member(&m, p, end)) {
        const struct plan_node *node =
            plan_child(s->plan, frame->node, m.name, (size_t)(m.name_end - m.name));
        if (node != NULL && !plan_take(frame, node)) {
            node = NULL;
        }
        if (m.value_end == NULL) {
            s->target = node;
            s->state = STATE_VALUE;
            return m.value;
        }
        if (node != NULL && node->field >= 0 && node->outcome != PLAN_DROP) {
            plan_note(s, node);
            if (node->outcome == PLAN_KEEP || *m.value == 'n') {
                keep(s, frame, node, &m, end);
            } else {
                mask(s, node, &m);
            }
        }
        if (*m.after == '}') {
            return plan_close(s, m.after);
        }
        p = m.after + 1;
        s->state = STATE_KEY;
    }
    return p;
}

const uint8_t *plan_skip(struct plan_stream *s, const uint8_t *p, const uint8_t *end)
{
    struct member m;
    while (read_member(&m, p, end)) {
        if (m.value_end == NULL) {
            s->state = STATE_VALUE;
            return m.value;
        }
        if (*m.after == '}') {
            return plan_close(s, m.after);
        }
        p = m.after + 1;
        s->state = STATE_KEY;
    }
    return p;
}
