/* SPDX-License-Identifier: Apache-2.0 */
/* The parser that can stop and go on at any byte. Its whole position is in struct plan_stream.
 *
 * Invariants: depth containers are open; frames[0..depth) belong to the given ones as long as
 * `free` is false; while `free`, the containers from free_depth on have no frame. `raw` copies
 * everything from `run` up to the end of the value under way, be it scalar or container. An error
 * sticks. plan_fast.c may run ahead of this file member by member; it never decides that
 * something is wrong, so what is an error is decided here alone, the same wherever the input was
 * cut. */
#include <stdlib.h>

#include "plan/plan_inner.h"
#include "plan/plan_scan.h"

#define ESCAPE_NONE      0
#define ESCAPE_BEGUN     1 /* after the backslash */
#define ESCAPE_HEX       2 /* to 5: digits of \uXXXX */
#define ESCAPE_LOW       6 /* a high surrogate wants a second escape */
#define ESCAPE_LOW_BEGUN 7

/* Numbers: RFC 8259 section 6 as a table. */
enum {
    NUM_START,
    NUM_MINUS,
    NUM_ZERO,
    NUM_INT,
    NUM_DOT,
    NUM_FRACTION,
    NUM_E,
    NUM_SIGN,
    NUM_EXPONENT,
    NUM_END
};

static const uint8_t *fail(struct plan_stream *s, const uint8_t *p, enum plan_err err)
{
    s->err = s->err == PLAN_OK ? err : s->err;
    return p;
}

struct plan_stream *plan_stream_new(const struct plan *plan, struct mask_key *key)
{
    struct plan_stream *s = calloc(1, sizeof *s);
    if (s != NULL) {
        plan_stream_reset(s, plan, key);
    }
    return s;
}

void plan_stream_reset(struct plan_stream *s, const struct plan *plan, struct mask_key *key)
{
    s->plan = plan;
    s->key = key;
    s->err = PLAN_OK;
    s->state = STATE_VALUE;
    s->depth = 0;
    s->objects = 0;
    s->free = s->raw = s->given = false;
    s->target = NULL;
    s->escape = s->utf8_left = 0;
    s->high = 0;
    s->rows = 0;
    s->rows_depth = 0;
    memset(s->seen, 0, sizeof s->seen);
    memset(s->guesses, 0, sizeof s->guesses); /* they point into the old plan */
}

void plan_stream_free(struct plan_stream **s)
{
    if (*s == NULL) {
        return;
    }
    if ((*s)->text != NULL) {
        explicit_bzero((*s)->text, (*s)->text_cap); /* held values before masking */
    }
    free((*s)->text);
    free((*s)->masked);
    free(*s);
    *s = NULL;
}

const uint64_t *plan_stream_seen(const struct plan_stream *s)
{
    return s->seen;
}

uint64_t plan_stream_rows(const struct plan_stream *s)
{
    return s->rows_depth != 0 ? s->rows : s->given;
}

/* Values ----------------------------------------------------------------------------------------
 */
static const uint8_t *value_done(struct plan_stream *s, const uint8_t *p)
{
    s->state = s->depth > 0 ? STATE_AFTER : STATE_DONE;
    if (s->free && s->depth > s->free_depth) {
        return p;
    }
    s->free = false;
    if (s->raw) {
        plan_put(s, s->run, (size_t)(p - s->run));
        s->raw = false;
    }
    return p;
}

static void begin_raw(struct plan_stream *s, const uint8_t *p)
{
    plan_prefix(s, s->target);
    plan_note(s, s->target);
    s->raw = true;
    s->run = p;
}

static bool is_given(const struct plan_node *node)
{
    return node != NULL && node->field >= 0 && node->outcome != PLAN_DROP;
}

