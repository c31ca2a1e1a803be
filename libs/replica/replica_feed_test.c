/* SPDX-License-Identifier: Apache-2.0 */
/* What contract/feed.md says of each member: its default when left out, and that a word, number or
 * shape outside what is listed makes the entry unreadable. */
#include "replica/replica.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ID(last) "019a0000-0000-7000-8000-0000000000" last
#define SM3      "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b"
#define SEALED   "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

struct world {
    char dir[64];
    struct replica *r;
    struct replica_reader *rd;
    uint64_t seq, version;
    struct policy_field fields[POLICY_FIELDS_MAX];
    struct replica_api api;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    strcpy(w->dir, "/tmp/replica-feed-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    assert_int_equal(replica_open_writer(&w->r, w->dir, 64 << 20), REPLICA_OK);
    assert_int_equal(replica_reader_new(&w->rd, w->r), REPLICA_OK);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char path[128];
    replica_reader_free(&w->rd);
    replica_close(&w->r);
    snprintf(path, sizeof path, "%s/data.mdb", w->dir);
    unlink(path);
    snprintf(path, sizeof path, "%s/lock.mdb", w->dir);
    unlink(path);
    rmdir(w->dir);
    free(w);
    return 0;
}

static struct uuid id_of(const char *text)
{
    struct uuid id;
    assert_true(uuid_parse(&id, text, strlen(text)));
    return id;
}

/* One put; data with single quotes for double. more: members added to it or put over its own. */
static json_t *entry_of(const char *kind, const char *id, const char *data, const char *more)
{
    json_t *parts[2];
    const char *const texts[2] = {data, more};
    for (int i = 0; i < 2; i++) {
        char *text = strdup(texts[i]);
        for (char *p = text; *p != '\0'; p++) {
            *p = *p == '\'' ? '"' : *p;
        }
        json_error_t error;
        parts[i] = json_loads(text, 0, &error);
        if (parts[i] == NULL) {
            fail_msg("%s in %s", error.text, text);
        }
        free(text);
    }
    json_object_update(parts[0], parts[1]);
    json_decref(parts[1]);
    return json_pack("{s:i,s:s,s:s,s:s,s:o}", "seq", 7, "kind", kind, "id", id, "op", "put", "data",
                     parts[0]);
}

static enum replica_err apply(struct world *w, json_t *entry, bool reset)
{
    struct replica_cursor cursor = {.epoch = {1}, .seq = ++w->seq, .synced_ms = 1};
    uint64_t synced;
    size_t bad;
    json_t *list = json_pack("[o]", entry);
    enum replica_err err = replica_apply(w->r, list, &cursor, reset, false, &bad);
    json_decref(list);
    assert_int_equal(replica_read_begin(w->rd, &w->version, &synced), REPLICA_OK);
    return err;
}

static void put(struct world *w, const char *kind, const char *id, const char *data,
                const char *more)
{
    enum replica_err err = apply(w, entry_of(kind, id, data, more), false);
    if (err != REPLICA_OK) {
        fail_msg("%s %s: error %d", kind, more, (int)err);
    }
}

static void del(struct world *w, const char *kind, const char *id)
{
    json_t *entry = json_pack("{s:i,s:s,s:s,s:s}", "seq", 8, "kind", kind, "id", id, "op", "del");
    assert_int_equal(apply(w, entry, false), REPLICA_OK);
}

/* clang-format off */
#define APP  "{'name':'shop','state':'active','environment':'general'}"
#define KEY  "{'app_id':'" ID("01") "','state':'active','alg':'sm2-sm3','public_key':'AQID'}"
#define MAC  "{'app_id':'" ID("01") "','state':'active','alg':'hmac-sm3','secret_sealed':'" SEALED "'}"
#define API  "{'name':'o','path':'/a','state':'published','class':'A1','access':'registered','kind':'http','methods':['GET']," \
             "'owner_scoped':false,'fields':[],'upstream':'http://127.0.0.1:8080/base'}"
#define LIMIT "{'state':'active','per':'app','measure':'rate','amount':10,'window_ms':1000,'action':'reject'}"
#define LIST  "{'list':'block','subject':'address','value':'10.0.0.0/8'}"
#define TRUST "{'certificate':'-----BEGIN CERTIFICATE-----','crl_required':false}"
#define TOPIC                                                                                      \
    "{'api_id':'" ID("70") "','state':'active','source':'app','retention_ms':1,'retention_bytes':1," \
    "'publishers':[],'attributes':[]}"
#define SDK_RELEASE                                                                                \
    "{'name':'js','version':'1.0.0','state':'current','digest_sm3':"                                \
    "'0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'}"
#define EVENT_SUBSCRIPTION                                                                         \
    "{'app_id':'" ID("01") "','api_id':'" ID("70") "','name':'n','state':'active','mode':'pull',"   \
    "'start':'new','batch':1,'attempts':1,'backoff_ms':10,'timeout_ms':100,'types':[]}"
#define TOKEN_KEY "{'key_id':1,'key_sealed':'AAAA','state':'current','not_before':0,'expires_at':0}"
#define REVOCATION                                                                                 \
    "{'subject':'session','value':'019a0000-0000-7000-8000-000000000001','before':5,'expires_at':9}"
#define ACCOUNT "{'user_id':'" ID("01") "','app_id':'" ID("02") "','api_id':'" ID("03") "','accessid':'" ID("04") "','verifier':'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'}"
#define ALGORITHM "{'name':'hmac-sha256','status':'deprecated'}"

#define GRANT                                                                                      \
    "{'app_id':'019a0000-0000-7000-8000-000000000001','api_id':'019a0000-0000-7000-8000-"          \
    "000000000002','owner':'M1','state':'active','term':'period','not_before':0,'expires_at':9,"   \
    "'fields':null}"

static const struct { const char *kind, *data, *more; bool ok; } rows[] = {
    { "app", APP, "{'factors':['secret','certificate'],'channel':'mobile','subject':'M1'}", true },
    { "app", APP, "{'factors':[],'channel':null,'subject':null}", true },
    { "app", APP, "{'factors':['password']}", false },
    { "app", APP, "{'factors':'secret'}", false },
    { "app", APP, "{'channel':'phone'}", false },
    { "app", APP, "{'version':'2.0','states_version':true}", true },
    { "app", APP, "{'version':2}", false },
    { "app", APP, "{'version':'a-name-that-is-longer-than-what-a-version-may-be'}", false },
    { "app", APP, "{'states_version':'yes'}", false },
    { "app", APP, "{'subject':7}", false },
    { "credential", KEY, "{'alg':'ecdsa-p256-sha256'}", true },
    { "credential", KEY, "{'alg':'rsa-pss-sha512','use':'signing'}", true },
    { "credential", KEY, "{'alg':'SM2','use':'encryption'}", true },
    { "credential", KEY, "{'alg':'ECDH-ES','use':'encryption'}", true },
    { "credential", KEY, "{'alg':'SM2'}", false },
    { "credential", KEY, "{'alg':'sm2-sm3','use':'encryption'}", false },
    { "credential", KEY, "{'use':'wrapping'}", false },
    { "credential", KEY, "{'alg':'rsa-v1_5-sha256'}", false },
    { "credential", KEY, "{'public_key':''}", false },
    { "credential", KEY, "{'public_key':null}", false },
    { "credential", KEY, "{'public_key':'++++'}", false },
    { "credential", MAC, "{'secret_sealed':null}", false },
    { "credential", MAC, "{'use':'encryption'}", false },
    { "credential", MAC, "{'certificate':{'mode':'pinned','sm3':'" SM3 "','subject':'CN=a'}}", false },
    { "credential", KEY, "{'certificate':{'mode':'pinned','sm3':'" SM3 "','subject':'CN=a'}}", true },
    { "credential", KEY, "{'certificate':{'mode':'pinned','sm3':null,'subject':'CN=a'}}", false },
    { "credential", KEY, "{'certificate':{'mode':'pinned','sm3':'1ab2','subject':'CN=a'}}", false },
    { "credential", KEY, "{'certificate':{'mode':'pinned','sm3':'zz','subject':'CN=a'}}", false },
    { "credential", KEY, "{'certificate':{'mode':'ca','sm3':null,'subject':'CN=a'}}", true },
    { "credential", KEY, "{'certificate':{'mode':'ca','sm3':null,'subject':''}}", false },
    { "credential", KEY, "{'certificate':{'mode':'any','sm3':null,'subject':'CN=a'}}", false },
    { "credential", KEY, "{'certificate':'pinned'}", false },
    { "api", API, "{}", true },
    { "api", API, "{'kind':'composed','upstream':null}", true },
    { "api", API, "{'kind':'composed','targets':[{'url':'http://127.0.0.1','weight':1,'role':'primary'}]}", false },
    { "api", API, "{'targets':[]}", false },
    { "api", API, "{'targets':{}}", false },
    { "api", API, "{'targets':[7]}", false },
    { "api", API, "{'targets':[{'url':'http://127.0.0.1','weight':0,'role':'primary'}]}", false },
    { "api", API, "{'targets':[{'url':'http://127.0.0.1','weight':1001,'role':'primary'}]}", false },
    { "api", API, "{'targets':[{'url':'http://127.0.0.1','role':'primary'}]}", false },
    { "api", API, "{'targets':[{'url':'http://127.0.0.1','weight':1,'role':'backup'}]}", false },
    { "api", API, "{'targets':[{'url':'ftp://127.0.0.1','weight':1,'role':'primary'}]}", false },
    { "api", API, "{'balance':'random'}", false },
    { "api", API, "{'retries':4}", false },
    { "api", API, "{'retries':-1}", false },
    { "api", API, "{'canary_percent':101}", false },
    { "api", API, "{'canary_apps':['x']}", false },
    { "api", API, "{'canary_apps':'" ID("01") "'}", false },
    { "api", API, "{'breaker':{'failures':0,'window_ms':1,'open_ms':1}}", false },
    { "api", API, "{'breaker':{'failures':1001,'window_ms':1,'open_ms':1}}", false },
    { "api", API, "{'breaker':{'failures':5,'window_ms':1000}}", false },
    { "api", API, "{'breaker':[]}", false },
    { "api", API, "{'breaker':true}", false },
    { "api", API, "{'health':{'path':'x','interval_ms':1,'timeout_ms':1}}", false },
    { "api", API, "{'health':{'path':'/x y','interval_ms':1,'timeout_ms':1}}", false },
    { "api", API, "{'health':{'path':'/x\\r\\n','interval_ms':1,'timeout_ms':1}}", false },
    { "api", API, "{'health':{'path':'/x','timeout_ms':1}}", false },
    { "api", API, "{'health':{'interval_ms':1,'timeout_ms':1}}", false },
    { "api", API, "{'cache_ms':-1}", false },
    { "api", API, "{'cache_epoch':'1'}", false },
    { "api", API, "{'schemes':[]}", false },
    { "api", API, "{'schemes':['token']}", false },
    { "api", API, "{'signature_max_s':0}", false },
    { "api", API, "{'signature_max_s':301}", false },
    { "api", API, "{'sign_response':'yes'}", false },
    { "api", API, "{'seal_request':'maybe'}", false },
    { "api", API, "{'seal_response':true}", false },
    { "api", API, "{'has_schema':1}", false },
    { "api", API, "{'has_conversion':'true'}", false },
    { "api", API, "{'mobile':1}", false },
    { "api", API, "{'deprecated_at':-1}", false },
    { "api", API, "{'successor':'a'}", false },
    { "api", API, "{'successor':'/a>\\n'}", false },
    { "api", API, "{'notice_zh':7}", false },
    { "limit", LIMIT, "{}", true },
    { "limit", LIMIT, "{'measure':'bytes','window_ms':null,'action':'suspend','suspend_s':60,'app_id':'" ID("01") "','released_at':5}", true },
    { "limit", LIMIT, "{'window_ms':null}", false },
    { "limit", LIMIT, "{'measure':'refused','window_ms':0}", false },
    { "limit", LIMIT, "{'action':'suspend'}", false },
    { "limit", LIMIT, "{'action':'drop'}", false },
    { "limit", LIMIT, "{'per':'galaxy'}", false },
    { "limit", LIMIT, "{'per':'app|api'}", false },
    { "limit", LIMIT, "{'measure':''}", false },
    { "limit", LIMIT, "{'state':'revoked'}", false },
    { "limit", LIMIT, "{'amount':-1}", false },
    { "limit", LIMIT, "{'amount':null}", false },
    { "limit", LIMIT, "{'amount':1.5}", false },
    { "limit", LIMIT, "{'api_id':'x'}", false },
    { "limit", LIMIT, "{'released_at':'now'}", false },
    { "list", LIST, "{}", true },
    { "list", LIST, "{'value':'2001:db8::/32'}", true },
    { "list", LIST, "{'value':'10.0.0.7','list':'allow','api_id':'" ID("10") "','expires_at':9}", true },
    { "list", LIST, "{'subject':'user','value':'M1'}", true },
    { "list", LIST, "{'subject':'app','value':'" ID("01") "'}", true },
    { "list", LIST, "{'subject':'organisation','value':'" ID("01") "'}", true },
    { "list", LIST, "{'subject':'app','value':'shop'}", false },
    { "list", LIST, "{'value':'10.0.0.0/33'}", false },
    { "list", LIST, "{'value':'10.0.0.0/'}", false },
    { "list", LIST, "{'value':'10.0.0.0/+8'}", false },
    { "list", LIST, "{'value':'2001:db8::/129'}", false },
    { "list", LIST, "{'value':'10.0.0'}", false },
    { "list", LIST, "{'value':''}", false },
    { "list", LIST, "{'value':null}", false },
    { "list", LIST, "{'list':'grey'}", false },
    { "list", LIST, "{'subject':'country'}", false },
    { "list", LIST, "{'app_id':7}", false },
    { "trust", TRUST, "{'crl':'AAAA','ocsp':'http://127.0.0.1/'}", true },
    { "trust", TRUST, "{'certificate':null}", false },
    { "trust", TRUST, "{'crl_required':null}", false },
    { "trust", TRUST, "{'crl_required':'no'}", false },
    { "trust", TRUST, "{'crl':7}", false },
    { "algorithm", ALGORITHM, "{'sunset_at':9}", true },
    { "algorithm", ALGORITHM, "{'status':'weak'}", false },
    { "algorithm", ALGORITHM, "{'name':null}", false },
    { "account", ACCOUNT, "{}", true },
    { "account", ACCOUNT, "{'verifier':'AAAA'}", false },
    { "account", ACCOUNT, "{'verifier':null}", false },
    { "account", ACCOUNT, "{'verifier':'not base64url, of that length, but 43 c'}", false },
    { "account", ACCOUNT, "{'app_id':null}", false },
    { "account", ACCOUNT, "{'api_id':null}", false },
    { "account", ACCOUNT, "{'accessid':'x'}", false },
    { "account", ACCOUNT, "{'user_id':'x'}", false },
    { "token-key", TOKEN_KEY, "{}", true },
    { "token-key", TOKEN_KEY, "{'key_id':-1}", false },
    { "token-key", TOKEN_KEY, "{'key_id':4294967296}", false },
    { "token-key", TOKEN_KEY, "{'key_sealed':''}", false },
    { "token-key", TOKEN_KEY, "{'state':'lost'}", false },
    { "token-revocation", REVOCATION, "{}", true },
    { "token-revocation", REVOCATION, "{'subject':'app-user'}", false },
    { "token-revocation", REVOCATION, "{'subject':'app-user','value':'019a0000-0000-7000-8000-000000000001:019a0000-0000-7000-8000-000000000002'}", true },
    { "token-revocation", REVOCATION, "{'value':'019a0000-0000-7000-8000-000000000001:019a0000-0000-7000-8000-000000000002'}", false },
    { "token-revocation", REVOCATION, "{'value':'x'}", false },
    { "token-revocation", REVOCATION, "{'subject':'everything'}", false },
    { "token-revocation", REVOCATION, "{'before':null}", true },
    { "token-revocation", REVOCATION, "{'before':-1}", false },
    { "api", API, "{'user_factors':2}", true },
    { "api", API, "{'user_factors':4}", false },
    { "user-apis", "{'mode':'only','apis':[]}", "{}", true },
    { "user-apis", "{'mode':'except','apis':['" ID("10") "']}", "{}", true },
    { "user-apis", "{'mode':'only'}", "{}", false },
    { "user-apis", "{'mode':'all','apis':[]}", "{}", false },
    { "user-apis", "{'mode':'only','apis':['x']}", "{}", false },
    { "user-apis", "{'mode':'only','apis':'" ID("10") "'}", "{}", false },
    { "api", API, "{'user_confirmation':true,'collects_user_data':true}", true },
    { "api", API, "{'user_confirmation':1}", false },
    { "api", API, "{'batch':true}", true },
    { "api", API, "{'batch':'yes'}", false },
    { "api", API, "{'documents':true}", true },
    { "api", API, "{'documents':1}", false },
    { "api", API, "{'collects_user_data':'yes'}", false },
    { "grant", GRANT, "{'audience':[]}", true },
    { "grant", GRANT, "{'audience':['019a0000-0000-7000-8000-000000000001']}", true },
    { "grant", GRANT, "{'audience':['x']}", false },
    { "grant", GRANT, "{'audience':[7]}", false },
    { "grant", GRANT, "{'audience':{}}", false },
    { "grant", GRANT, "{'audience':'019a0000-0000-7000-8000-000000000001'}", false },
    { "schema", "{'openapi':{}}", "{}", true },
    { "schema", "{'openapi':[]}", "{}", false },
    { "schema", "{}", "{}", false },
    { "conversion", "{'definition':{}}", "{}", true },
    { "conversion", "{'definition':'x'}", "{}", false },
    { "composition", "{'graph':{}}", "{}", true },
    { "composition", "{'graph':null}", "{}", false },
};
/* clang-format on */

static void members_are_strict(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *entry = entry_of(rows[i].kind, ID("40"), rows[i].data, rows[i].more);
        bool readable = replica_entry_readable(entry);
        enum replica_err err = apply(w, entry, false);
        if (readable != rows[i].ok || (err == REPLICA_OK) != rows[i].ok) {
            fail_msg("%s %s: error %d", rows[i].kind, rows[i].more, (int)err);
        }
    }
}

