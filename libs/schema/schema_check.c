/* SPDX-License-Identifier: Apache-2.0 */
/* A value against its schema. Three things bound it: the depth of the value, the nesting of schemas
 * on one value (both bounded before we start) and a budget of steps, which is what stops anyOf
 * inside anyOf from being walked in all its combinations.
 *
 * Unknown members: each object has a bitmap of the members some schema has described. The schemas
 * that look at the object (through $ref, allOf, anyOf, oneOf) share it; a branch that fails gives
 * its marks back. When the outermost is done, a member without a mark is unknown. */
#include "schema_inner.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#define STEP_BYTES 64 /* of text that one step compares */
#define NO_MARKS   ((size_t)-1)
#define DFA_SPACE  1000
#define TOO_MUCH   "the call takes more work to check than is allowed"
#define EXACT_LIMIT                                                                                \
    4503599627370496.0L /* 2^52: a quotient past it has no fraction left to look at */

static bool check(struct check *c, const struct node *n, const struct value *v, const struct at *at,
                  size_t marks);

void schema_check_init(struct check *c, const struct schema *s, struct schema_error *err)
{
    c->schema = s;
    c->err = err;
    c->invalid = SCHEMA_EPARAM_INVALID;
    c->parameter = (struct slice){NULL, 0};
    c->steps = SCHEMA_STEPS_MAX;
    c->quiet = 0;
    c->hard = false;
    c->match = NULL;
    c->marks = c->marks_here;
    c->n_marks = 0;
    c->cap_marks = sizeof c->marks_here;
}

void schema_check_fini(struct check *c)
{
    pcre2_match_data_free(c->match);
    if (c->marks != c->marks_here) {
        free(c->marks);
    }
}

bool schema_fail(struct check *c, enum schema_err code, struct slice where, const char *detail)
{
    c->err->code = code;
    c->err->detail = detail;
    schema_where_text(c->err->where, where);
    return false;
}

bool schema_fail_at(struct check *c, enum schema_err code, const struct at *at, const char *detail)
{
    schema_fail(c, code, c->parameter, detail);
    if (c->parameter.p == NULL) {
        schema_where(c->err->where, at);
    }
    return false;
}

/* The value is not as described: said only where no other branch may still take it. */
static bool invalid(struct check *c, const struct at *at, const char *detail)
{
    return c->quiet == 0 && !c->hard ? schema_fail_at(c, c->invalid, at, detail) : false;
}

static bool hard(struct check *c, enum schema_err code, const struct at *at, const char *detail)
{
    if (!c->hard) {
        schema_fail_at(c, code, at, detail);
    }
    c->hard = true;
    return false;
}

static bool spend(struct check *c, size_t steps, const struct at *at)
{
    c->steps -= (int64_t)steps;
    return c->steps >= 0 ? true : hard(c, SCHEMA_ELIMIT, at, TOO_MUCH);
}

/* -- marks ------------------------------------------------------------------------------------- */

static size_t marks_bytes(const struct value *object)
{
    return (object->n + 7) / 8;
}

/* A zeroed bitmap on top of the stack; NO_MARKS when there is no memory. */
static size_t marks_push(struct check *c, const struct value *object, const struct at *at)
{
    size_t need = marks_bytes(object), at_byte = c->n_marks;
    if (c->cap_marks - c->n_marks < need) {
        size_t cap = (c->cap_marks + need) * 2;
        char *grown = malloc(cap);
        if (grown == NULL) {
            hard(c, SCHEMA_ENOMEM, at, schema_strerror(SCHEMA_ENOMEM));
            return NO_MARKS;
        }
        memcpy(grown, c->marks, c->n_marks);
        if (c->marks != c->marks_here) {
            free(c->marks);
        }
        c->marks = grown;
        c->cap_marks = cap;
    }
    memset(c->marks + at_byte, 0, need);
    c->n_marks += need;
    return at_byte;
}

static void mark(struct check *c, size_t marks, size_t member)
{
    c->marks[marks + member / 8] = (char)(c->marks[marks + member / 8] | 1 << member % 8);
}

static void mark_all(struct check *c, size_t marks, const struct value *object)
{
    if (object->kind == KIND_OBJECT) {
        memset(c->marks + marks, 0xff, marks_bytes(object));
    }
}

static bool is_marked(const struct check *c, size_t marks, size_t member)
{
    return (c->marks[marks + member / 8] >> member % 8 & 1) != 0;
}