/* p: the first byte of the scalar. */
static void begin_scalar(struct plan_stream *s, const uint8_t *p)
{
    const struct plan_node *node = s->target;
    s->action = ACTION_SKIP;
    s->text_n = 0;
    if (s->depth == 0) {
        plan_put(s, "null", 4);
        return;
    }
    if (s->free || !is_given(node)) {
        return;
    }
    if (node->outcome == PLAN_KEEP || *p == 'n') { /* null says nothing that a mask could hide */
        s->action = ACTION_KEEP;
        begin_raw(s, p);
        return;
    }
    plan_prefix(s, node);
    plan_note(s, node);
    if (node->mask.rule == MASK_NULL) {
        plan_put(s, "null", 4);
        return;
    }
    s->action = ACTION_MASK;
}

static const uint8_t *scalar_done(struct plan_stream *s, const uint8_t *p)
{
    if (s->action == ACTION_MASK) {
        plan_put_masked(s, &s->target->mask, slice_of(s->text, s->text_n));
    }
    return value_done(s, p);
}

void plan_count_row(struct plan_stream *s, uint8_t depth)
{
    if (s->rows_depth == 0 || depth < s->rows_depth) {
        s->rows_depth = depth;
        s->rows = 0;
    }
    s->rows += depth == s->rows_depth;
}

static void push_frame(struct plan_stream *s, bool object)
{
    const struct plan_node *node = s->depth == 0 ? &s->plan->nodes[0] : s->target;
    if (object && s->depth > 0 && !s->frames[s->depth - 1].object) {
        plan_count_row(s, s->depth);
    }
    if (!object && is_given(node)) {
        plan_note(s, node); /* even an empty list tells something */
    }
    plan_prefix(s, s->target);
    plan_put(s, object ? "{" : "[", 1);
    struct plan_frame *frame = &s->frames[s->depth];
    frame->node = node;
    frame->last = NULL;
    frame->object = object;
    frame->comma = false;
    memset(frame->taken, 0, (node->count + 63u) / 64 * sizeof *frame->taken);
    s->target = object ? NULL : node;
}

static const uint8_t *open_container(struct plan_stream *s, const uint8_t *p)
{
    bool object = *p == '{';
    const struct plan_node *node = s->target;
    if (s->depth == PLAN_DEPTH_MAX) {
        return fail(s, p, PLAN_EDEPTH);
    }
    if (!s->free) {
        bool whole = is_given(node) && node->type == PLAN_JSON && node->outcome == PLAN_KEEP &&
                     node->count == 0;
        bool enter =
            s->depth == 0 || (node != NULL && (node->below || (!object && is_given(node))));
        if (whole) {
            begin_raw(s, p);
        }
        s->free = whole || !enter;
        s->free_depth = s->depth;
        if (!s->free) {
            push_frame(s, object);
        }
    }
    uint64_t bit = (uint64_t)1 << s->depth++;
    s->objects = object ? s->objects | bit : s->objects & ~bit;
    s->state = object ? STATE_KEY_OR_END : STATE_VALUE_OR_END;
    return p + 1;
}

static bool in_object(const struct plan_stream *s)
{
    return (s->objects >> (s->depth - 1) & 1) != 0;
}

const uint8_t *plan_close(struct plan_stream *s, const uint8_t *p)
{
    if ((*p == '}') != in_object(s)) {
        return fail(s, p, PLAN_ESYNTAX);
    }
    s->depth--;
    if (!s->free) {
        plan_put(s, p, 1);
    }
    return value_done(s, p + 1);
}

/* Strings ---------------------------------------------------------------------------------------
 */
/* Decoded bytes of the string under way, for whoever needs them decoded. */
static void sink(struct plan_stream *s, const uint8_t *p, size_t n)
{
    if (s->state == STATE_STRING) {
        if (s->action == ACTION_MASK && !plan_text_add(s, p, n)) {
            s->err = PLAN_EMEMORY;
        }
        return;
    }
    if (s->free || s->name_n > PLAN_PATH_MAX || n > PLAN_PATH_MAX - s->name_n) {
        s->name_n = PLAN_PATH_MAX + 1; /* no path has a name as long */
        return;
    }
    memcpy(s->name + s->name_n, p, n);
    s->name_n += n;
}

