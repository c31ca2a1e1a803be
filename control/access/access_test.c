/* SPDX-License-Identifier: Apache-2.0 */
#include "access/testing.h"

#include <stdio.h>
#include <stdlib.h>

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
        {"[CI-8.3c, SW-9.5-2, SW-10.1-2c] every operation is refused to nobody and to who has no "
         "rights",
         every_operation, NULL, NULL, NULL},
        {"[CI-8.3c] what no table knows is refused", unknown_operation, NULL, NULL, NULL},
        {"[CI-1b, SW-8.1-0a] what an organisation is registered as bounds what its users may do",
         parties, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, testing_setup, testing_teardown);
}
