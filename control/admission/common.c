/* SPDX-License-Identifier: Apache-2.0 */
#include "admission/inner.h"
#include "base/clock.h"
#include "notices/notices.h"

json_t *admission_time(uint64_t ms)
{
    char text[CLOCK_RFC3339_LEN + 1];

    clock_format_ms(ms, text);
    return json_string(text);
}

enum problem admission_count(struct rest_call *c, struct store_txn *txn, const char *sql,
                             const struct store_value *v, size_t n, int64_t *count)
{
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, v, n, &rows);

    *count = 0;
    if (err == STORE_OK && store_next(rows)) {
        *count = store_get_int(rows, 0);
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

enum problem admission_exists(struct rest_call *c, struct store_txn *txn, const char *sql,
                              const struct store_value *v, size_t n, bool *there)
{
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, v, n, &rows);

    *there = err == STORE_OK && store_next(rows);
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

enum problem admission_texts(struct rest_call *c, struct store_txn *txn, const char *sql,
                             const struct store_value *v, size_t n, json_t *texts)
{
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, v, n, &rows);

    while (err == STORE_OK && store_next(rows)) {
        json_array_append_new(texts, json_string(store_get_text(rows, 0)));
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

enum problem admission_tell(struct rest_call *c, struct store_txn *txn, const char *notice,
                            const char *organisation, const struct resource *res, const json_t *row,
                            const char *name, const char *detail)
{
    const struct notice n = {.kind = notice,
                             .organisation_id = organisation,
                             .object_kind = res->kind,
                             .object_id = row_text(row, "id"),
                             .object_name = name && name[0] ? name : NULL,
                             .detail = detail && detail[0] ? detail : NULL};

    return notice_put(c, txn, &n);
}

enum problem admission_document(struct rest_call *c, struct store_txn *txn, const char *where,
                                const json_t *id)
{
    const struct resource *documents = resource_by_plural("documents");
    const char *text = json_is_string(id) ? json_string_value(id) : "";
    json_t *row = NULL;
    struct uuid u;

    if (!documents || !uuid_parse(&u, text, strlen(text))) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                         "the id of one of the documents is needed");
    }
    enum problem p = row_load(c, txn, documents, text, true, &row);
    if (p == PROBLEM_OK && (!row || !admission_state_is(row, "stored"))) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, where, "there is no such one among the documents");
    }
    json_decref(row);
    return p;
}

enum problem admission_move(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                            json_t *row, const char *state, const char *action)
{
    json_t *old = NULL;
    enum problem p = api_load(c, txn, res, row_text(row, "id"), &old);

    json_object_set_new(row, "state", json_string(state));
    if (p == PROBLEM_OK) {
        p = change_store(c, txn, res, old, row, action);
    }
    json_decref(old);
    return p;
}

enum problem admission_load_path(struct rest_call *c, struct store_txn *txn,
                                 const struct resource *res, json_t **row)
{
    struct uuid u;

    *row = NULL;
    if (!uuid_parse(&u, c->segment[1], strlen(c->segment[1]))) {
        return PROBLEM_NOT_FOUND;
    }
    enum problem p = row_load(c, txn, res, c->segment[1], true, row);
    if (p == PROBLEM_OK && !*row) {
        return PROBLEM_NOT_FOUND;
    }
    if (p == PROBLEM_OK && !row_writable(c, txn, res, c->segment[1])) {
        return PROBLEM_NOT_PERMITTED;
    }
    return p == PROBLEM_OK ? change_precondition(c, *row, true) : p;
}

bool admission_state_is(const json_t *row, const char *state)
{
    return strcmp(row_text(row, "state"), state) == 0;
}
