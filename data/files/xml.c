/* SPDX-License-Identifier: Apache-2.0 */
/* XML as a table: the root's children are the records, what stands in a record are its columns,
 * attributes too. An element that holds elements is JSON. Read as it comes, by libxml2's reader; a
 * document type is refused where it begins, so no entity is ever declared and nothing is fetched.
 */
#include <libxml/xmlreader.h>
#include <stdio.h>

#include "data/files/inner.h"

#define NAME_MAX_XML 128

struct element {    /* open inside a record */
    json_t *object; /* of its children and attributes; NULL: none yet */
    struct buf text;
    char name[NAME_MAX_XML + 1];
};

struct xml_pass {
    struct records *r;
    xmlTextReader *reader;
    struct element open[FILES_LEVELS_MAX + 1];
    int depth;     /* of open: 0 is the record itself */
    bool inside;   /* a record */
    size_t bytes;  /* of the record */
    uint64_t line; /* where it begins */
    struct {
        struct slice left;
    } input;
};

static unsigned long long here(const struct xml_pass *x)
{
    int line = xmlTextReaderGetParserLineNumber(x->reader);
    return line > 0 ? (unsigned long long)line : 1;
}

/* A name that comes again makes an array. */
static void put(json_t *object, const char *name, json_t *value)
{
    json_t *was = json_object_get(object, name);
    if (!was) {
        json_object_set_new(object, name, value);
    } else if (json_is_array(was)) {
        json_array_append_new(was, value);
    } else {
        json_t *list = json_array();
        json_array_append(list, was);
        json_array_append_new(list, value);
        json_object_set_new(object, name, list);
    }
}

static json_t *object_of(struct element *e)
{
    if (!e->object)
        e->object = json_object();
    return e->object;
}

static bool add_bytes(struct xml_pass *x, size_t n)
{
    x->bytes += n;
    return x->bytes <= FILES_RECORD_MAX ||
           records_fail(x->r, FILES_ELONG, "line %llu: a record of more than %u bytes", here(x),
                        FILES_RECORD_MAX);
}

static bool add_attributes(struct xml_pass *x, struct element *e)
{
    while (xmlTextReaderMoveToNextAttribute(x->reader) == 1) {
        const char *name = (const char *)xmlTextReaderConstLocalName(x->reader);
        const char *value = (const char *)xmlTextReaderConstValue(x->reader);
        if (xmlTextReaderIsNamespaceDecl(x->reader) == 1)
            continue;
        if (!add_bytes(x, strlen(value ? value : "")))
            return false;
        put(object_of(e), name, json_string(value ? value : ""));
    }
    xmlTextReaderMoveToElement(x->reader);
    return true;
}

/* What the element was: its text, or with children or attributes an object. */
static json_t *value_of(struct element *e)
{
    struct slice text = e->text.n ? buf_slice(&e->text) : SLICE("");
    bool blank = true;
    for (size_t i = 0; i < text.n && blank; i++)
        blank = strchr(" \t\r\n", text.p[i]) != NULL;
    json_t *v = e->object;
    if (!v)
        v = json_stringn(text.p, text.n);
    else if (!blank)
        json_object_set_new(v, "text", json_stringn(text.p, text.n));
    e->object = NULL;
    buf_clear(&e->text);
    return v;
}

static bool end_record(struct xml_pass *x)
{
    json_t *record = object_of(&x->open[0]);
    struct slice text = x->open[0].text.n ? buf_slice(&x->open[0].text) : SLICE("");
    if (json_object_size(record) == 0) /* `<v>text</v>` */
        json_object_set_new(record, "value", json_stringn(text.p, text.n));
    bool ok = records_object(x->r, record, x->line);
    json_decref(record);
    x->open[0].object = NULL;
    buf_clear(&x->open[0].text);
    x->inside = false;
    x->bytes = 0;
    return ok;
}

static bool end_element(struct xml_pass *x)
{
    if (x->depth == 0)
        return end_record(x);
    struct element *e = &x->open[x->depth--];
    json_t *v = value_of(e);
    if (!v)
        return records_fail(x->r, FILES_ESYNTAX, "line %llu: no text", here(x));
    put(object_of(&x->open[x->depth]), e->name, v);
    return true;
}

