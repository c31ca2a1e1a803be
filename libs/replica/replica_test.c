/* SPDX-License-Identifier: Apache-2.0 */
#include "replica/replica.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plan/plan.h"

#define ID(last)  "019a0000-0000-7000-8000-0000000000" last
#define SMALL_MAP ((size_t)256 << 20)

struct world {
    char dir[64];
    struct replica *r;
    struct replica_reader *rd;
    uint64_t seq, version, synced_ms;
    struct policy_field fields[POLICY_FIELDS_MAX];
    struct replica_api api;
};

static void make_dir(char dir[64])
{
    strcpy(dir, "/tmp/replica-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
}

static void remove_dir(const char *dir)
{
    static const char *const files[] = {"data.mdb", "lock.mdb"};
    char path[128];
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        unlink(path);
    }
    rmdir(dir);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    make_dir(w->dir);
    assert_int_equal(replica_open_writer(&w->r, w->dir, SMALL_MAP), REPLICA_OK);
    assert_int_equal(replica_reader_new(&w->rd, w->r), REPLICA_OK);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    replica_reader_free(&w->rd);
    replica_close(&w->r);
    remove_dir(w->dir);
    free(w);
    return 0;
}

static struct uuid id_of(const char *text)
{
    struct uuid id;
    assert_true(uuid_parse(&id, text, strlen(text)));
    return id;
}

