/* SPDX-License-Identifier: Apache-2.0 */
/* What plan.c (making), plan_stream.c (the parser that can stop at any byte), plan_fast.c (whole
 * members at once) and plan_emit.c (writing) share. */
#pragma once
#include "plan/plan.h"

#define PLAN_WORDS     (PLAN_FIELDS_MAX / 64)
#define PLAN_COPY_STEP 16 /* bytes that may be read and written past a short copy */
#define PLAN_GUESSES   64

/* One member name below its parent; nodes[0] is the document. */
struct plan_node {
    uint64_t head, tail; /* plan_name_words() of the name */
    const char *name;    /* decoded */
    const char *label;   /* "name": as it is written, then PLAN_COPY_STEP readable bytes */
    uint32_t name_n, label_n;
    const uint16_t *slots; /* children by hash: places in nodes[], 0 empty; NULL without children */
    uint8_t shift;         /* 64 - log2 of the number of slots */
    uint8_t outcome, type;
    bool below;                         /* something below is kept or masked */
    uint16_t bit;                       /* place among its siblings */
    int16_t field;                      /* place in the fields, -1 none */
    uint16_t count;                     /* children */
    uint16_t self, parent, first, next; /* places in nodes[] */
    struct mask_spec mask;
};

struct plan {
    size_t size;
    uint16_t n_nodes;
    struct plan_node *nodes;
};

/* An open container that is given. */
struct plan_frame {
    const struct plan_node *node;
    const struct plan_node *last; /* named child met last; NULL: none yet */
    bool object, comma;
    uint64_t taken[PLAN_WORDS]; /* members already met, by bit */
};

enum plan_state {
    STATE_VALUE,
    STATE_VALUE_OR_END,
    STATE_KEY,
    STATE_KEY_OR_END,
    STATE_COLON,
    STATE_AFTER, /* a value: comma or end */
    STATE_DONE,
    STATE_STRING, /* from here on: inside a token */
    STATE_NAME,
    STATE_NUMBER,
    STATE_LITERAL
};

enum plan_action { ACTION_SKIP, ACTION_KEEP, ACTION_MASK };

struct plan_stream {
    /* the caller's, for the time of a call */
    struct plan_out *out;
    const uint8_t *run; /* raw: first byte not yet copied */

    const struct plan *plan;
    struct mask_key *key;
    enum plan_err err;

    /* where the parser is */
    uint8_t state, depth;
    uint64_t objects;   /* bit depth - 1: that container is an object */
    bool free;          /* inside a container no path leads into: checked, not looked at */
    bool raw;           /* the value under way is copied as it stands */
    uint8_t free_depth; /* depth outside that container */
    const struct plan_node *target; /* of the value to come; NULL: dropped */

    /* the token under way */
    uint8_t action;
    uint8_t number; /* state of the number */
    uint8_t escape, utf8_left, utf8_low, utf8_high;
    uint16_t unit, high;   /* \uXXXX, and the high surrogate before it */
    const char *literal;   /* what is left of true, false or null */
    size_t name_n, text_n; /* past the maximum: too long, rest not kept */
    size_t text_cap, masked_cap;
    char *text, *masked; /* a value to mask; the masked one */
    char name[PLAN_PATH_MAX];

    /* Which name came after which last time, by plan_guess(): rows repeat themselves. Only ever a
     * hint, checked against the input. */
    const struct plan_node *guesses[PLAN_GUESSES];

    /* the account */
    uint64_t rows;
    uint8_t rows_depth;
    bool given; /* at least one field left */
    uint64_t seen[PLAN_WORDS];

    struct plan_frame frames[PLAN_DEPTH_MAX];
};

/* A name of at most 16 bytes is these two words and its length, so most lookups compare no text. */
static inline void plan_name_words(const uint8_t *p, size_t n, uint64_t *head, uint64_t *tail)
{
    *head = *tail = 0;
    if (n >= 8) {
        memcpy(head, p, 8);
        memcpy(tail, p + n - 8, 8);
        return;
    }
    if (n >= 4) {
        memcpy(head, p, 4);
        memcpy(tail, p + n - 4, 4);
        return;
    }
    if (n > 0) {
        *head = (uint64_t)p[0] | (uint64_t)p[n / 2] << 8 | (uint64_t)p[n - 1] << 16;
    }
}

static inline uint64_t plan_name_hash(uint64_t head, uint64_t tail, size_t n)
{
    return (head ^ (tail << 23 | tail >> 41) ^ n) * 0x9e3779b97f4a7c15u;
}

/* The child of that name, or NULL. */
static inline const struct plan_node *
plan_child(const struct plan *plan, const struct plan_node *node, const uint8_t *p, size_t n)
{
    uint64_t head, tail;
    if (node->slots == NULL) {
        return NULL;
    }
    plan_name_words(p, n, &head, &tail);
    size_t last = ((size_t)1 << (64 - node->shift)) - 1;
    for (size_t i = plan_name_hash(head, tail, n) >> node->shift;; i = (i + 1) & last) {
        if (node->slots[i] == 0) {
            return NULL;
        }
        const struct plan_node *child = &plan->nodes[node->slots[i]];
        if (child->head == head && child->tail == tail && child->name_n == n &&
            (n <= 16 || memcmp(child->name, p, n) == 0)) {
            return child;
        }
    }
}

/* The first member of a name counts. */
static inline bool plan_take(struct plan_frame *frame, const struct plan_node *child)
{
    uint64_t bit = (uint64_t)1 << (child->bit & 63), *word = &frame->taken[child->bit >> 6];
    bool first = (*word & bit) == 0;
    *word |= bit;
    return first;
}

static inline void plan_note(struct plan_stream *s, const struct plan_node *node)
{
    s->seen[node->field >> 6] |= (uint64_t)1 << (node->field & 63);
    s->given = true;
}

/* plan_emit.c: nothing is written once s->err is set. */
void plan_put_slow(struct plan_stream *s, const void *p, size_t n);
void plan_prefix(struct plan_stream *s, const struct plan_node *node); /* comma and label */
/* The masked text of in, quoted. in may lie in s->text. */
void plan_put_masked(struct plan_stream *s, const struct mask_spec *mask, struct slice in);
bool plan_text_add(struct plan_stream *s, const uint8_t *p, size_t n);

static inline void plan_put(struct plan_stream *s, const void *p, size_t n)
{
    struct plan_out *out = s->out;
    if (s->err == PLAN_OK && (size_t)(out->end - out->pos) >= n) {
        memcpy(out->pos, p, n);
        out->pos += n;
        return;
    }
    plan_put_slow(s, p, n);
}

/* plan_stream.c */
void plan_count_row(struct plan_stream *s,
                    uint8_t depth); /* a given object in the array at depth */
const uint8_t *plan_close(struct plan_stream *s, const uint8_t *p);

/* plan_fast.c: reads whole members of the given object that is open, as long as all of a member
 * with the sign after it lies in [p, end) and is in its plain form. Returns where it stopped: at p
 * when it could do nothing, else in front of what s->state says comes next. Never finds an error.
 */
const uint8_t *plan_members(struct plan_stream *s, const uint8_t *p, const uint8_t *end);
/* The same for containers that are skipped or copied raw. */
const uint8_t *plan_skip(struct plan_stream *s, const uint8_t *p, const uint8_t *end);
