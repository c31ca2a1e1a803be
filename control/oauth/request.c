/* SPDX-License-Identifier: Apache-2.0 */
/* Authorization requests: what one may ask, checked once, pushed or from the front channel alike
 * (RFC 6749 4.1.1, 7636, 9126, 9396). */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/jsondepth.h"
#include "oauth/inner.h"

#define PARAMETER_MAX 2048 /* bytes of one parameter */
#define DETAILS_MAX   8192
#define CHALLENGE_LEN 43 /* base64url of 32 bytes */

static const char *const texts[] = {"response_type", "client_id",      "redirect_uri",
                                    "scope",         "state",          "nonce",
                                    "prompt",        "code_challenge", "code_challenge_method",
                                    "max_age",       "acr_values",     "ui_locales",
                                    "login_hint",    "dpop_jkt",       "response_mode"};

static bool copy_parameters(const struct rest_call *c, oauth_parameter get, json_t *params,
                            struct oauth_error *e)
{
    for (size_t i = 0; i < COUNT(texts); i++) {
        const char *value = get(c, texts[i]);
        if (value && strlen(value) > PARAMETER_MAX) {
            return oauth_refuse(e, "invalid_request", "%s has more than %d bytes", texts[i],
                                PARAMETER_MAX);
        }
        if (value) {
            json_object_set_new(params, texts[i], json_string(value));
        }
    }
    return true;
}

/* Byte for byte: a prefix, a case or a port of leeway is somebody else's address. */
bool oauth_redirect_registered(const struct client *k, const char *uri)
{
    const json_t *list = json_object_get(json_object_get(k->row, "settings"), "redirect_uris");
    json_t *v;
    size_t i;

    json_array_foreach(list, i, v)
    {
        if (strcmp(json_string_value(v), uri) == 0) {
            return true;
        }
    }
    return false;
}

static bool url_safe(const char *s, size_t min, size_t max)
{
    size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
    return s[n] == '\0' && n >= min && n <= max;
}

/* RFC 9700 2.1.1: PKCE for every client; `plain` is no protection, and is what a missing method
 * means. */
static bool check_pkce(const json_t *params, struct oauth_error *e)
{
    if (strcmp(row_text(params, "code_challenge_method"), "S256") != 0) {
        return oauth_refuse(e, "invalid_request", "code_challenge_method S256 is needed");
    }
    return url_safe(row_text(params, "code_challenge"), CHALLENGE_LEN, CHALLENGE_LEN)
               ? true
               : oauth_refuse(e, "invalid_request", "a code_challenge of S256 is needed");
}

static bool check_words(const char *text, const char *const *words)
{
    for (const char *at = text; *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " "), i = 0;
        while (words[i] && (strlen(words[i]) != n || memcmp(words[i], at, n) != 0)) {
            i++;
        }
        if (!words[i]) {
            return false;
        }
        at += n;
    }
    return true;
}

static bool check_oidc(const json_t *params, struct oauth_error *e)
{
    static const char *const prompts[] = {"none", "login", "consent", "select_account", NULL};
    const char *prompt = row_text(params, "prompt"), *age = row_text(params, "max_age"),
               *mode = row_text(params, "response_mode");

    if (mode[0] && strcmp(mode, "query") != 0) {
        return oauth_refuse(e, "invalid_request", "response_mode query is what there is");
    }
    if (!check_words(prompt, prompts) || (strstr(prompt, "none") && strcmp(prompt, "none") != 0)) {
        return oauth_refuse(e, "invalid_request",
                            "prompt is none, or login, consent and select_account");
    }
    if (strlen(age) > 9 || age[strspn(age, "0123456789")]) {
        return oauth_refuse(e, "invalid_request", "max_age is a number of seconds");
    }
    return true;
}

static bool has_api(const json_t *apis, const char *api_id)
{
    json_t *v;
    size_t i;

    json_array_foreach(apis, i, v)
    {
        if (strcmp(row_text(v, "api_id"), api_id) == 0) {
            return true;
        }
    }
    return false;
}

