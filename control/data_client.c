/* SPDX-License-Identifier: Apache-2.0 */
#include "data_client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "base/clock.h"
#include "link/ring.h"

#define ANSWER_MAX (8u << 20) /* bytes */

struct answer {
    struct buf body;
    CURL *curl;
    struct curl_slist *headers;
    char *request;
};

static size_t take(char *p, size_t size, size_t n, void *ctx)
{
    struct answer *a = ctx;

    if (a->body.n + size * n > ANSWER_MAX) {
        return 0;
    }
    buf_add(&a->body, p, size * n);
    return a->body.failed ? 0 : size * n;
}

static bool of_files(const json_t *source)
{
    return strcmp(row_text(source, "kind"), "files") == 0;
}

static char *request_body(struct rest_call *c, const json_t *source, const json_t *more)
{
    const char *id = row_text(source, "id");
    bool managed = strcmp(row_text(source, "kind"), "managed") == 0 || of_files(source);
    json_t *sealed = managed ? NULL : api_reseal(c->ctl, id, row_text(source, "connection_sealed"));
    json_t *body = managed
                       ? json_pack("{s:s, s:s, s:s, s:s}", "id", id, "kind",
                                   row_text(source, "kind"), "folder", row_text(source, "folder"),
                                   "encoding", row_text(source, "encoding"))
                   : sealed ? json_pack("{s:s, s:o, s:s}", "id", id, "connection_sealed", sealed,
                                        "encoding", row_text(source, "encoding"))
                            : NULL;

    if (!body) {
        return NULL;
    }
    json_object_update(body, (json_t *)more);
    char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    return text;
}

/* Nobody's call but ours: nil ids, no fields; bound to this method and target. */
static bool add_headers(struct rest_call *c, struct answer *a, const char *target)
{
    struct link_call call = {.issued_ms = clock_wall_ms(), .owner = SLICE("")};
    char text[LINK_TEXT_MAX], header[LINK_TEXT_MAX + sizeof LINK_HEADER + 4];
    uint8_t link[CRYPTO_KEY_LEN] = {0};

    if (!link_ring_signing("link.call", link)) {
        return false;
    }
    struct crypto_hmac *key = crypto_hmac_new(CRYPTO_SM3, link, CRYPTO_KEY_LEN);
    crypto_wipe(link, sizeof link);

    if (!uuid_parse(&call.txn, c->resp->transaction, strlen(c->resp->transaction))) {
        uuid_new(&call.txn);
    }
    size_t n = link_encode(&call, key, SLICE("POST"), slice_str(target), text);
    crypto_hmac_free(&key);
    snprintf(header, sizeof header, "%s: %.*s", LINK_HEADER, (int)n, text);
    a->headers = curl_slist_append(NULL, header);
    return a->headers && curl_slist_append(a->headers, "Content-Type: application/json");
}

static bool send_request(struct rest_call *c, struct answer *a, const char *target)
{
    char url[128];

    snprintf(url, sizeof url, "http://data%s", target);
    a->curl = curl_easy_init();
    if (!a->curl || !a->request || !c->ctl->cfg->data_socket || !add_headers(c, a, target)) {
        return false;
    }
    curl_easy_setopt(a->curl, CURLOPT_UNIX_SOCKET_PATH, c->ctl->cfg->data_socket);
    curl_easy_setopt(a->curl, CURLOPT_URL, url);
    curl_easy_setopt(a->curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(a->curl, CURLOPT_HTTPHEADER, a->headers);
    curl_easy_setopt(a->curl, CURLOPT_POSTFIELDS, a->request);
    curl_easy_setopt(a->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(a->curl, CURLOPT_WRITEDATA, a);
    curl_easy_setopt(a->curl, CURLOPT_TIMEOUT_MS, (long)DATA_CLIENT_TIMEOUT_MS);
    curl_easy_setopt(a->curl, CURLOPT_NOSIGNAL, 1L);
    return curl_easy_perform(a->curl) == CURLE_OK;
}

static enum problem read_answer(struct rest_call *c, struct answer *a, json_t **answer)
{
    long status = 0;
    json_t *json = json_loadb(a->body.p ? a->body.p : "", a->body.n, 0, NULL);

    curl_easy_getinfo(a->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status == 200 && json_is_object(json)) {
        *answer = json;
        return PROBLEM_OK;
    }
    enum problem p = problem_by_code(slice_str(row_text(json, "code")));
    if (p == PROBLEM_OK || p == PROBLEM_COUNT) {
        p = PROBLEM_SOURCE_UNAVAILABLE;
    }
    rest_fail(c, p, "", "%.250s", row_text(json, "detail"));
    json_decref(json);
    return p;
}

static enum problem exchange(struct rest_call *c, struct answer *a, const char *target,
                             json_t **answer)
{
    *answer = NULL;
    buf_init(&a->body);
    enum problem p = send_request(c, a, target) ? read_answer(c, a, answer)
                                                : rest_fail(c, PROBLEM_SOURCE_UNAVAILABLE, "",
                                                            "the data service does not answer");
    if (a->request) {
        crypto_wipe(a->request, strlen(a->request));
    }
    free(a->request);
    curl_slist_free_all(a->headers);
    curl_easy_cleanup(a->curl);
    buf_fini(&a->body);
    return p;
}

enum problem data_client_post(struct rest_call *c, const char *target, const json_t *body,
                              json_t **answer)
{
    struct answer a = {.request = json_dumps(body, JSON_COMPACT)};

    return exchange(c, &a, target, answer);
}

enum problem data_client_source(struct rest_call *c, const char *operation, const json_t *source,
                                const json_t *more, json_t **answer)
{
    struct answer a = {.request = request_body(c, source, more)};
    char target[64];

    /* What a folder holds is another's to tell than what a database does; tables are read alike. */
    static const char *const own[][2] = {{"check", "check"},  {"drop", "drop"},
                                         {"tables", "items"}, {"refresh", "refresh"},
                                         {"item", "item"},    {"put", "put"}};
    snprintf(target, sizeof target, "/internal/v1/sources/%s", operation);
    for (size_t i = 0; of_files(source) && i < COUNT(own); i++) {
        if (strcmp(operation, own[i][0]) == 0) {
            snprintf(target, sizeof target, "/internal/v1/files/%s", own[i][1]);
        }
    }
    return exchange(c, &a, target, answer);
}

enum problem data_client_call(struct rest_call *c, const char *operation, const json_t *source,
                              const char *schema, const char *table, json_t **answer)
{
    json_t *more = json_object();

    if (schema) {
        json_object_set_new(more, "schema", json_string(schema));
    }
    if (table) {
        json_object_set_new(more, "table", json_string(table));
    }
    enum problem p = data_client_source(c, operation, source, more, answer);
    json_decref(more);
    return p;
}
