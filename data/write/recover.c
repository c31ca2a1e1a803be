/* SPDX-License-Identifier: Apache-2.0 */
/* After a crash: an operation that the journal has as prepared either happened in the source or did
 * not, wholly. The rows tell: they are as its images were after it, or as they were before it. */
#include <string.h>

#include "data/write/rows.h"
#include "data/write/write.h"

struct verdict {
    size_t before, after; /* rows that are as they were; as they were to become */
};

static const char *text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

static json_t *key_names(const json_t *shape)
{
    json_t *names = json_array();
    const json_t *column;
    size_t i;
    json_array_foreach(json_object_get(shape, "columns"), i, column)
    {
        if (json_is_true(json_object_get(column, "k")))
            json_array_append(names, json_object_get(column, "n"));
    }
    return names;
}

static enum source_err compare(struct rows *r, const json_t *row, struct verdict *v)
{
    json_t *now = NULL;
    const json_t *before = json_object_get(row, "before"), *after = json_object_get(row, "after");
    enum source_err err = rows_read(r, json_object_get(row, "key"), &now);
    if (err)
        return err;
    if (!now)
        now = json_null();
    bool was = json_equal(now, (json_t *)(uintptr_t)before),
         is = json_equal(now, (json_t *)(uintptr_t)after);
    v->before += was && !is;
    v->after += is && !was;
    json_decref(now);
    return SOURCE_OK;
}

static enum source_err look(struct worker *w, struct source *source, const json_t *op,
                            const json_t *shape, const json_t *rows, struct verdict *v)
{
    struct rows r;
    const json_t *row;
    size_t i;
    enum source_err err = source_begin(source);
    if (err)
        return err;
    rows_begin(&r, source, shape, &w->arena);
    err = rows_guard(&r, write_guard_number(text_of(op, "id")));
    json_array_foreach(rows, i, row)
    {
        if (!err)
            err = compare(&r, row, v);
    }
    rows_end(&r);
    source_rollback(source);
    return err;
}

static void told(const json_t *op, const json_t *rows)
{
    const json_t *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        write_committed(text_of(op, "dataset_id"), text_of(op, "id"), row);
    }
}

/* Rows of both kinds, or of neither while some were to change: somebody else has been at them, and
 * no guess is made. It stays prepared until an operator looks. */
static void settle(struct worker *w, const json_t *op)
{
    struct source *source;
    struct verdict v = {0};
    const json_t *shape = json_object_get(op, "shape");
    json_t *names = key_names(shape), *now = NULL;
    json_t *rows = wjournal_rows(w->journal, text_of(op, "id"));
    if (rows &&
        write_open(w, text_of(op, "source_id"), text_of(shape, "schema"), text_of(shape, "table"),
                   names, &source, &now) == PROBLEM_OK &&
        look(w, source, op, shape, rows, &v) == SOURCE_OK) {
        bool changes = v.before || v.after;
        if (v.before && !v.after)
            wjournal_finish(w->journal, text_of(op, "id"), false,
                            "the service ended before it was committed");
        else if (v.after && !v.before)
            wjournal_finish(w->journal, text_of(op, "id"), true, NULL);
        if ((v.after && !v.before) || (!changes && json_array_size(rows) == 0))
            told(op, rows);
        if (!changes && json_array_size(rows) == 0)
            wjournal_finish(w->journal, text_of(op, "id"), true, NULL);
    }
    json_decref(names);
    json_decref(now);
    json_decref(rows);
}

void write_recover(struct worker *w, const char *dataset)
{
    json_t *open = wjournal_unsettled(w->journal, dataset);
    const json_t *op;
    size_t i;
    json_array_foreach(open, i, op)
    {
        settle(w, op);
    }
    json_decref(open);
}
