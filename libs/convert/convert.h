/* SPDX-License-Identifier: Apache-2.0 */
/* Conversion of one call's body between JSON and XML by a definition (SW-6-protocol,
 * SW-8.3.4-protocol): bare XML, SOAP 1.1 and SOAP 1.2. docs/conversion.md describes the definition.
 *
 * What the definition describes comes back the same from JSON to XML to JSON and from XML to JSON
 * to XML, numbers to the digit. What it does not describe is refused, or left out when it says
 * "unknown": "drop". A document type declaration, a processing instruction, any entity but the five
 * of XML and any encoding but UTF-8 are refused; nothing is ever loaded from elsewhere.
 *
 * A compiled definition never changes: any number of threads may share one. No other state. */
#pragma once
#include <jansson.h>

#include "base/buf.h"

#define CONVERT_INPUT_MAX      (4u << 20)  /* bytes, when the caller sets no other bound */
#define CONVERT_OUTPUT_MAX     (16u << 20) /* likewise */
#define CONVERT_DEPTH_MAX      64          /* elements in elements, values in values */
#define CONVERT_ATTRIBUTES_MAX 64          /* of one element, namespace declarations included */
#define CONVERT_FIELDS_MAX     256         /* child elements a type describes */
#define CONVERT_NAME_MAX       256         /* bytes of an element, attribute or member name */
#define CONVERT_OPERATIONS_MAX 256
#define CONVERT_TYPES_MAX      1024
#define CONVERT_DROPPED_MAX    10000 /* unknown parts left out of one document */
#define CONVERT_WHERE_MAX      200

/* value, the sentence. */
#define CONVERT_ERRORS(X)                                                                          \
    X(CONVERT_OK, "no error")                                                                      \
    X(CONVERT_EMEMORY, "out of memory")                                                            \
    X(CONVERT_EINPUT, "the document is larger than allowed")                                       \
    X(CONVERT_EOUTPUT, "the converted document would be larger than allowed")                      \
    X(CONVERT_ESYNTAX, "the document is not well formed")                                          \
    X(CONVERT_EENCODING, "the document is not valid UTF-8, or declares another encoding")          \
    X(CONVERT_ECHARACTER, "a string holds a character that XML cannot carry")                      \
    X(CONVERT_EDOCTYPE, "a document type declaration or processing instruction is not allowed")    \
    X(CONVERT_EDEPTH, "the document is nested too deep")                                           \
    X(CONVERT_ELIMIT, "too many attributes, names or unknown parts, or a name too long")           \
    X(CONVERT_EROOT, "the root element is not the one this operation has")                         \
    X(CONVERT_EUNKNOWN, "an element or member that the definition does not describe")              \
    X(CONVERT_EATTRIBUTE, "an attribute that the definition does not describe")                    \
    X(CONVERT_EDUPLICATE, "it may be present only once, or its repetitions are not together")      \
    X(CONVERT_EORDER, "the element is out of order")                                               \
    X(CONVERT_EREQUIRED, "it must be present")                                                     \
    X(CONVERT_ECOUNT, "it is repeated too few or too many times")                                  \
    X(CONVERT_ETYPE, "the value is of another JSON type than the definition says")                 \
    X(CONVERT_EVALUE, "the text is not a value of its type")                                       \
    X(CONVERT_ETEXT, "text between elements is not allowed here")                                  \
    X(CONVERT_ENIL, "it cannot be null")                                                           \
    X(CONVERT_ECHOICE, "exactly one of the alternatives must be present")                          \
    X(CONVERT_EENVELOPE, "the document is not a SOAP envelope of the expected version")            \
    X(CONVERT_EUNDERSTAND, "a SOAP header block that must be understood is not known")             \
    X(CONVERT_EFAULT, "the answer is a SOAP fault")                                                \
    X(CONVERT_EDEFINITION, "the definition is wrong")                                              \
    X(CONVERT_EUNSUPPORTED, "the construct is not supported")

enum convert_err {
#define X(value, sentence) value,
    CONVERT_ERRORS(X)
#undef X
};

/* Whose fault a SOAP fault says it is; nothing else of a fault leaves this module (BK-7.1). */
enum convert_fault { CONVERT_FAULT_NONE, CONVERT_FAULT_CLIENT, CONVERT_FAULT_SERVER };

/* text: a constant sentence, more exact than convert_strerror() where there is one. where: the way
 * to the place by the definition's names, "items[3].weight", or within the definition or WSDL; it
 * never holds text of a converted document. Filled on every error, untouched otherwise. */