/* A branch: its marks count only if it takes the value. */
static bool try_branch(struct check *c, const struct node *n, const struct value *v,
                       const struct at *at, size_t marks)
{
    bool is_object = v->kind == KIND_OBJECT;
    size_t own = is_object ? marks_push(c, v, at) : NO_MARKS;
    if ((is_object && own == NO_MARKS) || !spend(c, is_object ? v->n / STEP_BYTES : 0, at)) {
        return false;
    }
    c->quiet++;
    bool taken = check(c, n, v, at, own);
    c->quiet--;
    for (size_t i = 0; taken && is_object && i < marks_bytes(v); i++) {
        c->marks[marks + i] = (char)(c->marks[marks + i] | c->marks[own + i]);
    }
    c->n_marks = is_object ? own : c->n_marks;
    return taken && !c->hard;
}

/* -- scalars ----------------------------------------------------------------------------------- */

static bool is_multiple(long double number, long double step)
{
    if (step == floorl(step) || number == 0) {
        return fmodl(number, step) == 0;
    }
    /* 0.3 is no multiple of 0.1 in binary: both carry half a unit of error, so that much is
     * allowed. */
    long double quotient = roundl(number / step);
    return fabsl(quotient) < EXACT_LIMIT &&
           fabsl(number - quotient * step) <= fabsl(number) * DBL_EPSILON;
}

static bool check_number(struct check *c, const struct node *n, const struct value *v,
                         const struct at *at)
{
    if (v->number < n->minimum || v->number <= n->above) {
        return invalid(c, at, "the number is too small");
    }
    if (v->number > n->maximum || v->number >= n->below) {
        return invalid(c, at, "the number is too large");
    }
    if (n->int32 && (v->number < INT32_MIN || v->number > INT32_MAX)) {
        return invalid(c, at, "the number does not fit 32 bits");
    }
    return n->step == 0 || is_multiple(v->number, n->step) ||
           invalid(c, at, "the number is not a multiple of what is described");
}

static int match(struct check *c, const pcre2_code *code, struct slice text)
{
    int space[DFA_SPACE];
    return pcre2_dfa_match(code, (PCRE2_SPTR)text.p, text.n, 0,
                           PCRE2_DFA_SHORTEST | PCRE2_NO_UTF_CHECK, c->match, c->schema->match,
                           space, DFA_SPACE);
}

static bool run_pattern(struct check *c, const struct pattern *pattern, struct slice text,
                        const struct at *at, bool *matches)
{
    size_t once = 8 + text.n * pattern->cost, again = text.n / 4 + 1;
    if (text.n > SCHEMA_PATTERN_INPUT) {
        return hard(c, SCHEMA_ELIMIT, at, "the text is longer than a pattern is held against");
    }
    if (!spend(c, pattern->looks ? once * again : once, at)) {
        return false;
    }
    if (c->match == NULL && (c->match = pcre2_match_data_create(1, NULL)) == NULL) {
        return hard(c, SCHEMA_ENOMEM, at, schema_strerror(SCHEMA_ENOMEM));
    }
    int rc = match(c, pattern->search != NULL ? pattern->search : pattern->plain, text);
    if (rc == PCRE2_ERROR_DFA_WSSIZE &&
        pattern->search != NULL) { /* too many starts are alive at once */
        if (!spend(c, once * again, at)) {
            return false;
        }
        rc = match(c, pattern->plain, text);
    }
    *matches = rc >= 0;
    return rc >= 0 || rc == PCRE2_ERROR_NOMATCH ||
           hard(c, SCHEMA_ELIMIT, at, "the pattern takes more work than is allowed");
}

/* Length in code points. */
static size_t characters(struct slice text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        n += ((unsigned char)text.p[i] & 0xc0) != 0x80;
    }
    return n;
}

static bool check_string(struct check *c, const struct node *n, const struct value *v,
                         const struct at *at)
{
    bool matches = true;
    if (!spend(c, v->text.n / STEP_BYTES, at)) {
        return false;
    }
    if (n->min_length > 0 || n->max_length < UINT32_MAX) {
        size_t length = characters(v->text);
        if (length < n->min_length || length > n->max_length) {
            return invalid(
                c, at, length < n->min_length ? "the text is too short" : "the text is too long");
        }
    }
    if (n->format != NULL && !n->format(v->text)) {
        return invalid(c, at, "the text does not have the described format");
    }
    if (n->pattern.plain != NULL && !run_pattern(c, &n->pattern, v->text, at, &matches)) {
        return false;
    }
    return matches || invalid(c, at, "the text does not match the described pattern");
}

