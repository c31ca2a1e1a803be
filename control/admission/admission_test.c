/* SPDX-License-Identifier: Apache-2.0 */
/* Applications and their review, what an approval rests on and what follows from it. */
#include <stdlib.h>

#include "admission/testing.h"
#include "base/clock.h"
#include "jobs/jobs.h"

static struct admission_world w;
#define F   (&w.f)
#define DAY (86400ull * 1000)

static int setup(void **state)
{
    (void)state;
    admission_world_open(&w);
    fixture_ok(F, OPERATOR, "POST", text("apps/%s/admit", w.app), NULL, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    admission_world_close(&w);
    return 0;
}

static void a_form_says_where_it_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *form, *content, *where;
    } rows[] = {
        {"third-party-software", "{\"uscc\":\"123\"}", "/content/uscc"},
        {"third-party-software", "{\"data_levels\":[1,4]}", "/content/data_levels/1"},
        {"third-party-software", "{\"shoe_size\":1}", "/content/shoe_size"},
        {"third-party-software", "{\"functions\":\"\"}", "/content/functions"},
        {"third-party-software", "{\"merchants\":[]}", "/content/merchants"},
        {"third-party-software", "[]", "/content"},
        {"access-plan", "{\"addresses\":[\"192.0.2.1\",\"192.0.2\"]}", "/content/addresses/1"},
        {"access-plan", "{\"addresses\":[\"0.0.0.0/0\"]}", "/content/addresses/0"},
        {"access-plan", "{\"domains\":[\"https://x.example\"]}", "/content/domains/0"},
        {"access-plan", "{\"contents\":[\"all\"]}", "/content/contents"},
        {"access-plan", "{\"plans\":[{\"content\":\"all\",\"plan\":\"p\"}]}", "/content/plans/0"},
        {"access-plan", "{\"plans\":[{\"content\":\"licence\"}]}", "/content/plans/0/plan"},
        {"third-party-software", "{\"duties\":[\"prevent-leaks\"]}", "/content/duties"},
        {"access-plan", "{\"interfaces\":[{\"api_id\":\"x\",\"per_day\":1}]}",
         "/content/interfaces/0"},
        {"bank-application-party", "{\"protection_level\":1}", "/content/protection_level"},
        {"bank-application-party", "{\"legal_person\":{\"name\":\"x\",\"id_number\":\"1\"}}",
         "/content/legal_person/id_number"},
        {"bank-application-party",
         "{\"developers\":[{\"name\":\"x\",\"id_number\":\"4403************\"}]}",
         "/content/developers/0/id_number"},
        {"data-service", "{\"until\":\"tomorrow\"}", "/content/until"},
        {"no-such-form", "{}", "/form_kind"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct reply r = fixture_call(
            F, DEVELOPER, "POST", "applications", NULL,
            text("{\"form_kind\":\"%s\",\"organisation_id\":\"%s\",\"title\":\"x\",\"content\":%s}",
                 rows[i].form, F->third, rows[i].content));
        if (strcmp(r.code, "field-invalid") != 0 ||
            strcmp(row_text(r.json, "where"), rows[i].where) != 0) {
            fail_msg("%s %s: %s at %s", rows[i].form, rows[i].content, r.code,
                     row_text(r.json, "where"));
        }
        reply_free(&r);
    }
    fixture_refused(F, STRANGER, "POST", "applications", NULL,
                    text("{\"form_kind\":\"access-plan\",\"organisation_id\":\"%s\",\"title\":"
                         "\"x\"}",
                         F->third),
                    "field-invalid"); /* an organisation it does not see */
}

static const char *plan_content(void)
{
    return text(
        "{\"contents\":[\"data-exchange\"],\"plans\":[{\"content\":\"data-exchange\",\"plan\":"
        "\"p\"}],"
        "\"network_topology\":\"t\",\"addresses\":["
        "\"192.0.2.7\",\"198.51.100.9/24\"],\"domains\":[\"app.example\"],\"location\":\"l\","
        "\"security_plan\":\"s\",\"cloud_hardware\":\"c\",\"balancer_hardware\":\"b\","
        "\"interfaces\":[{\"api_id\":\"%s\",\"per_day\":10}]}",
        w.api);
}

