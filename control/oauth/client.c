/* SPDX-License-Identifier: Apache-2.0 */
/* An app as an OAuth client, read from the store once and kept until something that nodes are told
 * changes: apps, organisations, credentials, subscriptions, APIs and client settings all are. */
#include <stdio.h>
#include <stdlib.h>

#include "base/codec.h"
#include "oauth/inner.h"

#define BUCKETS     4096u
#define CLIENTS_MAX 20000u

const char *const client_auth_names[] = {
    "client_secret_basic", "client_secret_post",          "private_key_jwt",
    "tls_client_auth",     "self_signed_tls_client_auth", NULL};

/* Loading -----------------------------------------------------------------------------------------
 */
void client_free(struct client *k)
{
    if (!k) {
        return;
    }
    for (size_t i = 0; i < k->n_keys; i++) {
        json_decref(k->keys[i].row);
        crypto_key_free(&k->keys[i].key);
        crypto_wipe(k->keys[i].bytes, sizeof k->keys[i].bytes);
    }
    for (size_t i = 0; i < k->n_apis; i++) {
        json_decref(k->apis[i].entry);
    }
    free(k->keys);
    free(k->apis);
    json_decref(k->row);
    free(k);
}

static bool open_secret(const struct control *ctl, const json_t *row, struct client_key *key)
{
    const char *text = row_text(row, "secret_sealed");
    uint8_t sealed[CRYPTO_KEY_LEN + CRYPTO_SEAL_EXTRA];
    size_t n = 0;

    return codec_unbase64url(sealed, sizeof sealed, &n, text, strlen(text)) && n == sizeof sealed &&
           keyring_open(ctl, slice_str(row_text(row, "id")), sealed, n, key->bytes) == CRYPTO_OK;
}

static bool open_public(const json_t *row, struct client_key *key)
{
    const char *text = row_text(row, "spki");
    uint8_t der[4096];
    size_t n = 0;

    return codec_unbase64url(der, sizeof der, &n, text, strlen(text)) &&
           crypto_key_load_spki(&key->key, slice_of((const char *)der, n)) == CRYPTO_OK;
}

static enum problem take_key(struct rest_call *c, struct change *ch)
{
    struct client *k = ch->arg;

    if (strcmp(row_text(ch->row, "state"), "active") != 0 ||
        strcmp(row_text(ch->row, "use"), "signing") != 0) {
        return PROBLEM_OK;
    }
    struct client_key *more = realloc(k->keys, (k->n_keys + 1) * sizeof *more);
    if (!more) {
        return PROBLEM_INTERNAL;
    }
    k->keys = more;
    struct client_key *key = &k->keys[k->n_keys];
    *key = (struct client_key){.secret = row_text(ch->row, "secret_sealed")[0] != '\0',
                               .from_ms = api_ms(ch->row, "not_before"),
                               .to_ms = api_ms(ch->row, "expires_at")};
    if (key->secret ? !open_secret(c->ctl, ch->row, key) : !open_public(ch->row, key)) {
        return PROBLEM_OK; /* of no use here */
    }
    key->row = row_public(ch->res, ch->row);
    k->n_keys++;
    return PROBLEM_OK;
}

static json_t *entry_of(const json_t *sub, const json_t *api)
{
    const char *title = row_text(api, "title")[0] ? row_text(api, "title") : row_text(api, "name");
    char scope[160];

    snprintf(scope, sizeof scope, "%s.%s", row_text(api, "name"), row_text(api, "version"));
    return json_pack("{s:s, s:s, s:s, s:O, s:s, s:s, s:n}", "api_id", row_text(api, "id"), "name",
                     scope, "title", title, "fields", json_object_get(sub, "fields"), "purpose",
                     row_text(sub, "purpose"), "term", "period", "expires_at");
}

static enum problem take_api(struct rest_call *c, struct change *ch)
{
    struct client *k = ch->arg;
    json_t *api = NULL;