/* -- arrays ------------------------------------------------------------------------------------ */

struct hashed {
    uint64_t hash;
    size_t i;
};

static int by_hash(const void *left, const void *right)
{
    const struct hashed *a = left, *b = right;
    return a->hash < b->hash ? -1 : a->hash > b->hash;
}

/* Values compared and hashed cost by their whole size, of which the members of a body are the
 * bound. */
static size_t weight(const struct value *v)
{
    size_t sum = 1 + v->text.n / STEP_BYTES + v->n;
    const char *key;
    json_t *member;
    size_t i;
    if (v->tree != NULL && v->kind == KIND_OBJECT) {
        json_object_foreach((json_t *)(uintptr_t)v->tree, key, member)
        {
            struct value one = schema_value_of(member);
            sum += weight(&one) + strlen(key) / STEP_BYTES;
        }
    }
    if (v->tree != NULL && v->kind == KIND_ARRAY) {
        json_array_foreach(v->tree, i, member)
        {
            struct value one = schema_value_of(member);
            sum += weight(&one);
        }
    }
    return sum;
}

/* Only neighbours with one hash are compared; their hashes cannot be made equal without the seed.
 */
static bool all_differ(struct check *c, const struct value *v, struct hashed *list,
                       const struct at *at)
{
    for (size_t i = 0; i < v->n; i++) {
        struct value item = schema_value_item(v, i);
        list[i] = (struct hashed){schema_value_hash(&item, c->schema->seed), i};
    }
    qsort(list, v->n, sizeof *list, by_hash);
    for (size_t i = 1; i < v->n; i++) {
        struct value a = schema_value_item(v, list[i - 1].i), b = schema_value_item(v, list[i].i);
        if (list[i - 1].hash == list[i].hash && schema_value_equal(&a, &b)) {
            return invalid(c, at, "two items are the same");
        }
    }
    return true;
}

static bool check_unique(struct check *c, const struct value *v, const struct at *at)
{
    if (!spend(c, 2 * weight(v), at)) {
        return false;
    }
    struct hashed *list = malloc((v->n + 1) * sizeof *list);
    if (list == NULL) {
        return hard(c, SCHEMA_ENOMEM, at, schema_strerror(SCHEMA_ENOMEM));
    }
    bool ok = all_differ(c, v, list, at);
    free(list);
    return ok;
}

static bool check_array(struct check *c, const struct node *n, const struct value *v,
                        const struct at *at)
{
    if (v->n < n->min_items || v->n > n->max_items) {
        return invalid(
            c, at, v->n < n->min_items ? "there are too few items" : "there are too many items");
    }
    if (n->tuple && v->n > n->prefix.n) {
        return invalid(c, at, "there is an item that is not described");
    }
    for (size_t i = 0; i < v->n; i++) {
        const struct node *schema = i < n->prefix.n ? n->prefix.list[i] : n->items;
        struct value item = schema_value_item(v, i);
        struct at below = {.up = at, .index = i};
        if (schema != NULL && !schema_check_value(c, schema, &item, &below)) {
            return false;
        }
    }
    return !n->unique || check_unique(c, v, at);
}

/* -- objects ----------------------------------------------------------------------------------- */