/* GS-6.1a: different contents, different plans. */
static void each_content_has_its_plan(void **state)
{
    (void)state;
    json_t *content = json_loads(plan_content(), 0, NULL);

    json_array_append_new(json_object_get(content, "contents"), json_string("licence"));
    char *dump = json_dumps(content, JSON_COMPACT);
    const char *id = admission_apply(&w, "access-plan", dump, "");
    struct reply r =
        fixture_call(F, DEVELOPER, "POST", text("applications/%s/submit", id), "auto", NULL);
    assert_string_equal(r.code, "field-invalid");
    assert_string_equal(row_text(r.json, "where"), "/content/plans");
    reply_free(&r);
    free(dump);
    json_decref(content);
}

static const char *platform_content(void)
{
    return text("{\"reason\":\"r\",\"data_needs\":\"d\",\"purpose\":\"p\",\"network_environment\":"
                "\"n\",\"security_safeguards\":\"s\",\"hardware\":\"h\",\"interfaces\":[{"
                "\"api_id\":\"%s\",\"per_day\":10}],\"platform_name\":\"信用平台\","
                "\"user_number\":\"U-1\",\"domain\":\"credit.example\",\"server_ip\":"
                "\"192.0.2.8\",\"operating_unit\":\"u\",\"contact_name\":\"c\","
                "\"contact_phone\":\"0755-0000000\"}",
                w.api);
}

/* A whole form without one member is refused by that member's pointer. */
static void lacks_member(const char *form, const char *whole, const char *documents,
                         const char *name)
{
    json_t *content = json_loads(whole, 0, NULL);

    assert_int_equal(json_object_del(content, name), 0);
    char *dump = json_dumps(content, JSON_COMPACT);
    const char *id = admission_apply(&w, form, dump, documents);
    struct reply s =
        fixture_call(F, DEVELOPER, "POST", text("applications/%s/submit", id), "auto", NULL);
    assert_string_equal(s.code, "field-invalid");
    assert_string_equal(row_text(s.json, "where"), text("/content/%s", name));
    reply_free(&s);
    free(dump);
    json_decref(content);
}

static void nothing_required_is_left_out(void **state)
{
    (void)state;
    const char *document = admission_document_of(&w, DEVELOPER);
    struct { /* copies: the ring of texts is shorter than this test */
        const char *form;
        char *content, *documents;
    } rows[] = {
        {"third-party-software", strdup(admission_third_party()),
         strdup(admission_licence(document, 9))},
        {"bank-application-party", strdup(admission_bank_content(admission_id_card(33))),
         strdup(admission_bank_documents(document))},
        {"access-plan", strdup(plan_content()), strdup("")},
        {"credit-platform", strdup(platform_content()), strdup("")},
    };
    struct reply r = fixture_call(F, DEVELOPER, "GET", "form-kinds", NULL, NULL);
    json_t *form, *m;
    size_t i, k, required = 0;

    json_array_foreach(json_object_get(r.json, "items"), i, form)
    {
        for (size_t j = 0; j < COUNT(rows); j++) {
            if (strcmp(rows[j].form, row_text(form, "name")) != 0) {
                continue;
            }
            json_array_foreach(json_object_get(form, "members"), k, m)
            {
                if (json_is_true(json_object_get(m, "required"))) {
                    lacks_member(rows[j].form, rows[j].content, rows[j].documents,
                                 row_text(m, "name"));
                    required++;
                }
            }
        }
    }
    reply_free(&r);
    assert_true(required > 40);
    /* A document of each kind that the form demands, and the applicant's own. */
    for (size_t j = 0; j < 2; j++) {
        const char *id = admission_apply(&w, rows[j].form, rows[j].content, "");
        fixture_refused(F, DEVELOPER, "POST", text("applications/%s/submit", id), "auto", NULL,
                        "field-invalid");
    }
    const char *id = admission_apply(&w, "third-party-software", admission_third_party(), "");
    const char *foreign = admission_document_of(&w, STRANGER);
    fixture_refused(F, DEVELOPER, "PATCH", text("applications/%s", id), "auto",
                    text("{%s}", admission_licence(foreign, 9) + 1), "field-invalid");
    for (size_t j = 0; j < COUNT(rows); j++) {
        free(rows[j].content);
        free(rows[j].documents);
    }
}

