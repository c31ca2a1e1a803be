/* SPDX-License-Identifier: Apache-2.0 */
/* Generated definitions, generated documents: JSON to XML to JSON is the same to the byte, XML to
 * JSON to XML too, and the order of members in a JSON object never changes the XML. */
#include "convert/convert.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "convert/convert_inner.h"

#define DEFINITIONS 150
#define DOCUMENTS   20

static uint64_t state = 20261122; /* the same every time */

static uint32_t below(uint32_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((state >> 33) % n);
}

static json_t *scalar_def(void)
{
    static const char *const kinds[] = {"string",  "integer", "decimal",  "number",
                                        "boolean", "date",    "dateTime", "base64"};
    uint32_t kind = below(8);
    json_t *o = json_pack("{s:s}", "type", kinds[kind]);
    if (kind >= 1 && kind <= 3 && below(3) == 0) {
        json_object_set_new(o, "as", json_string("string"));
    }
    return o;
}

static void set_name(json_t *o, const char *prefix, unsigned i)
{
    char name[16];
    snprintf(name, sizeof name, "%s%u", prefix, i);
    json_object_set_new(o, "name", json_string(name));
}

static json_t *element_def(unsigned i, unsigned depth, bool any_order)
{
    bool object = depth == 0 || (depth < 4 && below(3) == 0);
    json_t *o = object ? json_pack("{s:s,s:[]}", "type", "object", "elements") : scalar_def();
    set_name(o, "e", i);
    if (below(3) == 0) {
        json_object_set_new(o, "ns", json_string(below(2) > 0 ? "b" : ""));
    }
    for (unsigned k = 0, n = object ? below(6) : 0; k < n; k++) {
        json_array_append_new(json_object_get(o, "elements"), element_def(k, depth + 1, any_order));
    }
    if (object && any_order) {
        json_object_set_new(o, "order", json_string("any"));
    }
    if (below(3) == 0) {
        json_t *list = json_array();
        for (unsigned k = 0, n = 1 + below(3); k < n; k++) {
            json_t *a = scalar_def();
            set_name(a, "a", k);
            json_array_append_new(list, a);
        }
        json_object_set_new(o, "attributes", list);
    }
    if (depth == 0) {
        return o;
    }
    if (below(4) == 0) {
        json_object_set_new(o, "nillable", json_true());
    }
    if (below(3) == 0) {
        json_object_set_new(o, "many", json_true());
        if (below(2) == 0) {
            json_object_set_new(o, "wrapper", json_pack("{s:s}", "name", "w"));
            char name[16];
            snprintf(name, sizeof name, "w%u", i);
            json_object_set_new(json_object_get(o, "wrapper"), "name", json_string(name));
        }
    }
    return o;
}

static json_t *definition(bool any_order)
{
    return json_pack("{s:i,s:{s:s,s:s},s:s,s:[{s:s,s:s,s:s,s:{s:s},s:o}]}", "version", 1,
                     "namespaces", "a", "urn:a", "b", "urn:b", "ns", "a", "operations", "name", "A",
                     "method", "POST", "path", "/A", "upstream", "form", "xml", "request",
                     element_def(0, 0, any_order));
}

/* The same document twice: its members in the definition's order, and in another. */
struct twin {
    struct buf a, b;
};

static void both(struct twin *t, const char *text)
{
    buf_adds(&t->a, text);
    buf_adds(&t->b, text);
}

static void make_string(struct twin *t)
{
    static const char *const parts[] = {"a",     "<",    ">",  "&",          "\"", "'",
                                        "\\",    "\n",   "\t", "\r",         " ",  "]]>",
                                        "&amp;", "中文", "é",  "\U0001f600", "0",  "{}"};
    struct buf text;
    buf_init(&text);
    for (uint32_t n = below(8); n > 0; n--) {
        buf_adds(&text, parts[below(sizeof parts / sizeof *parts)]);
    }
    convert_add_json(&t->a, buf_slice(&text));
    convert_add_json(&t->b, buf_slice(&text));
    buf_fini(&text);
}

static void make_number(struct twin *t, const struct convert_scalar *s)
{
    static const char *const integers[] = {"0", "-1", "12345678901234567890123", "7", "-0"};
    static const char *const decimals[] = {"1.10", "-0.0001", "0.10", "99999999999999999999.99",
                                           "5"};
    static const char *const numbers[] = {"1E400", "-2.50e-7", "1e+2", "3", "0.0"};
    const char *text = s->kind == CONVERT_INTEGER   ? integers[below(5)]
                       : s->kind == CONVERT_DECIMAL ? decimals[below(5)]
                                                    : numbers[below(5)];
    both(t, s->quoted ? "\"" : "");
    both(t, text);
    both(t, s->quoted ? "\"" : "");
}

static void make_scalar(struct twin *t, const struct convert_scalar *s)
{
    switch ((enum convert_kind)s->kind) {
    case CONVERT_STRING:
        make_string(t);
        break;
    case CONVERT_INTEGER:
    case CONVERT_DECIMAL:
    case CONVERT_NUMBER:
        make_number(t, s);
        break;
    case CONVERT_BOOLEAN:
        both(t, below(2) > 0 ? "true" : "false");
        break;
    case CONVERT_DATE:
        both(t, below(2) > 0 ? "\"2026-11-22\"" : "\"2028-02-29+08:00\"");
        break;
    case CONVERT_DATETIME:
        both(t, below(2) > 0 ? "\"2026-11-22T08:00:00Z\"" : "\"1999-12-31T23:59:59.125\"");
        break;
    case CONVERT_BASE64:
        both(t, below(2) > 0 ? "\"QUI=\"" : "\"\"");
        break;
    }
}

