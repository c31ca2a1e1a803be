/* SPDX-License-Identifier: Apache-2.0 */
#include "access/testing.h"

#include <stdio.h>
#include <stdlib.h>

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
    const char *made = fixture_ok(&f, DEVELOPER, "POST", "users",
                                  text("{\"login\":\"made\",\"password\":\"one-time-x-password\","
                                       "\"role\":\"developer\",\"organisation_id\":\"%s\"}",
                                       f.third),
                                  "id");
    fixture_ok(&f, DEVELOPER, "PATCH", text("users/%s", made), "{\"display_name\":\"x\"}", NULL);
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
    /* Nor is what an organisation is for its delegate to say, or anybody's consent theirs to give.
     */
    const char *own = give(who, "organisations.update", reach);
    const char *mine = text("organisations/%s", f.third);
    fixture_ok(&f, DEVELOPER, "PATCH", mine, "{\"contact\":\"x\"}", NULL);
    fixture_refused(&f, DEVELOPER, "PATCH", mine, "*", "{\"subject\":\"M1\"}", "not-permitted");
    fixture_refused(&f, DEVELOPER, "PATCH", text("organisations/%s", f.holder), "*",
                    "{\"contact\":\"x\"}", "not-found");
    revoke("function_grants", own);
    fixture_refused(&f, ADMIN, "POST", "function_grants", NULL,
                    text("{%s,\"operation\":\"grants.*\"}", who), "field-invalid");
    fixture_refused(&f, DEVELOPER, "POST", "users", NULL, "{}", "not-permitted");
}

/* And one of a department, those of it and below it. */
static void department_delegates(void **state)
{
    struct reply me = fixture_call(&f, DEVELOPER, "GET", "users/me", NULL, NULL);
    const char *id = text("%s", row_text(me.json, "id"));

    (void)state;
    reply_free(&me);
    const char *top =
                   fixture_ok(&f, ADMIN, "POST", "departments",
                              text("{\"organisation_id\":\"%s\",\"name\":\"甲\"}", f.third), "id"),
               *below = fixture_ok(&f, ADMIN, "POST", "departments",
                                   text("{\"organisation_id\":\"%s\",\"name\":\"乙\",\"parent_id\":"
                                        "\"%s\"}",
                                        f.third, top),
                                   "id"),
               *beside =
                   fixture_ok(&f, ADMIN, "POST", "departments",
                              text("{\"organisation_id\":\"%s\",\"name\":\"丙\"}", f.third), "id");
    put_user(id, text("{\"department_id\":\"%s\"}", top));
    put_user(ann.id, text("{\"department_id\":\"%s\"}", below));
    const char *grant = give(holder("person", id), "users.read", ",\"reach\":\"department\"");
    fixture_ok(&f, DEVELOPER, "GET", text("users/%s", ann.id), NULL, NULL);
    put_user(ann.id, text("{\"department_id\":\"%s\"}", beside));
    fixture_refused(&f, DEVELOPER, "GET", text("users/%s", ann.id), NULL, NULL, "not-found");
    fixture_refused(&f, DEVELOPER, "GET", text("users/%s", bob.id), NULL, NULL, "not-found");
    revoke("function_grants", grant);
    put_user(id, "{\"department_id\":null}");
    put_user(ann.id, "{\"department_id\":null}");
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
    (void)rule;
}

/* Refused with a reason, withdrawn, and over. */
static void dual_control_ends(void **state)
{
    (void)state;
    const char *id = asked(&sec, "POST", "groups", NULL, "{\"name\":\"不要\"}");
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
}

/* Giving dual control up takes two as well, and fails when it no longer fits. */
static void dual_control_given_up(void **state)
{
    struct reply r;
    const char *rule =
        fixture_ok(&f, ADMIN, "POST", "dual_controls", "{\"operation\":\"posts.create\"}", "id");

    (void)state;
    const char *id = asked(&sec, "POST", text("dual_controls/%s/remove", rule), "\"99\"", NULL);
    call_as(&sec2, "POST", text("approvals/%s/approve", id), "auto", NULL, &r);
    assert_string_equal(row_text(r.json, "state"), "failed");
    assert_string_equal(row_text(r.json, "result_code"), "precondition-failed");
    reply_free(&r);
    id = asked(&sec, "POST", text("dual_controls/%s/remove", rule), "*", NULL);
    assert_int_equal(status_as(&sec2, "POST", text("approvals/%s/approve", id), NULL), 200);
    assert_int_equal(
        count("SELECT count(*) FROM dual_controls WHERE operation = 'posts.create' AND "
              "state = 'removed'"),
        1);
    assert_int_equal(exec("UPDATE dual_controls SET state = 'removed'"), STORE_OK);
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
        {"[SW-9.5-4a] nobody holds two administrations, and none acts outside its own", separation,
         NULL, NULL, NULL},
        {"[SW-9.5-4a] with separation the one administrator of old keeps the system alone",
         old_administrator, NULL, NULL, NULL},
        {"[SW-9.5-4a] a delegate manages the accounts of their own unit", delegates, NULL, NULL,
         NULL},
        {"[SW-9.5-4a] a delegate of a department sees its accounts and those below",
         department_delegates, NULL, NULL, NULL},
        {"[SW-9.5-4a] a dangerous act waits for a second administrator and runs as it was asked",
         dual_control, NULL, NULL, NULL},
        {"[SW-9.5-4a] a held act is refused with a reason, withdrawn, or over", dual_control_ends,
         NULL, NULL, NULL},
        {"[SW-9.5-4a] giving dual control up takes two", dual_control_given_up, NULL, NULL, NULL},
        {"[SW-9.3-2e] staff come from listed addresses alone", networks, NULL, NULL, NULL},
        {"[SW-9.1-8b] the self-check computes each item and finds what is wrong", self_check, NULL,
         NULL, NULL},
    };
    return cmocka_run_group_tests(tests, testing_setup, testing_teardown);
}
