/* SPDX-License-Identifier: Apache-2.0 */
/* XML to JSON in one pass over libxml2's SAX2 events; no tree. Repetitions of an element must be
 * together, so that an array is open only at one place of an object. */
#include <libxml/parser.h>
#include <libxml/xmlerror.h>
#include <stdlib.h>

#include "convert/convert_soap.h"

typedef enum convert_err err_t;

/* One element being read. now: one more than the field its last child was; 0: none yet. */
struct frame {
    const struct convert_field *field;
    uint64_t seen[CONVERT_FIELD_WORDS];
    uint32_t now, count;
    bool members, nil;
};

struct reader {
    const struct convert *convert;
    const struct convert_field *root;
    struct buf *out;
    size_t out_max;
    xmlParserCtxt *parser;
    err_t err;
    struct buf text;
    struct convert_trail trail;
    struct convert_soap soap;
    unsigned n, skip, dropped; /* frames; depth within what is left out */
    bool done;
    struct frame frames[CONVERT_DEPTH_MAX + 1];
};

static void stop(struct reader *r, err_t err)
{
    if (err != CONVERT_OK && r->err == CONVERT_OK) {
        r->err = err;
        xmlStopParser(r->parser);
    }
}

static struct slice text_of(const xmlChar *s)
{
    return s != NULL ? slice_str((const char *)s) : slice_of("", 0);
}

static bool named(struct slice name, struct slice ns, const xmlChar *local, struct slice uri)
{
    return strncmp(name.p, (const char *)local, name.n) == 0 && local[name.n] == '\0' &&
           slice_eq(ns, uri);
}

static void put(struct reader *r, struct slice s)
{
    buf_add(r->out, s.p, s.n);
}

static void put_member(struct reader *r, struct frame *f, struct slice member)
{
    if (f->members) {
        buf_addc(r->out, ',');
    }
    f->members = true;
    put(r, member);
}

/* Attributes as SAX2 gives them: five pointers each. */
struct attributes {
    const xmlChar **at;
    int n;
};

static struct slice attr_value(struct attributes a, int i)
{
    const char *from = (const char *)a.at[i * 5 + 3];
    return slice_of(from, (size_t)((const char *)a.at[i * 5 + 4] - from));
}

/* Of the schema-instance namespace only nil means something; hints where a schema is are ignored.
 */
static err_t nil_of(struct reader *r, struct attributes a, bool *nil, int *others)
{
    for (int i = 0; i < a.n; i++) {
        struct slice ns = text_of(a.at[i * 5 + 2]), name = text_of(a.at[i * 5]);
        if (a.at[i * 5 + 1] != NULL && a.at[i * 5 + 2] == NULL) {
            return CONVERT_ESYNTAX; /* a prefix nothing declares */
        }
        if (!slice_eq(ns, SLICE(CONVERT_XSI))) {
            (*others)++;
            continue;
        }
        if (slice_eq(name, SLICE("schemaLocation")) ||
            slice_eq(name, SLICE("noNamespaceSchemaLocation"))) {
            continue;
        }
        if (!slice_eq(name, SLICE("nil"))) {
            if (!r->convert->drop_unknown) {
                return CONVERT_EATTRIBUTE;
            }
            continue;
        }
        struct slice value = convert_trim(attr_value(a, i));
        *nil = slice_eq(value, SLICE("true")) || slice_eq(value, SLICE("1"));
        if (!*nil && !slice_eq(value, SLICE("false")) && !slice_eq(value, SLICE("0"))) {
            return CONVERT_EVALUE;
        }
    }
    return CONVERT_OK;
}

static err_t read_attr(struct reader *r, struct frame *f, struct attributes a, int i,
                       uint64_t *seen)
{
    const struct convert_type *t = f->field->type;
    struct slice ns = text_of(a.at[i * 5 + 2]);
    for (uint32_t k = 0; k < t->n_attrs; k++) {
        const struct convert_attr *attr = &t->attrs[k];
        if (!named(attr->name, attr->ns, a.at[i * 5], ns)) {
            continue;
        }
        *seen |= 1ull << k;
        put_member(r, f, attr->member);
        err_t err = convert_value_json(&attr->scalar, attr_value(a, i), r->out);
        if (err != CONVERT_OK) {
            r->trail.at[r->trail.n].key = attr->key;
            r->trail.at[r->trail.n++].index = 0;
        }
        return err;
    }
    return r->convert->drop_unknown ? CONVERT_OK : CONVERT_EATTRIBUTE;
}

