/* SPDX-License-Identifier: Apache-2.0 */
/* A JSON body: counted before it is parsed, so that a bomb costs one look at its bytes and no
 * memory. */
#include "schema_inner.h"

enum scan { SCAN_OK, SCAN_DEEP, SCAN_MANY };

/* The end of a string: the byte behind its closing quote, or n. */
static size_t skip_string(struct slice text, size_t i)
{
    while (i < text.n && text.p[i] != '"') {
        i += text.p[i] == '\\' ? 2 : 1;
    }
    return i + 1;
}

/* Brackets and commas outside strings. Whether it is JSON at all is for the parser to say: on text
 * that is not, the counts are at least those of what the parser would read before it stops. */
static enum scan scan(struct slice text, uint32_t depth_max, uint32_t values_max)
{
    uint32_t depth = 0, values = 1;
    for (size_t i = 0; i < text.n;) {
        char c = text.p[i++];
        if (c == '"') {
            i = skip_string(text, i);
        } else if (c == '[' || c == '{') {
            values++;
            if (++depth > depth_max) {
                return SCAN_DEEP;
            }
        } else if (c == ']' || c == '}') {
            depth -= depth > 0;
        } else if (c == ',') {
            values++;
        }
        if (values > values_max) {
            return SCAN_MANY;
        }
    }
    return SCAN_OK;
}

static const char *why_unreadable(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_duplicate_key:
        return "a member comes twice";
    case json_error_null_byte_in_key:
    case json_error_null_character:
        return "a text has a NUL in it";
    case json_error_numeric_overflow:
        return "a number is too large";
    case json_error_invalid_utf8:
        return "the body is not UTF-8";
    case json_error_end_of_input_expected:
        return "there is something after the end";
    case json_error_premature_end_of_input:
        return "the body ends too early";
    default:
        return "the body is not JSON";
    }
}

static json_t *read_body(struct check *c, struct slice body, uint32_t depth_max,
                         uint32_t members_max)
{
    uint32_t depth = depth_max == 0 ? SCHEMA_BODY_DEPTH : depth_max;
    depth = depth > SCHEMA_DOCUMENT_DEPTH ? SCHEMA_DOCUMENT_DEPTH : depth;
    enum scan scanned = scan(body, depth, members_max == 0 ? SCHEMA_BODY_MEMBERS : members_max);
    if (scanned != SCAN_OK) {
        schema_fail(c, SCHEMA_ELIMIT, SLICE(""),
                    scanned == SCAN_DEEP ? "the body is nested too deep"
                                         : "the body has too many members");
        return NULL;
    }
    json_error_t error;
    json_t *json = json_loadb(body.p, body.n, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    if (json == NULL) {
        bool memory = json_error_code(&error) == json_error_out_of_memory;
        schema_fail(c, memory ? SCHEMA_ENOMEM : SCHEMA_EBODY_MALFORMED, SLICE(""),
                    memory ? schema_strerror(SCHEMA_ENOMEM) : why_unreadable(&error));
    }
    return json;
}

bool schema_check_body(struct check *c, const struct node *node, struct slice body,
                       uint32_t depth_max, uint32_t members_max)
{
    json_t *json = read_body(c, body, depth_max, members_max);
    if (json == NULL) {
        return false;
    }
    struct value v = schema_value_of(json);
    c->parameter = (struct slice){NULL, 0};
    c->invalid = SCHEMA_EBODY_INVALID;
    bool ok = node == NULL || schema_check_value(c, node, &v, NULL);
    json_decref(json);
    return ok;
}
