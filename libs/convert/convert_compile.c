/* SPDX-License-Identifier: Apache-2.0 */
/* A definition in JSON into tables. All that can be wrong with it is found here, once, so that the
 * converters trust what they read: names are XML names, references lead somewhere, no two members
 * of a type have one name. */
#include "convert/convert_compile.h"

#include <libxml/parser.h>
#include <stdlib.h>

static err_t root_of(struct compiler *k, const json_t *o, const char *key,
                     const struct convert_field **root)
{
    o = json_object_get(o, key);
    if (o == NULL || json_is_null(o)) {
        return CONVERT_OK;
    }
    size_t was = compiler_enter(k, key, SIZE_MAX);
    struct convert_field *f = convert_alloc(k->c, sizeof *f);
    if (f == NULL) {
        return compiler_no_memory(k);
    }
    err_t err = compiler_field(k, o, f, 0);
    if (err != CONVERT_OK) {
        return err;
    }
    if (f->many || f->choice != 0 || f->type->shape == CONVERT_WRAPPER) {
        return compiler_bad(k, "the outermost element is neither many nor a choice");
    }
    *root = f;
    compiler_leave(k, was);
    return CONVERT_OK;
}

static int form_of(const json_t *value)
{
    static const char *const names[] = {[CONVERT_JSON] = "json",
                                        [CONVERT_XML] = "xml",
                                        [CONVERT_SOAP11] = "soap11",
                                        [CONVERT_SOAP12] = "soap12"};
    for (int i = 0; json_is_string(value) && i <= CONVERT_SOAP12; i++) {
        if (strcmp(names[i], json_string_value(value)) == 0) {
            return i;
        }
    }
    return -1;
}

static err_t forms_of(struct compiler *k, const json_t *o, struct convert_op *op)
{
    const json_t *clients = json_object_get(o, "client");
    int upstream = form_of(json_object_get(json_object_get(o, "upstream"), "form"));
    op->accepts[CONVERT_JSON] = clients == NULL;
    if (upstream < 0) {
        return compiler_bad(k, "upstream.form is json, xml, soap11 or soap12");
    }
    op->upstream = (enum convert_form)upstream;
    if (clients != NULL && (!json_is_array(clients) || json_array_size(clients) == 0)) {
        return compiler_bad(k, "client is a list of json, xml, soap11, soap12");
    }
    for (size_t i = 0; i < json_array_size(clients); i++) {
        int form = form_of(json_array_get(clients, i));
        if (form < 0) {
            return compiler_bad(k, "client is a list of json, xml, soap11, soap12");
        }
        if (form != upstream && form != CONVERT_JSON && upstream != CONVERT_JSON) {
            return compiler_bad(k, "either the client or the upstream speaks JSON");
        }
        op->accepts[form] = true;
    }
    return CONVERT_OK;
}

/* Text that goes into a header or a request line: ASCII without controls, quotes, backslashes. */
static bool wire_ok(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == '"' || s.p[i] == '\\') {
            return false;
        }
    }
    return s.n <= 512;
}

static bool method_ok(struct slice s)
{
    static const char *const known[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (slice_eq(s, slice_str(known[i]))) {
            return true;
        }
    }
    return false;
}

static err_t wire_of(struct compiler *k, const json_t *o, struct convert_op *op)
{
    const json_t *up = json_object_get(o, "upstream");
    struct slice method = compiler_text(json_object_get(o, "method")),
                 up_method = compiler_text(json_object_get(up, "method")),
                 path = compiler_text(json_object_get(o, "path")),
                 up_path = compiler_text(json_object_get(up, "path")),
                 action = compiler_text(json_object_get(o, "action")),
                 name = compiler_text(json_object_get(o, "name"));
    up_method = up_method.p != NULL ? up_method : SLICE("POST");
    up_path = up_path.p != NULL ? up_path : slice_of("", 0);
    if (!method_ok(method) || !method_ok(up_method)) {
        return compiler_bad(k, "method is GET, POST, PUT, PATCH or DELETE");
    }
    if (path.n == 0 || path.p[0] != '/' || !wire_ok(path) || !wire_ok(up_path) ||
        (up_path.n > 0 && up_path.p[0] != '/')) {
        return compiler_bad(k, "path begins with / and is printable ASCII");
    }
    if (!wire_ok(action) || !compiler_name_ok(name)) {
        return compiler_bad(k, "name is an XML name; action is printable ASCII");
    }
    op->method = compiler_copy(k, method);
    op->path = compiler_copy(k, path);
    op->name = compiler_copy(k, name).p;
    op->upstream_method = compiler_copy(k, up_method).p;
    op->upstream_path = compiler_copy(k, up_path).p;
    op->action = compiler_copy(k, action).p;
    op->action_header = compiler_tag(k, "\"", slice_of("", 0), action, "\"").p;
    op->soap12_type =
        compiler_tag(k, "application/soap+xml; charset=utf-8", slice_of("", 0), slice_of("", 0), "")
            .p;
    if (action.n > 0) {
        op->soap12_type = compiler_tag(k, "application/soap+xml; charset=utf-8; action=\"",
                                       slice_of("", 0), action, "\"")
                              .p;
    }
    bool all = op->method.p != NULL && op->path.p != NULL && op->name != NULL &&
               op->upstream_method != NULL && op->upstream_path != NULL && op->action != NULL &&
               op->action_header != NULL && op->soap12_type != NULL;
    return all ? CONVERT_OK : compiler_no_memory(k);
}