/* Applies entries given as JSON text (single quotes for double) as one batch at the next seq. */
static enum replica_err apply(struct world *w, const char *entries, bool reset, size_t *bad)
{
    char *text = strdup(entries);
    for (char *p = text; *p != '\0'; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    json_error_t error;
    json_t *json = json_loads(text, JSON_ALLOW_NUL, &error);
    if (json == NULL) {
        fail_msg("%s in %s", error.text, text);
    }
    free(text);
    struct replica_cursor cursor = {.epoch = {1}, .seq = ++w->seq, .synced_ms = w->seq * 1000};
    enum replica_err err = replica_apply(w->r, json, &cursor, reset, false, bad);
    json_decref(json);
    return err;
}

static void must(struct world *w, const char *entries)
{
    size_t bad = 0;
    assert_int_equal(apply(w, entries, false, &bad), REPLICA_OK);
    assert_int_equal(replica_read_begin(w->rd, &w->version, &w->synced_ms), REPLICA_OK);
}

#define APP(id, state)                                                                             \
    "{'seq':1,'kind':'app','id':'" id                                                              \
    "','op':'put','data':{'org_id':'" ID("99") "','name':'shop',"                                  \
                                               "'state':'" state "','environment':'monitored'}}"
#define CREDENTIAL(id, sealed)                                                                     \
    "{'seq':2,'kind':'credential','id':'" id "','op':'put','data':{'app_id':'" ID(                 \
        "01") "','alg':'hmac-sm3',"                                                                \
              "'state':'active','not_before':5,'expires_at':9,'secret_sealed':'" sealed "'}}"
#define SEALED "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define FIELDS                                                                                     \
    "[{'path':'id','name':'Id','level':1,'type':'scalar','mask':''},"                              \
    "{'path':'phone','name':'Phone','level':3,'type':'scalar','mask':'keep:3:4'},"                 \
    "{'path':'tags','name':'Tags','level':2,'type':'json','mask':null}]"
#define API_FULL(seq, id, path, state, kind, more, fields)                                         \
    "{'seq':" seq ",'kind':'api','id':'" id "','op':'put','data':{'name':'orders','path':'" path   \
    "','state':'" state "','class':'A1','access':'subscription','kind':'" kind                     \
    "','methods':['GET','POST'],'profile':'rest','dataset_id':'" ID(                               \
        "55") "','owner_scoped':true,'timeout_ms':3000,'max_body_bytes':4096,'sunset_at':77" more  \
              ",'fields':" fields "}}"
#define API(seq, id, path, state) API_FULL(seq, id, path, state, "dataset", "", FIELDS)
#define SUBSCRIPTION(seq, id, state, fields)                                                       \
    "{'seq':" seq ",'kind':'subscription','id':'" id                                               \
    "','op':'put','data':{'app_id':'" ID("01") "','api_id':'" ID(                                  \
        "10") "','state':'" state "','max_level':3,'not_before':1,'expires_at':2,'fields':" fields \
              "}}"
#define GRANT(id, owner, state)                                                                    \
    "{'seq':6,'kind':'grant','id':'" id                                                            \
    "','op':'put','data':{'app_id':'" ID("01") "','api_id':'" ID(                                  \
        "10") "','owner':'" owner "','state':'" state                                              \
              "','term':'period','not_before':0,'expires_at':0,'fields':['tags']}}"
#define DEL(kind, id) "{'seq':9,'kind':'" kind "','id':'" id "','op':'del'}"

static void put_every_kind(struct world *w)
{
    must(
        w,
        "[" APP(ID("01"), "active") "," CREDENTIAL(ID("02"), SEALED) "," API(
            "3", ID("10"), "/trade/orders/v1",
            "published") "," SUBSCRIPTION("4", ID("20"), "active",
                                          "null") "," GRANT(ID("30"), "M1",
                                                            "active") ",{'seq':7,'kind':'dataset','"
                                                                      "id':'" ID(
                                                                          "55") "','op':'"
                                                                                "put','data'"
                                                                                ":{'table':'"
                                                                                "orders'}}"
                                                                                ",{'seq':8,'"
                                                                                "kind':'"
                                                                                "source','"
                                                                                "id':'" ID(
                                                                                    "56") "'"
                                                                                          ","
                                                                                          "'"
                                                                                          "o"
                                                                                          "p"
                                                                                          "'"
                                                                                          ":"
                                                                                          "'"
                                                                                          "p"
                                                                                          "u"
                                                                                          "t"
                                                                                          "'"
                                                                                          ","
                                                                                          "'"
                                                                                          "d"
                                                                                          "a"
                                                                                          "t"
                                                                                          "a"
                                                                                          "'"
                                                                                          ":"
                                                                                          "{"
                                                                                          "'"
                                                                                          "k"
                                                                                          "i"
                                                                                          "n"
                                                                                          "d"
                                                                                          "'"
                                                                                          ":"
                                                                                          "'"
                                                                                          "o"
                                                                                          "d"
                                                                                          "b"
                                                                                          "c"
                                                                                          "'"
                                                                                          "}"
                                                                                          "}"
                                                                                          "]");
}

static void apps_and_credentials_come_back(void **state)
{
    struct world *w = *state;
    struct replica_app app;
    struct replica_credential c;
    put_every_kind(w);
    struct uuid id = id_of(ID("01"));
    assert_int_equal(replica_get_app(w->rd, &id, &app), REPLICA_OK);
    assert_int_equal(app.policy.state, POLICY_ACTIVE);
    assert_int_equal(app.policy.environment, POLICY_MONITORED);
    assert_true(slice_eq(app.name, SLICE("shop")) && uuid_eq(&app.policy.id, &id));
    id = id_of(ID("02"));
    assert_int_equal(replica_get_app(w->rd, &id, &app), REPLICA_ENOTFOUND);
    assert_int_equal(replica_get_credential(w->rd, &id, &c), REPLICA_OK);
    assert_int_equal(c.policy.alg, POLICY_HMAC_SM3);
    assert_int_equal(c.policy.not_before_ms, 5);
    assert_int_equal(c.policy.expires_ms, 9);
    assert_int_equal(c.secret_sealed.n, 45);
}

static void apis_come_back(void **state)
{
    struct world *w = *state;
    put_every_kind(w);
    struct uuid id = id_of(ID("10"));
    assert_int_equal(replica_get_api(w->rd, &id, &w->api, w->fields), REPLICA_OK);
    assert_int_equal(w->api.policy.rev, 3);
    assert_int_equal(w->api.policy.methods, POLICY_GET | POLICY_POST);
    assert_int_equal(w->api.policy.n_fields, 3);
    assert_int_equal(w->api.policy.sunset_ms, 77);
    assert_int_equal(w->api.timeout_ms, 3000);
    assert_true(w->api.policy.owner_scoped && slice_eq(w->api.profile, SLICE("rest")));
    assert_int_equal(w->fields[1].mask.rule, MASK_KEEP);
    assert_int_equal(w->fields[1].mask.last, 4);
    assert_int_equal(w->fields[2].type, PLAN_JSON);
}

static void rights_and_sources_come_back(void **state)
{
    struct world *w = *state;
    struct policy_subscription s;
    struct policy_grant g;
    struct slice json;
    uint64_t rev;
    put_every_kind(w);
    struct uuid app = id_of(ID("01")), id = id_of(ID("10"));
    assert_int_equal(replica_get_api(w->rd, &id, &w->api, w->fields), REPLICA_OK);
    assert_int_equal(replica_get_subscription(w->rd, &app, &w->api.policy, &s), REPLICA_OK);
    assert_true(s.all_fields && s.max_level == 3 && s.not_before_ms == 1 && s.expires_ms == 2);
    id = id_of(ID("30"));
    assert_int_equal(replica_get_grant(w->rd, &id, &w->api.policy, &g), REPLICA_OK);
    assert_true(!g.all_fields && g.allowed[0] == 1 << 2 && slice_eq(g.owner, SLICE("M1")));
    id = id_of(ID("55"));
    assert_int_equal(replica_get_json(w->rd, "dataset", &id, &rev, &json), REPLICA_OK);
    assert_true(rev == 7 && slice_eq(json, SLICE("{\"table\":\"orders\"}")));
    assert_int_equal(replica_get_json(w->rd, "source", &id, &rev, &json), REPLICA_ENOTFOUND);
    assert_int_equal(replica_get_json(w->rd, "app", &id, &rev, &json), REPLICA_ENOTFOUND);
}

/* Each is the second entry of a batch whose first is good: nothing of the batch may stay. */
/* clang-format off */
static const struct { const char *title, *entry; } bad_entries[] = {
    { "not an object", "7" },
    { "no kind", "{'seq':1,'id':'" ID("03") "','op':'del'}" },
    { "no id", "{'seq':1,'kind':'app','op':'del'}" },
    { "id is no UUID", "{'seq':1,'kind':'app','id':'x','op':'del'}" },
    { "unknown op", "{'seq':1,'kind':'app','id':'" ID("03") "','op':'merge','data':{}}" },
    { "negative seq", "{'seq':-1,'kind':'app','id':'" ID("03") "','op':'del'}" },
    { "seq is text", "{'seq':'1','kind':'app','id':'" ID("03") "','op':'del'}" },
    { "no data", "{'seq':1,'kind':'app','id':'" ID("03") "','op':'put'}" },
    { "app of unknown state", APP(ID("03"), "admitted") },
    { "secret is not base64url", CREDENTIAL(ID("03"), "++++") },
    { "secret is too short to be sealed", CREDENTIAL(ID("03"), "AAAA") },
    { "path without slash", API("3", ID("03"), "orders", "published") },
    { "path is the root", API("3", ID("03"), "/", "published") },
    { "path ends in a slash", API("3", ID("03"), "/a/", "published") },
    { "path with a query", API("3", ID("03"), "/a?b", "published") },
    { "path that climbs", API("3", ID("03"), "/a/../b", "published") },
    { "API in a state that has no place on a node", API("3", ID("03"), "/a", "draft") },
    { "API of unknown kind", API_FULL("3", ID("03"), "/a", "published", "soap", "", FIELDS) },
    { "http API without upstream", API_FULL("3", ID("03"), "/a", "published", "http", "", FIELDS) },
    { "ftp upstream", API_FULL("3", ID("03"), "/a", "published", "http", ",'upstream':'ftp://a:1'", FIELDS) },
    { "upstream base that ends the request line", API_FULL("3", ID("03"), "/a", "published", "http", ",'upstream':'http://a:1/x y'", FIELDS) },
    { "fields is no list", API_FULL("3", ID("03"), "/a", "published", "dataset", "", "null") },
    { "field without path", API_FULL("3", ID("03"), "/a", "published", "dataset", "", "[{'level':1,'type':'scalar'}]") },
    { "field with an empty path", API_FULL("3", ID("03"), "/a", "published", "dataset", "", "[{'path':'','level':1,'type':'scalar'}]") },
    { "field of level 5", API_FULL("3", ID("03"), "/a", "published", "dataset", "", "[{'path':'a','level':5,'type':'scalar'}]") },
    { "field of unknown type", API_FULL("3", ID("03"), "/a", "published", "dataset", "", "[{'path':'a','level':1,'type':'blob'}]") },
    { "field with an unknown mask", API_FULL("3", ID("03"), "/a", "published", "dataset", "", "[{'path':'a','level':1,'type':'scalar','mask':'rot13'}]") },
    { "the same field twice", API_FULL("3", ID("03"), "/a", "published", "dataset", "", "[{'path':'a','level':4,'type':'scalar'},{'path':'a','level':1,'type':'scalar'}]") },
    { "subscription without a field list", "{'seq':4,'kind':'subscription','id':'" ID("03") "','op':'put','data':{'app_id':'" ID("01") "','api_id':'" ID("10") "','state':'active','max_level':3}}" },
    { "subscription of level 256", "{'seq':4,'kind':'subscription','id':'" ID("03") "','op':'put','data':{'app_id':'" ID("01") "','api_id':'" ID("10") "','state':'active','max_level':256,'fields':null}}" },
    { "subscription of no app", "{'seq':4,'kind':'subscription','id':'" ID("03") "','op':'put','data':{'api_id':'" ID("10") "','state':'active','max_level':3,'fields':null}}" },
    { "subscription with a number among its fields", SUBSCRIPTION("4", ID("03"), "active", "['id',7]") },
    { "grant with a NUL in its owner", GRANT(ID("03"), "M\\u0000", "active") },
    { "grant of unknown state", GRANT(ID("03"), "M", "asked") },
    { "negative time", "{'seq':1,'kind':'credential','id':'" ID("03") "','op':'put','data':{'app_id':'" ID("01") "','alg':'hmac-sm3','state':'active','not_before':-1,'secret_sealed':'" SEALED "'}}" },
    { "time as text", "{'seq':1,'kind':'credential','id':'" ID("03") "','op':'put','data':{'app_id':'" ID("01") "','alg':'hmac-sm3','state':'active','expires_at':'never','secret_sealed':'" SEALED "'}}" },
    { "algorithm of a later version", "{'seq':1,'kind':'credential','id':'" ID("03") "','op':'put','data':{'app_id':'" ID("01") "','alg':'sm2-sm3','state':'active','secret_sealed':'" SEALED "'}}" },
};
/* clang-format on */

static void bad_entries_change_nothing(void **state)
{
    struct world *w = *state;
    struct replica_app app;
    struct replica_cursor cursor;
    struct uuid id = id_of(ID("01"));
    char text[4096];
    must(w, "[]");
    for (size_t i = 0; i < sizeof bad_entries / sizeof *bad_entries; i++) {
        size_t bad = 99;
        snprintf(text, sizeof text, "[" APP(ID("01"), "active") ",%s]", bad_entries[i].entry);
        enum replica_err err = apply(w, text, false, &bad);
        if (err != REPLICA_EFORMAT || bad != 1) {
            fail_msg("%s: error %d at %zu", bad_entries[i].title, (int)err, bad);
        }
        assert_int_equal(replica_read_begin(w->rd, &w->version, &w->synced_ms), REPLICA_OK);
        assert_int_equal(replica_get_app(w->rd, &id, &app), REPLICA_ENOTFOUND);
        assert_int_equal(replica_cursor(w->r, &cursor), REPLICA_OK);
        assert_int_equal(cursor.seq, 1);
    }
    size_t bad = 99;
    assert_int_equal(apply(w, "{}", false, &bad), REPLICA_EFORMAT);
}

static void unknown_kinds_are_skipped(void **state)
{
    struct world *w = *state;
    must(w, "[{'seq':1,'kind':'token','id':'" ID("03") "','op':'put','data':[]}," DEL(
                "grant", ID("30")) "]");
    assert_int_equal(w->synced_ms, 1000);
}

static const char *route_to(struct world *w, const char *path)
{
    static char text[UUID_TEXT_LEN + 1];
    enum replica_err err = replica_route(w->rd, slice_str(path), &w->api, w->fields);
    if (err == REPLICA_ENOTFOUND) {
        return "none";
    }
    assert_int_equal(err, REPLICA_OK);
    uuid_format(&w->api.policy.id, text);
    return text + UUID_TEXT_LEN - 2;
}

static void routes_by_whole_segments(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *path, *to;
        uint32_t prefix;
    } rows[] = {
        {"/trade/orders/v1", "10", 16},
        {"/trade/orders/v1/", "10", 16},
        {"/trade/orders/v1/17", "10", 16},
        {"/trade/orders/v1/a/b/c/d/e/f/g/h/i/j/k/l/m", "10", 16},
        {"/trade/orders/v1/items", "11", 22},
        {"/trade/orders/v1/items/3", "11", 22},
        {"/trade/orders/v1/itemss", "10", 16},
        {"/trade/orders/v12", "none", 0},
        {"/trade/orders/v", "none", 0},
        {"/trade/orders", "none", 0},
        {"/Trade/orders/v1", "none", 0},
        {"//trade/orders/v1", "none", 0},
        {"trade/orders/v1", "none", 0},
        {"/", "none", 0},
        {"", "none", 0},
        {"/gone/v1", "12", 8},
    };
    must(w, "[" API("3", ID("10"), "/trade/orders/v1", "published") "," API(
                "4", ID("11"), "/trade/orders/v1/items",
                "deprecated") "," API("5", ID("12"), "/gone/v1", "offline") "]");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *to = route_to(w, rows[i].path);
        if (strcmp(to, rows[i].to) != 0) {
            fail_msg("%s goes to %s", rows[i].path, to);
        }
        if (rows[i].prefix != 0) {
            assert_int_equal(w->api.prefix_bytes, rows[i].prefix);
        }
    }
    char *longest = malloc(100000);
    memset(longest, 'a', 100000);
    longest[0] = '/';
    assert_int_equal(replica_route(w->rd, slice_of(longest, 100000), &w->api, w->fields),
                     REPLICA_ENOTFOUND);
    free(longest);
}

