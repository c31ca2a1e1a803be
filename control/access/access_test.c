/* SPDX-License-Identifier: Apache-2.0 */
#include "access/access.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/log.h"
#include "test/fixture.h"

#define NOWHERE "00000000-0000-7000-8000-000000000000"

static struct fixture f;

/* People beside the fixture's: a token each. */
struct person {
    char id[40], login[40], token[64];
};
static struct person ann, bob, sys, sec, sec2;

static void call_as(struct person *p, const char *method, const char *target, const char *if_match,
                    const char *body, struct reply *r)
{
    char kept[64];

    memcpy(kept, f.token[STRANGER], sizeof kept);
    memcpy(f.token[STRANGER], p->token, sizeof kept);
    *r = fixture_call(&f, STRANGER, method, target, if_match, body);
    memcpy(f.token[STRANGER], kept, sizeof kept);
}

static unsigned status_as(struct person *p, const char *method, const char *target,
                          const char *body)
{
    struct reply r;

    call_as(p, method, target, strcmp(method, "GET") ? "auto" : NULL, body, &r);
    unsigned status = r.status;
    reply_free(&r);
    return status;
}

static void refused_as(struct person *p, const char *method, const char *target, const char *body,
                       const char *code)
{
    struct reply r;

    call_as(p, method, target, strcmp(method, "GET") ? "auto" : NULL, body, &r);
    if (strcmp(r.code, code) != 0) {
        fail_msg("%s %s: %s wanted, got %u %s %s", method, target, code, r.status, r.code,
                 row_text(r.json, "detail"));
    }
    reply_free(&r);
}

static void sign_in_as(struct person *p, const char *password)
{
    snprintf(p->token, sizeof p->token, "%s",
             fixture_ok(&f, NOBODY, "POST", "sessions",
                        text("{\"login\":\"%s\",\"password\":\"%s\"}", p->login, password),
                        "token"));
}

static void make(struct person *p, const char *login, const char *role, const char *more)
{
    snprintf(p->login, sizeof p->login, "%s", login);
    snprintf(
        p->id, sizeof p->id, "%s",
        fixture_ok(&f, ADMIN, "POST", "users",
                   text("{\"login\":\"%s\",\"role\":\"%s\",\"password\":\"one-time-%s-pass\"%s}",
                        login, role, login, more),
                   "id"));
    sign_in_as(p, text("one-time-%s-pass", login));
    assert_int_equal(status_as(p, "PUT", "users/me/password",
                               text("{\"old_password\":\"one-time-%s-pass\",\"new_password\":"
                                    "\"second-%s-password\"}",
                                    login, login)),
                     204);
}