    if (strcmp(row_text(ch->row, "state"), "approved") != 0) {
        return PROBLEM_OK;
    }
    enum problem p = api_load(c, ch->txn, &apis_resource, row_text(ch->row, "api_id"), &api);
    struct client_api *more =
        p == PROBLEM_OK ? realloc(k->apis, (k->n_apis + 1) * sizeof *more) : NULL;
    if (!more) {
        json_decref(api);
        return p == PROBLEM_OK ? PROBLEM_INTERNAL : p;
    }
    k->apis = more;
    struct client_api *a = &k->apis[k->n_apis];
    *a = (struct client_api){.a2 = strcmp(row_text(api, "class"), "A2") == 0,
                             .from_ms = api_ms(ch->row, "not_before"),
                             .to_ms = api_ms(ch->row, "expires_at"),
                             .entry = entry_of(ch->row, api)};
    snprintf(a->scope, sizeof a->scope, "%s", row_text(a->entry, "name"));
    if (api_state_live(api) && a->entry && uuid_parse(&a->id, row_text(api, "id"), UUID_TEXT_LEN)) {
        k->fapi2 = k->fapi2 || a->a2;
        k->n_apis++;
    } else {
        json_decref(a->entry);
    }
    json_decref(api);
    return PROBLEM_OK;
}

static bool has_word(const json_t *list, const char *word)
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

static enum problem take_settings(struct rest_call *c, struct change *ch)
{
    struct client *k = ch->arg;
    const json_t *grants = json_object_get(ch->row, "grant_types");

    (void)c;
    if (strcmp(row_text(ch->row, "state"), "active") != 0) {
        return PROBLEM_OK;
    }
    json_object_set(k->row, "settings", ch->row);
    for (size_t i = 0; client_auth_names[i]; i++) {
        if (strcmp(client_auth_names[i], row_text(ch->row, "token_endpoint_auth_method")) == 0) {
            k->method = (enum client_auth)i;
        }
    }
    k->fapi2 = k->fapi2 || strcmp(row_text(ch->row, "profile"), "fapi2") == 0;
    k->dpop_bound = json_is_true(json_object_get(ch->row, "dpop_bound"));
    k->require_par = json_is_true(json_object_get(ch->row, "require_par"));
    k->code = has_word(grants, "authorization_code");
    k->refresh = has_word(grants, "refresh_token");
    k->own = has_word(grants, "client_credentials");
    k->access_s = (uint32_t)json_integer_value(json_object_get(ch->row, "access_token_s"));
    k->refresh_s = (uint32_t)json_integer_value(json_object_get(ch->row, "refresh_token_s"));
    return PROBLEM_OK;
}

static enum problem load_into(struct rest_call *c, struct store_txn *txn, struct client *k)
{
    json_t *org = NULL;
    enum problem p = api_load(c, txn, &apps_resource, k->id, &k->row);

    if (p == PROBLEM_OK) {
        p = api_load(c, txn, &organisations_resource, row_text(k->row, "organisation_id"), &org);
    }
    if (p == PROBLEM_OK &&
        (!api_app_calls(k->row) || strcmp(row_text(org, "state"), "active") != 0)) {
        p = PROBLEM_CLIENT_INVALID;
    }
    json_decref(org);
    if (p == PROBLEM_OK) {
        p = row_each(c, txn, &clients_resource, "app_id", k->id, take_settings, k);
    }
    if (p == PROBLEM_OK && !json_object_get(k->row, "settings")) {
        p = PROBLEM_CLIENT_INVALID;
    }
    if (p == PROBLEM_OK) {
        p = row_each(c, txn, &credentials_resource, "app_id", k->id, take_key, k);
    }
    return p == PROBLEM_OK ? row_each(c, txn, &subscriptions_resource, "app_id", k->id, take_api, k)
                           : p;
}

struct client *client_load(struct rest_call *c, const char *id)
{
    struct client *k = calloc(1, sizeof *k);
    struct store_txn *txn = NULL;

    if (!k || !uuid_parse(&k->app, id, strlen(id))) {
        free(k);
        return NULL;
    }
    uuid_format(&k->app, k->id);
    k->generation = atomic_load(&c->ctl->rings);
    enum problem p = rest_begin(c, STORE_READ, &txn);
    if (p == PROBLEM_OK) {
        p = load_into(c, txn, k);
    }
    store_rollback(&txn);
    if (p != PROBLEM_OK) {
        client_free(k);
        return NULL;
    }
    k->require_par = k->require_par || k->fapi2;
    atomic_store(&k->users, 1);
    return k;
}