static bool may(struct world *w, const char *user, const char *api)
{
    struct uuid u = id_of(user), a = id_of(api);
    bool yes = false;
    assert_int_equal(replica_user_may(w->rd, &u, &a, &yes), REPLICA_OK);
    return yes;
}

static void users_reach_what_they_have(void **state)
{
    struct world *w = *state;
    put(w, "user-apis", ID("50"), "{'mode':'only','apis':['" ID("10") "','" ID("12") "']}", "{}");
    put(w, "user-apis", ID("51"), "{'mode':'except','apis':['" ID("10") "']}", "{}");
    put(w, "user-apis", ID("52"), "{'mode':'only','apis':[]}", "{}");
    assert_true(may(w, ID("50"), ID("10")) && may(w, ID("50"), ID("12")));
    assert_false(may(w, ID("50"), ID("11")));
    assert_true(may(w, ID("51"), ID("11")));
    assert_false(may(w, ID("51"), ID("10")));
    assert_false(may(w, ID("52"), ID("10")));
    assert_true(may(w, ID("53"), ID("10"))); /* nothing is said of this one */
}

static void get_api(struct world *w)
{
    struct uuid id = id_of(ID("10"));
    assert_int_equal(replica_get_api(w->rd, &id, &w->api, w->fields), REPLICA_OK);
}

