/* SPDX-License-Identifier: Apache-2.0 */
/* Agreements between who provides data and who receives it: drafted from a template, offered as a
 * text whose SM3 digest both sides sign, in force only then, and told to the nodes through the
 * subscriptions they bound (SW-9.8-use1, SW-8.2c2-5, CI-6.1.4). */
#include <stdio.h>
#include <stdlib.h>

#include "admission/inner.h"
#include "admission/terms.h"
#include "base/codec.h"

#define INTERFACES_MAX 128
#define TERM_MAX       2000

static enum problem check_duties(struct rest_call *c, const char *where, const json_t *v)
{
    enum problem p = PROBLEM_OK;
    json_t *item;
    size_t i;

    if (!json_is_array(v) || json_array_size(v) == 0 || json_array_size(v) > 64) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "an array of 1 to 64 texts is needed");
    }
    json_array_foreach(v, i, item)
    {
        p = p == PROBLEM_OK ? attr_text_check(c, where, item, 1, 1000, true) : p;
    }
    return p;
}

/* What nodes are told of them: terms_ways.c. */
static const char *const access_modes[] = {"direct", "sdk", "file", "event", NULL};
static const char *const data_formats[] = {"json", "xml", "csv", "ndjson", NULL};

/* Terms beyond the columns: texts by name, how and in which formats data is had, and of a privacy
 * agreement the operations it allows and
 * the level up to which. */
static enum problem check_terms(struct rest_call *c, const char *where, const json_t *v)
{
    static const char *const texts[] = {"exchange",  "interface_requirements", "publicity",
                                        "scenarios", "integration_mode",       "expected_volume",
                                        NULL};
    static const char *const operations[] = {"compose", "aggregate", "model", "export", NULL};
    enum problem p = PROBLEM_OK;
    char at[80];
    const char *key;
    json_t *item;

    if (!json_is_object(v)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "an object is needed");
    }
    json_object_foreach((json_t *)v, key, item)
    {
        bool known = false;
        snprintf(at, sizeof at, "%.20s/%.50s", where, key);
        for (size_t i = 0; texts[i]; i++) {
            known = known || strcmp(texts[i], key) == 0;
        }
        if (p != PROBLEM_OK) {
            return p;
        }
        if (known) {
            p = attr_text_check(c, at, item, 1, TERM_MAX, true);
        } else if (strcmp(key, "operations") == 0) {
            p = api_check_words(c, at, item, operations, COUNT(operations) - 1);
        } else if (strcmp(key, "access_mode") == 0) {
            p = api_check_words(c, at, item, access_modes, COUNT(access_modes) - 1);
        } else if (strcmp(key, "data_format") == 0) {
            p = api_check_words(c, at, item, data_formats, COUNT(data_formats) - 1);
        } else if (strcmp(key, "max_level") == 0) {
            p = api_int_within(item, 1, 3)
                    ? PROBLEM_OK
                    : rest_fail(c, PROBLEM_FIELD_INVALID, at, "a level from 1 to 3 is needed");
        } else {
            p = rest_fail(c, PROBLEM_FIELD_INVALID, at, "there is no such term");
        }
    }
    return p;
}

/* A mode says by which ways an API is reached; named beside it, they are among those. */
static enum problem check_mode(struct rest_call *c, const char *at, const json_t *item)
{
    const json_t *mode = json_object_get(item, "access_mode");
    json_t *modes = mode ? json_pack("[O]", mode) : NULL;
    enum problem p =
        modes ? api_check_words(c, at, modes, access_modes, COUNT(access_modes) - 1) : PROBLEM_OK;

    json_decref(modes);
    return p == PROBLEM_OK && !terms_ways_agree(item)
               ? rest_fail(c, PROBLEM_FIELD_INVALID, at, "the access_mode %s is by other ways",
                           row_text(item, "access_mode"))
               : p;
}

static enum problem check_interfaces(struct rest_call *c, const char *where, const json_t *v)
{
    static const char *const members[] = {"api_id",      "fields", "per_day", "scenario",
                                          "access_mode", "ways",   NULL};
    static const char *const ways[] = {"call", "sdk", "export", "event", NULL};
    char at[64];
    json_t *item;
    size_t i;