static void returned_and_submitted_again(void **state)
{
    (void)state;
    const char *document = admission_document_of(&w, DEVELOPER);
    const char *id = admission_apply(&w, "third-party-software", admission_third_party(),
                                     admission_licence(document, 90));
    const char *path = text("applications/%s", id);
    int waiting = admission_total(&w, OPERATOR, "notices?kind=application-submitted");

    fixture_refused(F, OPERATOR, "POST", "application_reviews", NULL,
                    admission_review(id, "pass", ""), "state-conflict"); /* a draft */
    admission_submit(&w, id);
    assert_int_equal(admission_total(&w, OPERATOR, "notices?kind=application-submitted"),
                     waiting + 1);
    assert_true(strlen(admission_member(&w, path, "number")) > 8);
    fixture_refused(F, DEVELOPER, "PATCH", path, "auto", "{\"title\":\"another\"}",
                    "state-conflict");
    fixture_refused(F, DEVELOPER, "POST", "application_reviews", NULL,
                    admission_review(id, "pass", ""), "not-permitted");
    fixture_refused(F, OPERATOR, "POST", "application_reviews", NULL,
                    admission_review(id, "return", ""), "field-invalid"); /* no reason */
    fixture_ok(F, OPERATOR, "POST", "application_reviews",
               admission_review(id, "return", ",\"comment\":\"say more of the functions\""), NULL);
    assert_string_equal(admission_member(&w, path, "state"), "returned");
    assert_string_equal(admission_member(&w, path, "comment"), "say more of the functions");
    assert_int_equal(
        admission_total(&w, DEVELOPER, text("notices?object_id=%s&kind=application-returned", id)),
        1);
    assert_int_equal(admission_total(&w, STRANGER, "applications"), 0);
    assert_int_equal(admission_total(&w, STRANGER, "application_reviews"), 0);
    assert_int_equal(admission_total(&w, STRANGER, "application_versions"), 0);

    const char *number = admission_member(&w, path, "number");
    fixture_ok(F, DEVELOPER, "PATCH", path, "{\"title\":\"接入申请，补充\"}", NULL);
    admission_submit(&w, id);
    assert_string_equal(admission_member(&w, path, "number"), number);
    assert_int_equal(
        admission_total(&w, DEVELOPER, text("application_versions?application_id=%s", id)), 2);
    fixture_ok(F, OPERATOR, "POST", "application_reviews", admission_review(id, "pass", ""), NULL);
    assert_string_equal(admission_member(&w, path, "state"), "in_review");
    fixture_ok(F, OPERATOR, "POST", "application_reviews",
               admission_review(id, "refuse", ",\"comment\":\"not lawful\""), NULL);
    assert_string_equal(admission_member(&w, path, "state"), "refused");
    assert_string_equal(admission_member(&w, path, "decided_by"), "operator");
    fixture_refused(F, DEVELOPER, "POST", text("%s/submit", path), "auto", NULL, "state-conflict");
    assert_int_equal(
        admission_total(&w, DEVELOPER, text("application_reviews?application_id=%s", id)), 3);
}

static void nobody_decides_on_their_own(void **state)
{
    (void)state;
    const char *id = fixture_ok(
        F, OPERATOR, "POST", "applications",
        text("{\"form_kind\":\"information-update\",\"organisation_id\":\"%s\",\"title\":\"on "
             "paper\",\"content\":{\"operations\":\"more people\",\"risk_control\":\"a team\"}}",
             F->third),
        "id");

    fixture_ok(F, OPERATOR, "POST", text("applications/%s/submit", id), NULL, NULL);
    fixture_refused(F, OPERATOR, "POST", "application_reviews", NULL,
                    admission_review(id, "pass", ""), "self-approval");
    fixture_ok(F, ADMIN, "POST", "application_reviews", admission_review(id, "pass", ""), NULL);
    fixture_refused(F, ADMIN, "POST", "application_reviews", NULL, admission_review(id, "pass", ""),
                    "admission-incomplete"); /* nobody judged the two abilities */
    fixture_ok(F, ADMIN, "POST", "application_reviews",
               admission_review(id, "pass",
                                ",\"findings\":[{\"subject\":\"operations\",\"result\":\"pass\"},{"
                                "\"subject\":\"risk_control\",\"result\":\"pass\"}]"),
               NULL);
    assert_string_equal(admission_member(&w, text("applications/%s", id), "state"), "approved");
    assert_int_equal(
        admission_total(&w, DEVELOPER, "applications?form_kind=information-update&state=approved"),
        1);
}