static bool begin_element(struct xml_pass *x)
{
    const char *name = (const char *)xmlTextReaderConstLocalName(x->reader);
    bool empty = xmlTextReaderIsEmptyElement(x->reader) == 1;
    if (xmlTextReaderDepth(x->reader) == 0)
        return true; /* the root */
    x->depth = x->inside ? x->depth + 1 : 0;
    if (!x->inside)
        x->line = here(x);
    x->inside = true;
    if (x->depth > FILES_LEVELS_MAX - 2)
        return records_fail(x->r, FILES_EDEEP, "line %llu: more than %d levels", here(x),
                            FILES_LEVELS_MAX);
    struct element *e = &x->open[x->depth];
    if (strlen(name) > NAME_MAX_XML)
        return records_fail(x->r, FILES_ELONG, "line %llu: the name of an element", here(x));
    strcpy(e->name, name);
    return add_bytes(x, strlen(name)) && add_attributes(x, e) && (!empty || end_element(x));
}

static bool add_text(struct xml_pass *x)
{
    const char *text = (const char *)xmlTextReaderConstValue(x->reader);
    size_t n = text ? strlen(text) : 0;
    if (!x->inside || !add_bytes(x, n))
        return !x->r->err;
    buf_add(&x->open[x->depth].text, text, n);
    return !x->open[x->depth].text.failed || records_fail(x->r, FILES_EIO, "out of memory");
}

static bool one_node(struct xml_pass *x)
{
    switch (xmlTextReaderNodeType(x->reader)) {
    case XML_READER_TYPE_ELEMENT:
        return begin_element(x);
    case XML_READER_TYPE_END_ELEMENT:
        return !x->inside || end_element(x);
    case XML_READER_TYPE_TEXT:
    case XML_READER_TYPE_CDATA:
    case XML_READER_TYPE_WHITESPACE:
    case XML_READER_TYPE_SIGNIFICANT_WHITESPACE:
        return add_text(x);
    case XML_READER_TYPE_DOCUMENT_TYPE:
    case XML_READER_TYPE_ENTITY_REFERENCE:
    case XML_READER_TYPE_ENTITY:
        return records_fail(x->r, FILES_ESYNTAX, "line %llu: a document type is not taken",
                            here(x));
    default:
        return true;
    }
}

static int give(void *ctx, char *out, int cap)
{
    struct xml_pass *x = ctx;
    size_t n = x->input.left.n < (size_t)cap ? x->input.left.n : (size_t)cap;
    if (n)
        memcpy(out, x->input.left.p, n);
    x->input.left = slice_of(x->input.left.p + n, x->input.left.n - n);
    return (int)n;
}

static void quiet(void *ctx, const char *msg, xmlParserSeverities severity,
                  xmlTextReaderLocatorPtr at)
{
    (void)ctx, (void)msg, (void)severity, (void)at;
}

/* An internal subset would be read before the reader tells of it: looked for in the bytes. */
static bool declares(struct slice bytes)
{
    size_t n = bytes.n < 65536 ? bytes.n : 65536;
    return memmem(bytes.p, n, "<!DOCTYPE", 9) != NULL || memmem(bytes.p, n, "<!ENTITY", 8) != NULL;
}

static bool read_all(struct xml_pass *x)
{
    int more;
    while ((more = xmlTextReaderRead(x->reader)) == 1)
        if (!one_node(x))
            return false;
    if (more == 0)
        return true;
    const xmlError *error = xmlGetLastError();
    const char *text = error && error->message ? error->message : "cannot be read";
    if (error && strstr(text, "xcessive depth"))
        return records_fail(x->r, FILES_EDEEP, "line %d: more than %d levels", error->line,
                            FILES_LEVELS_MAX);
    return records_fail(x->r,
                        error && error->domain == XML_FROM_I18N ? FILES_EENCODING : FILES_ESYNTAX,
                        "line %d: %.*s", error ? error->line : 0, (int)strcspn(text, "\n"), text);
}

bool read_xml(struct records *r, struct slice bytes, const char *encoding)
{
    struct xml_pass x = {.r = r, .input = {bytes}};
    if (declares(bytes))
        return records_fail(r, FILES_ESYNTAX, "a document type is not taken");
    r->untyped = true;
    xmlResetLastError();
    x.reader = xmlReaderForIO(give, NULL, &x, NULL, encoding && encoding[0] ? encoding : NULL,
                              XML_PARSE_NONET | XML_PARSE_NOWARNING | XML_PARSE_COMPACT);
    if (!x.reader)
        return records_fail(r, FILES_EIO, "out of memory");
    xmlTextReaderSetErrorHandler(x.reader, quiet, NULL);
    for (size_t i = 0; i <= FILES_LEVELS_MAX; i++)
        buf_init(&x.open[i].text);
    bool ok = read_all(&x);
    for (size_t i = 0; i <= FILES_LEVELS_MAX; i++) {
        buf_fini(&x.open[i].text);
        json_decref(x.open[i].object);
    }
    xmlFreeTextReader(x.reader);
    return ok;
}
