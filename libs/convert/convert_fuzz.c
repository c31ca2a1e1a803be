/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte chooses what the rest is: XML, JSON, a definition, a query. What converts one way
 * converts back, and then says the same. */
#include <stdlib.h>

#include "convert/convert_testing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef enum convert_err way(const struct convert_op *op, enum convert_side side,
                             enum convert_form form, struct slice in, struct buf *out,
                             const struct convert_limits *limits, struct convert_error *error);

/* there, back, and there again: the third is the first. */
static void round_trip(const struct convert_op *op, enum convert_side side, enum convert_form form,
                       struct slice in, way *there, way *back)
{
    struct buf a, b, c;
    struct convert_error e;
    buf_init(&a);
    buf_init(&b);
    buf_init(&c);
    if (there(op, side, form, in, &a, NULL, &e) == CONVERT_OK) {
        if (back(op, side, form, buf_slice(&a), &b, NULL, &e) != CONVERT_OK ||
            there(op, side, form, buf_slice(&b), &c, NULL, &e) != CONVERT_OK ||
            !slice_eq(buf_slice(&a), buf_slice(&c))) {
            abort();
        }
    } else if (a.n != 0 || e.text == NULL || strlen(e.where) >= CONVERT_WHERE_MAX) {
        abort();
    }
    buf_fini(&a);
    buf_fini(&b);
    buf_fini(&c);
}

static void definition(struct slice in)
{
    struct convert *c = NULL;
    struct convert_error e;
    struct buf out;
    json_t *d = json_loadb(in.p, in.n, 0, NULL);
    buf_init(&out);
    if (d != NULL && convert_compile(d, &c, &e) == CONVERT_OK) {
        (void)convert_find_soap(c, SLICE(""), SLICE("<a/>"));
        (void)!convert_wsdl_of(d, "S", "http://s", true, &out, &e);
        convert_free(&c);
    }
    json_decref(d);
    buf_fini(&out);
}

static void query(const struct convert_op *op, struct slice in)
{
    struct buf json, xml;
    struct convert_error e;
    buf_init(&json);
    buf_init(&xml);
    if (convert_query(op, in, &json, &e) == CONVERT_OK) {
        /* what a query becomes is JSON of the right types; only a member may be missing, or hold a
         * character that XML has not */
        enum convert_err err =
            convert_to_xml(op, CONVERT_REQUEST, CONVERT_SOAP11, buf_slice(&json), &xml, NULL, &e);
        if (err != CONVERT_OK && err != CONVERT_EREQUIRED && err != CONVERT_ECHARACTER) {
            abort();
        }
    }
    buf_fini(&json);
    buf_fini(&xml);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct convert *conv;
    if (conv == NULL) {
        struct convert_error e;
        json_t *d = testing_json(testing_definition);
        if (convert_compile(d, &conv, &e) != CONVERT_OK) {
            abort();
        }
        json_decref(d);
    }
    if (size == 0) {
        return 0;
    }
    struct slice in = slice_of((const char *)data + 1, size - 1);
    const struct convert_op *declare = convert_find(conv, SLICE("POST"), SLICE("/Declare"));
    const struct convert_op *status = convert_find(conv, SLICE("GET"), SLICE("/Status"));
    switch (data[0]) {
    case 'x':
        round_trip(declare, CONVERT_REQUEST, CONVERT_XML, in, convert_to_json, convert_to_xml);
        break;
    case 's':
        round_trip(status, CONVERT_RESPONSE, CONVERT_SOAP11, in, convert_to_json, convert_to_xml);
        (void)convert_find_soap(conv, SLICE(""), in);
        break;
    case 'j':
        round_trip(declare, CONVERT_REQUEST, CONVERT_SOAP12, in, convert_to_xml, convert_to_json);
        break;
    case 'q':
        query(status, in);
        break;
    default:
        definition(in);
    }
    return 0;
}