static void defaults_are_filled_in(void **state)
{
    struct world *w = *state;
    const struct replica_api *a = &w->api;
    put(w, "api", ID("10"), API, "{}");
    get_api(w);
    assert_int_equal(a->n_targets, 1);
    assert_true(slice_eq(a->targets[0].address, SLICE("127.0.0.1:8080")));
    assert_true(slice_eq(a->targets[0].host, SLICE("127.0.0.1:8080")));
    assert_true(slice_eq(a->targets[0].path, SLICE("/base")));
    assert_true(a->targets[0].weight == 1 && a->targets[0].role == REPLICA_PRIMARY);
    assert_true(slice_eq(a->upstream, a->targets[0].address));
    assert_true(slice_eq(a->upstream_path, a->targets[0].path));
    assert_true(a->balance == REPLICA_ROUND_ROBIN && a->retries == 1 && a->canary_percent == 0);
    assert_true(a->breaker_failures == 0 && a->health_path.n == 0 && a->cache_ms == 0);
    assert_true(a->policy.schemes == 0 && a->signature_max_s == 300 && !a->sign_response);
    assert_true(a->seal_request == REPLICA_SEAL_OFF && a->seal_response == REPLICA_SEAL_OFF);
    assert_true(!a->has_schema && !a->has_conversion && !a->policy.mobile);
    assert_true(a->canary_apps.n == 0 && a->successor.n == 0 && a->notice_zh.n == 0);
    put(w, "api", ID("10"), API, "{'class':'A2'}");
    get_api(w);
    assert_true(a->sign_response);
    put(w, "api", ID("10"), API, "{'class':'A2','sign_response':false}");
    get_api(w);
    assert_true(a->sign_response);
    put(w, "api", ID("10"), API, "{'kind':'composed','upstream':null}");
    get_api(w);
    assert_true(a->policy.kind == POLICY_COMPOSED && a->n_targets == 0 && a->upstream.n == 0);
}

