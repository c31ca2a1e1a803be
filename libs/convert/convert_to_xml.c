/* SPDX-License-Identifier: Apache-2.0 */
/* JSON to XML in one pass. Members come in any order, XML wants attributes in the start tag and
 * elements in sequence: each member's XML is written where it comes, as a segment, and only an
 * object whose members came out of order has its segments put in order when it ends. */
#include <stdlib.h>

#include "convert/convert_inner.h"

typedef enum convert_err err_t;

/* One part of an element's XML: an attribute, the end of the start tag, a member's elements. */
struct segment {
    size_t start;
    uint32_t order;
};

struct writer {
    struct convert_json in;
    struct buf *out;
    size_t out_max;
    const struct convert *convert;
    struct slice xmlns; /* for the next start tag, then empty */
    struct segment *segments;
    size_t n_segments, cap_segments;
    struct buf text, key, moved;
    struct convert_trail trail;
    unsigned depth, dropped;
};

/* What ends a run of bytes that go from a JSON string to XML text as they are. */
static const uint8_t stops[256] = {
    [0] = 1,   [1] = 1,   [2] = 1,   [3] = 1,   [4] = 1,    [5] = 1,   [6] = 1,  [7] = 1,
    [8] = 1,   [9] = 1,   [10] = 1,  [11] = 1,  [12] = 1,   [13] = 1,  [14] = 1, [15] = 1,
    [16] = 1,  [17] = 1,  [18] = 1,  [19] = 1,  [20] = 1,   [21] = 1,  [22] = 1, [23] = 1,
    [24] = 1,  [25] = 1,  [26] = 1,  [27] = 1,  [28] = 1,   [29] = 1,  [30] = 1, [31] = 1,
    ['"'] = 1, ['&'] = 1, ['<'] = 1, ['>'] = 1, [0xef] = 1, ['\\'] = 1};

/* A white space that attribute normalization would change is written as a reference. */
static const char *reference(char c, bool attribute)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return attribute ? "&quot;" : "\"";
    case '\r':
        return "&#13;";
    case '\n':
        return attribute ? "&#10;" : "\n";
    case '\t':
        return attribute ? "&#9;" : "\t";
    default:
        return NULL;
    }
}

static bool noncharacter(const char *p, size_t n) /* U+FFFE, U+FFFF */
{
    return n >= 3 && memcmp(p, "\xef\xbf", 2) == 0 && (uint8_t)p[2] >= 0xbe;
}

bool convert_add_xml(struct buf *out, struct slice text, bool attribute)
{
    size_t from = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (!stops[(uint8_t)text.p[i]] || text.p[i] == '\\') {
            continue;
        }
        if (text.p[i] == '\xef') {
            if (noncharacter(text.p + i, text.n - i)) {
                return false;
            }
            continue;
        }
        const char *as = reference(text.p[i], attribute);
        if (as == NULL) {
            return false;
        }
        buf_add(out, text.p + from, i - from);
        buf_adds(out, as);
        from = i + 1;
    }
    buf_add(out, text.p + from, text.n - from);
    return true;
}

/* in.p behind the opening quote: the string goes to XML as it is read. */
static err_t copy_string(struct writer *w, bool attribute)
{
    struct convert_json *j = &w->in;
    for (;;) {
        const char *from = j->p;
        while (j->p < j->end && !stops[(uint8_t)*j->p]) {
            j->p++;
        }
        buf_add(w->out, from, (size_t)(j->p - from));
        if (j->p == j->end || (uint8_t)*j->p < 0x20) {
            return CONVERT_ESYNTAX;
        }
        if (*j->p == '"') {
            j->p++;
            return CONVERT_OK;
        }
        char utf8[4];
        size_t n = 1;
        if (*j->p == '\\') {
            err_t err = convert_json_escape(j, utf8, &n);
            if (err != CONVERT_OK) {
                return err;
            }
        } else if (*j->p == '\xef') {
            n = 3; /* the input is known to be UTF-8 */
            memcpy(utf8, j->p, n);
            j->p += n;
        } else {
            utf8[0] = *j->p++;
        }
        if (!convert_add_xml(w->out, slice_of(utf8, n), attribute)) {
            return CONVERT_ECHARACTER;
        }
    }
}