static bool add_api(json_t *apis, json_t *entry, struct oauth_error *e)
{
    if (has_api(apis, row_text(entry, "api_id"))) {
        json_decref(entry);
        return true;
    }
    json_array_append_new(apis, entry);
    return json_array_size(apis) <= TOKEN_SCOPES_MAX
               ? true
               : oauth_refuse(e, "invalid_scope", "at most %d APIs at once", TOKEN_SCOPES_MAX);
}

static bool take_scope(struct rest_call *c, const struct client *k, const char *scope, json_t *apis,
                       bool *openid, struct oauth_error *e)
{
    static const char *const plain[] = {"openid", "profile", NULL};

    *openid = false;
    for (const char *at = scope; *at; at += strspn(at, " ")) {
        char word[200];
        size_t n = strcspn(at, " ");
        snprintf(word, sizeof word, "%.*s", (int)(n < sizeof word ? n : sizeof word - 1), at);
        *openid = *openid || strcmp(word, "openid") == 0;
        const struct client_api *a = client_api_by_scope(k, at, n, c->now_ms);
        if (n > 0 && !a && !check_words(word, plain)) {
            return oauth_refuse(e, "invalid_scope",
                                "the app has no approved subscription of that name and version");
        }
        if (a && !add_api(apis, json_deep_copy(a->entry), e)) {
            return false;
        }
        at += n;
    }
    return true;
}

/* Details (RFC 9396) ------------------------------------------------------------------------------
 */
static bool bad_details(struct oauth_error *e, const char *why)
{
    return oauth_refuse(e, "invalid_authorization_details", "%s", why);
}

static bool in_list(const json_t *list, const char *text)
{
    json_t *v;
    size_t i;

    json_array_foreach(list, i, v)
    {
        if (json_is_string(v) && strcmp(json_string_value(v), text) == 0) {
            return true;
        }
    }
    return false;
}

/* allowed null: the subscription bounds no fields. */
static bool fields_within(const json_t *fields, const json_t *allowed)
{
    json_t *v;
    size_t i;

    if (!json_is_array(fields) || json_array_size(fields) == 0 || json_array_size(fields) > 512) {
        return false;
    }
    json_array_foreach(fields, i, v)
    {
        if (!json_is_string(v) || json_string_length(v) == 0 || json_string_length(v) > 255 ||
            (json_is_array(allowed) && !in_list(allowed, json_string_value(v)))) {
            return false;
        }
    }
    return true;
}

static bool take_term(struct rest_call *c, const json_t *d, json_t *entry, struct oauth_error *e)
{
    static const char *const terms[] = {"once", "period", "agreement", NULL};
    const json_t *term = json_object_get(d, "term"), *end = json_object_get(d, "expires_at");
    uint64_t ms = 0;

    if (term) {
        if (!json_is_string(term) || !check_words(json_string_value(term), terms) ||
            strchr(json_string_value(term), ' ') || !json_string_length(term)) {
            return bad_details(e, "term is once, period or agreement");
        }
        json_object_set(entry, "term", (json_t *)term);
    }
    if (end && !json_is_null(end)) {
        if (!json_is_string(end) ||
            !clock_parse_ms(json_string_value(end), json_string_length(end), &ms) ||
            ms <= c->now_ms) {
            return bad_details(e, "expires_at is a time to come, like 2030-01-02T03:04:05Z");
        }
        json_object_set(entry, "expires_at", (json_t *)end);
    }
    return true;
}

static bool take_detail(struct rest_call *c, const struct client *k, const json_t *d, json_t *apis,
                        struct oauth_error *e)
{
    static const char *const members[] = {"type", "api",        "fields", "purpose",
                                          "term", "expires_at", NULL};
    const json_t *purpose = json_object_get(d, "purpose"), *fields = json_object_get(d, "fields");
    const char *api = row_text(d, "api");

