/* SPDX-License-Identifier: Apache-2.0 */
/* A write of an app: the rows are held, imaged, changed and imaged again in one transaction of the
 * source; the journal has them before that is committed. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "data/query/cell.h"
#include "data/write/body.h"
#include "data/write/rows.h"
#include "plan/plan.h"

struct writing {
    struct worker *w;
    const struct catalog_api *api;
    const struct service_request *rq;
    struct service_reply *rp;
    enum catalog_write what;
    bool representation;
    struct query shown; /* what the caller asked to see */
    struct write_body body;
    struct source *source;
    struct rows rows;
    struct journal_op op;
    const char *detail;
    struct slice where;
};

static enum problem fail(struct writing *x, enum problem p, const char *detail, const char *where)
{
    x->detail = detail;
    x->where = slice_str(where);
    return p;
}

static enum problem source_fail(struct writing *x, enum source_err err)
{
    return write_source_problem(err, &x->detail);
}

static bool has_token(struct slice header, const char *token)
{
    return header.p && header.n && memmem(header.p, header.n, token, strlen(token)) != NULL;
}

/* What postgrest-js says of the members of an insert is in the body anyway. */
static struct slice without_columns(struct arena *arena, struct slice raw)
{
    char *out = arena_get(arena, 1, raw.n + 1);
    size_t n = 0;
    if (!out)
        return raw;
    while (raw.n) {
        const char *end = memchr(raw.p, '&', raw.n);
        size_t len = end ? (size_t)(end - raw.p) : raw.n;
        if (len < 8 || memcmp(raw.p, "columns=", 8) != 0) {
            if (n)
                out[n++] = '&';
            memcpy(out + n, raw.p, len);
            n += len;
        }
        raw = end ? slice_of(end + 1, raw.n - len - 1) : slice_of(raw.p + len, 0);
    }
    return slice_of(out, n);
}

static enum problem parse_query(struct writing *x)
{
    struct worker *w = x->w;
    struct query_error err = {.where = SLICE("")};
    const char *mark = memchr(x->rq->target.p, '?', x->rq->target.n);
    struct slice raw =
        mark ? slice_of(mark + 1, x->rq->target.n - (size_t)(mark + 1 - x->rq->target.p))
             : SLICE("");
    struct query_input in = {
        .raw = x->what == CATALOG_INSERT ? without_columns(&w->arena, raw) : raw,
        .range = SLICE(""),
        .range_unit = SLICE(""),
        .prefer = SLICE(""),
        .accept = x->rq->header(x->rq->ctx, "Accept"),
        .outcome = w->call.outcome,
        .regex = false,
        .max_rows = WRITE_ROWS_MAX + 1,
    };
    enum problem p = query_parse(&w->query, &w->arena, &x->api->table, &in, &err);
    if (p) {
        x->detail = err.detail;
        return p;
    }
    if (w->query.limit != in.max_rows || w->query.offset)
        return fail(x, PROBLEM_QUERY_MALFORMED, "limit and offset are for reading", "limit");
    bool filtered = w->query.where.first != NULL;
    if (x->what == CATALOG_INSERT ? filtered : !filtered)
        return fail(x, PROBLEM_QUERY_MALFORMED,
                    filtered ? "an insert has no filter"
                             : "a filter says which rows are meant; without one nothing is written",
                    "");
    x->shown = w->query;
    return PROBLEM_OK;
}

static enum problem take_word(struct writing *x, const char *header,
                              char out[static JOURNAL_WORD_MAX + 1])
{
    struct slice text = x->rq->header(x->rq->ctx, header);
    out[0] = '\0';
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < 0x21 || text.p[i] > 0x7e)
            return fail(x, PROBLEM_PARAMETER_INVALID, "printable ASCII without blanks", header);
    if (text.n > JOURNAL_WORD_MAX)
        return fail(x, PROBLEM_PARAMETER_INVALID, "128 bytes at most", header);
    snprintf(out, JOURNAL_WORD_MAX + 1, "%.*s", SLICE_FMT(text));
    return PROBLEM_OK;
}