static err_t read_attrs(struct reader *r, struct frame *f, struct attributes a)
{
    const struct convert_type *t = f->field->type;
    uint64_t seen = 0;
    for (int i = 0; i < a.n; i++) {
        if (slice_eq(text_of(a.at[i * 5 + 2]), SLICE(CONVERT_XSI))) {
            continue;
        }
        err_t err = read_attr(r, f, a, i, &seen);
        if (err != CONVERT_OK) {
            return err;
        }
    }
    for (uint32_t k = 0; k < t->n_attrs; k++) {
        if ((t->required_attrs & ~seen) >> k & 1) {
            r->trail.at[r->trail.n].key = t->attrs[k].key;
            r->trail.at[r->trail.n++].index = 0;
            return CONVERT_EREQUIRED;
        }
    }
    return CONVERT_OK;
}

static err_t open_element(struct reader *r, const struct convert_field *field, struct attributes a)
{
    const struct convert_type *t = field->type;
    bool nil = false;
    int others = 0;
    err_t err = nil_of(r, a, &nil, &others);
    if (err != CONVERT_OK) {
        return err;
    }
    if (r->n > CONVERT_DEPTH_MAX) {
        return CONVERT_EDEPTH;
    }
    struct frame *f = &r->frames[r->n++];
    *f = (struct frame){.field = field, .nil = nil};
    buf_clear(&r->text);
    if (nil) {
        put(r, SLICE("null"));
        return !field->nillable ? CONVERT_ENIL : others > 0 ? CONVERT_EATTRIBUTE : CONVERT_OK;
    }
    if (t->shape == CONVERT_WRAPPER) {
        buf_addc(r->out, '[');
    } else if (t->shape == CONVERT_OBJECT || t->n_attrs > 0) {
        buf_addc(r->out, '{');
    }
    return read_attrs(r, f, a);
}

/* The array of the last child's field ends. */
static err_t close_array(struct reader *r, struct frame *f)
{
    if (f->now == 0) {
        return CONVERT_OK;
    }
    const struct convert_field *last = &f->field->type->fields[f->now - 1];
    if (!last->many) {
        return CONVERT_OK;
    }
    if (f->field->type->shape != CONVERT_WRAPPER) {
        buf_addc(r->out, ']');
    }
    if (f->count < last->min) {
        r->trail.at[r->trail.n].key = last->key;
        r->trail.at[r->trail.n++].index = 0;
        return CONVERT_ECOUNT;
    }
    return CONVERT_OK;
}

/* The child is field i of the frame: ends the one before, writes the member. */
static err_t begin_child(struct reader *r, struct frame *f, uint32_t i)
{
    const struct convert_type *t = f->field->type;
    const struct convert_field *child = &t->fields[i];
    bool seen = (f->seen[i / 64] >> i % 64 & 1) != 0;
    if (seen && f->now == i + 1 && child->many) {
        f->count++;
        buf_addc(r->out, ',');
        return child->max > 0 && f->count > child->max ? CONVERT_ECOUNT : CONVERT_OK;
    }
    if (seen) {
        return CONVERT_EDUPLICATE;
    }
    if (t->ordered && i + 1 < f->now) {
        return CONVERT_EORDER;
    }
    err_t err = close_array(r, f);
    if (err != CONVERT_OK) { /* it names the field before, not this one */
        r->trail.at[r->trail.n - 2] = r->trail.at[r->trail.n - 1];
        r->trail.n--;
        return err;
    }
    f->seen[i / 64] |= 1ull << i % 64;
    f->now = i + 1;
    f->count = 1;
    if (t->shape != CONVERT_WRAPPER) {
        put_member(r, f, child->member);
        if (child->many) {
            buf_addc(r->out, '[');
        }
    }
    return CONVERT_OK;
}

static err_t drop(struct reader *r, err_t otherwise)
{
    if (!r->convert->drop_unknown) {
        return otherwise;
    }
    r->skip = 1;
    return ++r->dropped > CONVERT_DROPPED_MAX ? CONVERT_ELIMIT : CONVERT_OK;
}

static err_t read_child(struct reader *r, const xmlChar *local, struct slice uri,
                        struct attributes a)
{
    struct frame *f = &r->frames[r->n - 1];
    const struct convert_type *t = f->field->type;
    if (f->nil || t->shape == CONVERT_SCALAR) {
        return f->nil ? CONVERT_ENIL : drop(r, CONVERT_EUNKNOWN);
    }
    uint32_t from = f->now > 0 ? f->now - 1 : 0; /* mostly this one again, or the next */
    for (uint32_t n = 0; n < t->n_fields; n++) {
        uint32_t i = from + n;
        i -= i >= t->n_fields ? t->n_fields : 0;
        const struct convert_field *child = &t->fields[i];
        if (!named(child->name, child->ns, local, uri)) {
            continue;
        }
        bool wrapped = t->shape == CONVERT_WRAPPER;
        r->trail.at[r->trail.n].key = wrapped ? slice_of("", 0) : child->key;
        r->trail.at[r->trail.n].index = 0;
        r->trail.n++;
        err_t err = begin_child(r, f, i);
        r->trail.at[r->trail.n - 1].index = child->many && err == CONVERT_OK ? f->count : 0;
        return err == CONVERT_OK ? open_element(r, child, a) : err;
    }
    return drop(r, CONVERT_EUNKNOWN);
}

