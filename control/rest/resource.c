/* SPDX-License-Identifier: Apache-2.0 */
/* Read, create, change and act, for every resource alike; api/ says what each one is. */
#include <stdio.h>

#include "base/clock.h"
#include "rest/resource.h"

static enum problem resource_of(struct rest_call *c, const struct resource **res)
{
    *res = resource_by_plural(c->segment[0]);
    return *res ? PROBLEM_OK : PROBLEM_NOT_FOUND;
}

/* A row the caller does not see is not there. */
static enum problem load_visible(struct rest_call *c, struct store_txn *txn,
                                 const struct resource *res, json_t **row)
{
    struct uuid id;

    *row = NULL;
    if (!uuid_parse(&id, c->segment[1], strlen(c->segment[1]))) {
        return PROBLEM_NOT_FOUND;
    }
    enum problem p = row_load(c, txn, res, c->segment[1], true, row);
    return p == PROBLEM_OK && !*row ? PROBLEM_NOT_FOUND : p;
}

enum problem rest_get(struct rest_call *c)
{
    const struct resource *res = NULL;
    struct store_txn *txn = NULL;
    json_t *row = NULL;
    enum problem p = resource_of(c, &res);

    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_READ, &txn);
    }
    if (p == PROBLEM_OK) {
        p = load_visible(c, txn, res, &row);
        store_rollback(&txn);
    }
    if (p == PROBLEM_OK) {
        p = resource_answer(c, res, row, 200);
    }
    json_decref(row);
    return p;
}

void resource_fill(const struct resource *res, json_t *row)
{
    char id[UUID_TEXT_LEN + 1];

    for (size_t i = 0; i < res->n_attrs; i++) {
        const struct attr *a = &res->attrs[i];
        if (!json_object_get(row, a->name)) {
            json_object_set_new(row, a->name,
                                a->fallback ? json_loads(a->fallback, JSON_DECODE_ANY, NULL)
                                            : json_null());
        }
    }
    if (!json_object_get(row, "id")) {
        uuid_new_text(id);
        json_object_set_new(row, "id", json_string(id));
    }
    if (!json_object_get(row, "state")) {
        json_object_set_new(row, "state", json_string(res->initial));
    }
}

json_t *resource_row(const struct resource *res)
{
    json_t *row = json_object();

    resource_fill(res, row);
    return row;
}

static void begin_row(const struct resource *res, json_t *row)
{
    struct uuid id;
    char text[UUID_TEXT_LEN + 1];

    uuid_new(&id);
    uuid_format(&id, text);
    json_object_set_new(row, "id", json_string(text));
    json_object_set_new(row, "state", json_string(res->initial));
}

/* Checks the body against the table in a snapshot, then lets the resource's slow preparation run
 * before the write lock is taken. */
static enum problem create_prepare(struct rest_call *c, const struct resource *res, json_t *row)
{
    struct store_txn *txn = NULL;

    begin_row(res, row);
    enum problem p = rest_begin(c, STORE_READ, &txn);
    if (p != PROBLEM_OK) {
        return p;
    }
    p = attr_apply(c, txn, res, row, true);
    store_rollback(&txn);
    if (p != PROBLEM_OK || !res->prepare) {
        return p;
    }
    struct change ch = {.res = res, .row = row};
    return res->prepare(c, &ch);
}

static enum problem create_write(struct rest_call *c, struct store_txn *txn,
                                 const struct resource *res, json_t *row)
{
    struct change ch = {.res = res, .txn = txn, .row = row};
    enum problem p = res->check ? res->check(c, &ch) : PROBLEM_OK;

    if (p == PROBLEM_OK) {
        p = change_store(c, txn, res, NULL, row, "create");
    }
    if (p == PROBLEM_OK && !row_writable(c, txn, res, row_text(row, "id"))) {
        p = PROBLEM_NOT_PERMITTED;
    }
    return p;
}

enum problem resource_make(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                           json_t *row)
{
    begin_row(res, row);
    enum problem p = attr_apply(c, txn, res, row, true);
    return p == PROBLEM_OK ? create_write(c, txn, res, row) : p;
}

enum problem rest_create(struct rest_call *c)
{
    const struct resource *res = NULL;
    struct store_txn *txn = NULL;
    json_t *row = json_object();
    enum problem p = resource_of(c, &res);

