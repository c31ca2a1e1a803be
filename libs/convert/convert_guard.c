/* SPDX-License-Identifier: Apache-2.0 */
/* libxml2 compares every attribute of an element with every other and keeps whatever a document
 * type declares, so a small hostile document can cost much. This pass looks at the bytes first. It
 * is no parser: on a well-formed document it sees the same tags as one, and what is not well formed
 * either stops here or stops libxml2 at the same place (BK-7.3.2a1). */
#include <libxml/parserInternals.h>
#include <strings.h>

#include "convert/convert_soap.h"
#include "plan/plan_scan.h"

bool convert_utf8(struct slice in)
{
    if (in.n == 0) {
        return true; /* there may be no pointer to add to */
    }
    const uint8_t *p = (const uint8_t *)in.p, *end = p + in.n;
    while (p < end) {
        if (*p >= 0x80) {
            const uint8_t *q = scan_utf8(p, end);
            if (q == p) {
                return false;
            }
            p = q;
        } else if (*p == 0) {
            return false;
        } else {
            p = scan_plain(p + 1, end);
        }
    }
    return true;
}

/* libxml2 keeps every distinct name in a table that stops growing early, so that a document of
 * nothing but new names takes it a time with the square of their number. */
#define DISTINCT_NAMES_BYTES (256u << 10)

/* For a name's prefix libxml2 looks through all namespaces in scope, so these are bounded too;
 * declared: by the open element of each depth. */
#define NAMESPACES_MAX 256
struct guard {
    const char *p, *end;
    unsigned depth, namespaces;
    uint8_t declared[CONVERT_DEPTH_MAX + 2];
};

static bool starts(const struct guard *g, struct slice text)
{
    return (size_t)(g->end - g->p) >= text.n && memcmp(g->p, text.p, text.n) == 0;
}

static bool past(struct guard *g, struct slice text)
{
    const char *at = memmem(g->p, (size_t)(g->end - g->p), text.p, text.n);
    g->p = at != NULL ? at + text.n : g->end;
    return at != NULL;
}

/* One byte each, for the loop over a tag: a quote, the end, what may be in a name, what is neither.
 */
enum { IN_NAME, SPACE, QUOTE, CLOSE, SLASH, OPEN };
static const uint8_t class_of[256] = {
    ['\t'] = SPACE, ['\n'] = SPACE, ['\r'] = SPACE, [' '] = SPACE, ['='] = SPACE,
    ['"'] = QUOTE,  ['\''] = QUOTE, ['>'] = CLOSE,  ['/'] = SLASH, ['<'] = OPEN,
};

/* p behind the '<' of a start tag or end tag. *open: it leaves an element open. */
static enum convert_err guard_tag(struct guard *g, bool *open, unsigned *namespaces)
{
    unsigned attributes = 0, name = 0;
    for (; g->p < g->end; g->p++) {
        uint8_t class = class_of[(uint8_t)*g->p];
        name = class == IN_NAME ? name + 1 : 0;
        *namespaces += name == 1 && *g->p == 'x' && starts(g, SLICE("xmlns"));
        if (name > CONVERT_NAME_MAX || attributes > CONVERT_ATTRIBUTES_MAX) {
            return CONVERT_ELIMIT;
        }
        if (class == OPEN) {
            return CONVERT_ESYNTAX;
        }
        if (class == CLOSE) {
            *open = g->p[-1] != '/';
            g->p++;
            return CONVERT_OK;
        }
        if (class == QUOTE) {
            const char *to = memchr(g->p + 1, *g->p, (size_t)(g->end - g->p) - 1);
            if (to == NULL) {
                return CONVERT_ESYNTAX;
            }
            g->p = to;
            attributes++;
        }
    }
    return CONVERT_ESYNTAX;
}

static enum convert_err guard_element(struct guard *g)
{
    bool closing = starts(g, SLICE("/")), open = false;
    unsigned namespaces = 0;
    g->p += closing;
    enum convert_err err = guard_tag(g, &open, &namespaces);
    if (err != CONVERT_OK) {
        return err;
    }
    if (closing) {
        if (g->depth == 0) {
            return CONVERT_ESYNTAX;
        }
        g->namespaces -= g->declared[g->depth--];
        return CONVERT_OK;
    }
    if (g->namespaces + namespaces > NAMESPACES_MAX) {
        return CONVERT_ELIMIT;
    }
    if (!open) {
        return CONVERT_OK;
    }
    if (++g->depth > CONVERT_DEPTH_MAX) {
        return CONVERT_EDEPTH;
    }
    g->declared[g->depth] = (uint8_t)(namespaces < UINT8_MAX ? namespaces : UINT8_MAX);
    g->namespaces += g->declared[g->depth];
    return CONVERT_OK;
}

