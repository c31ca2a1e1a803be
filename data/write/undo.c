/* SPDX-License-Identifier: Apache-2.0 */
/* Taking writes back: of one operation, of a batch, or all since a time. In one transaction of the
 * source, newest first, each row only if it is still as the journal left it; so what is built upon
 * is never pulled away, and a refusal changes nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "data/write/rows.h"
#include "data/write/write.h"

struct undoing {
    struct worker *w;
    char *detail; /* 400 bytes */
    json_t *ops;  /* newest first */
    struct source *source;
    struct rows rows;
    struct journal_op op;
    json_t *done; /* key's text: {"key","before","after"} */
};

static const char *text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

static enum problem fail(struct undoing *u, enum problem p, const char *detail)
{
    snprintf(u->detail, 400, "%s", detail);
    return p;
}

static enum problem source_fail(struct undoing *u, enum source_err err)
{
    const char *detail = "";
    enum problem p = write_source_problem(err, &detail);
    if (p == PROBLEM_STATE_CONFLICT || p == PROBLEM_BODY_INVALID)
        p = PROBLEM_ROLLBACK_REFUSED;
    return fail(u, p, detail);
}

/* Which operations ------------------------------------------------------------------------------
 */

static bool effective(const json_t *op)
{
    return strcmp(text_of(op, "state"), "done") == 0 ||
           strcmp(text_of(op, "state"), "rolled-back") == 0;
}

/* Page by page; only ones with an effect. One in doubt stands in the way. */
static enum problem collect(struct undoing *u, json_t *filter, bool rolled_back)
{
    json_int_t rows = 0;
    for (;;) {
        json_t *page = wjournal_list(u->w->journal, filter), *op;
        size_t i, n = json_array_size(page);
        enum problem p = page ? PROBLEM_OK : PROBLEM_INTERNAL;
        json_array_foreach(page, i, op)
        {
            if (strcmp(text_of(op, "state"), "prepared") == 0)
                p = fail(u, PROBLEM_ROLLBACK_REFUSED, "an operation among them is not settled yet");
            if (effective(op) && (rolled_back || strcmp(text_of(op, "state"), "done") == 0)) {
                json_array_append(u->ops, op);
                rows += json_integer_value(json_object_get(op, "rows"));
            }
            json_object_set(filter, "before", json_object_get(op, "sequence"));
        }
        json_decref(page);
        if (!p && rows > WRITE_UNDO_MAX)
            p = fail(u, PROBLEM_ROLLBACK_REFUSED, "5000 rows at most are taken back at once");
        if (p || n == 0)
            return p;
    }
}

static enum problem one_operation(struct undoing *u, const char *id)
{
    json_t *filter = json_pack("{s:s}", "operation", id);
    json_t *found = wjournal_list(u->w->journal, filter);
    json_decref(filter);
    const json_t *op = json_array_get(found, 0);
    const char *state = text_of(op, "state");
    enum problem p = PROBLEM_OK;
    if (!op)
        p = found ? PROBLEM_NOT_FOUND : PROBLEM_INTERNAL;
    else if (strcmp(state, "rolled-back") == 0)
        p = fail(u, PROBLEM_ROLLBACK_REFUSED, "it has been rolled back already");
    else if (strcmp(state, "failed") == 0)
        p = fail(u, PROBLEM_ROLLBACK_REFUSED, "it failed, and changed nothing");
    else if (strcmp(state, "done") != 0)
        p = fail(u, PROBLEM_ROLLBACK_REFUSED, "it is not settled yet");
    else
        json_array_append(u->ops, (json_t *)(uintptr_t)op);
    json_decref(found);
    return p;
}

static enum problem choose(struct undoing *u, const json_t *body)
{
    const json_t *to = json_object_get(body, "to");
    if (*text_of(body, "operation"))
        return one_operation(u, text_of(body, "operation"));
    json_t *filter = json_pack("{s:s, s:i}", "dataset", text_of(body, "dataset"), "limit", 200);
    if (*text_of(body, "batch")) {
        json_object_set(filter, "batch", json_object_get(body, "batch"));
        json_object_set(filter, "app", json_object_get(body, "app"));
    } else {
        json_object_set_new(filter, "since", json_integer(json_integer_value(to) + 1));
    }
    /* The state of a time is that before all that came after it: none of that may be gone. */
    if (json_is_integer(to) && (uint64_t)json_integer_value(to) < wjournal_pruned(u->w->journal)) {
        json_decref(filter);
        return fail(u, PROBLEM_ROLLBACK_REFUSED,
                    "operations since then are no longer kept in the journal");
    }
    bool any = *text_of(body, "dataset") && (*text_of(body, "batch") || json_is_integer(to));
    enum problem p = any ? collect(u, filter, !*text_of(body, "batch")) : PROBLEM_BODY_INVALID;
    json_decref(filter);
    if (!p && json_array_size(u->ops) == 0)
        p = fail(u, PROBLEM_NOT_FOUND, "there is nothing to take back");
    return p;
}

