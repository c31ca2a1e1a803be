/* SPDX-License-Identifier: Apache-2.0 */
/* Applications and their review, what an approval rests on, the gate, and what falls due. */
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
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    admission_world_close(&w);
    return 0;
}

static const char *member(const char *target, const char *name)
{
    return fixture_ok(F, OPERATOR, "GET", target, NULL, name);
}

static int total(enum who who, const char *target)
{
    struct reply r = fixture_call(F, who, "GET", target, NULL, NULL);
    int n = (int)json_integer_value(json_object_get(r.json, "total"));

    assert_int_equal(r.status, 200);
    reply_free(&r);
    return n;
}

static const char *apply(const char *form, const char *content, const char *more)
{
    return fixture_ok(F, DEVELOPER, "POST", "applications",
                      text("{\"form_kind\":\"%s\",\"organisation_id\":\"%s\",\"app_id\":\"%s\","
                           "\"title\":\"接入申请\",\"content\":%s%s}",
                           form, F->third, w.app, content, more),
                      "id");
}

static void submit(const char *id)
{
    fixture_ok(F, DEVELOPER, "POST", text("applications/%s/submit", id), NULL, NULL);
}

static const char *review(const char *id, const char *result, const char *more)
{
    return text("{\"application_id\":\"%s\",\"result\":\"%s\"%s}", id, result, more);
}

static const char *third_party(void)
{
    return text("{\"uscc\":\"%s\",\"qualification\":\"a company\",\"purpose\":\"order "
                "management\",\"merchants\":[\"M1\"],\"functions\":\"lists orders\","
                "\"data_levels\":[1,2],\"leak_prevention\":\"least privilege\"}",
                admission_uscc());
}

static const char *licence(const char *document, int days)
{
    return text(",\"documents\":[{\"kind\":\"business-licence\",\"document_id\":\"%s\","
                "\"valid_until\":\"%s\"}]",
                document, admission_in_days(days));
}

static const char *third_party_findings(const char *document, const char *authenticity)
{
    return text(",\"findings\":[{\"subject\":\"qualification\",\"result\":\"pass\"},{\"subject\":"
                "\"legality\",\"result\":\"pass\"},{\"subject\":\"leak_prevention\",\"result\":"
                "\"pass\",\"note\":\"seen\"},{\"document_id\":\"%s\",\"validity\":\"pass\","
                "\"completeness\":\"pass\",\"authenticity\":\"%s\"}]",
                document, authenticity);
}