static bool is_number(uint8_t kind)
{
    return kind == CONVERT_INTEGER || kind == CONVERT_DECIMAL || kind == CONVERT_NUMBER;
}

static err_t write_string(struct writer *w, const struct convert_scalar *s, bool attribute)
{
    struct slice text;
    if (s->kind == CONVERT_STRING && s->n_values == 0) {
        return copy_string(w, attribute);
    }
    err_t err = convert_json_string(&w->in, &w->text, &text);
    if (err != CONVERT_OK) {
        return err;
    }
    if (!convert_value_ok(s, text)) {
        return CONVERT_EVALUE;
    }
    return convert_add_xml(w->out, text, attribute) ? CONVERT_OK : CONVERT_ECHARACTER;
}

/* A literal: true, false or a number; its text must be one of the enumeration if there is one. */
static err_t write_literal(struct writer *w, const struct convert_scalar *s)
{
    struct slice text = SLICE("true");
    enum convert_kind kind = CONVERT_BOOLEAN;
    if (!convert_json_word(&w->in, text)) {
        text = SLICE("false");
        if (!convert_json_word(&w->in, text)) {
            char c = w->in.p < w->in.end ? *w->in.p : '\0';
            if (c == '{' || c == '[' || c == 'n' || c == '"') {
                return CONVERT_ETYPE;
            }
            err_t err = convert_json_number(&w->in, &text, &kind);
            if (err != CONVERT_OK) {
                return err;
            }
        }
    }
    bool number = is_number(s->kind) && !s->quoted;
    if ((kind == CONVERT_BOOLEAN) != (s->kind == CONVERT_BOOLEAN) ||
        (kind != CONVERT_BOOLEAN && !number)) {
        return CONVERT_ETYPE;
    }
    if (!convert_value_ok(s, text)) {
        return CONVERT_EVALUE;
    }
    buf_add(w->out, text.p, text.n);
    return CONVERT_OK;
}

static err_t write_scalar(struct writer *w, const struct convert_scalar *s, bool attribute)
{
    if (convert_json_char(&w->in, '"')) {
        bool literal = (is_number(s->kind) && !s->quoted) || s->kind == CONVERT_BOOLEAN;
        return literal ? CONVERT_ETYPE : write_string(w, s, attribute);
    }
    return write_literal(w, s);
}