/* The rows ------------------------------------------------------------------------------------- */

static enum problem refuse(struct undoing *u, const json_t *op, const json_t *key)
{
    json_t *later =
        wjournal_later(u->w->journal, text_of(op, "id"), text_of(op, "dataset_id"), key);
    const char *by = json_string_value(json_array_get(later, 0));
    if (by)
        snprintf(u->detail, 400,
                 "a row of operation %s has been written since, by operation %s: take that back "
                 "first",
                 text_of(op, "id"), by);
    else
        snprintf(u->detail, 400,
                 "a row of operation %s has been changed since, outside the platform",
                 text_of(op, "id"));
    json_decref(later);
    return PROBLEM_ROLLBACK_REFUSED;
}

static json_t *differing(const json_t *from, const json_t *to)
{
    json_t *out = json_object(), *value;
    const char *name;
    json_object_foreach((json_t *)(uintptr_t)to, name, value)
    {
        if (!json_equal(json_object_get(from, name), value))
            json_object_set(out, name, value);
    }
    return out;
}

static enum source_err put_back(struct undoing *u, const json_t *key, const json_t *before,
                                const json_t *after)
{
    json_t *made = NULL, *values;
    enum source_err err;
    if (json_is_null(before))
        return rows_delete(&u->rows, key);
    if (json_is_null(after)) {
        err = rows_insert(&u->rows, before, &made);
        json_decref(made);
        return err;
    }
    values = differing(after, before);
    err = rows_update(&u->rows, key, values);
    json_decref(values);
    return err;
}

/* Of a row that several operations wrote: what it was first, what it is in the end. */
static void remember(struct undoing *u, const json_t *key, json_t *now, const json_t *before)
{
    char *text = json_dumps(key, JSON_COMPACT | JSON_SORT_KEYS);
    json_t *entry = text ? json_object_get(u->done, text) : NULL;
    if (entry)
        json_object_set(entry, "after", (json_t *)(uintptr_t)before);
    else if (text)
        json_object_set_new(
            u->done, text,
            json_pack("{s:O, s:O, s:O}", "key", key, "before", now, "after", before));
    free(text);
}

static enum problem undo_row(struct undoing *u, const json_t *op, const json_t *row)
{
    const json_t *key = json_object_get(row, "key"), *before = json_object_get(row, "before"),
                 *after = json_object_get(row, "after");
    json_t *now = NULL, *again = NULL;
    enum source_err err = rows_read(&u->rows, key, &now);
    if (err)
        return source_fail(u, err);
    now = now ? now : json_null();
    enum problem p = json_equal(now, (json_t *)(uintptr_t)after) ? PROBLEM_OK : refuse(u, op, key);
    if (!p) {
        err = put_back(u, key, before, after);
        if (!err)
            err = rows_read(&u->rows, key, &again);
        p = err ? source_fail(u, err) : PROBLEM_OK;
    }
    again = again ? again : json_null();
    if (!p && !json_equal(again, (json_t *)(uintptr_t)before))
        p = fail(u, PROBLEM_ROLLBACK_REFUSED,
                 "the source does not take a row back exactly as it was");
    if (!p)
        remember(u, key, now, before);
    json_decref(now);
    json_decref(again);
    return p;
}

static enum problem undo_operation(struct undoing *u, const json_t *op)
{
    json_t *rows = wjournal_rows(u->w->journal, text_of(op, "id"));
    enum problem p = rows ? PROBLEM_OK : PROBLEM_INTERNAL;
    for (size_t i = json_array_size(rows); i-- > 0 && !p;)
        p = undo_row(u, op, json_array_get(rows, i));
    json_decref(rows);
    if (!p && strcmp(text_of(op, "state"), "done") == 0)
        json_array_append(u->op.undoes, json_object_get(op, "id"));
    return p;
}