static enum convert_err guard_markup(struct guard *g)
{
    if (starts(g, SLICE("!--"))) {
        g->p += 3;
        return past(g, SLICE("-->")) ? CONVERT_OK : CONVERT_ESYNTAX;
    }
    if (starts(g, SLICE("![CDATA["))) {
        return past(g, SLICE("]]>")) ? CONVERT_OK : CONVERT_ESYNTAX;
    }
    if (starts(g, SLICE("!")) || starts(g, SLICE("?"))) {
        return CONVERT_EDOCTYPE;
    }
    return guard_element(g);
}

/* <?xml version="1.0" encoding="UTF-8"?>: the version and the encoding are looked at here, as what
 * follows is given to the parser without it. */
static enum convert_err guard_declaration(struct guard *g)
{
    if (!starts(g, SLICE("<?xml")) || g->end - g->p < 6 || class_of[(uint8_t)g->p[5]] != SPACE) {
        return CONVERT_OK;
    }
    const char *from = g->p + 5;
    if (!past(g, SLICE("?>"))) {
        return CONVERT_ESYNTAX;
    }
    static const struct slice allowed[] = {
        {"version=1.0", 11}, {"encoding=utf-8", 14}, {"standalone=yes", 14}, {"standalone=no", 13}};
    char word[32];
    size_t n = 0, words = 0;
    for (const char *p = from; p < g->p - 1; p++) {
        bool space = *p == '?' || (class_of[(uint8_t)*p] == SPACE && *p != '=');
        if (!space && *p != '"' && *p != '\'') {
            if (n == sizeof word) {
                return CONVERT_EENCODING;
            }
            word[n++] = *p;
            continue;
        }
        if (!space || n == 0 || word[n - 1] == '=') {
            continue;
        }
        bool known = false;
        for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
            known |= allowed[i].n == n && strncasecmp(word, allowed[i].p, n) == 0;
        }
        if (!known || ++words > 3) {
            return CONVERT_EENCODING;
        }
        n = 0;
    }
    return n == 0 && words > 0 ? CONVERT_OK : CONVERT_ESYNTAX;
}

enum convert_err convert_guard(struct slice in, size_t max, struct slice *body)
{
    *body = slice_of("", 0);
    if (in.n == 0 || in.n > max) {
        return in.n == 0 ? CONVERT_OK : CONVERT_EINPUT;
    }
    if (!convert_utf8(in)) {
        return CONVERT_EENCODING;
    }
    struct guard g = {.p = in.p, .end = in.p + in.n};
    if (starts(&g, SLICE("\xef\xbb\xbf"))) {
        g.p += 3;
    }
    enum convert_err err = guard_declaration(&g);
    *body = slice_of(g.p, (size_t)(g.end - g.p));
    while (err == CONVERT_OK) {
        const char *tag = memchr(g.p, '<', (size_t)(g.end - g.p));
        if (tag == NULL) {
            return g.depth == 0 ? CONVERT_OK : CONVERT_ESYNTAX;
        }
        g.p = tag + 1;
        err = guard_markup(&g);
    }
    return err;
}

bool convert_sax(xmlSAXHandler *sax, void *context, xmlParserCtxt **parser, struct slice body,
                 bool *good)
{
    *good = false;
    if (body.n == 0 || body.n > INT32_MAX) {
        return true;
    }
    xmlParserCtxt *p = *parser = xmlCreateMemoryParserCtxt(body.p, (int)body.n);
    if (p == NULL) {
        return false;
    }
    xmlSAXHandler *own = p->sax;
    p->sax = sax;
    p->userData = context;
    /* NOENT: the five entities come as what they stand for; there can be no others */
    (void)xmlCtxtUseOptions(p, XML_PARSE_NONET | XML_PARSE_NOENT);
    (void)xmlDictSetLimit(p->dict, DISTINCT_NAMES_BYTES);
    int bad = xmlParseDocument(p);
    *good = bad == 0 && p->wellFormed && p->nsWellFormed;
    p->sax = own;
    if (p->myDoc != NULL) {
        xmlFreeDoc(p->myDoc);
        p->myDoc = NULL;
    }
    xmlFreeParserCtxt(p);
    *parser = NULL;
    return true;
}

bool convert_sax_names_full(const xmlParserCtxt *parser)
{
    return xmlDictGetUsage(parser->dict) > DISTINCT_NAMES_BYTES / 8; /* it grows by fours */
}