/* Approved from nothing; the application's id. */
static const char *approved_third_party(void)
{
    const char *document = admission_document_of(&w, DEVELOPER);
    const char *id = apply("third-party-software", third_party(), licence(document, 90));

    submit(id);
    fixture_ok(F, OPERATOR, "POST", text("applications/%s/verify-identity", id),
               "{\"how\":\"online\"}", NULL);
    fixture_ok(F, OPERATOR, "POST", "application_reviews", review(id, "pass", ""), NULL);
    fixture_ok(F, OPERATOR, "POST", "application_reviews",
               review(id, "pass", third_party_findings(document, "pass")), NULL);
    assert_string_equal(member(text("applications/%s", id), "state"), "approved");
    return id;
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
        if (strcmp(r.code, "field-invalid") || strcmp(row_text(r.json, "where"), rows[i].where)) {
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

/* Each required member and document, taken away one by one, is asked for by its pointer. */
static void nothing_required_is_left_out(void **state)
{
    (void)state;
    struct reply r = fixture_call(F, DEVELOPER, "GET", "form-kinds", NULL, NULL);
    json_t *form = json_array_get(json_object_get(r.json, "items"), 0), *m;
    const char *document = admission_document_of(&w, DEVELOPER);
    size_t i;

    assert_string_equal(row_text(form, "name"), "third-party-software");
    assert_int_equal(json_array_size(json_object_get(r.json, "items")), 6);
    json_array_foreach(json_object_get(form, "members"), i, m)
    {
        json_t *content = json_loads(third_party(), 0, NULL);
        json_object_del(content, row_text(m, "name"));
        char *dump = json_dumps(content, JSON_COMPACT);
        const char *id = apply("third-party-software", dump, licence(document, 9));
        struct reply s =
            fixture_call(F, DEVELOPER, "POST", text("applications/%s/submit", id), "auto", NULL);
        assert_string_equal(s.code, "field-invalid");
        assert_string_equal(row_text(s.json, "where"), text("/content/%s", row_text(m, "name")));
        reply_free(&s);
        free(dump);
        json_decref(content);
    }
    reply_free(&r);
    const char *id = apply("third-party-software", third_party(), "");
    fixture_refused(F, DEVELOPER, "POST", text("applications/%s/submit", id), "auto", NULL,
                    "field-invalid"); /* no licence */
    const char *foreign = admission_document_of(&w, STRANGER);
    fixture_refused(F, DEVELOPER, "PATCH", text("applications/%s", id), "auto",
                    text("{%s}", licence(foreign, 9) + 1), "field-invalid");
}

static void returned_and_submitted_again(void **state)
{
    (void)state;
    const char *document = admission_document_of(&w, DEVELOPER);
    const char *id = apply("third-party-software", third_party(), licence(document, 90));
    const char *path = text("applications/%s", id);
    int waiting = total(OPERATOR, "notices?kind=application-submitted");

    fixture_refused(F, OPERATOR, "POST", "application_reviews", NULL, review(id, "pass", ""),
                    "state-conflict"); /* a draft */
    submit(id);
    assert_int_equal(total(OPERATOR, "notices?kind=application-submitted"), waiting + 1);
    assert_true(strlen(member(path, "number")) > 8);
    fixture_refused(F, DEVELOPER, "PATCH", path, "auto", "{\"title\":\"another\"}",
                    "state-conflict");
    fixture_refused(F, DEVELOPER, "POST", "application_reviews", NULL, review(id, "pass", ""),
                    "not-permitted");
    fixture_refused(F, OPERATOR, "POST", "application_reviews", NULL, review(id, "return", ""),
                    "field-invalid"); /* no reason */
    fixture_ok(F, OPERATOR, "POST", "application_reviews",
               review(id, "return", ",\"comment\":\"say more of the functions\""), NULL);
    assert_string_equal(member(path, "state"), "returned");
    assert_string_equal(member(path, "comment"), "say more of the functions");
    assert_int_equal(total(DEVELOPER, text("notices?object_id=%s&kind=application-returned", id)),
                     1);
    assert_int_equal(total(STRANGER, "applications"), 0);
    assert_int_equal(total(STRANGER, "application_reviews"), 0);
    assert_int_equal(total(STRANGER, "application_versions"), 0);

    const char *number = member(path, "number");
    fixture_ok(F, DEVELOPER, "PATCH", path, "{\"title\":\"接入申请，补充\"}", NULL);
    submit(id);
    assert_string_equal(member(path, "number"), number);
    assert_int_equal(total(DEVELOPER, text("application_versions?application_id=%s", id)), 2);
    fixture_ok(F, OPERATOR, "POST", "application_reviews", review(id, "pass", ""), NULL);
    assert_string_equal(member(path, "state"), "in_review");
    fixture_ok(F, OPERATOR, "POST", "application_reviews",
               review(id, "refuse", ",\"comment\":\"not lawful\""), NULL);
    assert_string_equal(member(path, "state"), "refused");
    assert_string_equal(member(path, "decided_by"), "operator");
    fixture_refused(F, DEVELOPER, "POST", text("%s/submit", path), "auto", NULL, "state-conflict");
    assert_int_equal(total(DEVELOPER, text("application_reviews?application_id=%s", id)), 3);
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
    fixture_refused(F, OPERATOR, "POST", "application_reviews", NULL, review(id, "pass", ""),
                    "self-approval");
    fixture_ok(F, ADMIN, "POST", "application_reviews", review(id, "pass", ""), NULL);
    fixture_refused(F, ADMIN, "POST", "application_reviews", NULL, review(id, "pass", ""),
                    "admission-incomplete"); /* nobody judged the two abilities */
    fixture_ok(F, ADMIN, "POST", "application_reviews",
               review(id, "pass",
                      ",\"findings\":[{\"subject\":\"operations\",\"result\":\"pass\"},{"
                      "\"subject\":\"risk_control\",\"result\":\"pass\"}]"),
               NULL);
    assert_string_equal(member(text("applications/%s", id), "state"), "approved");
    assert_int_equal(total(DEVELOPER, "applications?form_kind=information-update&state=approved"),
                     1);
}

static void approval_rests_on_findings(void **state)
{
    (void)state;
    const char *document = admission_document_of(&w, DEVELOPER);
    const char *id = apply("third-party-software", third_party(), licence(document, 90));
    const char *good = third_party_findings(document, "pass");

    submit(id);
    fixture_ok(F, OPERATOR, "POST", "application_reviews", review(id, "pass", ""), NULL);
    fixture_refused(F, OPERATOR, "POST", "application_reviews", NULL, review(id, "pass", ""),
                    "admission-incomplete");
    fixture_refused(F, OPERATOR, "POST", "application_reviews", NULL,
                    review(id, "pass", third_party_findings(document, "fail")),
                    "admission-incomplete");
    fixture_refused(F, OPERATOR, "POST", "application_reviews", NULL, review(id, "pass", good),
                    "admission-incomplete"); /* identity */
    fixture_refused(F, DEVELOPER, "POST", text("applications/%s/verify-identity", id), "auto",
                    "{\"how\":\"online\"}", "not-permitted");
    fixture_refused(F, OPERATOR, "POST", text("applications/%s/verify-identity", id), "auto",
                    "{\"how\":\"offline\"}", "field-invalid");
    fixture_ok(F, OPERATOR, "POST", text("applications/%s/verify-identity", id),
               "{\"how\":\"offline\",\"result\":\"fail\",\"comment\":\"another name\"}", NULL);
    fixture_refused(F, OPERATOR, "POST", "application_reviews", NULL, review(id, "pass", good),
                    "admission-incomplete");
    fixture_ok(F, OPERATOR, "POST", text("applications/%s/verify-identity", id),
               "{\"how\":\"online\"}", NULL);
    fixture_ok(F, OPERATOR, "POST", "application_reviews",
               review(id, "pass", text("%s,\"max_level\":1", good)), NULL);
    struct reply r = fixture_call(F, DEVELOPER, "GET", text("applications/%s", id), NULL, NULL);
    assert_int_equal(json_integer_value(json_object_get(r.json, "max_level")), 1);
    const json_t *check = json_object_get(r.json, "identity_check");
    assert_string_equal(row_text(check, "how"), "online");
    assert_string_equal(row_text(check, "by"), "operator");
    assert_string_equal(row_text(check, "result"), "pass");
    reply_free(&r);

    id = apply("third-party-software", third_party(), licence(document, -1));
    submit(id);
    fixture_ok(F, OPERATOR, "POST", "application_reviews", review(id, "pass", ""), NULL);
    fixture_refused(F, OPERATOR, "POST", "application_reviews", NULL, review(id, "pass", good),
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
    approved_third_party(); /* asked for levels 1 and 2 */
    json_t *data = fixture_fed(F, "subscription", id);
    assert_int_equal(json_integer_value(json_object_get(data, "max_level")), 2);
    json_decref(data);
    fixture_ok(F, DEVELOPER, "POST", text("subscriptions/%s/cancel", id), NULL, NULL);
}

static int stored_somewhere(const char *what)
{
    static const char *const texts[] = {"SELECT content || coalesce(sealed, '') FROM applications",
                                        "SELECT content FROM application_versions",
                                        "SELECT coalesce(before, '') || coalesce(after, '') FROM "
                                        "operations"};
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

static const char *bank_content(const char *number)
{
    return text("{\"uscc\":\"%s\",\"legal_person\":{\"name\":\"甲\",\"id_number\":\"%s\"},"
                "\"developers\":[{\"name\":\"乙\",\"id_number\":\"%s\"}],\"clients\":\"c\","
                "\"scenarios\":\"s\",\"market_share\":\"m\",\"operations\":\"o\",\"risk_control\":"
                "\"r\",\"technical_ability\":\"t\",\"management\":\"g\",\"protection_level\":3,"
                "\"volume_per_day\":1000,\"integration\":\"server\"}",
                admission_uscc(), number, admission_id_card(22));
}

static const char *bank_documents(const char *document)
{
    return text(",\"documents\":[{\"kind\":\"operating-qualification\",\"document_id\":\"%s\"},{"
                "\"kind\":\"legal-person\",\"document_id\":\"%s\"},{\"kind\":\"developer-"
                "identity\",\"document_id\":\"%s\"},{\"kind\":\"protection-certificate\","
                "\"document_id\":\"%s\"}]",
                document, document, document, document);
}

static const char *bank_findings(const char *document, const char *but)
{
    static const char *const subjects[] = {"clients",    "scenarios",    "market_share",
                                           "operations", "risk_control", "technical_ability",
                                           "management", "compliance"};
    const char *out = text(",\"findings\":[{\"document_id\":\"%s\",\"validity\":\"pass\","
                           "\"completeness\":\"pass\",\"authenticity\":\"pass\"}",
                           document);

    for (size_t i = 0; i < COUNT(subjects); i++) {
        if (strcmp(subjects[i], but) != 0) {
            out = text("%s,{\"subject\":\"%s\",\"result\":\"pass\"}", out, subjects[i]);
        }
    }
    return text("%s]", out);
}

static void an_application_party(void **state)
{
    (void)state;
    const char *number = admission_id_card(11), *document = admission_document_of(&w, DEVELOPER);
    const char *id =
        apply("bank-application-party", bank_content(number), bank_documents(document));
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
    submit(id);
    for (int step = 0; step < 2; step++) {
        fixture_ok(F, OPERATOR, "POST", "application_reviews", review(id, "pass", ""), NULL);
    }
    fixture_ok(F, OPERATOR, "POST", text("%s/verify-identity", path), "{\"how\":\"online\"}", NULL);
    r = fixture_call(F, OPERATOR, "GET", path, NULL, NULL);
    assert_string_equal(row_text(json_object_get(r.json, "identity_check"), "result"), "pass");
    reply_free(&r);
    const char *whole = review(id, "pass", bank_findings(document, ""));
    fixture_refused(F, OPERATOR, "POST", "application_reviews", NULL,
                    review(id, "pass", bank_findings(document, "market_share")),
                    "admission-incomplete");
    fixture_refused(F, OPERATOR, "POST", "application_reviews", NULL, whole,
                    "admission-incomplete"); /* no assessment */
    admission_assess(&w, 90, 59);            /* good in all but what counts most */
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
    assert_string_equal(member(path, "state"), "approved");
    assert_string_equal(member(text("assessments/%s", held), "rating"), "B");
}

static void a_rating_bears_so_much(void **state)
{
    (void)state;
    const char *subscription = "{\"app_id\":\"%s\",\"api_id\":\"%s\",\"purpose\":\"x\","
                               "\"max_level\":%d}";
    admission_assess(&w, 90, 90);
    const char *good = fixture_ok(F, DEVELOPER, "POST", "subscriptions",
                                  text(subscription, w.app, w.api, 3), "id");
    fixture_ok(F, OPERATOR, "POST", text("subscriptions/%s/approve", good), NULL, NULL);
    admission_assess(&w, 62, 62); /* C: level 2, no A2 */
    json_t *data = fixture_fed(F, "subscription", good);
    assert_int_equal(json_integer_value(json_object_get(data, "max_level")), 2);
    json_decref(data);
    fixture_refused(F, DEVELOPER, "POST", "subscriptions", NULL,
                    text(subscription, w.app, w.api, 3), "risk-exceeded");
    fixture_refused(F, DEVELOPER, "POST", "subscriptions", NULL,
                    text(subscription, w.app, w.bank_api, 2), "risk-exceeded");
    admission_assess(&w, 30, 30); /* D: nothing */
    data = fixture_fed(F, "subscription", good);
    assert_string_equal(row_text(data, "state"), "inactive");
    json_decref(data);
    fixture_refused(F, DEVELOPER, "POST", "subscriptions", NULL,
                    text(subscription, w.app, w.api, 1), "risk-exceeded");
    admission_assess(&w, 90, 90);
    assert_int_equal(total(DEVELOPER, "assessments?state=active"), 1); /* one counts */
    fixture_ok(F, DEVELOPER, "POST", text("subscriptions/%s/cancel", good), NULL, NULL);
}

static const char *certificate(const char *kind, int days, const char *more)
{
    return text("{\"organisation_id\":\"%s\",\"kind\":\"%s\",\"number\":\"N-%d\",\"issuer\":\"a "
                "body\",\"document_id\":\"%s\",\"issued_at\":\"%s\",\"valid_until\":\"%s\"%s}",
                F->third, kind, days, admission_document_of(&w, DEVELOPER), admission_in_days(-9),
                admission_in_days(days), more);
}

static const char *confirmed(const char *body)
{
    const char *id = fixture_ok(F, DEVELOPER, "POST", "qualification_certificates", body, "id");

    fixture_ok(F, OPERATOR, "POST", text("qualification_certificates/%s/confirm", id), NULL, NULL);
    return id;
}

static const char *missing(void)
{
    struct reply r = fixture_call(F, OPERATOR, "POST", text("apps/%s/admit", w.app), "auto", NULL);

    assert_string_equal(r.code, "admission-incomplete");
    const char *out = text("%s", row_text(r.json, "detail"));
    reply_free(&r);
    return out;
}

static void the_gate_names_what_is_missing(void **state)
{
    (void)state;
    admission_set(&w, "admission-required", "on");
    admission_set(&w, "certificates-required", "mlps,cryptography,compliance");
    const char *said = missing();
    assert_non_null(strstr(said, "agreement"));
    assert_non_null(strstr(said, "certificates"));
    assert_null(strstr(said, "application")); /* approved by the tests before */
    admission_sign_both(&w, admission_offer(&w, "[\"id\"]", 100, 200));
    said = missing();
    assert_null(strstr(said, "agreement"));
    assert_non_null(strstr(said, "certificates"));
    fixture_refused(F, DEVELOPER, "POST", "qualification_certificates", NULL,
                    certificate("mlps", 60, ",\"level\":1"), "field-invalid");
    fixture_refused(F, DEVELOPER, "POST", "qualification_certificates", NULL,
                    certificate("compliance", 60, ""), "field-invalid");
    fixture_refused(F, DEVELOPER, "POST", "qualification_certificates", NULL,
                    certificate("mlps", -1, ",\"level\":3"), "field-invalid");
    confirmed(certificate("mlps", 60, ",\"level\":3"));
    confirmed(certificate("cryptography", 90, ""));
    const char *last =
        fixture_ok(F, DEVELOPER, "POST", "qualification_certificates",
                   certificate("compliance", 90, ",\"issuer_qualification\":\"q\""), "id");
    assert_non_null(strstr(missing(), "certificates")); /* filed is not confirmed */
    fixture_refused(F, DEVELOPER, "POST", text("qualification_certificates/%s/confirm", last),
                    "auto", NULL, "not-permitted");
    fixture_ok(F, OPERATOR, "POST", text("qualification_certificates/%s/confirm", last), NULL,
               NULL);
    struct reply r =
        fixture_call(F, DEVELOPER, "GET", text("apps/%s/admission", w.app), NULL, NULL);
    assert_true(json_is_true(json_object_get(r.json, "complete")));
    reply_free(&r);
    fixture_refused(F, STRANGER, "GET", text("apps/%s/admission", w.app), NULL, NULL, "not-found");
    fixture_ok(F, OPERATOR, "POST", text("apps/%s/admit", w.app), NULL, NULL);
    const char *key = text("{\"app_id\":\"%s\",\"algorithm\":\"hmac-sm3\"}", w.app);
    fixture_ok(F, DEVELOPER, "POST", "credentials", key, NULL);
    admission_set(&w, "certificates-required", "mlps,cryptography,compliance,industry-licence");
    fixture_refused(F, DEVELOPER, "POST", "credentials", NULL, key, "admission-incomplete");
    admission_set(&w, "certificates-required", "mlps");
    fixture_refused(F, ADMIN, "PATCH", "admission_settings/01a20106-0dc8-7000-8000-000000000b04",
                    "auto", "{\"value\":\"mlps,nothing\"}", "field-invalid");
}

/* After the gate's test: the certificate of graded protection ends in 60 days. */
static void an_expired_certificate_stops_its_apps(void **state)
{
    (void)state;
    uint64_t now = clock_wall_ms();
    const char *app = text("apps/%s", w.app);

    jobs_run_once(&F->ctl, now + 31 * DAY);
    assert_int_equal(total(DEVELOPER, "notices?kind=certificate-document-expiring"), 1);
    jobs_run_once(&F->ctl, now + 32 * DAY);
    assert_int_equal(total(DEVELOPER, "notices?kind=certificate-document-expiring"), 1);
    jobs_run_once(&F->ctl, now + 61 * DAY);
    assert_int_equal(total(DEVELOPER, "qualification_certificates?kind=mlps&state=expired"), 1);
    assert_int_equal(total(OPERATOR, "re_reviews?cause=certificate"), 1);
    assert_string_equal(member(app, "state"), "admitted"); /* its days of grace */
    jobs_run_once(&F->ctl, now + 91 * DAY);
    assert_string_equal(member(app, "state"), "suspended");
    json_t *data = fixture_fed(F, "app", w.app);
    assert_string_equal(row_text(data, "state"), "inactive");
    json_decref(data);
    fixture_refused(F, OPERATOR, "POST", text("%s/resume", app), "auto", NULL,
                    "admission-incomplete");
    confirmed(certificate("mlps", 300, ",\"level\":2"));
    fixture_ok(F, OPERATOR, "POST", text("%s/resume", app), NULL, NULL);
}

static void reviewed_again_on_a_schedule(void **state)
{
    (void)state;
    uint64_t now = clock_wall_ms();
    const char *app = text("apps/%s", w.app);

    admission_set(&w, "admission-required", "off");
    jobs_run_once(&F->ctl, now + 336 * DAY);
    int open = total(OPERATOR, "re_reviews?cause=schedule&state=open");
    assert_true(open >= 3);
    jobs_run_once(&F->ctl, now + 337 * DAY);
    assert_int_equal(total(OPERATOR, "re_reviews?cause=schedule&state=open"), open); /* once */
    struct reply r = fixture_call(F, OPERATOR, "GET",
                                  "re_reviews?cause=schedule&state=open&page_size=1", NULL, NULL);
    const char *id =
        text("%s", row_text(json_array_get(json_object_get(r.json, "items"), 0), "id"));
    const char *application =
        text("%s", row_text(json_array_get(json_object_get(r.json, "items"), 0), "application_id"));
    reply_free(&r);
    const char *before = member(text("applications/%s", application), "review_due_at");
    fixture_refused(F, DEVELOPER, "POST", text("re_reviews/%s/complete", id), "auto",
                    "{\"comment\":\"fine\"}", "not-permitted");
    fixture_ok(F, OPERATOR, "PATCH", text("re_reviews/%s", id),
               text("{\"next_due_at\":\"%s\"}", admission_in_days(800)), NULL);
    fixture_ok(F, OPERATOR, "POST", text("re_reviews/%s/complete", id),
               "{\"comment\":\"as before\"}", NULL);
    assert_string_not_equal(member(text("applications/%s", application), "review_due_at"), before);
    assert_string_equal(member(app, "state"), "admitted");
    admission_set(&w, "overdue-review", "suspend");
    jobs_run_once(&F->ctl, now + 366 * DAY);
    assert_int_equal(total(OPERATOR, "re_reviews?cause=schedule&state=overdue"), open - 1);
    assert_true(total(OPERATOR, "notices?kind=re-review-overdue") >= open - 1);
    assert_string_equal(member(app, "state"), "suspended");
    fixture_ok(F, OPERATOR, "POST", text("%s/resume", app), NULL, NULL);
    admission_set(&w, "overdue-review", "alert");
}

static void a_major_change_waits_for_its_assessment(void **state)
{
    (void)state;
    const char *body = "{\"app_id\":\"%s\",\"change\":\"volume\",\"description\":\"ten times\","
                       "\"change_plan\":\"in steps\",\"emergency_plan\":\"back\",\"party_risk\":"
                       "\"load\",\"user_notice\":\"by mail\"%s}";
    const char *app = text("apps/%s", w.app);

    fixture_refused(F, DEVELOPER, "POST", "major_changes", NULL,
                    text(body, w.app, ",\"measure\":\"continue\""), "not-permitted");
    const char *id = fixture_ok(F, DEVELOPER, "POST", "major_changes", text(body, w.app, ""), "id");
    const char *path = text("major_changes/%s", id), *decide = text("major_changes/%s/decide", id);
    assert_int_equal(total(OPERATOR, text("notices?object_id=%s", id)), 1);
    assert_int_equal(total(STRANGER, "major_changes"), 0);
    fixture_ok(F, OPERATOR, "PATCH", path, "{\"measure\":\"limit\",\"risk_assessment\":\"high\"}",
               NULL);
    fixture_refused(F, OPERATOR, "POST", decide, "auto", NULL, "state-conflict");
    fixture_ok(F, OPERATOR, "PATCH", path, "{\"impact_assessment\":\"queues\"}", NULL);
    fixture_refused(F, OPERATOR, "POST", decide, "auto", NULL, "state-conflict"); /* how much */
    fixture_ok(F, OPERATOR, "PATCH", path, "{\"limit_per_day\":50}", NULL);
    fixture_ok(F, OPERATOR, "POST", decide, NULL, NULL);
    struct reply r = fixture_call(
        F, OPERATOR, "GET", text("limits?app_id=%s&state=active&measure=calls", w.app), NULL, NULL);
    json_t *limit, *found = NULL;
    size_t i;
    json_array_foreach(json_object_get(r.json, "items"), i, limit)
    {
        found = strstr(row_text(limit, "reason"), id) ? limit : found;
    }
    assert_non_null(found);
    assert_int_equal(json_integer_value(json_object_get(found, "amount")), 50);
    reply_free(&r);
    assert_int_equal(total(DEVELOPER, text("notices?object_id=%s", id)), 1);

    id = fixture_ok(F, DEVELOPER, "POST", "major_changes", text(body, w.app, ""), "id");
    fixture_ok(F, OPERATOR, "PATCH", text("major_changes/%s", id),
               "{\"measure\":\"suspend\",\"risk_assessment\":\"high\",\"impact_assessment\":\"all "
               "of it\"}",
               NULL);
    fixture_ok(F, OPERATOR, "POST", text("major_changes/%s/decide", id), NULL, NULL);
    assert_string_equal(member(app, "state"), "suspended");
    fixture_ok(F, OPERATOR, "POST", text("%s/resume", app), NULL, NULL);
}

static void a_plan_fills_the_allow_list(void **state)
{
    (void)state;
    const char *id = apply(
        "access-plan",
        text("{\"contents\":[\"data-exchange\"],\"network_topology\":\"t\",\"addresses\":["
             "\"192.0.2.7\",\"198.51.100.9/24\"],\"domains\":[\"app.example\"],\"location\":\"l\","
             "\"security_plan\":\"s\",\"cloud_hardware\":\"c\",\"balancer_hardware\":\"b\","
             "\"interfaces\":[{\"api_id\":\"%s\",\"per_day\":10}]}",
             w.api),
        "");
    submit(id);
    fixture_ok(F, OPERATOR, "POST", "application_reviews", review(id, "pass", ""), NULL);
    fixture_ok(F, OPERATOR, "POST", "application_reviews",
               review(id, "pass",
                      ",\"findings\":[{\"subject\":\"plan\",\"result\":\"pass\"},{\"subject\":"
                      "\"security_plan\",\"result\":\"pass\"}]"),
               NULL);
    assert_int_equal(total(OPERATOR, text("lists?app_id=%s&list=allow&value=192.0.2.7", w.app)), 1);
    assert_int_equal(
        total(OPERATOR, text("lists?app_id=%s&list=allow&value=198.51.100.0/24", w.app)), 1);
    struct reply r =
        fixture_call(F, DEVELOPER, "GET", text("preparations?application_id=%s", id), NULL, NULL);
    const char *list =
        text("%s", row_text(json_array_get(json_object_get(r.json, "items"), 0), "id"));
    reply_free(&r);
    fixture_refused(F, OPERATOR, "POST", text("preparations/%s/complete", list), "auto", NULL,
                    "state-conflict");
    fixture_refused(F, DEVELOPER, "PATCH", text("preparations/%s", list), "auto",
                    "{\"items\":[{\"item\":\"environment\",\"done\":true,\"evidence\":\"x\"}]}",
                    "field-invalid"); /* the others may not vanish */
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
        struct reply s = fixture_call(F, DEVELOPER, "POST", "clients", NULL,
                                      text("{\"app_id\":\"%s\",\"redirect_uris\":[\"%s\"]}",
                                           w.app, uris[i].uri));
        if (s.status != (uris[i].allowed ? 201 : 422)) {
            fail_msg("%s: %u %s %s", uris[i].uri, s.status, s.code, row_text(s.json, "detail"));
        }
        if (uris[i].allowed) {
            fixture_ok(F, DEVELOPER, "POST",
                       text("clients/%s/remove", text("%s", row_text(s.json, "id"))), NULL, NULL);
        }
        reply_free(&s);
    }
    jobs_run_once(&F->ctl, clock_wall_ms() + 31 * DAY);
    assert_int_equal(total(OPERATOR, "notices?kind=preparation-overdue"), 1);
    fixture_ok(F, DEVELOPER, "PATCH", text("preparations/%s", list),
               "{\"items\":[{\"item\":\"environment\",\"done\":true,\"evidence\":\"x\"},{\"item\":"
               "\"connectivity\",\"done\":true,\"evidence\":\"x\"},{\"item\":\"security-"
               "hardening\",\"done\":true,\"evidence\":\"x\"},{\"item\":\"staff-contact\",\"done\":"
               "true,\"evidence\":\"x\"}]}",
               NULL);
    fixture_ok(F, OPERATOR, "POST", text("preparations/%s/complete", list), NULL, NULL);
}

static void a_platform_is_filed(void **state)
{
    (void)state;
    const char *document = admission_document_of(&w, DEVELOPER);
    const char *id = apply(
        "credit-platform",
        text("{\"reason\":\"r\",\"data_needs\":\"d\",\"purpose\":\"p\",\"network_environment\":"
             "\"n\",\"security_safeguards\":\"s\",\"hardware\":\"h\",\"interfaces\":[{\"api_id\":"
             "\"%s\",\"per_day\":10}],\"platform_name\":\"信用平台\",\"user_number\":\"U-1\","
             "\"domain\":\"credit.example\",\"server_ip\":\"192.0.2.8\",\"operating_unit\":\"u\","
             "\"contact_name\":\"c\",\"contact_phone\":\"0755-0000000\"}",
             w.api),
        text(",\"documents\":[{\"kind\":\"unit-proof\",\"document_id\":\"%s\"}]", document));
    const char *findings = ",\"findings\":[{\"subject\":\"materials\",\"result\":\"pass\"}%s,{"
                           "\"document_id\":\"%s\",\"validity\":\"pass\",\"completeness\":\"pass\","
                           "\"authenticity\":\"pass\"}]";

    submit(id);
    fixture_ok(F, OPERATOR, "POST", "application_reviews", review(id, "pass", ""), NULL);
    fixture_refused(F, OPERATOR, "POST", "application_reviews", NULL,
                    review(id, "pass", text(findings, "", document)),
                    "admission-incomplete"); /* a finding of its own on the plan */
    fixture_ok(
        F, OPERATOR, "POST", "application_reviews",
        review(id, "pass",
               text(findings, ",{\"subject\":\"access_plan\",\"result\":\"pass\"}", document)),
        NULL);
    assert_int_equal(total(DEVELOPER, "filings?user_number=U-1&domain=credit.example"), 1);
    assert_int_equal(total(STRANGER, "filings"), 0);
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
    const char *content = text("{\"resource\":\"宗地数据\",\"fields\":[\"area\"],\"purpose\":\"p\","
                               "\"until\":\"%s\"}",
                               admission_in_days(90));
    const char *id = apply("data-service", content, "");
    fixture_refused(F, DEVELOPER, "POST", text("applications/%s/submit", id), "auto", NULL,
                    "field-invalid"); /* of whom */
    assert_int_equal(total(PROVIDER, "applications"), 0);
    fixture_ok(F, DEVELOPER, "PATCH", text("applications/%s", id),
               text("{\"provider_id\":\"%s\"}", F->holder), NULL);
    assert_int_equal(total(PROVIDER, "applications"), 0); /* a draft is nobody else's */
    submit(id);
    assert_int_equal(total(PROVIDER, "applications"), 1);
    assert_int_equal(total(PROVIDER, text("notices?object_id=%s", id)), 1);
    fixture_refused(F, PROVIDER, "POST", "application_reviews", NULL, review(id, "pass", ""),
                    "not-permitted"); /* acceptance is the operators' */
    fixture_ok(F, OPERATOR, "POST", "application_reviews", review(id, "pass", ""), NULL);
    fixture_refused(F, OPERATOR, "POST", "application_reviews", NULL, review(id, "pass", ""),
                    "not-permitted"); /* the evaluation is not */
    fixture_ok(F, PROVIDER, "POST", "application_reviews",
               review(id, "pass", ",\"findings\":[{\"subject\":\"need\",\"result\":\"pass\"}]"),
               NULL);
    fixture_ok(F, OPERATOR, "POST", "application_reviews", review(id, "pass", ""), NULL);
    assert_string_equal(member(text("applications/%s", id), "state"), "approved");
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
        {"[EC-4.2.2a4, GS-6.1a-1b] a form says where it is wrong", a_form_says_where_it_is_wrong,
         NULL, NULL, NULL},
        {"[EC-4.2.2a2, EC-4.2.2a3] nothing required is left out", nothing_required_is_left_out,
         NULL, NULL, NULL},
        {"[EC-4.2.2a1, SW-8.2c2-3] returned with comments and submitted again",
         returned_and_submitted_again, NULL, NULL, NULL},
        {"[BK-10.2.1a1] nobody decides on what is their own", nobody_decides_on_their_own, NULL,
         NULL, NULL},
        {"[BK-9.1.2c1, BK-9.1.2a] an approval rests on findings and on an identity",
         approval_rests_on_findings, NULL, NULL, NULL},
        {"[EC-4.2.2a4, EC-4.2.2a5] approved levels bound what is served",
         approved_levels_bound_what_is_served, NULL, NULL, NULL},
        {"[BK-9.1.1c, BK-9.1.2b, BK-9.1.1d2] an application party is judged in every respect",
         an_application_party, NULL, NULL, NULL},
        {"[BK-10.2.1c] a rating bears so much and no more", a_rating_bears_so_much, NULL, NULL,
         NULL},
        {"[EC-4.2.1a1, BK-9.1.1a, BK-9.1.1b] the gate names what is missing",
         the_gate_names_what_is_missing, NULL, NULL, NULL},
        {"[GS-6.8d-2, GS-6.8e-2] an expired certificate stops its apps",
         an_expired_certificate_stops_its_apps, NULL, NULL, NULL},
        {"[BK-10.2.1a2] reviewed again on a schedule", reviewed_again_on_a_schedule, NULL, NULL,
         NULL},
        {"[BK-10.3c1, BK-10.3c2] a major change waits for its assessment",
         a_major_change_waits_for_its_assessment, NULL, NULL, NULL},
        {"[GS-6.1a-1b, GS-6.1a-1c, CI-6.1.2c] an approved plan fills the allow list",
         a_plan_fills_the_allow_list, NULL, NULL, NULL},
        {"[CI-6.1.3a, CI-6.1.2b] a platform is filed", a_platform_is_filed, NULL, NULL, NULL},
        {"[SW-8.1-r1, SW-8.2c2-2] a provider looks at what is asked of it",
         a_provider_looks_at_what_is_asked_of_it, NULL, NULL, NULL},
        {"[SW-8.2c3-3] the steps of a review are configured", steps_are_configured, NULL, NULL,
         NULL},
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