static void routes_follow_their_api(void **state)
{
    struct world *w = *state;
    must(w, "[" API("3", ID("10"), "/a", "published") "]");
    must(w, "[" API("4", ID("10"), "/b", "published") "]");
    assert_string_equal(route_to(w, "/a"), "none");
    assert_string_equal(route_to(w, "/b"), "10");
    must(w, "[" API("5", ID("11"), "/b", "published") "]");
    assert_string_equal(route_to(w, "/b"), "11"); /* the latest wins */
    must(w, "[" DEL("api", ID("11")) "]");
    assert_string_equal(route_to(w, "/b"), "10"); /* and leaves the other its own */
    must(w, "[" API("6", ID("12"), "/b", "published") "]");
    must(w, "[" DEL("api", ID("10")) "]");
    assert_string_equal(route_to(w, "/b"), "12");
    must(w, "[" DEL("api", ID("12")) "," DEL("api", ID("12")) "]");
    assert_string_equal(route_to(w, "/b"), "none");
}

static void http_upstreams_are_resolved(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *more, *upstream, *base;
    } rows[] = {
        {",'upstream':'http://127.0.0.1:8080/base/'", "127.0.0.1:8080", "/base"},
        {",'upstream':'http://localhost/a/b'", "127.0.0.1:80", "/a/b"},
        {",'upstream':'http://[::1]:99'", "[::1]:99", ""},
        {",'upstream':'http://no-such-host.invalid:1'", "", ""},
    };
    char text[4096];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(text, sizeof text,
                 "[" API_FULL("3", ID("10"), "/a", "published", "http", "%s", FIELDS) "]",
                 rows[i].more);
        must(w, text);
        assert_string_equal(route_to(w, "/a"), "10");
        assert_true(slice_eq(w->api.upstream, slice_str(rows[i].upstream)));
        assert_true(slice_eq(w->api.upstream_path, slice_str(rows[i].base)));
    }
}

