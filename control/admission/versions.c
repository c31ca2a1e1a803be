/* SPDX-License-Identifier: Apache-2.0 */
/* Versions of an app: each is filed with what changes and the document of its release review, is
 * looked at by the platform, and only then goes live (EC-7.2.1e). The nodes are told the version
 * that is live; a call that says it is of another one is refused. */
#include <stdio.h>

#include "admission/gate.h"
#include "admission/inner.h"

/* What a header can carry as it stands. */
static enum problem check_version(struct rest_call *c, const char *where, const json_t *v)
{
    const char *s = json_string_value(v);
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_+");

    return s[n] ? rest_fail(c, PROBLEM_FIELD_INVALID, where,
                            "letters, digits and . - _ + make a version")
                : PROBLEM_OK;
}

static enum problem check_digest(struct rest_call *c, const char *where, const json_t *v)
{
    const char *s = json_string_value(v);

    return strspn(s, "0123456789abcdef") == 64 && !s[64]
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, where, "an SM3 digest in hex is needed");
}

static const struct attr attrs[] = {
    {"app_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apps"},
    {"version", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER | AF_SORT, 1, APP_VERSION_MAX,
     .check = check_version},
    {"changes", ATTR_TEXT, AF_REQUIRED | AF_LINES, 1, REST_TEXT_MAX},
    {"document_id", ATTR_REF, AF_REQUIRED, .ref = "documents"},
    {"package_sm3", ATTR_TEXT, 0, 64, 64, .check = check_digest},
    {"filed_by", ATTR_TEXT, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
    {"decided_by", ATTR_TEXT, AF_READ_ONLY},
    {"decided_at", ATTR_TIME, AF_READ_ONLY},
    {"live_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
};

/* What was filed is looked at as it is; only what came back is changed. */
static enum problem check(struct rest_call *c, struct change *ch)
{
    if (ch->old && !admission_state_is(ch->old, "returned")) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "",
                         "the version is %s; it is changed when it was returned",
                         row_text(ch->old, "state"));
    }
    json_object_set_new(ch->row, "filed_by", json_string(c->user.login));
    return PROBLEM_OK;
}

static enum problem file_again(struct rest_call *c, struct change *ch)
{
    json_object_set_new(ch->row, "filed_by", json_string(c->user.login));
    return PROBLEM_OK;
}

/* Nobody decides on what they, or their own organisation, filed. */
static enum problem decide(struct rest_call *c, struct change *ch)
{
    json_t *app = NULL;
    enum problem p = api_load(c, ch->txn, &apps_resource, row_text(ch->row, "app_id"), &app);
    bool own = strcmp(row_text(ch->row, "filed_by"), c->user.login) == 0 ||
               (c->user.organisation[0] &&
                strcmp(row_text(app, "organisation_id"), c->user.organisation) == 0);

    json_decref(app);
    if (p == PROBLEM_OK && own) {
        return PROBLEM_SELF_APPROVAL;
    }
    json_object_set_new(ch->row, "decided_by", json_string(c->user.login));
    json_object_set_new(ch->row, "decided_at", admission_time(c->now_ms));
    return p;
}

/* The one before it makes room first: one version of an app is live. */
static enum problem supersede(struct rest_call *c, struct store_txn *txn, const char *app_id)
{
    static const char sql[] = "SELECT id FROM app_versions WHERE app_id = ? AND state = 'live'";
    const struct store_value v = store_text(app_id);
    json_t *ids = json_array(), *before = NULL;
    enum problem p = admission_texts(c, txn, sql, &v, 1, ids);

    if (p == PROBLEM_OK && json_array_size(ids) > 0) {
        p = api_load(c, txn, &app_versions_resource, json_string_value(json_array_get(ids, 0)),
                     &before);
        p = p == PROBLEM_OK
                ? admission_move(c, txn, &app_versions_resource, before, "superseded", "supersede")
                : p;
    }
    json_decref(before);
    json_decref(ids);
    return p;
}

