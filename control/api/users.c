/* SPDX-License-Identifier: Apache-2.0 */
/* Users sign in to the control plane. A password an administrator chose is a one-time password: its
 * owner changes it first, so that only one person can act under the name. */
#include <ctype.h>

#include "access/access.h"
#include "api/api.h"
#include "identity/identity.h"

static const char *const role_names[] = {"admin",          "operator", "provider", "developer",
                                         "owner",          "auditor",  "member",   "system-admin",
                                         "security-admin", NULL};
static const char *const interface_rules[] = {"consent", "granted", NULL};

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

static const char *const kinds[] = {"person", "organisation", NULL};
static const char *const holder_kinds[] = {"legal-person", "delegate", "organisation",
                                           "natural-person", NULL};

static enum problem check_email(struct rest_call *c, const char *where, const json_t *v)
{
    const char *s = json_string_value(v), *at = strchr(s, '@');

    return at && at != s && at[1] && !strchr(at + 1, '@') && !strpbrk(s, " <>,;\"")
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                           "an address like a@b.example is needed");
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
    {"kind", ATTR_TEXT, AF_IMMUTABLE | AF_FILTER, 1, 20, .values = kinds, .fallback = "\"person\""},
    {"holder_kind", ATTR_TEXT, 0, 1, 20, .values = holder_kinds},
    {"email", ATTR_TEXT, 0, 3, 254, .check = check_email},
    {"phone_sealed", ATTR_TEXT, AF_HIDDEN},
    {"real_name_sealed", ATTR_TEXT, AF_HIDDEN},
    {"id_number_sealed", ATTR_TEXT, AF_HIDDEN},
    {"verified_at", ATTR_TIME, AF_READ_ONLY},
    {"verify_due_at", ATTR_TIME, AF_READ_ONLY},
    {"verify_suspended", ATTR_BOOL, AF_READ_ONLY, .fallback = "false"},
    {"totp", ATTR_BOOL, 0, .fallback = "false"},
    {"totp_sealed", ATTR_TEXT, AF_HIDDEN},
    {"totp_pending_sealed", ATTR_TEXT, AF_HIDDEN},
    {"totp_last_step", ATTR_INT, AF_HIDDEN},
    {"certificate_subject", ATTR_TEXT, 0, 1, 1000},
    {"certificate_trust_id", ATTR_REF, 0, .ref = "trusts"},
    {"accessid", ATTR_TEXT, AF_READ_ONLY},
    {"app_id", ATTR_REF, 0, .ref = "apps"},
    {"call_verifier", ATTR_TEXT, AF_HIDDEN},
    {"department_id", ATTR_REF, AF_FILTER, .ref = "departments"},
    {"post_id", ATTR_REF, AF_FILTER, .ref = "posts"},
    {"rank", ATTR_INT, 0, 0, 1000},
    {"interfaces", ATTR_TEXT, 0, 1, 10, .values = interface_rules, .fallback = "\"consent\""},
    {"reviewed_by", ATTR_TEXT, AF_READ_ONLY},
    {"reviewed_at", ATTR_TIME, AF_READ_ONLY},
    {"review_comment", ATTR_TEXT, AF_READ_ONLY},
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
    json_object_set_new(row, "call_verifier", json_null());
    return PROBLEM_OK;
}

static enum problem prepare(struct rest_call *c, struct change *ch)
{
    return take_password(c, ch->row);
}

/* An administrator takes a lost authenticator away, and never gives one. A certificate counts by
 * its subject under one named trust: another CA may use the same subject. */
static enum problem check_factors(struct rest_call *c, struct change *ch)
{
    bool had = json_is_true(json_object_get(ch->old, "totp"));
    bool has = json_is_true(json_object_get(ch->row, "totp"));

    if (has && !had) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/totp", "only the user enrols one");
    }
    if (had && !has) {
        json_object_set_new(ch->row, "totp_sealed", json_null());
        json_object_set_new(ch->row, "totp_pending_sealed", json_null());
    }
    if (!row_text(ch->row, "certificate_subject")[0] !=
        !row_text(ch->row, "certificate_trust_id")[0]) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/certificate_trust_id",
                         "a subject and the trust that vouches for it go together");
    }
    return PROBLEM_OK;
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
    if (!row_text(ch->row, "accessid")[0]) { /* an account from before there were any */
        identity_accessid(ch->row);
    }
    enum problem p = check_factors(c, ch);
    if (p == PROBLEM_OK) {
        p = access_check_user(c, ch->txn, ch->old, ch->row);
    }
    if (p == PROBLEM_OK) {
        p = account_check(c, ch->txn, ch->row);
    }
    return p == PROBLEM_OK && ch->old && json_object_get(c->body, "password")
               ? take_password(c, ch->row)
               : p;
}

/* The platform must not be left without an administrator by a slip. */
static enum problem not_oneself(struct rest_call *c, struct change *ch)
{
    if (strcmp(row_text(ch->row, "id"), c->user.id) == 0) {
        return rest_fail(c, PROBLEM_NOT_PERMITTED, "", "another administrator has to do this");
    }
    return PROBLEM_OK;
}

/* Whoever loses standing, or whose password someone else changed, is signed out everywhere; who
 * changed their own goes on in the session that knew the old one. */
static enum problem after(struct rest_call *c, struct change *ch)
{
    const char *id = row_text(ch->row, "id");
    bool password = !ch->old || api_changed(ch->old, ch->row, "password_hash");
    bool out = api_changed(ch->old, ch->row, "state") || api_changed(ch->old, ch->row, "role") ||
               api_changed(ch->old, ch->row, "password_hash") ||
               api_changed(ch->old, ch->row, "verify_suspended");
    const char *keep =
        strcmp(ch->action, "change-password") == 0 || strcmp(ch->action, "verify-identity") == 0
            ? c->user.session
            : NULL;
    enum problem p =
        password ? identity_password_note(c, ch->txn, id, row_text(ch->row, "password_hash"))
                 : PROBLEM_OK;

    if (p == PROBLEM_OK) {
        p = access_user_changed(c, ch->txn, ch->old, ch->row);
    }
    if (p == PROBLEM_OK && api_changed(ch->old, ch->row, "email")) {
        p = identity_claims_changed(c, ch->txn, row_text(ch->row, "subject"));
    }
    if (p == PROBLEM_OK) {
        p = account_changed(c, ch->txn, ch->old, ch->row);
    }
    return p == PROBLEM_OK && out ? identity_sessions_end(c, ch->txn, id, keep) : p;
}

static const struct transition transitions[] = {
    {"active", "lock", "locked", ROLE_ADMIN, .hook = not_oneself},
    {"locked", "unlock", "active", ROLE_ADMIN},
    {"active|locked|refused", "close", "closed", ROLE_ADMIN, .hook = not_oneself},
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