static void subscriptions_by_field_name(void **state)
{
    struct world *w = *state;
    struct policy_subscription s;
    struct uuid app = id_of(ID("01"));
    must(w, "[" API("3", ID("10"), "/a", "published") "," SUBSCRIPTION("4", ID("20"), "active",
                                                                       "['tags','nothing']") "]");
    assert_string_equal(route_to(w, "/a"), "10");
    assert_int_equal(replica_get_subscription(w->rd, &app, &w->api.policy, &s), REPLICA_OK);
    assert_true(!s.all_fields && s.allowed[0] == 1 << 2);
    /* a revision that puts a field in front moves the bit with the name */
    must(w, "[" API_FULL("5", ID("10"), "/a", "published", "dataset", "",
                         "[{'path':'tags','level':2,'type':'scalar'},{'path':'id','level':1,'type':"
                         "'scalar'}]") "]");
    assert_string_equal(route_to(w, "/a"), "10");
    assert_int_equal(replica_get_subscription(w->rd, &app, &w->api.policy, &s), REPLICA_OK);
    assert_int_equal(s.allowed[0], 1);
    /* the active one counts, whatever was touched last */
    must(w, "[" SUBSCRIPTION("8", ID("21"), "inactive", "null") "]");
    assert_int_equal(replica_get_subscription(w->rd, &app, &w->api.policy, &s), REPLICA_OK);
    assert_int_equal(s.state, POLICY_ACTIVE);
    must(w, "[" SUBSCRIPTION("9", ID("20"), "inactive", "['id']") "]");
    assert_int_equal(replica_get_subscription(w->rd, &app, &w->api.policy, &s), REPLICA_OK);
    assert_int_equal(s.state, POLICY_INACTIVE);
    must(w, "[" DEL("subscription", ID("20")) "," DEL("subscription", ID("21")) "]");
    assert_int_equal(replica_get_subscription(w->rd, &app, &w->api.policy, &s), REPLICA_ENOTFOUND);
    app = id_of(ID("02"));
    assert_int_equal(replica_get_subscription(w->rd, &app, &w->api.policy, &s), REPLICA_ENOTFOUND);
}