static enum problem read_headers(struct writing *x)
{
    struct slice prefer = x->rq->header(x->rq->ctx, "Prefer");
    x->representation = has_token(prefer, "return=representation");
    if (has_token(prefer, "resolution="))
        return fail(x, PROBLEM_PARAMETER_INVALID, "an insert of a key that is there is refused",
                    "Prefer");
    enum problem p = take_word(x, "Idempotency-Key", x->op.key);
    return p ? p : take_word(x, "Batch-Id", x->op.batch);
}

static void fill_op(struct writing *x)
{
    static const char *const kinds[] = {
        [CATALOG_INSERT] = "insert", [CATALOG_UPDATE] = "update", [CATALOG_DELETE] = "delete"};
    const struct link_call *call = &x->w->call;
    struct journal_op *op = &x->op;
    uuid_new_text(op->id);
    uuid_format(&x->api->dataset, op->dataset);
    uuid_format(&x->api->source, op->source);
    uuid_format(&call->api, op->api);
    uuid_format(&call->app, op->app);
    uuid_format(&call->txn, op->txn);
    if (!uuid_is_nil(&call->grant))
        uuid_format(&call->grant, op->grant);
    if (!op->batch[0])
        snprintf(op->batch, sizeof op->batch, "%s", op->id);
    snprintf(op->owner, sizeof op->owner, "%.*s", SLICE_FMT(call->owner));
    snprintf(op->kind, sizeof op->kind, "%s", kinds[x->what]);
    op->deliver = x->api->delivers;
    op->at_ms = clock_wall_ms();
    crypto_hmac_begin(x->w->version);
    crypto_hmac_add(x->w->version, x->rq->method.p, x->rq->method.n);
    crypto_hmac_add(x->w->version, "\n", 1);
    crypto_hmac_add(x->w->version, x->rq->target.p, x->rq->target.n);
    crypto_hmac_add(x->w->version, "\n", 1);
    crypto_hmac_add(x->w->version, call->owner.p ? call->owner.p : "", call->owner.n);
    if (call->rows.n) {
        crypto_hmac_add(x->w->version, "\n", 1);
        crypto_hmac_add(x->w->version, call->rows.p, call->rows.n);
    }
    crypto_hmac_add(x->w->version, "\n", 1);
    crypto_hmac_add(x->w->version, x->rq->body.p ? x->rq->body.p : "", x->rq->body.n);
    crypto_hmac_end(x->w->version, op->fingerprint);
}

/* The rows ------------------------------------------------------------------------------------- */

static bool key_fields(struct writing *x, struct query *q)
{
    q->n_select = 0;
    for (size_t k = 0; k < x->api->table.n_keys; k++)
        for (size_t i = 0; i < x->api->table.n_columns; i++)
            if (slice_eq(x->api->columns[i].column, x->api->table.keys[k])) {
                q->select[q->n_select++] = (uint16_t)i;
                break;
            }
    return q->n_select == x->api->table.n_keys && q->n_select > 0;
}

static json_t *key_of_cells(struct writing *x, const struct source_rows *rows)
{
    json_t *key = json_object();
    for (size_t i = 0; i < x->w->query.n_select; i++) {
        const struct query_column *c = &x->api->columns[x->w->query.select[i]];
        struct slice text;
        if (!source_cell(rows, i, &text)) {
            json_decref(key);
            return NULL;
        }
        json_object_setn_new(key, c->column.p, c->column.n,
                             rows_value(text, c->type == QUERY_BINARY));
    }
    return key;
}

