/* SPDX-License-Identifier: Apache-2.0 */
/* The input's first byte says what the rest is: a whole description, one schema and a body for it
 * (a NUL between), or a call of a fixed description: path, query, header and body with NULs
 * between. */
#include <stdlib.h>

#include "base/utf8.h"
#include "schema/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char fixed[] =
    "{\"paths\":{\"/\":{\"post\":{\"parameters\":["
    "{\"name\":\"i\",\"in\":\"query\",\"schema\":{\"type\":\"integer\",\"multipleOf\":3}},"
    "{\"name\":\"n\",\"in\":\"query\",\"schema\":{\"type\":\"number\",\"multipleOf\":0.01}},"
    "{\"name\":\"s\",\"in\":\"query\",\"schema\":{\"type\":\"string\",\"pattern\":\"(a|b)+c\","
    "\"maxLength\":9}},"
    "{\"name\":\"a\",\"in\":\"query\",\"schema\":{\"type\":\"array\",\"uniqueItems\":true,"
    "\"items\":{\"type\":\"string\"}}},"
    "{\"name\":\"l\",\"in\":\"query\",\"explode\":false,\"schema\":{\"type\":\"array\",\"items\":{"
    "\"type\":\"number\"}}},"
    "{\"name\":\"X\",\"in\":\"header\",\"schema\":{\"type\":\"string\",\"format\":\"date-time\"}}],"
    "\"requestBody\":{\"content\":{\"application/json\":{\"schema\":{\"$ref\":\"#/components/"
    "schemas/T\"}}}}}},"
    "\"/{id}/"
    "x\":{\"post\":{\"x-sluice-query\":\"open\",\"parameters\":[{\"name\":\"id\",\"in\":\"path\","
    "\"required\":true,"
    "\"schema\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}}]}}},"
    "\"components\":{\"schemas\":{\"T\":{\"anyOf\":[{\"type\":\"array\",\"uniqueItems\":true,"
    "\"items\":"
    "{\"$ref\":\"#/components/schemas/"
    "T\"}},{\"type\":[\"null\",\"boolean\",\"number\"]},{\"type\":\"object\","
    "\"properties\":{\"e\":{\"format\":\"email\"},\"u\":{\"format\":\"uri\"},\"6\":{\"format\":"
    "\"ipv6\"},"
    "\"d\":{\"format\":\"date\"},\"p\":{\"format\":\"phone-cn\"},\"c\":{\"format\":\"uscc\"},"
    "\"r\":{\"format\":\"resident-id\"},\"t\":{\"$ref\":\"#/components/schemas/T\"}},"
    "\"patternProperties\":{\"^x_\":{\"not\":{\"type\":\"string\"}}}}]}}}}";

static struct schema *compile(const char *text, size_t n)
{
    struct schema *schema = NULL;
    struct schema_error err = {.detail = NULL};
    json_t *json = json_loadb(text, n, JSON_DECODE_ANY, NULL);
    if (json != NULL && schema_compile(json, &schema, &err) != SCHEMA_OK &&
        (err.detail == NULL || strlen(err.where) > SCHEMA_WHERE_MAX ||
         !utf8_valid(slice_str(err.where)))) {
        abort();
    }
    json_decref(json);
    return schema;
}

static bool one_header(void *ctx, struct slice name, size_t nth, struct slice *value)
{
    (void)name;
    *value = *(struct slice *)ctx;
    return nth == 0 && value->n > 0;
}

static void check(const struct schema *schema, struct schema_request *request)
{
    struct schema_error err = {.detail = NULL};
    enum schema_err code = schema_check_request(schema, request, &err);
    if (code != SCHEMA_OK &&
        (code != err.code || err.detail == NULL || !utf8_valid(slice_str(err.where)))) {
        abort();
    }
}

/* The bytes up to the next NUL; *text is moved behind it. */
static struct slice field(struct slice *text)
{
    const char *end = text->n == 0 ? NULL : memchr(text->p, '\0', text->n);
    struct slice part = end == NULL ? *text : slice_of(text->p, (size_t)(end - text->p));
    size_t used = end == NULL ? text->n : part.n + 1;
    *text = slice_of(text->p + used, text->n - used);
    return part;
}

static void schema_and_body(struct slice text)
{
    static const char head[] =
        "{\"paths\":{\"/\":{\"post\":{\"requestBody\":{\"content\":{\"application/json\":"
        "{\"schema\":";
    struct slice one = field(&text);
    size_t n = sizeof head - 1;
    char *document = malloc(n + one.n + 8);
    if (document == NULL) {
        return;
    }
    memcpy(document, head, n);
    if (one.n > 0) {
        memcpy(document + n, one.p, one.n);
    }
    memcpy(document + n + one.n, "}}}}}}}", 7);
    struct schema *schema = compile(document, n + one.n + 7);
    struct schema_request request = {.method = SLICE("POST"),
                                     .path = SLICE("/"),
                                     .content_type = SLICE("application/json"),
                                     .body = text};
    if (schema != NULL) {
        check(schema, &request);
    }
    schema_free(&schema);
    free(document);
}

static void call(struct slice text)
{
    static struct schema *schema;
    if (schema == NULL && (schema = compile(fixed, sizeof fixed - 1)) == NULL) {
        abort();
    }
    struct schema_request request = {
        .method = SLICE("POST"), .content_type = SLICE("application/json"), .header = one_header};
    request.path = field(&text);
    request.query = field(&text);
    struct slice header = field(&text);
    request.header_ctx = &header;
    request.body = text;
    check(schema, &request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct slice text = slice_of((const char *)data + 1, size - 1);
    struct schema *schema;
    switch (data[0] % 3) {
    case 0:
        schema = compile(text.p, text.n);
        schema_free(&schema);
        break;
    case 1:
        schema_and_body(text);
        break;
    default:
        call(text);
    }
    return 0;
}
