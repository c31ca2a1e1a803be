/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this module share: the compiled definition, the trail of an error, the values.
 * A type is one of three shapes: a scalar (text; with attributes a JSON object), an object
 * (elements and attributes), a wrapper (an element that is a JSON array of its one child). */
#pragma once
#include "convert/convert.h"

#define CONVERT_FIELD_WORDS (CONVERT_FIELDS_MAX / 64)
#define CONVERT_XSI         "http://www.w3.org/2001/XMLSchema-instance"
#define CONVERT_SOAP11_NS   "http://schemas.xmlsoap.org/soap/envelope/"
#define CONVERT_SOAP12_NS   "http://www.w3.org/2003/05/soap-envelope"

enum convert_kind {
    CONVERT_STRING,
    CONVERT_INTEGER,
    CONVERT_DECIMAL,
    CONVERT_NUMBER,
    CONVERT_BOOLEAN,
    CONVERT_DATE,
    CONVERT_DATETIME,
    CONVERT_BASE64
};
#define CONVERT_KINDS (CONVERT_BASE64 + 1)

struct convert_scalar {
    uint8_t kind;
    bool quoted; /* a number that is a JSON string */
    uint32_t n_values;
    const struct slice *values; /* an enumeration; none: any */
};

struct convert_attr {
    struct slice name, ns;
    struct slice open;   /* ` c:name="` */
    struct slice key;    /* member name, with the prefix: @name */
    struct slice member; /* `"@name":` */
    struct convert_scalar scalar;
    bool required;
};

enum convert_shape { CONVERT_SCALAR, CONVERT_OBJECT, CONVERT_WRAPPER };

struct convert_field;
struct convert_type {
    uint8_t shape;
    bool ordered;
    uint8_t n_attrs, n_choices;
    uint32_t n_fields;
    struct convert_scalar scalar;
    const struct convert_attr *attrs;
    const struct convert_field *fields;
    uint64_t required[CONVERT_FIELD_WORDS], required_attrs;
};

/* choice: 0, or which alternatives it is one of, from 1. max 0: no bound. */
struct convert_field {
    struct slice name, ns;
    struct slice open, close; /* `<c:name`, `</c:name>` */
    struct slice key, member;
    const struct convert_type *type;
    uint32_t min, max;
    bool many, nillable;
    uint8_t choice;
};

struct convert_arena_block;
struct convert {
    struct convert_arena_block *blocks;
    struct convert_op *ops;
    size_t n_ops;
    struct slice xmlns; /* ` xmlns:c="..."` for the outermost element */
    struct slice text_key, text_member;
    bool drop_unknown;
};

struct convert_op {
    const struct convert *convert;
    struct slice method, path;
    const char *name, *upstream_method, *upstream_path, *action, *action_header, *soap12_type;
    enum convert_form upstream;
    bool accepts[CONVERT_SOAP12 + 1], by_query;
    const struct convert_field *root[CONVERT_RESPONSE + 1]; /* NULL: no body */
};

/* Zeroed memory that lives as long as the convert; NULL: none. */
void *convert_alloc(struct convert *c, size_t n);

/* Where a reader is, by names of the definition. index: 0, or one more than the place in an array.
 */
struct convert_trail {
    unsigned n;
    struct {
        struct slice key;
        uint32_t index;
    } at[CONVERT_DEPTH_MAX * 2 + 4];
};
void convert_trail_text(const struct convert_trail *trail, char out[static CONVERT_WHERE_MAX]);
/* Fills *error with the code's own sentence and returns the code. */
enum convert_err convert_fail(struct convert_error *error, enum convert_err code,
                              const struct convert_trail *trail);

/* XML before the real parser sees it, so that none of its work can be made to explode: size, valid
 * UTF-8, no NUL, no declaration but <?xml?> in UTF-8, depth, attributes and names within bounds.
 * *body: what to parse, without a byte order mark or XML declaration. */
enum convert_err convert_guard(struct slice in, size_t max, struct slice *body);
bool convert_utf8(struct slice in); /* quicker than utf8_valid() on plain text; also no NUL */

/* Is text a value as XML Schema writes it (space around it already taken off where its type says
 * so)? */
bool convert_value_ok(const struct convert_scalar *s, struct slice text);
struct slice convert_trim(struct slice text);
/* Text of XML as a JSON value. */
enum convert_err convert_value_json(const struct convert_scalar *s, struct slice text,
                                    struct buf *out);
void convert_add_json(struct buf *out, struct slice text); /* a string, with its quotes */

/* Reading JSON from bytes known to be UTF-8. Each moves p past what it read. */
struct convert_json {
    const char *p, *end;
};
void convert_json_space(struct convert_json *j);
bool convert_json_char(struct convert_json *j, char c); /* after space */
bool convert_json_word(struct convert_json *j, struct slice word);
/* p after the opening quote. *text: borrowed from the input, or from scratch when it had escapes.
 */
enum convert_err convert_json_string(struct convert_json *j, struct buf *scratch,
                                     struct slice *text);
/* p at the backslash; the bytes it stands for go to utf8, their number to *n. */
enum convert_err convert_json_escape(struct convert_json *j, char utf8[static 4], size_t *n);
enum convert_err convert_json_number(struct convert_json *j, struct slice *text,
                                     enum convert_kind *kind);
enum convert_err convert_json_skip(struct convert_json *j, unsigned depth);

/* XML text: escaped for an element, or for an attribute's value. False: a character XML 1.0 has
 * not. */
bool convert_add_xml(struct buf *out, struct slice text, bool attribute);

struct slice convert_soap_ns(enum convert_form form);
