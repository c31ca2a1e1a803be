/* SPDX-License-Identifier: Apache-2.0 */
/* The journal: who sees which operations, and their images how. A provider sees the rows of its own
 * datasets as they are; everybody else sees them masked, and of level 4 nothing. */
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "base/clock.h"
#include "data_client.h"
#include "mask/mask.h"
#include "write/inner.h"

#define PAGE_MAX 200

static void put_time(json_t *op, const char *name)
{
    json_t *ms = json_object_get(op, name);
    char text[CLOCK_RFC3339_LEN + 1];

    if (json_is_integer(ms)) {
        clock_format_ms((uint64_t)json_integer_value(ms), text);
        json_object_set_new(op, name, json_string(text));
    }
}

/* As people see it: times as text, how its table looked as nobody's business. */
static void publish(json_t *op)
{
    put_time(op, "at");
    put_time(op, "settled_at");
    json_object_del(op, "shape");
    json_object_del(op, "source_id");
}

static enum problem my_datasets(struct rest_call *c, json_t *ids)
{
    struct store_value v[1 + SCOPE_VALUES_MAX];
    struct store_rows *rows = NULL;
    struct store_txn *txn = NULL;
    struct buf sql;
    size_t n = 0;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    buf_init(&sql);
    buf_adds(&sql, "SELECT id FROM datasets t WHERE 1 = 1");
    scope_sql(c, &datasets_resource, false, &sql, v, &n);
    buf_addc(&sql, '\0');
    p = rest_store_problem(c, store_query(txn, sql.p, v, n, &rows));
    if (p == PROBLEM_OK) {
        while (store_next(rows)) {
            json_array_append_new(ids, json_string(store_get_text(rows, 0)));
        }
        p = rest_store_problem(c, store_rows_end(&rows));
    }
    store_rollback(&txn);
    buf_fini(&sql);
    return p;
}

static enum problem put_moment(struct rest_call *c, json_t *filter, const char *name)
{
    const char *text = rest_query(c, name);
    uint64_t ms = 0;

    if (!text) {
        return PROBLEM_OK;
    }
    if (!clock_parse_ms(text, strlen(text), &ms)) {
        return rest_fail(c, PROBLEM_PARAMETER_INVALID, name, "a time like 2026-01-31T08:00:00Z");
    }
    json_object_set_new(filter, name, json_integer((json_int_t)ms));
    return PROBLEM_OK;
}

static enum problem put_number(struct rest_call *c, json_t *filter, const char *name, long max)
{
    const char *text = rest_query(c, name);
    char *end = NULL;
    long long value = text ? strtoll(text, &end, 10) : 0;

    if (!text) {
        return PROBLEM_OK;
    }
    if (end == text || *end || value < 1 || value > max) {
        return rest_fail(c, PROBLEM_PARAMETER_INVALID, name, "a number from 1 to %ld", max);
    }
    json_object_set_new(filter, name, json_integer(value));
    return PROBLEM_OK;
}

static enum problem read_filter(struct rest_call *c, json_t *filter)
{
    static const struct {
        const char *parameter, *member;
    } rows[] = {{"dataset_id", "dataset"}, {"app_id", "app"}, {"batch", "batch"},
                {"state", "state"},        {"kind", "kind"},  {"transaction_id", "transaction"},
                {"owner", "owner"}};
    static const char *const names[] = {"dataset_id",     "app_id", "batch", "state",
                                        "kind",           "owner",  "since", "until",
                                        "transaction_id", "before", "limit"};
    enum problem p = rest_query_known(c, names, COUNT(names),
                                      "dataset_id, app_id, batch, state, kind, transaction_id, "
                                      "owner, since, until, before, limit");

    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *value = rest_query(c, rows[i].parameter);
        if (value && *value) {
            json_object_set_new(filter, rows[i].member, json_string(value));
        }
    }
    p = p == PROBLEM_OK ? put_moment(c, filter, "since") : p;
    p = p == PROBLEM_OK ? put_moment(c, filter, "until") : p;
    p = p == PROBLEM_OK ? put_number(c, filter, "before", 1L << 50) : p;
    return p == PROBLEM_OK ? put_number(c, filter, "limit", PAGE_MAX) : p;
}