static bool segment_add(struct writer *w, uint32_t order)
{
    if (w->n_segments == w->cap_segments) {
        size_t cap = w->cap_segments > 0 ? w->cap_segments * 2 : 64;
        struct segment *grown = realloc(w->segments, cap * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        w->segments = grown;
        w->cap_segments = cap;
    }
    w->segments[w->n_segments++] = (struct segment){w->out->n, order};
    return true;
}

/* One JSON object on its way to an element. */
struct object {
    const struct convert_type *type;
    size_t first; /* its segments begin here */
    uint64_t seen[CONVERT_FIELD_WORDS], seen_attrs;
    uint32_t next; /* the field expected next */
    bool open, text, sorted;
};

static err_t segment_begin(struct writer *w, struct object *o, uint32_t order)
{
    uint32_t gate = o->type->n_attrs; /* the order of the '>' */
    if (order > gate && !o->open) {
        o->open = true;
        o->sorted &= w->n_segments == o->first || w->segments[w->n_segments - 1].order < gate;
        if (!segment_add(w, gate)) {
            return CONVERT_EMEMORY;
        }
        buf_addc(w->out, '>');
    }
    if (w->n_segments > o->first && w->segments[w->n_segments - 1].order > order) {
        o->sorted = false;
    }
    return segment_add(w, order) ? CONVERT_OK : CONVERT_EMEMORY;
}

static int by_order(const void *a, const void *b)
{
    const struct segment *x = a, *y = b;
    return x->order != y->order ? (x->order > y->order) - (x->order < y->order)
                                : (x->start > y->start) - (x->start < y->start);
}

struct piece {
    struct segment segment;
    size_t n;
};

/* Puts the object's segments in order: copies them in order, then back over their place. */
static err_t segments_sort(struct writer *w, const struct object *o)
{
    size_t n = w->n_segments - o->first, base = w->segments[o->first].start;
    struct piece *pieces = malloc(n * sizeof *pieces);
    if (pieces == NULL) {
        return CONVERT_EMEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        const struct segment *s = &w->segments[o->first + i];
        size_t end = i + 1 < n ? s[1].start : w->out->n;
        pieces[i] = (struct piece){*s, end - s->start};
    }
    qsort(pieces, n, sizeof *pieces, by_order); /* struct piece begins with its segment */
    buf_clear(&w->moved);
    for (size_t i = 0; i < n; i++) {
        buf_add(&w->moved, w->out->p + pieces[i].segment.start, pieces[i].n);
    }
    free(pieces);
    if (w->moved.failed) {
        return CONVERT_EMEMORY;
    }
    memcpy(w->out->p + base, w->moved.p, w->moved.n);
    return CONVERT_OK;
}

static err_t write_field(struct writer *w, const struct convert_field *f);

static err_t write_attr(struct writer *w, struct object *o, uint32_t i)
{
    const struct convert_attr *a = &o->type->attrs[i];
    if ((o->seen_attrs >> i & 1) != 0) {
        return CONVERT_EDUPLICATE;
    }
    o->seen_attrs |= 1ull << i;
    err_t err = segment_begin(w, o, i);
    if (err != CONVERT_OK) {
        return err;
    }
    buf_add(w->out, a->open.p, a->open.n);
    err = write_scalar(w, &a->scalar, true);
    buf_addc(w->out, '"');
    return err;
}

static err_t write_text(struct writer *w, struct object *o)
{
    if (o->text) {
        return CONVERT_EDUPLICATE;
    }
    o->text = true;
    err_t err = segment_begin(w, o, o->type->n_attrs + 1u);
    return err == CONVERT_OK ? write_scalar(w, &o->type->scalar, false) : err;
}

static err_t write_child(struct writer *w, struct object *o, uint32_t i)
{
    uint64_t bit = 1ull << i % 64;
    if ((o->seen[i / 64] & bit) != 0) {
        return CONVERT_EDUPLICATE;
    }
    o->seen[i / 64] |= bit;
    o->next = i + 1;
    err_t err = segment_begin(w, o, o->type->n_attrs + 1u + (o->type->ordered ? i : 0));
    return err == CONVERT_OK ? write_field(w, &o->type->fields[i]) : err;
}

static err_t drop_member(struct writer *w)
{
    if (!w->convert->drop_unknown) {
        return CONVERT_EUNKNOWN;
    }
    return ++w->dropped > CONVERT_DROPPED_MAX ? CONVERT_ELIMIT
                                              : convert_json_skip(&w->in, w->depth);
}

/* The trail has a place for the member; its key is set once it is known to be the definition's. */
static err_t write_member(struct writer *w, struct object *o, struct slice key)
{
    const struct convert_type *t = o->type;
    struct slice *where = &w->trail.at[w->trail.n - 1].key;
    for (uint32_t n = 0; n < t->n_fields; n++) {
        uint32_t i = o->next + n;
        i -= i >= t->n_fields ? t->n_fields : 0;
        if (slice_eq(t->fields[i].key, key)) {
            *where = t->fields[i].key;
            return write_child(w, o, i);
        }
    }
    for (uint32_t i = 0; i < t->n_attrs; i++) {
        if (slice_eq(t->attrs[i].key, key)) {
            *where = t->attrs[i].key;
            return write_attr(w, o, i);
        }
    }
    if (t->shape == CONVERT_SCALAR && slice_eq(key, w->convert->text_key)) {
        *where = w->convert->text_key;
        return write_text(w, o);
    }
    return drop_member(w);
}

static err_t missing(struct writer *w, struct slice key, err_t err)
{
    w->trail.at[w->trail.n - 1].key = key;
    return err;
}

static err_t object_complete(struct writer *w, const struct object *o)
{
    const struct convert_type *t = o->type;
    uint64_t choices = 0;
    for (uint32_t i = 0; i < t->n_fields; i++) {
        bool seen = (o->seen[i / 64] >> i % 64 & 1) != 0;
        const struct convert_field *f = &t->fields[i];
        if (!seen && f->min > 0 && f->choice == 0) {
            return missing(w, f->key, CONVERT_EREQUIRED);
        }
        uint64_t bit = f->choice > 0 ? 1ull << (f->choice - 1) : 0;
        if (seen && (choices & bit) != 0) {
            return missing(w, f->key, CONVERT_ECHOICE);
        }
        choices |= seen ? bit : 0;
    }
    for (uint32_t i = 0; i < t->n_fields; i++) {
        const struct convert_field *f = &t->fields[i];
        if (f->choice > 0 && f->min > 0 && (choices >> (f->choice - 1) & 1) == 0) {
            return missing(w, f->key, CONVERT_ECHOICE);
        }
    }
    for (uint32_t i = 0; i < t->n_attrs; i++) {
        if ((t->required_attrs & ~o->seen_attrs) >> i & 1) {
            return missing(w, t->attrs[i].key, CONVERT_EREQUIRED);
        }
    }
    return t->shape == CONVERT_SCALAR && !o->text
               ? missing(w, w->convert->text_key, CONVERT_EREQUIRED)
               : CONVERT_OK;
}

static err_t write_members(struct writer *w, struct object *o)
{
    struct slice key;
    if (convert_json_char(&w->in, '}')) {
        return CONVERT_OK;
    }
    do {
        if (!convert_json_char(&w->in, '"')) {
            return CONVERT_ESYNTAX;
        }
        w->trail.at[w->trail.n - 1].key = slice_of("", 0);
        err_t err = convert_json_string(&w->in, &w->key, &key);
        if (err == CONVERT_OK && !convert_json_char(&w->in, ':')) {
            err = CONVERT_ESYNTAX;
        }
        if (err == CONVERT_OK) {
            err = write_member(w, o, key);
        }
        if (err != CONVERT_OK) {
            return err;
        }
    } while (convert_json_char(&w->in, ','));
    return convert_json_char(&w->in, '}') ? CONVERT_OK : CONVERT_ESYNTAX;
}

/* in.p behind the '{', out behind the name in the start tag. */
static err_t write_object(struct writer *w, const struct convert_field *f)
{
    struct object o = {.type = f->type, .first = w->n_segments, .sorted = true};
    w->trail.at[w->trail.n].key = slice_of("", 0);
    w->trail.at[w->trail.n++].index = 0;
    err_t err = write_members(w, &o);
    if (err == CONVERT_OK) {
        err = object_complete(w, &o);
    }
    if (err == CONVERT_OK && !o.sorted) {
        err = segments_sort(w, &o);
    }
    if (err != CONVERT_OK) {
        return err;
    }
    w->trail.n--;
    w->n_segments = o.first;
    if (o.open) {
        buf_add(w->out, f->close.p, f->close.n);
    } else {
        buf_adds(w->out, "/>");
    }
    return CONVERT_OK;
}

/* The element whose start tag is written as far as its name. */
static err_t write_body(struct writer *w, const struct convert_field *f)
{
    const struct convert_type *t = f->type;
    if (t->shape == CONVERT_OBJECT || (t->shape == CONVERT_SCALAR && t->n_attrs > 0)) {
        return convert_json_char(&w->in, '{') ? write_object(w, f) : CONVERT_ETYPE;
    }
    buf_addc(w->out, '>');
    err_t err = t->shape == CONVERT_WRAPPER ? write_field(w, &t->fields[0])
                                            : write_scalar(w, &t->scalar, false);
    buf_add(w->out, f->close.p, f->close.n);
    return err;
}

static err_t write_one(struct writer *w, const struct convert_field *f)
{
    if (w->depth >= CONVERT_DEPTH_MAX) {
        return CONVERT_EDEPTH;
    }
    buf_add(w->out, f->open.p, f->open.n);
    buf_add(w->out, w->xmlns.p, w->xmlns.n);
    w->xmlns.n = 0;
    convert_json_space(&w->in);
    if (convert_json_word(&w->in, SLICE("null"))) {
        buf_adds(w->out, " xsi:nil=\"true\"/>");
        return f->nillable ? CONVERT_OK : CONVERT_ENIL;
    }
    w->depth++;
    err_t err = write_body(w, f);
    w->depth--;
    if (err != CONVERT_OK) {
        return err;
    }
    return w->out->n > w->out_max ? CONVERT_EOUTPUT : CONVERT_OK;
}

static err_t write_field(struct writer *w, const struct convert_field *f)
{
    if (!f->many) {
        return write_one(w, f);
    }
    if (!convert_json_char(&w->in, '[')) {
        return CONVERT_ETYPE;
    }
    uint32_t *index = &w->trail.at[w->trail.n - 1].index, n = 0;
    if (!convert_json_char(&w->in, ']')) {
        do {
            *index = ++n;
            err_t err = f->max > 0 && n > f->max ? CONVERT_ECOUNT : write_one(w, f);
            if (err != CONVERT_OK) {
                return err;
            }
        } while (convert_json_char(&w->in, ','));
        if (!convert_json_char(&w->in, ']')) {
            return CONVERT_ESYNTAX;
        }
    }
    *index = 0;
    return n < f->min ? CONVERT_ECOUNT : CONVERT_OK;
}

static err_t write_document(struct writer *w, const struct convert_field *root)
{
    static const char empty[] = "{}";
    convert_json_space(&w->in);
    if (w->in.p == w->in.end) { /* no body is a body without members */
        w->in = (struct convert_json){empty, empty + 2};
    }
    if (root == NULL) {
        bool none = convert_json_char(&w->in, '{') && convert_json_char(&w->in, '}');
        convert_json_space(&w->in);
        return none && w->in.p == w->in.end ? CONVERT_OK : CONVERT_EUNKNOWN;
    }
    w->trail.n = 0;
    err_t err = write_one(w, root);
    if (err != CONVERT_OK) {
        return err;
    }
    convert_json_space(&w->in);
    return w->in.p == w->in.end ? CONVERT_OK : CONVERT_ESYNTAX;
}

static err_t write_envelope(struct writer *w, const struct convert_field *root, struct slice ns)
{
    buf_adds(w->out, "<soap:Envelope xmlns:soap=\"");
    buf_add(w->out, ns.p, ns.n);
    buf_addc(w->out, '"');
    buf_add(w->out, w->xmlns.p, w->xmlns.n);
    w->xmlns.n = 0;
    buf_adds(w->out, "><soap:Body>");
    err_t err = write_document(w, root);
    buf_adds(w->out, "</soap:Body></soap:Envelope>");
    return err;
}

struct slice convert_soap_ns(enum convert_form form)
{
    return form == CONVERT_SOAP11 ? SLICE(CONVERT_SOAP11_NS) : SLICE(CONVERT_SOAP12_NS);
}

enum convert_err convert_to_xml(const struct convert_op *op, enum convert_side side,
                                enum convert_form form, struct slice in, struct buf *out,
                                const struct convert_limits *limits, struct convert_error *error)
{
    struct writer w = {
        .in = {in.p, in.p + in.n}, .out = out, .convert = op->convert, .xmlns = op->convert->xmlns};
    size_t was = out->n, room = limits != NULL ? limits->output_bytes : CONVERT_OUTPUT_MAX;
    w.out_max = was + room;
    if (in.n > (limits != NULL ? limits->input_bytes : CONVERT_INPUT_MAX)) {
        return convert_fail(error, CONVERT_EINPUT, NULL);
    }
    if (!convert_utf8(in)) {
        return convert_fail(error, CONVERT_EENCODING, NULL);
    }
    buf_adds(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    err_t err = form == CONVERT_XML ? write_document(&w, op->root[side])
                                    : write_envelope(&w, op->root[side], convert_soap_ns(form));
    if (err == CONVERT_OK && op->root[side] == NULL && form == CONVERT_XML) {
        out->n = was;
    }
    if (err == CONVERT_OK && out->n > w.out_max) {
        err = CONVERT_EOUTPUT;
    }
    if (out->failed || w.text.failed || w.key.failed) {
        err = CONVERT_EMEMORY;
    }
    if (err != CONVERT_OK) {
        out->n = was;
        (void)convert_fail(error, err, &w.trail);
    }
    free(w.segments);
    buf_fini(&w.text);
    buf_fini(&w.key);
    buf_fini(&w.moved);
    return err;
}