static void sink_code_point(struct plan_stream *s, uint32_t c)
{
    uint8_t b[4];
    if (c < 0x80) {
        b[0] = (uint8_t)c;
        sink(s, b, 1);
        return;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--) {
        b[i] = (uint8_t)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    b[0] = (uint8_t)(0xf00 >> n | c);
    sink(s, b, n);
}

/* Four digits of \uXXXX are together. */
static enum plan_err unit_done(struct plan_stream *s)
{
    bool low = s->unit >= 0xdc00 && s->unit <= 0xdfff;
    s->escape = ESCAPE_NONE;
    if (low != (s->high != 0)) {
        return PLAN_EUTF8;
    }
    if (low) {
        sink_code_point(s, 0x10000 + ((s->high - 0xd800u) << 10) + (s->unit - 0xdc00u));
        s->high = 0;
        return PLAN_OK;
    }
    if (s->unit >= 0xd800 && s->unit <= 0xdbff) {
        s->high = s->unit;
        s->escape = ESCAPE_LOW;
        return PLAN_OK;
    }
    sink_code_point(s, s->unit);
    return PLAN_OK;
}

static enum plan_err simple_escape(struct plan_stream *s, uint8_t c)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (c == 'u') {
        s->escape = ESCAPE_HEX;
        s->unit = 0;
        return PLAN_OK;
    }
    const char *at = c != '\0' ? strchr(from, c) : NULL;
    if (at == NULL) {
        return PLAN_ESYNTAX;
    }
    s->escape = ESCAPE_NONE;
    sink(s, (const uint8_t *)to + (at - from), 1);
    return PLAN_OK;
}

/* One byte of an escape, after its backslash. */
static enum plan_err escape_byte(struct plan_stream *s, uint8_t c)
{
    if (s->escape == ESCAPE_BEGUN) {
        return simple_escape(s, c);
    }
    if (s->escape == ESCAPE_LOW) {
        s->escape = ESCAPE_LOW_BEGUN;
        return c == '\\' ? PLAN_OK : PLAN_EUTF8;
    }
    if (s->escape == ESCAPE_LOW_BEGUN) {
        s->escape = ESCAPE_HEX;
        s->unit = 0;
        return c == 'u' ? PLAN_OK : PLAN_EUTF8;
    }
    unsigned lower = c | 0x20u;
    bool digit = c >= '0' && c <= '9';
    if (!digit && (lower < 'a' || lower > 'f')) {
        return PLAN_ESYNTAX;
    }
    s->unit = (uint16_t)(s->unit << 4 | (digit ? c - 0x30u : lower - 'a' + 10));
    return ++s->escape == ESCAPE_LOW ? unit_done(s) : PLAN_OK;
}

/* The first byte of a character that the input cuts, or that is malformed. */
static bool utf8_lead(struct plan_stream *s, uint8_t c)
{
    if (c < 0xc2 || c > 0xf4) {
        return false;
    }
    s->utf8_left = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    s->utf8_low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    s->utf8_high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    return true;
}

static bool utf8_next(struct plan_stream *s, uint8_t c)
{
    bool good = c >= s->utf8_low && c <= s->utf8_high;
    s->utf8_left--;
    s->utf8_low = 0x80;
    s->utf8_high = 0xbf;
    return good;
}

/* A quote at p ends the string. */
static const uint8_t *string_done(struct plan_stream *s, const uint8_t *p)
{
    if (s->state == STATE_STRING) {
        return scalar_done(s, p + 1);
    }
    s->state = STATE_COLON;
    if (s->free) {
        return p + 1;
    }
    struct plan_frame *frame = &s->frames[s->depth - 1];
    s->target = s->name_n > PLAN_PATH_MAX
                    ? NULL
                    : plan_child(s->plan, frame->node, (const uint8_t *)s->name, s->name_n);
    frame->last = s->target != NULL ? s->target : frame->last;
    if (s->target != NULL && !plan_take(frame, s->target)) {
        s->target = NULL;
    }
    return p + 1;
}

