/* SPDX-License-Identifier: Apache-2.0 */
/* Who is told what, and where; deliveries themselves are tests/e2e/notices.test.mjs. */
#include <stdio.h>

#include "notices/notices.h"
#include "test/fixture.h"

static struct fixture f;

static int setup(void **state)
{
    (void)state;
    fixture_open(&f);
    f.cfg.private_webhooks = true;
    fixture_people(&f);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

static enum problem put(const struct notice *n)
{
    struct rest_request req = {.method = "", .path = ""};
    struct rest_response resp;
    struct rest_call c = {.ctl = &f.ctl, .req = &req, .resp = &resp, .now_ms = 1800000000000};
    struct store_txn *txn = NULL;

    rest_response_init(&resp);
    assert_int_equal(rest_begin(&c, STORE_WRITE, &txn), PROBLEM_OK);
    enum problem p = rest_finish(&c, &txn, notice_put(&c, txn, n));
    rest_response_fini(&resp);
    return p;
}

static json_int_t total(enum who who, const char *target)
{
    struct reply r = fixture_call(&f, who, "GET", target, NULL, NULL);
    assert_int_equal(r.status, 200);
    json_int_t n = json_integer_value(json_object_get(r.json, "total"));
    reply_free(&r);
    return n;
}

static int64_t under_way(void)
{
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    int64_t n = -1;

    assert_int_equal(store_begin(f.ctl.store, STORE_READ, &txn), STORE_OK);
    assert_int_equal(store_query(txn, "SELECT count(*) FROM notice_deliveries", NULL, 0, &rows),
                     STORE_OK);
    assert_true(store_next(rows));
    n = store_get_int(rows, 0);
    assert_int_equal(store_rows_end(&rows), STORE_OK);
    store_rollback(&txn);
    return n;
}

static void test_kind_unknown(void **state)
{
    (void)state;
    assert_int_equal(put(&(struct notice){.kind = "no-such-kind"}), PROBLEM_INTERNAL);
    assert_int_equal(total(OPERATOR, "notices"), 0);
}

/* Each sees what is for them, and nobody else's. */
static void test_whose(void **state)
{
    (void)state;
    const struct notice to_third = {.kind = "platform-test",
                                    .organisation_id = f.third,
                                    .object_kind = "app",
                                    .object_id = "x",
                                    .object_name = "name with \"quotes\""};
    const struct notice to_operators = {.kind = "platform-test", .object_id = "y"};

    assert_int_equal(put(&to_third), PROBLEM_OK);
    assert_int_equal(put(&to_operators), PROBLEM_OK);
    assert_int_equal(total(DEVELOPER, "notices?object_id=x"), 1);
    assert_int_equal(total(STRANGER, "notices"), 0);
    assert_int_equal(total(OWNER, "notices"), 0);
    assert_int_equal(total(OPERATOR, "notices?object_id=y"), 1);
    assert_int_equal(total(OPERATOR, "notices?object_id=x"), 0);
    struct reply r = fixture_call(&f, DEVELOPER, "GET", "notices?object_id=x", NULL, NULL);
    json_t *item = json_array_get(json_object_get(r.json, "items"), 0);
    assert_string_equal(row_text(item, "title_en"), "A test notice: name with \"quotes\"");
    char id[40];
    snprintf(id, sizeof id, "%s", row_text(item, "id"));
    reply_free(&r);
    assert_string_equal(
        fixture_ok(&f, DEVELOPER, "POST", text("notices/%s/read", id), NULL, "state"), "read");
    fixture_refused(&f, STRANGER, "POST", text("notices/%s/keep", id), "*", NULL, "not-found");
    fixture_refused(&f, DEVELOPER, "POST", "notices", NULL, "{}", "not-permitted");
}

static const struct {
    const char *channel, *address;
} bad_contacts[] = {
    {"email", "no-at-sign"},
    {"email", "a@b@c"},
    {"email", "a@b.example\\r\\nBcc: c@d.example"},
    {"email", "<a@b.example>"},
    {"email", "@b.example"},
    {"webhook", "ftp://h.example/x"},
    {"webhook", "https://user:pw@h.example/"},
    {"webhook", "https://h.example/#f"},
    {"webhook", "javascript:alert(1)"},
    {"sms", "13800138000"},
};

static void test_contacts_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_contacts); i++) {
        fixture_refused(&f, DEVELOPER, "POST", "contact_points", NULL,
                        text("{\"channel\":\"%s\",\"address\":\"%s\"}", bad_contacts[i].channel,
                             bad_contacts[i].address),
                        "field-invalid");
    }
    fixture_refused(&f, DEVELOPER, "POST", "contact_points", NULL,
                    "{\"channel\":\"email\",\"address\":\"a@b.example\",\"kinds\":[\"nothing\"]}",
                    "field-invalid");
}

/* A delivery is written with the notice, for those who take its kind; the secret is shown once. */
static void test_deliveries(void **state)
{
    (void)state;
    char id[40];
    struct reply r = fixture_call(&f, DEVELOPER, "POST", "contact_points", NULL,
                                  "{\"channel\":\"webhook\",\"address\":\"https://h.example/x\","
                                  "\"kinds\":[\"platform-test\"]}");
    assert_int_equal(r.status, 201);
    assert_memory_equal(row_text(r.json, "secret"), "whsec_", 6);
    snprintf(id, sizeof id, "%s", row_text(r.json, "id"));
    reply_free(&r);
    r = fixture_call(&f, DEVELOPER, "GET", text("contact_points/%s", id), NULL, NULL);
    assert_null(json_object_get(r.json, "secret"));
    assert_null(json_object_get(r.json, "secret_sealed"));
    reply_free(&r);
    fixture_refused(&f, STRANGER, "GET", text("contact_points/%s", id), NULL, NULL, "not-found");
    assert_int_equal(put(&(struct notice){.kind = "platform-test", .organisation_id = f.third}),
                     PROBLEM_OK);
    assert_int_equal(put(&(struct notice){.kind = "grant-made", .organisation_id = f.third}),
                     PROBLEM_OK);
    assert_int_equal(under_way(), 1);
    fixture_ok(&f, DEVELOPER, "POST", text("contact_points/%s/remove", id), NULL, NULL);
    assert_int_equal(under_way(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"a notice of a kind that is not in the catalogue is not written", test_kind_unknown, NULL,
         NULL, NULL},
        {"a notice is seen by those it is for alone, and marked read by them", test_whose, NULL,
         NULL, NULL},
        {"an address that could carry more than itself is refused", test_contacts_refused, NULL,
         NULL, NULL},
        {"deliveries are written with the notice, for contact points that take its kind",
         test_deliveries, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests_name("control notices", tests, setup, teardown);
}