#define REVOCATION(id, subject, value, before)                                                     \
    "{'seq':8,'kind':'token-revocation','id':'" id "','op':'put','data':{'subject':'" subject      \
    "','value':'" value "','before':" before ",'expires_at':99}}"

static void revocations_are_found_by_whom(void **state)
{
    struct world *w = *state;
    struct uuid one = id_of(ID("01")), pair[2] = {id_of(ID("01")), id_of(ID("02"))};
    struct slice by_one = slice_of((const char *)&one, sizeof one),
                 by_pair = slice_of((const char *)pair, sizeof pair);
    uint64_t before;
    must(w, "[" REVOCATION(ID("40"), "session", ID("01"), "500") "," REVOCATION(
                ID("41"), "app-user", ID("01") ":" ID("02"), "600") "]");
    assert_int_equal(replica_revoked_before(w->rd, REPLICA_REVOKED_SESSION, by_one, &before),
                     REPLICA_OK);
    assert_int_equal(before, 500);
    assert_int_equal(replica_revoked_before(w->rd, REPLICA_REVOKED_TOKEN, by_one, &before),
                     REPLICA_ENOTFOUND);
    assert_int_equal(replica_revoked_before(w->rd, REPLICA_REVOKED_APP_USER, by_pair, &before),
                     REPLICA_OK);
    assert_int_equal(before, 600);
    must(w, "[" REVOCATION(ID("40"), "session", ID("01"), "700") "]");
    assert_int_equal(replica_revoked_before(w->rd, REPLICA_REVOKED_SESSION, by_one, &before),
                     REPLICA_OK);
    assert_int_equal(before, 700);
    must(w, "[" DEL("token-revocation", ID("40")) "]");
    assert_int_equal(replica_revoked_before(w->rd, REPLICA_REVOKED_SESSION, by_one, &before),
                     REPLICA_ENOTFOUND);
}