static void every_member_comes_back(void **state)
{
    struct world *w = *state;
    const struct replica_api *a = &w->api;
    put(w, "api", ID("10"), API,
        "{'targets':[{'url':'http://localhost:81/x/','weight':1000,'role':'primary'},"
        "{'url':'https://[::1]:99','weight':2,'role':'standby'},"
        "{'url':'http://no-such-host.invalid/c','weight':3,'role':'canary'}],"
        "'balance':'least-connections','retries':0,'canary_percent':5,"
        "'canary_apps':['" ID("01") "','" ID(
            "02") "'],"
                  "'breaker':{'failures':9,'window_ms':1000,'open_ms':2000},"
                  "'health':{'path':'/up?x=1','interval_ms':3000,'timeout_ms':400},"
                  "'cache_ms':5000,'cache_epoch':12345678901,'schemes':['key','certificate'],"
                  "'signature_max_s':60,'sign_response':true,'seal_request':'optional',"
                  "'seal_response':'required','has_schema':true,'has_conversion':true,"
                  "'deprecated_at':11,'sunset_at':12,'successor':'/b','notice_zh':'z',"
                  "'notice_en':'e','mobile':true}");
    get_api(w);
    assert_int_equal(a->n_targets, 3);
    assert_true(slice_eq(a->targets[0].host, SLICE("localhost:81")));
    assert_true(slice_eq(a->targets[0].path, SLICE("/x")) && a->targets[0].weight == 1000);
    assert_true(slice_eq(a->targets[0].name, SLICE("localhost")) && !a->targets[0].tls);
    assert_true(slice_eq(a->targets[1].host, SLICE("[::1]:99")));
    assert_true(slice_eq(a->targets[1].name, SLICE("::1")) && a->targets[1].tls);
    assert_true(a->targets[1].role == REPLICA_STANDBY && a->targets[1].path.n == 0);
    assert_true(a->targets[2].address.n == 0 && a->targets[2].role == REPLICA_CANARY);
    assert_true(slice_eq(a->targets[2].host, SLICE("no-such-host.invalid")));
    assert_true(a->balance == REPLICA_LEAST_CONNECTIONS && a->retries == 0);
    assert_true(a->canary_percent == 5 && a->canary_apps.n == 32 && a->canary_apps.p[31] == 2);
    assert_true(a->breaker_failures == 9 && a->breaker_window_ms == 1000);
    assert_true(a->breaker_open_ms == 2000 && a->health_interval_ms == 3000);
    assert_true(slice_eq(a->health_path, SLICE("/up?x=1")) && a->health_timeout_ms == 400);
    assert_true(a->cache_ms == 5000 && a->cache_epoch == 12345678901u);
    assert_int_equal(a->policy.schemes, POLICY_PROOF_KEY | POLICY_PROOF_CERTIFICATE);
    assert_true(a->signature_max_s == 60 && a->sign_response);
    assert_true(a->seal_request == REPLICA_SEAL_OPTIONAL);
    assert_true(a->seal_response == REPLICA_SEAL_REQUIRED && a->has_schema && a->has_conversion);
    assert_true(a->policy.deprecated_ms == 11 && a->policy.sunset_ms == 12 && a->policy.mobile);
    assert_true(slice_eq(a->successor, SLICE("/b")) && slice_eq(a->notice_zh, SLICE("z")));
    assert_true(slice_eq(a->notice_en, SLICE("e")));
}

