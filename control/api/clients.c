/* SPDX-License-Identifier: Apache-2.0 */
/* How an app is an OAuth client (RFC 7591's words): one a app, its id is the client_id. */
#include <ctype.h>
#include <stdio.h>

#include "admission/terms.h"
#include "api/api.h"

#define URIS_MAX 16
#define URI_MAX  1000

static const char *const methods[] = {
    "client_secret_basic", "client_secret_post",          "private_key_jwt",
    "tls_client_auth",     "self_signed_tls_client_auth", NULL};
static const char *const grant_types[] = {"client_credentials", "authorization_code",
                                          "refresh_token", NULL};
static const char *const profiles[] = {"plain", "fapi2", NULL};

/* Letters that are the same to every reader of an address; no fragment, no user, no backslash. */
static bool plain_uri(const char *s)
{
    for (; *s; s++) {
        if (!isalnum((unsigned char)*s) && !strchr("-._~:/?[]!$&'()*+,;=%", *s)) {
            return false;
        }
    }
    return true;
}

/* https, or http to the machine itself, where a native app listens (RFC 8252 7.3). */
static bool uri_ok(const char *s, bool loopback)
{
    static const char *const own[] = {"http://127.0.0.1:", "http://127.0.0.1/",
                                      "http://[::1]:", "http://[::1]/"};
    size_t host = strncmp(s, "https://", 8) == 0 ? 8 : 0;

    for (size_t i = 0; loopback && i < COUNT(own); i++) {
        host = strncmp(s, own[i], strlen(own[i])) == 0 ? 7 : host;
    }
    return host && isalnum((unsigned char)(s[host] == '[' ? s[host + 1] : s[host])) &&
           strlen(s) <= URI_MAX && plain_uri(s);
}

static enum problem check_uris(struct rest_call *c, const char *where, const json_t *v,
                               bool loopback)
{
    json_t *item;
    size_t i;

    if (json_is_array(v) && json_array_size(v) == 0) {
        return PROBLEM_OK;
    }
    enum problem p = api_check_words(c, where, v, NULL, URIS_MAX);
    json_array_foreach(v, i, item)
    {
        if (p == PROBLEM_OK && !uri_ok(json_string_value(item), loopback)) {
            p = rest_fail(c, PROBLEM_FIELD_INVALID, where,
                          "addresses are https://%s, without a fragment",
                          loopback ? ", or http:// to 127.0.0.1 or [::1]" : "");
        }
    }
    return p;
}

static enum problem check_redirects(struct rest_call *c, const char *where, const json_t *v)
{
    return check_uris(c, where, v, true);
}

static enum problem check_logout(struct rest_call *c, const char *where, const json_t *v)
{
    return uri_ok(json_string_value(v), true)
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                           "an address is https://, or http:// to 127.0.0.1 or [::1]");
}

static enum problem check_grant_types(struct rest_call *c, const char *where, const json_t *v)
{
    return api_check_words(c, where, v, grant_types, COUNT(grant_types) - 1);
}

static const struct attr attrs[] = {
    {"app_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apps"},
    {"redirect_uris", ATTR_JSON, 0, .check = check_redirects, .fallback = "[]"},
    {"post_logout_redirect_uris", ATTR_JSON, 0, .check = check_redirects, .fallback = "[]"},
    {"backchannel_logout_uri", ATTR_TEXT, 0, 8, URI_MAX, .check = check_logout},
    {"frontchannel_logout_uri", ATTR_TEXT, 0, 8, URI_MAX, .check = check_logout},
    {"token_endpoint_auth_method", ATTR_TEXT, 0, 1, 40, .values = methods,
     .fallback = "\"private_key_jwt\""},
    {"grant_types", ATTR_JSON, 0, .check = check_grant_types,
     .fallback = "[\"client_credentials\"]"},
    {"profile", ATTR_TEXT, AF_FILTER, 1, 10, .values = profiles, .fallback = "\"plain\""},
    {"dpop_bound", ATTR_BOOL, 0, .fallback = "false"},
    {"require_par", ATTR_BOOL, 0, .fallback = "false"},
    {"access_token_s", ATTR_INT, 0, 5, 86400, .fallback = "900"},
    {"refresh_token_s", ATTR_INT, 0, 60, 31536000, .fallback = "2592000"},
};