/* The row with this key, and nothing else, into w->query. */
static bool of_key(struct writing *x, const json_t *key)
{
    struct query *q = &x->w->query;
    struct query_node *last = NULL;
    query_clear(q);
    if (!key_fields(x, q))
        return false;
    q->limit = 1;
    q->where.kind = QUERY_AND;
    for (size_t i = 0; i < q->n_select; i++) {
        struct slice column = x->api->columns[q->select[i]].column;
        struct query_node *node = arena_get(&x->w->arena, sizeof *node, 1);
        struct slice *value = arena_get(&x->w->arena, sizeof *value, 1);
        if (!node || !value)
            return false;
        *value = rows_bytes(json_object_getn(key, column.p, column.n), &x->w->arena);
        if (!value->p)
            return false;
        *node = (struct query_node){.kind = QUERY_CONDITION,
                                    .op = QUERY_EQ,
                                    .column = q->select[i],
                                    .n_values = 1,
                                    .values = value};
        *(last ? &last->next : &q->where.first) = node;
        last = node;
    }
    return true;
}

/* A dataset that gives an app only some rows takes only such: a row is none of an app's to make, or
 * to make so, that it could not read afterwards. Asked of the source, inside the transaction. */
static enum problem check_seen(struct writing *x, const json_t *key)
{
    struct sql_scope scope;
    struct source_rows rows;
    bool there = false;
    if (!x->api->table.filter && !x->w->rows)
        return PROBLEM_OK;
    if (!of_key(x, key))
        return PROBLEM_QUERY_TOO_LARGE;
    (void)service_scope(x->w, x->api, &scope);
    struct sql sql = service_sql(x->w, x->source);
    sql_select(&sql, &x->api->table, &x->w->query, &scope);
    if (sql.failed)
        return PROBLEM_QUERY_TOO_LARGE;
    enum source_err err =
        source_query(x->source, buf_slice(sql.text), sql.params, sql.n_params, &rows);
    if (err)
        return source_fail(x, err);
    err = source_next(&rows, &there);
    source_rows_end(&rows);
    if (err)
        return source_fail(x, err);
    return there ? PROBLEM_OK
                 : fail(x, PROBLEM_ROW_FORBIDDEN,
                        "the row would be none of those that the API gives", "");
}

/* The keys of the rows that the filter means, of this owner alone. */
static enum problem find_keys(struct writing *x, json_t *keys)
{
    struct worker *w = x->w;
    struct sql_scope scope;
    struct source_rows rows;
    bool more = true;
    if (!key_fields(x, &w->query))
        return PROBLEM_INTERNAL;
    w->query.n_order = 0;
    (void)service_scope(w, x->api, &scope);
    struct sql sql = service_sql(w, x->source);
    sql_select(&sql, &x->api->table, &w->query, &scope);
    if (sql.failed)
        return PROBLEM_QUERY_TOO_LARGE;
    enum source_err err =
        source_query(x->source, buf_slice(sql.text), sql.params, sql.n_params, &rows);
    if (err)
        return source_fail(x, err);
    while (!(err = source_next(&rows, &more)) && more) {
        json_t *key = key_of_cells(x, &rows);
        if (!key || json_array_append_new(keys, key) != 0)
            break;
    }
    source_rows_end(&rows);
    if (err)
        return source_fail(x, err);
    if (more)
        return fail(x, PROBLEM_STATE_CONFLICT, "a row without a key cannot be written", "");
    return json_array_size(keys) > WRITE_ROWS_MAX
               ? fail(x, PROBLEM_QUERY_TOO_LARGE, "500 rows at most are written at once", "")
               : PROBLEM_OK;
}

static void version_of(struct writing *x, const json_t *image, char out[static WRITE_VERSION_MAX])
{
    write_version_begin(x->w);
    for (size_t i = 0; i < x->api->table.n_columns; i++) {
        const struct query_column *c = &x->api->columns[i];
        if (!c->column.n || x->w->call.outcome[i] == PLAN_DROP)
            continue;
        const json_t *value = json_object_getn(image, c->column.p, c->column.n);
        struct slice text = rows_bytes(value, &x->w->arena);
        write_version_add(x->w, (enum query_type)c->type, text, !text.p);
    }
    write_version_end(x->w, out);
}