static void sixteen_targets_and_no_more(void **state)
{
    struct world *w = *state;
    char text[4096] = "{'targets':[";
    for (int i = 0; i < REPLICA_TARGETS_MAX + 1; i++) {
        if (i == REPLICA_TARGETS_MAX) {
            char whole[4100];
            snprintf(whole, sizeof whole, "%s]}", text);
            put(w, "api", ID("10"), API, whole);
            get_api(w);
            assert_int_equal(w->api.n_targets, REPLICA_TARGETS_MAX);
        }
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 "%s{'url':'http://127.0.0.1:%d','weight':1,'role':'primary'}", i > 0 ? "," : "",
                 i + 1);
    }
    strcat(text, "]}");
    assert_int_equal(apply(w, entry_of("api", ID("10"), API, text), false), REPLICA_EFORMAT);
}

static void apps_tell_who_they_are(void **state)
{
    struct world *w = *state;
    struct replica_app app;
    struct uuid id = id_of(ID("01"));
    put(w, "app", ID("01"), APP, "{}");
    assert_int_equal(replica_get_app(w->rd, &id, &app), REPLICA_OK);
    assert_true(app.policy.factors == 0 && app.policy.channel == POLICY_SERVER);
    assert_true(!app.policy.has_subject && app.subject.n == 0);
    put(w, "app", ID("01"), APP,
        "{'factors':['key','certificate'],'channel':'mobile','subject':'M1'}");
    assert_int_equal(replica_get_app(w->rd, &id, &app), REPLICA_OK);
    assert_int_equal(app.policy.factors, POLICY_PROOF_KEY | POLICY_PROOF_CERTIFICATE);
    assert_true(app.policy.channel == POLICY_MOBILE && app.policy.has_subject);
    assert_true(slice_eq(app.subject, SLICE("M1")));
}

