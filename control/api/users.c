/* SPDX-License-Identifier: Apache-2.0 */
/* Users sign in to the control plane. A password an administrator chose is a one-time password: its
 * owner changes it first, so that only one person can act under the name. */
#include <ctype.h>

#include "api/api.h"

static const char *const role_names[] = {"admin", "operator", "provider", "developer",
                                         "owner", "auditor",  NULL};

static enum problem check_login(struct rest_call *c, const char *where, const json_t *v)
{
    for (const char *s = json_string_value(v); *s; s++) {
        if (!isalnum((unsigned char)*s) && !strchr("._@-", *s)) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                             "letters, digits and . _ @ - are allowed");
        }
    }
    return PROBLEM_OK;
}

static const struct attr attrs[] = {
    {"login", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER | AF_SORT, 1, 128,
     .check = check_login},
    {"password", ATTR_TEXT, AF_REQUIRED | AF_WRITE_ONLY, 1, 1024},
    {"password_hash", ATTR_TEXT, AF_HIDDEN},
    {"password_change_required", ATTR_BOOL, AF_READ_ONLY, .fallback = "true"},
    {"display_name", ATTR_TEXT, AF_SORT, 0, 200},
    {"role", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 20, .values = role_names},
    {"organisation_id", ATTR_REF, AF_FILTER, .ref = "organisations"},
    {"subject", ATTR_TEXT, AF_FILTER, 1, 128},
};

static enum problem take_password(struct rest_call *c, json_t *row)
{
    const char *password = json_string_value(json_object_get(c->body, "password"));
    char phc[CRYPTO_PASSWORD_MAX];
    enum problem p = rest_password_check(c, "/password", password, row_text(row, "login"));

    if (p != PROBLEM_OK) {
        return p;
    }
    crypto_password_hash(slice_str(password), phc);
    json_object_set_new(row, "password_hash", json_string(phc));
    json_object_set_new(row, "password_change_required", json_true());
    return PROBLEM_OK;
}

static enum problem prepare(struct rest_call *c, struct change *ch)
{
    return take_password(c, ch->row);
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    enum rest_role role = rest_role_by_name(row_text(ch->row, "role"));

    if ((role & (ROLE_PROVIDER | ROLE_DEVELOPER)) && !row_text(ch->row, "organisation_id")[0]) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/organisation_id",
                         "this role belongs to an organisation");
    }
    if (role == ROLE_OWNER && !row_text(ch->row, "subject")[0]) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/subject",
                         "this role needs the value of owner columns that is its own");
    }
    if (ch->old && strcmp(row_text(ch->row, "id"), c->user.id) == 0 &&
        api_changed(ch->old, ch->row, "role")) {
        return rest_fail(c, PROBLEM_NOT_PERMITTED, "/role",
                         "another administrator has to change your role");
    }
    return ch->old && json_object_get(c->body, "password") ? take_password(c, ch->row) : PROBLEM_OK;
}

/* The platform must not be left without an administrator by a slip. */
static enum problem not_oneself(struct rest_call *c, struct change *ch)
{
    if (strcmp(row_text(ch->row, "id"), c->user.id) == 0) {
        return rest_fail(c, PROBLEM_NOT_PERMITTED, "", "another administrator has to do this");
    }
    return PROBLEM_OK;
}

/* Whoever loses standing, or whose password someone else changed, is signed out everywhere. */
static enum problem after(struct rest_call *c, struct change *ch)
{
    const struct store_value v = store_text(row_text(ch->row, "id"));
    bool out = api_changed(ch->old, ch->row, "state") || api_changed(ch->old, ch->row, "role") ||
               api_changed(ch->old, ch->row, "password_hash");

    return out ? rest_store_problem(
                     c, store_exec(ch->txn, "DELETE FROM sessions WHERE user_id = ?", &v, 1, NULL))
               : PROBLEM_OK;
}

static const struct transition transitions[] = {
    {"active", "lock", "locked", ROLE_ADMIN, .hook = not_oneself},
    {"locked", "unlock", "active", ROLE_ADMIN},
    {"active|locked", "close", "closed", ROLE_ADMIN, .hook = not_oneself},
};

static const struct scope scopes[] = {
    {ROLE_PROVIDER | ROLE_DEVELOPER | ROLE_OWNER, BIND_USER, "t.id = ?", "1 = 0"},
};

const struct resource users_resource = {
    .plural = "users",
    .kind = "user",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_ALL,
    .create_roles = ROLE_ADMIN,
    .patch_roles = ROLE_ADMIN,
    .prepare = prepare,
    .check = check,
    .after = after,
};