/* A query can carry scalars and lists of them. */
static bool flat(const struct convert_field *root)
{
    if (root == NULL) {
        return true;
    }
    bool good = root->type->shape == CONVERT_OBJECT && root->type->n_attrs == 0;
    for (uint32_t i = 0; good && i < root->type->n_fields; i++) {
        const struct convert_type *t = root->type->fields[i].type;
        t = t->shape == CONVERT_WRAPPER ? t->fields[0].type : t;
        good = t->shape == CONVERT_SCALAR && t->n_attrs == 0;
    }
    return good;
}

static err_t op_of(struct compiler *k, const json_t *o, struct convert_op *op)
{
    static const char *const known[] = {"name",   "method",  "path",     "client", "upstream",
                                        "action", "request", "response", "query",  NULL};
    static const char *const upstream_known[] = {"form", "method", "path", NULL};
    if (!json_is_object(o) || !compiler_keys_known(o, known) || !compiler_flag_ok(o, "query") ||
        !json_is_object(json_object_get(o, "upstream")) ||
        !compiler_keys_known(json_object_get(o, "upstream"), upstream_known)) {
        return compiler_bad(k,
                            "an operation is an object of the members documented, and no others");
    }
    op->convert = k->c;
    op->by_query = json_is_true(json_object_get(o, "query"));
    err_t err = wire_of(k, o, op);
    if (err == CONVERT_OK) {
        err = forms_of(k, o, op);
    }
    if (err == CONVERT_OK) {
        err = root_of(k, o, "request", &op->root[CONVERT_REQUEST]);
    }
    if (err == CONVERT_OK) {
        err = root_of(k, o, "response", &op->root[CONVERT_RESPONSE]);
    }
    if (err == CONVERT_OK && op->by_query && !flat(op->root[CONVERT_REQUEST])) {
        return compiler_bad(k, "a query carries only scalars and lists of scalars");
    }
    return err;
}

static err_t ops_of(struct compiler *k, const json_t *list)
{
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n == 0 || n > CONVERT_OPERATIONS_MAX) {
        return compiler_bad(k, "operations is a list of 1 to 256");
    }
    k->c->ops = convert_alloc(k->c, n * sizeof *k->c->ops);
    if (k->c->ops == NULL) {
        return compiler_no_memory(k);
    }
    for (size_t i = 0; i < n; i++) {
        size_t was = compiler_enter(k, "operations", i);
        struct convert_op *op = &k->c->ops[i];
        err_t err = op_of(k, json_array_get(list, i), op);
        if (err != CONVERT_OK) {
            return err;
        }
        if (convert_find(k->c, op->method, op->path) != NULL) {
            return compiler_bad(k, "two operations have the same method and path");
        }
        k->c->n_ops = i + 1;
        compiler_leave(k, was);
    }
    return CONVERT_OK;
}

static bool prefix_ok(const char *prefix)
{
    static const char *const own[] = {"xml", "xmlns", "xsi", "soap"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        if (strcasecmp(prefix, own[i]) == 0) {
            return false;
        }
    }
    return compiler_name_ok(slice_str(prefix));
}

/* Are the namespaces in order? Their declarations go to *b. */
static err_t namespaces_of(struct compiler *k, struct buf *b)
{
    const char *prefix, *other;
    json_t *uri, *second;
    json_object_foreach((json_t *)k->namespaces, prefix, uri)
    {
        struct slice text = compiler_text(uri);
        if (!prefix_ok(prefix) || !wire_ok(text) || text.n == 0) {
            return compiler_bad(
                k, "namespaces gives each prefix (not xml, xsi, soap) one name in ASCII");
        }
        json_object_foreach((json_t *)k->namespaces, other, second)
        {
            if (other != prefix && json_equal(uri, second)) {
                return compiler_bad(k, "two prefixes have the same namespace");
            }
        }
        buf_addf(b, " xmlns:%s=\"", prefix);
        (void)convert_add_xml(b, text, true);
        buf_addc(b, '"');
    }
    return json_object_size(k->namespaces) <= 32 ? CONVERT_OK
                                                 : compiler_bad(k, "at most 32 namespaces");
}

