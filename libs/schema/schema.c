/* SPDX-License-Identifier: Apache-2.0 */
/* Memory, names and errors. The compiled form lives in one arena, so that freeing it needs no walk;
 * only what other libraries allocated (patterns, JSON constants) hangs on the nodes. */
#include "schema_inner.h"

#include <stdlib.h>
#include <sys/random.h>

#define BLOCK_BYTES   16384
#define ALIGNMENT     16
#define MATCH_LIMIT   5000
#define MATCH_HEAP_KB 64

struct block {
    struct block *next;
    size_t used, cap;
    _Alignas(ALIGNMENT) char bytes[];
};

static const char *const errors[] = {
    [SCHEMA_OK] = "the call is as described",
    [SCHEMA_EROUTE] = "the API has no such path",
    [SCHEMA_EMETHOD] = "the path has no such method",
    [SCHEMA_EVERSION] = "the version asked for is not this one",
    [SCHEMA_EPARAM_MISSING] = "a required parameter is missing",
    [SCHEMA_EPARAM_INVALID] = "a parameter is not as described",
    [SCHEMA_EPARAM_UNKNOWN] = "a parameter is not described",
    [SCHEMA_ECONTENT_TYPE] = "the media type is not described",
    [SCHEMA_EBODY_MISSING] = "a body is required",
    [SCHEMA_EBODY_UNEXPECTED] = "no body is described",
    [SCHEMA_EBODY_MALFORMED] = "the body cannot be read as JSON",
    [SCHEMA_EBODY_INVALID] = "the body is not as described",
    [SCHEMA_ELIMIT] = "the call is past a limit of depth, count, length or work",
    [SCHEMA_ESTATUS] = "the status is not described",
    [SCHEMA_EDOCUMENT] = "the description cannot be enforced",
    [SCHEMA_ENOMEM] = "out of memory",
};

const char *schema_strerror(enum schema_err err)
{
    bool known = (unsigned)err < sizeof errors / sizeof *errors;
    return known ? errors[err] : "unknown error";
}

/* -- places ------------------------------------------------------------------------------------ */

void schema_where_text(char out[static SCHEMA_WHERE_MAX + 1], struct slice text)
{
    size_t n = text.n < SCHEMA_WHERE_MAX ? text.n : SCHEMA_WHERE_MAX;
    while (n < text.n && n > 0 && ((unsigned char)text.p[n] & 0xc0) == 0x80) {
        n--; /* not in the middle of a character */
    }
    if (n > 0) {
        memcpy(out, text.p, n);
    }
    out[n] = '\0';
}

/* RFC 6901. One byte more than fits is written, so that the cut is made at a character. */
static size_t add_token(char *out, size_t n, size_t cap, const struct at *at)
{
    char number[24];
    const char *text = at->name;
    if (text == NULL) {
        snprintf(number, sizeof number, "%zu", at->index);
        text = number;
    }
    if (!at->pointer && n < cap) {
        out[n++] = '/';
    }
    for (; *text != '\0' && n + 1 < cap; text++) {
        if (!at->pointer && (*text == '~' || *text == '/')) {
            out[n++] = '~';
            out[n++] = *text == '~' ? '0' : '1';
        } else {
            out[n++] = *text;
        }
    }
    return n;
}

void schema_where(char out[static SCHEMA_WHERE_MAX + 1], const struct at *at)
{
    enum { STEPS = 2 * SCHEMA_DOCUMENT_DEPTH };
    const struct at *chain[STEPS];
    char text[SCHEMA_WHERE_MAX + 8];
    size_t n_chain = 0, n = 0;
    for (; at != NULL && n_chain < STEPS; at = at->up) {
        chain[n_chain++] = at;
    }
    while (n_chain > 0) {
        n = add_token(text, n, sizeof text, chain[--n_chain]);
    }
    schema_where_text(out, slice_of(text, n));
}

bool schema_is_plain_name(struct slice name)
{
    enum { NAME_MAX_BYTES = 64 };
    if (name.n == 0 || name.n > NAME_MAX_BYTES || (name.p[0] >= '0' && name.p[0] <= '9')) {
        return false;
    }
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '_' || c == '-' || c == '.';
        if (!plain) {
            return false;
        }
    }
    return true;
}

/* -- memory ------------------------------------------------------------------------------------ */

static struct block *new_block(struct schema *s, size_t n)
{
    size_t cap = n > BLOCK_BYTES ? n : BLOCK_BYTES;
    struct block *block = calloc(1, sizeof *block + cap);
    if (block != NULL) {
        block->cap = cap;
        block->next = s->blocks;
        s->blocks = block;
        s->size_bytes += sizeof *block + cap;
    }
    return block;
}

