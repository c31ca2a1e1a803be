/* SPDX-License-Identifier: Apache-2.0 */
/* Whole members at once, for the nine bytes in ten where nothing is cut and nothing is escaped.
 * Each member is first read to the sign after it, without a trace; only then is it acted upon.
 * Whatever is out of the ordinary (the input ends, an escape, anything malformed) is left to
 * plan_stream.c, which starts again at the member's first byte.
 *
 * Two observations make it fast. Rows repeat themselves, so the name is guessed from the one
 * before and compared as written, quotes and colon and all, instead of being scanned, hashed and
 * looked up. And a kept member whose name is written as the plan writes it needs no work at all: it
 * joins the run of its neighbours, which is copied as one. */
#include "plan/plan_inner.h"
#include "plan/plan_scan.h"

struct member {
    const struct plan_node *node;     /* NULL: no path names it */
    bool plain;                       /* from start to value it is node->label to the byte */
    const uint8_t *start;             /* the name's quote */
    const uint8_t *value, *value_end; /* value_end NULL: a container begins at value */
    const uint8_t *after;             /* the ',' or '}' */
};

/* Kept members side by side, not yet copied; start NULL: none. */
struct run {
    const uint8_t *start, *end;
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

static inline uint64_t load8(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* The label of a node at p, compared in words that overlap. */
static inline bool is_label(const struct plan_node *node, const uint8_t *p, const uint8_t *end)
{
    size_t n = node->label_n;
    if ((size_t)(end - p) < n) {
        return false;
    }
    if (n < 8) {
        return memcmp(p, node->label, n) == 0;
    }
    for (size_t i = 0; i + 8 < n; i += 8) {
        if (load8(p + i) != load8(node->label + i)) {
            return false;
        }
    }
    return load8(p + n - 8) == load8(node->label + n - 8);
}

/* Reads the name at the quote p and the colon; node NULL: names are not looked up. Returns what
 * follows, NULL when it is not all here. */
static inline const uint8_t *read_name(struct member *m, const struct plan *plan,
                                       const struct plan_node *node, const uint8_t *p,
                                       const uint8_t *end)
{
    const uint8_t *name_end = string_end(p + 1, end);
    if (name_end == NULL) {
        return NULL;
    }
    m->plain = false;
    m->node = node != NULL ? plan_child(plan, node, p + 1, (size_t)(name_end - p - 1)) : NULL;
    p = space(name_end + 1, end);
    return p < end && *p == ':' ? p + 1 : NULL;
}

/* Reads the value at p up to the sign after it. */
static inline bool read_value(struct member *m, const uint8_t *p, const uint8_t *end)
{
    m->value = space(p, end);
    m->plain = m->plain && m->value == p;
    p = m->value;
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

static void flush(struct plan_stream *s, struct plan_frame *frame, struct run *run,
                  const uint8_t *end)
{
    struct plan_out *out = s->out;
    if (run->start == NULL) {
        return;
    }
    size_t n = (size_t)(run->end - run->start);
    bool room = (size_t)(out->end - out->pos) >= 1 + n + PLAN_COPY_STEP;
    if (n <= 256 && room && end - run->end >= PLAN_COPY_STEP && s->err == PLAN_OK) {
        *out->pos = ',';
        out->pos = copy_short(out->pos + frame->comma, run->start, n);
    } else {
        plan_put(s, ",", frame->comma);
        plan_put(s, run->start, n);
    }
    frame->comma = true;
    run->start = NULL;
}

/* Takes m up to `upto` into the run. */
static inline void join(struct plan_stream *s, struct plan_frame *frame, struct run *run,
                        const struct member *m, const uint8_t *upto, const uint8_t *end)
{
    if (run->start != NULL && m->start != run->end + 1) { /* something between was not kept */
        flush(s, frame, run, end);
    }
    run->start = run->start == NULL ? m->start : run->start;
    run->end = upto;
}

static void mask(struct plan_stream *s, const struct plan_node *node, const struct member *m)
{
    if (node->mask.rule == MASK_NULL) {
        plan_put(s, "null", 4);
        return;
    }
    size_t quote = *m->value == '"';
    const char *text = (const char *)m->value + quote;
    plan_put_masked(s, &node->mask, slice_of(text, (size_t)(m->value_end - m->value) - 2 * quote));
}

/* A given scalar. */
static inline void give(struct plan_stream *s, struct plan_frame *frame, struct run *run,
                        const struct member *m, const uint8_t *end)
{
    bool whole = m->node->outcome == PLAN_KEEP || *m->value == 'n'; /* null stays null */
    plan_note(s, m->node);
    if (m->plain) {
        join(s, frame, run, m, whole ? m->value_end : m->value, end);
        if (!whole) {
            flush(s, frame, run, end);
            mask(s, m->node, m);
        }
        return;
    }
    flush(s, frame, run, end);
    plan_prefix(s, m->node);
    if (whole) {
        plan_put(s, m->value, (size_t)(m->value_end - m->value));
    } else {
        mask(s, m->node, m);
    }
}

/* "},{" at p: the same frame serves the array's next object. */
static bool next_row(struct plan_stream *s, struct plan_frame *frame, const uint8_t *p,
                     const uint8_t *end)
{
    if (s->depth < 2 || frame[-1].object || end - p < 3 || p[1] != ',' || p[2] != '{') {
        return false;
    }
    plan_put(s, "},{", 3);
    plan_count_row(s, (uint8_t)(s->depth - 1));
    frame->comma = false;
    frame->last = NULL;
    memset(frame->taken, 0, (frame->node->count + 63u) / 64 * sizeof *frame->taken);
    s->state = STATE_KEY_OR_END;
    return true;
}

/* Where the name that comes next is remembered. */
static inline const struct plan_node **next_guess(struct plan_stream *s,
                                                  const struct plan_frame *frame)
{
    bool first = frame->last == NULL;
    const struct plan_node *before = first ? frame->node : frame->last;
    return &s->guesses[(before->self * 2u + first) % PLAN_GUESSES];
}

/* Reads the member of node at p, past spaces. */
static inline bool read_guessed(struct plan_stream *s, struct member *m,
                                const struct plan_node *node, const struct plan_node **guess,
                                const uint8_t *p, const uint8_t *end)
{
    m->start = p = space(p, end);
    if (*guess != NULL && (*guess)->parent == node->self && is_label(*guess, p, end)) {
        m->node = *guess;
        m->plain = true;
        return read_value(m, p + m->node->label_n, end);
    }
    if (p >= end || *p != '"') {
        return false;
    }
    p = read_name(m, s->plan, node, p, end);
    *guess = m->node != NULL && p != NULL ? m->node : *guess;
    return p != NULL && read_value(m, p, end);
}

const uint8_t *plan_members(struct plan_stream *s, const uint8_t *p, const uint8_t *end)
{
    struct plan_frame *frame = &s->frames[s->depth - 1];
    const struct plan_node **guess = next_guess(s, frame);
    struct run run = {NULL, NULL};
    struct member m = {NULL};
    while (s->err == PLAN_OK && read_guessed(s, &m, frame->node, guess, p, end)) {
        if (m.node != NULL) {
            frame->last = m.node;
            guess = next_guess(s, frame);
            m.node = plan_take(frame, m.node) ? m.node : NULL;
        }
        if (m.value_end == NULL) {
            flush(s, frame, &run, end);
            s->target = m.node;
            s->state = STATE_VALUE;
            return m.value;
        }
        if (m.node != NULL && m.node->field >= 0 && m.node->outcome != PLAN_DROP) {
            give(s, frame, &run, &m, end);
        }
        p = m.after + 1;
        s->state = STATE_KEY;
        if (*m.after == ',') {
            continue;
        }
        flush(s, frame, &run, end);
        if (!next_row(s, frame, m.after, end)) {
            return plan_close(s, m.after);
        }
        p = m.after + 3;
        guess = next_guess(s, frame);
    }
    flush(s, frame, &run, end);
    return p;
}

const uint8_t *plan_skip(struct plan_stream *s, const uint8_t *p, const uint8_t *end)
{
    struct member m = {NULL};
    for (;;) {
        const uint8_t *start = space(p, end), *value = NULL;
        if (start < end && *start == '"') {
            value = read_name(&m, NULL, NULL, start, end);
        }
        if (value == NULL || !read_value(&m, value, end)) {
            return p;
        }
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
}
