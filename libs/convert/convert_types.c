/* SPDX-License-Identifier: Apache-2.0 */
/* Types, elements and attributes of a definition. */
#include <libxml/tree.h>
#include <stdio.h>

#include "convert/convert_compile.h"

static err_t bad_as(struct compiler *k, err_t code, const char *text)
{
    k->error->code = code;
    k->error->text = text;
    snprintf(k->error->where, sizeof k->error->where, "%s", k->where);
    return code;
}

err_t compiler_bad(struct compiler *k, const char *text)
{
    return bad_as(k, CONVERT_EDEFINITION, text);
}

err_t compiler_no_memory(struct compiler *k)
{
    return bad_as(k, CONVERT_EMEMORY, convert_strerror(CONVERT_EMEMORY));
}

/* Puts a step on the way to here; the return goes to compiler_leave(). Names of the definition
 * itself are no content, but they may be long: cut. */
size_t compiler_enter(struct compiler *k, const char *name, size_t index)
{
    size_t was = k->where_n;
    int n = index == SIZE_MAX ? snprintf(k->where + was, sizeof k->where - was, "%s%.64s",
                                         was > 0 ? "." : "", name)
                              : snprintf(k->where + was, sizeof k->where - was, "%s%.64s[%zu]",
                                         was > 0 ? "." : "", name, index);
    k->where_n = was + (size_t)n < sizeof k->where ? was + (size_t)n : sizeof k->where - 1;
    return was;
}

void compiler_leave(struct compiler *k, size_t was)
{
    k->where_n = was;
    k->where[was] = '\0';
}

bool compiler_keys_known(const json_t *object, const char *const *known)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        size_t i = 0;
        while (known[i] != NULL && strcmp(known[i], key) != 0) {
            i++;
        }
        if (known[i] == NULL) {
            return false;
        }
    }
    return true;
}

/* Copies of text; p NULL: no memory. */
struct slice compiler_copy(struct compiler *k, struct slice s)
{
    char *p = convert_alloc(k->c, s.n + 1);
    if (p != NULL && s.n > 0) {
        memcpy(p, s.p, s.n);
    }
    return slice_of(p, s.n);
}

static struct slice copy_buf(struct compiler *k, struct buf *b)
{
    struct slice s = b->failed ? slice_of(NULL, 0) : compiler_copy(k, buf_slice(b));
    buf_fini(b);
    return s;
}

struct slice compiler_text(const json_t *value)
{
    const char *p = json_string_value(value);
    return slice_of(p, p != NULL ? json_string_length(value) : 0);
}

bool compiler_name_ok(struct slice s)
{
    return s.p != NULL && s.n > 0 && s.n <= CONVERT_NAME_MAX && strlen(s.p) == s.n &&
           xmlValidateNCName((const xmlChar *)s.p, 0) == 0;
}

bool compiler_key_ok(struct slice s)
{
    return s.p != NULL && s.n > 0 && s.n <= CONVERT_NAME_MAX;
}

/* The prefix "ns" names, or the default; *uri empty: none. */
static err_t namespace_of(struct compiler *k, const json_t *o, bool attribute, struct slice *prefix,
                          struct slice *uri)
{
    const json_t *ns = json_object_get(o, "ns");
    *prefix = ns != NULL ? compiler_text(ns) : attribute ? slice_of("", 0) : k->default_ns;
    *uri = slice_of("", 0);
    if (ns != NULL && !json_is_string(ns)) {
        return compiler_bad(k, "ns is a prefix among namespaces, or \"\"");
    }
    if (prefix->n == 0) {
        return CONVERT_OK;
    }
    const json_t *value = json_object_get(k->namespaces, prefix->p);
    if (value == NULL) {
        return compiler_bad(k, "ns is a prefix among namespaces, or \"\"");
    }
    *uri = compiler_copy(k, compiler_text(value));
    return uri->p != NULL ? CONVERT_OK : compiler_no_memory(k);
}

