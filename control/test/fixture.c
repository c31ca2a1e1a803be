/* SPDX-License-Identifier: Apache-2.0 */
#include "test/fixture.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "feed/feed.h"
#include "replica/replica.h"
#include "rest/catalogue.h"

#define RING      256
#define TEXT_ROOM 16384

const char *text(const char *format, ...)
{
    static char ring[RING][TEXT_ROOM];
    static unsigned at;
    va_list args;
    char *out = ring[at++ % RING];

    va_start(args, format);
    vsnprintf(out, TEXT_ROOM, format, args);
    va_end(args);
    return out;
}

void fixture_open(struct fixture *f)
{
    *f = (struct fixture){0};
    strcpy(f->dir, "/tmp/sluice-control-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->cfg = (struct control_config){.data_dir = f->dir,
                                     .listen_host = "127.0.0.1",
                                     .data_socket = "/nonexistent/data.sock",
                                     .admin_password = FIXTURE_ADMIN,
                                     .trial = true};
    assert_true(control_open(&f->ctl, &f->cfg));
}

void fixture_reopen(struct fixture *f)
{
    control_close(&f->ctl);
    assert_true(control_open(&f->ctl, &f->cfg));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

/* What was logged is in the catalogue of operations. */
static void check_operations(struct fixture *f)
{
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    bool lacking = false;

    if (!f->ctl.store || store_begin(f->ctl.store, STORE_READ, &txn) != STORE_OK) {
        return;
    }
    if (store_query(txn, "SELECT DISTINCT kind, action FROM operations", NULL, 0, &rows) ==
        STORE_OK) {
        while (store_next(rows)) {
            if (!catalogue_has(store_get_text(rows, 0), store_get_text(rows, 1))) {
                print_error("the catalogue of operations (rest/catalogue.c) lacks %s/%s\n",
                            store_get_text(rows, 0), store_get_text(rows, 1));
                lacking = true;
            }
        }
    }
    (void)!store_rows_end(&rows);
    store_rollback(&txn);
    if (lacking) {
        fail_msg("see above");
    }
}

void fixture_close(struct fixture *f)
{
    check_operations(f);
    control_close(&f->ctl);
    nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Splits "a=b&c=d" in place; the tests write no percent signs. */
static void split_query(struct rest_request *req, char *query)
{
    char *save = NULL;

    for (char *part = strtok_r(query, "&", &save); part; part = strtok_r(NULL, "&", &save)) {
        char *value = strchr(part, '=');
        if (value) {
            *value++ = '\0';
        }
        req->query[req->n_query++] = (struct rest_parameter){part, value ? value : ""};
    }
}

static struct reply call_once(struct fixture *f, enum who who, const char *method,
                              const char *target, const char *if_match, const char *body)
{
    static char path[TEXT_ROOM], bearer[96];
    struct rest_response resp;
    struct reply r = {0};

    snprintf(path, sizeof path, "/api/v1/%s", target);
    snprintf(bearer, sizeof bearer, "Bearer %s", f->token[who]);
    struct rest_request req = {.method = method,
                               .path = path,
                               .authorization = f->token[who][0] ? bearer : NULL,
                               .if_match = if_match};
    char *query = strchr(path, '?');
    if (query) {
        *query++ = '\0';
        split_query(&req, query);
    }
    if (body) {
        req.body = slice_str(body);
    }
    rest_response_init(&resp);
    rest_dispatch(&f->ctl, &req, &resp);
    r.status = resp.status;
    r.json = json_loadb(resp.body.p ? resp.body.p : "", resp.body.n, 0, NULL);
    snprintf(r.code, sizeof r.code, "%s", row_text(r.json, "code"));
    snprintf(r.etag, sizeof r.etag, "%s", resp.etag);
    assert_int_equal(strlen(resp.transaction), UUID_TEXT_LEN);
    rest_response_fini(&resp);
    return r;
}

/* The resource that an action or change is about: its first two segments. */
static const char *resource_path(const char *target)
{
    char out[200];
    const char *slash = strchr(target, '/'), *second = slash ? strchr(slash + 1, '/') : NULL;

    snprintf(out, sizeof out, "%.*s", (int)(second ? second - target : (long)strcspn(target, "?")),
             target);
    return text("%s", out);
}

struct reply fixture_call(struct fixture *f, enum who who, const char *method, const char *target,
                          const char *if_match, const char *body)
{
    char etag[32];

    if (!if_match || strcmp(if_match, "auto") != 0) {
        return call_once(f, who, method, target, if_match, body);
    }
    struct reply r = call_once(f, who, "GET", resource_path(target), NULL, NULL);
    snprintf(etag, sizeof etag, "%s", r.etag);
    reply_free(&r);
    return call_once(f, who, method, target, etag, body);
}

static json_t *feed_entries(struct fixture *f, const char *epoch, int64_t after, const char *kinds)
{
    struct feed_query q = {.after = after};
    struct buf out;

    snprintf(q.epoch, sizeof q.epoch, "%s", epoch);
    assert_true(feed_parse_kinds(&q, kinds));
    buf_init(&out);
    assert_int_equal(feed_answer(&f->ctl, &q, &out), STORE_OK);
    json_t *answer = json_loadb(out.p, out.n, 0, NULL);
    json_t *entries = json_incref(json_object_get(answer, "entries"));
    json_decref(answer);
    buf_fini(&out);
    return entries;
}

json_t *fixture_fed(struct fixture *f, const char *kind, const char *id)
{
    json_t *entries = feed_entries(f, "", 0, kind), *entry, *found = NULL;
    size_t i;

    json_array_foreach(entries, i, entry)
    {
        if (strcmp(row_text(entry, "id"), id) == 0) {
            found = json_incref(json_object_get(entry, "data"));
        }
    }
    json_decref(entries);
    return found;
}

void fixture_feed_readable(struct fixture *f)
{
    json_t *entries = feed_entries(f, f->ctl.epoch, 1, ""), *entry;
    size_t i;

    assert_true(json_array_size(entries) > 10);
    json_array_foreach(entries, i, entry)
    {
        if (!replica_entry_readable(entry)) {
            fail_msg("no node can read %s", json_dumps(entry, 0));
        }
    }
    json_decref(entries);
}

const char *fixture_pem(struct fixture *f, const char *name)
{
    char bytes[8192] = "";
    FILE *file = fopen(text("%s/pki/%s", f->dir, name), "rb");

    assert_non_null(file);
    assert_true(fread(bytes, 1, sizeof bytes - 1, file) > 0);
    fclose(file);
    json_t *v = json_string(bytes);
    char *dump = json_dumps(v, JSON_ENCODE_ANY);
    const char *out = text("%s", dump);
    free(dump);
    json_decref(v);
    return out;
}

void reply_free(struct reply *r)
{
    json_decref(r->json);
    r->json = NULL;
}

void fixture_reviewed(struct fixture *f, const char *plural, const char *id, const char *fields)
{
    const char *subject = strcmp(plural, "apis") == 0 ? "api_id" : "dataset_id";
    const char *dataset =
        fixture_ok(f, ADMIN, "GET", text("%s/%s", plural, id), NULL, "dataset_id");

    if (dataset[0]) {
        subject = "dataset_id";
        id = dataset;
    }
    const char *review = fixture_ok(f, ADMIN, "POST", "security_reviews",
                                    text("{\"%s\":\"%s\",\"legal_basis\":\"Data Security Law, art. "
                                         "21\",\"no_clearing\":true,\"fields\":%s}",
                                         subject, id, fields ? fields : "null"),
                                    "id");
    fixture_ok(f, OPERATOR, "POST", text("security_reviews/%s/pass", review),
               "{\"conclusion\":\"nothing stands against it\"}", NULL);
}

/* What is published in a test whose matter is something else has passed its review. */
static void review_before(struct fixture *f, const char *method, const char *target)
{
    char plural[16] = "", id[UUID_TEXT_LEN + 1] = "", action[16] = "";

    if (strcmp(method, "POST") == 0 && f->token[OPERATOR][0] &&
        sscanf(target, "%15[a-z]/%36[-0-9a-f]/%15s", plural, id, action) == 3 &&
        strcmp(action, "publish") == 0) {
        fixture_reviewed(f, plural, id, NULL);
    }
}

const char *fixture_ok(struct fixture *f, enum who who, const char *method, const char *target,
                       const char *body, const char *member)
{
    review_before(f, method, target);
    struct reply r =
        fixture_call(f, who, method, target, strcmp(method, "GET") ? "auto" : NULL, body);

    if (r.status < 200 || r.status > 299) {
        fail_msg("%s %s: %u %s %s at %s", method, target, r.status, r.code,
                 row_text(r.json, "detail"), row_text(r.json, "where"));
    }
    const char *out = text("%s", member ? row_text(r.json, member) : "");
    reply_free(&r);
    return out;
}

void fixture_refused(struct fixture *f, enum who who, const char *method, const char *target,
                     const char *if_match, const char *body, const char *code)
{
    struct reply r = fixture_call(f, who, method, target, if_match, body);

    if (strcmp(r.code, code) != 0) {
        fail_msg("%s %.200s %.200s: %s wanted, got %u %s %s at %s", method, target,
                 body ? body : "", code, r.status, r.code, row_text(r.json, "detail"),
                 row_text(r.json, "where"));
    }
    reply_free(&r);
}

static void sign_in(struct fixture *f, enum who who, const char *login, const char *password)
{
    snprintf(f->token[who], sizeof f->token[who], "%s",
             fixture_ok(f, NOBODY, "POST", "sessions",
                        text("{\"login\":\"%s\",\"password\":\"%s\"}", login, password), "token"));
}

static void add_person(struct fixture *f, enum who who, const char *login, const char *role,
                       const char *more)
{
    fixture_ok(f, ADMIN, "POST", "users",
               text("{\"login\":\"%s\",\"role\":\"%s\",\"password\":\"one-time-%s-pass\"%s}", login,
                    role, login, more),
               NULL);
    sign_in(f, who, login, text("one-time-%s-pass", login));
    fixture_ok(
        f, who, "PUT", "users/me/password",
        text("{\"old_password\":\"one-time-%s-pass\",\"new_password\":\"second-%s-password\"}",
             login, login),
        NULL);
}

static void add_organisation(struct fixture *f, char id[40], const char *name, const char *kind)
{
    snprintf(id, 40, "%s",
             fixture_ok(f, ADMIN, "POST", "organisations",
                        text("{\"name\":\"%s\",\"kind\":\"%s\"}", name, kind), "id"));
    fixture_ok(f, ADMIN, "POST", text("organisations/%s/approve", id), NULL, NULL);
}

void fixture_people(struct fixture *f)
{
    sign_in(f, ADMIN, "admin", FIXTURE_ADMIN);
    add_organisation(f, f->holder, "数据方", "holder");
    add_organisation(f, f->third, "软件商", "third_party");
    add_organisation(f, f->stranger, "另一家", "third_party");
    add_person(f, OPERATOR, "operator", "operator", "");
    add_person(f, PROVIDER, "provider", "provider", text(",\"organisation_id\":\"%s\"", f->holder));
    add_person(f, DEVELOPER, "developer", "developer",
               text(",\"organisation_id\":\"%s\"", f->third));
    add_person(f, STRANGER, "stranger", "developer",
               text(",\"organisation_id\":\"%s\"", f->stranger));
    add_person(f, OWNER, "merchant", "owner", ",\"subject\":\"M1\"");
    add_person(f, AUDITOR, "auditor", "auditor", "");
}