struct convert_error {
    enum convert_err code;
    enum convert_fault fault;
    const char *text;
    char where[CONVERT_WHERE_MAX];
};
const char *convert_strerror(enum convert_err err); /* static, never NULL */

struct convert;
struct convert_op;

/* Compiles a definition, copying what it needs. *out is set only on CONVERT_OK. */
enum convert_err convert_compile(const json_t *definition, struct convert **out,
                                 struct convert_error *error) __attribute__((warn_unused_result));
void convert_free(struct convert **c);

enum convert_form { CONVERT_JSON, CONVERT_XML, CONVERT_SOAP11, CONVERT_SOAP12 };
enum convert_side { CONVERT_REQUEST, CONVERT_RESPONSE };

/* The operation a call means; NULL: none. path_rest: what follows the API's own prefix, beginning
 * with '/', without the query. Lives as long as the convert. */
const struct convert_op *convert_find(const struct convert *c, struct slice method,
                                      struct slice path_rest);
/* The operation of a SOAP call at the one address of a service, by its SOAPAction without quotes or
 * the action parameter of its content type; when that is empty, by the body's first element. NULL:
 * none. */
const struct convert_op *convert_find_soap(const struct convert *c, struct slice action,
                                           struct slice envelope);

/* The call it answers, as convert_find() takes it. */
struct slice convert_op_method(const struct convert_op *op);
struct slice convert_op_path(const struct convert_op *op);
enum convert_form convert_op_upstream_form(const struct convert_op *op);
const char *convert_op_upstream_method(const struct convert_op *op);
const char *convert_op_upstream_path(const struct convert_op *op);
const char *convert_op_action(const struct convert_op *op);
/* The SOAPAction header's value, quoted, for SOAP 1.1. */
const char *convert_op_action_header(const struct convert_op *op);
/* May clients use this form? Not said in the definition: JSON only. */
bool convert_op_accepts(const struct convert_op *op, enum convert_form form);
/* "application/json", "application/xml; charset=utf-8", ...; SOAP 1.2 with the action. */
const char *convert_op_content_type(const struct convert_op *op, enum convert_form form);
/* Members come from the query instead of a body: see convert_query(). */
bool convert_op_by_query(const struct convert_op *op);

struct convert_limits {
    size_t input_bytes, output_bytes;
};

/* One whole body in JSON into the operation's XML, in the given form (not CONVERT_JSON), and back.
 * Appends to out; on an error out is as long as before. limits NULL: the maxima above. */
enum convert_err convert_to_xml(const struct convert_op *op, enum convert_side side,
                                enum convert_form form, struct slice in, struct buf *out,
                                const struct convert_limits *limits, struct convert_error *error)
    __attribute__((warn_unused_result));
enum convert_err convert_to_json(const struct convert_op *op, enum convert_side side,
                                 enum convert_form form, struct slice in, struct buf *out,
                                 const struct convert_limits *limits, struct convert_error *error)
    __attribute__((warn_unused_result));
/* The raw query (no '?') of a GET into the JSON body convert_to_xml() takes. */
enum convert_err convert_query(const struct convert_op *op, struct slice query, struct buf *out,
                               struct convert_error *error) __attribute__((warn_unused_result));
/* A SOAP fault of our own; text: one of our sentences. form: CONVERT_SOAP11 or CONVERT_SOAP12. */
void convert_soap_fault(enum convert_form form, enum convert_fault fault, struct slice text,
                        struct buf *out);

#define CONVERT_WSDL_MAX (1u << 20) /* bytes */

/* A definition for REST in front of the SOAP service a WSDL 1.1 text describes, as
 * convert_compile() takes it: one operation each, POST /OperationName, or GET with a query for
 * those named in get_operations (a JSON array of names, or NULL). *out: a new reference. */
enum convert_err convert_from_wsdl(struct slice wsdl, const json_t *get_operations, json_t **out,
                                   struct convert_error *error) __attribute__((warn_unused_result));
/* The WSDL 1.1 text a stock SOAP client needs to call the definition's operations at address, by
 * SOAP 1.1 (and 1.2 when soap12). name: an XML name. Appends to out. */
enum convert_err convert_wsdl_of(const json_t *definition, const char *name, const char *address,
                                 bool soap12, struct buf *out, struct convert_error *error)
    __attribute__((warn_unused_result));
