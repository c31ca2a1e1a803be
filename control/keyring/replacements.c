/* SPDX-License-Identifier: Apache-2.0 */
/* requested: the new key is made and lies beside the old one; from then on all is sealed under it.
 * resealing: the store is gone through, again and again until nothing under the old key is found
 * and no call is under way that could still write such a thing. finishing: the old key's file is
 * overwritten by the new one's, and what is in memory wiped. Each step is a transaction, and where
 * it stopped is in the row. */
#include "keyring/replacements.h"

#include "api/api.h"
#include "feed/feed.h"
#include "link/ring.h"
#include "sandbox/stage.h"

#define OVERLAP_MIN_S 5
#define OVERLAP_MAX_S 86400
#define KNOWN_MS      5000 /* by then each process of this machine has read a new link key */
#define STEPS_MAX     8    /* of one turn: other jobs wait meanwhile */

static const char *const which[] = {"master", "link", NULL};
static const struct attr attrs[] = {
    {"key", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 10, .values = which},
    {"reason", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_LINES, 1, 500},
    {"hold", ATTR_BOOL, AF_IMMUTABLE, .fallback = "false"},
    {"overlap_s", ATTR_INT, AF_IMMUTABLE, OVERLAP_MIN_S, OVERLAP_MAX_S, .fallback = "60"},
    {"requested_by", ATTR_TEXT, AF_READ_ONLY},
    {"old_key_id", ATTR_TEXT, AF_READ_ONLY},
    {"new_key_id", ATTR_TEXT, AF_READ_ONLY},
    {"pass", ATTR_INT, AF_READ_ONLY, .fallback = "0"},
    {"place", ATTR_INT, AF_HIDDEN, .fallback = "0"},
    {"after", ATTR_TEXT, AF_HIDDEN},
    {"resealed", ATTR_INT, AF_READ_ONLY, .fallback = "0"},
    {"found", ATTR_INT, AF_HIDDEN, .fallback = "0"},
    {"finished_at", ATTR_TIME, AF_READ_ONLY},
};

static enum problem check(struct rest_call *c, struct change *ch)
{
    json_object_set_new(ch->row, "requested_by", json_string(c->user.login));
    return PROBLEM_OK;
}

/* Other machines have the new link key. */
static const struct transition transitions[] = {
    {"held", "continue", "resealing", ROLE_ADMIN},
};

const struct resource key_replacements_resource = {
    .plural = "key_replacements",
    .kind = "key-replacement",
    .initial = "requested",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .read_roles = ROLE_ADMIN | ROLE_AUDITOR,
    .create_roles = ROLE_ADMIN,
    .check = check,
};

/* Steps --------------------------------------------------------------------------------------- */

static enum problem advance(struct rest_call *c, struct store_txn *txn, json_t *row,
                            const char *state, const char *action)
{
    json_t *old = json_deep_copy(row);
    enum problem p = stage_change(c, txn, &key_replacements_resource, old, row, state, action);

    json_decref(old);
    return p;
}

/* The key's file is on the disk before anything is sealed under it. */
static enum problem begin(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    char newest[KEYRING_ID_LEN + 1], other[KEYRING_ID_LEN + 1];

    if (!keyring_take_next(c->ctl)) {
        return PROBLEM_INTERNAL;
    }
    keyring_ids(c->ctl, newest, other);
    json_t *old = json_deep_copy(row);
    json_object_set_new(row, "new_key_id", json_string(newest));
    json_object_set_new(row, "old_key_id", json_string(other));
    json_object_set_new(row, "pass", json_integer(1));
    enum problem p =
        stage_change(c, txn, &key_replacements_resource, old, row, "resealing", "generate");
    json_decref(old);
    return p;
}

static json_int_t number(const json_t *row, const char *name)
{
    return json_integer_value(json_object_get(row, name));
}

/* Not an operation for the log: the place moves, nothing else does. */
static enum problem move_on(struct rest_call *c, struct store_txn *txn, json_t *row,
                            const struct reseal *r)
{
    json_object_set_new(row, "place", json_integer(r->place));
    json_object_set_new(row, "after", json_string(r->after));
    json_object_set_new(row, "found", json_integer(number(row, "found") + r->found));
    json_object_set_new(row, "resealed", json_integer(number(row, "resealed") + r->found));
    json_object_set_new(row, "revision", json_integer(number(row, "revision") + 1));
    json_object_set_new(row, "updated_at", stage_time(c->now_ms));
    return row_update(c, txn, &key_replacements_resource, row);
}

static enum problem pass_over(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    const struct reseal from_the_start = {0};

    if (number(row, "pass") > 1 && number(row, "found") == 0) {
        return advance(c, txn, row, "finishing", "reseal");
    }
    json_object_set_new(row, "pass", json_integer(number(row, "pass") + 1));
    json_object_set_new(row, "found", json_integer(0));
    keyring_turn(c->ctl);
    return move_on(c, txn, row, &from_the_start);
}