static const struct node *find_property(const struct node *n, struct slice name)
{
    size_t low = 0, high = n->n_properties;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct property *p = &n->properties[middle];
        int order = p->name.n == name.n  ? memcmp(p->name.p, name.p, name.n)
                    : p->name.n < name.n ? -1
                                         : 1;
        if (order == 0) {
            return p->schema;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return NULL;
}

static bool unknown_member(struct check *c, const struct at *at, const char *key)
{
    struct at below = {.up = at, .name = key};
    bool plain = schema_is_plain_name(slice_str(key));
    return invalid(c, plain ? &below : at, "there is a member that is not described");
}

/* Each pattern whose name fits has its say. *described: one did. */
static bool check_named(struct check *c, const struct node *n, const char *key,
                        const struct value *v, const struct at *at, bool *described)
{
    for (size_t i = 0; i < n->n_patterns; i++) {
        bool matches = false;
        if (!run_pattern(c, &n->patterns[i].pattern, slice_str(key), at, &matches)) {
            return false;
        }
        *described = *described || matches;
        if (matches && !schema_check_value(c, n->patterns[i].schema, v, at)) {
            return false;
        }
    }
    return true;
}

static bool check_member(struct check *c, const struct node *n, const char *key,
                         const json_t *member, const struct at *at, bool *described)
{
    struct value v = schema_value_of(member);
    const struct node *property = find_property(n, slice_str(key));
    struct at below = {.up = at, .name = key};
    /* A name the description does not list may itself be data, so it is not shown. */
    const struct at *shown = property != NULL || schema_is_plain_name(slice_str(key)) ? &below : at;
    *described = property != NULL;
    if (property != NULL && !schema_check_value(c, property, &v, shown)) {
        return false;
    }
    if (!check_named(c, n, key, &v, shown, described)) {
        return false;
    }
    if (*described) {
        return true;
    }
    if (n->closed) {
        return unknown_member(c, at, key);
    }
    *described = n->additional != NULL;
    return n->additional == NULL || schema_check_value(c, n->additional, &v, shown);
}

static bool check_object(struct check *c, const struct node *n, const struct value *v,
                         const struct at *at, size_t marks)
{
    const char *key;
    json_t *member;
    size_t i = 0;
    if (v->n < n->min_members || v->n > n->max_members) {
        return invalid(c, at,
                       v->n < n->min_members ? "there are too few members"
                                             : "there are too many members");
    }
    for (size_t k = 0; k < n->n_required; k++) {
        if (json_object_get(v->tree, n->required[k]) == NULL) {
            struct at below = {.up = at, .name = n->required[k]};
            return invalid(c, &below, "a required member is missing");
        }
    }
    if (!spend(c, v->n + n->n_required, at)) {
        return false;
    }
    json_object_foreach((json_t *)(uintptr_t)v->tree, key, member)
    {
        bool described = false;
        if (!check_member(c, n, key, member, at, &described)) {
            return false;
        }
        if (described) {
            mark(c, marks, i);
        }
        i++;
    }
    return true;
}

/* What no schema of this scope has described is refused. */
static bool close_scope(struct check *c, const struct value *v, const struct at *at, size_t marks)
{
    const char *key;
    json_t *member;
    size_t i = 0;
    json_object_foreach((json_t *)(uintptr_t)v->tree, key, member)
    {
        if (!is_marked(c, marks, i)) {
            return unknown_member(c, at, key);
        }
        i++;
    }
    return true;
}

/* -- schemas ----------------------------------------------------------------------------------- */

static bool check_type(const struct node *n, const struct value *v)
{
    unsigned kinds = 1u << v->kind | (v->kind == KIND_INTEGER ? 1u << KIND_NUMBER : 0);
    return n->types == 0 || (n->types & kinds) != 0;
}

static bool is_choice(struct check *c, const json_t *choices, const struct value *v,
                      const struct at *at)
{
    size_t i;
    const json_t *choice;
    if (!spend(c,
               json_array_size(choices) * (1 + v->text.n / STEP_BYTES + (v->n > 0 ? weight(v) : 0)),
               at)) {
        return false;
    }
    json_array_foreach(choices, i, choice)
    {
        struct value one = schema_value_of(choice);
        if (schema_value_equal(&one, v)) {
            return true;
        }
    }
    return false;
}

static bool check_constants(struct check *c, const struct node *n, const struct value *v,
                            const struct at *at, size_t marks)
{
    if (n->choices != NULL && !is_choice(c, n->choices, v, at)) {
        return invalid(c, at, "the value is none of those described");
    }
    if (n->constant != NULL) {
        struct value constant = schema_value_of(n->constant);
        if (!spend(c, v->n > 0 ? weight(v) : 1, at) || !schema_value_equal(&constant, v)) {
            return invalid(c, at, "the value is not the one described");
        }
    }
    if (n->choices != NULL || n->constant != NULL) {
        mark_all(c, marks, v); /* each member of it was compared */
    }
    return true;
}

static bool check_one_of(struct check *c, const struct node *n, const struct value *v,
                         const struct at *at, size_t marks)
{
    size_t taken = 0;
    for (size_t i = 0; i < n->one.n && taken < 2 && !c->hard; i++) {
        taken += try_branch(c, n->one.list[i], v, at, marks);
    }
    return taken == 1 || invalid(c, at,
                                 taken == 0 ? "none of the described forms fits"
                                            : "more than one of the described forms fits");
}

static bool check_any_of(struct check *c, const struct node *n, const struct value *v,
                         const struct at *at, size_t marks)
{
    size_t taken = 0;
    /* All of them, for a later one may describe members an earlier one does not. */
    bool all = v->kind == KIND_OBJECT;
    for (size_t i = 0; i < n->any.n && (all || taken == 0) && !c->hard; i++) {
        taken += try_branch(c, n->any.list[i], v, at, marks);
    }
    return taken > 0 || invalid(c, at, "none of the described forms fits");
}

static bool check_not(struct check *c, const struct node *n, const struct value *v,
                      const struct at *at)
{
    size_t before = c->n_marks;
    bool is_object = v->kind == KIND_OBJECT;
    size_t own = is_object ? marks_push(c, v, at) : NO_MARKS;
    if (is_object && own == NO_MARKS) {
        return false;
    }
    c->quiet++;
    bool fits = check(c, n, v, at, own);
    c->quiet--;
    c->n_marks = before;
    return (!fits && !c->hard) || invalid(c, at, "the value has a form that is excluded");
}

static bool check_combined(struct check *c, const struct node *n, const struct value *v,
                           const struct at *at, size_t marks)
{
    if (n->ref != NULL && !check(c, n->ref, v, at, marks)) {
        return false;
    }
    for (size_t i = 0; i < n->all.n; i++) {
        if (!check(c, n->all.list[i], v, at, marks)) {
            return false;
        }
    }
    if ((n->any.n > 0 && !check_any_of(c, n, v, at, marks)) ||
        (n->one.n > 0 && !check_one_of(c, n, v, at, marks))) {
        return false;
    }
    return n->excluded == NULL || check_not(c, n->excluded, v, at);
}

static bool check_own(struct check *c, const struct node *n, const struct value *v,
                      const struct at *at, size_t marks)
{
    switch (v->kind) {
    case KIND_INTEGER:
    case KIND_NUMBER:
        return check_number(c, n, v, at);
    case KIND_STRING:
        return check_string(c, n, v, at);
    case KIND_ARRAY:
        return check_array(c, n, v, at);
    case KIND_OBJECT:
        return check_object(c, n, v, at, marks);
    case KIND_NULL:
    case KIND_BOOLEAN:
    case KIND_COUNT:
        break;
    }
    return true;
}

static bool check_all(struct check *c, const struct node *n, const struct value *v,
                      const struct at *at, size_t marks)
{
    if (n->never) {
        return invalid(c, at, "no value is allowed here");
    }
    if (!check_type(n, v)) {
        return invalid(c, at, "the value has the wrong type");
    }
    if (!check_constants(c, n, v, at, marks) || !check_own(c, n, v, at, marks) ||
        !check_combined(c, n, v, at, marks)) {
        return false;
    }
    if (n->open) {
        mark_all(c, marks, v);
    }
    return true;
}

static bool check_in_scope(struct check *c, const struct node *n, const struct value *v,
                           const struct at *at)
{
    size_t own = marks_push(c, v, at);
    if (own == NO_MARKS) {
        return false;
    }
    bool ok = check_all(c, n, v, at, own) && close_scope(c, v, at, own);
    c->n_marks = own;
    return ok;
}

/* A schema that looks at the value together with others, which share `marks`. */
static bool check(struct check *c, const struct node *n, const struct value *v, const struct at *at,
                  size_t marks)
{
    if (!spend(c, 1, at)) {
        return false;
    }
    if (!n->scope || v->kind != KIND_OBJECT) {
        return check_all(c, n, v, at, marks);
    }
    if (!check_in_scope(c, n, v, at)) {
        return false;
    }
    mark_all(c, marks, v); /* a closed scope has described them all */
    return true;
}

bool schema_check_value(struct check *c, const struct node *node, const struct value *v,
                        const struct at *at)
{
    if (!spend(c, 1, at)) {
        return false;
    }
    while (node->alias) {
        node = node->ref;
    }
    if (node->anything) {
        return true;
    }
    return v->kind == KIND_OBJECT ? check_in_scope(c, node, v, at)
                                  : check_all(c, node, v, at, NO_MARKS);
}
