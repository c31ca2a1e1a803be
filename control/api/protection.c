/* SPDX-License-Identifier: Apache-2.0 */
/* How strongly an API is protected, by what it does (BK-6.2): its class, who may prove itself how,
 * what may be in its answers. */
#include <stdio.h>

#include "access/access.h"
#include "api/apis.h"

const char *const protection_operations[] = {"payment",
                                             "transfer",
                                             "product-purchase",
                                             "balance",
                                             "transaction-history",
                                             "account-limit",
                                             "payment-time",
                                             "holdings",
                                             "points",
                                             "identity-authentication",
                                             "product-info",
                                             "other",
                                             NULL};
#define AUTHENTICATION "identity-authentication" /* gives others a user's authorisation */
#define ACCOUNT_OPERATIONS                                                                         \
    10                   /* the first ones: of a user's own money, account or identity, so A2      \
                            (BK-6.2b) */
#define SDK_OPERATIONS 8 /* the first ones: called through an SDK (BK-6.2b1, BK-6.2b2) */

static const char *const schemes[] = {"secret", "key", "certificate", NULL};

static bool is(const json_t *row, const char *name, const char *value)
{
    return strcmp(row_text(row, name), value) == 0;
}

static bool names(const json_t *list, const char *word)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (strcmp(json_string_value(item), word) == 0) {
            return true;
        }
    }
    return false;
}

enum problem protection_check_schemes(struct rest_call *c, const char *where, const json_t *v)
{
    return api_check_words(c, where, v, schemes, COUNT(schemes) - 1);
}

/* BK-9.3.1b: {what of a user's record: where in the body}. */
enum problem protection_check_claims(struct rest_call *c, const char *where, const json_t *v)
{
    static const char *const members[] = {"real_name", "id_number",  "phone",
                                          "email",     "birth_date", NULL};
    bool ok = json_is_object(v) && api_only_members(v, members);
    const char *key;
    json_t *path;

    json_object_foreach((json_t *)v, key, path)
    {
        size_t n = json_string_length(path);
        ok = ok && n > 0 && n <= 200;
    }
    return ok ? PROBLEM_OK
              : rest_fail(
                    c, PROBLEM_FIELD_INVALID, where,
                    "an object of real_name, id_number, phone, email and birth_date is needed, "
                    "each the path of a member of the body");
}

/* Only GET and HEAD; a POST where the provider says, or the platform knows, that it only asks. */
static bool read_only(const json_t *row)
{
    bool query = json_is_true(json_object_get(row, "query")) || is(row, "kind", "dataset");
    json_t *method;
    size_t i;

    json_array_foreach(json_object_get(row, "methods"), i, method)
    {
        const char *m = json_string_value(method);
        if (strcmp(m, "GET") != 0 && strcmp(m, "HEAD") != 0 && !(query && strcmp(m, "POST") == 0)) {
            return false;
        }
    }
    return true;
}

static bool of_first(const json_t *row, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (is(row, "operation", protection_operations[i])) {
            return true;
        }
    }
    return false;
}

/* BK-7.2.2c3-1: what only shows holdings or points may be asked for directly. */
static bool only_shown(const json_t *api)
{
    return (is(api, "operation", "holdings") || is(api, "operation", "points")) && read_only(api);
}

bool protection_needs_assessment(const json_t *api)
{
    return is(api, "class", "A2") && !only_shown(api);
}

/* Of what moves money or tells of an account nobody can turn it off, whatever the row says. */
bool protection_sdk_required(const json_t *api)
{
    const json_t *said = json_object_get(api, "sdk_required");

    return json_is_true(said) ||
           (of_first(api, SDK_OPERATIONS) && !(json_is_false(said) && only_shown(api)));
}

static enum problem check_sdk(struct rest_call *c, struct change *ch)
{
    bool off = json_is_false(json_object_get(ch->row, "sdk_required")),
         usual = of_first(ch->row, SDK_OPERATIONS);

    if (off && usual && !only_shown(ch->row)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/sdk_required",
                         "an API for %s is called through an SDK; a direct connection is an "
                         "exception of one app (direct_connections)",
                         row_text(ch->row, "operation"));
    }
    if (off && usual && (!ch->old || api_changed(ch->old, ch->row, "sdk_required")) &&
        !access_may(c, "apis.open-directly")) {
        return rest_fail(c, PROBLEM_NOT_PERMITTED, "/sdk_required",
                         "the platform opens an API to direct calls, not its provider");
    }
    if (protection_sdk_required(ch->row)) {
        json_object_set_new(ch->row, "sdk_required", json_true());
    }
    return PROBLEM_OK;
}

/* BK-9.2.1b2: neither a secret alone nor an unsigned answer. A subscription is where the risk
 * assessment of BK-6.2b3 is kept, so there is no A2 without one. */
static enum problem check_a2(struct rest_call *c, json_t *row)
{
    if (names(json_object_get(row, "schemes"), "secret")) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/schemes",
                         "an A2 API is proved to by key or certificate; a secret may only be "
                         "among the factors of an app");
    }
    if (json_is_false(json_object_get(row, "sign_response"))) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/sign_response",
                         "the answers of an A2 API are always signed");
    }
    if (is(row, "access", "registered")) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/access",
                         "an A2 API needs an approved subscription");
    }
    json_object_set_new(row, "sign_response", json_true());
    json_object_set_new(row, "user_factors", json_integer(protection_user_factors(row)));
    return PROBLEM_OK;
}