static err_t read_root(struct reader *r, const xmlChar *local, struct slice uri,
                       struct attributes a)
{
    if (r->root == NULL || r->done || !named(r->root->name, r->root->ns, local, uri)) {
        return CONVERT_EROOT;
    }
    r->done = true;
    return open_element(r, r->root, a);
}

static void on_start(void *ctx, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri,
                     int n_namespaces, const xmlChar **namespaces, int n_attributes,
                     int n_defaulted, const xmlChar **attributes)
{
    struct reader *r = ctx;
    struct attributes a = {attributes, n_attributes};
    struct slice ns = text_of(uri);
    (void)n_namespaces, (void)namespaces, (void)n_defaulted;
    if (r->err != CONVERT_OK) {
        return;
    }
    if (prefix != NULL && uri == NULL) {
        stop(r, CONVERT_ESYNTAX);
    } else if (r->skip > 0) {
        r->skip++;
    } else if (r->n > 0) {
        stop(r, read_child(r, local, ns, a));
    } else {
        bool payload = true;
        err_t err = convert_soap_start(&r->soap, local, ns, attributes, n_attributes, &payload);
        stop(r, err == CONVERT_OK && payload ? read_root(r, local, ns, a) : err);
    }
    if (r->out->n > r->out_max) {
        stop(r, CONVERT_EOUTPUT);
    }
}

static err_t missing(struct reader *r, struct slice key, err_t err)
{
    r->trail.at[r->trail.n].key = key;
    r->trail.at[r->trail.n++].index = 0;
    return err;
}

static err_t frame_complete(struct reader *r, const struct frame *f)
{
    const struct convert_type *t = f->field->type;
    uint64_t choices = 0, lacking = 0;
    for (unsigned w = 0; w < CONVERT_FIELD_WORDS; w++) {
        lacking |= t->required[w] & ~f->seen[w];
    }
    if (lacking == 0 && t->n_choices == 0) {
        return CONVERT_OK;
    }
    for (uint32_t i = 0; i < t->n_fields; i++) {
        bool seen = (f->seen[i / 64] >> i % 64 & 1) != 0;
        uint64_t bit = t->fields[i].choice > 0 ? 1ull << (t->fields[i].choice - 1) : 0;
        if (!seen && (t->required[i / 64] >> i % 64 & 1) != 0) {
            return missing(r, t->fields[i].key, CONVERT_EREQUIRED);
        }
        if (seen && (choices & bit) != 0) {
            return missing(r, t->fields[i].key, CONVERT_ECHOICE);
        }
        choices |= seen ? bit : 0;
    }
    for (uint32_t i = 0; i < t->n_fields; i++) {
        const struct convert_field *c = &t->fields[i];
        if (c->choice > 0 && c->min > 0 && (choices >> (c->choice - 1) & 1) == 0) {
            return missing(r, c->key, CONVERT_ECHOICE);
        }
    }
    return CONVERT_OK;
}

static err_t close_element(struct reader *r)
{
    struct frame *f = &r->frames[--r->n];
    const struct convert_type *t = f->field->type;
    if (f->nil) {
        return CONVERT_OK;
    }
    if (t->shape == CONVERT_SCALAR) {
        if (t->n_attrs > 0) {
            put_member(r, f, r->convert->text_member);
        }
        err_t err = r->text.failed ? CONVERT_EMEMORY
                                   : convert_value_json(&t->scalar, buf_slice(&r->text), r->out);
        buf_clear(&r->text);
        buf_adds(r->out, t->n_attrs > 0 ? "}" : "");
        return err;
    }
    err_t err = close_array(r, f);
    if (err == CONVERT_OK) {
        err = frame_complete(r, f);
    }
    buf_addc(r->out, t->shape == CONVERT_WRAPPER ? ']' : '}');
    return err;
}

static void on_end(void *ctx, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri)
{
    struct reader *r = ctx;
    (void)local, (void)prefix, (void)uri;
    if (r->err != CONVERT_OK) {
        return;
    }
    if (r->skip > 0) {
        r->skip--;
        return;
    }
    if (r->n == 0) {
        convert_soap_end(&r->soap);
        return;
    }
    stop(r, close_element(r));
    r->trail.n -= r->err == CONVERT_OK && r->trail.n > 0;
}

