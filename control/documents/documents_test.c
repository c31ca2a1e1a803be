/* SPDX-License-Identifier: Apache-2.0 */
#include "documents/documents.h"

#include "test/fixture.h"

static const char PDF[] = "%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n";

/* A text that may hold zero bytes, and its length. */
#define WITH_LENGTH(s) (s), sizeof(s) - 1

struct upload {
    const char *type;
};

static const char *header(const void *ctx, const char *name)
{
    const struct upload *u = ctx;
    return strcmp(name, "Content-Type") == 0 ? u->type : NULL;
}

/* The raw call that fixture_call, which sends JSON, cannot make. NULL body: GET. */
static struct rest_response raw(struct fixture *f, enum who who, const char *path, const char *type,
                                const char *name, struct slice body)
{
    const struct upload u = {type};
    struct rest_response resp;
    struct rest_request req = {.method = body.p ? "POST" : "GET",
                               .path = path,
                               .body = body,
                               .authorization = text("Bearer %s", f->token[who]),
                               .header = header,
                               .header_ctx = &u};
    if (name) {
        req.query[req.n_query++] = (struct rest_parameter){"name", name};
    }
    rest_response_init(&resp);
    rest_dispatch(&f->ctl, &req, &resp);
    return resp;
}

static const char *upload(struct fixture *f, enum who who, const char *type, const char *name,
                          struct slice body, unsigned want, const char *member)
{
    struct rest_response resp = raw(f, who, "/api/v1/documents", type, name, body);
    json_t *json = json_loadb(resp.body.p, resp.body.n, 0, NULL);
    const char *value = text("%s", row_text(json, member));

    if (resp.status != want) {
        fail_msg("%s %s: %u wanted, got %u %.*s", type, name, want, resp.status, (int)resp.body.n,
                 resp.body.p);
    }
    json_decref(json);
    rest_response_fini(&resp);
    return value;
}

static void refused(struct fixture *f, enum who who, const char *type, const char *name,
                    struct slice body, unsigned status, const char *code)
{
    assert_string_equal(upload(f, who, type, name, body, status, "code"), code);
}

static void opens(struct fixture *f, enum who who, const char *id, unsigned status)
{
    struct rest_response resp =
        raw(f, who, text("/api/v1/documents/%s/content", id), "", NULL, (struct slice){NULL, 0});
    assert_int_equal(resp.status, status);
    if (status == 200) {
        assert_string_equal(resp.content_type, "application/pdf");
        assert_int_equal(resp.body.n, sizeof PDF - 1);
        assert_memory_equal(resp.body.p, PDF, resp.body.n);
    } else {
        assert_null(memmem(resp.body.p, resp.body.n, "%PDF", 4));
    }
    rest_response_fini(&resp);
}

static void kept(void **state)
{
    struct fixture *f = *state;
    const char *id = upload(f, DEVELOPER, "application/pdf", "营业执照.pdf", SLICE(PDF), 201, "id");

    opens(f, DEVELOPER, id, 200);
    opens(f, OPERATOR, id, 200);
    opens(f, AUDITOR, id, 200);
    opens(f, STRANGER, id, 404);
    opens(f, OWNER, id, 404);
    opens(f, NOBODY, id, 401);
    assert_string_equal(fixture_ok(f, DEVELOPER, "GET", text("documents/%s", id), NULL, "name"),
                        "营业执照.pdf");
    fixture_refused(f, STRANGER, "GET", text("documents/%s", id), NULL, NULL, "not-found");
    fixture_refused(f, DEVELOPER, "PATCH", text("documents/%s", id), "*", "{\"name\":\"x\"}",
                    "not-permitted");
    /* Each look is kept. */
    struct reply ops = fixture_call(f, AUDITOR, "GET", "operations?kind=document", NULL, NULL);
    assert_int_equal(json_array_size(json_object_get(ops.json, "items")), 4);
    reply_free(&ops);
    /* It outlives the process, and does not lie open in the store. */
    fixture_reopen(f);
    opens(f, DEVELOPER, id, 200);
    FILE *db = fopen(text("%s/control/store.db", f->dir), "rb");
    static char bytes[4u << 20];
    assert_non_null(db);
    assert_null(memmem(bytes, fread(bytes, 1, sizeof bytes, db), "%PDF-1.4", 8));
    fclose(db);
}

static void erased(void **state)
{
    struct fixture *f = *state;
    const char *id = upload(f, OWNER, "application/pdf", "a.pdf", SLICE(PDF), 201, "id");

    fixture_refused(f, OWNER, "POST", text("documents/%s/erase", id), "auto",
                    "{\"reason\":\"mine\"}", "not-permitted");
    fixture_ok(f, OPERATOR, "POST", text("documents/%s/erase", id), "{\"reason\":\"asked for\"}",
               NULL);
    opens(f, OWNER, id, 404);
    assert_int_equal(
        strlen(fixture_ok(f, OWNER, "GET", text("documents/%s", id), NULL, "content_sm3")), 64);
}

