/* SPDX-License-Identifier: Apache-2.0 */
/* One function for each kind of attachment: what creation and change refuse. */
#include "api/attachments.h"

#include <stdio.h>

#include "convert/convert.h"
#include "graph/graph.h"
#include "schema/schema.h"

struct pointer {
    char text[300];
};

/* The place inside the attribute, as a JSON pointer from the body. */
static struct pointer at(const char *where, const char *inner)
{
    struct pointer p;

    snprintf(p.text, sizeof p.text, "%s%s", where, inner);
    return p;
}

static enum problem convert_problem(struct rest_call *c, const char *where, enum convert_err err,
                                    const struct convert_error *error)
{
    if (err == CONVERT_OK) {
        return PROBLEM_OK;
    }
    return err == CONVERT_EMEMORY
               ? PROBLEM_INTERNAL
               : rest_fail(c, PROBLEM_FIELD_INVALID, where, "%s%s%s", error->where,
                           error->where[0] ? ": " : "", error->text);
}

enum problem attachment_check_openapi(struct rest_call *c, const char *where, const json_t *v)
{
    struct schema *schema = NULL;
    struct schema_error error;
    enum schema_err err = schema_compile(v, &schema, &error);

    schema_free(&schema);
    if (err == SCHEMA_ENOMEM) {
        return PROBLEM_INTERNAL;
    }
    return err == SCHEMA_OK ? PROBLEM_OK
                            : rest_fail(c, PROBLEM_FIELD_INVALID, at(where, error.where).text, "%s",
                                        error.detail);
}

enum problem attachment_check_definition(struct rest_call *c, const char *where, const json_t *v)
{
    struct convert *convert = NULL;
    struct convert_error error;
    enum convert_err err = convert_compile(v, &convert, &error);

    convert_free(&convert);
    return convert_problem(c, where, err, &error);
}

/* The definition that REST in front of a SOAP service needs, from the service's own description. */
enum problem attachment_from_wsdl(struct rest_call *c, json_t *row)
{
    const json_t *wsdl = json_object_get(c->body, "wsdl"),
                 *gets = json_object_get(c->body, "get_operations");
    struct convert_error error;
    json_t *definition = NULL;

    if (!wsdl || json_is_null(wsdl)) {
        return gets && !json_is_null(gets)
                   ? rest_fail(c, PROBLEM_FIELD_INVALID, "/get_operations", "there is no wsdl")
                   : PROBLEM_OK;
    }
    if (json_object_get(c->body, "definition")) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/wsdl", "either definition or wsdl, not both");
    }
    enum convert_err err =
        convert_from_wsdl(slice_of(json_string_value(wsdl), json_string_length(wsdl)),
                          json_is_array(gets) ? gets : NULL, &definition, &error);
    if (err == CONVERT_OK) {
        json_object_set_new(row, "definition", definition);
    }
    return convert_problem(c, "/wsdl", err, &error);
}

enum problem attachment_check_graph(struct rest_call *c, const char *where, const json_t *v)
{
    struct graph_error error;
    struct graph *graph = graph_new(v, &error);

    if (graph == NULL) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, at(where, error.where).text, "%s", error.text);
    }
    graph_free(&graph);
    return PROBLEM_OK;
}