static void approval_rests_on_findings(void **state)
{
    (void)state;
    const char *document = admission_document_of(&w, DEVELOPER);
    const char *id = admission_apply(&w, "third-party-software", admission_third_party(),
                                     admission_licence(document, 90));
    const char *good = admission_findings(document, "pass");

    admission_submit(&w, id);
    fixture_ok(F, OPERATOR, "POST", "application_reviews", admission_review(id, "pass", ""), NULL);
    fixture_refused(F, OPERATOR, "POST", "application_reviews", NULL,
                    admission_review(id, "pass", ""), "admission-incomplete");
    fixture_refused(F, OPERATOR, "POST", "application_reviews", NULL,
                    admission_review(id, "pass", admission_findings(document, "fail")),
                    "admission-incomplete");
    fixture_refused(F, OPERATOR, "POST", "application_reviews", NULL,
                    admission_review(id, "pass", good), "admission-incomplete"); /* identity */
    fixture_refused(F, DEVELOPER, "POST", text("applications/%s/verify-identity", id), "auto",
                    "{\"how\":\"online\"}", "not-permitted");
    fixture_refused(F, OPERATOR, "POST", text("applications/%s/verify-identity", id), "auto",
                    "{\"how\":\"offline\"}", "field-invalid");
    fixture_ok(F, OPERATOR, "POST", text("applications/%s/verify-identity", id),
               "{\"how\":\"offline\",\"result\":\"fail\",\"comment\":\"another name\"}", NULL);
    fixture_refused(F, OPERATOR, "POST", "application_reviews", NULL,
                    admission_review(id, "pass", good), "admission-incomplete");
    fixture_ok(F, OPERATOR, "POST", text("applications/%s/verify-identity", id),
               "{\"how\":\"online\"}", NULL);
    fixture_ok(F, OPERATOR, "POST", "application_reviews",
               admission_review(id, "pass", text("%s,\"max_level\":1", good)), NULL);
    struct reply r = fixture_call(F, DEVELOPER, "GET", text("applications/%s", id), NULL, NULL);
    assert_int_equal(json_integer_value(json_object_get(r.json, "max_level")), 1);
    const json_t *check = json_object_get(r.json, "identity_check");
    assert_string_equal(row_text(check, "how"), "online");
    assert_string_equal(row_text(check, "by"), "operator");
    assert_string_equal(row_text(check, "result"), "pass");
    reply_free(&r);

    id = admission_apply(&w, "third-party-software", admission_third_party(),
                         admission_licence(document, -1));
    admission_submit(&w, id);
    fixture_ok(F, OPERATOR, "POST", "application_reviews", admission_review(id, "pass", ""), NULL);
    fixture_refused(F, OPERATOR, "POST", "application_reviews", NULL,
                    admission_review(id, "pass", good),
                    "admission-incomplete"); /* the licence is over */
}

static void approved_levels_bound_what_is_served(void **state)
{
    (void)state;
    const char *id = fixture_ok(F, DEVELOPER, "POST", "subscriptions",
                                text("{\"app_id\":\"%s\",\"api_id\":\"%s\",\"purpose\":\"x\","
                                     "\"max_level\":3}",
                                     w.app, w.api),
                                "id");
    fixture_ok(F, OPERATOR, "POST", text("subscriptions/%s/approve", id), NULL, NULL);
    admission_approved(&w); /* asked for levels 1 and 2 */
    json_t *data = fixture_fed(F, "subscription", id);
    assert_int_equal(json_integer_value(json_object_get(data, "max_level")), 2);
    json_decref(data);
    fixture_ok(F, DEVELOPER, "POST", text("subscriptions/%s/cancel", id), NULL, NULL);
}