static void on_text(void *ctx, const xmlChar *text, int n)
{
    struct reader *r = ctx;
    struct slice s = slice_of((const char *)text, n > 0 ? (size_t)n : 0);
    if (r->err != CONVERT_OK || r->skip > 0) {
        return;
    }
    const struct frame *f = r->n > 0 ? &r->frames[r->n - 1] : NULL;
    if (f != NULL && !f->nil && f->field->type->shape == CONVERT_SCALAR) {
        buf_add(&r->text, s.p, s.n);
        return;
    }
    if (f == NULL && convert_soap_text(&r->soap, s)) {
        return;
    }
    if (convert_trim(s).n > 0) {
        stop(r, f != NULL && f->nil ? CONVERT_ENIL : CONVERT_ETEXT);
    }
}

static void on_instruction(void *ctx, const xmlChar *target, const xmlChar *data)
{
    (void)target, (void)data;
    stop(ctx, CONVERT_EDOCTYPE);
}

static void on_doctype(void *ctx, const xmlChar *name, const xmlChar *external,
                       const xmlChar *system)
{
    (void)name, (void)external, (void)system;
    stop(ctx, CONVERT_EDOCTYPE);
}

static void on_error(void *ctx, xmlErrorPtr error)
{
    struct reader *r = ctx;
    bool name_error = error->domain == XML_FROM_NAMESPACE && error->level == XML_ERR_ERROR;
    if (error->code == XML_ERR_NO_MEMORY) {
        stop(r, convert_sax_names_full(r->parser) ? CONVERT_ELIMIT : CONVERT_EMEMORY);
    } else if (error->level == XML_ERR_FATAL || name_error) {
        stop(r, CONVERT_ESYNTAX);
    }
}

static err_t parse(struct reader *r, struct slice body)
{
    xmlSAXHandler sax = {.initialized = XML_SAX2_MAGIC,
                         .startElementNs = on_start,
                         .endElementNs = on_end,
                         .characters = on_text,
                         .ignorableWhitespace = on_text,
                         .cdataBlock = on_text,
                         .processingInstruction = on_instruction,
                         .internalSubset = on_doctype,
                         .externalSubset = on_doctype,
                         .serror = on_error};
    bool good = false;
    if (!convert_sax(&sax, r, &r->parser, body, &good)) {
        return CONVERT_EMEMORY;
    }
    if (r->err == CONVERT_OK && !good) {
        r->err = CONVERT_ESYNTAX;
    }
    return r->err;
}

static err_t read_document(struct reader *r, struct slice in, size_t max)
{
    struct slice body;
    err_t err = convert_guard(in, max, &body);
    if (err != CONVERT_OK) {
        return err;
    }
    if (r->root == NULL && r->soap.form == CONVERT_XML && convert_trim(body).n == 0) {
        put(r, SLICE("{}"));
        return CONVERT_OK;
    }
    err = parse(r, body);
    if (err == CONVERT_OK) {
        err = convert_soap_complete(&r->soap);
    }
    if (err == CONVERT_OK && r->root != NULL && !r->done) {
        err = CONVERT_EROOT;
    }
    if (err == CONVERT_OK && r->root == NULL) {
        put(r, SLICE("{}"));
    }
    return err;
}

enum convert_err convert_to_json(const struct convert_op *op, enum convert_side side,
                                 enum convert_form form, struct slice in, struct buf *out,
                                 const struct convert_limits *limits, struct convert_error *error)
{
    size_t was = out->n, input = CONVERT_INPUT_MAX, output = CONVERT_OUTPUT_MAX;
    struct reader *r = malloc(sizeof *r);
    if (r == NULL) {
        return convert_fail(error, CONVERT_EMEMORY, NULL);
    }
    if (limits != NULL) {
        input = limits->input_bytes < INT32_MAX ? limits->input_bytes : INT32_MAX;
        output = limits->output_bytes;
    }
    memset(r, 0, offsetof(struct reader, frames));
    r->convert = op->convert;
    r->root = op->root[side];
    r->out = out;
    r->out_max = was + output;
    convert_soap_init(&r->soap, form);
    err_t err = read_document(r, in, input);
    if (err == CONVERT_OK && out->n > r->out_max) {
        err = CONVERT_EOUTPUT;
    }
    if (out->failed) {
        err = CONVERT_EMEMORY;
    }
    if (err != CONVERT_OK) {
        out->n = was;
        (void)convert_fail(error, err, &r->trail);
    }
    if (err == CONVERT_EFAULT && error != NULL) {
        error->fault = convert_soap_fault_class(&r->soap);
    }
    buf_fini(&r->text);
    free(r);
    return err;
}