    if (p == PROBLEM_OK) {
        p = create_prepare(c, res, row);
    }
    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_WRITE, &txn);
    }
    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, create_write(c, txn, res, row));
    }
    if (p == PROBLEM_OK) {
        p = resource_answer(c, res, row, 201);
    }
    json_decref(row);
    return p;
}

/* The row as it is, which the caller may change and has seen. */
static enum problem patch_load(struct rest_call *c, struct store_txn *txn,
                               const struct resource *res, json_t **old)
{
    enum problem p = load_visible(c, txn, res, old);

    if (p == PROBLEM_OK && !row_writable(c, txn, res, c->segment[1])) {
        p = PROBLEM_NOT_PERMITTED;
    }
    return p == PROBLEM_OK ? change_precondition(c, *old, true) : p;
}

static enum problem patch_prepare(struct rest_call *c, const struct resource *res, json_t **row)
{
    struct store_txn *txn = NULL;
    json_t *old = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = patch_load(c, txn, res, &old);
    }
    if (p == PROBLEM_OK) {
        *row = json_deep_copy(old);
        p = attr_apply(c, txn, res, *row, false);
    }
    store_rollback(&txn);
    struct change ch = {.res = res, .old = old, .row = *row};
    p = p == PROBLEM_OK ? res->amend(c, &ch) : p;
    json_decref(old);
    return p;
}

static enum problem patch_write(struct rest_call *c, struct store_txn *txn,
                                const struct resource *res, json_t **row)
{
    json_t *old = NULL;
    enum problem p = patch_load(c, txn, res, &old);

    if (p == PROBLEM_OK && *row &&
        !json_equal(json_object_get(*row, "revision"), json_object_get(old, "revision"))) {
        p = rest_fail(c, PROBLEM_PRECONDITION_FAILED, "", "it was changed meanwhile");
    }
    if (p == PROBLEM_OK && !*row) {
        *row = json_deep_copy(old);
        p = attr_apply(c, txn, res, *row, false);
    }
    struct change ch = {.res = res, .txn = txn, .old = old, .row = *row};
    if (p == PROBLEM_OK && res->check) {
        p = res->check(c, &ch);
    }
    if (p == PROBLEM_OK) {
        p = change_store(c, txn, res, old, *row, "update");
    }
    if (p == PROBLEM_OK && !row_writable(c, txn, res, c->segment[1])) {
        p = PROBLEM_NOT_PERMITTED; /* nobody gives a row away */
    }
    json_decref(old);
    return p;
}

enum problem rest_patch(struct rest_call *c)
{
    const struct resource *res = NULL;
    struct store_txn *txn = NULL;
    json_t *row = NULL;
    enum problem p = resource_of(c, &res);

    if (p == PROBLEM_OK && res->amend) {
        p = patch_prepare(c, res, &row);
    }
    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_WRITE, &txn);
    }
    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, patch_write(c, txn, res, &row));
    }
    if (p == PROBLEM_OK) {
        p = resource_answer(c, res, row, 200);
    }
    json_decref(row);
    return p;
}

/* Actions ---------------------------------------------------------------------------------------
 */
static bool names(const char *list, const char *word)
{
    size_t n = strlen(word);

    for (const char *at = list; at; at = strchr(at, '|')) {
        at += *at == '|';
        if (strncmp(at, word, n) == 0 && (at[n] == '|' || at[n] == '\0')) {
            return true;
        }
    }
    return false;
}

static enum problem wrong_state(struct rest_call *c, const struct resource *res, const char *state)
{
    char allowed[160] = "";
    size_t n = 0;

    for (size_t i = 0; i < res->n_transitions; i++) {
        if (names(res->transitions[i].from, state) && n < sizeof allowed - 1) {
            n += (size_t)snprintf(allowed + n, sizeof allowed - n, "%s%s", n ? ", " : "",
                                  res->transitions[i].action);
        }
    }
    return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the state is %s; it allows %s", state,
                     n ? allowed : "no action");
}

/* A built-in role has the rows that name it; who was granted the action has it from any state. */
static bool may_take(const struct rest_call *c, const struct transition *t)
{
    return !c->by_role || (t->roles & c->user.role);
}