/* Makes "`before`prefix:name`after`". */
struct slice compiler_tag(struct compiler *k, const char *before, struct slice prefix,
                          struct slice name, const char *after)
{
    struct buf b;
    buf_init(&b);
    buf_adds(&b, before);
    buf_add(&b, prefix.p, prefix.n);
    buf_adds(&b, prefix.n > 0 ? ":" : "");
    buf_add(&b, name.p, name.n);
    buf_adds(&b, after);
    return copy_buf(k, &b);
}

struct slice compiler_member(struct compiler *k, struct slice key)
{
    struct buf b;
    buf_init(&b);
    buf_add_json(&b, key);
    buf_addc(&b, ':');
    return copy_buf(k, &b);
}

static const char *const kind_names[CONVERT_KINDS] = {
    [CONVERT_STRING] = "string",     [CONVERT_INTEGER] = "integer", [CONVERT_DECIMAL] = "decimal",
    [CONVERT_NUMBER] = "number",     [CONVERT_BOOLEAN] = "boolean", [CONVERT_DATE] = "date",
    [CONVERT_DATETIME] = "dateTime", [CONVERT_BASE64] = "base64"};

int compiler_kind(const json_t *type)
{
    const char *name = json_string_value(type);
    for (int i = 0; name != NULL && i < CONVERT_KINDS; i++) {
        if (strcmp(kind_names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

static err_t scalar_values(struct compiler *k, struct convert_scalar *s, const json_t *list)
{
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n == 0 || n > 10000) {
        return compiler_bad(k, "enum is a list of at least one string");
    }
    struct slice *values = convert_alloc(k->c, n * sizeof *values);
    if (values == NULL) {
        return compiler_no_memory(k);
    }
    for (size_t i = 0; i < n; i++) {
        struct slice text = compiler_text(json_array_get(list, i));
        if (text.p == NULL || !convert_value_ok(s, text)) {
            return compiler_bad(k, "enum holds a value that is not of its type, or no string");
        }
        values[i] = compiler_copy(k, text);
        if (values[i].p == NULL) {
            return compiler_no_memory(k);
        }
    }
    s->values = values;
    s->n_values = (uint32_t)n;
    return CONVERT_OK;
}

static err_t scalar_of(struct compiler *k, const json_t *o, struct convert_scalar *s)
{
    const json_t *as = json_object_get(o, "as"), *list = json_object_get(o, "enum");
    int kind = compiler_kind(json_object_get(o, "type"));
    if (kind < 0) {
        return compiler_bad(k, "type is not one of the scalar types");
    }
    s->kind = (uint8_t)kind;
    if (as != NULL) {
        bool number = kind == CONVERT_INTEGER || kind == CONVERT_DECIMAL || kind == CONVERT_NUMBER;
        if (!number || !slice_eq(compiler_text(as), SLICE("string"))) {
            return compiler_bad(k, "as is \"string\", for a number only");
        }
        s->quoted = true;
    }
    return list != NULL ? scalar_values(k, s, list) : CONVERT_OK;
}

static err_t attr_of(struct compiler *k, const json_t *o, struct convert_attr *a)
{
    static const char *const known[] = {"name", "ns",   "member",   "type",
                                        "as",   "enum", "required", NULL};
    struct slice prefix, name = compiler_text(json_object_get(o, "name"));
    const json_t *as_member = json_object_get(o, "member"),
                 *required = json_object_get(o, "required");
    if (!json_is_object(o) || !compiler_keys_known(o, known)) {
        return compiler_bad(
            k, "an attribute is an object of name, ns, member, type, as, enum, required");
    }
    if (!compiler_name_ok(name) || slice_eq(name, SLICE("xmlns"))) {
        return compiler_bad(k, "name is not an XML name without a colon");
    }
    if ((as_member != NULL && !compiler_key_ok(compiler_text(as_member))) ||
        (required != NULL && !json_is_boolean(required))) {
        return compiler_bad(k, "member is a string, required true or false");
    }
    err_t err = namespace_of(k, o, true, &prefix, &a->ns);
    if (err == CONVERT_OK) {
        err = scalar_of(k, o, &a->scalar);
    }
    if (err != CONVERT_OK) {
        return err;
    }
    a->required = json_is_true(required);
    struct slice key = as_member != NULL ? compiler_text(as_member) : name;
    a->name = compiler_copy(k, name);
    a->open = compiler_tag(k, " ", prefix, name, "=\"");
    a->key = compiler_tag(k, "", slice_of("", 0), key, "");
    if (as_member == NULL) {
        struct buf b;
        buf_init(&b);
        buf_add(&b, k->attribute_prefix.p, k->attribute_prefix.n);
        buf_add(&b, name.p, name.n);
        a->key = copy_buf(k, &b);
    }
    a->member = a->key.p != NULL ? compiler_member(k, a->key) : a->key;
    return a->name.p != NULL && a->open.p != NULL && a->member.p != NULL ? CONVERT_OK
                                                                         : compiler_no_memory(k);
}

static err_t attrs_of(struct compiler *k, const json_t *list, struct convert_type *t)
{
    size_t n = json_array_size(list);
    if (list == NULL) {
        return CONVERT_OK;
    }
    if (!json_is_array(list) || n > CONVERT_ATTRIBUTES_MAX - 1) {
        return compiler_bad(k, "attributes is a list of at most 63");
    }
    struct convert_attr *attrs = convert_alloc(k->c, (n + 1) * sizeof *attrs);
    if (attrs == NULL) {
        return compiler_no_memory(k);
    }
    for (size_t i = 0; i < n; i++) {
        size_t was = compiler_enter(k, "attributes", i);
        err_t err = attr_of(k, json_array_get(list, i), &attrs[i]);
        if (err != CONVERT_OK) {
            return err;
        }
        t->required_attrs |= (uint64_t)attrs[i].required << i;
        compiler_leave(k, was);
    }
    t->attrs = attrs;
    t->n_attrs = (uint8_t)n;
    return CONVERT_OK;
}

static err_t fields_of(struct compiler *k, const json_t *list, struct convert_type *t,
                       unsigned depth)
{
    size_t n = json_array_size(list);
    if (list == NULL) {
        return CONVERT_OK;
    }
    if (!json_is_array(list) || n > CONVERT_FIELDS_MAX) {
        return compiler_bad(k, "elements is a list of at most 256");
    }
    struct convert_field *fields = convert_alloc(k->c, (n + 1) * sizeof *fields);
    if (fields == NULL) {
        return compiler_no_memory(k);
    }
    for (size_t i = 0; i < n; i++) {
        size_t was = compiler_enter(k, "elements", i);
        err_t err = compiler_field(k, json_array_get(list, i), &fields[i], depth + 1);
        if (err != CONVERT_OK) {
            return err;
        }
        bool must = fields[i].min > 0 && fields[i].choice == 0;
        t->required[i / 64] |= (uint64_t)must << i % 64;
        t->n_choices = fields[i].choice > t->n_choices ? fields[i].choice : t->n_choices;
        compiler_leave(k, was);
    }
    t->fields = fields;
    t->n_fields = (uint32_t)n;
    return CONVERT_OK;
}

/* No two members and no two elements of one name; #text is a member of a scalar with attributes. */
static err_t names_apart(struct compiler *k, const struct convert_type *t)
{
    for (uint32_t i = 0; i < t->n_fields; i++) {
        for (uint32_t j = 0; j < i; j++) {
            const struct convert_field *a = &t->fields[i], *b = &t->fields[j];
            if (slice_eq(a->key, b->key) ||
                (slice_eq(a->name, b->name) && slice_eq(a->ns, b->ns))) {
                return compiler_bad(k, "two elements have the same name or member");
            }
        }
    }
    for (uint32_t i = 0; i < t->n_attrs; i++) {
        const struct convert_attr *a = &t->attrs[i];
        bool twice = t->shape == CONVERT_SCALAR && slice_eq(a->key, k->c->text_key);
        for (uint32_t j = 0; j < i; j++) {
            const struct convert_attr *b = &t->attrs[j];
            twice |=
                slice_eq(a->key, b->key) || (slice_eq(a->name, b->name) && slice_eq(a->ns, b->ns));
        }
        for (uint32_t j = 0; j < t->n_fields; j++) {
            twice |= slice_eq(a->key, t->fields[j].key);
        }
        if (twice) {
            return compiler_bad(k, "two members have the same name");
        }
    }
    return CONVERT_OK;
}

/* The keys of a type, wherever it stands. */
err_t compiler_type(struct compiler *k, const json_t *o, struct convert_type *t, unsigned depth)
{
    const json_t *order = json_object_get(o, "order"), *elements = json_object_get(o, "elements");
    bool object = slice_eq(compiler_text(json_object_get(o, "type")), SLICE("object"));
    if (depth > CONVERT_DEPTH_MAX) {
        return compiler_bad(k, "nested too deep");
    }
    if (order != NULL && !slice_eq(compiler_text(order), SLICE("sequence")) &&
        !slice_eq(compiler_text(order), SLICE("any"))) {
        return compiler_bad(k, "order is \"sequence\" or \"any\"");
    }
    t->ordered = !slice_eq(compiler_text(order), SLICE("any"));
    t->shape = object ? CONVERT_OBJECT : CONVERT_SCALAR;
    if (object && (json_object_get(o, "as") != NULL || json_object_get(o, "enum") != NULL)) {
        return compiler_bad(k, "an object has neither as nor enum");
    }
    if (!object && (elements != NULL || order != NULL)) {
        return compiler_bad(k, "only an object has elements and order");
    }
    err_t err = object ? fields_of(k, elements, t, depth) : scalar_of(k, o, &t->scalar);
    if (err == CONVERT_OK) {
        err = attrs_of(k, json_object_get(o, "attributes"), t);
    }
    return err == CONVERT_OK ? names_apart(k, t) : err;
}

static const struct convert_type *named_type(struct compiler *k, const char *name)
{
    const char *key;
    json_t *value;
    size_t i = 0;
    json_object_foreach((json_t *)k->types, key, value)
    {
        if (strcmp(key, name) == 0) {
            return &k->named[i];
        }
        i++;
    }
    return NULL;
}

static err_t type_of(struct compiler *k, const json_t *o, const struct convert_type **type,
                     unsigned depth)
{
    static const char *const inline_keys[] = {"as", "enum", "attributes", "elements", "order"};
    const json_t *name = json_object_get(o, "type");
    if (!json_is_string(name)) {
        return compiler_bad(k, "type is missing");
    }
    if (compiler_kind(name) < 0 && !slice_eq(compiler_text(name), SLICE("object"))) {
        *type = named_type(k, json_string_value(name));
        for (size_t i = 0; i < sizeof inline_keys / sizeof *inline_keys; i++) {
            if (json_object_get(o, inline_keys[i]) != NULL) {
                return compiler_bad(k, "a reference to a named type adds nothing to it");
            }
        }
        return *type != NULL ? CONVERT_OK
                             : compiler_bad(k, "type is neither built in nor among types");
    }
    struct convert_type *t = convert_alloc(k->c, sizeof *t);
    if (t == NULL) {
        return compiler_no_memory(k);
    }
    *type = t;
    return compiler_type(k, o, t, depth);
}

/* A number from 0 to 1,000,000, or the default. False: something else. */
static bool count_of(const json_t *o, const char *key, uint32_t *count)
{
    const json_t *value = json_object_get(o, key);
    if (value == NULL) {
        return true;
    }
    json_int_t n = json_integer_value(value);
    *count = (uint32_t)n;
    return json_is_integer(value) && n >= 0 && n <= 1000000;
}

bool compiler_flag_ok(const json_t *o, const char *key)
{
    const json_t *value = json_object_get(o, key);
    return value == NULL || json_is_boolean(value);
}

static err_t field_flags(struct compiler *k, const json_t *o, struct convert_field *f)
{
    uint32_t choice = 0;
    if (!compiler_flag_ok(o, "many") || !compiler_flag_ok(o, "required") ||
        !compiler_flag_ok(o, "nillable")) {
        return compiler_bad(k, "many, required and nillable are true or false");
    }
    f->many = json_is_true(json_object_get(o, "many"));
    f->nillable = json_is_true(json_object_get(o, "nillable"));
    f->min = json_is_true(json_object_get(o, "required"));
    f->max = f->many ? 0 : 1;
    k->nillable |= f->nillable;
    if (!f->many && (json_object_get(o, "min") != NULL || json_object_get(o, "max") != NULL)) {
        return compiler_bad(k, "min and max are for what is many");
    }
    if (!count_of(o, "min", &f->min) || !count_of(o, "max", &f->max) ||
        (f->max > 0 && f->min > f->max)) {
        return compiler_bad(k, "min and max are numbers, min the smaller");
    }
    if (!count_of(o, "choice", &choice) || choice > 64) {
        return compiler_bad(k, "choice is a number from 1 to 64");
    }
    f->choice = (uint8_t)choice;
    return CONVERT_OK;
}

static err_t field_names(struct compiler *k, const json_t *o, struct convert_field *f)
{
    struct slice prefix, name = compiler_text(json_object_get(o, "name"));
    const json_t *as_member = json_object_get(o, "member");
    if (!compiler_name_ok(name)) {
        return compiler_bad(k, "name is not an XML name without a colon");
    }
    if (as_member != NULL && !compiler_key_ok(compiler_text(as_member))) {
        return compiler_bad(k, "member is a string");
    }
    err_t err = namespace_of(k, o, false, &prefix, &f->ns);
    if (err != CONVERT_OK) {
        return err;
    }
    f->name = compiler_copy(k, name);
    f->key = compiler_copy(k, as_member != NULL ? compiler_text(as_member) : name);
    f->open = compiler_tag(k, "<", prefix, name, "");
    f->close = compiler_tag(k, "</", prefix, name, ">");
    f->member = f->key.p != NULL ? compiler_member(k, f->key) : f->key;
    bool all = f->name.p != NULL && f->open.p != NULL && f->close.p != NULL && f->member.p != NULL;
    return all ? CONVERT_OK : compiler_no_memory(k);
}

/* f, which is many, becomes the one child of a wrapper element that takes its member. */
static err_t wrap(struct compiler *k, const json_t *o, struct convert_field *f)
{
    static const char *const known[] = {"name", "ns", NULL};
    struct convert_field *inner = convert_alloc(k->c, sizeof *inner);
    struct convert_type *t = convert_alloc(k->c, sizeof *t);
    if (inner == NULL || t == NULL) {
        return compiler_no_memory(k);
    }
    if (!json_is_object(o) || !compiler_keys_known(o, known) || !f->many) {
        return compiler_bad(k, "wrapper is an object of name and ns, for what is many");
    }
    *inner = *f;
    struct convert_field outer = {.min = f->min > 0, .max = 1, .choice = f->choice};
    err_t err = field_names(k, o, &outer);
    if (err != CONVERT_OK) {
        return err;
    }
    outer.key = f->key;
    outer.member = f->member;
    inner->choice = 0;
    *t = (struct convert_type){
        .shape = CONVERT_WRAPPER, .ordered = true, .n_fields = 1, .fields = inner};
    t->required[0] = inner->min > 0;
    outer.type = t;
    *f = outer;
    return CONVERT_OK;
}

err_t compiler_field(struct compiler *k, const json_t *o, struct convert_field *f, unsigned depth)
{
    static const char *const known[] = {"name",    "ns",         "member",   "type",     "as",
                                        "enum",    "attributes", "elements", "order",    "many",
                                        "min",     "max",        "required", "nillable", "choice",
                                        "wrapper", NULL};
    if (!json_is_object(o) || !compiler_keys_known(o, known)) {
        return compiler_bad(k, "an element is an object of the members documented, and no others");
    }
    err_t err = field_names(k, o, f);
    if (err == CONVERT_OK) {
        err = field_flags(k, o, f);
    }
    if (err == CONVERT_OK) {
        err = type_of(k, o, &f->type, depth);
    }
    const json_t *wrapper = json_object_get(o, "wrapper");
    return err == CONVERT_OK && wrapper != NULL ? wrap(k, wrapper, f) : err;
}