/* EC-7.1.4.1c: who changes a state says which one he saw. */
static enum problem check_version(struct writing *x, const json_t *image, size_t n_rows)
{
    char version[WRITE_VERSION_MAX];
    struct slice wanted = x->rq->header(x->rq->ctx, "If-Match");
    if (wanted.n == 0 || slice_eq(wanted, SLICE("*")))
        return PROBLEM_OK;
    if (n_rows != 1)
        return fail(x, PROBLEM_PRECONDITION_FAILED, "a version is of one row", "If-Match");
    version_of(x, image, version);
    return slice_eq(wanted, slice_str(version))
               ? PROBLEM_OK
               : fail(x, PROBLEM_PRECONDITION_FAILED, "the row has changed since", "If-Match");
}

static json_t *image_row(const json_t *key, json_t *before, json_t *after)
{
    return json_pack("{s:O, s:o, s:o}", "key", key, "before", before ? before : json_null(),
                     "after", after ? after : json_null());
}

static enum problem insert_one(struct writing *x, const json_t *item)
{
    json_t *values = NULL, *key = NULL, *after = NULL;
    enum source_err err = SOURCE_OK;
    enum problem p = write_body_values(&x->body, x->w, x->api, item, NULL, &values);
    if (!p) {
        err = rows_insert(&x->rows, values, &key);
        if (!err)
            err = rows_read(&x->rows, key, &after);
        if (!err && !after)
            err = SOURCE_ECONSTRAINT;
        p = err ? source_fail(x, err) : PROBLEM_OK;
    } else {
        x->detail = x->body.detail;
        x->where = x->body.where;
    }
    if (!p)
        p = check_seen(x, key);
    if (!p)
        json_array_append_new(x->op.rows, image_row(key, NULL, after));
    else
        json_decref(after);
    json_decref(values);
    json_decref(key);
    return p;
}

static enum problem update_one(struct writing *x, const json_t *key, const json_t *before,
                               json_t **after)
{
    json_t *values = NULL;
    enum problem p = write_body_values(&x->body, x->w, x->api, json_array_get(x->body.items, 0),
                                       before, &values);
    if (p) {
        x->detail = x->body.detail;
        x->where = x->body.where;
    } else {
        enum source_err err = rows_update(&x->rows, key, values);
        if (!err)
            err = rows_read(&x->rows, key, after);
        if (!err && !*after)
            err = SOURCE_ECONSTRAINT;
        p = err ? source_fail(x, err) : PROBLEM_OK;
    }
    json_decref(values);
    return p;
}

static enum problem change_one(struct writing *x, const json_t *key, size_t n_rows)
{
    json_t *before = NULL, *after = NULL;
    enum source_err err = rows_read(&x->rows, key, &before);
    if (err)
        return source_fail(x, err);
    if (!before)
        return PROBLEM_OK; /* gone since it was found: its transaction came first */
    enum problem p = check_version(x, before, n_rows);
    if (!p && x->what == CATALOG_UPDATE)
        p = update_one(x, key, before, &after);
    if (!p && x->what == CATALOG_UPDATE)
        p = check_seen(x, key);
    if (!p && x->what == CATALOG_DELETE) {
        err = rows_delete(&x->rows, key);
        p = err ? source_fail(x, err) : PROBLEM_OK;
    }
    if (!p)
        json_array_append_new(x->op.rows, image_row(key, before, after));
    else {
        json_decref(before);
        json_decref(after);
    }
    return p;
}