void *schema_alloc(struct build *b, size_t count, size_t size)
{
    struct schema *s = b->schema;
    size_t n;
    if (__builtin_mul_overflow(count, size, &n) || n > SIZE_MAX / 2) {
        schema_no_memory(b);
        return NULL;
    }
    n = (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct block *block = s->blocks;
    if (block == NULL || block->cap - block->used < n) {
        block = new_block(s, n);
    }
    if (block == NULL) {
        schema_no_memory(b);
        return NULL;
    }
    void *p = block->bytes + block->used;
    block->used += n;
    return p;
}

bool schema_copy(struct build *b, struct slice *out, struct slice text)
{
    char *p = schema_alloc(b, text.n + 1, 1);
    if (p == NULL) {
        return false;
    }
    if (text.n > 0) {
        memcpy(p, text.p, text.n);
    }
    *out = slice_of(p, text.n);
    return true;
}

bool schema_refuse(struct build *b, const struct at *at, const char *detail)
{
    b->err->code = SCHEMA_EDOCUMENT;
    b->err->detail = detail;
    schema_where(b->err->where, at);
    return false;
}

bool schema_no_memory(struct build *b)
{
    *b->err = (struct schema_error){.code = SCHEMA_ENOMEM, .detail = errors[SCHEMA_ENOMEM]};
    return false;
}

/* PCRE2's memory is counted with ours: each run of it carries its length in front. */
static void *counted_alloc(size_t n, void *data)
{
    struct schema *s = data;
    size_t *p = malloc(ALIGNMENT + n);
    if (p == NULL) {
        return NULL;
    }
    *p = n;
    s->size_bytes += ALIGNMENT + n;
    return (char *)p + ALIGNMENT;
}

static void counted_free(void *at, void *data)
{
    struct schema *s = data;
    if (at != NULL) {
        size_t *p = (void *)((char *)at - ALIGNMENT);
        s->size_bytes -= ALIGNMENT + *p;
        free(p);
    }
}

/* ECMA's line ends are the four of ANYCRLF and two more that no pattern of ours has met. */
static bool init_patterns(struct schema *s)
{
    s->general = pcre2_general_context_create(counted_alloc, counted_free, s);
    s->compile = pcre2_compile_context_create(s->general);
    s->match = pcre2_match_context_create(NULL); /* used by many threads: not counted */
    if (s->general == NULL || s->compile == NULL || s->match == NULL) {
        return false;
    }
    pcre2_set_newline(s->compile, PCRE2_NEWLINE_ANYCRLF);
    pcre2_set_parens_nest_limit(s->compile, 32);
    pcre2_set_compile_extra_options(s->compile, PCRE2_EXTRA_ALT_BSUX);
    pcre2_set_match_limit(s->match, MATCH_LIMIT);
    pcre2_set_depth_limit(s->match, MATCH_LIMIT);
    pcre2_set_heap_limit(s->match, MATCH_HEAP_KB);
    return true;
}

static void free_pattern(struct pattern *pattern)
{
    pcre2_code_free(pattern->plain);
    pcre2_code_free(pattern->search);
}

static void free_node(struct node *node)
{
    free_pattern(&node->pattern);
    for (size_t i = 0; i < node->n_patterns; i++) {
        free_pattern(&node->patterns[i].pattern);
    }
    json_decref(node->constant);
    json_decref(node->choices);
}

void schema_free(struct schema **schema)
{
    struct schema *s = *schema;
    if (s == NULL) {
        return;
    }
    for (struct node *node = s->nodes; node != NULL; node = node->next) {
        free_node(node);
    }
    pcre2_match_context_free(s->match);
    pcre2_compile_context_free(s->compile);
    pcre2_general_context_free(s->general);
    for (struct block *block = s->blocks, *next; block != NULL; block = next) {
        next = block->next;
        free(block);
    }
    free(s);
    *schema = NULL;
}

size_t schema_size_bytes(const struct schema *schema)
{
    return schema->size_bytes;
}

/* -- compiling --------------------------------------------------------------------------------- */

/* A description is counted before it is read, so that every later walk of it is bounded. */
static const char *past_bounds(const json_t *json, size_t depth, size_t *left)
{
    const char *key, *why;
    json_t *value;
    size_t i;
    if (depth > SCHEMA_DOCUMENT_DEPTH) {
        return "the description is too deep";
    }
    if (*left == 0) {
        return "the description is too large";
    }
    (*left)--;
    json_object_foreach((json_t *)(uintptr_t)json, key, value)
    {
        if ((why = past_bounds(value, depth + 1, left)) != NULL) {
            return why;
        }
    }
    json_array_foreach(json, i, value)
    {
        if ((why = past_bounds(value, depth + 1, left)) != NULL) {
            return why;
        }
    }
    return NULL;
}

static bool compile(struct build *b)
{
    size_t left = SCHEMA_DOCUMENT_VALUES;
    const char *why = past_bounds(b->document, 0, &left);
    if (why != NULL) {
        return schema_refuse(b, NULL, why);
    }
    if (!init_patterns(b->schema)) {
        return schema_no_memory(b);
    }
    if (getrandom(&b->schema->seed, sizeof b->schema->seed, 0) != sizeof b->schema->seed) {
        return schema_no_memory(b);
    }
    return schema_compile_paths(b) && schema_compile_pending(b);
}

enum schema_err schema_compile(const json_t *openapi, struct schema **out, struct schema_error *err)
{
    struct schema_error why = {.code = SCHEMA_OK};
    struct build b = {.document = openapi, .err = &why, .schema = calloc(1, sizeof *b.schema)};
    bool compiled = false;
    if (b.schema == NULL) {
        schema_no_memory(&b);
    } else {
        b.schema->size_bytes = sizeof *b.schema;
        compiled = compile(&b);
    }
    for (size_t i = 0; i < b.n; i++) {
        free(b.list[i].where);
    }
    free(b.list);
    if (!compiled) {
        schema_free(&b.schema);
        *err = why;
        return err->code;
    }
    *out = b.schema;
    return SCHEMA_OK;
}
