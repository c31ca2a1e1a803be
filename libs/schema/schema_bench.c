/* SPDX-License-Identifier: Apache-2.0 */
/* What a check costs a call: three query parameters, and a JSON body of about 1 KB. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "schema/schema.h"

static const char document[] =
    "{\"paths\":{\"/\":{\"get\":{\"parameters\":["
    "{\"name\":\"limit\",\"in\":\"query\",\"schema\":{\"type\":\"integer\",\"minimum\":1,"
    "\"maximum\":100}},"
    "{\"name\":\"state\",\"in\":\"query\",\"schema\":{\"type\":\"string\",\"enum\":[\"new\","
    "\"paid\",\"sent\"]}},"
    "{\"name\":\"since\",\"in\":\"query\",\"schema\":{\"type\":\"string\",\"format\":\"date\"}}]},"
    "\"put\":{\"parameters\":["
    "{\"name\":\"no\",\"in\":\"query\",\"schema\":{\"type\":\"string\",\"pattern\":\"^[A-Z]{2}[0-9]"
    "{6}$\"}}]},"
    "\"post\":{\"requestBody\":{\"content\":{\"application/"
    "json\":{\"schema\":{\"type\":\"object\",\"properties\":"
    "{\"no\":{\"type\":\"string\",\"maxLength\":32},\"total\":{\"type\":\"number\",\"minimum\":0},"
    "\"lines\":"
    "{\"type\":\"array\",\"maxItems\":100,\"items\":{\"type\":\"object\",\"properties\":{\"sku\":{"
    "\"type\":\"string\","
    "\"minLength\":4},\"count\":{\"type\":\"integer\",\"minimum\":1},\"price\":{\"type\":"
    "\"number\",\"multipleOf\":0.01},"
    "\"day\":{\"type\":\"string\",\"format\":\"date\"}},\"required\":[\"sku\",\"count\"]}}},"
    "\"required\":[\"no\",\"lines\"]}}}}}}}}";

static void measure(const char *what, const struct schema *schema, struct schema_request *request,
                    int times)
{
    struct schema_error err;
    uint64_t begun = clock_mono_us();
    for (int i = 0; i < times; i++) {
        if (schema_check_request(schema, request, &err) != SCHEMA_OK) {
            fprintf(stderr, "schema_bench: %s: %s\n", err.where, err.detail);
            exit(1);
        }
    }
    double ns = (double)(clock_mono_us() - begun) * 1000 / times;
    printf("%-44s %8.0f ns\n", what, ns);
}

static size_t make_body(char *out, size_t cap)
{
    size_t n = (size_t)snprintf(out, cap, "{\"no\":\"SO-0001\",\"total\":99.5,\"lines\":[");
    for (int i = 0; n < 960; i++) {
        n += (size_t)snprintf(
            out + n, cap - n,
            "%s{\"sku\":\"SKU-%04d\",\"count\":%d,\"price\":19.99,\"day\":\"2026-11-22\"}",
            i == 0 ? "" : ",", i, i + 1);
    }
    return n + (size_t)snprintf(out + n, cap - n, "]}");
}

int main(void)
{
    char body[2048];
    struct schema *schema = NULL;
    struct schema_error err;
    json_t *json = json_loads(document, 0, NULL);
    if (json == NULL || schema_compile(json, &schema, &err) != SCHEMA_OK) {
        fprintf(stderr, "schema_bench: %s\n",
                json == NULL ? "the document is not JSON" : err.detail);
        return 1;
    }
    json_decref(json);
    struct schema_request get = {.method = SLICE("GET"),
                                 .path = SLICE("/"),
                                 .query = SLICE("limit=20&state=paid&since=2026-11-01")};
    struct schema_request put = {
        .method = SLICE("PUT"), .path = SLICE("/"), .query = SLICE("no=AB123456")};
    struct schema_request post = {
        .method = SLICE("POST"), .path = SLICE("/"), .content_type = SLICE("application/json")};
    post.body = slice_of(body, make_body(body, sizeof body));
    printf("%-44s %8zu bytes\n", "compiled description", schema_size_bytes(schema));
    printf("%-44s %8zu bytes\n", "body", post.body.n);
    measure("GET, 3 query parameters", schema, &get, 1000000);
    measure("PUT, 1 query parameter with a pattern", schema, &put, 1000000);
    measure("POST, JSON body", schema, &post, 50000);
    uint64_t begun = clock_mono_us();
    for (int i = 0; i < 50000; i++) {
        json_decref(json_loadb(post.body.p, post.body.n, JSON_REJECT_DUPLICATES, NULL));
    }
    printf("%-44s %8.0f ns\n", "  of which jansson's parse",
           (double)(clock_mono_us() - begun) * 1000 / 50000);
    schema_free(&schema);
    return 0;
}
