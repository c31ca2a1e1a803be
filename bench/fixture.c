/* SPDX-License-Identifier: Apache-2.0 */
/* A gateway node's files without a control plane, so that a bench can load 100,000 entries in
 * seconds: fixture DIR UPSTREAM_HOST:PORT ENTRIES. Writes DIR/keys/link.key, DIR/replica and
 * DIR/secret; prints {"credential": …, "path": …}. The API under test is the first of ENTRIES APIs;
 * each has an app, a credential, a subscription and a grant. Its app has two more: one of class A2
 * with a key pair (DIR/app.pem), one with limits, a schema and a breaker.
 * fixture DIR UPSTREAM_HOST:PORT ENTRIES PER_SECOND SECONDS: changes so many of the other APIs each
 * second, one a transaction, as a node's agent applies what comes one by one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/codec.h"
#include "crypto/crypto.h"
#include "crypto/key.h"
#include "id/uuid.h"
#include "link/ring.h"
#include "node/keys.h"
#include "replica/replica.h"

#define BATCH   5000
#define YEAR_MS 31536000000ull

struct fixture {
    struct replica *replica;
    json_t *entries;
    uint64_t seq;
    uint8_t feed_key[CRYPTO_KEY_LEN];
    const char *upstream;
};

static void die(const char *what)
{
    fprintf(stderr, "fixture: %s\n", what);
    exit(1);
}

static void flush_entries(struct fixture *f)
{
    size_t bad = 0;
    struct replica_cursor cursor = {
        .epoch = {1}, .seq = f->seq, .synced_ms = clock_wall_ms() + YEAR_MS};
    if (replica_apply(f->replica, f->entries, &cursor, false, false, &bad) != REPLICA_OK) {
        die("replica_apply failed");
    }
    json_array_clear(f->entries);
}

static void put(struct fixture *f, const char *kind, const char *id, json_t *data)
{
    json_t *entry = json_pack("{s:I s:s s:s s:s s:o}", "seq", (json_int_t)++f->seq, "kind", kind,
                              "id", id, "op", "put", "data", data);
    if (!entry) {
        die("out of memory");
    }
    json_array_append_new(f->entries, entry);
    if (json_array_size(f->entries) >= BATCH) {
        flush_entries(f);
    }
}

static void new_id(char out[UUID_TEXT_LEN + 1])
{
    struct uuid id;
    uuid_new(&id);
    uuid_format(&id, out);
}

static json_t *order_fields(void)
{
    static const struct {
        const char *path, *mask;
        int level;
    } rows[] = {
        {"id", "", 1},
        {"merchant", "", 1},
        {"product", "", 1},
        {"amount", "", 2},
        {"status", "", 2},
        {"created_at", "", 2},
        {"buyer_name", "name", 3},
        {"phone", "phone", 3},
        {"email", "email", 3},
        {"address", "address", 3},
        {"card", "", 4},
        {"password", "", 4},
        {"note", "", 1},
    };
    json_t *fields = json_array();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_array_append_new(fields, json_pack("{s:s s:s s:i s:s s:s}", "path", rows[i].path,
                                                "name", rows[i].path, "level", rows[i].level,
                                                "type", "scalar", "mask", rows[i].mask));
    }
    return fields;
}

static json_t *api_on(const struct fixture *f, const char *path, const char *class_)
{
    char upstream[128];
    snprintf(upstream, sizeof upstream, "http://%s/order", f->upstream);
    return json_pack("{s:s s:s s:s s:s s:s s:s s:[s] s:s s:b s:s s:i s:i s:o}", "name", "orders",
                     "path", path, "state", "published", "class", class_, "access", "subscription",
                     "kind", "http", "methods", "GET", "profile", "rest", "owner_scoped", 1,
                     "upstream", upstream, "timeout_ms", 10000, "max_body_bytes", 1048576, "fields",
                     order_fields());
}

static void put_api(struct fixture *f, const char *id, unsigned n)
{
    char path[64];
    snprintf(path, sizeof path, "/bench/orders%u/v1", n);
    put(f, "api", id, api_on(f, path, "A1"));
}

static void put_credential(struct fixture *f, const char *id, const char *app,
                           const uint8_t secret[32])
{
    uint8_t sealed[32 + CRYPTO_SEAL_EXTRA];
    char text[CODEC_BASE64URL_LEN(sizeof sealed) + 1];
    crypto_seal(f->feed_key, slice_of(id, UUID_TEXT_LEN), secret, 32, sealed);
    text[codec_base64url(text, sealed, sizeof sealed)] = '\0';
    put(f, "credential", id,
        json_pack("{s:s s:s s:s s:s}", "app_id", app, "alg", "hmac-sm3", "state", "active",
                  "secret_sealed", text));
}

/* The same id for the same number in every run, so that a later one can change it. */
static void api_id(unsigned n, char out[UUID_TEXT_LEN + 1])
{
    struct uuid id = {{0}};
    memcpy(id.b, &n, sizeof n);
    id.b[6] = 0x70;
    id.b[8] = 0x80;
    uuid_format(&id, out);
}

