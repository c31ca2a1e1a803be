/* SPDX-License-Identifier: Apache-2.0 */
/* The platform's conventions for interfaces, held against definitions (CI-7.1b, CI-7.3a). Each rule
 * is described in docs/services.md. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "api/api.h"
#include "services/services.h"

static void find(json_t *findings, const char *rule, const char *where, const char *text)
{
    json_array_append_new(findings,
                          json_pack("{s:s, s:s, s:s}", "rule", rule, "where", where, "text", text));
}

/* What a resource is called is no verb: the method says what is done with it. */
static bool verb(const char *segment, size_t n)
{
    static const char *const verbs[] = {"create", "delete", "update", "insert", "remove"};

    for (size_t i = 0; i < COUNT(verbs); i++) {
        size_t k = strlen(verbs[i]);
        if (n >= k && strncasecmp(segment, verbs[i], k) == 0 &&
            (n == k || isupper((unsigned char)segment[k]) || strchr("-_", segment[k]))) {
            return true;
        }
    }
    return false;
}

static void lint_path(const json_t *api, json_t *findings)
{
    bool credit = strcmp(row_text(api, "profile"), "rest") != 0;

    for (const char *at = row_text(api, "path"); *at == '/' && !credit;) {
        size_t n = strcspn(at + 1, "/");
        if (verb(at + 1, n)) {
            find(findings, "path-noun", "/path",
                 "a path names things; the method says what is done");
        }
        at += n + 1;
    }
}

static const char *const page_names[] = {"page",     "pagenum",   "page_no",    "pagenumber",
                                         "page_num", "pageindex", "page_index", "offset",
                                         "current",  NULL};
static const char *const size_names[] = {"size", "page_size", "limit",    "per_page", "perpage",
                                         "rows", "pagelen",   "page_len", NULL};

static bool among(const char *const *names, const char *name, const char *right)
{
    for (size_t i = 0; names[i]; i++) {
        if (strcasecmp(names[i], name) == 0) {
            return true;
        }
    }
    return strcasecmp(right, name) == 0 && strcmp(right, name) != 0;
}

struct paging {
    bool page, size, other_page, other_size;
};

static void see_name(struct paging *seen, const char *name)
{
    seen->page = seen->page || strcmp(name, "pageno") == 0;
    seen->size = seen->size || strcmp(name, "pagesize") == 0;
    seen->other_page = seen->other_page || among(page_names, name, "pageno");
    seen->other_size = seen->other_size || among(size_names, name, "pagesize");
}

static const json_t *resolved(const json_t *doc, const json_t *v)
{
    const char *ref = row_text(v, "$ref");
    const json_t *at = doc;
    char path[256], *save = NULL;

    if (strncmp(ref, "#/", 2) != 0) {
        return v;
    }
    snprintf(path, sizeof path, "%s", ref + 2);
    for (char *word = strtok_r(path, "/", &save); word; word = strtok_r(NULL, "/", &save)) {
        at = json_object_get(at, word);
    }
    return at;
}

static void see_parameters(const json_t *doc, const json_t *holder, struct paging *seen)
{
    json_t *item;
    size_t i;

    json_array_foreach(json_object_get(holder, "parameters"), i, item)
    {
        const json_t *parameter = resolved(doc, item);
        if (strcmp(row_text(parameter, "in"), "query") == 0) {
            see_name(seen, row_text(parameter, "name"));
        }
    }
}

static void see_body(const json_t *doc, const json_t *operation, struct paging *seen)
{
    const json_t *body = resolved(doc, json_object_get(operation, "requestBody"));
    const json_t *media = json_object_get(json_object_get(body, "content"), "application/json");
    const json_t *schema = resolved(doc, json_object_get(media, "schema"));
    const char *name;
    json_t *v;

    json_object_foreach(json_object_get(schema, "properties"), name, v)
    {
        see_name(seen, name);
    }
}

/* An operation that takes a page and a size, under whatever names, is paged. */
static void lint_operation(const json_t *api, const json_t *doc, const json_t *item,
                           const json_t *operation, json_t *findings)
{
    struct paging seen = {0};

    see_parameters(doc, item, &seen);
    see_parameters(doc, operation, &seen);
    see_body(doc, operation, &seen);
    bool paged = json_is_true(json_object_get(api, "paged")) ||
                 ((seen.page || seen.other_page) && (seen.size || seen.other_size));
    if (paged && (!seen.page || !seen.size)) {
        find(findings, "paging", "/paged",
             "a paged interface takes pageno and pagesize, under these names");
    } else if (paged && (seen.other_page || seen.other_size)) {
        find(findings, "paging", "/paged", "pageno and pagesize have no second names");
    }
}

/* What each method may answer when it went well. */
static bool success_fits(const char *method, long status)
{
    static const struct {
        const char *method;
        long status[5];
    } rows[] = {
        {"get", {200, 206}},           {"head", {200, 206}},       {"post", {200, 201, 202, 204}},
        {"put", {200, 201, 202, 204}}, {"patch", {200, 202, 204}}, {"delete", {200, 202, 204}}};

    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t k = 0; strcmp(rows[i].method, method) == 0 && rows[i].status[k]; k++) {
            if (rows[i].status[k] == status) {
                return true;
            }
        }
    }
    return false;
}