static enum problem go_live(struct rest_call *c, struct change *ch)
{
    json_t *app = NULL;
    const char *app_id = row_text(ch->row, "app_id");
    enum problem p = api_load(c, ch->txn, &apps_resource, app_id, &app);

    if (p == PROBLEM_OK && !admission_state_is(app, "admitted")) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "",
                      "the app is %s; a version of it goes live "
                      "once it is admitted",
                      row_text(app, "state"));
    }
    json_decref(app);
    json_object_set_new(ch->row, "live_at", admission_time(c->now_ms));
    return p == PROBLEM_OK ? supersede(c, ch->txn, app_id) : p;
}

static bool was_live(const json_t *row)
{
    return row && admission_state_is(row, "live");
}

static enum problem tell(struct rest_call *c, struct change *ch, const json_t *app)
{
    const char *state = row_text(ch->row, "state"), *org = row_text(app, "organisation_id"),
               *name = row_text(app, "name"), *comment = row_text(ch->row, "comment");

    if (strcmp(state, "filed") == 0) {
        return admission_tell(c, ch->txn, "app-version-filed", NULL, ch->res, ch->row, name,
                              row_text(ch->row, "version"));
    }
    if (strcmp(state, "accepted") == 0 || strcmp(state, "returned") == 0) {
        return admission_tell(c, ch->txn,
                              strcmp(state, "accepted") == 0 ? "app-version-accepted"
                                                             : "app-version-returned",
                              org, ch->res, ch->row, name, comment);
    }
    return PROBLEM_OK;
}

/* What is live the nodes are told with the app. */
static enum problem after(struct rest_call *c, struct change *ch)
{
    json_t *app = NULL;

    if (ch->old && !api_changed(ch->old, ch->row, "state")) {
        return PROBLEM_OK;
    }
    enum problem p = api_load(c, ch->txn, &apps_resource, row_text(ch->row, "app_id"), &app);
    if (p == PROBLEM_OK && (was_live(ch->old) || was_live(ch->row))) {
        p = change_feed(c, ch->txn, &apps_resource, app);
    }
    p = p == PROBLEM_OK ? tell(c, ch, app) : p;
    json_decref(app);
    return p;
}

enum problem app_version_live(struct rest_call *c, struct store_txn *txn, const char *app_id,
                              char version[static APP_VERSION_MAX + 1])
{
    static const char sql[] =
        "SELECT version FROM app_versions WHERE app_id = ? AND state = 'live'";
    const struct store_value v = store_text(app_id);
    json_t *texts = json_array();
    enum problem p = admission_texts(c, txn, sql, &v, 1, texts);
    const char *text = json_string_value(json_array_get(texts, 0));

    snprintf(version, APP_VERSION_MAX + 1, "%s", text ? text : "");
    json_decref(texts);
    return p;
}

#define SIDE (ROLE_STAFF | ROLE_DEVELOPER)
static const struct transition transitions[] = {
    {"filed", "accept", "accepted", ROLE_STAFF, .body_text = "comment", .body_optional = true,
     .hook = decide},
    {"filed", "return", "returned", ROLE_STAFF, .body_text = "comment", .hook = decide},
    {"returned", "file", "filed", SIDE, .hook = file_again},
    {"accepted", "go-live", "live", SIDE, .hook = go_live},
    {"filed|returned|accepted|live", "withdraw", "withdrawn", SIDE},
};

#define OWN "t.app_id IN (SELECT id FROM apps WHERE organisation_id = ?)"
static const struct scope scopes[] = {
    {ROLE_DEVELOPER, BIND_ORGANISATION, OWN, OWN},
};

const struct resource app_versions_resource = {
    .plural = "app_versions",
    .kind = "app-version",
    .initial = "filed",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR | ROLE_DEVELOPER,
    .create_roles = SIDE,
    .patch_roles = SIDE,
    .check = check,
    .after = after,
};