static int stored_somewhere(const char *what)
{
    static const char *const texts[] = {"SELECT content || coalesce(sealed, '') FROM applications",
                                        "SELECT content FROM application_versions",
                                        ("SELECT coalesce(before, '') || coalesce(after, '') FROM "
                                         "operations")};
    struct store_txn *txn = NULL;
    int found = 0;

    assert_int_equal(store_begin(F->ctl.store, STORE_READ, &txn), STORE_OK);
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct store_rows *rows = NULL;
        assert_int_equal(store_query(txn, texts[i], NULL, 0, &rows), STORE_OK);
        while (store_next(rows)) {
            found += strstr(store_get_text(rows, 0), what) != NULL;
        }
        assert_int_equal(store_rows_end(&rows), STORE_OK);
    }
    store_rollback(&txn);
    return found;
}

static void an_application_party(void **state)
{
    (void)state;
    const char *number = admission_id_card(11), *document = admission_document_of(&w, DEVELOPER);
    const char *id = admission_apply(&w, "bank-application-party", admission_bank_content(number),
                                     admission_bank_documents(document));
    const char *path = text("applications/%s", id);
    struct reply r = fixture_call(F, DEVELOPER, "GET", path, NULL, NULL);
    json_t *content = json_object_get(r.json, "content");
    const char *shown = text("%s", row_text(json_object_get(content, "legal_person"), "id_number"));

    assert_non_null(strstr(shown, "****"));
    assert_int_equal(stored_somewhere(number), 0);
    /* What comes back masked stays what it was. */
    char *dump = json_dumps(content, JSON_COMPACT);
    fixture_ok(F, DEVELOPER, "PATCH", path, text("{\"content\":%s}", dump), NULL);
    free(dump);
    reply_free(&r);
    admission_submit(&w, id);
    for (int step = 0; step < 2; step++) {
        fixture_ok(F, OPERATOR, "POST", "application_reviews", admission_review(id, "pass", ""),
                   NULL);
    }
    fixture_ok(F, OPERATOR, "POST", text("%s/verify-identity", path), "{\"how\":\"online\"}", NULL);
    r = fixture_call(F, OPERATOR, "GET", path, NULL, NULL);
    assert_string_equal(row_text(json_object_get(r.json, "identity_check"), "result"), "pass");
    reply_free(&r);
    const char *whole = admission_review(id, "pass", admission_bank_findings(document, ""));
    fixture_refused(F, OPERATOR, "POST", "application_reviews", NULL,
                    admission_review(id, "pass", admission_bank_findings(document, "market_share")),
                    "admission-incomplete");
    fixture_refused(F, OPERATOR, "POST", "application_reviews", NULL, whole,
                    "admission-incomplete"); /* no assessment */
    admission_assess(&w, 90, 59);            /* good in all but what counts most */
    fixture_refused(F, OWNER, "POST", "grants", NULL,
                    text("{\"app_id\":\"%s\",\"api_id\":\"%s\",\"purpose\":\"x\",\"term\":"
                         "\"period\",\"expires_at\":\"%s\"}",
                         w.app, w.api, admission_in_days(9)),
                    "risk-exceeded"); /* nobody is linked to it */
    fixture_refused(F, OPERATOR, "POST", "application_reviews", NULL, whole,
                    "admission-incomplete");
    const char *held = fixture_ok(
        F, OPERATOR, "POST", "assessments",
        text("{\"organisation_id\":\"%s\",\"expires_at\":\"%s\",\"technical_required\":true,"
             "\"scores\":{\"user-information-protection\":80,\"technical\":80,\"management\":80,"
             "\"security-construction\":80,\"continuity\":80}}",
             F->third, admission_in_days(300)),
        "id");
    fixture_refused(F, OPERATOR, "POST", "application_reviews", NULL, whole,
                    "admission-incomplete"); /* waits for the technical report */
    const char *report = admission_document_of(&w, OPERATOR);
    fixture_refused(F, OPERATOR, "PATCH", text("assessments/%s", held), "auto",
                    text("{\"technical_report_id\":\"%s\"}", report), "field-invalid");
    fixture_ok(F, OPERATOR, "PATCH", text("assessments/%s", held),
               text("{\"technical_report_id\":\"%s\",\"security_level\":\"level 3\"}", report),
               NULL);
    fixture_ok(F, OPERATOR, "POST", "application_reviews", whole, NULL);
    assert_string_equal(admission_member(&w, path, "state"), "approved");
    assert_string_equal(admission_member(&w, text("assessments/%s", held), "rating"), "B");
}