/* One byte that is not plain. */
static const uint8_t *special_byte(struct plan_stream *s, const uint8_t *p)
{
    if (*p == '"') {
        return string_done(s, p);
    }
    if (*p == '\\') {
        s->escape = ESCAPE_BEGUN;
        return p + 1;
    }
    if (*p < 0x20) {
        return fail(s, p, PLAN_ESYNTAX);
    }
    if (!utf8_lead(s, *p)) {
        return fail(s, p, PLAN_EUTF8);
    }
    sink(s, p, 1);
    return p + 1;
}

static const uint8_t *string_step(struct plan_stream *s, const uint8_t *p, const uint8_t *end)
{
    if (s->utf8_left > 0) {
        if (!utf8_next(s, *p)) {
            return fail(s, p, PLAN_EUTF8);
        }
        sink(s, p, 1);
        return p + 1;
    }
    if (s->escape != ESCAPE_NONE) {
        enum plan_err err = escape_byte(s, *p);
        return err != PLAN_OK ? fail(s, p, err) : p + 1;
    }
    const uint8_t *stop = scan_plain(p, end);
    stop = scan_utf8(stop, end);
    if (stop == p) {
        return special_byte(s, p);
    }
    sink(s, p, (size_t)(stop - p));
    return stop;
}

/* Numbers and literals --------------------------------------------------------------------------
 */
static uint8_t number_next(uint8_t state, uint8_t c)
{
    bool digit = c >= '0' && c <= '9', e = (c | 0x20) == 'e';
    switch (state) {
    case NUM_START:
    case NUM_MINUS:
        if (c == '-' && state == NUM_START) {
            return NUM_MINUS;
        }
        return !digit ? NUM_END : c == '0' ? NUM_ZERO : NUM_INT;
    case NUM_ZERO:
    case NUM_INT:
        if (digit && state == NUM_INT) {
            return NUM_INT;
        }
        return c == '.' ? NUM_DOT : e ? NUM_E : NUM_END;
    case NUM_DOT:
        return digit ? NUM_FRACTION : NUM_END;
    case NUM_FRACTION:
        return digit ? NUM_FRACTION : e ? NUM_E : NUM_END;
    case NUM_E:
        return c == '+' || c == '-' ? NUM_SIGN : digit ? NUM_EXPONENT : NUM_END;
    default:
        return digit ? NUM_EXPONENT : NUM_END;
    }
}

static bool number_is_whole(uint8_t state)
{
    return state == NUM_ZERO || state == NUM_INT || state == NUM_FRACTION || state == NUM_EXPONENT;
}

static void text_of_literal(struct plan_stream *s, const uint8_t *p, size_t n)
{
    if (s->action == ACTION_MASK && !plan_text_add(s, p, n)) {
        s->err = PLAN_EMEMORY;
    }
}

static const uint8_t *number_step(struct plan_stream *s, const uint8_t *p, const uint8_t *end)
{
    const uint8_t *start = p;
    uint8_t next = s->number;
    for (; p < end; p++) {
        next = number_next(s->number, *p);
        if (next == NUM_END) {
            break;
        }
        s->number = next;
    }
    text_of_literal(s, start, (size_t)(p - start));
    if (next != NUM_END) {
        return p;
    }
    return number_is_whole(s->number) ? scalar_done(s, p) : fail(s, p, PLAN_ESYNTAX);
}

static const uint8_t *literal_step(struct plan_stream *s, const uint8_t *p)
{
    if (*p != (uint8_t)*s->literal) {
        return fail(s, p, PLAN_ESYNTAX);
    }
    text_of_literal(s, p, 1);
    s->literal++;
    return *s->literal == '\0' ? scalar_done(s, p + 1) : p + 1;
}

