/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing opens without a review that covers it, whichever way it is opened. */
#include <stdio.h>

#include "test/fixture.h"

static struct fixture f;
static char source[40];

#define FIELDS                                                                                     \
    "[{\"column\":\"id\",\"name\":\"id\",\"level\":2},{\"column\":\"phone\",\"name\":\"phone\","   \
    "\"level\":3,\"mask\":\"phone\"}%s]"
#define PUBLISH "{\"name\":\"%s\",\"version\":\"v1\",\"path\":\"/%s/v1\"}"

static int setup(void **state)
{
    (void)state;
    fixture_open(&f);
    fixture_people(&f);
    snprintf(source, sizeof source, "%s",
             fixture_ok(&f, PROVIDER, "POST", "sources",
                        text("{\"name\":\"db\",\"organisation_id\":\"%s\",\"kind\":\"odbc\","
                             "\"connection\":\"Driver=x\"}",
                             f.holder),
                        "id"));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

static const char *make_dataset(const char *name)
{
    return fixture_ok(&f, PROVIDER, "POST", "datasets",
                      text("{\"name\":\"%s\",\"source_id\":\"%s\",\"table\":\"%s\",\"fields\":%s}",
                           name, source, name, text(FIELDS, "")),
                      "id");
}

static const char *ask(enum who who, const char *subject, const char *id, const char *more)
{
    return fixture_ok(
        &f, who, "POST", "security_reviews",
        text("{\"%s\":\"%s\",\"legal_basis\":\"an article of a law\"%s}", subject, id, more), "id");
}

static void pass(const char *review)
{
    fixture_ok(&f, OPERATOR, "POST", text("security_reviews/%s/pass", review),
               "{\"conclusion\":\"fit\"}", NULL);
}

static void unreviewed(const char *target, const char *body)
{
    fixture_refused(&f, PROVIDER, strstr(target, "publish") ? "POST" : "PATCH", target, "auto",
                    body, "security-review-missing");
}

static void both_ways_of_publication(void **state)
{
    (void)state;
    const char *id = make_dataset("ways");
    const char *publish = text("datasets/%s/publish", id), *body = text(PUBLISH, "ways", "ways");

    unreviewed(publish, body);
    const char *api = fixture_ok(&f, PROVIDER, "POST", "apis",
                                 text("{\"name\":\"ways\",\"version\":\"v2\",\"path\":\"/ways/v2\","
                                      "\"kind\":\"dataset\",\"dataset_id\":\"%s\"}",
                                      id),
                                 "id");
    unreviewed(text("apis/%s/publish", api), NULL);
    const char *review = ask(PROVIDER, "dataset_id", id, "");
    unreviewed(publish, body); /* asked for is not passed */
    pass(review);
    struct reply r = fixture_call(&f, PROVIDER, "POST", publish, "auto", body);
    assert_int_equal(r.status, 201);
    reply_free(&r);
}

static void lowered_added_remasked(void **state)
{
    (void)state;
    const char *id = make_dataset("lower"), *target = text("datasets/%s", id);

    fixture_ok(&f, PROVIDER, "POST", text("%s/publish", target), text(PUBLISH, "lower", "lower"),
               NULL);
    unreviewed(target, "{\"fields\":[{\"column\":\"id\",\"name\":\"id\",\"level\":1},{\"column\":"
                       "\"phone\",\"name\":\"phone\",\"level\":3,\"mask\":\"phone\"}]}");
    unreviewed(target, "{\"fields\":[{\"column\":\"id\",\"name\":\"id\",\"level\":2},{\"column\":"
                       "\"phone\",\"name\":\"phone\",\"level\":3,\"mask\":\"name\"}]}");
    /* Raised, closed or left without a mask, it shows less than was reviewed. */
    fixture_ok(&f, PROVIDER, "PATCH", target,
               "{\"fields\":[{\"column\":\"id\",\"name\":\"id\",\"level\":4},{\"column\":"
               "\"phone\",\"name\":\"phone\",\"level\":3}]}",
               NULL);
    /* A column that joins opens with the next publication, which wants its review. */
    fixture_ok(
        &f, PROVIDER, "PATCH", target,
        text("{\"fields\":%s}", text(FIELDS, ",{\"column\":\"c\",\"name\":\"c\",\"level\":1}")),
        NULL);
    unreviewed(text("%s/publish", target), text(PUBLISH, "lower2", "lower2"));
    /* What it is meant to become can be reviewed before it does. */
    pass(ask(PROVIDER, "dataset_id", id, ",\"fields\":[{\"name\":\"id\",\"level\":1}]"));
    fixture_ok(&f, PROVIDER, "PATCH", target,
               "{\"fields\":[{\"column\":\"id\",\"name\":\"id\",\"level\":1},{\"column\":"
               "\"phone\",\"name\":\"phone\",\"level\":3,\"mask\":\"phone\"},{\"column\":\"c\","
               "\"name\":\"c\","
               "\"level\":1}]}",
               NULL);
}

static void own_service(void **state)
{
    (void)state;
    const char *api = fixture_ok(
        &f, PROVIDER, "POST", "apis",
        "{\"name\":\"own\",\"version\":\"v1\",\"path\":\"/own\",\"kind\":\"http\",\"upstream\":"
        "\"http://127.0.0.1:9\",\"fields\":[{\"path\":\"a\",\"level\":2,\"type\":\"scalar\"}]}",
        "id");

    unreviewed(text("apis/%s/publish", api), NULL);
    fixture_ok(&f, PROVIDER, "POST", text("apis/%s/publish", api), NULL, NULL);
    unreviewed(text("apis/%s", api),
               "{\"fields\":[{\"path\":\"a\",\"level\":2},{\"path\":\"b\",\"level\":2}]}");
    unreviewed(text("apis/%s", api), "{\"fields\":[{\"path\":\"a\",\"level\":1}]}");
    fixture_ok(&f, PROVIDER, "PATCH", text("apis/%s", api), "{\"title\":\"another\"}", NULL);
}

static void who_and_how(void **state)
{
    (void)state;
    const char *id = make_dataset("who");
    const char *review = ask(OPERATOR, "dataset_id", id, "");

    fixture_refused(&f, OPERATOR, "POST", text("security_reviews/%s/pass", review), "auto",
                    "{\"conclusion\":\"fit\"}", "self-approval");
    fixture_refused(&f, PROVIDER, "POST", text("security_reviews/%s/pass", review), "auto",
                    "{\"conclusion\":\"fit\"}", "not-permitted");
    fixture_refused(&f, ADMIN, "POST", text("security_reviews/%s/pass", review), "auto", NULL,
                    "body-malformed");
    fixture_refused(&f, ADMIN, "POST", text("security_reviews/%s/pass", review), "auto", "{}",
                    "field-invalid");
    static const char *const wrong[][2] = {
        {"{\"legal_basis\":\"x\"}", "field-invalid"},
        {"{\"dataset_id\":\"%s\"}", "field-invalid"},
        {"{\"dataset_id\":\"%s\",\"legal_basis\":\"x\",\"fields\":[{\"name\":\"none\",\"level\":1}]"
         "}",
         "field-invalid"},
        {"{\"dataset_id\":\"%s\",\"legal_basis\":\"x\",\"fields\":[{\"name\":\"id\",\"level\":0}]}",
         "field-invalid"},
        {"{\"dataset_id\":\"%s\",\"legal_basis\":\"x\",\"fields\":[{\"name\":\"id\",\"level\":1,"
         "\"more\":1}]}",
         "field-invalid"},
        {"{\"dataset_id\":\"%s\",\"legal_basis\":\"x\",\"fields\":\"id\"}", "field-invalid"},
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        char body[400];
        const char *at = strstr(wrong[i][0], "%s");
        snprintf(body, sizeof body, "%.*s%s%s",
                 at ? (int)(at - wrong[i][0]) : (int)strlen(wrong[i][0]), wrong[i][0], at ? id : "",
                 at ? at + 2 : "");
        fixture_refused(&f, PROVIDER, "POST", "security_reviews", NULL, body, wrong[i][1]);
    }
    fixture_refused(&f, DEVELOPER, "GET", "security_reviews", NULL, NULL, "not-permitted");
}

static void revoked(void **state)
{
    (void)state;
    const char *id = make_dataset("revoked");
    pass(ask(PROVIDER, "dataset_id", id, ""));
    const char *review = ask(PROVIDER, "dataset_id", id, "");
    pass(review); /* the first is superseded */
    struct reply r = fixture_call(&f, PROVIDER, "POST", text("datasets/%s/publish", id), "auto",
                                  text(PUBLISH, "revoked", "revoked"));
    const char *api = text("%s", row_text(r.json, "id"));
    assert_int_equal(r.status, 201);
    reply_free(&r);
    fixture_ok(&f, OPERATOR, "POST", text("security_reviews/%s/revoke", review),
               "{\"comment\":\"the law changed\"}", NULL);
    assert_string_equal(fixture_ok(&f, PROVIDER, "GET", text("apis/%s", api), NULL, "state"),
                        "offline");
    unreviewed(text("apis/%s/publish", api), NULL);
}

static void not_required(void **state)
{
    (void)state;
    const char *setting = "classify_settings/01a20106-0dc8-7000-8000-000000001801";
    const char *id = make_dataset("free");

    fixture_refused(&f, OPERATOR, "PATCH", setting, "auto", "{\"value\":\"off\"}", "not-permitted");
    fixture_refused(&f, ADMIN, "PATCH", setting, "auto", "{\"value\":\"no\"}", "field-invalid");
    fixture_ok(&f, ADMIN, "PATCH", setting, "{\"value\":\"off\"}", NULL);
    struct reply r = fixture_call(&f, PROVIDER, "POST", text("datasets/%s/publish", id), "auto",
                                  text(PUBLISH, "free", "free"));
    assert_int_equal(r.status, 201);
    reply_free(&r);
    fixture_ok(&f, ADMIN, "PATCH", setting, "{\"value\":\"on\"}", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[SW-9.4-4b] neither way of publication goes without a passed review",
         both_ways_of_publication, NULL, NULL, NULL},
        {"[SW-9.4-4b] what is lowered, added or masked otherwise needs a review of its own",
         lowered_added_remasked, NULL, NULL, NULL},
        {"[SW-9.4-4b] a unit's own service is reviewed too", own_service, NULL, NULL, NULL},
        {"[SW-9.4-4a] a review has a legal basis, a conclusion and another reviewer than who asked",
         who_and_how, NULL, NULL, NULL},
        {"a revoked review closes what rested on it", revoked, NULL, NULL, NULL},
        {"an administrator may do without", not_required, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests_name("control reviews", tests, setup, teardown);
}