enum problem writes_list(struct rest_call *c)
{
    json_t *filter = json_object(), *ids = json_array(), *answer = NULL, *op;
    size_t i;
    enum problem p = read_filter(c, filter);

    if (p == PROBLEM_OK) {
        p = my_datasets(c, ids);
    }
    json_object_set(filter, "datasets", ids);
    if (p == PROBLEM_OK) {
        p = data_client_post(c, "/internal/v1/writes/list", filter, &answer);
    }
    json_array_foreach(json_object_get(answer, "items"), i, op)
    {
        publish(op);
    }
    json_decref(filter);
    json_decref(ids);
    return p == PROBLEM_OK ? rest_answer(c, 200, answer) : p;
}

/* One operation, if its dataset is among the caller's. write: may the caller change it too. */
static enum problem find(struct rest_call *c, const char *id, bool write, json_t **op,
                         json_t **dataset)
{
    struct store_txn *txn = NULL;
    struct uuid uuid;
    json_t *answer = NULL, *filter = json_pack("{s:s}", "operation", id);
    enum problem p = uuid_parse(&uuid, id, strlen(id))
                         ? data_client_post(c, "/internal/v1/writes/list", filter, &answer)
                         : PROBLEM_NOT_FOUND;

    json_decref(filter);
    *op = json_incref(json_array_get(json_object_get(answer, "items"), 0));
    json_decref(answer);
    if (p == PROBLEM_OK && !*op) {
        p = PROBLEM_NOT_FOUND;
    }
    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_READ, &txn);
    }
    if (p != PROBLEM_OK) {
        return p;
    }
    p = row_load(c, txn, &datasets_resource, row_text(*op, "dataset_id"), true, dataset);
    if (p == PROBLEM_OK && !*dataset) {
        p = PROBLEM_NOT_FOUND;
    }
    if (p == PROBLEM_OK && write &&
        !row_writable(c, txn, &datasets_resource, row_text(*op, "dataset_id"))) {
        p = PROBLEM_NOT_PERMITTED;
    }
    store_rollback(&txn);
    return p;
}

/* Images ----------------------------------------------------------------------------------------
 */

static const json_t *field_of(const json_t *dataset, const char *column)
{
    json_t *f;
    size_t i;

    json_array_foreach(json_object_get(dataset, "fields"), i, f)
    {
        if (strcmp(row_text(f, "column"), column) == 0) {
            return f;
        }
    }
    return NULL;
}

static json_t *masked(const char *rule, const json_t *value)
{
    struct mask_spec spec = {.rule = MASK_NONE};
    struct slice text = slice_of(json_string_value(value), json_string_length(value));

    if (json_is_null(value)) {
        return json_null();
    }
    if (!json_is_string(value) || text.n > MASK_INPUT_MAX ||
        (rule[0] && mask_parse(&spec, slice_str(rule)) != MASK_OK)) {
        return json_string(MASK_COVER);
    }
    char *out = malloc(MASK_OUT_MAX(text.n));
    size_t n = out && spec.rule != MASK_NULL ? mask_apply(&spec, NULL, text, out) : 0;
    json_t *result = spec.rule == MASK_NULL ? json_null() : json_stringn(out ? out : "", n);
    free(out);
    return result ? result : json_string(MASK_COVER);
}

/* By column: whole for who keeps the data, else by level. A column that the dataset does not have
 * has no level, and is nobody's to see. */