/* Steps -----------------------------------------------------------------------------------------
 */
static const uint8_t *value_step(struct plan_stream *s, const uint8_t *p)
{
    if (*p == '{' || *p == '[') {
        return open_container(s, p);
    }
    if (*p == '-' || (*p >= '0' && *p <= '9')) {
        begin_scalar(s, p);
        s->number = NUM_START;
        s->state = STATE_NUMBER;
        return p;
    }
    if (*p == '"') {
        begin_scalar(s, p);
        s->state = STATE_STRING;
        return p + 1;
    }
    s->literal = *p == 't' ? "true" : *p == 'f' ? "false" : *p == 'n' ? "null" : NULL;
    if (s->literal == NULL) {
        return fail(s, p, PLAN_ESYNTAX);
    }
    begin_scalar(s, p);
    s->state = STATE_LITERAL;
    return p;
}

static const uint8_t *after_step(struct plan_stream *s, const uint8_t *p)
{
    if (*p == '}' || *p == ']') {
        return plan_close(s, p);
    }
    if (*p != ',') {
        return fail(s, p, PLAN_ESYNTAX);
    }
    s->state = in_object(s) ? STATE_KEY : STATE_VALUE;
    if (!s->free && s->state == STATE_VALUE) {
        s->target = s->frames[s->depth - 1].node;
    }
    return p + 1;
}

static const uint8_t *key_step(struct plan_stream *s, const uint8_t *p, const uint8_t *end)
{
    if (*p != '"') {
        bool ends = s->state == STATE_KEY_OR_END && *p == '}';
        return ends ? plan_close(s, p) : fail(s, p, PLAN_ESYNTAX);
    }
    const uint8_t *stop = s->free ? plan_skip(s, p, end) : plan_members(s, p, end);
    if (stop != p) {
        return stop;
    }
    s->state = STATE_NAME;
    s->name_n = 0;
    return p + 1;
}

static const uint8_t *step(struct plan_stream *s, const uint8_t *p, const uint8_t *end)
{
    switch (s->state) {
    case STATE_STRING:
    case STATE_NAME:
        return string_step(s, p, end);
    case STATE_NUMBER:
        return number_step(s, p, end);
    case STATE_LITERAL:
        return literal_step(s, p);
    }
    p = scan_space(p, end);
    if (p == end) {
        return p;
    }
    switch (s->state) {
    case STATE_VALUE_OR_END:
        return *p == ']' ? plan_close(s, p) : value_step(s, p);
    case STATE_VALUE:
        return value_step(s, p);
    case STATE_KEY:
    case STATE_KEY_OR_END:
        return key_step(s, p, end);
    case STATE_COLON:
        s->state = STATE_VALUE;
        return *p == ':' ? p + 1 : fail(s, p, PLAN_ESYNTAX);
    case STATE_AFTER:
        return after_step(s, p);
    }
    return fail(s, p, PLAN_ETRAILING);
}

enum plan_err plan_stream_feed(struct plan_stream *s, struct slice in, struct plan_out *out)
{
    const uint8_t *p = (const uint8_t *)in.p, *end = p;
    if (in.n == 0) {
        return s->err;
    }
    end += in.n;
    s->out = out;
    s->run = p;
    while (p < end && s->err == PLAN_OK) {
        p = step(s, p, end);
    }
    if (s->raw) {
        plan_put(s, s->run, (size_t)(end - s->run));
    }
    return s->err;
}

enum plan_err plan_stream_end(struct plan_stream *s, struct plan_out *out)
{
    s->out = out;
    if (s->err == PLAN_OK && s->depth == 0 && s->state == STATE_NUMBER &&
        number_is_whole(s->number)) {
        s->state = STATE_DONE; /* only the end of the document ends a number at its top */
    }
    if (s->err == PLAN_OK && s->state != STATE_DONE) {
        s->err = PLAN_ETRUNCATED;
    }
    return s->err;
}