static enum problem has_a2(struct rest_call *c, struct store_txn *txn, const char *app, bool *a2)
{
    static const char sql[] = "SELECT 1 FROM subscriptions s JOIN apis a ON a.id = s.api_id WHERE "
                              "s.app_id = ? AND s.state = 'approved' AND a.class = 'A2' AND "
                              "a.state IN ('published', 'deprecated')";
    const struct store_value v = store_text(app);
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, &v, 1, &rows);

    *a2 = err == STORE_OK && store_next(rows);
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

static bool has(const json_t *list, const char *word)
{
    json_t *v;
    size_t i;

    json_array_foreach(list, i, v)
    {
        if (strcmp(json_string_value(v), word) == 0) {
            return true;
        }
    }
    return false;
}

static enum problem check_together(struct rest_call *c, const json_t *row)
{
    const json_t *grants = json_object_get(row, "grant_types");
    bool code = has(grants, "authorization_code");

    if (has(grants, "refresh_token") && !code) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/grant_types",
                         "refresh_token goes with authorization_code");
    }
    if (code && json_array_size(json_object_get(row, "redirect_uris")) == 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/redirect_uris",
                         "authorization_code needs an address to come back to");
    }
    if (strcmp(row_text(row, "profile"), "fapi2") == 0 &&
        strncmp(row_text(row, "token_endpoint_auth_method"), "client_secret", 13) == 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/token_endpoint_auth_method",
                         "profile fapi2, which an A2 API demands, takes private_key_jwt or a "
                         "certificate");
    }
    return PROBLEM_OK;
}

/* An app that may call A2 APIs has the strict profile, whatever was asked for. */
static enum problem check(struct rest_call *c, struct change *ch)
{
    json_t *app = NULL;
    bool a2 = false;

    if (ch->old && strcmp(row_text(ch->row, "state"), "active") != 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "it is removed; make another");
    }
    enum problem p = api_load(c, ch->txn, &apps_resource, row_text(ch->row, "app_id"), &app);
    if (p == PROBLEM_OK && !ch->old && !api_app_calls(app)) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/app_id",
                      "the app is %s; only an admitted app "
                      "is a client",
                      row_text(app, "state"));
    }
    json_decref(app);
    if (p == PROBLEM_OK) {
        p = has_a2(c, ch->txn, row_text(ch->row, "app_id"), &a2);
    }
    if (p == PROBLEM_OK && a2) {
        json_object_set_new(ch->row, "profile", json_string("fapi2"));
    }
    if (p == PROBLEM_OK) {
        p = admission_domains_allow(c, ch->txn, ch->row);
    }
    return p == PROBLEM_OK ? check_together(c, ch->row) : p;
}

/* Nodes are not told, but the OAuth server's memory of clients goes by the same bell. */
static enum problem after(struct rest_call *c, struct change *ch)
{
    (void)ch;
    c->rang = true;
    return PROBLEM_OK;
}

#define HOLDER (ROLE_STAFF | ROLE_DEVELOPER)
static const struct transition transitions[] = {
    {"active", "remove", "removed", HOLDER},
};

#define OWN_APP "t.app_id IN (SELECT id FROM apps WHERE organisation_id = ?)"
static const struct scope scopes[] = {
    {ROLE_DEVELOPER, BIND_ORGANISATION, OWN_APP, OWN_APP},
};

const struct resource clients_resource = {
    .plural = "clients",
    .kind = "client",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = HOLDER | ROLE_AUDITOR,
    .create_roles = HOLDER,
    .patch_roles = HOLDER,
    .check = check,
    .after = after,
};