static json_t *shown_image(const json_t *dataset, const json_t *image, bool whole)
{
    json_t *out = json_object(), *value;
    const char *column;

    if (!json_is_object(image)) {
        json_decref(out);
        return json_null();
    }
    json_object_foreach((json_t *)(uintptr_t)image, column, value)
    {
        const json_t *field = field_of(dataset, column);
        json_int_t level = json_integer_value(json_object_get(field, "level"));
        if (whole) {
            json_object_set(out, column, value);
        } else if (level == 1 || level == 2) {
            json_object_set_new(out, column,
                                row_text(field, "mask")[0] ? masked(row_text(field, "mask"), value)
                                                           : json_incref(value));
        } else if (level == 3) {
            json_object_set_new(out, column, masked(row_text(field, "mask"), value));
        }
    }
    return out;
}

static json_t *shown_rows(const struct rest_call *c, const json_t *dataset, const json_t *items)
{
    static const char *const members[] = {"key", "before", "after"};
    bool whole = c->user.role == ROLE_PROVIDER &&
                 strcmp(c->user.organisation, row_text(dataset, "organisation_id")) == 0;
    json_t *out = json_array(), *row;
    size_t i;

    json_array_foreach(items, i, row)
    {
        json_t *shown = json_object();
        for (size_t k = 0; k < COUNT(members); k++) {
            json_object_set_new(shown, members[k],
                                shown_image(dataset, json_object_get(row, members[k]), whole));
        }
        if (json_object_get(row, "consent")) { /* it holds nothing of the row */
            json_object_set(shown, "consent", json_object_get(row, "consent"));
        }
        json_array_append_new(out, shown);
    }
    return out;
}

enum problem writes_get(struct rest_call *c)
{
    json_t *op = NULL, *dataset = NULL, *images = NULL;
    enum problem p = find(c, c->segment[1], false, &op, &dataset);

    if (p == PROBLEM_OK) {
        json_t *body = json_pack("{s:s}", "operation", c->segment[1]);
        p = data_client_post(c, "/internal/v1/writes/images", body, &images);
        json_decref(body);
    }
    if (p == PROBLEM_OK) {
        publish(op);
        json_object_set_new(op, "images", shown_rows(c, dataset, json_object_get(images, "items")));
        p = rest_answer(c, 200, json_incref(op));
    }
    json_decref(images);
    json_decref(dataset);
    json_decref(op);
    return p;
}

/* Rollbacks -------------------------------------------------------------------------------------
 */

static enum problem note(struct rest_call *c, struct store_txn *txn, const char *dataset,
                         const json_t *answer)
{
    char *text = json_dumps(answer, JSON_COMPACT | JSON_SORT_KEYS);
    const struct operation op = {.at_ms = c->now_ms,
                                 .actor = c->user.login,
                                 .action = "roll-back",
                                 .kind = "dataset",
                                 .id = dataset,
                                 .after = text};
    enum store_err err = text ? log_operation(txn, &op) : STORE_EIO;

    free(text);
    return rest_store_problem(c, err);
}

static enum problem roll_back(struct rest_call *c, const char *dataset, json_t *body)
{
    json_t *answer = NULL;
    struct store_txn *txn = NULL;

    json_object_set_new(body, "actor", json_string(c->user.login));
    json_object_set_new(body, "transaction", json_string(c->resp->transaction));
    enum problem p = data_client_post(c, "/internal/v1/writes/rollback", body, &answer);
    json_decref(body);
    if (p != PROBLEM_OK) {
        return p;
    }
    /* The journal has it whatever comes now; the operations log says who, for those who read that.
     */
    if (rest_begin(c, STORE_WRITE, &txn) == PROBLEM_OK) {
        enum problem noted = note(c, txn, dataset, answer);
        (void)rest_finish(c, &txn, noted);
    }
    return rest_answer(c, 200, answer);
}

enum problem writes_rollback(struct rest_call *c)
{
    static const char *const none[] = {NULL};
    json_t *op = NULL, *dataset = NULL;
    enum problem p = rest_body_members(c, none);