static enum problem apply(struct writing *x)
{
    enum problem p = PROBLEM_OK;
    const json_t *one;
    size_t i;
    if (x->what == CATALOG_INSERT) {
        json_array_foreach(x->body.items, i, one)
        {
            if (!p)
                p = insert_one(x, one);
        }
        return p;
    }
    json_t *keys = json_array();
    p = find_keys(x, keys);
    if (!p && x->rq->header(x->rq->ctx, "If-Match").n && json_array_size(keys) == 0)
        p = fail(x, PROBLEM_PRECONDITION_FAILED, "there is no such row", "If-Match");
    json_array_foreach(keys, i, one)
    {
        if (!p)
            p = change_one(x, one, json_array_size(keys));
    }
    json_decref(keys);
    return p;
}

/* The answer ----------------------------------------------------------------------------------- */

static void add_row(struct writing *x, const json_t *image)
{
    struct buf *out = &x->w->body;
    for (size_t i = 0; i < x->shown.n_select; i++) {
        uint16_t at = x->shown.select[i];
        const struct query_column *c = &x->api->columns[at];
        const json_t *value = json_object_getn(image, c->column.p, c->column.n);
        struct slice text = rows_bytes(value, &x->w->arena);
        buf_addc(out, i ? ',' : '{');
        buf_add(out, x->api->members[at].p, x->api->members[at].n);
        if (!text.p)
            buf_add(out, "null", 4);
        else
            cell_write(out, (enum query_type)c->type, text);
    }
    buf_addc(out, '}');
}

static enum problem answer(struct writing *x)
{
    size_t i, n = json_array_size(x->op.rows);
    const json_t *row;
    const char *image = x->what == CATALOG_DELETE ? "before" : "after";
    buf_clear(&x->w->body);
    x->op.status = x->what == CATALOG_INSERT ? 201 : x->representation ? 200 : 204;
    if (x->shown.single && n != 1)
        return fail(x, PROBLEM_NOT_ACCEPTABLE, n ? "more than one row" : "no row", "");
    if (n == 1 && x->what != CATALOG_DELETE)
        version_of(x, json_object_get(json_array_get(x->op.rows, 0), image), x->rp->etag);
    if (!x->representation)
        return PROBLEM_OK;
    if (!x->shown.single)
        buf_addc(&x->w->body, '[');
    json_array_foreach(x->op.rows, i, row)
    {
        if (i)
            buf_addc(&x->w->body, ',');
        add_row(x, json_object_get(row, image));
    }
    if (!x->shown.single)
        buf_addc(&x->w->body, ']');
    return x->w->body.failed ? PROBLEM_INTERNAL : PROBLEM_OK;
}

static enum problem attempt(struct writing *x)
{
    json_array_clear(x->op.rows);
    buf_clear(&x->w->sql);
    enum source_err err = source_begin(x->source);
    if (err)
        return source_fail(x, err);
    err = rows_guard(&x->rows, write_guard_number(x->op.id));
    enum problem p = err ? source_fail(x, err) : apply(x);
    if (!p)
        p = answer(x);
    if (!p) {
        x->op.answer = x->w->body.n ? buf_slice(&x->w->body) : SLICE("");
        p = write_journal_problem(wjournal_prepare(x->w->journal, &x->op));
        if (p == PROBLEM_STATE_CONFLICT)
            x->detail = "a call with this idempotency key is under way";
        if (p == PROBLEM_STORAGE_FULL)
            x->detail = "the journal of writes has no room; nothing was written";
    }
    if (p) {
        source_rollback(x->source);
        return p;
    }
    return write_commit(x->w, x->source, &x->op, &x->detail);
}

static bool beaten(const struct writing *x, enum problem p)
{
    const char *busy;
    (void)write_source_problem(SOURCE_EBUSY, &busy);
    return p == PROBLEM_STATE_CONFLICT && x->detail == busy;
}

static json_t *key_names(const struct catalog_api *api)
{
    json_t *names = json_array();
    for (size_t i = 0; i < api->table.n_keys; i++)
        json_array_append_new(names, json_stringn(api->table.keys[i].p, api->table.keys[i].n));
    return names;
}

