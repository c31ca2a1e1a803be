/* SPDX-License-Identifier: Apache-2.0 */
/* A call, the cheap questions first: path, method, version, parameters; then the body. */
#include "schema_inner.h"

#include <math.h>
#include <stdlib.h>
#include <strings.h>

#include "base/utf8.h"

#define NUMBER_MAX 63 /* bytes of a number in a parameter */

/* One call under way. text: where escapes are resolved; a query and a path of full length fit. */
struct call {
    const struct schema *schema;
    const struct schema_request *request;
    const struct operation *operation;
    struct check check;
    struct slice segments[SCHEMA_SEGMENTS_MAX];
    size_t n_segments;
    struct pair {
        const struct parameter *parameter;
        struct slice value; /* still escaped */
    } pairs[SCHEMA_PAIRS_MAX];
    size_t n_pairs;
    bool version_seen;
    struct value items[SCHEMA_ITEMS_MAX]; /* of the parameter being looked at */
    size_t n_items;
    size_t n_text;
    char text[SCHEMA_QUERY_MAX]; /* likewise */
};

static bool fail(struct call *call, enum schema_err code, struct slice where, const char *detail)
{
    return schema_fail(&call->check, code, where, detail);
}

static struct slice rest(struct slice text, size_t from)
{
    return slice_of(text.p + from, text.n - from);
}

/* Cuts the part before `separator` off *left; *left becomes what is behind, p NULL after the last
 * part. */
static struct slice cut(struct slice *left, char separator)
{
    const char *end = left->n == 0 ? NULL : memchr(left->p, separator, left->n);
    struct slice part = end == NULL ? *left : slice_of(left->p, (size_t)(end - left->p));
    *left = end == NULL ? (struct slice){NULL, 0} : rest(*left, part.n + 1);
    return part;
}

/* -- path -------------------------------------------------------------------------------------- */

static bool split_path(struct slice path, struct slice *out, size_t *n)
{
    *n = 0;
    if (path.n == 0 || (path.n == 1 && path.p[0] == '/')) {
        return true;
    }
    if (path.p[0] != '/') {
        return false;
    }
    for (struct slice left = rest(path, 1); left.p != NULL;) {
        if (*n == SCHEMA_SEGMENTS_MAX) {
            return false;
        }
        out[(*n)++] = cut(&left, '/');
    }
    return true;
}

static bool path_fits(const struct path *path, const struct slice *segments)
{
    for (size_t i = 0; i < path->n; i++) {
        bool fits = path->segments[i].variable ? segments[i].n > 0
                                               : slice_eq(path->segments[i].text, segments[i]);
        if (!fits) {
            return false;
        }
    }
    return true;
}

static const struct path *find_path(const struct schema *s, const struct slice *segments, size_t n)
{
    for (size_t i = 0; i < s->n_paths && s->paths[i].n <= n; i++) {
        if (s->paths[i].n == n && path_fits(&s->paths[i], segments)) {
            return &s->paths[i];
        }
    }
    return NULL;
}

static const struct operation *find_method(const struct path *path, struct slice method)
{
    for (int i = 0; i < METHOD_COUNT; i++) {
        const char *name = schema_methods[i];
        if (strlen(name) != method.n) {
            continue;
        }
        size_t k = 0;
        while (k < method.n && method.p[k] == name[k] - 'a' + 'A') {
            k++;
        }
        if (k == method.n) {
            return path->operations[i];
        }
    }
    return NULL;
}

static bool find_operation(struct check *c, const struct operation **out, struct slice *segments,
                           size_t *n, struct slice path, struct slice method)
{
    const struct path *found =
        split_path(path, segments, n) ? find_path(c->schema, segments, *n) : NULL;
    if (found == NULL) {
        return schema_fail(c, SCHEMA_EROUTE, SLICE(""), schema_strerror(SCHEMA_EROUTE));
    }
    *out = find_method(found, method);
    return *out != NULL ||
           schema_fail(c, SCHEMA_EMETHOD, SLICE(""), schema_strerror(SCHEMA_EMETHOD));
}

/* -- escapes ----------------------------------------------------------------------------------- */

static int hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 3986; in a query "+" is a space too. *out is in call->text, or in the request when nothing is
 * escaped. */
static const char *unescape(struct call *call, struct slice in, bool query, struct slice *out)
{
    char *to = call->text + call->n_text;
    size_t n = 0;
    if (in.n > sizeof call->text - call->n_text) {
        return "the parameters are too long";
    }
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        if (c == '%') {
            int high = in.n - i < 3 ? -1 : hex(in.p[i + 1]), low = high < 0 ? -1 : hex(in.p[i + 2]);
            if (low < 0) {
                return "an escape is not % and two hex digits";
            }
            c = (char)(high << 4 | low);
            i += 2;
        } else if (query && c == '+') {
            c = ' ';
        }
        if (c == '\0') {
            return "there is a NUL in it";
        }
        to[n++] = c;
    }
    *out = slice_of(to, n);
    call->n_text += n;
    return utf8_valid(*out) ? NULL : "the text is not UTF-8";
}