/* Keeping -----------------------------------------------------------------------------------------
 */
void client_put(const struct client **client)
{
    struct client *k = (struct client *)*client;

    *client = NULL;
    if (k && atomic_fetch_sub(&k->users, 1) == 1) {
        client_free(k);
    }
}

static void flush_locked(struct oauth *o)
{
    for (size_t i = 0; o->clients && i < BUCKETS; i++) {
        while (o->clients[i]) {
            const struct client *k = o->clients[i];
            o->clients[i] = o->clients[i]->next;
            client_put(&k);
        }
    }
    o->n_clients = 0;
}

void clients_flush(struct oauth *o)
{
    pthread_mutex_lock(&o->clients_lock);
    flush_locked(o);
    pthread_mutex_unlock(&o->clients_lock);
}

static struct client **bucket_of(struct oauth *o, const struct uuid *app)
{
    return &o->clients[((unsigned)app->b[14] << 8 | app->b[15]) % BUCKETS];
}

/* A kept one of an older generation is taken out; whoever still uses it holds it. */
static const struct client *find_kept(struct rest_call *c, struct oauth *o, const struct uuid *app)
{
    uint64_t generation = atomic_load(&c->ctl->rings);
    const struct client *found = NULL;

    pthread_mutex_lock(&o->clients_lock);
    if (!o->clients) {
        o->clients = calloc(BUCKETS, sizeof(*o->clients));
    }
    for (struct client **at = o->clients ? bucket_of(o, app) : NULL; at && *at; at = &(*at)->next) {
        if (!uuid_eq(&(*at)->app, app)) {
            continue;
        }
        const struct client *k = *at;
        if (k->generation == generation) {
            atomic_fetch_add(&(*at)->users, 1);
            found = k;
        } else {
            *at = (*at)->next;
            o->n_clients--;
            client_put(&k);
        }
        break;
    }
    pthread_mutex_unlock(&o->clients_lock);
    return found;
}

static void keep(struct oauth *o, struct client *k)
{
    pthread_mutex_lock(&o->clients_lock);
    if (o->n_clients >= CLIENTS_MAX) {
        flush_locked(o);
    }
    if (o->clients) {
        struct client **bucket = bucket_of(o, &k->app);
        for (struct client **at = bucket; *at; at = &(*at)->next) {
            if (uuid_eq(&(*at)->app, &k->app)) { /* another thread was first */
                const struct client *other = *at;
                *at = (*at)->next;
                o->n_clients--;
                client_put(&other);
                break;
            }
        }
        atomic_fetch_add(&k->users, 1);
        k->next = *bucket;
        *bucket = k;
        o->n_clients++;
    }
    pthread_mutex_unlock(&o->clients_lock);
}

const struct client *client_get(struct rest_call *c, const char *id)
{
    struct uuid app;

    if (!uuid_parse(&app, id, strlen(id))) {
        return NULL;
    }
    const struct client *found = find_kept(c, c->ctl->oauth, &app);
    if (found) {
        return found;
    }
    struct client *k = client_load(c, id);
    if (k) {
        keep(c->ctl->oauth, k);
    }
    return k;
}

/* What it may call --------------------------------------------------------------------------------
 */
bool client_api_live(const struct client_api *a, uint64_t now_ms)
{
    return a->from_ms <= now_ms && (a->to_ms == 0 || a->to_ms > now_ms);
}

const struct client_api *client_api_by_scope(const struct client *k, const char *word, size_t n,
                                             uint64_t now_ms)
{
    for (size_t i = 0; i < k->n_apis; i++) {
        const struct client_api *a = &k->apis[i];
        if (strlen(a->scope) == n && memcmp(a->scope, word, n) == 0 && client_api_live(a, now_ms)) {
            return a;
        }
    }
    return NULL;
}

const struct client_api *client_api_by_id(const struct client *k, const struct uuid *id,
                                          uint64_t now_ms)
{
    for (size_t i = 0; i < k->n_apis; i++) {
        if (uuid_eq(&k->apis[i].id, id) && client_api_live(&k->apis[i], now_ms)) {
            return &k->apis[i];
        }
    }
    return NULL;
}
