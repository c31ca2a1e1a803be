/* SPDX-License-Identifier: Apache-2.0 */
/* Templates of agreements, and the clauses none may lack: one table a kind. A template that lacks
 * one cannot be made, so nothing signed from it lacks it either (BK-9.1.1e, BK-9.1.1f, BK-12.2a,
 * CI-6.1.4, SW-9.8-use2, EC-7.1.4.2b). */
#include <stdio.h>

#include "admission/inner.h"

#define CLAUSE_MAX 4000
#define BODY_MAX   20000

/* Between who gives data and who gets it. */
static const char *const data_use[] = {"shared-data",
                                       "fields",
                                       "policy",
                                       "provider-duties",
                                       "receiver-duties",
                                       "data-protection",
                                       "leak-prevention",
                                       "authorised-user",
                                       "data-life-cycle",
                                       "no-transfer",
                                       "exchange-through-platform",
                                       "confidentiality",
                                       NULL};
/* Of a bank with an application party. */
static const char *const cooperation[] = {"shared-data",
                                          "fields",
                                          "policy",
                                          "provider-duties",
                                          "receiver-duties",
                                          "scenarios",
                                          "interface-scope",
                                          "expected-volume",
                                          "integration-mode",
                                          "no-unauthorised-access",
                                          "user-information-security",
                                          "transaction-security",
                                          "no-clearing",
                                          "consumer-protection",
                                          "security-duties",
                                          "defect-secrecy",
                                          "no-exploitation",
                                          "no-transfer",
                                          "exchange-through-platform",
                                          "confidentiality-after-end",
                                          NULL};
/* Of a platform that exchanges credit information. */
static const char *const user[] = {
    "shared-data", "fields",     "policy",    "provider-duties", "receiver-duties",
    "access-mode", "interfaces", "frequency", "data-format",     "exchange",
    "validity",    "publicity",  NULL};
/* Before data of an owner is analysed. */
static const char *const privacy[] = {"scope",   "limits",   "purpose",         "de-identification",
                                      "results", "deletion", "confidentiality", NULL};

static const struct {
    const char *kind;
    const char *const *clauses;
} mandatory[] = {
    {"data-use", data_use},
    {"cooperation", cooperation},
    {"user", user},
    {"privacy", privacy},
};
static const char *const kinds[] = {"data-use", "cooperation", "user", "privacy", NULL};

static const char *const *mandatory_of(const char *kind)
{
    for (size_t i = 0; i < COUNT(mandatory); i++) {
        if (strcmp(mandatory[i].kind, kind) == 0) {
            return mandatory[i].clauses;
        }
    }
    return NULL;
}

static enum problem check_clauses(struct rest_call *c, const char *where, const json_t *v)
{
    static const char *const members[] = {"clause", "title", "text", NULL};
    char at[64];
    json_t *item;
    size_t i;

    if (!json_is_array(v) || json_array_size(v) > 64) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "an array of at most 64 is needed");
    }
    json_array_foreach(v, i, item)
    {
        snprintf(at, sizeof at, "%.40s/%zu", where, i);
        if (!json_is_object(item) || !api_only_members(item, members)) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, at, "clause, title and text are needed");
        }
        enum problem p = attr_text_check(c, at, json_object_get(item, "clause"), 1, 60, false);
        p = p == PROBLEM_OK ? attr_text_check(c, at, json_object_get(item, "title"), 1, 200, false)
                            : p;
        p = p == PROBLEM_OK
                ? attr_text_check(c, at, json_object_get(item, "text"), 1, CLAUSE_MAX, true)
                : p;
        if (p != PROBLEM_OK) {
            return p;
        }
    }
    return PROBLEM_OK;
}

static const struct attr attrs[] = {
    {"kind", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 20, .values = kinds},
    {"name", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 200},
    {"body", ATTR_TEXT, AF_REQUIRED | AF_LINES, 1, BODY_MAX},
    {"clauses", ATTR_JSON, AF_REQUIRED, .check = check_clauses},
};

static bool has_clause(const json_t *clauses, const char *name)
{
    json_t *item;
    size_t i;

    json_array_foreach(clauses, i, item)
    {
        if (strcmp(row_text(item, "clause"), name) == 0) {
            return true;
        }
    }
    return false;
}

/* What was signed rests on it, so an active one stays as it is: retire it and make another. */
static enum problem check(struct rest_call *c, struct change *ch)
{
    const char *const *names = mandatory_of(row_text(ch->row, "kind"));
    char missing[260] = "";
    size_t n = 0;

    if (ch->old && !admission_state_is(ch->old, "draft")) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the template is %s; make another",
                         row_text(ch->old, "state"));
    }
    for (size_t i = 0; names[i]; i++) {
        if (!has_clause(json_object_get(ch->row, "clauses"), names[i]) && n < sizeof missing - 1) {
            n += (size_t)snprintf(missing + n, sizeof missing - n, "%s%s", n ? ", " : "", names[i]);
        }
    }
    return n ? rest_fail(c, PROBLEM_AGREEMENT_INCOMPLETE, "/clauses", "missing: %s", missing)
             : PROBLEM_OK;
}

static const struct transition transitions[] = {
    {"draft", "activate", "active", ROLE_STAFF},
    {"draft|active", "retire", "retired", ROLE_STAFF},
};

/* What may be used is anybody's to read who agrees with somebody. */
static const struct scope scopes[] = {
    {ROLE_DEVELOPER | ROLE_PROVIDER, BIND_ORGANISATION, "t.state = 'active' AND ? IS NOT NULL",
     "1 = 0"},
};

const struct resource agreement_templates_resource = {
    .plural = "agreement_templates",
    .kind = "agreement-template",
    .initial = "draft",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_ALL & ~(unsigned)ROLE_OWNER,
    .create_roles = ROLE_STAFF,
    .patch_roles = ROLE_STAFF,
    .check = check,
};

enum problem rest_agreement_clauses(struct rest_call *c)
{
    json_t *items = json_array();

    for (size_t i = 0; i < COUNT(mandatory); i++) {
        json_t *names = json_array();
        for (size_t k = 0; mandatory[i].clauses[k]; k++) {
            json_array_append_new(names, json_string(mandatory[i].clauses[k]));
        }
        json_array_append_new(items,
                              json_pack("{s:s, s:o}", "kind", mandatory[i].kind, "clauses", names));
    }
    return rest_answer(c, 200, json_pack("{s:o}", "items", items));
}