/* What a service behind us might take for another path, once it has resolved the escapes itself. */
static bool is_path_trick(struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c < ' ' || c == 0x7f || c == '/' || c == '\\') {
            return true;
        }
    }
    return slice_eq(text, SLICE(".")) || slice_eq(text, SLICE(".."));
}

/* -- a parameter's text to a value ------------------------------------------------------------- */

/* The grammar of JSON's numbers: no "+1", "01", ".5", "0x1" or "inf". *integer: no fraction, no
 * exponent. */
static bool is_number(const char *p, bool *integer)
{
    p += *p == '-';
    size_t digits = strspn(p, "0123456789");
    if (digits == 0 || (digits > 1 && *p == '0')) {
        return false;
    }
    p += digits;
    *integer = *p == '\0';
    if (*p == '.') {
        digits = strspn(++p, "0123456789");
        if (digits == 0) {
            return false;
        }
        p += digits;
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '+' || *p == '-';
        digits = strspn(p, "0123456789");
        if (digits == 0) {
            return false;
        }
        p += digits;
    }
    return *p == '\0';
}

static bool read_number(struct slice text, bool integer_only, struct value *out)
{
    char copy[NUMBER_MAX + 1];
    bool integer = false;
    if (text.n == 0 || text.n > NUMBER_MAX || memchr(text.p, '\0', text.n) != NULL) {
        return false;
    }
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    if (!is_number(copy, &integer) || (integer_only && !integer)) {
        return false;
    }
    long double number = integer ? strtold(copy, NULL) : (long double)strtod(copy, NULL);
    if (integer ? number < INT64_MIN || number > INT64_MAX : number - number != 0) {
        return false; /* past what the services behind us read: 64 bits, and a double */
    }
    *out = (struct value){.kind = KIND_NUMBER, .number = number};
    out->kind = number == floorl(number) ? KIND_INTEGER : KIND_NUMBER;
    return true;
}

static bool read_scalar(enum kind kind, struct slice text, struct value *out)
{
    switch (kind) {
    case KIND_STRING:
        *out = (struct value){.kind = KIND_STRING, .text = text};
        return true;
    case KIND_BOOLEAN:
        *out = (struct value){.kind = KIND_BOOLEAN, .truth = slice_eq(text, SLICE("true"))};
        return out->truth || slice_eq(text, SLICE("false"));
    default:
        return read_number(text, kind == KIND_INTEGER, out);
    }
}

/* -- parameters -------------------------------------------------------------------------------- */

static bool bad(struct call *call, const struct parameter *p, const char *detail)
{
    return fail(call, SCHEMA_EPARAM_INVALID, p->name, detail);
}

static bool add_item(struct call *call, const struct parameter *p, struct slice raw)
{
    struct slice text = raw;
    const char *why = p->in == IN_HEADER ? NULL : unescape(call, raw, p->in == IN_QUERY, &text);
    if (p->in == IN_HEADER && !utf8_valid(raw)) {
        why = "the text is not UTF-8";
    }
    if (why != NULL) {
        return bad(call, p, why);
    }
    if (p->in == IN_PATH && is_path_trick(text)) {
        return bad(call, p, "a path parameter has no slash, no control byte, and is not . or ..");
    }
    if (call->n_items == SCHEMA_ITEMS_MAX) {
        return fail(call, SCHEMA_ELIMIT, p->name, "the parameter has too many items");
    }
    return read_scalar(p->kind, text, &call->items[call->n_items++]) ||
           bad(call, p, "the value has the wrong type");
}

static struct slice trim(struct slice text)
{
    while (text.n > 0 && (text.p[0] == ' ' || text.p[0] == '\t')) {
        text = rest(text, 1);
    }
    while (text.n > 0 && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\t')) {
        text.n--;
    }
    return text;
}

/* One occurrence: a scalar, an item, or a list with commas. */
static bool add_text(struct call *call, const struct parameter *p, struct slice raw)
{
    bool list = p->array && !(p->in == IN_QUERY && p->explode);
    if (!list) {
        return add_item(call, p, raw);
    }
    for (struct slice left = raw; left.p != NULL;) {
        struct slice item = cut(&left, ',');
        if (!add_item(call, p, p->in == IN_HEADER ? trim(item) : item)) {
            return false;
        }
    }
    return true;
}