    if (p == PROBLEM_OK) {
        p = find(c, c->segment[1], true, &op, &dataset);
    }
    if (p == PROBLEM_OK) {
        p = roll_back(c, row_text(dataset, "id"), json_pack("{s:s}", "operation", c->segment[1]));
    }
    json_decref(dataset);
    json_decref(op);
    return p;
}

static enum problem load_dataset(struct rest_call *c, bool write)
{
    struct store_txn *txn = NULL;
    json_t *dataset = NULL;
    struct uuid id;
    enum problem p = uuid_parse(&id, c->segment[1], strlen(c->segment[1]))
                         ? rest_begin(c, STORE_READ, &txn)
                         : PROBLEM_NOT_FOUND;

    if (p != PROBLEM_OK) {
        return p;
    }
    p = row_load(c, txn, &datasets_resource, c->segment[1], true, &dataset);
    if (p == PROBLEM_OK && !dataset) {
        p = PROBLEM_NOT_FOUND;
    }
    if (p == PROBLEM_OK && write && !row_writable(c, txn, &datasets_resource, c->segment[1])) {
        p = PROBLEM_NOT_PERMITTED;
    }
    store_rollback(&txn);
    json_decref(dataset);
    return p;
}

enum problem writes_rollback_many(struct rest_call *c)
{
    static const char *const members[] = {"batch", "app_id", "to", NULL};
    uint64_t to = 0;
    enum problem p = rest_body_members(c, members);
    const char *batch = p == PROBLEM_OK ? row_text(c->body, "batch") : "",
               *time = p == PROBLEM_OK ? row_text(c->body, "to") : "",
               *app = p == PROBLEM_OK ? row_text(c->body, "app_id") : "";

    if (p == PROBLEM_OK && (batch[0] != '\0') == (time[0] != '\0')) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "", "either batch or to is needed");
    }
    if (p == PROBLEM_OK && time[0] && !clock_parse_ms(time, strlen(time), &to)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/to", "a time like 2026-01-31T08:00:00Z");
    }
    if (p == PROBLEM_OK) {
        p = load_dataset(c, true);
    }
    if (p != PROBLEM_OK) {
        return p;
    }
    json_t *body =
        batch[0]
            ? json_pack("{s:s, s:s, s:s}", "dataset", c->segment[1], "batch", batch, "app", app)
            : json_pack("{s:s, s:I}", "dataset", c->segment[1], "to", (json_int_t)to);
    return roll_back(c, c->segment[1], body);
}

/* Deliveries ------------------------------------------------------------------------------------
 */

enum problem deliveries_list(struct rest_call *c)
{
    static const char *const names[] = {"state"};
    const char *state = rest_query(c, "state");
    json_t *answer = NULL, *one;
    size_t i;
    enum problem p = rest_query_known(c, names, COUNT(names), "state");

    if (p == PROBLEM_OK) {
        p = load_dataset(c, false);
    }
    if (p != PROBLEM_OK) {
        return p;
    }
    json_t *body = json_pack("{s:s, s:s}", "dataset", c->segment[1], "state", state ? state : "");
    p = data_client_post(c, "/internal/v1/writes/deliveries", body, &answer);
    json_decref(body);
    json_array_foreach(json_object_get(answer, "items"), i, one)
    {
        put_time(one, "due_at");
    }
    return p == PROBLEM_OK ? rest_answer(c, 200, answer) : p;
}

enum problem deliveries_retry(struct rest_call *c)
{
    char *end = NULL;
    long long id = strtoll(c->segment[3], &end, 10);
    json_t *answer = NULL;
    enum problem p = *end || id <= 0 ? PROBLEM_NOT_FOUND : load_dataset(c, true);

    if (p != PROBLEM_OK) {
        return p;
    }
    json_t *body = json_pack("{s:s, s:I}", "dataset", c->segment[1], "id", (json_int_t)id);
    p = data_client_post(c, "/internal/v1/writes/redeliver", body, &answer);
    json_decref(body);
    return p == PROBLEM_OK ? rest_answer(c, 200, answer) : p;
}