static enum problem reseal(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    struct reseal r = {.place = number(row, "place")};

    if (!keyring_settled(c->ctl)) {
        return PROBLEM_OK;
    }
    if ((size_t)r.place >= reseal_places) {
        return pass_over(c, txn, row);
    }
    snprintf(r.after, sizeof r.after, "%s", row_text(row, "after"));
    enum problem p = reseal_step(c, txn, &r);
    return p == PROBLEM_OK ? move_on(c, txn, row, &r) : p;
}

static enum problem finish(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    if (!keyring_drop_old(c->ctl)) {
        return PROBLEM_INTERNAL;
    }
    json_object_set_new(row, "finished_at", stage_time(c->now_ms));
    return advance(c, txn, row, "replaced", "destroy");
}

/* The link key ----------------------------------------------------------------------------------
 */

static enum problem begin_link(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    char newest[KEYRING_ID_LEN + 1], other[KEYRING_ID_LEN + 1];
    bool hold = json_is_true(json_object_get(row, "hold"));

    link_ring_hold(hold);
    if (!link_key_next(c->ctl, newest, other)) {
        return PROBLEM_INTERNAL;
    }
    json_t *old = json_deep_copy(row);
    json_object_set_new(row, "new_key_id", json_string(newest));
    json_object_set_new(row, "old_key_id", json_string(other));
    enum problem p = stage_change(c, txn, &key_replacements_resource, old, row,
                                  hold ? "held" : "resealing", "generate");
    json_decref(old);
    return p;
}

static uint64_t since(const struct rest_call *c, const json_t *row)
{
    uint64_t at = api_ms(row, "updated_at");

    return c->now_ms > at ? c->now_ms - at : 0;
}

/* All know the new key, and it signs. What calls under way sealed for nodes under the old one is
 * there: then all of it is told anew. */
static enum problem reseal_link(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    link_ring_hold(false);
    if (number(row, "pass") == 0 && since(c, row) >= KNOWN_MS && keyring_settled(c->ctl)) {
        const struct reseal none = {0};
        json_object_set_new(row, "pass", json_integer(1));
        keyring_turn(c->ctl);
        return move_on(c, txn, row, &none);
    }
    if (number(row, "pass") == 0 || !keyring_settled(c->ctl)) {
        return PROBLEM_OK;
    }
    enum problem p = feed_reseal(c, txn);
    return p == PROBLEM_OK ? advance(c, txn, row, "finishing", "reseal") : p;
}

static enum problem finish_link(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    if (since(c, row) < (uint64_t)number(row, "overlap_s") * 1000) {
        return PROBLEM_OK;
    }
    if (!link_key_drop(c->ctl)) {
        return PROBLEM_INTERNAL;
    }
    json_object_set_new(row, "finished_at", stage_time(c->now_ms));
    return advance(c, txn, row, "replaced", "destroy");
}

/* By state: of the master key, of the link key. */
static const struct {
    const char *state;
    enum problem (*master)(struct rest_call *c, struct store_txn *txn, json_t *row);
    enum problem (*link)(struct rest_call *c, struct store_txn *txn, json_t *row);
} steps[] = {
    {"requested", begin, begin_link},
    {"resealing", reseal, reseal_link},
    {"finishing", finish, finish_link},
};

static enum problem step(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    bool link = strcmp(row_text(row, "key"), "link") == 0;

    for (size_t i = 0; i < COUNT(steps); i++) {
        if (strcmp(row_text(row, "state"), steps[i].state) == 0) {
            return link ? steps[i].link(c, txn, row) : steps[i].master(c, txn, row);
        }
    }
    return PROBLEM_OK;
}

static enum problem open_id(struct rest_call *c, struct store_txn *txn,
                            char id[static UUID_TEXT_LEN + 1])
{
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn,
                                     "SELECT id FROM key_replacements WHERE state NOT IN ('held', "
                                     "'replaced') ORDER BY created_at",
                                     NULL, 0, &rows);

    id[0] = '\0';
    if (err == STORE_OK && store_next(rows)) {
        snprintf(id, UUID_TEXT_LEN + 1, "%s", store_get_text(rows, 0));
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

static enum problem look(struct rest_call *c, char id[static UUID_TEXT_LEN + 1])
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = open_id(c, txn, id);
        store_rollback(&txn);
    }
    return p;
}

enum problem key_replacements_job(struct rest_call *c)
{
    char id[UUID_TEXT_LEN + 1];
    enum problem p = look(c, id);
    bool over = false;

    for (int i = 0; i < STEPS_MAX && p == PROBLEM_OK && id[0] && !over; i++) {
        json_int_t pass = 0, revision = 0;
        struct store_txn *txn = NULL;
        json_t *row = NULL;
        p = rest_begin(c, STORE_WRITE, &txn);
        if (p == PROBLEM_OK) {
            p = api_load(c, txn, &key_replacements_resource, id, &row);
            pass = number(row, "pass");
            revision = number(row, "revision");
            p = p == PROBLEM_OK ? step(c, txn, row) : p;
            p = rest_finish(c, &txn, p);
        }
        over = !row || number(row, "pass") != pass ||
               revision == number(row, "revision"); /* what else waits has its turn */
        json_decref(row);
        p = p == PROBLEM_OK ? look(c, id) : p;
    }
    return p;
}