static bool check_parameter(struct call *call, const struct parameter *p, size_t occurrences)
{
    if (occurrences == 0) {
        return !p->required ||
               fail(call, SCHEMA_EPARAM_MISSING, p->name, schema_strerror(SCHEMA_EPARAM_MISSING));
    }
    if (occurrences > 1 && (!p->array || (p->in == IN_QUERY && !p->explode))) {
        return bad(call, p, "the parameter is given twice");
    }
    struct value array = {.kind = KIND_ARRAY, .items = call->items, .n = call->n_items};
    call->check.parameter = p->name;
    call->check.invalid = SCHEMA_EPARAM_INVALID;
    return schema_check_value(&call->check, p->schema, p->array ? &array : &call->items[0], NULL);
}

static bool check_path_parameter(struct call *call, const struct parameter *p)
{
    return add_text(call, p, call->segments[p->segment]) && check_parameter(call, p, 1);
}

static bool check_header(struct call *call, const struct parameter *p)
{
    const struct schema_request *r = call->request;
    struct slice value;
    size_t n = 0;
    while (r->header != NULL && n < SCHEMA_ITEMS_MAX &&
           r->header(r->header_ctx, p->name, n, &value)) {
        if (!add_text(call, p, trim(value))) {
            return false;
        }
        n++;
    }
    return check_parameter(call, p, n);
}

static bool check_query_parameter(struct call *call, const struct parameter *p)
{
    size_t occurrences = 0;
    for (size_t i = 0; i < call->n_pairs; i++) {
        if (call->pairs[i].parameter != p) {
            continue;
        }
        occurrences++;
        if (!add_text(call, p, call->pairs[i].value)) {
            return false;
        }
    }
    return check_parameter(call, p, occurrences);
}

static bool check_parameters(struct call *call)
{
    static bool (*const checks[])(struct call *,
                                  const struct parameter *) = {[IN_PATH] = check_path_parameter,
                                                               [IN_QUERY] = check_query_parameter,
                                                               [IN_HEADER] = check_header};
    size_t n_text = call->n_text;
    for (size_t i = 0; i < call->operation->n_parameters; i++) {
        const struct parameter *p = &call->operation->parameters[i];
        call->n_items = 0;
        call->n_text = n_text; /* the one before is done with */
        if (!checks[p->in](call, p)) {
            return false;
        }
    }
    return true;
}

/* -- version and query ------------------------------------------------------------------------- */

static bool check_version(struct call *call, struct slice given)
{
    if (call->version_seen || !slice_eq(given, call->schema->version)) {
        return fail(call, SCHEMA_EVERSION, call->schema->version_name,
                    schema_strerror(SCHEMA_EVERSION));
    }
    call->version_seen = true;
    return true;
}

static const struct parameter *find_query_parameter(const struct operation *op, struct slice name)
{
    for (size_t i = 0; i < op->n_parameters; i++) {
        if (op->parameters[i].in == IN_QUERY && slice_eq(op->parameters[i].name, name)) {
            return &op->parameters[i];
        }
    }
    return NULL;
}

static bool read_pair(struct call *call, struct slice raw)
{
    const struct schema *s = call->schema;
    struct slice value = raw, name, read;
    size_t n_text = call->n_text;
    name = cut(&value, '=');
    value = value.p == NULL ? slice_of("", 0) : value;
    const char *why = unescape(call, name, true, &read);
    if (why != NULL) {
        return fail(call, SCHEMA_EPARAM_INVALID, SLICE(""), why);
    }
    if (s->versioned && s->version_in == IN_QUERY && slice_eq(read, s->version_name)) {
        why = unescape(call, value, true, &read);
        return why == NULL ? check_version(call, read)
                           : fail(call, SCHEMA_EVERSION, s->version_name, why);
    }
    const struct parameter *p = find_query_parameter(call->operation, read);
    if (p == NULL && !call->operation->query_open) {
        return fail(call, SCHEMA_EPARAM_UNKNOWN, schema_is_plain_name(read) ? read : SLICE(""),
                    schema_strerror(SCHEMA_EPARAM_UNKNOWN));
    }
    if (p == NULL) { /* an open query must be readable all the same */
        why = unescape(call, value, true, &read);
        call->n_text = n_text;
        return why == NULL || fail(call, SCHEMA_EPARAM_INVALID, SLICE(""), why);
    }
    call->pairs[call->n_pairs++] = (struct pair){p, value};
    call->n_text = n_text;
    return true;
}

static bool read_query(struct call *call)
{
    struct slice query = call->request->query;
    if (query.n > SCHEMA_QUERY_MAX) {
        return fail(call, SCHEMA_ELIMIT, SLICE(""), "the query is too long");
    }
    size_t pairs = 0;
    for (struct slice left = query; left.n > 0 || (left.p != NULL && pairs > 0);) {
        if (pairs++ == SCHEMA_PAIRS_MAX) {
            return fail(call, SCHEMA_ELIMIT, SLICE(""), "the query has too many parameters");
        }
        if (!read_pair(call, cut(&left, '&'))) {
            return false;
        }
    }
    return true;
}

