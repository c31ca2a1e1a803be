/* SPDX-License-Identifier: Apache-2.0 */
/* Calls checked against an API's OpenAPI 3.1 description (BK-7.2.2a, BK-7.3.2a1): version, path,
 * method, parameters, media type and JSON body. docs/validation.md says which keywords are
 * enforced.
 *
 * Two rules. What the description asks for and this module cannot enforce is refused when it is
 * compiled, never ignored. What the description does not name is refused in a call: an unknown
 * query parameter, and an unknown member of an object unless additionalProperties,
 * patternProperties or unevaluatedProperties lets it in. */
#pragma once
#include <jansson.h>

#include "base/slice.h"

#define SCHEMA_WHERE_MAX       255   /* bytes of schema_error.where, without the NUL */
#define SCHEMA_DOCUMENT_DEPTH  64    /* levels of the description */
#define SCHEMA_DOCUMENT_VALUES 65536 /* JSON values in it */
#define SCHEMA_NODES_MAX       4096 /* schemas, each counted once however often it is referred to */
#define SCHEMA_PATHS_MAX       512
#define SCHEMA_SEGMENTS_MAX    32 /* of one path */
#define SCHEMA_PARAMETERS_MAX  64 /* of one operation */
#define SCHEMA_NESTING_MAX                                                                         \
    24 /* $ref, allOf, anyOf, oneOf and not inside each other on one value                         \
        */
#define SCHEMA_PATTERN_MAX   512  /* bytes of one pattern */
#define SCHEMA_PATTERN_INPUT 8192 /* bytes of a string that is held against a pattern */
#define SCHEMA_QUERY_MAX     8192 /* bytes of a raw query */
#define SCHEMA_PAIRS_MAX     128  /* name=value pairs of a query */
#define SCHEMA_ITEMS_MAX     128  /* items of an array in one parameter */
#define SCHEMA_BODY_DEPTH                                                                          \
    32 /* unless the request says less, or more up to SCHEMA_DOCUMENT_DEPTH                        \
        */
#define SCHEMA_BODY_MEMBERS 10000   /* values in a body, unless the request says otherwise */
#define SCHEMA_STEPS_MAX    4000000 /* units of work one check may cost; some 50 ms */

/* Whose fault: EDOCUMENT the description's, ENOMEM ours, all others the caller's (or, of a
 * response, the provider's). Append only. */
enum schema_err {
    SCHEMA_OK,
    SCHEMA_EROUTE,   /* no path of the description is this one */
    SCHEMA_EMETHOD,  /* the path is described, this method of it is not */
    SCHEMA_EVERSION, /* the version x-sluice-version asks for is missing or another */
    SCHEMA_EPARAM_MISSING,
    SCHEMA_EPARAM_INVALID, /* bad escape or UTF-8, given twice, or against its schema */
    SCHEMA_EPARAM_UNKNOWN,
    SCHEMA_ECONTENT_TYPE,
    SCHEMA_EBODY_MISSING,
    SCHEMA_EBODY_UNEXPECTED, /* a body where none is described */
    SCHEMA_EBODY_MALFORMED,  /* not JSON, a member twice, a NUL, bytes after the end, a number past
                                64 bits */
    SCHEMA_EBODY_INVALID,
    SCHEMA_ELIMIT,    /* too deep, too many, too long, or too much work */
    SCHEMA_ESTATUS,   /* a response with a status that is not described */
    SCHEMA_EDOCUMENT, /* the description cannot be enforced, or is none */
    SCHEMA_ENOMEM
};

/* where: the parameter's name; the JSON pointer into the body ("" is the whole body); for EDOCUMENT
 * the pointer into the description. UTF-8, cut at a character. It holds names that the description
 * knows, and an unknown one only when it looks like a name (letters, digits, _ - .; at most 64),
 * for a stranger's key may be personal data. detail: a constant sentence, never NULL, never a value
 * out of the call. */
struct schema_error {
    enum schema_err code;
    char where[SCHEMA_WHERE_MAX + 1];
    const char *detail;
};

struct schema; /* immutable: any number of threads may check against one */

/* Compiles an OpenAPI 3.1 document, or the part of one that has `paths` and what they refer to.
 * Paths are relative to the API's own ("/", "/{id}/items"). The document may be changed or freed
 * afterwards. On error *out is unchanged and *err says where and why. */
enum schema_err schema_compile(const json_t *openapi, struct schema **out, struct schema_error *err)
    __attribute__((warn_unused_result));
void schema_free(struct schema **schema);
/* Heap bytes it holds, within a few percent. */
size_t schema_size_bytes(const struct schema *schema);

/* The nth (from 0) header line of that name, case ignored. False: there are not so many. The value
 * is borrowed until the check returns. */
typedef bool (*schema_header_fn)(void *ctx, struct slice name, size_t nth, struct slice *value);

struct schema_request {
    struct slice method; /* "GET" */
    struct slice path;   /* as sent, still escaped, after the API's own path: "", "/", "/7/items" */
    struct slice query;  /* as sent, without the "?" */
    struct slice content_type; /* n = 0: no such header */
    struct slice
        body; /* n = 0: no body. Plain, not compressed. Its size is the caller's to limit */
    schema_header_fn header; /* NULL: there are no headers */
    void *header_ctx;
    uint32_t depth_max, members_max; /* 0: SCHEMA_BODY_DEPTH, SCHEMA_BODY_MEMBERS */
};

/* Allocates only for a JSON body and for a pattern. On SCHEMA_OK *err is unchanged. */
enum schema_err schema_check_request(const struct schema *schema,
                                     const struct schema_request *request, struct schema_error *err)
    __attribute__((warn_unused_result));

struct schema_response {
    struct slice method, path; /* of the request */
    unsigned status;           /* 100 to 599 */
    struct slice content_type, body;
    uint32_t depth_max, members_max;
};

/* Status, media type and JSON body; response headers are not checked. */
enum schema_err schema_check_response(const struct schema *schema,
                                      const struct schema_response *response,
                                      struct schema_error *err) __attribute__((warn_unused_result));

const char *schema_strerror(enum schema_err err); /* static: never NULL, never freed */