static void grants_of_an_owner(void **state)
{
    struct world *w = *state;
    struct policy_grant g;
    struct uuid app = id_of(ID("01"));
    must(w,
         "[" API("3", ID("10"), "/a", "published") "," GRANT(ID("30"), "M1", "revoked") "," GRANT(
             ID("31"), "M1",
             "active") "," GRANT(ID("32"), "M1",
                                 "revoked") "," GRANT(ID("33"), "M10",
                                                      "active") "," GRANT(ID("34"), "",
                                                                          "active") "]");
    assert_string_equal(route_to(w, "/a"), "10");
    assert_int_equal(replica_find_grant(w->rd, &app, &w->api.policy, SLICE("M1"), &g), REPLICA_OK);
    assert_int_equal(g.id.b[15], 0x31);
    assert_int_equal(replica_find_grant(w->rd, &app, &w->api.policy, SLICE("M10"), &g), REPLICA_OK);
    assert_int_equal(g.id.b[15], 0x33);
    assert_int_equal(replica_find_grant(w->rd, &app, &w->api.policy, SLICE(""), &g), REPLICA_OK);
    assert_int_equal(replica_find_grant(w->rd, &app, &w->api.policy, SLICE("M"), &g),
                     REPLICA_ENOTFOUND);
    must(w, "[" DEL("grant", ID("31")) "]");
    assert_int_equal(replica_find_grant(w->rd, &app, &w->api.policy, SLICE("M1"), &g), REPLICA_OK);
    assert_int_equal(g.state, POLICY_REVOKED);
    assert_int_equal(g.id.b[15], 0x32);
    char longest[200];
    memset(longest, 'x', sizeof longest);
    assert_int_equal(
        replica_find_grant(w->rd, &app, &w->api.policy, slice_of(longest, sizeof longest), &g),
        REPLICA_ENOTFOUND);
}

static void reset_replaces_everything(void **state)
{
    struct world *w = *state;
    struct replica_app app;
    struct policy_subscription s;
    size_t bad;
    must(w, "[" APP(ID("01"), "active") "," API("3", ID("10"), "/a", "published") "," SUBSCRIPTION(
                "4", ID("20"), "active", "null") "]");
    assert_int_equal(apply(w, "[" APP(ID("02"), "active") "]", true, &bad), REPLICA_OK);
    assert_int_equal(replica_read_begin(w->rd, &w->version, &w->synced_ms), REPLICA_OK);
    struct uuid id = id_of(ID("01"));
    assert_int_equal(replica_get_app(w->rd, &id, &app), REPLICA_ENOTFOUND);
    assert_int_equal(
        replica_get_subscription(w->rd, &id, &(struct policy_api){.id = id_of(ID("10"))}, &s),
        REPLICA_ENOTFOUND);
    assert_string_equal(route_to(w, "/a"), "none");
    id = id_of(ID("02"));
    assert_int_equal(replica_get_app(w->rd, &id, &app), REPLICA_OK);
    /* a reset that cannot be read leaves what was there */
    assert_int_equal(apply(w, "[7]", true, &bad), REPLICA_EFORMAT);
    assert_int_equal(replica_read_begin(w->rd, &w->version, &w->synced_ms), REPLICA_OK);
    assert_int_equal(replica_get_app(w->rd, &id, &app), REPLICA_OK);
}

