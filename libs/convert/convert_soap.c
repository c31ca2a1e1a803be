/* SPDX-License-Identifier: Apache-2.0 */
#include "convert/convert_soap.h"

#include <stdlib.h>

void convert_soap_init(struct convert_soap *s, enum convert_form form)
{
    *s = (struct convert_soap){.form = form};
}

static bool is(const xmlChar *local, const char *name)
{
    return strcmp((const char *)local, name) == 0;
}

/* A header block that must be understood is for us to refuse: none is known here. */
static bool must_understand(struct slice soap, const xmlChar **a, int n)
{
    for (int i = 0; i < n; i++, a += 5) {
        if (a[2] == NULL || !slice_eq(slice_str((const char *)a[2]), soap) ||
            !is(a[0], "mustUnderstand")) {
            continue;
        }
        struct slice value = convert_trim(slice_of((const char *)a[3], (size_t)(a[4] - a[3])));
        if (!slice_eq(value, SLICE("0")) && !slice_eq(value, SLICE("false"))) {
            return true;
        }
    }
    return false;
}

static enum convert_err top(struct convert_soap *s, const xmlChar *local, bool own)
{
    if (s->depth == 0) {
        return own && is(local, "Envelope") ? CONVERT_OK : CONVERT_EENVELOPE;
    }
    if (own && is(local, "Header") && s->stage == SOAP_BEFORE) {
        s->stage = SOAP_HEADER;
        return CONVERT_OK;
    }
    if (own && is(local, "Body") && s->stage != SOAP_AFTER) {
        s->stage = SOAP_BODY;
        return CONVERT_OK;
    }
    return CONVERT_EENVELOPE;
}

/* SOAP 1.1: Fault/faultcode, in no namespace. SOAP 1.2: Fault/Code/Value. */
static void fault_element(struct convert_soap *s, const xmlChar *local, bool own)
{
    bool code = s->form == CONVERT_SOAP11 ? s->depth == 3 && is(local, "faultcode")
                                          : s->depth == 4 && own && is(local, "Value");
    s->code_open = code && !s->found_code;
    s->found_code |= code;
}

enum convert_err convert_soap_start(struct convert_soap *s, const xmlChar *local, struct slice ns,
                                    const xmlChar **attributes, int n, bool *payload)
{
    enum convert_err err = CONVERT_OK;
    struct slice soap = convert_soap_ns(s->form);
    *payload = s->form == CONVERT_XML;
    if (*payload) {
        return CONVERT_OK;
    }
    bool own = slice_eq(ns, soap);
    if (s->depth < 2) {
        err = top(s, local, own);
    } else if (s->stage == SOAP_HEADER) {
        err = s->depth == 2 && must_understand(soap, attributes, n) ? CONVERT_EUNDERSTAND
                                                                    : CONVERT_OK;
    } else if (s->in_fault) {
        fault_element(s, local, own);
    } else if (own && is(local, "Fault")) {
        s->in_fault = true;
    } else {
        *payload = true;
        return CONVERT_OK;
    }
    s->depth++;
    return err;
}

void convert_soap_end(struct convert_soap *s)
{
    s->code_open = false;
    s->depth -= s->depth > 0;
    if (s->depth == 1) {
        s->stage = s->stage == SOAP_BODY ? SOAP_AFTER : s->stage;
    }
}

bool convert_soap_text(struct convert_soap *s, struct slice text)
{
    if (s->form == CONVERT_XML) {
        return false;
    }
    if (s->code_open) {
        size_t n = sizeof s->code - s->code_n;
        n = text.n < n ? text.n : n;
        memcpy(s->code + s->code_n, text.p, n);
        s->code_n += n;
    }
    return s->in_fault || (s->stage == SOAP_HEADER && s->depth > 2);
}

enum convert_err convert_soap_complete(const struct convert_soap *s)
{
    if (s->form == CONVERT_XML) {
        return CONVERT_OK;
    }
    if (s->stage != SOAP_AFTER || s->depth != 0) {
        return CONVERT_EENVELOPE;
    }
    return s->in_fault ? CONVERT_EFAULT : CONVERT_OK;
}

