/* SPDX-License-Identifier: Apache-2.0 */
/* An app tells the platform, client to server, which call it will make for its user, as it will
 * make it; the answer is a page's address for the user's browser. What the user is shown comes from
 * the call itself, so it has to be something that can be shown whole. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/jsondepth.h"
#include "consent/consent.h"
#include "oauth/inner.h"

#define METHOD_MAX     8
#define TARGET_MAX     1024
#define BODY_MAX       16384
#define STATE_MAX      512
#define VALUES_MAX     64 /* texts, numbers and the like that a user can be asked to read */
#define NAME_MAX_BYTES 100
#define VALUE_MAX      512 /* bytes of one */
#define BODY_DEPTH     6
#define WAITING_MAX    1000 /* undecided ones of one app */
#define CONFIRM_PAGE   "/confirm?request="

struct pushed {
    const char *method, *target, *body, *redirect_uri, *state;
    const struct client_api *api;
    long life_s;
};

/* Marks that turn the direction of what follows (U+202A to 202E, U+2066 to 2069) could show a payee
 * or an amount as another than is sent. */
static bool readable(const char *s)
{
    for (const unsigned char *at = (const unsigned char *)s; *at; at++) {
        if (at[0] == 0xe2 && ((at[1] == 0x80 && at[2] >= 0xaa && at[2] <= 0xae) ||
                              (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9))) {
            return false;
        }
    }
    return true;
}

/* How many values there are; false: one is too long to be shown, or they are too many. */
static bool count_values(const json_t *v, size_t *n)
{
    const char *key;
    json_t *item;
    size_t i;
    bool ok = true;

    if (json_object_size(v) > 0) {
        json_object_foreach((json_t *)v, key, item)
        {
            ok = ok && strlen(key) <= NAME_MAX_BYTES && readable(key) && count_values(item, n);
        }
    } else if (json_array_size(v) > 0) {
        json_array_foreach(v, i, item) ok = ok && count_values(item, n);
    } else { /* an empty list or object is shown too */
        const char *text = json_is_string(v) ? json_string_value(v) : "";
        ok = json_string_length(v) <= VALUE_MAX && readable(text) && ++*n <= VALUES_MAX;
    }
    return ok;
}

static bool check_body(const char *body, struct oauth_error *e)
{
    json_t *v = body[0] ? json_loads(body, JSON_REJECT_DUPLICATES, NULL) : json_object();
    size_t n = 0;
    bool ok = json_is_object(v) && !jsondepth_over(v, BODY_DEPTH) && count_values(v, &n);

    json_decref(v);
    return ok ? true
              : oauth_refuse(
                    e, "invalid_request",
                    "body has to be a JSON object of at most %d plain values of %d bytes, as the "
                    "user is shown all of it",
                    VALUES_MAX, VALUE_MAX);
}

static bool plain(const char *text)
{
    for (const char *s = text; *s; s++) {
        if (*s <= ' ' || *s > '~') {
            return false;
        }
    }
    return text[0] != '\0';
}

static bool method_known(const char *method)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

    for (size_t i = 0; i < COUNT(methods); i++) {
        if (strcmp(methods[i], method) == 0) {
            return true;
        }
    }
    return false;
}

static const char *form_or_empty(const struct rest_call *c, const char *name)
{
    const char *v = rest_form(c, name);

    return v ? v : "";
}

static bool read_pushed(struct rest_call *c, const struct client *k, struct pushed *q,
                        struct oauth_error *e)
{
    const char *scope = rest_form(c, "scope"), *life = rest_form(c, "expires_in");
    static const struct {
        const char *name;
        size_t max;
    } texts[] = {{"method", METHOD_MAX},
                 {"target", TARGET_MAX},
                 {"body", BODY_MAX},
                 {"redirect_uri", TARGET_MAX},
                 {"state", STATE_MAX}};

    for (size_t i = 0; i < COUNT(texts); i++) {
        const char *v = rest_form(c, texts[i].name);
        if (v && strlen(v) > texts[i].max) {
            return oauth_refuse(e, "invalid_request", "%s has more than %zu bytes", texts[i].name,
                                texts[i].max);
        }
    }
    q->method = form_or_empty(c, "method");
    q->target = form_or_empty(c, "target");
    q->body = form_or_empty(c, "body");
    q->redirect_uri = rest_form(c, "redirect_uri");
    q->state = rest_form(c, "state");
    q->api = scope ? client_api_by_scope(k, scope, strlen(scope), c->now_ms) : NULL;
    if (!q->api) {
        return oauth_refuse(e, "invalid_scope", "scope names the one API the call is to");
    }
    if (!method_known(q->method) || !plain(q->target)) {
        return oauth_refuse(e, "invalid_request",
                            "method and target (path and query, as sent) are needed");
    }
    if (!q->redirect_uri || !oauth_redirect_registered(k, q->redirect_uri)) {
        return oauth_refuse(e, "invalid_request", "redirect_uri is not one of the client's");
    }
    q->life_s = life ? strtol(life, NULL, 10) : CONFIRMATION_LIFE_S;
    if (q->life_s < 1 || q->life_s > CONFIRMATION_LIFE_S) {
        return oauth_refuse(e, "invalid_request", "expires_in is 1 to %d seconds",
                            CONFIRMATION_LIFE_S);
    }
    return check_body(q->body, e);
}

