/* SPDX-License-Identifier: Apache-2.0 */
#include "admission/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/codec.h"
#include "id/idnum.h"

#define DAY_MS (86400ull * 1000)

const char *quoted_text(const char *plain)
{
    json_t *v = json_string(plain);
    char *dump = json_dumps(v, JSON_ENCODE_ANY);
    const char *out = text("%s", dump);

    free(dump);
    json_decref(v);
    return out;
}

static const char *header(const void *ctx, const char *name)
{
    return strcmp(name, "Content-Type") == 0 ? ctx : NULL;
}

const char *admission_document_of(struct admission_world *w, enum who who)
{
    static unsigned n;
    const char *bearer = text("Bearer %s", w->f.token[who]), *body = text("material %u", n++);
    struct rest_request req = {.method = "POST",
                               .path = "/api/v1/documents",
                               .body = slice_str(body),
                               .authorization = bearer,
                               .header = header,
                               .header_ctx = "text/plain"};
    struct rest_response resp;

    req.query[req.n_query++] = (struct rest_parameter){"name", "material.txt"};
    rest_response_init(&resp);
    rest_dispatch(&w->f.ctl, &req, &resp);
    assert_int_equal(resp.status, 201);
    json_t *json = json_loadb(resp.body.p, resp.body.n, 0, NULL);
    const char *id = text("%s", row_text(json, "id"));
    json_decref(json);
    rest_response_fini(&resp);
    return id;
}

const char *admission_id_card(int number)
{
    for (const char *check = "0123456789X"; *check; check++) {
        const char *id = text("44030019900101%03d%c", number, *check);
        if (idnum_is_id_card(slice_str(id))) {
            return id;
        }
    }
    fail_msg("no check character fits");
    return "";
}

const char *admission_in_days(int days)
{
    char at[CLOCK_RFC3339_LEN + 1];

    clock_format_ms((uint64_t)((int64_t)clock_wall_ms() + days * (int64_t)DAY_MS), at);
    return text("%s", at);
}

