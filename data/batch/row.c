/* SPDX-License-Identifier: Apache-2.0 */
#include "data/batch/row.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "data/query/cell.h"

struct field {
    enum query_type type;
    bool mask;
    struct mask_spec spec;
    struct plan_stream *stream; /* of a JSON column: its document is planned as such */
    struct plan *plan;
    struct buf plain, out;
};

struct row_plan {
    size_t n;
    struct field *fields;
    struct format_column *columns;
    struct format_cell *cells;
    struct mask_key *key;
};

static bool plan_json(struct field *f, const struct catalog_rule *rule, bool mask,
                      struct mask_key *key)
{
    const struct plan_field field = {.path = SLICE("v"),
                                     .outcome = mask ? PLAN_MASK : PLAN_KEEP,
                                     .type = rule->type,
                                     .mask = rule->mask};
    f->plan = plan_new(&field, 1);
    f->stream = f->plan ? plan_stream_new(f->plan, key) : NULL;
    return f->stream != NULL;
}

static bool fill_field(struct row_plan *plan, size_t i, const struct catalog_api *api,
                       uint16_t column, uint8_t outcome)
{
    struct field *f = &plan->fields[i];
    f->type = (enum query_type)api->columns[column].type;
    f->mask = outcome == PLAN_MASK;
    f->spec = api->rules[column].mask;
    buf_init(&f->plain);
    buf_init(&f->out);
    plan->columns[i].name = api->columns[column].name;
    plan->columns[i].member = api->members[column];
    return f->type != QUERY_JSON || plan_json(f, &api->rules[column], f->mask, plan->key);
}

struct row_plan *row_plan_new(const struct catalog_api *api, const uint8_t *outcome,
                              const uint16_t *select, size_t n, const uint8_t *mask_key)
{
    struct row_plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return NULL;
    plan->fields = calloc(n + 1, sizeof *plan->fields);
    plan->columns = calloc(n + 1, sizeof *plan->columns);
    plan->cells = calloc(n + 1, sizeof *plan->cells);
    plan->key = mask_key_new(mask_key);
    bool ok = plan->fields && plan->columns && plan->cells && plan->key;
    for (size_t i = 0; ok && i < n; i++, plan->n++)
        ok = outcome[select[i]] != PLAN_DROP &&
             fill_field(plan, i, api, select[i], outcome[select[i]]);
    if (!ok)
        row_plan_free(&plan);
    return plan;
}

void row_plan_free(struct row_plan **slot)
{
    struct row_plan *plan = *slot;
    if (!plan)
        return;
    for (size_t i = 0; plan->fields && i < plan->n; i++) {
        plan_stream_free(&plan->fields[i].stream);
        plan_free(&plan->fields[i].plan);
        buf_wipe(&plan->fields[i].plain);
        buf_fini(&plan->fields[i].out);
    }
    mask_key_free(&plan->key);
    free(plan->fields);
    free(plan->columns);
    free(plan->cells);
    free(plan);
    *slot = NULL;
}

const struct format_column *row_plan_columns(const struct row_plan *plan)
{
    return plan->columns;
}

struct sink { /* out comes first: plan_out has no context of its own */
    struct plan_out out;
    struct buf *to;
};

static bool more_room(struct plan_out *out, size_t need)
{
    struct sink *sink = (struct sink *)out;
    sink->to->n = (size_t)(out->pos - sink->to->p);
    if (!buf_reserve(sink->to, need + 256))
        return false;
    out->pos = sink->to->p + sink->to->n;
    out->end = sink->to->p + sink->to->cap;
    return true;
}

/* A JSON value: its document through the plan, then what is left of it. */
static bool apply_json(struct field *f, struct slice value, struct mask_key *key,
                       struct format_cell *cell)
{
    struct sink sink = {.to = &f->out};
    buf_clear(&f->out);
    buf_clear(&f->plain);
    buf_adds(&f->plain, "{\"v\":");
    if (!cell_plain(&f->plain, QUERY_JSON, value)) { /* not JSON: the text of it */
        buf_clear(&f->plain);
        buf_adds(&f->plain, "{\"v\":");
        cell_write(&f->plain, QUERY_STRING, value);
    }
    buf_addc(&f->plain, '}');
    if (f->plain.failed || !buf_reserve(&f->out, f->plain.n + 256))
        return false;
    sink.out = (struct plan_out){f->out.p, f->out.p + f->out.cap, more_room};
    plan_stream_reset(f->stream, f->plan, key);
    enum plan_err err = plan_stream_feed(f->stream, buf_slice(&f->plain), &sink.out);
    err = err ? err : plan_stream_end(f->stream, &sink.out);
    f->out.n = (size_t)(sink.out.pos - f->out.p);
    cell->null = err || f->out.n < sizeof "{\"v\":" || f->out.p[f->out.n - 1] != '}';
    cell->literal = true;
    cell->text = cell->null ? SLICE("") : slice_of(f->out.p + 5, f->out.n - 6);
    cell->null = cell->null || slice_eq(cell->text, SLICE("null"));
    return err != PLAN_EMEMORY && !f->out.failed;
}

/* The text of a JSON string, for files that are not JSON. */
static bool unquote(struct field *f, struct format_cell *cell)
{
    if (cell->null || cell->text.n == 0 || cell->text.p[0] != '"')
        return true;
    json_t *text = json_loadb(cell->text.p, cell->text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (!json_is_string(text)) {
        json_decref(text);
        return false;
    }
    buf_clear(&f->plain);
    buf_add(&f->plain, json_string_value(text), json_string_length(text));
    json_decref(text);
    cell->literal = false;
    cell->text = buf_slice(&f->plain);
    return !f->plain.failed;
}

static bool apply_mask(struct field *f, struct mask_key *key, struct format_cell *cell)
{
    if (f->spec.rule == MASK_NULL) {
        cell->null = true;
        return true;
    }
    size_t room = cell->text.n > MASK_INPUT_MAX ? MASK_OUT_MAX(0) : MASK_OUT_MAX(cell->text.n);
    buf_clear(&f->out);
    if (!buf_reserve(&f->out, room))
        return false;
    f->out.n = mask_apply(&f->spec, key, cell->text, f->out.p);
    cell->text = buf_slice(&f->out);
    cell->literal = false;
    return true;
}

static bool apply(struct row_plan *plan, size_t i, struct slice value)
{
    struct field *f = &plan->fields[i];
    struct format_cell *cell = &plan->cells[i];
    *cell = (struct format_cell){.null = !value.p};
    if (cell->null)
        return true;
    if (f->type == QUERY_JSON)
        return apply_json(f, value, plan->key, cell) && unquote(f, cell);
    if (f->type == QUERY_STRING && utf8_valid(value)) {
        cell->text = value;
    } else {
        buf_clear(&f->plain);
        cell->literal = cell_plain(&f->plain, f->type, value);
        cell->text = f->plain.n ? buf_slice(&f->plain) : SLICE("");
    }
    return !f->plain.failed && (!f->mask || apply_mask(f, plan->key, cell));
}

const struct format_cell *row_plan_apply(struct row_plan *plan, const struct slice *values)
{
    for (size_t i = 0; i < plan->n; i++)
        if (!apply(plan, i, values[i]))
            return NULL;
    return plan->cells;
}