    if (!json_is_object(d) || strcmp(row_text(d, "type"), "sluice_data") != 0 ||
        !api_only_members(d, members)) {
        return bad_details(e, "objects of type sluice_data with api, fields, purpose, term and "
                              "expires_at are understood");
    }
    const struct client_api *a = client_api_by_scope(k, api, strlen(api), c->now_ms);
    if (!a) {
        return bad_details(e, "the app has no approved subscription of that api");
    }
    if (purpose && (!json_is_string(purpose) || json_string_length(purpose) == 0 ||
                    json_string_length(purpose) > 1000)) {
        return bad_details(e, "purpose is a text of at most 1000 bytes");
    }
    if (fields && !json_is_null(fields) &&
        !fields_within(fields, json_object_get(a->entry, "fields"))) {
        return bad_details(e, "fields are those of the app's subscription");
    }
    if (has_api(apis, row_text(a->entry, "api_id"))) {
        return bad_details(e, "an API is named twice");
    }
    json_t *entry = json_deep_copy(a->entry);
    if (purpose) {
        json_object_set(entry, "purpose", (json_t *)purpose);
    }
    if (json_is_array(fields)) {
        json_object_set(entry, "fields", (json_t *)fields);
    }
    if (!take_term(c, d, entry, e)) {
        json_decref(entry);
        return false;
    }
    return add_api(apis, entry, e);
}

static bool take_details(struct rest_call *c, const struct client *k, const char *text,
                         struct oauth_request *r, struct oauth_error *e)
{
    if (!text) {
        return true;
    }
    size_t n = strlen(text);
    json_t *list = n <= DETAILS_MAX ? json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL) : NULL, *d;
    bool ok = json_is_array(list) && json_array_size(list) > 0 &&
              json_array_size(list) <= TOKEN_SCOPES_MAX && !jsondepth_over(list, REST_DEPTH_MAX);
    size_t i;

    if (!ok) {
        bad_details(e, "a JSON array of objects is needed");
    }
    json_array_foreach(list, i, d)
    {
        ok = ok && take_detail(c, k, d, r->apis, e);
    }
    if (ok) {
        json_object_set(r->params, "authorization_details", list);
    }
    json_decref(list);
    return ok;
}

/* The whole ---------------------------------------------------------------------------------------
 */
static bool take_jkt(const struct oauth_request *r, char hex[static 65], struct oauth_error *e)
{
    const char *text = row_text(r->params, "dpop_jkt");
    uint8_t thumb[CRYPTO_HASH_LEN];
    size_t n = 0;

    if (!text[0]) {
        return true;
    }
    if (!codec_unbase64url(thumb, sizeof thumb, &n, text, strlen(text)) || n != sizeof thumb) {
        return oauth_refuse(e, "invalid_request", "dpop_jkt is the thumbprint of a key");
    }
    char again[65];
    again[codec_hex(again, thumb, n)] = '\0';
    if (hex[0] && strcmp(hex, again) != 0) {
        return oauth_refuse(e, "invalid_dpop_proof", "the proof is of another key than dpop_jkt");
    }
    memcpy(hex, again, sizeof again);
    return true;
}

static bool check_flow(const struct rest_call *c, const struct client *k, oauth_parameter get,
                       const json_t *params, struct oauth_error *e)
{
    if (get(c, "request")) {
        return oauth_refuse(e, "request_not_supported", "send the request by /oauth/par");
    }
    if (strcmp(row_text(params, "response_type"), "code") != 0) {
        return oauth_refuse(e, "unsupported_response_type", "response_type code is what there is");
    }
    if (!k->code) {
        return oauth_refuse(e, "unauthorized_client",
                            "the client's grant_types lack authorization_code");
    }
    return check_pkce(params, e) && check_oidc(params, e);
}

bool oauth_request_check(struct rest_call *c, const struct client *k, oauth_parameter get,
                         struct oauth_request *r, bool *redirect, struct oauth_error *e)
{
    bool openid = false;