static void put_right(struct fixture *f, const char *app, const char *api, const char *owner,
                      char grant[UUID_TEXT_LEN + 1])
{
    char subscription[UUID_TEXT_LEN + 1];
    new_id(subscription), new_id(grant);
    put(f, "subscription", subscription,
        json_pack("{s:s s:s s:s s:i s:n}", "app_id", app, "api_id", api, "state", "active",
                  "max_level", 3, "fields"));
    put(f, "grant", grant,
        json_pack("{s:s s:s s:s s:s s:s s:I s:n}", "app_id", app, "api_id", api, "owner", owner,
                  "state", "active", "term", "period", "expires_at",
                  (json_int_t)(clock_wall_ms() + YEAR_MS), "fields"));
}

/* An A2 API and a key pair of the app for it. */
static json_t *put_a2(struct fixture *f, const char *dir, const char *app)
{
    char api[37], credential[37], grant[37], path[512], text[512];
    new_id(api), new_id(credential);
    put(f, "api", api, api_on(f, "/bench/accounts/v1", "A2"));
    put_right(f, app, api, "M000000", grant);
    struct crypto_key *key = crypto_key_new(CRYPTO_KEY_SM2);
    char *pem = crypto_key_private_pem(key);
    struct slice spki = crypto_key_spki(key);
    text[codec_base64url(text, (const uint8_t *)spki.p, spki.n)] = '\0';
    put(f, "credential", credential,
        json_pack("{s:s s:s s:s s:s}", "app_id", app, "alg", "sm2-sm3", "state", "active",
                  "public_key", text));
    snprintf(path, sizeof path, "%s/app.pem", dir);
    FILE *file = fopen(path, "w");
    if (!pem || !file || fchmod(fileno(file), 0600) != 0 || fputs(pem, file) < 0 ||
        fclose(file) != 0) {
        die("cannot write the app's key");
    }
    crypto_wipe(pem, strlen(pem));
    free(pem);
    crypto_key_free(&key);
    return json_pack("{s:s s:s s:s}", "credential", credential, "grant", grant, "path",
                     "/bench/accounts/v1");
}

static void put_limit(struct fixture *f, const char *per, const char *measure, const char *api)
{
    char id[37];
    new_id(id);
    put(f, "limit", id,
        json_pack("{s:s s:s s:s s:s s:I s:i s:s}", "state", "active", "per", per, "api_id", api,
                  "measure", measure, "amount", (json_int_t)1000000, "window_ms", 1000, "action",
                  "reject"));
}

/* An A1 API with a breaker, four limits and a schema; cached: its answers also for a second. */
static json_t *put_full(struct fixture *f, const char *app, const char *credential,
                        const char *path, bool cached)
{
    char id[37], grant[37];
    new_id(id);
    json_t *api = api_on(f, path, "A1");
    json_object_set_new(api, "has_schema", json_true());
    json_object_set_new(
        api, "breaker",
        json_pack("{s:i s:i s:i}", "failures", 5, "window_ms", 10000, "open_ms", 1000));
    if (cached) {
        json_object_set_new(api, "cache_ms", json_integer(1000));
    }
    put(f, "api", id, api);
    put_right(f, app, id, "M000000", grant);
    put(f, "schema", id,
        json_pack("{s:{s:s s:{s:s s:s} s:{s:{s:{s:[{s:s s:s s:b s:{s:s s:s s:i}}] s:{s:{s:s}}}}}}}",
                  "openapi", "openapi", "3.1.0", "info", "title", "orders", "version", "1", "paths",
                  "/", "get", "parameters", "name", "id", "in", "query", "required", 1, "schema",
                  "type", "string", "pattern", "^eq\\.[0-9]+$", "maxLength", 40, "responses", "200",
                  "description", "an order"));
    put_limit(f, "app-api", "rate", id);
    put_limit(f, "app-api", "calls", id);
    put_limit(f, "app", "concurrency", id);
    put_limit(f, "address", "rate", id);
    return json_pack("{s:s s:s s:s}", "credential", credential, "grant", grant, "path", path);
}