const char *protection_amount_path(const json_t *api)
{
    const char *said = row_text(api, "amount_path");

    return said[0] || !protection_moves_money(api) ? said : "amount";
}

bool protection_moves_money(const json_t *api)
{
    return of_first(api, PROTECTION_FUND_OPERATIONS);
}

bool protection_authenticates(const json_t *api)
{
    return is(api, "operation", AUTHENTICATION);
}

json_int_t protection_user_factors(const json_t *api)
{
    json_int_t said = json_integer_value(json_object_get(api, "user_factors"));

    return protection_moves_money(api) && said < 2 ? 2 : said;
}

static enum problem check_class(struct rest_call *c, struct change *ch)
{
    if (of_first(ch->row, ACCOUNT_OPERATIONS) && is(ch->row, "class", "A1")) {
        if (json_is_string(json_object_get(c->body, "class"))) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, "/class", "an API for %s is of class A2",
                             row_text(ch->row, "operation"));
        }
        json_object_set_new(ch->row, "class", json_string("A2"));
    }
    if (is(ch->row, "class", "A2")) {
        return check_a2(c, ch->row);
    }
    if (!read_only(ch->row)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/methods",
                         "an A1 API is read-only: GET and HEAD, and POST with query true; one "
                         "that writes is of class A2");
    }
    return PROBLEM_OK;
}

/* BK-9.3.2a2-1: whoever asks for a user's account or money says what for, and it is what the user
 * agreed to. */
static enum problem check_purpose(struct rest_call *c, json_t *row)
{
    const json_t *asked = json_object_get(row, "purpose_required");

    if ((of_first(row, PROTECTION_FUND_OPERATIONS) || protection_authenticates(row)) &&
        json_is_false(asked)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/purpose_required",
                         "each call of an API for %s says what it is for",
                         row_text(row, "operation"));
    }
    if (of_first(row, ACCOUNT_OPERATIONS) && !json_is_boolean(asked)) {
        json_object_set_new(row, "purpose_required", json_true());
    }
    return PROBLEM_OK;
}

/* BK-6.1c3: a phone calls what is open anyway, so what is for phones alone is that too. */
static enum problem check_channel(struct rest_call *c, const json_t *row)
{
    return json_is_true(json_object_get(row, "mobile_only")) &&
                   !json_is_true(json_object_get(row, "mobile"))
               ? rest_fail(c, PROBLEM_FIELD_INVALID, "/mobile_only",
                           "an API for mobile apps alone is open to mobile apps: mobile true")
               : PROBLEM_OK;
}

/* BK-9.3.1b: what takes what users enter, or speaks for who they are, has it held against their
 * record wherever it is called by its usual name; its provider may say other places, or none. */
static void default_claims(struct change *ch)
{
    bool asked = json_is_true(json_object_get(ch->row, "collects_user_data")) ||
                 protection_authenticates(ch->row);

    if (!ch->old && asked && !json_is_object(json_object_get(ch->row, "user_checks"))) {
        json_object_set_new(ch->row, "user_checks",
                            json_pack("{s:s, s:s, s:s, s:s, s:s}", "real_name", "real_name",
                                      "id_number", "id_number", "phone", "phone", "email", "email",
                                      "birth_date", "birth_date"));
    }
}

enum problem protection_check_api(struct rest_call *c, struct change *ch)
{
    enum problem p = check_class(c, ch);

    default_claims(ch);

    p = p == PROBLEM_OK ? check_sdk(c, ch) : p;
    p = p == PROBLEM_OK ? check_channel(c, ch->row) : p;
    if (p == PROBLEM_OK && json_is_true(json_object_get(ch->row, "analysis_agreement")) &&
        is(ch->row, "access", "registered")) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/analysis_agreement",
                      "what anybody registered may have is not for registered tasks alone");
    }
    p = p == PROBLEM_OK ? scenario_apply(c, ch->txn, ch->row) : p;
    return p == PROBLEM_OK ? check_purpose(c, ch->row) : p;
}

/* What is wrong with a tagged field; NULL: nothing. Of level 4 it never leaves. */
static const char *tagged_wrong(const json_t *api, const json_t *field)
{
    const json_t *tags = json_object_get(field, "tags");
    bool sealed = is(api, "seal_response", "required"),
         leaves = json_integer_value(json_object_get(field, "level")) < 4,
         secret = names(tags, "payment-sensitive"), personal = names(tags, "personal-financial");

    if ((secret || personal) && is(api, "class", "A1")) {
        return "personal financial information is for A2 APIs";
    }
    if (secret && leaves && !sealed) {
        return "a payment-sensitive field needs seal_response required, or level 4";
    }
    if (personal && leaves && !sealed && !row_text(field, "mask")[0]) {
        return "a personal-financial field needs a mask, or seal_response required";
    }
    return NULL;
}

enum problem protection_check_fields(struct rest_call *c, const json_t *api, const json_t *fields)
{
    json_t *field;
    size_t i;

    json_array_foreach(fields, i, field)
    {
        const char *why = tagged_wrong(api, field), *path = row_text(field, "path");
        if (why) {
            return rest_fail(c, PROBLEM_FIELD_UNMASKED, "/fields", "%.120s at %.120s: %s",
                             row_text(api, "path"), path[0] ? path : row_text(field, "name"), why);
        }
    }
    return PROBLEM_OK;
}