static int setup(void **state)
{
    (void)state;
    fixture_open(&f);
    fixture_people(&f);
    make(&ann, "ann", "member", text(",\"organisation_id\":\"%s\"", f.third));
    make(&bob, "bob", "member", text(",\"organisation_id\":\"%s\"", f.stranger));
    make(&sys, "sys", "system-admin", "");
    make(&sec, "sec", "security-admin", "");
    make(&sec2, "sec2", "security-admin", "");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

static const char *give(const char *holder, const char *operation, const char *more)
{
    return fixture_ok(&f, ADMIN, "POST", "function_grants",
                      text("{%s,\"operation\":\"%s\"%s}", holder, operation, more), "id");
}

static void revoke(const char *plural, const char *id)
{
    fixture_ok(&f, ADMIN, "POST", text("%s/%s/revoke", plural, id), NULL, NULL);
}

static const char *holder(const char *kind, const char *id)
{
    return text("\"holder_kind\":\"%s\",\"holder_id\":\"%s\"", kind, id);
}

static void put_user(const char *id, const char *body)
{
    fixture_ok(&f, ADMIN, "PATCH", text("users/%s", id), body, NULL);
}

/* Who has what --------------------------------------------------------------------------------- */
/* `reports` may be read by ann and not by bob while the grant stands; both before and after may
 * not. */
static void counts_for_ann_alone(const char *of)
{
    assert_int_equal(status_as(&ann, "GET", "alerts", NULL), 403);
    const char *id = give(of, "alerts.read", ",\"reach\":\"all\"");
    assert_int_equal(status_as(&ann, "GET", "alerts", NULL), 200);
    assert_int_equal(status_as(&ann, "GET", "apps", NULL), 403); /* nothing else came with it */
    assert_int_equal(status_as(&bob, "GET", "alerts", NULL), 403);
    revoke("function_grants", id);
    assert_int_equal(status_as(&ann, "GET", "alerts", NULL), 403);
}

static void persons_and_organisations(void **state)
{
    (void)state;
    counts_for_ann_alone(holder("person", ann.id));
    counts_for_ann_alone(holder("organisation", f.third));
}

static const char *department(const char *organisation, const char *name, const char *parent)
{
    return fixture_ok(
        &f, ADMIN, "POST", "departments",
        parent ? text("{\"organisation_id\":\"%s\",\"name\":\"%s\",\"parent_id\":"
                      "\"%s\"}",
                      organisation, name, parent)
               : text("{\"organisation_id\":\"%s\",\"name\":\"%s\"}", organisation, name),
        "id");
}

static void departments(void **state)
{
    (void)state;
    const char *top = department(f.third, "总部", NULL), *below = department(f.third, "分部", top),
               *beside = department(f.third, "另一部", NULL);
    put_user(ann.id, text("{\"department_id\":\"%s\"}", below));
    counts_for_ann_alone(holder("department", below));
    counts_for_ann_alone(holder("department", top)); /* of those above it too */
    const char *id = give(holder("department", beside), "alerts.read", "");
    assert_int_equal(status_as(&ann, "GET", "alerts", NULL), 403);
    revoke("function_grants", id);
    /* Another organisation's department is nobody's here; and no ring of departments. */
    fixture_refused(&f, ADMIN, "PATCH", text("users/%s", bob.id), "*",
                    text("{\"department_id\":\"%s\"}", below), "field-invalid");
    fixture_refused(&f, ADMIN, "PATCH", text("departments/%s", top), "*",
                    text("{\"parent_id\":\"%s\"}", below), "field-invalid");
}

static void groups_posts_ranks(void **state)
{
    (void)state;
    const char *group = fixture_ok(&f, ADMIN, "POST", "groups", "{\"name\":\"值班组\"}", "id");
    const char *member =
        fixture_ok(&f, ADMIN, "POST", "group_members",
                   text("{\"group_id\":\"%s\",\"user_id\":\"%s\"}", group, ann.id), "id");
    counts_for_ann_alone(holder("group", group));
    const char *id = give(holder("group", group), "alerts.read", "");
    assert_int_equal(status_as(&ann, "GET", "alerts", NULL), 200);
    fixture_ok(&f, ADMIN, "POST", text("group_members/%s/remove", member), NULL, NULL);
    assert_int_equal(status_as(&ann, "GET", "alerts", NULL), 403);
    revoke("function_grants", id);

    const char *post =
        fixture_ok(&f, ADMIN, "POST", "posts",
                   text("{\"organisation_id\":\"%s\",\"name\":\"风控岗\"}", f.third), "id");
    put_user(ann.id, text("{\"post_id\":\"%s\"}", post));
    counts_for_ann_alone(holder("post", post));

    put_user(ann.id, "{\"rank\":5}");
    put_user(bob.id, "{\"rank\":4}");
    counts_for_ann_alone("\"holder_kind\":\"rank\",\"rank\":5");
    id = give("\"holder_kind\":\"rank\",\"rank\":4", "alerts.read", "");
    assert_int_equal(status_as(&ann, "GET", "alerts", NULL), 200); /* from that rank upward */
    assert_int_equal(status_as(&bob, "GET", "alerts", NULL), 200);
    /* Dimensions together: a denial to the post beats what the rank allows. */
    const char *deny = give(holder("post", post), "alerts.*", ",\"effect\":\"deny\"");
    assert_int_equal(status_as(&ann, "GET", "alerts", NULL), 403);
    assert_int_equal(status_as(&bob, "GET", "alerts", NULL), 200);
    revoke("function_grants", deny);
    revoke("function_grants", id);
    fixture_refused(&f, ADMIN, "POST", "function_grants", NULL,
                    "{\"holder_kind\":\"rank\",\"operation\":\"alerts.read\"}", "field-invalid");
}

static const char *role(const char *name, const char *operations, const char *more)
{
    return fixture_ok(
        &f, ADMIN, "POST", "roles",
        text("{\"name\":\"%s\",\"operations\":%s,\"reach\":\"all\"%s}", name, operations, more),
        "id");
}

static const char *join(const char *role_id, const struct person *p)
{
    return fixture_ok(&f, ADMIN, "POST", "role_members",
                      text("{\"role_id\":\"%s\",\"user_id\":\"%s\"}", role_id, p->id), "id");
}

static void leave(const char *member)
{
    fixture_ok(&f, ADMIN, "POST", text("role_members/%s/remove", member), NULL, NULL);
}

static void roles(void **state)
{
    (void)state;
    const char *reader = role("只读", "[\"alerts.read\"]", ""),
               *keeper = role("目录", "[\"apis.read\"]", "");
    const char *a = join(reader, &ann);
    assert_int_equal(status_as(&ann, "GET", "alerts", NULL), 200);
    assert_int_equal(status_as(&bob, "GET", "alerts", NULL), 403);
    const char *b = join(reader, &bob), *second = join(keeper, &ann);
    assert_int_equal(status_as(&bob, "GET", "alerts", NULL), 200); /* one role, two users */
    assert_int_equal(status_as(&ann, "GET", "alerts", NULL), 200); /* two roles, one user */
    assert_int_equal(status_as(&ann, "GET", "apis", NULL), 200);
    assert_int_equal(status_as(&bob, "GET", "apis", NULL), 403);
    leave(a);
    assert_int_equal(status_as(&ann, "GET", "alerts", NULL), 403);
    assert_int_equal(status_as(&ann, "GET", "apis", NULL), 200);
    leave(b);
    leave(second);
    fixture_refused(&f, ADMIN, "POST", "roles", NULL,
                    "{\"name\":\"x\",\"operations\":[\"nothing.read\"]}", "field-invalid");
    fixture_refused(&f, ADMIN, "POST", "roles", NULL,
                    "{\"name\":\"x\",\"operations\":[\"function_grants.create\"]}",
                    "field-invalid");
    fixture_ok(&f, ADMIN, "POST", text("roles/%s/close", keeper), NULL, NULL);
}

/* In one app -------------------------------------------------------------------------------------
 */
static const char *app(const char *organisation, const char *name)
{
    return fixture_ok(
        &f, ADMIN, "POST", "apps",
        text("{\"organisation_id\":\"%s\",\"name\":\"%s\",\"environment\":\"general\"}",
             organisation, name),
        "id");
}

static void one_application(void **state)
{
    (void)state;
    const char *one = app(f.holder, "一"), *other = app(f.holder, "二");
    const char *read = give(holder("person", ann.id), "apps.read", text(",\"app_id\":\"%s\"", one)),
               *change =
                   give(holder("person", ann.id), "apps.update", text(",\"app_id\":\"%s\"", one));
    struct reply r;
    call_as(&ann, "GET", "apps", NULL, NULL, &r);
    assert_int_equal(json_integer_value(json_object_get(r.json, "total")), 1);
    reply_free(&r);
    assert_int_equal(status_as(&ann, "PATCH", text("apps/%s", one), "{\"description\":\"x\"}"),
                     200);
    assert_int_equal(status_as(&ann, "GET", text("apps/%s", other), NULL), 404);
    call_as(&ann, "PATCH", text("apps/%s", other), "*", "{\"description\":\"x\"}", &r);
    assert_string_equal(r.code, "not-found");
    reply_free(&r);
    revoke("function_grants", read);
    revoke("function_grants", change);

    /* And a denial in one app leaves the others: the developer of the organisation keeps them. */
    const char *mine = app(f.third, "三"), *also = app(f.third, "四");
    struct reply me = fixture_call(&f, DEVELOPER, "GET", "users/me", NULL, NULL);
    const char *deny = give(holder("person", row_text(me.json, "id")), "apps.*",
                            text(",\"app_id\":\"%s\",\"effect\":\"deny\"", mine));
    reply_free(&me);
    fixture_refused(&f, DEVELOPER, "GET", text("apps/%s", mine), NULL, NULL, "not-found");
    fixture_ok(&f, DEVELOPER, "GET", text("apps/%s", also), NULL, NULL);
    fixture_ok(&f, DEVELOPER, "PATCH", text("apps/%s", also), "{\"description\":\"y\"}", NULL);
    revoke("function_grants", deny);
    fixture_ok(&f, DEVELOPER, "GET", text("apps/%s", mine), NULL, NULL);
}

/* Functions and data, each by itself --------------------------------------------------------------
 */
static const char *api(const char *name)
{
    return fixture_ok(
        &f, ADMIN, "POST", "apis",
        text("{\"name\":\"%s\",\"version\":\"v1\",\"path\":\"/%s\",\"kind\":\"http\",\"class\":"
             "\"A1\",\"organisation_id\":\"%s\",\"upstream\":\"http://127.0.0.1:9\",\"fields\":"
             "[{\"path\":\"a\",\"name\":\"a\",\"level\":%d,\"type\":\"scalar\"}]}",
             name, name, f.holder, strcmp(name, "deep") == 0 ? 2 : 1),
        "id");
}

static void functions_and_data(void **state)
{
    (void)state;
    const char *one = api("one"), *two = api("two");
    const char *path = text("apis/%s", one);
    /* The function alone shows no data, the data alone give no function. */
    const char *function = give(holder("person", ann.id), "apis.read", "");
    assert_int_equal(status_as(&ann, "GET", path, NULL), 404);
    revoke("function_grants", function);
    const char *data =
        fixture_ok(&f, ADMIN, "POST", "data_grants",
                   text("{%s,\"api_id\":\"%s\"}", holder("person", ann.id), one), "id");
    assert_int_equal(status_as(&ann, "GET", path, NULL), 403);
    function = give(holder("person", ann.id), "apis.read", "");
    assert_int_equal(status_as(&ann, "GET", path, NULL), 200);
    assert_int_equal(status_as(&ann, "GET", text("apis/%s", two), NULL), 404);
    revoke("function_grants", function);
    revoke("data_grants", data);
    /* A denial of data takes from a role's rows. */
    struct reply me = fixture_call(&f, PROVIDER, "GET", "users/me", NULL, NULL);
    data = fixture_ok(&f, ADMIN, "POST", "data_grants",
                      text("{%s,\"api_id\":\"%s\",\"effect\":\"deny\"}",
                           holder("person", row_text(me.json, "id")), one),
                      "id");
    reply_free(&me);
    fixture_refused(&f, PROVIDER, "GET", path, NULL, NULL, "not-found");
    fixture_refused(&f, PROVIDER, "PATCH", path, "*", "{\"title\":\"x\"}", "not-found");
    fixture_ok(&f, PROVIDER, "GET", text("apis/%s", two), NULL, NULL);
    revoke("data_grants", data);
    fixture_ok(&f, PROVIDER, "GET", path, NULL, NULL);
    fixture_refused(&f, ADMIN, "POST", "data_grants", NULL, text("{%s}", holder("person", ann.id)),
                    "field-invalid");
}

static void fed(const struct person *p, const char *mode, size_t n)
{
    json_t *data = fixture_fed(&f, "user-apis", p->id);

    if (!mode) {
        assert_null(data);
        return;
    }
    assert_non_null(data);
    assert_string_equal(row_text(data, "mode"), mode);
    assert_int_equal(json_array_size(json_object_get(data, "apis")), n);
    json_decref(data);
}

/* What the nodes are told of a user's interfaces. */
static void interfaces(void **state)
{
    (void)state;
    const char *a = api("three"), *b = api("four"), *deep = api("deep");
    const char *deny = fixture_ok(
        &f, ADMIN, "POST", "data_grants",
        text("{%s,\"api_id\":\"%s\",\"effect\":\"deny\"}", holder("person", bob.id), a), "id");
    fed(&bob, "except", 1);
    revoke("data_grants", deny);
    fed(&bob, NULL, 0);
    const char *id = role("两个接口", "[]", text(",\"apis\":[\"%s\",\"%s\"]", a, b));
    const char *member = join(id, &bob);
    fed(&bob, "only", 2);
    fixture_ok(&f, ADMIN, "PATCH", text("roles/%s", id), text("{\"apis\":[\"%s\"]}", a), NULL);
    fed(&bob, "only", 1);
    deny = fixture_ok(
        &f, ADMIN, "POST", "data_grants",
        text("{%s,\"api_id\":\"%s\",\"effect\":\"deny\"}", holder("organisation", f.stranger), a),
        "id");
    fed(&bob, "only", 0); /* deny beats allow, wherever each came from */
    revoke("data_grants", deny);
    fed(&bob, "only", 1);
    leave(member);
    fed(&bob, "only", 0); /* losing the last one opens nothing */
    const char *level = fixture_ok(
        &f, ADMIN, "POST", "data_grants",
        text("{%s,\"api_id\":\"%s\",\"max_level\":1}", holder("person", bob.id), deep), "id");
    fed(&bob, "only", 0); /* its fields are above the grant's level */
    revoke("data_grants", level);
    put_user(bob.id, "{\"interfaces\":\"consent\"}");
    fed(&bob, NULL, 0);
    fixture_feed_readable(&f);
}

/* Explain ----------------------------------------------------------------------------------------
 */
static bool explains(enum who who, const char *query, const char *rule)
{
    struct reply r = fixture_call(&f, who, "GET", text("access/explain?%s", query), NULL, NULL);
    const json_t *steps = json_object_get(r.json, "steps");
    json_t *step;
    bool found = false;
    size_t i;

    assert_int_equal(r.status, 200);
    json_array_foreach(steps, i, step)
    {
        found = found || strcmp(row_text(step, "rule"), rule) == 0;
    }
    assert_true(found);
    bool allowed = json_is_true(json_object_get(r.json, "allowed"));
    reply_free(&r);
    return allowed;
}

static void explanations(void **state)
{
    (void)state;
    assert_true(explains(ADMIN, "user=developer&operation=apps.create", "role"));
    assert_false(explains(ADMIN, "user=developer&operation=apps.admit", "function-default"));
    assert_false(explains(ADMIN, "user=sys&operation=function_grants.create", "outside-duty"));
    const char *deny = give(holder("organisation", f.third), "apps.create", ",\"effect\":\"deny\"");
    assert_false(explains(AUDITOR, "user=developer&operation=apps.create", "function-denied"));
    assert_false(explains(DEVELOPER, "operation=apps.create", "function-denied"));
    fixture_refused(&f, DEVELOPER, "POST", "apps", NULL, "{}", "not-permitted"); /* as it said */
    revoke("function_grants", deny);
    fixture_refused(&f, DEVELOPER, "GET", "access/explain?user=admin&operation=apps.read", NULL,
                    NULL, "not-permitted");
    fixture_refused(&f, ADMIN, "GET", "access/explain?user=admin&operation=apps.fly", NULL, NULL,
                    "not-found");
    fixture_refused(&f, ADMIN, "GET", "access/explain?user=nobody&operation=apps.read", NULL, NULL,
                    "not-found");
}

/* Administrations ---------------------------------------------------------------------------------
 */
static void set_separation(const char *value)
{
    fixture_ok(&f, ADMIN, "PATCH", "identity_settings/01900000-0000-7000-8000-000000000321",
               text("{\"value\":\"%s\"}", value), NULL);
}

static void separation(void **state)
{
    (void)state;
    const char *algorithm = "algorithms/" NOWHERE;
    refused_as(&sys, "POST", "function_grants", "{}", "not-permitted");
    refused_as(&sys, "PATCH", algorithm, "{}", "not-permitted");
    refused_as(&sys, "GET", "operations", NULL, "not-permitted");
    refused_as(&sec, "GET", "operations", NULL, "not-permitted");
    refused_as(&sec, "POST", "sources", "{}", "not-permitted");
    assert_int_equal(status_as(&sec, "GET", "function_grants", NULL), 200);
    assert_int_equal(status_as(&sys, "POST", "posts",
                               text("{\"organisation_id\":\"%s\",\"name\":\"岗\"}", f.holder)),
                     201);
    fixture_ok(&f, AUDITOR, "GET", "operations", NULL, NULL);
    fixture_refused(&f, AUDITOR, "POST", "users", NULL, "{}", "not-permitted");

    /* Nobody comes to hold two of them, whichever way. */
    const char *security = role("安全", "[\"users.lock\"]", ""),
               *system = role("系统", "[\"apps.admit\"]", "");
    fixture_refused(&f, ADMIN, "POST", "role_members", NULL,
                    text("{\"role_id\":\"%s\",\"user_id\":\"%s\"}", security, sys.id),
                    "roles-conflict");
    const char *member = join(security, &bob);
    fixture_refused(&f, ADMIN, "POST", "role_members", NULL,
                    text("{\"role_id\":\"%s\",\"user_id\":\"%s\"}", system, bob.id),
                    "roles-conflict");
    fixture_refused(&f, ADMIN, "POST", "function_grants", NULL,
                    text("{%s,\"operation\":\"apps.admit\"}", holder("person", bob.id)),
                    "roles-conflict");
    fixture_refused(&f, ADMIN, "PATCH", text("users/%s", bob.id), "*", "{\"role\":\"auditor\"}",
                    "roles-conflict");
    fixture_refused(&f, ADMIN, "PATCH", text("roles/%s", security), "*",
                    "{\"operations\":[\"users.lock\",\"apps.admit\"]}", "roles-conflict");
    fixture_refused(&f, ADMIN, "POST", "function_grants", NULL,
                    text("{%s,\"operation\":\"users.lock\"}", holder("organisation", f.third)),
                    "roles-conflict");
    leave(member);
}

static void old_administrator(void **state)
{
    (void)state;
    set_separation("on");
    fixture_refused(&f, ADMIN, "POST", "function_grants", NULL, "{}", "not-permitted");
    fixture_refused(&f, ADMIN, "GET", "operations", NULL, NULL, "not-permitted");
    fixture_refused(&f, OPERATOR, "POST", "trusts", NULL, "{}", "not-permitted");
    struct reply r;
    call_as(&sec, "GET", "identity_settings/01900000-0000-7000-8000-000000000321", NULL, NULL, &r);
    reply_free(&r);
    assert_int_equal(status_as(&sec, "PATCH",
                               "identity_settings/01900000-0000-7000-8000-000000000321",
                               "{\"value\":\"off\"}"),
                     200);
}

/* A delegate of an organisation keeps its accounts, and none but its. */
static void delegates(void **state)
{
    (void)state;
    struct reply me = fixture_call(&f, DEVELOPER, "GET", "users/me", NULL, NULL);
    const char *who = holder("person", row_text(me.json, "id"));
    const char *ids[3], *reach = ",\"reach\":\"organisation\"";
    ids[0] = give(who, "users.create", reach);
    ids[1] = give(who, "users.read", reach);
    ids[2] = give(who, "users.update", reach);
    reply_free(&me);
    const char *account = "{\"login\":\"%s\",\"password\":\"one-time-made-pass\",\"role\":\"%s\","
                          "\"organisation_id\":\"%s\"}";
    const char *made = fixture_ok(&f, DEVELOPER, "POST", "users",
                                  text("{\"login\":\"made\",\"password\":\"one-time-x-password\","
                                       "\"role\":\"developer\",\"organisation_id\":\"%s\"}",
                                       f.third),
                                  "id");
    fixture_ok(&f, DEVELOPER, "PATCH", text("users/%s", made), "{\"display_name\":\"x\"}", NULL);
    (void)account;
    fixture_refused(&f, DEVELOPER, "POST", "users", NULL,
                    text("{\"login\":\"made2\",\"password\":\"one-time-x-password\",\"role\":"
                         "\"admin\",\"organisation_id\":\"%s\"}",
                         f.third),
                    "not-permitted");
    fixture_refused(&f, DEVELOPER, "POST", "users", NULL,
                    text("{\"login\":\"made3\",\"password\":\"one-time-x-password\",\"role\":"
                         "\"developer\",\"organisation_id\":\"%s\"}",
                         f.holder),
                    "field-invalid"); /* not one of the organisations it sees */
    fixture_refused(&f, DEVELOPER, "POST", "users", NULL,
                    text("{\"login\":\"made4\",\"password\":\"one-time-x-password\",\"role\":"
                         "\"developer\",\"organisation_id\":\"%s\",\"subject\":\"M1\"}",
                         f.third),
                    "not-permitted");
    fixture_refused(&f, DEVELOPER, "PATCH", text("users/%s", bob.id), "*",
                    "{\"display_name\":\"x\"}", "not-found");
    fixture_refused(&f, DEVELOPER, "PATCH", text("users/%s", ann.id), "*", "{\"rank\":9}",
                    "not-permitted"); /* of the organisation, but of another role */
    fixture_refused(&f, DEVELOPER, "PATCH", text("users/%s", made), "*", "{\"rank\":9}",
                    "not-permitted");
    for (size_t i = 0; i < 3; i++) {
        revoke("function_grants", ids[i]);
    }
    fixture_refused(&f, DEVELOPER, "POST", "users", NULL, "{}", "not-permitted");
}

/* Dual control ------------------------------------------------------------------------------------
 */
static const char *asked(struct person *p, const char *method, const char *target,
                         const char *if_match, const char *body)
{
    struct reply r;

    call_as(p, method, target, if_match, body, &r);
    assert_int_equal(r.status, 202);
    const char *id = text("%s", row_text(r.json, "id"));
    reply_free(&r);
    return id;
}

static int64_t count(const char *sql)
{
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;

    assert_int_equal(store_begin(f.ctl.store, STORE_READ, &txn), STORE_OK);
    assert_int_equal(store_query(txn, sql, NULL, 0, &rows), STORE_OK);
    int64_t n = store_next(rows) ? store_get_int(rows, 0) : -1;
    assert_int_equal(store_rows_end(&rows), STORE_OK);
    store_rollback(&txn);
    return n;
}

static enum store_err exec(const char *sql)
{
    struct store_txn *txn = NULL;

    assert_int_equal(store_begin(f.ctl.store, STORE_WRITE, &txn), STORE_OK);
    enum store_err err = store_exec(txn, sql, NULL, 0, NULL);
    if (err != STORE_OK) {
        store_rollback(&txn);
        return err;
    }
    return store_commit(&txn);
}

static void dual_control(void **state)
{
    static const char body[] = "{\"name\":\"双人\",\"description\":\"两人\"}";
    struct reply r;
    const char *rule =
        fixture_ok(&f, ADMIN, "POST", "dual_controls", "{\"operation\":\"groups.create\"}", "id");

    (void)state;
    fixture_refused(&f, ADMIN, "POST", "dual_controls", NULL, "{\"operation\":\"groups.read\"}",
                    "field-invalid");
    const char *id = asked(&sec, "POST", "groups", NULL, body);
    assert_int_equal(count("SELECT count(*) FROM groups WHERE name = '双人'"), 0);
    const char *approve = text("approvals/%s/approve", id);
    refused_as(&sec, "POST", approve, NULL, "self-approval");
    refused_as(&sys, "POST", approve, NULL, "not-permitted"); /* not of their administration */
    refused_as(&ann, "POST", approve, NULL, "not-permitted");
    refused_as(&sec2, "PATCH", text("approvals/%s", id), "{\"comment\":\"x\"}", "not-permitted");
    assert_int_not_equal(exec("UPDATE approvals SET path = '/api/v1/users'"), STORE_OK);
    assert_int_not_equal(exec("DELETE FROM approvals"), STORE_OK);
    call_as(&sec2, "POST", approve, "auto", "{\"comment\":\"看过\"}", &r);
    assert_int_equal(r.status, 200);
    assert_string_equal(row_text(r.json, "state"), "executed");
    assert_int_equal(json_integer_value(json_object_get(r.json, "result_status")), 201);
    reply_free(&r);
    assert_int_equal(count("SELECT count(*) FROM groups WHERE name = '双人' AND description = "
                           "'两人'"),
                     1);
    refused_as(&sec2, "POST", approve, NULL, "state-conflict"); /* once */
    assert_int_equal(count("SELECT count(*) FROM operations WHERE kind = 'approval' AND action IN "
                           "('create', 'approve', 'execute') AND resource_id = (SELECT id FROM "
                           "approvals LIMIT 1)"),
                     3);

    /* Refused with a reason, withdrawn, and over. */
    id = asked(&sec, "POST", "groups", NULL, "{\"name\":\"不要\"}");
    refused_as(&sec, "POST", text("approvals/%s/refuse", id), "{\"comment\":\"x\"}",
               "self-approval");
    assert_int_equal(
        status_as(&sec2, "POST", text("approvals/%s/refuse", id), "{\"comment\":\"没有必要\"}"),
        200);
    id = asked(&sec, "POST", "groups", NULL, "{\"name\":\"不要\"}");
    refused_as(&sec2, "POST", text("approvals/%s/withdraw", id), NULL, "not-permitted");
    assert_int_equal(status_as(&sec, "POST", text("approvals/%s/withdraw", id), NULL), 200);
    assert_int_equal(exec("UPDATE dual_controls SET valid_s = -1"), STORE_OK);
    id = asked(&sec, "POST", "groups", NULL, "{\"name\":\"过期\"}");
    refused_as(&sec2, "POST", text("approvals/%s/approve", id), NULL, "state-conflict");
    assert_int_equal(exec("UPDATE dual_controls SET valid_s = 600"), STORE_OK);
    struct rest_request none = {0};
    struct rest_call job = {.ctl = &f.ctl, .req = &none, .now_ms = UINT64_C(4000000000000)};
    assert_int_equal(access_job(&job), PROBLEM_OK);
    assert_int_equal(count("SELECT count(*) FROM approvals WHERE state = 'expired'"), 1);

    /* Giving dual control up takes two as well, and fails when it no longer fits. */
    id = asked(&sec, "POST", text("dual_controls/%s/remove", rule), "\"99\"", NULL);
    call_as(&sec2, "POST", text("approvals/%s/approve", id), "auto", NULL, &r);
    assert_string_equal(row_text(r.json, "state"), "failed");
    assert_string_equal(row_text(r.json, "result_code"), "precondition-failed");
    reply_free(&r);
    id = asked(&sec, "POST", text("dual_controls/%s/remove", rule), "*", NULL);
    assert_int_equal(status_as(&sec2, "POST", text("approvals/%s/approve", id), NULL), 200);
    assert_int_equal(status_as(&sec, "POST", "groups", "{\"name\":\"一人\"}"), 201);
}

/* Where staff come from ---------------------------------------------------------------------------
 */
static enum problem from(const char *address, unsigned role_bits)
{
    struct rest_request req = {.peer_address = address};
    struct rest_call c = {.ctl = &f.ctl, .req = &req};

    return access_check_address(&c, NULL, role_bits, NULL);
}

static void networks(void **state)
{
    (void)state;
    assert_int_equal(from("203.0.113.9", ROLE_ADMIN), PROBLEM_OK);
    f.cfg.admin_networks = "192.0.2.0/25, 2001:db8:1::/48";
    assert_int_equal(from("192.0.2.9", ROLE_ADMIN), PROBLEM_OK);
    assert_int_equal(from("::ffff:192.0.2.9", ROLE_OPERATOR), PROBLEM_OK);
    assert_int_equal(from("2001:db8:1:2::3", ROLE_AUDITOR), PROBLEM_OK);
    assert_int_equal(from("192.0.2.200", ROLE_ADMIN), PROBLEM_ADDRESS_NOT_LISTED);
    assert_int_equal(from("2001:db8:2::1", ROLE_ADMIN), PROBLEM_ADDRESS_NOT_LISTED);
    assert_int_equal(from("", ROLE_AUDITOR), PROBLEM_ADDRESS_NOT_LISTED);
    assert_int_equal(from("192.0.2.200", ROLE_DEVELOPER), PROBLEM_OK);
    fixture_refused(&f, ADMIN, "GET", "users/me", NULL, NULL, "address-not-listed");
    fixture_refused(&f, NOBODY, "POST", "sessions", NULL,
                    "{\"login\":\"admin\",\"password\":\"" FIXTURE_ADMIN "\"}",
                    "address-not-listed");
    assert_int_equal(count("SELECT count(*) FROM operations WHERE action = 'refuse-address'"), 1);
    f.cfg.admin_networks = NULL;
    /* Nobody shuts themselves out. */
    fixture_refused(&f, ADMIN, "POST", "admin_networks", NULL, "{\"network\":\"192.0.2.0/24\"}",
                    "field-invalid");
    fixture_refused(&f, ADMIN, "POST", "admin_networks", NULL, "{\"network\":\"192.0.2.0/33\"}",
                    "field-invalid");
    f.cfg.admin_second_factor = true;
    fixture_refused(&f, ADMIN, "GET", "apps", NULL, NULL, "second-factor-required");
    f.cfg.admin_second_factor = false;
}

/* Every operation -------------------------------------------------------------------------------
 */
/* By nobody and by a user to whom nothing was given; as resources' tables have it. */
static void walk(const struct resource *res, const char *method, const char *target)
{
    struct reply r;

    fixture_refused(&f, NOBODY, method, target, "*", "{}", "not-signed-in");
    if (res == &approvals_resource) {
        return; /* one's own: the rows decide */
    }
    call_as(&ann, method, target, "*", "{}", &r);
    if (strcmp(r.code, "not-permitted") != 0) {
        fail_msg("%s %s by a user without rights: %u %s", method, target, r.status, r.code);
    }
    reply_free(&r);
}

static const char *address(const char *pattern)
{
    struct buf b;

    buf_init(&b);
    for (; *pattern; pattern++) {
        buf_addf(&b, *pattern == '*' ? NOWHERE : "%c", *pattern);
    }
    const char *out = text("%.*s", (int)b.n, b.p);
    buf_fini(&b);
    return out;
}

static void every_operation(void **state)
{
    (void)state;
    for (size_t i = 0; i < resources_n; i++) {
        const struct resource *res = resources[i];
        const char *one = text("%s/" NOWHERE, res->plural);
        walk(res, "GET", res->plural);
        walk(res, "GET", one);
        walk(res, "POST", res->plural);
        walk(res, "PATCH", one);
        for (size_t k = 0; k < res->n_transitions; k++) {
            walk(res, "POST", text("%s/%s", one, res->transitions[k].action));
        }
    }
    for (size_t i = 0; i < rest_routes_n; i++) {
        const struct rest_route *route = &rest_routes[i];
        if ((route->flags & ROUTE_OPEN) || route->pattern[0] == '*') {
            continue;
        }
        /* Beyond one's own account, and asking about it, there is nothing. */
        bool own = route->operation && route->roles == ROLE_ANY;
        assert_true(!own || strncmp(route->operation, "account.", 8) == 0 ||
                    strncmp(route->operation, "access.", 7) == 0);
        if (!own) {
            walk(NULL, route->method, address(route->pattern));
        }
    }
}

/* An operation that no table knows is refused to everybody. */
static void unknown_operation(void **state)
{
    const struct access_question q = {.operation = "apps.fly"};
    const struct access_who who = {.roles = ROLE_ANY};
    struct access_verdict v;

    (void)state;
    access_decide(&who, &q, &v);
    assert_false(v.allowed);
    assert_int_equal(v.function_rule, RULE_UNKNOWN_OPERATION);
}

/* Parties ---------------------------------------------------------------------------------------
 */
static void parties(void **state)
{
    (void)state;
    fixture_ok(&f, ADMIN, "PATCH", text("organisations/%s", f.third),
               "{\"parties\":[\"data-provider\"],\"receiver\":\"enterprise\"}", NULL);
    fixture_refused(&f, DEVELOPER, "POST", "apps", NULL, "{}", "not-permitted");
    fixture_ok(&f, DEVELOPER, "GET", "apps", NULL, NULL);
    fixture_ok(&f, ADMIN, "PATCH", text("organisations/%s", f.third),
               "{\"parties\":[\"data-provider\",\"credit-scenario\"]}", NULL);
    fixture_refused(&f, DEVELOPER, "POST", "apps", NULL, "{}", "field-invalid"); /* may, now */
    fixture_ok(&f, ADMIN, "PATCH", text("organisations/%s", f.holder),
               "{\"parties\":[\"data-user\"]}", NULL);
    fixture_refused(&f, PROVIDER, "POST", "datasets", NULL, "{}", "not-permitted");
    fixture_ok(&f, ADMIN, "PATCH", text("organisations/%s", f.holder),
               "{\"parties\":[\"data-provider\",\"data-user\"]}", NULL);
    fixture_refused(&f, PROVIDER, "POST", "datasets", NULL, "{}", "field-invalid");
    fixture_refused(&f, ADMIN, "PATCH", text("organisations/%s", f.holder), "*",
                    "{\"parties\":[\"everything\"]}", "field-invalid");
    fixture_refused(&f, ADMIN, "PATCH", text("organisations/%s", f.third), "*",
                    "{\"receiver\":\"anybody\"}", "field-invalid");
    fixture_ok(&f, ADMIN, "PATCH", text("organisations/%s", f.third), "{\"parties\":null}", NULL);
    fixture_ok(&f, ADMIN, "PATCH", text("organisations/%s", f.holder), "{\"parties\":null}", NULL);
}

/* Self-check --------------------------------------------------------------------------------------
 */
static bool passes(const char *item)
{
    struct reply r = fixture_call(&f, AUDITOR, "GET", "access/self-check", NULL, NULL);
    json_t *one;
    size_t i;
    int found = -1;

    assert_int_equal(r.status, 200);
    json_array_foreach(json_object_get(r.json, "items"), i, one)
    {
        if (strcmp(row_text(one, "item"), item) == 0) {
            found = json_is_true(json_object_get(one, "pass"));
        }
    }
    reply_free(&r);
    assert_true(found >= 0);
    return found == 1;
}

static void self_check(void **state)
{
    (void)state;
    assert_true(passes("unique-identity"));
    assert_true(passes("password-policy"));
    assert_true(passes("login-lock"));
    assert_true(passes("input-checking"));
    assert_true(passes("protected-logs"));
    assert_true(passes("audit-every-user"));
    assert_true(passes("residual-data"));
    assert_true(passes("transfer-integrity"));
    assert_false(passes("least-privilege"));
    assert_false(passes("backup"));
    assert_false(passes("remote-administration"));
    assert_int_equal(exec("UPDATE session_policies SET idle_s = 3600 WHERE scenario = 'api'"),
                     STORE_OK);
    assert_false(passes("session-timeout"));
    assert_int_equal(exec("UPDATE session_policies SET idle_s = 1800 WHERE scenario = 'api'"),
                     STORE_OK);
    assert_true(passes("session-timeout"));
    /* One changed record is found, and put back it is whole again. */
    assert_int_equal(exec("UPDATE operations SET actor = actor || 'x' WHERE seq = 9"), STORE_OK);
    assert_false(passes("protected-logs"));
    assert_int_equal(exec("UPDATE operations SET actor = substr(actor, 1, length(actor) - 1) WHERE "
                          "seq = 9"),
                     STORE_OK);
    assert_true(passes("protected-logs"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[SW-9.5-3a, SW-9.5-3b] a function given to a person or an organisation counts for them "
         "alone",
         persons_and_organisations, NULL, NULL, NULL},
        {"[SW-9.5-3c] a function given to a department counts for it and those below it",
         departments, NULL, NULL, NULL},
        {"[SW-9.5-3d, SW-9.5-3f, SW-9.5-3g] groups, posts, and ranks from one upward; a denial "
         "beats them all",
         groups_posts_ranks, NULL, NULL, NULL},
        {"[SW-9.5-3e, SW-3.7b] one role of two users, two roles of one user", roles, NULL, NULL,
         NULL},
        {"[SW-9.5-3-0] a function in one application is none in another", one_application, NULL,
         NULL, NULL},
        {"[SW-9.5-4b, SW-9.5-4c] functions and data are given apart, and both are asked",
         functions_and_data, NULL, NULL, NULL},
        {"[SW-3.7a, CI-6.2.2c] nodes are told which interfaces a user's account has", interfaces,
         NULL, NULL, NULL},
        {"explain says what a call would meet", explanations, NULL, NULL, NULL},
        {"[SW-9.5-4a] nobody holds two administrations, and none acts outside its own", separation,
         NULL, NULL, NULL},
        {"[SW-9.5-4a] with separation the one administrator of old keeps the system alone",
         old_administrator, NULL, NULL, NULL},
        {"[SW-9.5-4a] a delegate manages the accounts of their own unit", delegates, NULL, NULL,
         NULL},
        {"[SW-9.5-4a] a dangerous act waits for a second administrator and runs as it was asked",
         dual_control, NULL, NULL, NULL},
        {"[SW-9.3-2e] staff come from listed addresses alone", networks, NULL, NULL, NULL},
        {"[CI-8.3c, SW-9.5-2, SW-10.1-2c] every operation is refused to nobody and to who has no "
         "rights",
         every_operation, NULL, NULL, NULL},
        {"[CI-8.3c] what no table knows is refused", unknown_operation, NULL, NULL, NULL},
        {"[CI-1b, SW-8.1-0a] what an organisation is registered as bounds what its users may do",
         parties, NULL, NULL, NULL},
        {"[SW-9.1-8b] the self-check computes each item and finds what is wrong", self_check, NULL,
         NULL, NULL},
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