enum convert_fault convert_soap_fault_class(const struct convert_soap *s)
{
    const char *client = s->form == CONVERT_SOAP11 ? "Client" : "Sender";
    struct slice code = convert_trim(slice_of(s->code, s->code_n));
    const char *colon = memchr(code.p, ':', code.n);
    if (colon != NULL) {
        code.n -= (size_t)(colon + 1 - code.p);
        code.p = colon + 1;
    }
    size_t n = strlen(client); /* Client.Authentication is one too */
    bool ours = code.n >= n && memcmp(code.p, client, n) == 0 && (code.n == n || code.p[n] == '.');
    return ours ? CONVERT_FAULT_CLIENT : CONVERT_FAULT_SERVER;
}

void convert_soap_fault(enum convert_form form, enum convert_fault fault, struct slice text,
                        struct buf *out)
{
    bool client = fault == CONVERT_FAULT_CLIENT;
    struct slice ns = convert_soap_ns(form);
    size_t was = out->n;
    buf_addf(out,
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soap:Envelope xmlns:soap=\"%.*s\">"
             "<soap:Body><soap:Fault>",
             SLICE_FMT(ns));
    if (form == CONVERT_SOAP11) {
        buf_addf(out, "<faultcode>soap:%s</faultcode><faultstring>", client ? "Client" : "Server");
    } else {
        buf_addf(out,
                 "<soap:Code><soap:Value>soap:%s</soap:Value></soap:Code><soap:Reason>"
                 "<soap:Text xml:lang=\"en\">",
                 client ? "Sender" : "Receiver");
    }
    if (!convert_add_xml(out, text, false)) {
        out->n = was;
        convert_soap_fault(form, fault, SLICE("error"), out);
        return;
    }
    buf_adds(out, form == CONVERT_SOAP11 ? "</faultstring>" : "</soap:Text></soap:Reason>");
    buf_adds(out, "</soap:Fault></soap:Body></soap:Envelope>");
}

/* Looking for the first element of a body. */
struct peek {
    const struct convert *convert;
    const struct convert_op *found;
    struct convert_soap soap;
    xmlParserCtxt *parser;
};

static void on_start(void *ctx, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri,
                     int n_namespaces, const xmlChar **namespaces, int n_attributes,
                     int n_defaulted, const xmlChar **attributes)
{
    struct peek *p = ctx;
    struct slice ns = uri != NULL ? slice_str((const char *)uri) : slice_of("", 0);
    struct slice name = slice_str((const char *)local);
    bool payload;
    (void)prefix, (void)n_namespaces, (void)namespaces, (void)n_defaulted;
    if (convert_soap_start(&p->soap, local, ns, attributes, n_attributes, &payload) == CONVERT_OK &&
        !payload) {
        return;
    }
    for (size_t i = 0; payload && i < p->convert->n_ops && p->found == NULL; i++) {
        const struct convert_field *root = p->convert->ops[i].root[CONVERT_REQUEST];
        if (root != NULL && slice_eq(root->name, name) && slice_eq(root->ns, ns)) {
            p->found = &p->convert->ops[i];
        }
    }
    xmlStopParser(p->parser);
}

static void on_end(void *ctx, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri)
{
    struct peek *p = ctx;
    (void)local, (void)prefix, (void)uri;
    convert_soap_end(&p->soap);
}

static void on_error(void *ctx, xmlErrorPtr error)
{
    (void)ctx, (void)error; /* what is wrong with it, the conversion says */
}

static void peek_as(struct peek *p, struct slice body, enum convert_form form)
{
    xmlSAXHandler sax = {.initialized = XML_SAX2_MAGIC,
                         .startElementNs = on_start,
                         .endElementNs = on_end,
                         .serror = on_error};
    bool good;
    convert_soap_init(&p->soap, form);
    (void)convert_sax(&sax, p, &p->parser, body, &good);
}

const struct convert_op *convert_find_soap(const struct convert *c, struct slice action,
                                           struct slice envelope)
{
    struct peek p = {.convert = c};
    struct slice body;
    for (size_t i = 0; action.n > 0 && i < c->n_ops; i++) {
        if (slice_eq(slice_str(c->ops[i].action), action)) {
            return &c->ops[i];
        }
    }
    if (action.n > 0 || convert_guard(envelope, CONVERT_INPUT_MAX, &body) != CONVERT_OK ||
        body.n == 0) {
        return NULL;
    }
    for (enum convert_form f = CONVERT_SOAP11; f <= CONVERT_SOAP12 && p.found == NULL; f++) {
        peek_as(&p, body, f);
    }
    return p.found;
}
