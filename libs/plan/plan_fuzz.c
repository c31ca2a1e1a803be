/* SPDX-License-Identifier: Apache-2.0 */
/* The input is a document. jansson is the judge: what it reads the plan must accept and the other
 * way round; what comes out must be JSON; and cutting the input must change nothing. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "plan/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
    struct plan_out out; /* first: more() gets it */
    char *start;
    enum plan_err err;
    uint64_t rows, seen;
};

static bool more(struct plan_out *out, size_t need)
{
    struct result *r = (struct result *)(void *)out;
    size_t used = (size_t)(out->pos - r->start);
    r->start = realloc(r->start, used + need);
    out->pos = r->start + used;
    out->end = out->pos + need;
    return true;
}

static struct plan *make_plan(void)
{
    static const struct {
        const char *path;
        uint8_t outcome, type;
        const char *mask;
    } rows[] = {
        {"a", PLAN_KEEP, PLAN_JSON, "none"},       {"b", PLAN_MASK, PLAN_SCALAR, "keep:1:1"},
        {"c", PLAN_MASK, PLAN_SCALAR, "null"},     {"d.e", PLAN_KEEP, PLAN_SCALAR, "none"},
        {"d.f", PLAN_DROP, PLAN_SCALAR, "none"},   {"d.g.h", PLAN_MASK, PLAN_JSON, "phone"},
        {"i", PLAN_KEEP, PLAN_SCALAR, "none"},     {"i.j", PLAN_KEEP, PLAN_JSON, "none"},
        {"", PLAN_MASK, PLAN_SCALAR, "pseudonym"}, {"\xe5\x90\x8d", PLAN_MASK, PLAN_SCALAR, "name"},
        {"\n\"", PLAN_KEEP, PLAN_JSON, "none"}};
    struct plan_field fields[sizeof rows / sizeof *rows] = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fields[i].path = slice_str(rows[i].path);
        fields[i].outcome = rows[i].outcome;
        fields[i].type = rows[i].type;
        if (mask_parse(&fields[i].mask, slice_str(rows[i].mask)) != MASK_OK) {
            abort();
        }
    }
    return plan_new(fields, sizeof rows / sizeof *rows);
}

/* Pieces of `step` bytes, each in a block of its own; room is what the sink begins with. */
static struct result run(struct plan_stream *s, const uint8_t *data, size_t size, size_t step,
                         size_t room)
{
    struct result r = {.start = malloc(room + 1)};
    r.out = (struct plan_out){r.start, r.start + room, more};
    for (size_t at = 0; at < size && r.err == PLAN_OK; at += step) {
        size_t n = size - at < step ? size - at : step;
        char *piece = malloc(n);
        memcpy(piece, data + at, n);
        r.err = plan_stream_feed(s, slice_of(piece, n), &r.out);
        free(piece);
    }
    r.err = r.err == PLAN_OK ? plan_stream_end(s, &r.out) : r.err;
    r.rows = plan_stream_rows(s);
    r.seen = plan_stream_seen(s)[0];
    return r;
}

static void judge(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "plan_fuzz: %s\n", what);
        abort();
    }
}

static bool same(const struct result *a, const struct result *b)
{
    size_t n = (size_t)(a->out.pos - a->start);
    if (a->err != b->err || a->err != PLAN_OK) {
        return a->err == b->err;
    }
    return a->rows == b->rows && a->seen == b->seen && n == (size_t)(b->out.pos - b->start) &&
           memcmp(a->start, b->start, n) == 0;
}

/* 1: JSON, 0: not, -1: jansson has a limit of its own here (sizes of numbers, NUL in names, depth)
 */
static int jansson_says(const char *p, size_t n)
{
    json_error_t error;
    if (n > 0 && memchr(p, '\0', n) != NULL) {
        return -1; /* it takes a NUL for the end of the text */
    }
    json_t *json = json_loadb(p, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (json != NULL) {
        json_decref(json);
        return 1;
    }
    enum json_error_code code = json_error_code(&error);
    bool limit = code == json_error_numeric_overflow || code == json_error_null_byte_in_key ||
                 code == json_error_stack_overflow;
    return limit ? -1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct plan *plan;
    static struct plan_stream *s;
    static struct mask_key *key;
    if (plan == NULL) {
        key = mask_key_new((const uint8_t *)"a key for fuzzing, 32 bytes long");
        plan = make_plan();
        s = plan_stream_new(plan, key);
    }
    size_t steps[] = {1, 2 + size % 13, size / 2 + 1};
    plan_stream_reset(s, plan, key);
    struct result whole = run(s, data, size, size + 1, 4 * size);
    int said = jansson_says((const char *)data, size);
    judge(said != 1 || whole.err == PLAN_OK || whole.err == PLAN_EDEPTH, "refuses what is JSON");
    judge(said != 0 || whole.err != PLAN_OK, "accepts what is not JSON");
    if (whole.err == PLAN_OK) {
        said = jansson_says(whole.start, (size_t)(whole.out.pos - whole.start));
        judge(said != 0, "writes what is not JSON");
    }
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        plan_stream_reset(s, plan, key);
        struct result cut = run(s, data, size, steps[i], i * size);
        judge(same(&whole, &cut), "depends on where the input is cut");
        free(cut.start);
    }
    free(whole.start);
    return 0;
}