/* dir: where the first entry's keys go; NULL for the others. */
static void put_entry(struct fixture *f, unsigned n, const uint8_t secret[32], const char *dir)
{
    char api[37], app[37], credential[37], grant[37], owner[32], path[64];
    api_id(n, api), new_id(app), new_id(credential);
    snprintf(owner, sizeof owner, "M%06u", n);
    snprintf(path, sizeof path, "/bench/orders%u/v1", n);
    put_api(f, api, n);
    put(f, "app", app,
        json_pack("{s:s s:s s:s s:s}", "org_id", app, "name", "bench", "state", "active",
                  "environment", "monitored"));
    put_credential(f, credential, app, secret);
    put_right(f, app, api, owner, grant);
    if (!dir) {
        return;
    }
    json_t *told = json_pack("{s:s s:s s:s s:s s:o s:o s:o}", "credential", credential, "grant",
                             grant, "api", api, "path", path, "a2", put_a2(f, dir, app), "full",
                             put_full(f, app, credential, "/bench/full/v1", false), "cached",
                             put_full(f, app, credential, "/bench/cached/v1", true));
    json_dumpf(told, stdout, JSON_COMPACT);
    json_decref(told);
}

static void save_secret(const char *dir, const uint8_t secret[32])
{
    char path[512], text[44];
    snprintf(path, sizeof path, "%s/secret", dir);
    text[codec_base64url(text, secret, 32)] = '\0';
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0) {
        die("cannot write the secret");
    }
}

static int churn(struct fixture *f, const char *dir, unsigned entries, unsigned per_second,
                 unsigned seconds)
{
    char path[512], id[UUID_TEXT_LEN + 1];
    snprintf(path, sizeof path, "%s/replica", dir);
    struct replica_cursor cursor;
    if (replica_open_writer(&f->replica, path, (size_t)4 << 30) != REPLICA_OK ||
        replica_cursor(f->replica, &cursor) != REPLICA_OK) {
        die("cannot open the replica");
    }
    f->seq = cursor.seq;
    uint64_t began_us = clock_mono_us();
    for (uint64_t i = 0; i < (uint64_t)per_second * seconds; i++) {
        uint64_t due_us = began_us + i * 1000000 / per_second, now_us = clock_mono_us();
        if (due_us > now_us) {
            usleep((useconds_t)(due_us - now_us));
        }
        unsigned n = 1 + (unsigned)(i * 7919 % (entries - 1)); /* never the one under test */
        api_id(n, id);
        put_api(f, id, n);
        flush_entries(f);
    }
    replica_close(&f->replica);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 4 && argc != 6) {
        die("usage: fixture DIR UPSTREAM_HOST:PORT ENTRIES [PER_SECOND SECONDS]");
    }
    struct fixture f = {.entries = json_array(), .upstream = argv[2]};
    if (argc == 6) {
        return churn(&f, argv[1], (unsigned)strtoul(argv[3], NULL, 10),
                     (unsigned)strtoul(argv[4], NULL, 10), (unsigned)strtoul(argv[5], NULL, 10));
    }
    uint8_t link[CRYPTO_KEY_LEN], secret[32];
    char path[512];
    uint8_t data[CRYPTO_KEY_LEN];
    unsigned entries = (unsigned)strtoul(argv[3], NULL, 10);
    mkdir(argv[1], 0755);
    snprintf(path, sizeof path, "%s/keys", argv[1]);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/gateway", argv[1]);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/gateway/state", argv[1]);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/keys/link.key", argv[1]);
    if (crypto_keyfile_create(path, link) != CRYPTO_OK) {
        die("cannot make the link key");
    }
    snprintf(path, sizeof path, "%s/keys/data.key", argv[1]);
    if (link_data_key(path, link, data) != CRYPTO_OK) {
        die("cannot make the data key");
    }
    if (!node_keys_ensure(argv[1])) {
        die("cannot make the node's keys");
    }
    crypto_derive(link, "feed.secret", f.feed_key);
    crypto_random(secret, sizeof secret);
    save_secret(argv[1], secret);
    snprintf(path, sizeof path, "%s/replica", argv[1]);
    if (replica_open_writer(&f.replica, path, (size_t)4 << 30) != REPLICA_OK) {
        die("cannot make the replica");
    }
    for (unsigned n = 0; n < entries; n++) {
        put_entry(&f, n, secret, n == 0 ? argv[1] : NULL);
    }
    flush_entries(&f);
    json_decref(f.entries);
    replica_close(&f.replica);
    return 0;
}