static void make_value(struct twin *t, const struct convert_field *f);

static void make_member(struct twin *t, struct slice member)
{
    buf_add(&t->a, member.p, member.n);
    buf_add(&t->b, member.p, member.n);
}

static void make_list(struct twin *t, const struct convert_field *f, uint32_t n)
{
    both(t, "[");
    for (uint32_t i = 0; i < n; i++) {
        both(t, i > 0 ? "," : "");
        make_value(t, f);
    }
    both(t, "]");
}

static void make_object(struct twin *t, const struct convert_type *type)
{
    struct twin members[16];
    unsigned n = 0;
    for (uint32_t i = 0; i < type->n_attrs + (type->shape == CONVERT_SCALAR ? 1 : type->n_fields);
         i++) {
        bool attr = i < type->n_attrs, text = !attr && type->shape == CONVERT_SCALAR;
        if (!text && below(4) == 0) {
            continue;
        }
        struct twin *m = &members[n++];
        buf_init(&m->a);
        buf_init(&m->b);
        if (attr) {
            make_member(m, type->attrs[i].member);
            make_scalar(m, &type->attrs[i].scalar);
        } else if (text) {
            make_member(m, SLICE("\"#text\":"));
            make_scalar(m, &type->scalar);
        } else {
            const struct convert_field *f = &type->fields[i - type->n_attrs];
            make_member(m, f->member);
            if (f->many) {
                make_list(m, f, 1 + below(3));
            } else {
                make_value(m, f);
            }
        }
    }
    both(t, "{");
    uint32_t turn = n > 0 ? below(n) : 0;
    for (unsigned i = 0; i < n; i++) {
        const struct twin *other = &members[(n - 1 - i + turn) % n];
        both(t, i > 0 ? "," : "");
        buf_add(&t->a, members[i].a.p, members[i].a.n);
        buf_add(&t->b, other->b.p, other->b.n);
    }
    for (unsigned i = 0; i < n; i++) {
        buf_fini(&members[i].a);
        buf_fini(&members[i].b);
    }
    both(t, "}");
}

static void make_value(struct twin *t, const struct convert_field *f)
{
    if (f->nillable && below(3) == 0) {
        both(t, "null");
    } else if (f->type->shape == CONVERT_WRAPPER) {
        make_list(t, &f->type->fields[0], below(3));
    } else if (f->type->shape == CONVERT_OBJECT || f->type->n_attrs > 0) {
        make_object(t, f->type);
    } else {
        make_scalar(t, &f->type->scalar);
    }
}

static void must(enum convert_err err, const struct convert_error *e, struct slice in)
{
    if (err != CONVERT_OK) {
        fail_msg("%s at %s: %.*s", e->text, e->where, SLICE_FMT(in));
    }
}

static void one_document(const struct convert_op *op, enum convert_form form, bool any_order)
{
    struct twin t;
    struct buf xml, json, again;
    struct convert_error e;
    buf_init(&t.a);
    buf_init(&t.b);
    buf_init(&xml);
    buf_init(&json);
    buf_init(&again);
    make_object(&t, op->root[CONVERT_REQUEST]->type);
    must(convert_to_xml(op, CONVERT_REQUEST, form, buf_slice(&t.a), &xml, NULL, &e), &e,
         buf_slice(&t.a));
    must(convert_to_json(op, CONVERT_REQUEST, form, buf_slice(&xml), &json, NULL, &e), &e,
         buf_slice(&xml));
    if (!slice_eq(buf_slice(&json), buf_slice(&t.a))) {
        fail_msg("%.*s became %.*s by %.*s", SLICE_FMT(buf_slice(&t.a)),
                 SLICE_FMT(buf_slice(&json)), SLICE_FMT(buf_slice(&xml)));
    }
    must(convert_to_xml(op, CONVERT_REQUEST, form, buf_slice(&json), &again, NULL, &e), &e,
         buf_slice(&json));
    assert_true(slice_eq(buf_slice(&again), buf_slice(&xml)));
    buf_clear(&again);
    must(convert_to_xml(op, CONVERT_REQUEST, form, buf_slice(&t.b), &again, NULL, &e), &e,
         buf_slice(&t.b));
    assert_true(any_order || slice_eq(buf_slice(&again), buf_slice(&xml)));
    buf_fini(&t.a);
    buf_fini(&t.b);
    buf_fini(&xml);
    buf_fini(&json);
    buf_fini(&again);
}

static void nothing_is_lost(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < DEFINITIONS; i++) {
        struct convert *c = NULL;
        struct convert_error e;
        bool any_order = i % 3 == 0;
        json_t *d = definition(any_order);
        assert_non_null(d);
        if (convert_compile(d, &c, &e) != CONVERT_OK) {
            fail_msg("%s at %s", e.text, e.where);
        }
        const struct convert_op *op = convert_find(c, SLICE("POST"), SLICE("/A"));
        for (unsigned k = 0; op->root[CONVERT_REQUEST] != NULL && k < DOCUMENTS; k++) {
            one_document(op, (enum convert_form)(CONVERT_XML + k % 3), any_order);
        }
        convert_free(&c);
        json_decref(d);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"[SW-6-protocol] generated documents come back the same from JSON to XML and back",
         nothing_is_lost, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
