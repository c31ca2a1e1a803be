/* SPDX-License-Identifier: Apache-2.0 */
/* What a party owes after it left: to keep what it learnt to itself (BK-9.4c2), and what the law
 * lays on it (BK-9.3.3e3), each until a day that is told when it comes. */
#include "api/api.h"
#include "exit/exit.h"

#define SURVIVING_MAX 16

static const char *const kinds[] = {"confidentiality", "anti-money-laundering", "anti-fraud",
                                    "retention", NULL};

static bool kind_ok(const char *kind)
{
    for (size_t i = 1; kinds[i]; i++) { /* confidentiality is the exit's own attribute */
        if (strcmp(kinds[i], kind) == 0) {
            return true;
        }
    }
    return false;
}

enum problem exit_check_surviving(struct rest_call *c, const char *where, const json_t *v)
{
    static const char *const members[] = {"kind", "until", "note", NULL};
    json_t *item, *seen = json_object();
    size_t i;
    bool ok = json_is_array(v) && json_array_size(v) <= SURVIVING_MAX;

    json_array_foreach(v, i, item)
    {
        const char *kind = row_text(item, "kind");
        const json_t *note = json_object_get(item, "note");
        ok = ok && json_is_object(item) && api_only_members(item, members) && kind_ok(kind) &&
             !json_object_get(seen, kind) && api_ms(item, "until") > c->now_ms &&
             (!note || attr_text_check(c, where, note, 1, 1000, true) == PROBLEM_OK);
        json_object_set_new(seen, kind, json_true());
    }
    json_decref(seen);
    return ok ? PROBLEM_OK
              : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                          "objects of kind (anti-money-laundering, anti-fraud, retention; each "
                          "once), until (in the future) and perhaps note are needed");
}

uint64_t exit_duty_until(const json_t *exit, const char *kind)
{
    json_t *item;
    size_t i;

    json_array_foreach(json_object_get(exit, "surviving"), i, item)
    {
        if (strcmp(row_text(item, "kind"), kind) == 0) {
            return api_ms(item, "until");
        }
    }
    return 0;
}

static const struct attr attrs[] = {
    {"exit_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "exits"},
    {"app_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "apps"},
    {"organisation_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "organisations"},
    {"kind", ATTR_TEXT, AF_READ_ONLY | AF_FILTER, .values = kinds},
    {"until", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"note", ATTR_TEXT, AF_READ_ONLY},
};

static const struct scope scopes[] = {
    {ROLE_DEVELOPER, BIND_ORGANISATION, "t.organisation_id = ?", "1 = 0"},
};

const struct resource exit_duties_resource = {
    .plural = "exit_duties",
    .kind = "exit-duty",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR | ROLE_DEVELOPER,
};

static enum problem open_one(struct rest_call *c, struct store_txn *txn, const json_t *exit,
                             const json_t *app, const char *kind, uint64_t until_ms, json_t *note)
{
    char id[UUID_TEXT_LEN + 1];

    uuid_new_text(id);
    json_t *row =
        json_pack("{s:s, s:s, s:O, s:O, s:O, s:s, s:o, s:o}", "id", id, "state", "active",
                  "exit_id", json_object_get(exit, "id"), "app_id", json_object_get(app, "id"),
                  "organisation_id", json_object_get(app, "organisation_id"), "kind", kind, "until",
                  stage_time(until_ms), "note", note ? json_incref(note) : json_null());
    enum problem p =
        row ? change_store(c, txn, &exit_duties_resource, NULL, row, "create") : PROBLEM_INTERNAL;
    json_decref(row);
    return p;
}

static enum problem collect(struct rest_call *c, struct change *ch)
{
    static const char *const shown[] = {"app_id", "kind", "until", "note"};
    json_t *one = json_object();

    (void)c;
    for (size_t i = 0; i < COUNT(shown); i++) {
        json_object_set(one, shown[i], json_object_get(ch->row, shown[i]));
    }
    if (strcmp(row_text(ch->row, "state"), "active") == 0) {
        json_array_append(ch->arg, one);
    }
    json_decref(one);
    return PROBLEM_OK;
}

/* BK-12.2e: the party's own record says what binds it still. */
enum problem exit_duties_note(struct rest_call *c, struct store_txn *txn, const char *organisation)
{
    json_t *old = NULL, *row = NULL, *duties = json_array();
    enum problem p = api_load(c, txn, &organisations_resource, organisation, &old);

    if (p == PROBLEM_OK) {
        p = row_each(c, txn, &exit_duties_resource, "organisation_id", organisation, collect,
                     duties);
    }
    if (p == PROBLEM_OK) {
        row = json_deep_copy(old);
        json_object_set(row, "surviving_duties", duties);
        p = change_store(c, txn, &organisations_resource, old, row, "update");
    }
    json_decref(duties);
    json_decref(old);
    json_decref(row);
    return p;
}

enum problem exit_duties_open(struct rest_call *c, struct store_txn *txn, const json_t *exit)
{
    json_int_t days = json_integer_value(json_object_get(exit, "confidentiality_days"));
    json_t *app = NULL, *item;
    size_t i;
    enum problem p = api_load(c, txn, &apps_resource, row_text(exit, "app_id"), &app);

    if (p == PROBLEM_OK && days > 0) {
        p = open_one(c, txn, exit, app, kinds[0], c->now_ms + (uint64_t)days * STAGE_DAY_MS, NULL);
    }
    json_array_foreach(json_object_get(exit, "surviving"), i, item)
    {
        if (p == PROBLEM_OK) {
            p = open_one(c, txn, exit, app, row_text(item, "kind"), api_ms(item, "until"),
                         json_object_get(item, "note"));
        }
    }
    if (p == PROBLEM_OK) {
        p = exit_duties_note(c, txn, row_text(app, "organisation_id"));
    }
    json_decref(app);
    return p;
}