static enum problem write_rows(struct writing *x)
{
    json_t *keys = key_names(x->api);
    enum problem p = write_open(x->w, x->op.source, x->api->table.schema.p, x->api->table.table.p,
                                keys, &x->source, &x->op.shape);
    json_decref(keys);
    if (p)
        return p;
    x->op.rows = json_array();
    rows_begin(&x->rows, x->source, x->op.shape, &x->w->arena);
    for (int i = 0; i < WRITE_TRIES; i++) {
        struct query query = x->shown;
        x->w->query = query;
        p = attempt(x);
        if (!beaten(x, p))
            break;
    }
    rows_end(&x->rows);
    return p;
}

/* A replay gets what the first got. */
static enum problem replay(struct writing *x, bool *done)
{
    struct journal_kept kept = {.answer = &x->w->body};
    *done = false;
    if (!x->op.key[0])
        return PROBLEM_OK;
    enum journal_err err = wjournal_kept(x->w->journal, x->op.app, x->op.key, &kept);
    if (err == JOURNAL_EABSENT)
        return PROBLEM_OK;
    if (err)
        return write_journal_problem(err);
    if (!crypto_equal(kept.fingerprint, x->op.fingerprint, CRYPTO_HASH_LEN))
        return fail(x, PROBLEM_IDEMPOTENCY_MISMATCH, NULL, "Idempotency-Key");
    if (strcmp(kept.state, "prepared") == 0)
        return fail(x, PROBLEM_STATE_CONFLICT, "a call with this idempotency key is under way",
                    "Idempotency-Key");
    *done = true;
    x->op.status = kept.status;
    x->rp->replayed = true;
    memcpy(x->op.id, kept.id, sizeof kept.id);
    return PROBLEM_OK;
}

static enum problem run(struct writing *x)
{
    struct sql_scope scope;
    bool done;
    if (!x->w->journal)
        return PROBLEM_INTERNAL;
    if (!service_scope(x->w, x->api, &scope))
        return fail(x, PROBLEM_GRANT_MISSING, "a write is to the rows of an owner", "");
    enum problem p = read_headers(x);
    if (!p)
        p = parse_query(x);
    if (!p && x->what != CATALOG_DELETE) {
        p = write_body_parse(&x->body, x->w, x->api, x->rq, x->what == CATALOG_INSERT);
        if (p)
            x->detail = x->body.detail, x->where = x->body.where;
    }
    if (p)
        return p;
    if (x->w->call.sandbox)
        return fail(x, PROBLEM_SANDBOX_UNAVAILABLE,
                    "the write would be taken; in the test stage nothing is written", "");
    fill_op(x);
    write_recover(x->w, x->op.dataset);
    p = replay(x, &done);
    return p || done ? p : write_rows(x);
}

static enum catalog_write what_of(struct slice method)
{
    return slice_eq(method, SLICE("POST"))    ? CATALOG_INSERT
           : slice_eq(method, SLICE("PATCH")) ? CATALOG_UPDATE
                                              : CATALOG_DELETE;
}

void write_handle(struct worker *w, const struct catalog_api *api, const struct service_request *rq,
                  struct service_reply *rp)
{
    static _Thread_local struct writing x; /* two queries: some kilobytes */
    x = (struct writing){
        .w = w, .api = api, .rq = rq, .rp = rp, .what = what_of(rq->method), .where = SLICE("")};
    enum problem p = run(&x);
    if (!p || p == PROBLEM_SOURCE_UNAVAILABLE) /* then it may be in doubt, and the journal knows */
        snprintf(rp->operation, sizeof rp->operation, "%s", x.op.id);
    if (p) {
        rp->etag[0] = '\0';
        service_problem(w, rq, rp, p, x.detail, x.where);
    } else {
        rp->status = x.op.status;
        rp->content_type = x.shown.single ? "application/vnd.pgrst.object+json; charset=utf-8"
                                          : "application/json; charset=utf-8";
    }
    json_decref(x.body.items);
    json_decref(x.op.shape);
    json_decref(x.op.rows);
    x = (struct writing){0};
}
