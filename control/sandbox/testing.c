/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/testing.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "feed/reports.h"

const char *testing_api(struct fixture *f, const char *name)
{
    const char *id = fixture_ok(
        f, PROVIDER, "POST", "apis",
        text("{\"name\":\"%s\",\"version\":\"v1\",\"path\":\"/%s\",\"kind\":\"http\",\"upstream\":"
             "\"http://127.0.0.1:9\",\"fields\":[{\"path\":\"name\",\"level\":2,\"type\":"
             "\"scalar\"}]}",
             name, name),
        "id");

    fixture_ok(f, PROVIDER, "POST", text("apis/%s/publish", id), NULL, NULL);
    return id;
}

const char *testing_app(struct fixture *f, const char *name)
{
    return fixture_ok(
        f, DEVELOPER, "POST", "apps",
        text("{\"name\":\"%s\",\"organisation_id\":\"%s\",\"environment\":\"general\"}", name,
             f->third),
        "id");
}

const char *testing_subscribe(struct fixture *f, const char *app, const char *api)
{
    const char *id = fixture_ok(
        f, DEVELOPER, "POST", "subscriptions",
        text("{\"app_id\":\"%s\",\"api_id\":\"%s\",\"purpose\":\"tests\",\"max_level\":2}", app,
             api),
        "id");

    testing_act(f, OPERATOR, text("subscriptions/%s/approve", id));
    return id;
}

void testing_act(struct fixture *f, enum who who, const char *target)
{
    fixture_ok(f, who, "POST", target, NULL, NULL);
}

void testing_call_of(struct fixture *f, const char *app, const char *api, const char *code,
                     unsigned status, int64_t at)
{
    char id[UUID_TEXT_LEN + 1], why[REPORTS_WHY_MAX];
    struct uuid fresh;
    size_t accepted = 0;

    uuid_new(&fresh);
    uuid_format(&fresh, id);
    const char *body = text("{\"node\":\"gw\",\"at\":1,\"version\":\"\",\"events\":[{\"id\":\"%s\","
                            "\"at\":%" PRId64 ",\"kind\":\"sandbox-call\",\"app_id\":\"%s\","
                            "\"api_id\":\"%s\",\"target\":\"%s\",\"reason\":\"%s\",\"count\":%u}],"
                            "\"limits\":[],\"targets\":[],\"keys\":[]}",
                            id, (int64_t)clock_wall_ms() + at, app, api, id, code, status);
    assert_int_equal(reports_take(&f->ctl, slice_str(body), &accepted, why), PROBLEM_OK);
    assert_int_equal(reports_take(&f->ctl, slice_str(body), &accepted, why), PROBLEM_OK);
}

void testing_setting(struct fixture *f, const char *name, const char *value)
{
    struct reply r =
        fixture_call(f, ADMIN, "GET", text("stage_settings?name=%s", name), NULL, NULL);
    const char *id =
        text("%s", row_text(json_array_get(json_object_get(r.json, "items"), 0), "id"));

    reply_free(&r);
    fixture_ok(f, ADMIN, "PATCH", text("stage_settings/%s", id), text("{\"value\":\"%s\"}", value),
               NULL);
}

const char *testing_member(struct fixture *f, const char *target, const char *name)
{
    return fixture_ok(f, OPERATOR, "GET", target, NULL, name);
}

int64_t testing_total(struct fixture *f, enum who who, const char *target)
{
    struct reply r = fixture_call(f, who, "GET", target, NULL, NULL);

    assert_int_equal(r.status, 200);
    int64_t total = json_integer_value(json_object_get(r.json, "total"));
    reply_free(&r);
    return total;
}

const char *testing_days(int days)
{
    char out[CLOCK_RFC3339_LEN + 1];

    clock_format_ms(clock_wall_ms() + (uint64_t)((int64_t)days * 86400000), out);
    return text("%s", out);
}

const char *testing_keep(const char *s)
{
    static char kept[64][128];
    static size_t n;

    assert_in_range(n, 0, COUNT(kept) - 1);
    snprintf(kept[n], sizeof kept[n], "%s", s);
    return kept[n++];
}

static const char *document_type(const void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "Content-Type") == 0 ? "text/plain" : NULL;
}

const char *testing_document(struct fixture *f)
{
    static char id[UUID_TEXT_LEN + 1];
    struct rest_response resp;
    struct rest_request req = {.method = "POST",
                               .path = "/api/v1/documents",
                               .query = {{"name", "report.txt"}},
                               .n_query = 1,
                               .body = SLICE("what was found\n"),
                               .authorization = text("Bearer %s", f->token[DEVELOPER]),
                               .header = document_type};

    if (id[0]) {
        return id;
    }
    rest_response_init(&resp);
    rest_dispatch(&f->ctl, &req, &resp);
    assert_int_equal(resp.status, 201);
    json_t *json = json_loadb(resp.body.p, resp.body.n, 0, NULL);
    snprintf(id, sizeof id, "%s", row_text(json, "id"));
    json_decref(json);
    rest_response_fini(&resp);
    return id;
}

const char *testing_live_app(struct fixture *f, const char *name)
{
    const char *app = testing_keep(testing_app(f, name));

    testing_act(f, OPERATOR, text("apps/%s/admit", app));
    return app;
}