static err_t types_of(struct compiler *k)
{
    static const char *const known[] = {"type",     "as",    "enum", "attributes",
                                        "elements", "order", NULL};
    const char *name;
    json_t *o;
    size_t i = 0;
    if (json_object_size(k->types) > CONVERT_TYPES_MAX) {
        return compiler_bad(k, "at most 1024 types");
    }
    k->named = convert_alloc(k->c, (json_object_size(k->types) + 1) * sizeof *k->named);
    if (k->named == NULL) {
        return compiler_no_memory(k);
    }
    json_object_foreach((json_t *)k->types, name, o)
    {
        size_t was = compiler_enter(k, "types", SIZE_MAX);
        size_t inner = compiler_enter(k, name, SIZE_MAX);
        if (!compiler_name_ok(slice_str(name)) || !json_is_object(o) ||
            !compiler_keys_known(o, known)) {
            return compiler_bad(
                k, "a type is an object of type, as, enum, attributes, elements, order");
        }
        json_t *self = json_string(name);
        bool taken = compiler_kind(self) >= 0 || strcmp(name, "object") == 0;
        json_decref(self);
        if (taken) {
            return compiler_bad(k, "the name is that of a built-in type");
        }
        err_t err = compiler_type(k, o, &k->named[i++], 0);
        if (err != CONVERT_OK) {
            return err;
        }
        compiler_leave(k, inner);
        compiler_leave(k, was);
    }
    return CONVERT_OK;
}

static bool head_ok(const json_t *d)
{
    static const char *const known[] = {"version", "names",      "unknown", "namespaces",
                                        "ns",      "operations", "types",   NULL};
    static const char *const names_known[] = {"attribute", "text", NULL};
    const json_t *names = json_object_get(d, "names"), *ns = json_object_get(d, "namespaces"),
                 *types = json_object_get(d, "types"), *unknown = json_object_get(d, "unknown");
    struct slice choice = compiler_text(unknown);
    return json_is_object(d) && compiler_keys_known(d, known) &&
           json_integer_value(json_object_get(d, "version")) == 1 &&
           (names == NULL || (json_is_object(names) && compiler_keys_known(names, names_known))) &&
           (ns == NULL || json_is_object(ns)) && (types == NULL || json_is_object(types)) &&
           (unknown == NULL || slice_eq(choice, SLICE("refuse")) ||
            slice_eq(choice, SLICE("drop")));
}

static err_t names_of(struct compiler *k, const json_t *d)
{
    const json_t *names = json_object_get(d, "names"),
                 *attribute = json_object_get(names, "attribute"),
                 *text = json_object_get(names, "text"), *ns = json_object_get(d, "ns");
    if ((attribute != NULL && (!json_is_string(attribute) || json_string_length(attribute) > 32)) ||
        (text != NULL && !compiler_key_ok(compiler_text(text)))) {
        return compiler_bad(k, "names.attribute and names.text are short strings");
    }
    k->attribute_prefix = attribute != NULL ? compiler_text(attribute) : SLICE("@");
    k->c->text_key = compiler_copy(k, text != NULL ? compiler_text(text) : SLICE("#text"));
    k->c->text_member =
        k->c->text_key.p != NULL ? compiler_member(k, k->c->text_key) : k->c->text_key;
    k->default_ns = ns != NULL ? compiler_text(ns) : slice_of("", 0);
    if (ns != NULL &&
        (k->default_ns.p == NULL ||
         (k->default_ns.n > 0 && json_object_get(k->namespaces, k->default_ns.p) == NULL))) {
        return compiler_bad(k, "ns is a prefix among namespaces, or \"\"");
    }
    k->c->drop_unknown = slice_eq(compiler_text(json_object_get(d, "unknown")), SLICE("drop"));
    return k->c->text_member.p != NULL ? CONVERT_OK : compiler_no_memory(k);
}

static err_t compile(struct compiler *k, const json_t *d, struct buf *xmlns)
{
    if (!head_ok(d)) {
        return compiler_bad(k,
                            "a definition is an object with version 1 and the members documented");
    }
    k->namespaces = json_object_get(d, "namespaces");
    k->types = json_object_get(d, "types");
    err_t err = namespaces_of(k, xmlns);
    if (err == CONVERT_OK) {
        err = names_of(k, d);
    }
    if (err == CONVERT_OK) {
        err = types_of(k);
    }
    if (err == CONVERT_OK) {
        err = ops_of(k, json_object_get(d, "operations"));
    }
    if (err != CONVERT_OK) {
        return err;
    }
    if (k->nillable) {
        buf_adds(xmlns, " xmlns:xsi=\"" CONVERT_XSI "\"");
    }
    k->c->xmlns = compiler_copy(k, buf_slice(xmlns));
    return xmlns->failed || k->c->xmlns.p == NULL ? compiler_no_memory(k) : CONVERT_OK;
}

enum convert_err convert_compile(const json_t *definition, struct convert **out,
                                 struct convert_error *error)
{
    struct convert_error unused = {0};
    struct compiler k = {.c = calloc(1, sizeof *k.c), .error = error != NULL ? error : &unused};
    struct buf xmlns;
    if (k.c == NULL) {
        return compiler_no_memory(&k);
    }
    xmlInitParser(); /* before threads use it; safe to repeat */
    buf_init(&xmlns);
    k.error->fault = CONVERT_FAULT_NONE;
    err_t err = compile(&k, definition, &xmlns);
    buf_fini(&xmlns);
    if (err != CONVERT_OK) {
        convert_free(&k.c);
        return err;
    }
    *out = k.c;
    return CONVERT_OK;
}