    if (!json_is_array(v) || json_array_size(v) > INTERFACES_MAX) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "an array of at most %d is needed",
                         INTERFACES_MAX);
    }
    json_array_foreach(v, i, item)
    {
        snprintf(at, sizeof at, "%.40s/%zu", where, i);
        const json_t *per_day = json_object_get(item, "per_day"),
                     *fields = json_object_get(item, "fields"),
                     *way = json_object_get(item, "ways");
        if (!json_is_object(item) || !api_only_members(item, members) ||
            !row_text(item, "api_id")[0] || (per_day && !api_int_within(per_day, 1, 1000000000))) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, at,
                             "api_id, fields, per_day, scenario, access_mode and ways");
        }
        enum problem p = fields ? api_check_paths(c, at, fields) : PROBLEM_OK;
        p = p == PROBLEM_OK && way ? api_check_words(c, at, way, ways, COUNT(ways) - 1) : p;
        p = p == PROBLEM_OK ? check_mode(c, at, item) : p;
        if (p != PROBLEM_OK) {
            return p;
        }
    }
    return PROBLEM_OK;
}

static const struct attr attrs[] = {
    {"template_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "agreement_templates"},
    {"kind", ATTR_TEXT, AF_READ_ONLY | AF_FILTER, .fallback = "\"\""},
    {"provider_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER | AF_REF_ANY,
     .ref = "organisations"},
    {"receiver_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER | AF_REF_ANY,
     .ref = "organisations"},
    {"app_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER | AF_REF_ANY, .ref = "apps"},
    {"title", ATTR_TEXT, AF_REQUIRED | AF_SORT, 1, 200},
    {"shared_data", ATTR_TEXT, AF_LINES, 1, REST_TEXT_MAX},
    {"interfaces", ATTR_JSON, 0, .check = check_interfaces},
    {"purpose", ATTR_TEXT, AF_LINES, 1, REST_TEXT_MAX},
    {"not_before", ATTR_TIME, AF_SORT},
    {"expires_at", ATTR_TIME, AF_SORT},
    {"retention_days", ATTR_INT, 0, 0, 36500},
    {"confidential_days", ATTR_INT, 0, 0, 36500},
    {"provider_duties", ATTR_JSON, 0, .check = check_duties},
    {"receiver_duties", ATTR_JSON, 0, .check = check_duties},
    {"terms", ATTR_JSON, 0, .check = check_terms, .fallback = "{}"},
    {"text", ATTR_TEXT, AF_READ_ONLY},
    {"digest_sm3", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"signing_text", ATTR_TEXT, AF_READ_ONLY},
    {"provider_signature", ATTR_JSON, AF_READ_ONLY},
    {"receiver_signature", ATTR_JSON, AF_READ_ONLY},
    {"in_force_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"ended_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"reason", ATTR_TEXT, AF_READ_ONLY},
};

/* Each API is the provider's to give. The platform's operator gives what is nobody else's, and
 * agrees with connected platforms on any (CI-6.1.4a). */
static bool gives(const json_t *row, const json_t *provider, const json_t *api)
{
    const char *owner = row_text(api, "organisation_id");

    return strcmp(owner, row_text(provider, "id")) == 0 ||
           (strcmp(row_text(provider, "kind"), "platform") == 0 &&
            (!owner[0] || strcmp(row_text(row, "kind"), "user") == 0));
}

/* And each field is one that the API has. */
static enum problem check_interface(struct rest_call *c, struct store_txn *txn, const json_t *row,
                                    const json_t *provider, const json_t *item)
{
    const char *id = row_text(item, "api_id");
    json_t *api = NULL;
    struct uuid u;
    enum problem p = uuid_parse(&u, id, strlen(id))
                         ? row_load(c, txn, &apis_resource, id, false, &api)
                         : PROBLEM_OK;

    if (p == PROBLEM_OK && !api) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/interfaces", "there is no API %.40s", id);
    }
    if (p == PROBLEM_OK && !gives(row, provider, api)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/interfaces",
                      "the API %.40s is not the provider's to give", id);
    }
    json_decref(api);
    return p == PROBLEM_OK ? api_check_named_fields(c, txn, item) : p;
}