/* The check character is found, so that no real code stands here. */
const char *admission_uscc(void)
{
    static const char set[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    char code[19] = "91440300000000001?";

    for (size_t i = 0; set[i]; i++) {
        code[17] = set[i];
        if (idnum_is_uscc(slice_str(code))) {
            return text("%s", code);
        }
    }
    fail_msg("no check character fits");
    return "";
}

static const char *make_api(struct admission_world *w, const char *name, const char *more)
{
    const char *id = fixture_ok(
        &w->f, PROVIDER, "POST", "apis",
        text("{\"name\":\"%s\",\"version\":\"v1\",\"path\":\"/%s/v1\",\"kind\":\"http\","
             "\"upstream\":\"http://127.0.0.1:9\",\"title\":\"x\",\"fields\":[{\"path\":\"id\","
             "\"name\":\"id\",\"level\":2,\"type\":\"scalar\",\"mask\":\"\"},{\"path\":\"phone\","
             "\"name\":\"phone\",\"level\":3,\"type\":\"scalar\",\"mask\":\"phone\"},{\"path\":"
             "\"name\",\"name\":\"name\",\"level\":2,\"type\":\"scalar\",\"mask\":\"\"}]%s}",
             name, name, more),
        "id");

    fixture_ok(&w->f, PROVIDER, "POST", text("apis/%s/publish", id), NULL, NULL);
    return id;
}

void admission_world_open(struct admission_world *w)
{
    fixture_open(&w->f);
    fixture_people(&w->f);
    w->platform = fixture_ok(&w->f, ADMIN, "POST", "organisations",
                             "{\"name\":\"平台运营\",\"kind\":\"platform\"}", "id");
    w->platform = strdup(w->platform);
    w->api = strdup(make_api(w, "trade", ""));
    w->bank_api = strdup(make_api(w, "bank", ",\"class\":\"A2\",\"operation\":\"holdings\""));
    w->app = strdup(fixture_ok(&w->f, DEVELOPER, "POST", "apps",
                               text("{\"name\":\"订单助手\",\"organisation_id\":\"%s\","
                                    "\"environment\":\"monitored\"}",
                                    w->f.third),
                               "id"));
}

void admission_world_close(struct admission_world *w)
{
    free((void *)(uintptr_t)w->platform);
    free((void *)(uintptr_t)w->api);
    free((void *)(uintptr_t)w->bank_api);
    free((void *)(uintptr_t)w->app);
    fixture_feed_readable(&w->f);
    fixture_close(&w->f);
}

void admission_set(struct admission_world *w, const char *name, const char *value)
{
    struct reply r =
        fixture_call(&w->f, ADMIN, "GET", text("admission_settings?name=%s", name), NULL, NULL);
    const char *id =
        text("%s", row_text(json_array_get(json_object_get(r.json, "items"), 0), "id"));

    reply_free(&r);
    fixture_ok(&w->f, ADMIN, "PATCH", text("admission_settings/%s", id),
               text("{\"value\":\"%s\"}", value), NULL);
}

const char *admission_key(struct admission_world *w, enum who who, const char *organisation,
                          enum crypto_key_kind kind, struct crypto_key **key)
{
    *key = crypto_key_new(kind);
    char *pem = crypto_key_public_pem(*key);
    const char *id = fixture_ok(
        &w->f, who, "POST", "signing_keys",
        text("{\"organisation_id\":\"%s\",\"public_key\":%s}", organisation, quoted_text(pem)),
        "id");

    free(pem);
    return id;
}

const char *admission_signature(struct admission_world *w, const char *agreement,
                                const struct crypto_key *key)
{
    const char *said =
        fixture_ok(&w->f, OPERATOR, "GET", text("agreements/%s", agreement), NULL, "signing_text");
    uint8_t sig[CRYPTO_SIG_MAX];
    char out[CODEC_BASE64URL_LEN(CRYPTO_SIG_MAX) + 1];
    size_t n = 0;

    assert_int_equal(crypto_key_sign(key, crypto_key_alg(key), said, strlen(said), sig, &n),
                     CRYPTO_OK);
    size_t len = codec_base64url(out, sig, n);
    return text("{\"key_id\":\"%s\",\"signature\":\"%.*s\"}", crypto_key_id(key), (int)len, out);
}

/* A template of the kind with just the clauses that it must have. */
const char *admission_template(struct admission_world *w, const char *kind)
{
    struct reply r = fixture_call(&w->f, OPERATOR, "GET", "agreement-clauses", NULL, NULL);
    json_t *clauses = json_array(), *item, *name;
    size_t i, k;

    json_array_foreach(json_object_get(r.json, "items"), i, item)
    {
        if (strcmp(row_text(item, "kind"), kind) == 0) {
            json_array_foreach(json_object_get(item, "clauses"), k, name)
            {
                json_array_append_new(clauses, json_pack("{s:O, s:O, s:s}", "clause", name, "title",
                                                         name, "text", "Both sides keep to it."));
            }
        }
    }
    char *dump = json_dumps(clauses, JSON_COMPACT);
    const char *id = fixture_ok(&w->f, OPERATOR, "POST", "agreement_templates",
                                text("{\"kind\":\"%s\",\"name\":\"t\",\"body\":\"Between two "
                                     "sides.\",\"clauses\":%s}",
                                     kind, dump),
                                "id");
    free(dump);
    json_decref(clauses);
    reply_free(&r);
    fixture_ok(&w->f, OPERATOR, "POST", text("agreement_templates/%s/activate", id), NULL, NULL);
    return id;
}

const char *admission_assess(struct admission_world *w, int score, int protection)
{
    return fixture_ok(&w->f, OPERATOR, "POST", "assessments",
                      text("{\"organisation_id\":\"%s\",\"expires_at\":\"%s\",\"scores\":{\"user-"
                           "information-protection\":%d,\"technical\":%d,\"management\":%d,"
                           "\"security-construction\":%d,\"continuity\":%d}}",
                           w->f.third, admission_in_days(300), protection, score, score, score,
                           score),
                      "id");
}

const char *admission_offer(struct admission_world *w, const char *fields, int per_day, int days)
{
    const char *id = fixture_ok(
        &w->f, DEVELOPER, "POST", "agreements",
        text("{\"template_id\":\"%s\",\"provider_id\":\"%s\",\"receiver_id\":\"%s\",\"app_id\":"
             "\"%s\",\"title\":\"数据授权协议\",\"shared_data\":\"orders\",\"purpose\":\"manage "
             "orders\",\"expires_at\":\"%s\",\"retention_days\":30,\"provider_duties\":[\"gives "
             "it\"],\"receiver_duties\":[\"keeps it safe\"],\"interfaces\":[{\"api_id\":\"%s\","
             "\"fields\":%s,\"per_day\":%d}]}",
             admission_template(w, "data-use"), w->f.holder, w->f.third, w->app,
             admission_in_days(days), w->api, fields, per_day),
        "id");

    fixture_ok(&w->f, PROVIDER, "POST", text("agreements/%s/offer", id), NULL, NULL);
    return id;
}

void admission_sign_both(struct admission_world *w, const char *agreement)
{
    struct crypto_key *theirs = NULL, *ours = NULL;

    admission_key(w, DEVELOPER, w->f.third, CRYPTO_KEY_SM2, &theirs);
    admission_key(w, PROVIDER, w->f.holder, CRYPTO_KEY_P256, &ours);
    fixture_ok(&w->f, DEVELOPER, "POST", text("agreements/%s/sign", agreement),
               admission_signature(w, agreement, theirs), NULL);
    fixture_ok(&w->f, PROVIDER, "POST", text("agreements/%s/sign", agreement),
               admission_signature(w, agreement, ours), NULL);
    crypto_key_free(&theirs);
    crypto_key_free(&ours);
}

/* Applications ----------------------------------------------------------------------------------
 */
const char *admission_member(struct admission_world *w, const char *target, const char *name)
{
    return fixture_ok(&w->f, OPERATOR, "GET", target, NULL, name);
}

int admission_total(struct admission_world *w, enum who who, const char *target)
{
    struct reply r = fixture_call(&w->f, who, "GET", target, NULL, NULL);
    int n = (int)json_integer_value(json_object_get(r.json, "total"));

    assert_int_equal(r.status, 200);
    reply_free(&r);
    return n;
}

const char *admission_apply(struct admission_world *w, const char *form, const char *content,
                            const char *more)
{
    return fixture_ok(&w->f, DEVELOPER, "POST", "applications",
                      text("{\"form_kind\":\"%s\",\"organisation_id\":\"%s\",\"app_id\":\"%s\","
                           "\"title\":\"接入申请\",\"content\":%s%s}",
                           form, w->f.third, w->app, content, more),
                      "id");
}

void admission_submit(struct admission_world *w, const char *id)
{
    fixture_ok(&w->f, DEVELOPER, "POST", text("applications/%s/submit", id), NULL, NULL);
}

const char *admission_review(const char *id, const char *result, const char *more)
{
    return text("{\"application_id\":\"%s\",\"result\":\"%s\"%s}", id, result, more);
}

const char *admission_third_party(void)
{
    return text("{\"uscc\":\"%s\",\"qualification\":\"a company\",\"purpose\":\"order "
                "management\",\"merchants\":[\"M1\"],\"functions\":\"lists orders\","
                "\"data_levels\":[1,2],\"leak_prevention\":\"least privilege\",\"duties\":["
                "\"manage-authorised-data\",\"prevent-leaks\",\"return-to-authorised-user\"],"
                "\"secure_lifecycle\":\"reviewed code\",\"release_review\":\"two people\","
                "\"emergency_organisation\":\"on duty\",\"emergency_contacts\":\"0755-00000000\"}",
                admission_uscc());
}

const char *admission_licence(const char *document, int days)
{
    return text(",\"documents\":[{\"kind\":\"business-licence\",\"document_id\":\"%s\","
                "\"valid_until\":\"%s\"},{\"kind\":\"release-review\",\"document_id\":\"%s\"}]",
                document, admission_in_days(days), document);
}

const char *admission_findings(const char *document, const char *authenticity)
{
    return text(",\"findings\":[{\"subject\":\"qualification\",\"result\":\"pass\"},{\"subject\":"
                "\"legality\",\"result\":\"pass\"},{\"subject\":\"leak_prevention\",\"result\":"
                "\"pass\",\"note\":\"seen\"},{\"subject\":\"secure_lifecycle\",\"result\":\"pass\"}"
                ",{\"document_id\":\"%s\",\"validity\":\"pass\","
                "\"completeness\":\"pass\",\"authenticity\":\"%s\"}]",
                document, authenticity);
}

/* Approved from nothing; the application's id. */
const char *admission_approved(struct admission_world *w)
{
    const char *document = admission_document_of(w, DEVELOPER);
    const char *id = admission_apply(w, "third-party-software", admission_third_party(),
                                     admission_licence(document, 90));

    admission_submit(w, id);
    fixture_ok(&w->f, OPERATOR, "POST", text("applications/%s/verify-identity", id),
               "{\"how\":\"online\"}", NULL);
    fixture_ok(&w->f, OPERATOR, "POST", "application_reviews", admission_review(id, "pass", ""),
               NULL);
    fixture_ok(&w->f, OPERATOR, "POST", "application_reviews",
               admission_review(id, "pass", admission_findings(document, "pass")), NULL);
    assert_string_equal(admission_member(w, text("applications/%s", id), "state"), "approved");
    return id;
}

const char *admission_bank_content(const char *number)
{
    return text("{\"uscc\":\"%s\",\"legal_person\":{\"name\":\"甲\",\"id_number\":\"%s\"},"
                "\"developers\":[{\"name\":\"乙\",\"id_number\":\"%s\"}],\"clients\":\"c\","
                "\"scenarios\":\"s\",\"market_share\":\"m\",\"operations\":\"o\",\"risk_control\":"
                "\"r\",\"technical_ability\":\"t\",\"management\":\"g\",\"protection_level\":3,"
                "\"volume_per_day\":1000,\"integration\":\"server\"}",
                admission_uscc(), number, admission_id_card(22));
}

const char *admission_bank_documents(const char *document)
{
    return text(",\"documents\":[{\"kind\":\"operating-qualification\",\"document_id\":\"%s\"},{"
                "\"kind\":\"legal-person\",\"document_id\":\"%s\"},{\"kind\":\"developer-"
                "identity\",\"document_id\":\"%s\"},{\"kind\":\"protection-certificate\","
                "\"document_id\":\"%s\"}]",
                document, document, document, document);
}

const char *admission_bank_findings(const char *document, const char *but)
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