static void heartbeats_keep_the_version(void **state)
{
    struct world *w = *state;
    size_t bad;
    must(w, "[" APP(ID("01"), "active") "]");
    uint64_t version = w->version;
    must(w, "[]");
    assert_int_equal(w->version, version);
    assert_int_equal(w->synced_ms, 2000);
    struct replica_cursor cursor = {.seq = 9, .synced_ms = 9000};
    assert_int_equal(replica_apply(w->r, NULL, &cursor, false, false, &bad), REPLICA_OK);
    must(w, "[" DEL("app", ID("77")) "]");
    assert_int_not_equal(w->version, version);
    version = w->version;
    assert_int_equal(apply(w, "[]", true, &bad), REPLICA_OK); /* an empty whole state is a change */
    assert_int_equal(replica_read_begin(w->rd, &w->version, &w->synced_ms), REPLICA_OK);
    assert_int_not_equal(w->version, version);
}

static void a_snapshot_stands_still(void **state)
{
    struct world *w = *state;
    struct replica_app app;
    struct uuid id = id_of(ID("01"));
    size_t bad;
    must(w, "[" APP(ID("01"), "active") "]");
    assert_int_equal(apply(w, "[" DEL("app", ID("01")) "]", false, &bad), REPLICA_OK);
    assert_int_equal(replica_get_app(w->rd, &id, &app), REPLICA_OK);
    assert_true(slice_eq(app.name, SLICE("shop")));
    assert_int_equal(replica_read_begin(w->rd, &w->version, &w->synced_ms), REPLICA_OK);
    assert_int_equal(replica_get_app(w->rd, &id, &app), REPLICA_ENOTFOUND);
    replica_read_end(w->rd);
    replica_read_end(w->rd);
    replica_check_readers(w->r);
}

static void opening_what_is_not_there(void **state)
{
    (void)state;
    struct replica *r = NULL;
    assert_int_equal(replica_open_reader(&r, "/tmp/no-such-replica"), REPLICA_ENOTFOUND);
    assert_int_equal(replica_open_writer(&r, "/proc/no-such-replica", SMALL_MAP), REPLICA_EIO);
    assert_null(r);
}

static void a_full_map_is_an_error(void **state)
{
    (void)state;
    struct world w = {.r = NULL};
    struct replica_cursor cursor;
    size_t bad;
    make_dir(w.dir);
    assert_int_equal(replica_open_writer(&w.r, w.dir, 64 << 10), REPLICA_OK);
    json_t *list = json_array();
    for (int i = 0; i < 2000; i++) {
        json_array_append_new(list,
                              json_pack("{s:i,s:s,s:o,s:s,s:{s:s}}", "seq", i, "kind", "dataset",
                                        "id", json_sprintf("019a0000-0000-7000-8000-%012d", i),
                                        "op", "put", "data", "table", "orders"));
    }
    cursor = (struct replica_cursor){.seq = 5};
    assert_int_equal(replica_apply(w.r, list, &cursor, false, true, &bad), REPLICA_EFULL);
    json_decref(list);
    assert_int_equal(replica_cursor(w.r, &cursor), REPLICA_OK);
    assert_int_equal(cursor.seq, 0);
    replica_close(&w.r);
    remove_dir(w.dir);
}

/* A replica written by another format starts over: cursor zero, so that the feed sends everything.
 */