static void certificates_are_found(void **state)
{
    struct world *w = *state;
    struct replica_credential c;
    uint8_t sm3[32] = {0x1a, 0xb2, 0x1d, 0x83, 0x55, 0xcf, 0xa1, 0x7f, 0x8e, 0x61, 0x19,
                       0x48, 0x31, 0xe8, 0x1a, 0x8f, 0x22, 0xbe, 0xc8, 0xc7, 0x28, 0xfe,
                       0xfb, 0x74, 0x7e, 0xd0, 0x35, 0xeb, 0x50, 0x82, 0xaa, 0x2b};
    const char *pinned = "{'certificate':{'mode':'pinned','sm3':'" SM3 "','subject':'CN=a'}}";
    put(w, "credential", ID("02"), KEY, pinned);
    put(w, "credential", ID("03"), KEY, pinned);
    put(w, "credential", ID("04"), KEY,
        "{'state':'revoked','certificate':{'mode':'pinned','sm3':'" SM3 "','subject':'CN=a'}}");
    put(w, "credential", ID("05"), KEY, "{'certificate':{'mode':'ca','subject':'CN=a'}}");
    put(w, "credential", ID("06"), KEY, "{'certificate':{'mode':'ca','subject':'CN=ab'}}");
    assert_int_equal(replica_find_certificate(w->rd, sm3, &c), REPLICA_OK);
    assert_int_equal(c.policy.id.b[15], 3); /* the newest that is active */
    assert_true(c.certificate_mode == REPLICA_PINNED && c.certificate_sm3.n == 32);
    assert_true(slice_eq(c.public_key, SLICE("\1\2\3")) && c.secret_sealed.n == 0);
    assert_int_equal(replica_find_subject(w->rd, SLICE("CN=a"), &c), REPLICA_OK);
    assert_int_equal(c.policy.id.b[15], 5);
    assert_int_equal(replica_find_subject(w->rd, SLICE("CN="), &c), REPLICA_ENOTFOUND);
    assert_int_equal(replica_find_subject(w->rd, SLICE(""), &c), REPLICA_ENOTFOUND);
    sm3[31] ^= 1;
    assert_int_equal(replica_find_certificate(w->rd, sm3, &c), REPLICA_ENOTFOUND);
    sm3[31] ^= 1;
    del(w, "credential", ID("03"));
    assert_int_equal(replica_find_certificate(w->rd, sm3, &c), REPLICA_OK);
    assert_int_equal(c.policy.id.b[15], 2);
    put(w, "credential", ID("02"), KEY, "{}"); /* the certificate leaves it */
    assert_int_equal(replica_find_certificate(w->rd, sm3, &c), REPLICA_ENOTFOUND);
    put(w, "credential", ID("05"), KEY, "{'alg':'SM2','use':'encryption'}");
    assert_int_equal(replica_find_subject(w->rd, SLICE("CN=a"), &c), REPLICA_ENOTFOUND);
}

