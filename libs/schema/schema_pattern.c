/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns are ECMA-262's (with its u flag) as far as PCRE2 reads them alike; what it reads
 * otherwise is refused. They run on PCRE2's other matcher, which follows all ways at once and so
 * never goes back: no text makes one take exponential time, but nothing that remembers (a back
 * reference) can be had. An unanchored pattern gets a leading
 * ".*?", for starting anew at each character would be quadratic. */
#include "schema_inner.h"

#include <stdio.h>

enum { CODE_BYTES_MAX = 16384, CODE_BYTES_A_STEP = 256 };

#define SYNTAX "the pattern is not one of ECMA-262"

static bool one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

/* {n}, {n,} and {n,m}: the length; 0: not one, which PCRE2 would take literally. */
static size_t counted(const char *p)
{
    const char *start = p++;
    size_t digits = strspn(p, "0123456789");
    if (digits == 0) {
        return 0;
    }
    p += digits;
    if (*p == ',') {
        p++;
        p += strspn(p, "0123456789");
    }
    return *p == '}' ? (size_t)(p + 1 - start) : 0;
}

/* A quantifier and its lazy mark. A second one would be PCRE2's possessive. NULL: not ECMA's. */
static const char *after_quantifier(const char *p)
{
    size_t n = *p == '{' ? counted(p) : 1;
    if (n == 0) {
        return NULL;
    }
    p += n;
    p += *p == '?';
    return one_of(*p, "*+?{") ? NULL : p;
}

/* p stands behind "(". */
static const char *after_open(const char *p)
{
    static const char *const kinds[] = {"?:", "?=", "?!", "?<=", "?<!"};
    if (*p == '*') {
        return NULL;
    }
    if (*p != '?') {
        return p;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strncmp(p, kinds[i], strlen(kinds[i])) == 0) {
            return p + strlen(kinds[i]);
        }
    }
    if (p[1] != '<') {
        return NULL;
    }
    size_t name = strspn(p + 2, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    return name > 0 && p[2 + name] == '>' ? p + 3 + name : NULL;
}

/* p stands behind "\". Letters and digits that mean something else, or nothing, over there. */
static const char *after_escape(const char *p, bool in_class)
{
    bool alphanumeric =
        (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');
    if (*p == '\0' || (unsigned char)*p >= 0x80) {
        return NULL;
    }
    if (!alphanumeric) {
        return p + 1;
    }
    if (one_of(*p, "upP") && p[1] == '{') { /* \u{95f8}, \p{Han} */
        const char *end = strchr(p, '}');
        return end == NULL ? NULL : end + 1;
    }
    if (*p == '0') {
        return p[1] >= '0' && p[1] <= '9' ? NULL : p + 1;
    }
    return one_of(*p, in_class ? "bcdDsSwWfnrtuxpP" : "bBcdDsSwWfnrtuxpP") ? p + 1 : NULL;
}

static const char *after_class(const char *p)
{
    p += *p == '^';
    while (*p != '\0' && *p != ']') {
        if (*p == '[' && one_of(p[1], ":.=")) {
            return NULL; /* POSIX classes are not ECMA's */
        }
        p = *p == '\\' ? after_escape(p + 1, true) : p + 1;
        if (p == NULL) {
            return NULL;
        }
    }
    return *p == ']' ? p + 1 : NULL;
}

static bool is_ecma(const char *p)
{
    while (p != NULL && *p != '\0') {
        switch (*p) {
        case '\\':
            p = after_escape(p + 1, false);
            break;
        case '[':
            p = after_class(p + 1);
            break;
        case '(':
            p = after_open(p + 1);
            break;
        case '*':
        case '+':
        case '?':
        case '{':
            p = after_quantifier(p);
            break;
        case '}':
        case ']':
            return false;
        default:
            p++;
        }
    }
    return p != NULL;
}

static pcre2_code *compile(const struct schema *s, const char *text)
{
    int error;
    PCRE2_SIZE offset;
    return pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
                         PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALLOW_EMPTY_CLASS |
                             PCRE2_ALT_BSUX | PCRE2_NEVER_BACKSLASH_C,
                         &error, &offset, s->compile);
}

static bool is_anchored(const pcre2_code *code)
{
    uint32_t options = 0;
    pcre2_pattern_info(code, PCRE2_INFO_ALLOPTIONS, &options);
    return (options & PCRE2_ANCHORED) != 0;
}

/* What the other matcher cannot do, or not in bounds. */
static const char *why_not(const pcre2_code *code)
{
    uint32_t references = 0;
    size_t bytes = 0;
    pcre2_pattern_info(code, PCRE2_INFO_BACKREFMAX, &references);
    pcre2_pattern_info(code, PCRE2_INFO_SIZE, &bytes);
    if (references > 0) {
        return "a back reference cannot be enforced";
    }
    return bytes > CODE_BYTES_MAX ? "the pattern is too large" : NULL;
}

static bool looks_around(const char *text)
{
    static const char *const kinds[] = {"(?=", "(?!", "(?<=", "(?<!"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strstr(text, kinds[i]) !=
            NULL) { /* inside a class it is none, which only costs steps */
            return true;
        }
    }
    return false;
}

bool schema_pattern(struct build *b, struct pattern *out, const json_t *json, const struct at *at)
{
    char searching[SCHEMA_PATTERN_MAX + 32];
    const char *text = json_string_value(json);
    if (text == NULL || json_string_length(json) > SCHEMA_PATTERN_MAX) {
        return schema_refuse(b, at,
                             text == NULL ? "a pattern is a string" : "the pattern is too long");
    }
    if (!is_ecma(text)) {
        return schema_refuse(b, at, SYNTAX " that PCRE2 reads alike");
    }
    out->plain = compile(b->schema, text);
    bool anchored = out->plain != NULL && is_anchored(out->plain);
    if (out->plain != NULL && !anchored) {
        snprintf(searching, sizeof searching, "^(?s:.*?)(?:%s)", text);
        out->search = compile(b->schema, searching);
    }
    if (out->plain == NULL || (!anchored && out->search == NULL)) {
        return schema_refuse(b, at, SYNTAX ", or one that cannot be enforced");
    }
    size_t bytes = 0;
    pcre2_pattern_info(out->plain, PCRE2_INFO_SIZE, &bytes);
    out->cost = 2 + (uint32_t)(bytes / CODE_BYTES_A_STEP);
    out->looks = looks_around(text);
    const char *why = why_not(out->plain);
    return why == NULL || schema_refuse(b, at, why);
}