/* A status is told by its code, so that a client need not read a body to know what became of its
 * request; "2XX" and "default" say nothing of it. */
static void lint_status(const json_t *doc, const char *method, const json_t *operation,
                        json_t *findings)
{
    const char *code;
    json_t *answer;
    bool success = false;

    json_object_foreach(json_object_get(operation, "responses"), code, answer)
    {
        long status = strtol(code, NULL, 10);
        const json_t *content = json_object_get(resolved(doc, answer), "content");
        success = success || (status >= 200 && status < 300);
        if (status >= 200 && status < 300 && !success_fits(method, status)) {
            char text[100];
            snprintf(text, sizeof text, "a %s that went well does not answer %ld", method, status);
            find(findings, "status", "/methods", text);
        }
        if ((status == 204 || status == 304) && json_object_size(content) > 0) {
            find(findings, "status", "/methods", "a 204 or 304 has no content");
        }
    }
    if (!success) {
        find(findings, "status", "/methods",
             "each operation says by its status code what it answers when it went well");
    }
}

static void lint_schema(const json_t *api, const json_t *doc, json_t *findings)
{
    static const char *const methods[] = {"get", "post", "put", "patch", "delete", "head"};
    const char *path;
    json_t *item;

    json_object_foreach(json_object_get(doc, "paths"), path, item)
    {
        for (size_t i = 0; i < COUNT(methods); i++) {
            const json_t *operation = json_object_get(item, methods[i]);
            if (operation) {
                lint_operation(api, doc, item, operation, findings);
                lint_status(doc, methods[i], operation, findings);
            }
            if (operation && strcmp(methods[i], "get") == 0 &&
                json_object_get(operation, "requestBody")) {
                find(findings, "get-body", "/methods", "a GET has no body");
            }
        }
    }
}

static enum problem schema_of(struct rest_call *c, struct store_txn *txn, const char *api_id,
                              json_t **doc)
{
    const struct store_value v = store_text(api_id);
    json_t *rows = NULL;
    enum problem p =
        services_rows(c, txn, "SELECT openapi FROM schemas WHERE api_id = ? AND state = 'active'",
                      &v, 1, "openapi:j", &rows);

    *doc = json_incref(json_object_get(json_array_get(rows, 0), "openapi"));
    json_decref(rows);
    return p;
}

/* doc NULL: it has none. New array. */
static json_t *findings_of(const json_t *api, const json_t *doc)
{
    bool dataset = strcmp(row_text(api, "kind"), "dataset") == 0;
    json_t *findings = json_array();

    lint_path(api, findings);
    lint_schema(api, doc, findings);
    if (!doc && !dataset && json_is_true(json_object_get(api, "paged"))) {
        find(findings, "paging", "/paged",
             "a paged interface needs a schema that has pageno and pagesize");
    }
    return findings;
}

enum problem lint_api(struct rest_call *c, struct store_txn *txn, const json_t *api,
                      json_t **findings)
{
    json_t *doc = NULL;
    enum problem p = schema_of(c, txn, row_text(api, "id"), &doc);

    *findings = findings_of(api, doc);
    json_decref(doc);
    return p;
}

static enum problem refuse_found(struct rest_call *c, json_t *findings, const char *where)
{
    const json_t *first = json_array_get(findings, 0);
    enum problem p = first ? rest_fail(c, PROBLEM_STATE_CONFLICT, where,
                                       "the API is open, and its definition would break a "
                                       "convention (%s): %s",
                                       row_text(first, "rule"), row_text(first, "text"))
                           : PROBLEM_OK;

    json_decref(findings);
    return p;
}

enum problem lint_exchange(struct rest_call *c, const json_t *api, const json_t *doc)
{
    return api_state_live(api) ? refuse_found(c, findings_of(api, doc), doc ? "/openapi" : "")
                               : PROBLEM_OK;
}

enum problem lint_change(struct rest_call *c, struct change *ch)
{
    json_t *findings = NULL;

    if (!ch->old || !api_state_live(ch->row) ||
        (!api_changed(ch->old, ch->row, "paged") && !api_changed(ch->old, ch->row, "path"))) {
        return PROBLEM_OK;
    }
    enum problem p = lint_api(c, ch->txn, ch->row, &findings);
    if (p != PROBLEM_OK) {
        json_decref(findings);
        return p;
    }
    return refuse_found(c, findings, "");
}

enum problem service_lint(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *row = NULL, *findings = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = service_load(c, txn, &apis_resource, false, &row);
    }
    if (p == PROBLEM_OK) {
        p = lint_api(c, txn, row, &findings);
    }
    store_rollback(&txn);
    json_decref(row);
    if (p != PROBLEM_OK) {
        json_decref(findings);
        return p;
    }
    return rest_answer(c, 200, json_pack("{s:o}", "findings", findings));
}