    *redirect = false;
    r->params = json_object();
    r->apis = json_array();
    r->client = json_deep_copy(k->row);
    if (!copy_parameters(c, get, r->params, e)) {
        return false;
    }
    if (!oauth_redirect_registered(k, row_text(r->params, "redirect_uri"))) {
        return oauth_refuse(e, "invalid_request", "redirect_uri is not one of the client's");
    }
    *redirect = true;
    if (!check_flow(c, k, get, r->params, e) || !take_jkt(r, r->dpop_jkt, e) ||
        !take_details(c, k, get(c, "authorization_details"), r, e) ||
        !take_scope(c, k, row_text(r->params, "scope"), r->apis, &openid, e)) {
        return false;
    }
    return openid || json_array_size(r->apis) > 0
               ? true
               : oauth_refuse(e, "invalid_scope", "openid, an API's name.version, or both needed");
}

void oauth_request_fini(struct oauth_request *r)
{
    json_decref(r->client);
    json_decref(r->params);
    json_decref(r->apis);
    *r = (struct oauth_request){0};
}

/* Stored ------------------------------------------------------------------------------------------
 */
void oauth_secret_new(char text[static OAUTH_CODE_TEXT])
{
    crypto_random_text(text);
}

void oauth_secret_hash(const char *text, uint8_t out[static CRYPTO_HASH_LEN])
{
    crypto_hash(CRYPTO_SM3, text, strlen(text), out);
}

enum problem oauth_request_store(struct rest_call *c, struct store_txn *txn, const char *app_id,
                                 struct oauth_request *r, bool pushed)
{
    uint8_t sm3[CRYPTO_HASH_LEN];
    char *params = json_dumps(r->params, JSON_COMPACT), *apis = json_dumps(r->apis, JSON_COMPACT);

    r->created_ms = c->now_ms;
    oauth_secret_new(r->id);
    oauth_secret_hash(r->id, sm3);
    const struct store_value v[] = {store_blob(sm3, sizeof sm3),
                                    store_text(app_id),
                                    store_int(pushed),
                                    store_text(params),
                                    store_text(apis),
                                    store_text(r->dpop_jkt),
                                    store_int((int64_t)c->now_ms),
                                    store_int((int64_t)(c->now_ms + OAUTH_REQUEST_LIFE_MS))};
    enum store_err err =
        params && apis
            ? store_exec(txn,
                         "INSERT INTO oauth_requests (id_sm3, app_id, pushed, params, apis, "
                         "dpop_jkt, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                         v, COUNT(v), NULL)
            : STORE_EIO;
    free(params);
    free(apis);
    return rest_store_problem(c, err);
}

static enum problem read_request(struct rest_call *c, struct store_txn *txn, const char *id,
                                 struct oauth_request *r, char app_id[static UUID_TEXT_LEN + 1])
{
    uint8_t sm3[CRYPTO_HASH_LEN];
    struct store_rows *rows = NULL;

