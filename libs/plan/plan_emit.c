/* SPDX-License-Identifier: Apache-2.0 */
/* Writing what a plan lets through. */
#include <stdlib.h>

#include "plan/plan_inner.h"
#include "plan/plan_scan.h"

void plan_put_slow(struct plan_stream *s, const void *p, size_t n)
{
    struct plan_out *out = s->out;
    const char *from = p;
    while (n > 0 && s->err == PLAN_OK) {
        size_t room = (size_t)(out->end - out->pos);
        if (room == 0) {
            size_t need = n < PLAN_NEED_MAX ? n : PLAN_NEED_MAX;
            if (out->more == NULL || !out->more(out, need) || out->end <= out->pos) {
                s->err = PLAN_EMEMORY;
            }
            continue;
        }
        size_t part = n < room ? n : room;
        memcpy(out->pos, from, part);
        out->pos += part;
        from += part;
        n -= part;
    }
}

void plan_prefix(struct plan_stream *s, const struct plan_node *node)
{
    if (s->depth == 0) {
        return;
    }
    struct plan_frame *frame = &s->frames[s->depth - 1];
    if (frame->comma) {
        plan_put(s, ",", 1);
    }
    frame->comma = true;
    if (frame->object) {
        plan_put(s, node->label, node->label_n);
    }
}

static bool grow(char **p, size_t *cap, size_t need)
{
    if (need <= *cap) {
        return true;
    }
    size_t size = *cap < 512 ? 512 : *cap;
    while (size < need) {
        size *= 2;
    }
    char *grown = realloc(*p, size);
    if (grown == NULL) {
        return false;
    }
    *p = grown;
    *cap = size;
    return true;
}

bool plan_text_add(struct plan_stream *s, const uint8_t *p, size_t n)
{
    if (s->text_n > MASK_INPUT_MAX || n > MASK_INPUT_MAX - s->text_n) {
        s->text_n = MASK_INPUT_MAX + 1; /* mask_apply() covers it unseen */
        return true;
    }
    if (!grow(&s->text, &s->text_cap, s->text_n + n)) {
        return false;
    }
    memcpy(s->text + s->text_n, p, n);
    s->text_n += n;
    return true;
}

/* The first of [p, end) that JSON wants escaped. */
static const char *find_escaped(const char *p, const char *end)
{
    const uint8_t *at = (const uint8_t *)p, *stop = (const uint8_t *)end;
    while ((at = scan_plain(at, stop)) < stop && *at >= 0x80) {
        while (at < stop && *at >= 0x80) {
            at++;
        }
    }
    return (const char *)at;
}

static void put_escaped(struct plan_stream *s, const char *p, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    for (const char *end = p + n; p < end; p++) {
        const char *plain = p;
        p = find_escaped(p, end);
        plan_put(s, plain, (size_t)(p - plain));
        if (p == end) {
            return;
        }
        char text[6] = {'\\', 'u', '0', '0', hex[(*p >> 4) & 15], hex[*p & 15]};
        if (*p == '"' || *p == '\\') {
            text[1] = *p;
            plan_put(s, text, 2);
        } else {
            plan_put(s, text, 6);
        }
    }
}

void plan_put_masked(struct plan_stream *s, const struct mask_spec *mask, struct slice in)
{
    struct plan_out *out = s->out;
    size_t need = in.n > MASK_INPUT_MAX ? MASK_OUT_MAX(0) : MASK_OUT_MAX(in.n);
    if (s->err == PLAN_OK && (size_t)(out->end - out->pos) >= need + 2) {
        /* most often there is room, and nothing to escape: mask in place */
        char *start = out->pos + 1, *end = start + mask_apply(mask, s->key, in, start);
        if (find_escaped(start, end) == end) {
            *out->pos = *end = '"';
            out->pos = end + 1;
            return;
        }
    }
    if (!grow(&s->masked, &s->masked_cap, need)) {
        s->err = PLAN_EMEMORY;
        return;
    }
    size_t n = mask_apply(mask, s->key, in, s->masked);
    plan_put(s, "\"", 1);
    put_escaped(s, s->masked, n);
    plan_put(s, "\"", 1);
}