static enum problem check_parties(struct rest_call *c, struct change *ch)
{
    json_t *provider = NULL, *app = NULL, *item;
    enum problem p =
        api_load(c, ch->txn, &organisations_resource, row_text(ch->row, "provider_id"), &provider);
    size_t i;

    json_array_foreach(json_object_get(ch->row, "interfaces"), i, item)
    {
        p = p == PROBLEM_OK ? check_interface(c, ch->txn, ch->row, provider, item) : p;
    }
    if (p == PROBLEM_OK && row_text(ch->row, "app_id")[0]) {
        p = api_load(c, ch->txn, &apps_resource, row_text(ch->row, "app_id"), &app);
    }
    if (p == PROBLEM_OK && app &&
        strcmp(row_text(app, "organisation_id"), row_text(ch->row, "receiver_id")) != 0) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/app_id", "it is not the receiver's app");
    }
    if (p == PROBLEM_OK &&
        strcmp(row_text(ch->row, "provider_id"), row_text(ch->row, "receiver_id")) == 0) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/receiver_id", "nobody agrees with themselves");
    }
    json_decref(provider);
    json_decref(app);
    return p;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    json_t *template = NULL;

    if (ch->old && !admission_state_is(ch->old, "draft")) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "",
                         "the agreement is %s; what was offered is not changed",
                         row_text(ch->old, "state"));
    }
    enum problem p = api_load(c, ch->txn, &agreement_templates_resource,
                              row_text(ch->row, "template_id"), &template);
    if (p == PROBLEM_OK && !admission_state_is(template, "active")) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/template_id", "the template is %s",
                      row_text(template, "state"));
    }
    if (p == PROBLEM_OK) {
        json_object_set(ch->row, "kind", json_object_get(template, "kind"));
        p = api_check_validity(c, ch->row);
    }
    json_decref(template);
    return p == PROBLEM_OK ? check_parties(c, ch) : p;
}

/* Offering ------------------------------------------------------------------------------------- */
static const struct {
    const char *name, *kind; /* kind NULL: of any */
    bool term;               /* among the terms */
} needed[] = {
    {"shared_data", NULL, false},
    {"interfaces", NULL, false},
    {"purpose", NULL, false},
    {"expires_at", NULL, false},
    {"retention_days", NULL, false},
    {"provider_duties", NULL, false},
    {"receiver_duties", NULL, false},
    {"confidential_days", "cooperation", false},
    {"scenarios", "cooperation", true},
    {"integration_mode", "cooperation", true},
    {"expected_volume", "cooperation", true},
    {"access_mode", "user", true},
    {"data_format", "user", true},
    {"exchange", "user", true},
    {"interface_requirements", "user", true},
    {"publicity", "user", true},
    {"operations", "privacy", true},
    {"max_level", "privacy", true},
};

static void add_missing(char *missing, size_t room, size_t *n, const char *name)
{
    if (*n < room - 1) {
        *n += (size_t)snprintf(missing + *n, room - *n, "%s%s", *n ? ", " : "", name);
    }
}

/* SW-9.8-use2a to 2d: an agreement that lacks one is not offered. */
static enum problem check_whole(struct rest_call *c, const json_t *row)
{
    bool privacy = strcmp(row_text(row, "kind"), "privacy") == 0;
    char missing[260] = "";
    json_t *item;
    size_t n = 0, k;