    oauth_secret_hash(id, sm3);
    const struct store_value v[] = {store_blob(sm3, sizeof sm3), store_int((int64_t)c->now_ms)};
    enum store_err err = store_query(txn,
                                     "SELECT app_id, params, apis, dpop_jkt, created_at FROM "
                                     "oauth_requests WHERE id_sm3 = ? AND expires_at > ? AND "
                                     "used_at IS NULL",
                                     v, 2, &rows);
    app_id[0] = '\0';
    if (err == STORE_OK && store_next(rows)) {
        snprintf(app_id, UUID_TEXT_LEN + 1, "%s", store_get_text(rows, 0));
        r->params = json_loads(store_get_text(rows, 1), 0, NULL);
        r->apis = json_loads(store_get_text(rows, 2), 0, NULL);
        snprintf(r->dpop_jkt, sizeof r->dpop_jkt, "%s", store_get_text(rows, 3));
        r->created_ms = (uint64_t)store_get_int(rows, 4);
        snprintf(r->id, sizeof r->id, "%s", id);
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

enum problem oauth_request_load(struct rest_call *c, struct store_txn *txn, const char *id,
                                struct oauth_request *r)
{
    char app_id[UUID_TEXT_LEN + 1];

    *r = (struct oauth_request){0};
    if (!url_safe(id, OAUTH_REQUEST_ID_TEXT - 1, OAUTH_REQUEST_ID_TEXT - 1)) {
        return rest_fail(c, PROBLEM_AUTHORIZATION_INVALID, "", "there is no such request");
    }
    enum problem p = read_request(c, txn, id, r, app_id);
    const struct client *k = p == PROBLEM_OK && app_id[0] ? client_get(c, app_id) : NULL;
    if (k) {
        r->client = json_deep_copy(k->row);
        client_put(&k);
    }
    if (p == PROBLEM_OK && (!r->client || !r->params || !r->apis)) {
        p = rest_fail(c, PROBLEM_AUTHORIZATION_INVALID, "",
                      "the request is not there, used or over");
    }
    if (p != PROBLEM_OK) {
        oauth_request_fini(r);
    }
    return p;
}

/* Taken from the browser --------------------------------------------------------------------------
 */
static enum problem take_pushed(struct rest_call *c, const char *uri, struct oauth_request *r,
                                struct oauth_error *e)
{
    const char *client_id = rest_query(c, "client_id");
    size_t n = sizeof OAUTH_REQUEST_URI - 1;
    struct store_txn *txn = NULL;

    if (strncmp(uri, OAUTH_REQUEST_URI, n) != 0) {
        oauth_refuse(e, "invalid_request_uri", "request_uri is one that /oauth/par gave");
        return PROBLEM_AUTHORIZATION_INVALID;
    }
    enum problem p = rest_begin(c, STORE_READ, &txn);
    if (p == PROBLEM_OK) {
        p = oauth_request_load(c, txn, uri + n, r);
    }
    store_rollback(&txn);
    if (p == PROBLEM_OK &&
        (!client_id || strcmp(client_id, row_text(r->params, "client_id")) != 0)) {
        oauth_request_fini(r);
        p = PROBLEM_AUTHORIZATION_INVALID;
    }
    if (p != PROBLEM_OK) {
        oauth_refuse(e, "invalid_request_uri", "the pushed request is not there, used or over");
    }
    return p;
}

static bool take_plain(struct rest_call *c, struct oauth_request *r, bool *redirect,
                       struct oauth_error *e)
{
    const char *id = rest_query(c, "client_id");
    const struct client *k = id ? client_get(c, id) : NULL;
    struct store_txn *txn = NULL;

    if (!k) {
        return oauth_refuse(e, "invalid_request", "client_id is not a client's");
    }
    bool ok = oauth_request_check(c, k, rest_query, r, redirect, e);
    if (ok && k->require_par) {
        ok = oauth_refuse(e, "invalid_request", "this client pushes its requests to /oauth/par");
    }
    if (ok) {
        /* Lost in a power cut, the browser that was sent here has to be sent again. */
        enum problem p = rest_begin(c, STORE_WRITE_SOON, &txn);
        p = p == PROBLEM_OK ? rest_finish(c, &txn, oauth_request_store(c, txn, k->id, r, false))
                            : p;
        ok = p == PROBLEM_OK ? true : oauth_refuse_problem(c, e, p);
    }
    client_put(&k);
    return ok;
}

enum problem oauth_request_take(struct rest_call *c, struct oauth_request *r, const char **error,
                                bool *redirect)
{
    const char *uri = rest_query(c, "request_uri");
    struct oauth_error e = {0};
    enum problem p = PROBLEM_OK;

    *r = (struct oauth_request){0};
    *redirect = false;
    if (uri) {
        p = take_pushed(c, uri, r, &e);
    } else if (!take_plain(c, r, redirect, &e)) {
        p = PROBLEM_AUTHORIZATION_INVALID;
    }
    if (p != PROBLEM_OK) {
        *error = e.code;
        rest_fail(c, p, "", "%s", e.text);
    }
    return p;
}
