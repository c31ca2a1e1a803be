/* SPDX-License-Identifier: Apache-2.0 */
/* Who can hold a grant, and that nobody comes to hold two administrations. */
#include "access/access.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"

const char *const access_holder_kinds[] = {"person", "organisation", "department", "group",
                                           "role",   "post",         "rank",       NULL};
const char *const access_effects[] = {"allow", "deny", NULL};
const char *const access_reaches[] = {"own", "department", "organisation", "all", NULL};

enum problem access_check_holder(struct rest_call *c, struct store_txn *txn, const json_t *row)
{
    static const struct {
        const char *kind;
        const struct resource *res;
    } holders[] = {{"person", &users_resource},
                   {"organisation", &organisations_resource},
                   {"department", &departments_resource},
                   {"group", &groups_resource},
                   {"role", &roles_resource},
                   {"post", &posts_resource}};
    const char *kind = row_text(row, "holder_kind"), *id = row_text(row, "holder_id");
    bool ranked = json_is_integer(json_object_get(row, "rank"));
    json_t *holder = NULL;

    if (strcmp(kind, "rank") == 0 ? !ranked || id[0] : ranked || !id[0]) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/holder_id",
                         "rank goes with holder_kind rank, holder_id with every other");
    }
    for (size_t i = 0; i < COUNT(holders); i++) {
        if (strcmp(holders[i].kind, kind) == 0) {
            enum problem p = row_load(c, txn, holders[i].res, id, true, &holder);
            if (p == PROBLEM_OK && !holder) {
                p = rest_fail(c, PROBLEM_FIELD_INVALID, "/holder_id",
                              "there is no such one among the %s", holders[i].res->plural);
            }
            json_decref(holder);
            return p;
        }
    }
    return PROBLEM_OK;
}

/* Administrations --------------------------------------------------------------------------------
 */
struct duties {
    enum access_duty duty;
    bool conflict;
};

static void add_duty(struct duties *d, enum access_duty duty)
{
    d->conflict = d->conflict || (d->duty != DUTY_NONE && duty != DUTY_NONE && duty != d->duty);
    d->duty = duty == DUTY_NONE ? d->duty : duty;
}

static enum problem builtin_duty(struct rest_call *c, struct store_txn *txn, const char *user_id,
                                 const char *role, struct duties *d)
{
    json_t *user = NULL;
    enum problem p = role ? PROBLEM_OK : api_load(c, txn, &users_resource, user_id, &user);

    if (p == PROBLEM_OK) {
        add_duty(d, access_duty_of(role ? role : row_text(user, "role"), access_separation(txn)));
    }
    json_decref(user);
    return p;
}

enum problem access_check_duties(struct rest_call *c, struct store_txn *txn, const char *user_id,
                                 const char *builtin_role, const json_t *more)
{
    struct access_held *held = NULL;
    struct duties d = {0};
    json_t *operation;
    size_t i;
    enum problem p = builtin_duty(c, txn, user_id, builtin_role, &d);

    if (p == PROBLEM_OK) {
        p = access_load(c, txn, user_id, &held);
    }
    for (i = 0; held && i < held->n_functions; i++) {
        if (!held->functions[i].deny) {
            add_duty(&d, access_granted_duty(held->functions[i].operation));
        }
    }
    json_array_foreach(more, i, operation)
    {
        add_duty(&d, access_granted_duty(json_string_value(operation)));
    }
    access_held_free(&held);
    if (p == PROBLEM_OK && d.conflict) {
        p = rest_fail(c, PROBLEM_ROLES_CONFLICT, "",
                      "system, security and audit administration are never one account's");
    }
    return p;
}

/* Users ------------------------------------------------------------------------------------------
 */
static enum problem check_unit(struct rest_call *c, struct store_txn *txn, const json_t *row,
                               const char *attribute, const struct resource *res)
{
    json_t *unit = NULL;
    char where[40];

    if (!row_text(row, attribute)[0]) {
        return PROBLEM_OK;
    }
    snprintf(where, sizeof where, "/%s", attribute);
    enum problem p = api_load(c, txn, res, row_text(row, attribute), &unit);
    if (p == PROBLEM_OK &&
        (strcmp(row_text(unit, "organisation_id"), row_text(row, "organisation_id")) != 0 ||
         strcmp(row_text(unit, "state"), "active") != 0)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, where,
                      "it has to be an active one of the user's organisation");
    }
    json_decref(unit);
    return p;
}

static bool changed(const json_t *old, const json_t *row, const char *name)
{
    return !old ? !json_is_null(json_object_get(row, name)) : api_changed(old, row, name);
}

/* A delegate makes and keeps accounts like their own, never one with more rights. */
static enum problem check_delegate(struct rest_call *c, struct store_txn *txn, const json_t *old,
                                   const json_t *row)
{
    static const char *const units[] = {"department_id", "post_id", "rank"};
    bool self = strcmp(row_text(row, "id"), c->user.id) == 0;
    json_t *me = NULL;

    if (rest_role_by_name(row_text(row, "role")) != c->user.role ||
        (old && rest_role_by_name(row_text(old, "role")) != c->user.role)) {
        return rest_fail(c, PROBLEM_NOT_PERMITTED, "/role", "only accounts of your own role");
    }
    if (changed(old, row, "subject")) {
        return rest_fail(c, PROBLEM_NOT_PERMITTED, "/subject",
                         "the platform's administrators set it");
    }
    for (size_t i = 0; self && i < COUNT(units); i++) {
        if (changed(old, row, units[i])) {
            return rest_fail(c, PROBLEM_NOT_PERMITTED, "", "another administrator has to do this");
        }
    }
    enum problem p = api_load(c, txn, &users_resource, c->user.id, &me);
    if (p == PROBLEM_OK && json_integer_value(json_object_get(row, "rank")) >
                               json_integer_value(json_object_get(me, "rank"))) {
        p = rest_fail(c, PROBLEM_NOT_PERMITTED, "/rank", "nobody gives a rank above their own");
    }
    json_decref(me);
    return p;
}

enum problem access_check_user(struct rest_call *c, struct store_txn *txn, const json_t *old,
                               const json_t *row)
{
    enum problem p = check_unit(c, txn, row, "department_id", &departments_resource);

    if (p == PROBLEM_OK) {
        p = check_unit(c, txn, row, "post_id", &posts_resource);
    }
    if (p == PROBLEM_OK && c->user.role && !(c->user.role & ROLE_STAFF)) {
        p = check_delegate(c, txn, old, row);
    }
    if (p == PROBLEM_OK && old && api_changed(old, row, "role")) {
        p = access_check_duties(c, txn, row_text(row, "id"), row_text(row, "role"), NULL);
    }
    return p;
}

enum problem access_user_changed(struct rest_call *c, struct store_txn *txn, const json_t *old,
                                 const json_t *row)
{
    static const char *const holders[] = {
        "organisation_id", "department_id", "post_id", "rank", "role", "interfaces"};
    bool moved = false;

    for (size_t i = 0; i < COUNT(holders); i++) {
        moved = moved || changed(old, row, holders[i]);
    }
    return moved ? access_retell(c, txn, "person", row_text(row, "id"), 0) : PROBLEM_OK;
}