    for (size_t i = 0; i < COUNT(needed); i++) {
        const json_t *v =
            json_object_get(needed[i].term ? json_object_get(row, "terms") : row, needed[i].name);
        bool of_kind = !needed[i].kind || strcmp(needed[i].kind, row_text(row, "kind")) == 0;
        if (of_kind && (!v || json_is_null(v) || (json_is_array(v) && !json_array_size(v)))) {
            add_missing(missing, sizeof missing, &n, needed[i].name);
        }
    }
    if (!privacy && !row_text(row, "app_id")[0]) {
        add_missing(missing, sizeof missing, &n, "app_id");
    }
    json_array_foreach(json_object_get(row, "interfaces"), k, item)
    {
        if (!json_object_get(item, "fields")) {
            add_missing(missing, sizeof missing, &n, "interfaces/fields");
        }
        if (!privacy && !json_object_get(item, "per_day")) {
            add_missing(missing, sizeof missing, &n, "interfaces/per_day");
        }
    }
    return n ? rest_fail(c, PROBLEM_AGREEMENT_INCOMPLETE, "", "missing: %s", missing) : PROBLEM_OK;
}

/* The machine-read part, its keys sorted, so that one set of terms has one text. */
static char *terms_text(const json_t *row)
{
    static const char *const same[] = {
        "kind",       "provider_id",       "receiver_id",     "app_id",          "shared_data",
        "interfaces", "purpose",           "not_before",      "expires_at",      "retention_days",
        "terms",      "confidential_days", "provider_duties", "receiver_duties", "template_id"};
    json_t *terms = json_object();

    for (size_t i = 0; i < COUNT(same); i++) {
        json_object_set(terms, same[i], json_object_get(row, same[i]));
    }
    char *text = json_dumps(terms, JSON_INDENT(2) | JSON_SORT_KEYS);
    json_decref(terms);
    return text;
}

static enum problem render(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    json_t *template = NULL, *item;
    char *terms = terms_text(row);
    struct buf text;
    size_t i;
    enum problem p =
        api_load(c, txn, &agreement_templates_resource, row_text(row, "template_id"), &template);

    buf_init(&text);
    buf_addf(&text, "%s\n\n%s\n", row_text(row, "title"), row_text(template, "body"));
    json_array_foreach(json_object_get(template, "clauses"), i, item)
    {
        buf_addf(&text, "\n%zu. %s\n%s\n", i + 1, row_text(item, "title"), row_text(item, "text"));
    }
    buf_addf(&text, "\n%s\n", terms ? terms : "");
    p = p == PROBLEM_OK && (text.failed || !terms) ? PROBLEM_INTERNAL : p;
    if (p == PROBLEM_OK) {
        uint8_t digest[CRYPTO_HASH_LEN];
        char hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN)];
        crypto_hash(CRYPTO_SM3, text.p, text.n, digest);
        size_t n = codec_hex(hex, digest, sizeof digest);
        json_object_set_new(row, "text", json_stringn(text.p, text.n));
        json_object_set_new(row, "digest_sm3", json_stringn(hex, n));
        json_object_set_new(
            row, "signing_text",
            json_sprintf("sluice agreement %s sm3 %.*s", row_text(row, "id"), (int)n, hex));
    }
    buf_fini(&text);
    free(terms);
    json_decref(template);
    return p;
}

static enum problem offer(struct rest_call *c, struct change *ch)
{
    enum problem p = check_whole(c, ch->row);

    if (p == PROBLEM_OK && api_ms(ch->row, "expires_at") <= c->now_ms) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/expires_at", "it lies in the past");
    }
    return p == PROBLEM_OK ? render(c, ch->txn, ch->row) : p;
}

/* In force, and not any more ------------------------------------------------------------------- */
/* A day's calls of each API are a limit of the app's (SW-9.8-use2c, BK-9.1.1e). */
static enum problem limit_calls(struct rest_call *c, struct store_txn *txn, const json_t *row)
{
    enum problem p = PROBLEM_OK;
    json_t *item;
    size_t i;

    json_array_foreach(json_object_get(row, "interfaces"), i, item)
    {
        json_t *limit = resource_row(&limits_resource);
        json_object_set_new(limit, "name", json_string("agreed calls a day"));
        json_object_set_new(limit, "per", json_string("app-api"));
        json_object_set(limit, "app_id", json_object_get(row, "app_id"));
        json_object_set(limit, "api_id", json_object_get(item, "api_id"));
        json_object_set_new(limit, "measure", json_string("calls"));
        json_object_set(limit, "amount", json_object_get(item, "per_day"));
        json_object_set_new(limit, "action", json_string("reject"));
        json_object_set(limit, "not_before", json_object_get(row, "not_before"));
        json_object_set(limit, "expires_at", json_object_get(row, "expires_at"));
        json_object_set(limit, "agreement_id", json_object_get(row, "id"));
        p = p == PROBLEM_OK ? change_store(c, txn, &limits_resource, NULL, limit, "create") : p;
        json_decref(limit);
    }
    return p;
}