/* Subjects that agree in all the index holds are told apart by the record. */
static void long_subjects_are_compared_whole(void **state)
{
    struct world *w = *state;
    struct replica_credential c;
    char more[1200], subject[901];
    memset(subject, 'x', 900);
    subject[900] = '\0';
    for (int i = 0; i < 2; i++) {
        subject[899] = (char)('a' + i);
        snprintf(more, sizeof more, "{'certificate':{'mode':'ca','subject':'%s'}}", subject);
        put(w, "credential", i == 0 ? ID("02") : ID("03"), KEY, more);
    }
    for (int i = 0; i < 3; i++) {
        subject[899] = (char)('a' + i);
        enum replica_err err = replica_find_subject(w->rd, slice_str(subject), &c);
        assert_int_equal(err, i < 2 ? REPLICA_OK : REPLICA_ENOTFOUND);
        assert_true(i == 2 || c.policy.id.b[15] == 2 + i);
    }
    char *longest = calloc(1, 70000);
    assert_int_equal(replica_find_subject(w->rd, slice_of(longest, 70000), &c), REPLICA_ENOTFOUND);
    free(longest);
}

static void the_newest_encryption_key(void **state)
{
    struct world *w = *state;
    struct replica_credential c;
    struct uuid app = id_of(ID("01")), other = id_of(ID("09"));
    put(w, "credential", ID("02"), KEY, "{}"); /* signs only */
    assert_int_equal(replica_find_encryption_key(w->rd, &app, 50, &c), REPLICA_ENOTFOUND);
    put(w, "credential", ID("03"), KEY, "{'alg':'SM2','use':'encryption','expires_at':100}");
    put(w, "credential", ID("04"), KEY, "{'alg':'ECDH-ES','use':'encryption','not_before':60}");
    put(w, "credential", ID("05"), KEY, "{'alg':'SM2','use':'encryption','state':'revoked'}");
    const struct {
        uint64_t now_ms;
        uint8_t last;
    } at[] = {{50, 3}, {59, 3}, {60, 4}, {100, 4}};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        assert_int_equal(replica_find_encryption_key(w->rd, &app, at[i].now_ms, &c), REPLICA_OK);
        assert_int_equal(c.policy.id.b[15], at[i].last);
        assert_int_equal(c.policy.use, POLICY_ENCRYPTION);
    }
    assert_int_equal(replica_find_encryption_key(w->rd, &other, 60, &c), REPLICA_ENOTFOUND);
    del(w, "credential", ID("04"));
    assert_int_equal(replica_find_encryption_key(w->rd, &app, 100, &c), REPLICA_ENOTFOUND);
}

static uint64_t rev_of(struct world *w, enum replica_set set)
{
    uint64_t rev;
    assert_int_equal(replica_set_rev(w->rd, set, &rev), REPLICA_OK);
    return rev;
}

static void a_set_has_its_own_revision(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *kind, *data;
    } sets[REPLICA_SETS] = {
        [REPLICA_LIMITS] = {"limit", LIMIT},
        [REPLICA_LISTS] = {"list", LIST},
        [REPLICA_TRUST] = {"trust", TRUST},
        [REPLICA_ALGORITHMS] = {"algorithm", ALGORITHM},
        [REPLICA_TOKEN_KEYS] = {"token-key", TOKEN_KEY},
        [REPLICA_TOPICS] = {"topic", TOPIC},
        [REPLICA_EVENT_SUBSCRIPTIONS] = {"event-subscription", EVENT_SUBSCRIPTION},
        [REPLICA_SDK_RELEASES] = {"sdk-release", SDK_RELEASE}};
    uint64_t before[REPLICA_SETS], rev;
    put(w, "app", ID("01"), APP, "{}");
    for (int i = 0; i < REPLICA_SETS; i++) {
        for (int j = 0; j < REPLICA_SETS; j++) {
            before[j] = rev_of(w, j);
        }
        put(w, sets[i].kind, ID("40"), sets[i].data, "{}");
        for (int j = 0; j < REPLICA_SETS; j++) {
            assert_int_equal(rev_of(w, j) != before[j], i == j);
        }
        rev = rev_of(w, i);
        put(w, "app", ID("01"), APP, "{'subject':'M1'}");
        del(w, sets[i].kind, ID("41")); /* which was not there */
        assert_int_equal(rev_of(w, i), rev);
        del(w, sets[i].kind, ID("40"));
        assert_int_not_equal(rev_of(w, i), rev);
    }
    rev = rev_of(w, REPLICA_LISTS);
    assert_int_equal(apply(w, entry_of("limit", ID("40"), LIMIT, "{}"), true), REPLICA_OK);
    assert_int_not_equal(rev_of(w, REPLICA_LISTS), rev); /* a reset changes all */
    assert_int_equal(replica_set_rev(w->rd, REPLICA_SETS, &rev), REPLICA_ENOTFOUND);
}

