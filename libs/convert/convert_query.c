/* SPDX-License-Identifier: Apache-2.0 */
/* The query of a GET as the JSON body it stands for: the definition says which value is a number.
 */
#include "convert/convert_inner.h"

#define QUERY_MAX      (64u << 10)
#define PARAMETERS_MAX 512

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static enum convert_err decode(struct slice in, struct buf *out)
{
    buf_clear(out);
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] != '%') {
            buf_addc(out, in.p[i] == '+' ? ' ' : in.p[i]);
            continue;
        }
        if (in.n - i < 3 || hex(in.p[i + 1]) < 0 || hex(in.p[i + 2]) < 0) {
            return CONVERT_ESYNTAX;
        }
        buf_addc(out, (char)(hex(in.p[i + 1]) * 16 + hex(in.p[i + 2])));
        i += 2;
    }
    return convert_utf8(buf_slice(out)) ? CONVERT_OK : CONVERT_EENCODING;
}

struct parameter {
    struct slice name, value; /* as sent */
    uint32_t field;
};

static enum convert_err field_of(const struct convert_op *op, struct parameter *p, struct buf *b)
{
    const struct convert_type *t = op->root[CONVERT_REQUEST]->type;
    enum convert_err err = decode(p->name, b);
    if (err != CONVERT_OK) {
        return err;
    }
    for (p->field = 0; p->field < t->n_fields; p->field++) {
        if (slice_eq(t->fields[p->field].key, buf_slice(b))) {
            return CONVERT_OK;
        }
    }
    return op->convert->drop_unknown ? CONVERT_OK : CONVERT_EUNKNOWN;
}

static enum convert_err split(const struct convert_op *op, struct slice query, struct buf *b,
                              struct parameter *list, size_t *n)
{
    *n = 0;
    while (query.n > 0) {
        const char *amp = memchr(query.p, '&', query.n);
        struct slice part = slice_of(query.p, amp != NULL ? (size_t)(amp - query.p) : query.n);
        size_t step = part.n + (amp != NULL);
        query = slice_of(query.p + step, query.n - step);
        if (part.n == 0) {
            continue;
        }
        if (*n == PARAMETERS_MAX) {
            return CONVERT_ELIMIT;
        }
        const char *equals = memchr(part.p, '=', part.n);
        size_t name = equals != NULL ? (size_t)(equals - part.p) : part.n;
        size_t value = equals != NULL ? name + 1 : name;
        list[*n] =
            (struct parameter){slice_of(part.p, name), slice_of(part.p + value, part.n - value), 0};
        enum convert_err err = field_of(op, &list[(*n)++], b);
        if (err != CONVERT_OK) {
            return err;
        }
    }
    return CONVERT_OK;
}

static enum convert_err member(const struct convert_field *f, uint32_t index,
                               const struct parameter *list, size_t n, struct buf *b,
                               struct buf *out, bool *any)
{
    bool wrapped = f->type->shape == CONVERT_WRAPPER, many = f->many || wrapped;
    const struct convert_type *t = wrapped ? f->type->fields[0].type : f->type;
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        if (list[i].field != index) {
            continue;
        }
        if (found++ > 0 && !many) {
            return CONVERT_EDUPLICATE;
        }
        if (found == 1) {
            buf_adds(out, *any ? "," : "");
            buf_add(out, f->member.p, f->member.n);
            *any = true;
        }
        buf_adds(out, !many ? "" : found == 1 ? "[" : ",");
        enum convert_err err = decode(list[i].value, b);
        if (err == CONVERT_OK) {
            err = convert_value_json(&t->scalar, buf_slice(b), out);
        }
        if (err != CONVERT_OK) {
            return err;
        }
    }
    buf_adds(out, found > 0 && many ? "]" : "");
    return CONVERT_OK;
}

enum convert_err convert_query(const struct convert_op *op, struct slice query, struct buf *out,
                               struct convert_error *error)
{
    static const struct convert_type none = {.shape = CONVERT_OBJECT};
    const struct convert_field *root = op->root[CONVERT_REQUEST];
    const struct convert_type *t = root != NULL ? root->type : &none;
    struct parameter list[PARAMETERS_MAX];
    struct convert_trail trail = {.n = 0};
    size_t n = 0, was = out->n;
    struct buf b;
    bool any = false;
    buf_init(&b);
    enum convert_err err = query.n > QUERY_MAX ? CONVERT_EINPUT : CONVERT_OK;
    if (err == CONVERT_OK && !op->by_query) {
        err = CONVERT_EUNSUPPORTED;
    } else if (err == CONVERT_OK && root == NULL) {
        err = query.n > 0 ? CONVERT_EUNKNOWN : CONVERT_OK;
    } else if (err == CONVERT_OK) {
        err = split(op, query, &b, list, &n);
    }
    buf_addc(out, '{');
    for (uint32_t i = 0; err == CONVERT_OK && i < t->n_fields; i++) {
        err = member(&t->fields[i], i, list, n, &b, out, &any);
        if (err != CONVERT_OK) {
            trail.at[trail.n++].key = t->fields[i].key;
        }
    }
    buf_addc(out, '}');
    if (b.failed || out->failed) {
        err = CONVERT_EMEMORY;
    }
    buf_fini(&b);
    if (err != CONVERT_OK) {
        out->n = was;
        return convert_fail(error, err, &trail);
    }
    return CONVERT_OK;
}