static void lies(void **state)
{
    static const struct {
        const char *type, *bytes;
        size_t n;
    } bad[] = {
        {"application/pdf", WITH_LENGTH("MZ\x90 not a pdf %%EOF")},
        {"application/pdf", WITH_LENGTH("%PDF-1.4 cut short")},
        {"application/pdf", WITH_LENGTH("<html>%PDF-1.4 %%EOF")},
        {"image/png", WITH_LENGTH("\x89PNG\r\n\x1a\n\0\0\0\rIHDR no end")},
        {"image/png", WITH_LENGTH("%PDF-1.4\n%%EOF\n")},
        {"image/jpeg", WITH_LENGTH("\xff\xd8\xff\xe0 and no end")},
        {"image/jpeg", WITH_LENGTH("GIF89a \xff\xd9")},
        {"text/plain", WITH_LENGTH("MZ\0\0\0")},
        {"text/plain", WITH_LENGTH("\xff\xfe utf-16")},
        {"text/plain", WITH_LENGTH("%PDF-1.4\n%%EOF\n")},
        {"application/json", WITH_LENGTH("{\"a\":1,\"a\":2}")},
        {"application/json", WITH_LENGTH("not json")},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT(bad); i++) {
        refused(f, DEVELOPER, bad[i].type, "a.pdf", slice_of(bad[i].bytes, bad[i].n), 415,
                "file-type-mismatch");
    }
    refused(f, DEVELOPER, "application/x-msdownload", "a.exe", SLICE(PDF), 415,
            "media-type-unsupported");
    refused(f, DEVELOPER, NULL, "a.pdf", SLICE(PDF), 415, "media-type-unsupported");
    refused(f, DEVELOPER, "application/pdf", "../a.pdf", SLICE(PDF), 422, "field-invalid");
    refused(f, DEVELOPER, "application/pdf", "a\"\r\n.pdf", SLICE(PDF), 422, "field-invalid");
    refused(f, DEVELOPER, "application/pdf", NULL, SLICE(PDF), 400, "query-malformed");
    refused(f, DEVELOPER, "application/pdf", "a.pdf", SLICE(""), 400, "body-missing");
    refused(f, AUDITOR, "application/pdf", "a.pdf", SLICE(PDF), 403, "not-permitted");
    refused(f, NOBODY, "application/pdf", "a.pdf", SLICE(PDF), 401, "not-signed-in");
    assert_string_equal(
        upload(f, DEVELOPER, "image/png; charset=x", "a.png",
               slice_of("\x89PNG\r\n\x1a\n\0\0\0\rIHDR....IEND\xae\x42\x60\x82", 28), 201,
               "media_type"),
        "image/png");
    assert_string_equal(
        upload(f, DEVELOPER, "application/json", "a.json", SLICE("{\"a\":[1]}"), 201, "state"),
        "stored");
}

static void large(void **state)
{
    struct fixture *f = *state;
    char *bytes = malloc(DOCUMENT_MAX + 1);

    assert_non_null(bytes);
    memset(bytes, 'a', DOCUMENT_MAX + 1);
    refused(f, DEVELOPER, "text/plain", "a.txt", slice_of(bytes, DOCUMENT_MAX + 1), 413,
            "file-too-large");
    /* All of an organisation's files together have a bound too. */
    for (size_t i = 0; i < DOCUMENT_TOTAL_MAX / DOCUMENT_MAX; i++) {
        struct store_txn *txn = NULL;
        assert_int_equal(store_begin(f->ctl.store, STORE_WRITE, &txn), STORE_OK);
        const struct store_value v[] = {store_text(text("id-%zu", i)), store_text(f->third),
                                        store_int(DOCUMENT_MAX)};
        assert_int_equal(
            store_exec(txn,
                       "INSERT INTO documents (id, state, revision, created_at, updated_at, name, "
                       "media_type, organisation_id, size, content_sm3, user_id) SELECT ?, "
                       "'stored', 1, 1, 1, 'a', 'text/plain', ?, ?, '', id FROM users LIMIT 1",
                       v, 3, NULL),
            STORE_OK);
        assert_int_equal(store_commit(&txn), STORE_OK);
    }
    refused(f, DEVELOPER, "text/plain", "a.txt", slice_of(bytes, 1), 413, "file-too-large");
    upload(f, STRANGER, "text/plain", "a.txt", slice_of(bytes, DOCUMENT_MAX), 201, "id");
    free(bytes);
}

static int open_it(void **state)
{
    static struct fixture f;

    fixture_open(&f);
    fixture_people(&f);
    *state = &f;
    return 0;
}

static int close_it(void **state)
{
    fixture_close(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[CI-6.2.3c1, BK-9.1.2b] a document is kept sealed, for its organisation and the staff, "
         "and each look is logged",
         kept, open_it, close_it, NULL},
        {"an erased document leaves its digest alone", erased, open_it, close_it, NULL},
        {"[CI-6.2.3c1] a file that is not what its type says is refused", lies, open_it, close_it,
         NULL},
        {"[CI-6.2.3c1] a file too large is refused, and one too many", large, open_it, close_it,
         NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