struct seen {
    uint8_t last[8];
    size_t n, stop_at;
};

static bool see_json(void *ctx, const struct uuid *id, uint64_t rev, struct slice json)
{
    struct seen *s = ctx;
    assert_true(rev == 7 && json.n > 2 && json.p[0] == '{');
    s->last[s->n++] = id->b[15];
    return s->n != s->stop_at;
}

static bool see_api(void *ctx, const struct replica_api *api)
{
    struct seen *s = ctx;
    assert_true(api->policy.n_fields == 0 && api->n_targets == 1);
    s->last[s->n++] = api->policy.id.b[15];
    return s->n != s->stop_at;
}

static void walks_go_in_id_order(void **state)
{
    struct world *w = *state;
    struct seen s = {.n = 0};
    put(w, "limit", ID("42"), LIMIT, "{}");
    put(w, "limit", ID("40"), LIMIT, "{}");
    put(w, "limit", ID("41"), LIMIT, "{}");
    put(w, "list", ID("43"), LIST, "{}");
    assert_int_equal(replica_set_each(w->rd, REPLICA_LIMITS, see_json, &s), REPLICA_OK);
    assert_true(s.n == 3 && s.last[0] == 0x40 && s.last[1] == 0x41 && s.last[2] == 0x42);
    s = (struct seen){.stop_at = 2};
    assert_int_equal(replica_set_each(w->rd, REPLICA_LIMITS, see_json, &s), REPLICA_OK);
    assert_int_equal(s.n, 2);
    s = (struct seen){.n = 0};
    assert_int_equal(replica_set_each(w->rd, REPLICA_TRUST, see_json, &s), REPLICA_OK);
    assert_int_equal(s.n, 0);
    assert_int_equal(replica_set_each(w->rd, REPLICA_SETS, see_json, &s), REPLICA_ENOTFOUND);
    put(w, "api", ID("11"), API, "{'path':'/b','fields':[{'path':'x','level':1,'type':'scalar'}]}");
    put(w, "api", ID("10"), API, "{}");
    assert_int_equal(replica_each_api(w->rd, see_api, &s), REPLICA_OK);
    assert_true(s.n == 2 && s.last[0] == 0x10 && s.last[1] == 0x11);
}

static void documents_come_back(void **state)
{
    struct world *w = *state;
    struct uuid id = id_of(ID("10"));
    struct slice json;
    uint64_t rev;
    static const struct {
        const char *kind, *data, *text;
    } docs[] = {{"schema", "{'openapi':{'a':1}}", "{\"openapi\":{\"a\":1}}"},
                {"conversion", "{'definition':{}}", "{\"definition\":{}}"},
                {"composition", "{'graph':{}}", "{\"graph\":{}}"}};
    put(w, "app", ID("01"), APP, "{}");
    for (size_t i = 0; i < sizeof docs / sizeof *docs; i++) {
        assert_int_equal(replica_get_json(w->rd, docs[i].kind, &id, &rev, &json),
                         REPLICA_ENOTFOUND);
        put(w, docs[i].kind, ID("10"), docs[i].data, "{}");
        assert_int_equal(replica_get_json(w->rd, docs[i].kind, &id, &rev, &json), REPLICA_OK);
        assert_true(rev == 7 && slice_eq(json, slice_str(docs[i].text)));
        del(w, docs[i].kind, ID("10"));
        assert_int_equal(replica_get_json(w->rd, docs[i].kind, &id, &rev, &json),
                         REPLICA_ENOTFOUND);
    }
    put(w, "limit", ID("10"), LIMIT, "{}");
    assert_int_equal(replica_get_json(w->rd, "limit", &id, &rev, &json), REPLICA_ENOTFOUND);
}

#define ROW(title, fn)                                                                             \
    {                                                                                              \
        title, fn, setup, teardown, NULL                                                           \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW("a word, number or shape that is not listed is unreadable", members_are_strict),
        ROW("members left out mean what the contract says", defaults_are_filled_in),
        ROW("every member of an API comes back", every_member_comes_back),
        ROW("an API has at most 16 targets", sixteen_targets_and_no_more),
        ROW("[BK-7.2.1a1-4] apps come with factors, channel and subject", apps_tell_who_they_are),
        ROW("[BK-7.2.1a1-2] a credential is found by its certificate", certificates_are_found),
        ROW("long subjects are compared whole", long_subjects_are_compared_whole),
        ROW("an app's newest encryption key in its time", the_newest_encryption_key),
        ROW("a set's revision changes with the set alone", a_set_has_its_own_revision),
        ROW("walks go in id order and stop when told", walks_go_in_id_order),
        ROW("[SW-3.7a] a user reaches the APIs they have", users_reach_what_they_have),
        ROW("schemas, conversions, compositions come back", documents_come_back),
    };
    return cmocka_run_group_tests_name("replica feed", tests, NULL, NULL);
}
