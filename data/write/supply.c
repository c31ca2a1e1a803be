/* SPDX-License-Identifier: Apache-2.0 */
/* What a business unit supplies: records by their key, made or brought up to date. Its own data, so
 * all fields and no owner's limits; journalled and taken back as any write. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "data/write/rows.h"
#include "data/write/write.h"
#include "personal/personal.h"

struct supplying {
    struct worker *w;
    char *detail; /* 400 bytes */
    const json_t *body, *columns;
    json_t *dataset, *records; /* records: {column: text} */
    struct source *source;
    struct rows rows;
    struct journal_op op;
    json_int_t inserted, updated, unchanged;
};

static const char *text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

static enum problem source_fail(struct supplying *s, enum source_err err)
{
    const char *detail = "";
    enum problem p = write_source_problem(err, &detail);
    snprintf(s->detail, 400, "%s", detail);
    return p;
}

static const json_t *column_of(const struct supplying *s, const char *name)
{
    const json_t *column;
    size_t i;
    json_array_foreach(s->columns, i, column)
    {
        if (strcmp(text_of(column, "name"), name) == 0)
            return column;
    }
    return NULL;
}

static bool pass(const struct supplying *s, const json_t *column, json_t **text)
{
    const json_t *guarded = json_object_get(s->dataset, "guarded");
    const char *kind;
    return !personal_guards(guarded, slice_str(text_of(column, "column"))) ||
           personal_pass(personal_guard_of(guarded), text, &kind);
}

static enum problem take_record(struct supplying *s, size_t at, const json_t *record)
{
    json_t *out = json_object(), *value;
    const char *name, *why;
    json_array_append_new(s->records, out);
    if (!json_is_object(record) || json_object_size(record) == 0) {
        snprintf(s->detail, 400, "record %zu: an object of fields is needed", at);
        return PROBLEM_BODY_INVALID;
    }
    json_object_foreach((json_t *)(uintptr_t)record, name, value)
    {
        const json_t *column = column_of(s, name);
        if (!column) {
            snprintf(s->detail, 400, "record %zu: the dataset has no field %.64s", at, name);
            return PROBLEM_FIELD_UNKNOWN;
        }
        json_t *text =
            write_value(value, query_type_by_name(slice_str(text_of(column, "type"))), &why);
        if (!text) {
            snprintf(s->detail, 400, "record %zu, field %.64s: %s", at, name, why ? why : "");
            return PROBLEM_BODY_INVALID;
        }
        if (!pass(s, column, &text)) {
            json_decref(text);
            snprintf(s->detail, 400, "record %zu, field %.64s: %s", at, name, PERSONAL_REFUSED);
            return PROBLEM_SENSITIVE_FIELD;
        }
        json_object_set_new(out, text_of(column, "column"), text);
    }
    return PROBLEM_OK;
}

static enum problem read_body(struct supplying *s)
{
    struct uuid id;
    uint64_t rev;
    const char *dataset = text_of(s->body, "dataset");
    const json_t *records = json_object_get(s->body, "records"), *record;
    size_t i, n = json_array_size(records);
    enum problem p = PROBLEM_OK;
    if (uuid_parse(&id, dataset, strlen(dataset)))
        s->dataset = catalog_dataset(&s->w->catalog, &id, &rev);
    if (!s->dataset) {
        snprintf(s->detail, 400, "the dataset is not published");
        return PROBLEM_STATE_CONFLICT;
    }
    s->columns = json_object_get(s->dataset, "columns");
    if (n == 0 || n > WRITE_ROWS_MAX) {
        snprintf(s->detail, 400, "records: one to 500 of them");
        return PROBLEM_BODY_INVALID;
    }
    json_array_foreach(records, i, record)
    {
        if (!p)
            p = take_record(s, i, record);
    }
    return p;
}

static json_t *key_names(const struct supplying *s)
{
    json_t *names = json_array();
    const json_t *column;
    size_t i;
    json_array_foreach(s->columns, i, column)
    {
        if (json_is_true(json_object_get(column, "key")))
            json_array_append(names, json_object_get(column, "column"));
    }
    return names;
}

static enum source_err put(struct supplying *s, const json_t *record, json_t *consent)
{
    json_t *before = NULL, *after = NULL, *key = rows_key(s->op.shape, record);
    enum source_err err = key ? rows_read(&s->rows, key, &before) : SOURCE_OK;
    if (!err && before)
        err = rows_update(&s->rows, key, record);
    else if (!err) {
        json_decref(key);
        err = rows_insert(&s->rows, record, &key);
    }
    if (!err)
        err = rows_read(&s->rows, key, &after);
    if (!err && !after)
        err = SOURCE_ECONSTRAINT;
    bool same = !err && before && json_equal(before, after);
    if (!err) {
        s->unchanged += same;
        s->updated += before && !same;
        s->inserted += !before;
    }
    if (!err && !same)
        json_array_append_new(s->op.rows, json_pack("{s:O, s:O?, s:O, s:O*}", "key", key, "before",
                                                    before, "after", after, "consent", consent));
    json_decref(before);
    json_decref(after);
    json_decref(key);
    return err;
}

static json_t *outcome(const struct supplying *s)
{
    return json_pack("{s:s, s:I, s:I, s:I}", "operation_id", s->op.id, "inserted", s->inserted,
                     "updated", s->updated, "unchanged", s->unchanged);
}