static void domains_bound_the_client(void)
{
    static const struct {
        const char *uri;
        bool allowed;
    } uris[] = {{"https://app.example/cb", true},
                {"https://login.app.example:8443/cb", true},
                {"http://127.0.0.1:9000/cb", true},
                {"https://badapp.example/cb", false},
                {"https://app.example.evil.example/cb", false},
                {"https://app.example:x@evil.example/cb", false}};
    for (size_t i = 0; i < COUNT(uris); i++) {
        struct reply s = fixture_call(
            F, DEVELOPER, "POST", "clients", NULL,
            text("{\"app_id\":\"%s\",\"redirect_uris\":[\"%s\"]}", w.app, uris[i].uri));
        if (s.status != (uris[i].allowed ? 201 : 422)) {
            fail_msg("%s: %u %s %s", uris[i].uri, s.status, s.code, row_text(s.json, "detail"));
        }
        if (uris[i].allowed) {
            fixture_ok(F, DEVELOPER, "POST",
                       text("clients/%s/remove", text("%s", row_text(s.json, "id"))), NULL, NULL);
        }
        reply_free(&s);
    }
}

static void preparation(const char *application)
{
    struct reply r = fixture_call(F, DEVELOPER, "GET",
                                  text("preparations?application_id=%s", application), NULL, NULL);
    const char *list =
        text("%s", row_text(json_array_get(json_object_get(r.json, "items"), 0), "id"));
    reply_free(&r);
    fixture_refused(F, OPERATOR, "POST", text("preparations/%s/complete", list), "auto", NULL,
                    "state-conflict");
    fixture_refused(F, DEVELOPER, "PATCH", text("preparations/%s", list), "auto",
                    "{\"items\":[{\"item\":\"environment\",\"done\":true,\"evidence\":\"x\"}]}",
                    "field-invalid"); /* the others may not vanish */
    jobs_run_once(&F->ctl, clock_wall_ms() + 31 * DAY);
    assert_int_equal(admission_total(&w, OPERATOR, "notices?kind=preparation-overdue"), 1);
    fixture_ok(F, DEVELOPER, "PATCH", text("preparations/%s", list),
               "{\"items\":[{\"item\":\"environment\",\"done\":true,\"evidence\":\"x\"},{\"item\":"
               "\"connectivity\",\"done\":true,\"evidence\":\"x\"},{\"item\":\"security-"
               "hardening\",\"done\":true,\"evidence\":\"x\"},{\"item\":\"staff-contact\",\"done\":"
               "true,\"evidence\":\"x\"}]}",
               NULL);
    fixture_ok(F, OPERATOR, "POST", text("preparations/%s/complete", list), NULL, NULL);
}

static void a_plan_fills_the_allow_list(void **state)
{
    (void)state;
    const char *id = admission_apply(&w, "access-plan", plan_content(), "");
    admission_submit(&w, id);
    fixture_ok(F, OPERATOR, "POST", "application_reviews", admission_review(id, "pass", ""), NULL);
    fixture_ok(
        F, OPERATOR, "POST", "application_reviews",
        admission_review(id, "pass",
                         ",\"findings\":[{\"subject\":\"plan\",\"result\":\"pass\"},{\"subject\":"
                         "\"security_plan\",\"result\":\"pass\"}]"),
        NULL);
    assert_int_equal(
        admission_total(&w, OPERATOR, text("lists?app_id=%s&list=allow&value=192.0.2.7", w.app)),
        1);
    assert_int_equal(
        admission_total(&w, OPERATOR,
                        text("lists?app_id=%s&list=allow&value=198.51.100.0/24", w.app)),
        1);
    assert_int_equal(
        admission_total(&w, OPERATOR,
                        text("subscriptions?app_id=%s&api_id=%s&state=applied", w.app, w.api)),
        1); /* applied for by the plan */
    domains_bound_the_client();
    preparation(id);
}