static enum problem same_table(struct undoing *u)
{
    const json_t *op;
    size_t i;
    json_array_foreach(u->ops, i, op)
    {
        if (!json_equal(json_object_get(op, "shape"), u->op.shape))
            return fail(u, PROBLEM_ROLLBACK_REFUSED, "the table has other columns now");
    }
    return PROBLEM_OK;
}

static enum problem undo_all(struct undoing *u)
{
    const json_t *op;
    size_t i;
    enum problem p = same_table(u);
    json_array_foreach(u->ops, i, op)
    {
        if (!p)
            p = undo_operation(u, op);
    }
    const char *text;
    json_t *row;
    json_object_foreach(u->done, text, row)
    {
        json_array_append(u->op.rows, row);
    }
    if (!p) {
        enum journal_err err = wjournal_prepare(u->w->journal, &u->op);
        p = err ? fail(u, write_journal_problem(err),
                       "the journal of writes has no room; nothing was taken back")
                : PROBLEM_OK;
    }
    return p;
}

static bool delivers(struct worker *w, const char *dataset)
{
    struct uuid id;
    uint64_t rev;
    json_t *json =
        uuid_parse(&id, dataset, strlen(dataset)) ? catalog_dataset(&w->catalog, &id, &rev) : NULL;
    bool yes = json_is_true(json_object_get(json, "delivers"));
    json_decref(json);
    return yes;
}

static void fill_op(struct undoing *u, const json_t *body)
{
    const json_t *first = json_array_get(u->ops, 0);
    struct journal_op *op = &u->op;
    uuid_new_text(op->id);
    snprintf(op->dataset, sizeof op->dataset, "%s", text_of(first, "dataset_id"));
    snprintf(op->source, sizeof op->source, "%s", text_of(first, "source_id"));
    snprintf(op->api, sizeof op->api, "%s", text_of(first, "api_id"));
    snprintf(op->txn, sizeof op->txn, "%s", text_of(body, "transaction"));
    snprintf(op->actor, sizeof op->actor, "%s", text_of(body, "actor"));
    snprintf(op->batch, sizeof op->batch, "%s", op->id);
    snprintf(op->kind, sizeof op->kind, "rollback");
    op->at_ms = clock_wall_ms();
    op->status = 200;
    op->deliver = delivers(u->w, op->dataset);
    op->rows = json_array();
    op->undoes = json_array();
}

static enum problem run(struct undoing *u)
{
    const json_t *shape = json_object_get(json_array_get(u->ops, 0), "shape"), *column;
    const char *detail = "";
    json_t *names = json_array();
    size_t i;
    json_array_foreach(json_object_get(shape, "columns"), i, column)
    {
        if (json_is_true(json_object_get(column, "k")))
            json_array_append(names, json_object_get(column, "n"));
    }
    enum problem p = write_open(u->w, u->op.source, text_of(shape, "schema"),
                                text_of(shape, "table"), names, &u->source, &u->op.shape);
    json_decref(names);
    if (p)
        return fail(u, p, "the source cannot be reached");
    enum source_err err = source_begin(u->source);
    if (err)
        return source_fail(u, err);
    rows_begin(&u->rows, u->source, u->op.shape, &u->w->arena);
    err = rows_guard(&u->rows, write_guard_number(u->op.id));
    p = err ? source_fail(u, err) : undo_all(u);
    rows_end(&u->rows);
    if (p) {
        source_rollback(u->source);
        return p;
    }
    p = write_commit(u->w, u->source, &u->op, &detail);
    return p ? fail(u, p, detail) : PROBLEM_OK;
}

enum problem write_undo(struct worker *w, const json_t *body, json_t **answer,
                        char detail[static 400])
{
    struct undoing u = {.w = w, .detail = detail, .ops = json_array(), .done = json_object()};
    write_recover(w, NULL);
    enum problem p = choose(&u, body);
    if (!p) {
        fill_op(&u, body);
        p = run(&u);
    }
    if (!p)
        *answer =
            json_pack("{s:s, s:s, s:O, s:I}", "operation_id", u.op.id, "dataset_id", u.op.dataset,
                      "undone", u.op.undoes, "rows", (json_int_t)json_array_size(u.op.rows));
    json_decref(u.ops);
    json_decref(u.done);
    json_decref(u.op.rows);
    json_decref(u.op.undoes);
    json_decref(u.op.shape);
    return p;
}