/* The call has to be one the gateway would hand to that API. */
static bool below(const char *target, const char *path)
{
    size_t n = strlen(path);

    return strncmp(target, path, n) == 0 &&
           (target[n] == '\0' || target[n] == '/' || target[n] == '?');
}

static bool too_many(struct store_txn *txn, const char *app_id, uint64_t now_ms)
{
    const struct store_value v[] = {store_text(app_id), store_int((int64_t)now_ms)};
    struct store_rows *rows = NULL;
    bool many = store_query(txn,
                            "SELECT count(*) FROM confirmations WHERE app_id = ? AND state = "
                            "'pending' AND expires_at > ?",
                            v, 2, &rows) != STORE_OK ||
                !store_next(rows) || store_get_int(rows, 0) >= WAITING_MAX;

    return store_rows_end(&rows) != STORE_OK || many;
}

static json_t *row_of(struct rest_call *c, const struct client *k, const struct pushed *q,
                      const char *secret)
{
    char id[UUID_TEXT_LEN + 1], api[UUID_TEXT_LEN + 1], until[CLOCK_RFC3339_LEN + 1],
        content[CODEC_HEX_LEN(CRYPTO_HASH_LEN) + 1], request[CODEC_HEX_LEN(CRYPTO_HASH_LEN) + 1];
    uint8_t digest[CRYPTO_HASH_LEN];
    struct uuid u;

    uuid_new(&u);
    uuid_format(&u, id);
    uuid_format(&q->api->id, api);
    clock_format_ms(c->now_ms + CONFIRMATION_LIFE_S * 1000ull, until);
    confirmation_content(slice_str(q->method), slice_str(q->target), slice_str(q->body), digest);
    content[codec_hex(content, digest, sizeof digest)] = '\0';
    oauth_secret_hash(secret, digest);
    request[codec_hex(request, digest, sizeof digest)] = '\0';
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:I, s:s}", "id", id,
                     "state", "pending", "app_id", k->id, "api_id", api, "request_sm3", request,
                     "method", q->method, "target", q->target, "body", q->body, "content_sm3",
                     content, "redirect_uri", q->redirect_uri, "client_state", q->state, "life_s",
                     (json_int_t)q->life_s, "expires_at", until);
}

static bool store(struct rest_call *c, const struct client *k, const struct pushed *q,
                  const json_t *row, struct oauth_error *e)
{
    struct store_txn *txn = NULL;
    json_t *api = NULL, *whole = json_copy((json_t *)row);
    bool fits = false, wants = false, many = false;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p == PROBLEM_OK) {
        p = api_load(c, txn, &apis_resource, row_text(row, "api_id"), &api);
    }
    if (p == PROBLEM_OK) {
        fits = below(q->target, row_text(api, "path"));
        wants = json_is_true(json_object_get(api, "user_confirmation"));
        many = too_many(txn, k->id, c->now_ms);
    }
    if (p == PROBLEM_OK && fits && wants && !many) {
        p = change_store(c, txn, &confirmations_resource, NULL, whole, "create");
    }
    p = txn ? rest_finish(c, &txn, p) : p;
    json_decref(api);
    json_decref(whole);
    if (p != PROBLEM_OK) {
        return oauth_refuse_problem(c, e, p);
    }
    if (many) {
        return oauth_refuse(e, "temporarily_unavailable", "too many wait for their users");
    }
    return fits && wants ? true
                         : oauth_refuse(e, "invalid_request",
                                        wants ? "target is not below the API's path"
                                              : "the API asks for no confirmation");
}

enum problem confirmation_push(struct rest_call *c)
{
    char secret[OAUTH_CODE_TEXT], url[400] = "";
    struct oauth_error e = {0};
    struct pushed q = {.method = "", .target = "", .body = ""};
    struct auth a = {0};
    json_t *row = NULL, *answer = NULL;

    bool ok = oauth_authenticate(c, &a, &e) && read_pushed(c, a.client, &q, &e);
    if (ok) {
        oauth_secret_new(secret);
        row = row_of(c, a.client, &q, secret);
        ok = row ? store(c, a.client, &q, row, &e) : oauth_refuse(&e, "server_error", "no memory");
    }
    if (ok) {
        snprintf(url, sizeof url, "%s%s%s", oauth_issuer(c->ctl), CONFIRM_PAGE, secret);
        answer =
            json_pack("{s:O, s:s, s:O, s:I}", "id", json_object_get(row, "id"), "confirmation_uri",
                      url, "content_sm3", json_object_get(row, "content_sm3"), "expires_in",
                      (json_int_t)(CONFIRMATION_LIFE_S));
    }
    crypto_wipe(secret, sizeof secret);
    json_decref(row);
    auth_fini(&a);
    return ok ? rest_answer(c, 201, answer) : oauth_answer_error(c, &e);
}