static void a_foreign_format_is_emptied(void **state)
{
    struct world *w = *state;
    struct replica_app app;
    struct replica_cursor cursor;
    must(w, "[" APP(ID("01"), "active") "]");
    replica_reader_free(&w->rd);
    replica_close(&w->r);
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    char record[128] = "\x63";
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 4), 0);
    assert_int_equal(mdb_env_open(env, w->dir, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, "meta", 0, &dbi), 0);
    char name[] = "meta";
    MDB_val key = {4, name}, value = {sizeof record, record};
    assert_int_equal(mdb_put(txn, dbi, &key, &value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
    assert_int_equal(replica_open_writer(&w->r, w->dir, SMALL_MAP), REPLICA_OK);
    assert_int_equal(replica_reader_new(&w->rd, w->r), REPLICA_OK);
    assert_int_equal(replica_cursor(w->r, &cursor), REPLICA_OK);
    assert_int_equal(cursor.seq, 0);
    struct uuid id = id_of(ID("01"));
    assert_int_equal(replica_read_begin(w->rd, &w->version, &w->synced_ms), REPLICA_OK);
    assert_int_equal(replica_get_app(w->rd, &id, &app), REPLICA_ENOTFOUND);
}

/* A writer process: app 01's name, app 02's name and the cursor all carry the number of the batch.
 */
static void write_for_ever(const char *dir)
{
    struct replica *r;
    struct replica_cursor cursor = {.seq = 0};
    size_t bad;
    if (replica_open_writer(&r, dir, SMALL_MAP) != REPLICA_OK ||
        replica_cursor(r, &cursor) != REPLICA_OK) {
        _exit(3);
    }
    for (;;) {
        cursor.seq++;
        json_t *list = json_array();
        for (int i = 1; i <= 2; i++) {
            json_array_append_new(
                list,
                json_pack("{s:I,s:s,s:o,s:s,s:{s:o,s:s,s:s}}", "seq", (json_int_t)cursor.seq,
                          "kind", "app", "id", json_sprintf(ID("%02d"), i), "op", "put", "data",
                          "name", json_sprintf("%llu", (unsigned long long)cursor.seq), "state",
                          "active", "environment", "general"));
        }
        enum replica_err err =
            replica_apply(r, list, &cursor, cursor.seq % 5 == 0, cursor.seq % 3 == 0, &bad);
        json_decref(list);
        if (err != REPLICA_OK) {
            _exit(4);
        }
    }
}

static uint64_t number_of(struct replica_reader *rd, const char *id_text)
{
    struct replica_app app;
    struct uuid id = id_of(id_text);
    char text[32];
    assert_int_equal(replica_get_app(rd, &id, &app), REPLICA_OK);
    snprintf(text, sizeof text, "%.*s", SLICE_FMT(app.name));
    return strtoull(text, NULL, 10);
}

static void batches_are_whole(struct replica_reader *rd, int64_t budget_us)
{
    uint64_t version, synced;
    for (int64_t spent = 0; spent < budget_us; spent += 200) {
        usleep(200);
        assert_int_equal(replica_read_begin(rd, &version, &synced), REPLICA_OK);
        if (version > 1) {
            assert_int_equal(number_of(rd, ID("01")), number_of(rd, ID("02")));
        }
        replica_read_end(rd);
    }
}

static void a_killed_writer_tears_nothing(void **state)
{
    (void)state;
    char dir[64];
    uint64_t last = 0;
    make_dir(dir);
    for (int round = 0; round < 25; round++) {
        pid_t pid = fork();
        if (pid == 0) {
            write_for_ever(dir);
        }
        struct replica *r = NULL;
        struct replica_reader *rd;
        struct replica_cursor cursor;
        uint64_t version, synced;
        while (replica_open_reader(&r, dir) != REPLICA_OK) {
            usleep(1000);
        }
        assert_int_equal(replica_reader_new(&rd, r), REPLICA_OK);
        batches_are_whole(rd, 5000 + round * 700);
        kill(pid, SIGKILL);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status)); /* it did not stop by itself */
        assert_int_equal(replica_cursor(r, &cursor), REPLICA_OK);
        assert_true(cursor.seq >= last);
        last = cursor.seq;
        assert_int_equal(replica_read_begin(rd, &version, &synced), REPLICA_OK);
        if (last > 0) {
            assert_int_equal(number_of(rd, ID("01")), last);
            assert_int_equal(number_of(rd, ID("02")), last);
        }
        replica_reader_free(&rd);
        replica_close(&r);
    }
    assert_true(last > 0);
    remove_dir(dir);
}

#define ROW(title, fn)                                                                             \
    {                                                                                              \
        title, fn, setup, teardown, NULL                                                           \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW("apps and credentials come back as they were", apps_and_credentials_come_back),
        ROW("APIs come back as they were", apis_come_back),
        ROW("subscriptions, grants, datasets come back as they were", rights_and_sources_come_back),
        ROW("an entry that cannot be read changes nothing and is named",
            bad_entries_change_nothing),
        ROW("kinds a node does not keep are skipped", unknown_kinds_are_skipped),
        ROW("[BK-9.3.2] a path is routed by whole segments, longest first",
            routes_by_whole_segments),
        ROW("[BK-11e2] a route follows its API's path and leaves with it", routes_follow_their_api),
        ROW("the writer resolves upstream hosts", http_upstreams_are_resolved),
        ROW("[EC-6.1.3.1c] subscriptions find their fields by name", subscriptions_by_field_name),
        ROW("revocations of tokens are found by whom they are about",
            revocations_are_found_by_whom),
        ROW("[EC-6.1.3.1e] an owner's grant is not another's", grants_of_an_owner),
        ROW("a reset replaces everything", reset_replaces_everything),
        ROW("a heartbeat keeps the version", heartbeats_keep_the_version),
        ROW("a snapshot stands still until the next one", a_snapshot_stands_still),
        ROW("a replica that is not there", opening_what_is_not_there),
        ROW("a full map is an error and keeps the old state", a_full_map_is_an_error),
        ROW("a replica of another format is emptied", a_foreign_format_is_emptied),
        ROW("a writer killed at any time tears nothing, readers see whole batches",
            a_killed_writer_tears_nothing),
    };
    return cmocka_run_group_tests_name("replica", tests, NULL, NULL);
}