static void a_platform_is_filed(void **state)
{
    (void)state;
    const char *document = admission_document_of(&w, DEVELOPER);
    const char *id = admission_apply(
        &w, "credit-platform", platform_content(),
        text(",\"documents\":[{\"kind\":\"unit-proof\",\"document_id\":\"%s\"}]", document));
    const char *findings = ",\"findings\":[{\"subject\":\"materials\",\"result\":\"pass\"}%s,{"
                           "\"document_id\":\"%s\",\"validity\":\"pass\",\"completeness\":\"pass\","
                           "\"authenticity\":\"pass\"}]";

    admission_submit(&w, id);
    fixture_ok(F, OPERATOR, "POST", "application_reviews", admission_review(id, "pass", ""), NULL);
    fixture_refused(F, OPERATOR, "POST", "application_reviews", NULL,
                    admission_review(id, "pass", text(findings, "", document)),
                    "admission-incomplete"); /* a finding of its own on the plan */
    fixture_ok(F, OPERATOR, "POST", "application_reviews",
               admission_review(
                   id, "pass",
                   text(findings, ",{\"subject\":\"access_plan\",\"result\":\"pass\"}", document)),
               NULL);
    assert_int_equal(
        admission_total(&w, DEVELOPER, "filings?user_number=U-1&domain=credit.example"), 1);
    assert_int_equal(admission_total(&w, STRANGER, "filings"), 0);
    fixture_refused(F, OPERATOR, "POST", "filings", NULL,
                    text("{\"organisation_id\":\"%s\",\"app_id\":\"%s\",\"platform_name\":\"x\"}",
                         F->third, w.app),
                    "field-invalid");
    struct reply r = fixture_call(F, OPERATOR, "GET", "filings?user_number=U-1", NULL, NULL);
    const char *filing =
        text("%s", row_text(json_array_get(json_object_get(r.json, "items"), 0), "id"));
    reply_free(&r);
    fixture_ok(F, OPERATOR, "PATCH", text("filings/%s", filing), "{\"contact_name\":\"d\"}", NULL);
    fixture_ok(F, OPERATOR, "POST", text("filings/%s/close", filing), NULL, NULL);
    admission_set(&w, "admission-required", "on");
    fixture_refused(F, DEVELOPER, "POST", "credentials", NULL,
                    text("{\"app_id\":\"%s\",\"algorithm\":\"hmac-sm3\"}", w.app),
                    "admission-incomplete");
    admission_set(&w, "admission-required", "off");
}

static void a_provider_looks_at_what_is_asked_of_it(void **state)
{
    (void)state;
    const char *content =
        text("{\"resource\":\"宗地数据\",\"fields\":[\"area\",\"name\"],\"purpose\":\"p\","
             "\"until\":\"%s\",\"interfaces\":[{\"api_id\":\"%s\",\"per_day\":9}],"
             "\"data_levels\":[2]}",
             admission_in_days(90), w.bank_api);
    const char *id = admission_apply(&w, "data-service", content, "");
    fixture_refused(F, DEVELOPER, "POST", text("applications/%s/submit", id), "auto", NULL,
                    "field-invalid"); /* of whom */
    assert_int_equal(admission_total(&w, PROVIDER, "applications"), 0);
    fixture_ok(F, DEVELOPER, "PATCH", text("applications/%s", id),
               text("{\"provider_id\":\"%s\"}", F->holder), NULL);
    assert_int_equal(admission_total(&w, PROVIDER, "applications"),
                     0); /* a draft is nobody else's */
    admission_submit(&w, id);
    assert_int_equal(admission_total(&w, PROVIDER, "applications"), 1);
    assert_int_equal(admission_total(&w, PROVIDER, text("notices?object_id=%s", id)), 1);
    fixture_refused(F, PROVIDER, "POST", "application_reviews", NULL,
                    admission_review(id, "pass", ""),
                    "not-permitted"); /* acceptance is the operators' */
    fixture_ok(F, OPERATOR, "POST", "application_reviews", admission_review(id, "pass", ""), NULL);
    fixture_refused(F, OPERATOR, "POST", "application_reviews", NULL,
                    admission_review(id, "pass", ""), "not-permitted"); /* the evaluation is not */
    fixture_ok(
        F, PROVIDER, "POST", "application_reviews",
        admission_review(id, "pass", ",\"findings\":[{\"subject\":\"need\",\"result\":\"pass\"}]"),
        NULL);
    fixture_ok(F, OPERATOR, "POST", "application_reviews", admission_review(id, "pass", ""), NULL);
    assert_string_equal(admission_member(&w, text("applications/%s", id), "state"), "approved");
    struct reply r =
        fixture_call(F, DEVELOPER, "GET",
                     text("subscriptions?api_id=%s&state=approved", w.bank_api), NULL, NULL);
    json_t *made = json_array_get(json_object_get(r.json, "items"), 0);
    assert_int_equal(json_array_size(json_object_get(made, "fields")), 1); /* what the API has */
    assert_string_equal(json_string_value(json_array_get(json_object_get(made, "fields"), 0)),
                        "name");
    assert_int_equal(json_integer_value(json_object_get(made, "max_level")), 2);
    assert_true(row_text(made, "expires_at")[0] != '\0');
    reply_free(&r);
}