static enum problem remove_limit(struct rest_call *c, struct change *ch)
{
    return admission_state_is(ch->row, "removed")
               ? PROBLEM_OK
               : admission_move(c, ch->txn, ch->res, ch->row, "removed", "remove");
}

static enum problem state_effects(struct rest_call *c, struct store_txn *txn, const json_t *row)
{
    const char *app = row_text(row, "app_id");
    bool privacy = strcmp(row_text(row, "kind"), "privacy") == 0;
    enum problem p = PROBLEM_OK;

    if (privacy) {
        p = admission_state_is(row, "in_force")
                ? PROBLEM_OK
                : terms_stop_composed(c, txn, row_text(row, "receiver_id"));
        return p == PROBLEM_OK ? terms_refeed_organisation(c, txn, row_text(row, "receiver_id"))
                               : p; /* their analysis tasks */
    }
    p = admission_state_is(row, "in_force") ? limit_calls(c, txn, row)
                                            : row_each(c, txn, &limits_resource, "agreement_id",
                                                       row_text(row, "id"), remove_limit, NULL);
    return p == PROBLEM_OK ? terms_refeed_app(c, txn, app) : p;
}

static enum problem tell_both(struct rest_call *c, struct change *ch, const char *notice)
{
    static const char *const parties[] = {"provider_id", "receiver_id"};
    enum problem p = PROBLEM_OK;

    for (size_t i = 0; i < COUNT(parties) && p == PROBLEM_OK; i++) {
        p = admission_tell(c, ch->txn, notice, row_text(ch->row, parties[i]), ch->res, ch->row,
                           row_text(ch->row, "title"), row_text(ch->row, "reason"));
    }
    return p;
}

static enum problem after(struct rest_call *c, struct change *ch)
{
    static const struct {
        const char *state, *notice;
        bool effects;
    } told[] = {
        {"offered", "agreement-offered", false},
        {"in_force", "agreement-in-force", true},
        {"ended", "agreement-ended", true},
        {"expired", "agreement-ended", true},
    };
    enum problem p = PROBLEM_OK;

    if (!ch->old || !api_changed(ch->old, ch->row, "state")) {
        return PROBLEM_OK;
    }
    for (size_t i = 0; i < COUNT(told) && p == PROBLEM_OK; i++) {
        if (admission_state_is(ch->row, told[i].state)) {
            p = told[i].effects ? state_effects(c, ch->txn, ch->row) : PROBLEM_OK;
            p = p == PROBLEM_OK ? tell_both(c, ch, told[i].notice) : p;
        }
    }
    return p;
}

static enum problem end(struct rest_call *c, struct change *ch)
{
    json_object_set_new(ch->row, "ended_at", admission_time(c->now_ms));
    return PROBLEM_OK;
}

static const struct transition transitions[] = {
    {"draft", "offer", "offered", APPLICANT_ROLES, .hook = offer},
    {"draft|offered", "withdraw", "withdrawn", APPLICANT_ROLES},
    {"in_force", "terminate", "ended", APPLICANT_ROLES, .body_text = "reason", .hook = end},
};

#define PARTY "t.provider_id = ? OR t.receiver_id = ?"
static const struct scope scopes[] = {
    {ROLE_DEVELOPER | ROLE_PROVIDER, BIND_ORGANISATION, PARTY, PARTY},
};

const struct resource agreements_resource = {
    .plural = "agreements",
    .kind = "agreement",
    .initial = "draft",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_ALL & ~(unsigned)ROLE_OWNER,
    .create_roles = APPLICANT_ROLES,
    .patch_roles = APPLICANT_ROLES,
    .check = check,
    .after = after,
};