static bool demand_version(struct call *call)
{
    const struct schema *s = call->schema;
    const struct schema_request *r = call->request;
    struct slice value;
    for (size_t n = 0; s->version_in == IN_HEADER && r->header != NULL && n < 2; n++) {
        if (r->header(r->header_ctx, s->version_name, n, &value) &&
            !check_version(call, trim(value))) {
            return false;
        }
    }
    return call->version_seen ||
           fail(call, SCHEMA_EVERSION, s->version_name, schema_strerror(SCHEMA_EVERSION));
}

/* -- bodies ------------------------------------------------------------------------------------ */

static bool same_text(struct slice a, struct slice b)
{
    return a.n == b.n && strncasecmp(a.p, b.p, a.n) == 0;
}

/* JSON is UTF-8 (RFC 8259) whatever a parameter says; one that says otherwise means bytes we would
 * misread. */
static bool is_utf8(struct slice parameters)
{
    while (parameters.p != NULL) {
        struct slice value = cut(&parameters, ';');
        struct slice name = trim(cut(&value, '='));
        value = trim(value);
        if (same_text(name, SLICE("charset")) && !same_text(value, SLICE("utf-8")) &&
            !same_text(value, SLICE("\"utf-8\""))) {
            return false;
        }
    }
    return true;
}

static const struct media *find_media(const struct body *body, struct slice content_type)
{
    struct slice parameters = content_type, type = trim(cut(&parameters, ';'));
    for (size_t i = 0; i < body->n; i++) {
        if (same_text(body->media[i].type, type)) {
            return !body->media[i].json || is_utf8(parameters) ? &body->media[i] : NULL;
        }
    }
    return NULL;
}

static bool check_body(struct check *c, const struct body *described, struct slice content_type,
                       struct slice body, uint32_t depth_max, uint32_t members_max)
{
    if (body.n == 0) {
        return !described->required || schema_fail(c, SCHEMA_EBODY_MISSING, SLICE(""),
                                                   schema_strerror(SCHEMA_EBODY_MISSING));
    }
    if (described->n == 0) {
        return schema_fail(c, SCHEMA_EBODY_UNEXPECTED, SLICE(""),
                           schema_strerror(SCHEMA_EBODY_UNEXPECTED));
    }
    const struct media *media = find_media(described, content_type);
    if (media == NULL) {
        return schema_fail(c, SCHEMA_ECONTENT_TYPE, SLICE(""),
                           schema_strerror(SCHEMA_ECONTENT_TYPE));
    }
    return !media->json || schema_check_body(c, media->schema, body, depth_max, members_max);
}

/* -- whole ------------------------------------------------------------------------------------- */

static bool check_call(struct call *call)
{
    const struct schema_request *r = call->request;
    return find_operation(&call->check, &call->operation, call->segments, &call->n_segments,
                          r->path, r->method) &&
           read_query(call) && (!call->schema->versioned || demand_version(call)) &&
           check_parameters(call) &&
           check_body(&call->check, &call->operation->body, r->content_type, r->body, r->depth_max,
                      r->members_max);
}

enum schema_err schema_check_request(const struct schema *schema,
                                     const struct schema_request *request, struct schema_error *err)
{
    struct call call; /* large, and not cleared: each part is written before it is read */
    call.schema = schema;
    call.request = request;
    call.n_pairs = call.n_items = call.n_text = 0;
    call.version_seen = false;
    schema_check_init(&call.check, schema, err);
    bool ok = check_call(&call);
    schema_check_fini(&call.check);
    return ok ? SCHEMA_OK : err->code;
}

static const struct response *find_response(const struct operation *op, unsigned status)
{
    for (size_t i = 0; i < op->n_responses; i++) {
        if (status >= op->responses[i].first && status <= op->responses[i].last) {
            return &op->responses[i];
        }
    }
    return NULL;
}

static bool check_answer(struct check *c, const struct schema_response *r)
{
    struct slice segments[SCHEMA_SEGMENTS_MAX];
    const struct operation *op;
    size_t n;
    if (!find_operation(c, &op, segments, &n, r->path, r->method)) {
        return false;
    }
    const struct response *response = find_response(op, r->status);
    if (response == NULL) {
        return schema_fail(c, SCHEMA_ESTATUS, SLICE(""), schema_strerror(SCHEMA_ESTATUS));
    }
    return check_body(c, &response->body, r->content_type, r->body, r->depth_max, r->members_max);
}

enum schema_err schema_check_response(const struct schema *schema,
                                      const struct schema_response *response,
                                      struct schema_error *err)
{
    struct check c;
    schema_check_init(&c, schema, err);
    bool ok = check_answer(&c, response);
    schema_check_fini(&c);
    return ok ? SCHEMA_OK : err->code;
}