static void steps_are_configured(void **state)
{
    (void)state;
    const char *step = "{\"form_kind\":\"access-plan\",\"position\":%d,\"name\":\"head\","
                       "\"reviewer_role\":\"admin\"}";
    fixture_refused(F, OPERATOR, "POST", "review_steps", NULL, text(step, 3), "not-permitted");
    fixture_refused(F, ADMIN, "POST", "review_steps", NULL, text(step, 4), "field-invalid");
    const char *id = fixture_ok(F, ADMIN, "POST", "review_steps", text(step, 3), "id");
    fixture_ok(F, ADMIN, "POST", text("review_steps/%s/remove", id), NULL, NULL);
    fixture_refused(F, ADMIN, "POST", "review_steps/01a20106-0dc8-7000-8000-000000000c31/remove",
                    "auto", NULL, "state-conflict"); /* not the first while there is another */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[BK-8g] a form says where it is wrong", a_form_says_where_it_is_wrong, NULL, NULL, NULL},
        {"[EC-4.2.2a2, EC-4.2.2a3, BK-9.1.2b, GS-6.1a, CI-6.1.1a] nothing required is left out",
         nothing_required_is_left_out, NULL, NULL, NULL},
        {"[GS-6.1a] each content that is connected has a plan of its own",
         each_content_has_its_plan, NULL, NULL, NULL},
        {"[EC-4.2.2a1, SW-8.2c2-3] returned with comments and submitted again",
         returned_and_submitted_again, NULL, NULL, NULL},
        {"[BK-10.2.1a1] nobody decides on what is their own", nobody_decides_on_their_own, NULL,
         NULL, NULL},
        {"[BK-9.1.2c1, BK-9.1.2a, EC-4.2.2a5] an approval rests on findings and on an identity",
         approval_rests_on_findings, NULL, NULL, NULL},
        {"[EC-4.2.2a4] approved levels bound what is served", approved_levels_bound_what_is_served,
         NULL, NULL, NULL},
        {"[BK-9.1.1c, BK-9.1.2c2, BK-9.1.1d2, BK-9.1.1d3] an application party is judged in every "
         "respect",
         an_application_party, NULL, NULL, NULL},
        {"[GS-6.1a-1b, GS-6.1a-1c, CI-6.1.2c] an approved plan fills the allow list",
         a_plan_fills_the_allow_list, NULL, NULL, NULL},
        {"[CI-6.1.3a, CI-6.1.2a, CI-6.1.2b] a platform is filed", a_platform_is_filed, NULL, NULL,
         NULL},
        {"[SW-8.1-r1, SW-8.2c1-2, SW-8.2c2-2, SW-9.6.1-b2, SW-9.6.1-b3] a provider looks at what "
         "is asked of it",
         a_provider_looks_at_what_is_asked_of_it, NULL, NULL, NULL},
        {"[SW-8.2c3-3] the steps of a review are configured", steps_are_configured, NULL, NULL,
         NULL},
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