static enum problem put_all(struct supplying *s)
{
    const json_t *record;
    size_t i;
    enum source_err err = SOURCE_OK;
    json_array_foreach(s->records, i, record)
    {
        if (!err)
            err = put(s, record, json_array_get(json_object_get(s->body, "consents"), i));
    }
    if (err)
        return source_fail(s, err);
    json_t *answer = outcome(s);
    char *text = json_dumps(answer, JSON_COMPACT);
    s->op.answer = slice_str(text ? text : "");
    enum journal_err failed = wjournal_prepare(s->w->journal, &s->op);
    json_decref(answer);
    free(text);
    s->op.answer = SLICE("");
    if (failed == JOURNAL_EFULL)
        snprintf(s->detail, 400, "the journal of writes has no room; nothing was written");
    return write_journal_problem(failed);
}

static void fill_op(struct supplying *s)
{
    struct journal_op *op = &s->op;
    uuid_new_text(op->id);
    snprintf(op->dataset, sizeof op->dataset, "%s", text_of(s->body, "dataset"));
    snprintf(op->source, sizeof op->source, "%s", text_of(s->dataset, "source_id"));
    snprintf(op->txn, sizeof op->txn, "%s", text_of(s->body, "transaction"));
    snprintf(op->app, sizeof op->app, "%s", text_of(s->body, "actor")); /* whose keys they are */
    snprintf(op->actor, sizeof op->actor, "%s", text_of(s->body, "actor"));
    snprintf(op->key, sizeof op->key, "%s", text_of(s->body, "idempotency_key"));
    snprintf(op->batch, sizeof op->batch, "%s",
             *text_of(s->body, "batch") ? text_of(s->body, "batch") : op->id);
    snprintf(op->kind, sizeof op->kind, "supply");
    op->at_ms = clock_wall_ms();
    op->status = 200;
    char *records = json_dumps(json_object_get(s->body, "records"), JSON_COMPACT);
    char *consents = json_dumps(json_object_get(s->body, "consents"), JSON_COMPACT);
    crypto_hmac_begin(s->w->version);
    crypto_hmac_add(s->w->version, op->dataset, strlen(op->dataset));
    crypto_hmac_add(s->w->version, records ? records : "", records ? strlen(records) : 0);
    crypto_hmac_add(s->w->version, consents ? consents : "", consents ? strlen(consents) : 0);
    crypto_hmac_end(s->w->version, op->fingerprint);
    free(records);
    free(consents);
}

static enum problem attempt(struct supplying *s)
{
    const char *detail = "";
    json_array_clear(s->op.rows);
    s->inserted = s->updated = s->unchanged = 0;
    enum source_err err = source_begin(s->source);
    if (err)
        return source_fail(s, err);
    err = rows_guard(&s->rows, write_guard_number(s->op.id));
    enum problem p = err ? source_fail(s, err) : put_all(s);
    if (p) {
        source_rollback(s->source);
        return p;
    }
    p = write_commit(s->w, s->source, &s->op, &detail);
    if (p)
        snprintf(s->detail, 400, "%s", detail);
    return p;
}

/* Of a push that came before: what it was answered. */
static enum problem replay(struct supplying *s, json_t **answer)
{
    struct buf text;
    struct journal_kept kept = {.answer = &text};
    if (!s->op.key[0])
        return PROBLEM_OK;
    buf_init(&text);
    enum journal_err err = wjournal_kept(s->w->journal, s->op.app, s->op.key, &kept);
    enum problem p = err == JOURNAL_EABSENT ? PROBLEM_OK : write_journal_problem(err);
    if (!err && !crypto_equal(kept.fingerprint, s->op.fingerprint, CRYPTO_HASH_LEN))
        p = PROBLEM_IDEMPOTENCY_MISMATCH;
    else if (!err && strcmp(kept.state, "prepared") == 0)
        p = PROBLEM_STATE_CONFLICT;
    else if (!err)
        *answer = json_loadb(text.p, text.n, 0, NULL);
    buf_fini(&text);
    return p;
}

static enum problem run(struct supplying *s, json_t **answer)
{
    enum problem p = read_body(s);
    if (p)
        return p;
    fill_op(s);
    write_recover(s->w, s->op.dataset);
    p = replay(s, answer);
    if (p || *answer)
        return p;
    json_t *names = key_names(s);
    p = write_open(s->w, s->op.source, text_of(s->dataset, "schema"), text_of(s->dataset, "table"),
                   names, &s->source, &s->op.shape);
    json_decref(names);
    if (p)
        return p;
    rows_begin(&s->rows, s->source, s->op.shape, &s->w->arena);
    s->op.rows = json_array();
    p = attempt(s);
    rows_end(&s->rows);
    if (!p)
        *answer = outcome(s);
    return p;
}

enum problem write_supply(struct worker *w, const json_t *body, json_t **answer,
                          char detail[static 400])
{
    struct supplying s = {.w = w, .detail = detail, .body = body, .records = json_array()};
    enum problem p = run(&s, answer);
    json_decref(s.dataset);
    json_decref(s.records);
    json_decref(s.op.rows);
    json_decref(s.op.shape);
    return p;
}