static enum problem find_transition(struct rest_call *c, const struct resource *res,
                                    const char *state, const struct transition **found)
{
    bool known = false, permitted = false;

    for (size_t i = 0; i < res->n_transitions; i++) {
        const struct transition *t = &res->transitions[i];
        if (strcmp(t->action, c->segment[2]) != 0) {
            continue;
        }
        known = true;
        permitted = permitted || may_take(c, t);
        if (may_take(c, t) && (!state || names(t->from, state))) {
            *found = t;
            return PROBLEM_OK;
        }
    }
    if (!known) {
        return PROBLEM_NOT_FOUND;
    }
    return permitted ? wrong_state(c, res, state) : PROBLEM_NOT_PERMITTED;
}

static enum problem action_body(struct rest_call *c, const struct transition *t, json_t *row)
{
    const char *const allowed[] = {t->body_text, NULL};
    char where[64];

    if (!t->body_text) {
        return c->body && json_object_size(c->body)
                   ? rest_fail(c, PROBLEM_FIELD_INVALID, "", "this action takes no members")
                   : PROBLEM_OK;
    }
    json_t *v = json_object_get(c->body, t->body_text);
    if ((t->body_time || t->body_optional) && !v && !json_object_size(c->body)) {
        return PROBLEM_OK;
    }
    enum problem p = rest_body_members(c, allowed);
    if (p != PROBLEM_OK) {
        return p;
    }
    uint64_t ms;
    snprintf(where, sizeof where, "/%s", t->body_text);
    if (t->body_time &&
        !(json_is_string(v) && clock_parse_ms(json_string_value(v), json_string_length(v), &ms))) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                         "a time like 2026-01-02T03:04:05.678Z is needed");
    }
    p = t->body_time ? PROBLEM_OK : attr_text_check(c, where, v, 1, REST_TEXT_MAX, true);
    if (p == PROBLEM_OK) {
        json_object_set(row, t->body_text, v);
    }
    return p;
}

/* Everything that can refuse an action, on the row as txn sees it. */
static enum problem action_check(struct rest_call *c, struct store_txn *txn,
                                 const struct resource *res, json_t **old,
                                 const struct transition **t)
{
    enum problem p = load_visible(c, txn, res, old);

    if (p == PROBLEM_OK) {
        p = find_transition(c, res, row_text(*old, "state"), t);
    }
    if (p == PROBLEM_OK && !row_writable(c, txn, res, c->segment[1])) {
        p = PROBLEM_NOT_PERMITTED;
    }
    return p == PROBLEM_OK ? change_precondition(c, *old, true) : p;
}

static enum problem action_prepare(struct rest_call *c, const struct resource *res)
{
    const struct transition *t = NULL;
    struct store_txn *txn = NULL;
    json_t *old = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = action_check(c, txn, res, &old, &t);
    store_rollback(&txn);
    if (p == PROBLEM_OK && t && t->prepare) {
        struct change ch = {.res = res, .old = old, .row = old, .action = t->action};
        p = t->prepare(c, &ch);
    }
    json_decref(old);
    return p;
}

static enum problem action_write(struct rest_call *c, struct store_txn *txn,
                                 const struct resource *res, json_t **row)
{
    const struct transition *t = NULL;
    json_t *old = NULL;
    enum problem p = action_check(c, txn, res, &old, &t);

    if (p == PROBLEM_OK) {
        *row = json_deep_copy(old);
        p = action_body(c, t, *row);
    }
    if (p == PROBLEM_OK) {
        if (t->to) {
            json_object_set_new(*row, "state", json_string(t->to));
        }
        struct change ch = {.res = res, .txn = txn, .old = old, .row = *row, .action = t->action};
        p = t->hook ? t->hook(c, &ch) : PROBLEM_OK;
    }
    if (p == PROBLEM_OK) {
        p = change_store(c, txn, res, old, *row, t->action);
    }
    json_decref(old);
    return p;
}

enum problem rest_action(struct rest_call *c)
{
    const struct resource *res = NULL;
    struct store_txn *txn = NULL;
    json_t *row = NULL;
    enum problem p = resource_of(c, &res);

    if (p == PROBLEM_OK) {
        p = action_prepare(c, res);
    }
    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_WRITE, &txn);
    }
    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, action_write(c, txn, res, &row));
    }
    if (p == PROBLEM_OK) {
        p = resource_answer(c, res, row, 200);
    }
    json_decref(row);
    return p;
}
