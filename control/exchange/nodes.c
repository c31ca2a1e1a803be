/* SPDX-License-Identifier: Apache-2.0 */
/* Exchange nodes (交换结点): the parties that data comes from and goes to, each typed (CI-5.1),
 * with its address, what was agreed with it and the keys of its messages. And the tools that
 * collect: each with its own credential and scope, and a switch (SW-9.8). */
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "base/codec.h"
#include "crypto/key.h"
#include "exchange/exchange.h"

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)

static const char *const kinds[] = {
    "government-big-data", "public-credit", "source-unit", "third-party",
    "credit-platform",     "other",         NULL};

static const struct attr node_attrs[] = {
    {"name", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 200},
    {"code", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 64},
    {"kind", ATTR_TEXT, AF_REQUIRED | AF_FILTER, 1, 40, .values = kinds},
    {"organisation_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "organisations"},
    {"address", ATTR_TEXT, 0, 1, 1000},
    {"ca", ATTR_TEXT, AF_LINES, 1, REST_TEXT_MAX},
    {"agreement", ATTR_TEXT, AF_LINES, 1, REST_TEXT_MAX},
    {"credential", ATTR_TEXT, AF_WRITE_ONLY, 1, 2000},
    {"credential_header", ATTR_TEXT, 0, 1, 60},
    {"token_url", ATTR_TEXT, 0, 1, 1000},
    {"client_id", ATTR_TEXT, 0, 1, 200},
    {"token_scope", ATTR_TEXT, 0, 1, 1000},
    {"credential_sealed", ATTR_TEXT, AF_HIDDEN},
    {"shared_key", ATTR_TEXT, AF_WRITE_ONLY, 32, 32},
    {"shared_key_sealed", ATTR_TEXT, AF_HIDDEN},
    {"public_key", ATTR_TEXT, AF_LINES, 1, REST_TEXT_MAX},
    {"platform_key", ATTR_TEXT, AF_READ_ONLY},
    {"key_sealed", ATTR_TEXT, AF_HIDDEN},
    {"private_address", ATTR_BOOL, 0, .fallback = "false"},
};

/* The pair that this node's messages to us are sealed to. */
static enum problem make_pair(struct rest_call *c, json_t *row)
{
    struct crypto_key *key = crypto_key_new(CRYPTO_KEY_SM2);
    char *pem = key ? crypto_key_private_pem(key) : NULL;
    char *public = key ? crypto_key_public_pem(key) : NULL;

    if (pem && public) {
        json_object_set_new(row, "platform_key", json_string(public));
        json_object_set_new(row, "key_sealed",
                            api_seal_kept(c->ctl, row_text(row, "id"), slice_str(pem)));
    }
    if (pem) {
        crypto_wipe(pem, strlen(pem));
    }
    free(pem);
    free(public);
    crypto_key_free(&key);
    return row_text(row, "key_sealed")[0] ? PROBLEM_OK : PROBLEM_INTERNAL;
}

static enum problem seal_member(struct rest_call *c, json_t *row, const char *member,
                                const char *column)
{
    const json_t *v = json_object_get(c->body, member);

    if (!v) {
        return PROBLEM_OK;
    }
    json_t *sealed = json_is_string(v) ? api_seal_kept(c->ctl, row_text(row, "id"),
                                                       slice_str(json_string_value(v)))
                                       : json_null();
    json_object_set_new(row, column, sealed);
    return sealed ? PROBLEM_OK : PROBLEM_INTERNAL;
}

/* A private address is an administrator's to allow: whoever may name one may make the platform
 * knock there. */
static bool may_ask(const char *url, bool inner)
{
    return !url[0] || strncmp(url, "https://", 8) == 0 ||
           (inner && strncmp(url, "http://", 7) == 0);
}

/* OAuth: the credential is a client's secret then, and never sent anywhere but to token_url. */
static enum problem check_token(struct rest_call *c, struct change *ch, bool inner)
{
    const char *url = row_text(ch->row, "token_url");

    if (!url[0] != !row_text(ch->row, "client_id")[0]) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/token_url", "it goes together with client_id");
    }
    return may_ask(url, inner)
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, "/token_url", "an https:// address is needed");
}

static enum problem check_address(struct rest_call *c, struct change *ch)
{
    const char *address = row_text(ch->row, "address");
    bool inner = json_is_true(json_object_get(ch->row, "private_address"));
    bool was = ch->old && json_is_true(json_object_get(ch->old, "private_address"));
    bool moved = !ch->old || api_changed(ch->old, ch->row, "address") ||
                 api_changed(ch->old, ch->row, "token_url");

    if (inner && (!was || moved) && c->user.role != ROLE_ADMIN) {
        return rest_fail(c, PROBLEM_NOT_PERMITTED, "/private_address",
                         "an administrator allows an address of the inner network");
    }
    if (!may_ask(address, inner)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/address", "an https:// address is needed");
    }
    return check_token(c, ch, inner);
}

static enum problem check_keys(struct rest_call *c, const json_t *row)
{
    const char *pem = row_text(row, "public_key"),
               *shared = json_string_value(json_object_get(c->body, "shared_key"));
    struct crypto_key *key = NULL;
    uint8_t bytes[16];
    size_t n;

    if (shared && !(codec_unhex(bytes, sizeof bytes, &n, shared, strlen(shared)) && n == 16)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/shared_key", "16 bytes in hex are needed");
    }
    if (!pem[0]) {
        return PROBLEM_OK;
    }
    bool ok = crypto_key_load_pem(&key, CRYPTO_KEY_PUBLIC, slice_str(pem)) == CRYPTO_OK &&
              crypto_key_kind(key) != CRYPTO_KEY_RSA;
    crypto_key_free(&key);
    return ok ? PROBLEM_OK
              : rest_fail(c, PROBLEM_FIELD_INVALID, "/public_key",
                          "a public key of SM2 or P-256 is needed");
}

static enum problem node_check(struct rest_call *c, struct change *ch)
{
    enum problem p = check_address(c, ch);

    if (p == PROBLEM_OK) {
        p = check_keys(c, ch->row);
    }
    if (p == PROBLEM_OK && !ch->old) {
        p = make_pair(c, ch->row);
    }
    if (p == PROBLEM_OK) {
        p = seal_member(c, ch->row, "credential", "credential_sealed");
    }
    return p == PROBLEM_OK ? seal_member(c, ch->row, "shared_key", "shared_key_sealed") : p;
}

static const struct transition switches[] = {
    {"active", "disable", "disabled", KEEPER},
    {"disabled", "enable", "active", KEEPER},
};

static const struct scope scopes[] = {
    {ROLE_PROVIDER | ROLE_DEVELOPER, BIND_ORGANISATION, EXCHANGE_OWN, EXCHANGE_OWN},
};

const struct resource exchange_nodes_resource = {
    .plural = "exchange_nodes",
    .kind = "exchange-node",
    .initial = "active",
    .attrs = node_attrs,
    .n_attrs = COUNT(node_attrs),
    .transitions = switches,
    .n_transitions = COUNT(switches),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = KEEPER | ROLE_AUDITOR,
    .create_roles = KEEPER,
    .patch_roles = KEEPER,
    .check = node_check,
};

/* Tools -----------------------------------------------------------------------------------------
 */
static enum problem scope_check(struct rest_call *c, const char *where, const json_t *v)
{
    static const char *const members[] = {"node_id", "source_id", "tables", "fields", NULL};
    json_t *entry;
    size_t i;

    if (!json_is_array(v) || json_array_size(v) == 0 || json_array_size(v) > 100) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "1 to 100 entries are needed");
    }
    json_array_foreach(v, i, entry)
    {
        json_t *tables = json_object_get(entry, "tables"),
               *fields = json_object_get(entry, "fields");
        if (!json_is_object(entry) || !api_only_members(entry, members) ||
            !row_text(entry, "node_id")[0] == !row_text(entry, "source_id")[0]) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                             "each entry has a node_id or a source_id");
        }
        enum problem p = tables ? api_check_words(c, where, tables, NULL, 512) : PROBLEM_OK;
        if (p == PROBLEM_OK && fields) {
            p = api_check_words(c, where, fields, NULL, 512);
        }
        if (p != PROBLEM_OK) {
            return p;
        }
    }
    return PROBLEM_OK;
}

static const struct attr tool_attrs[] = {
    {"name", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 200},
    {"organisation_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "organisations"},
    {"scope", ATTR_JSON, AF_REQUIRED, .check = scope_check},
    {"token_sm3", ATTR_TEXT, AF_HIDDEN},
};

/* The token is shown once; what is kept tells it without giving it away. */
static enum problem tool_check(struct rest_call *c, struct change *ch)
{
    uint8_t secret[32], hash[CRYPTO_HASH_LEN];
    char text[CODEC_BASE64URL_LEN(sizeof secret) + 1], hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN) + 1];

    if (ch->old) {
        return PROBLEM_OK;
    }
    crypto_random(secret, sizeof secret);
    size_t n = codec_base64url(text, secret, sizeof secret);
    crypto_hash(CRYPTO_SM3, text, n, hash);
    hex[codec_hex(hex, hash, sizeof hash)] = '\0';
    json_object_set_new(ch->row, "token_sm3", json_string(hex));
    c->once = json_pack("{s:s%}", "token", text, n);
    crypto_wipe(secret, sizeof secret);
    crypto_wipe(text, sizeof text);
    return c->once ? PROBLEM_OK : PROBLEM_INTERNAL;
}

const struct resource collection_tools_resource = {
    .plural = "collection_tools",
    .kind = "collection-tool",
    .initial = "active",
    .attrs = tool_attrs,
    .n_attrs = COUNT(tool_attrs),
    .transitions = switches,
    .n_transitions = COUNT(switches),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = KEEPER | ROLE_AUDITOR,
    .create_roles = KEEPER,
    .patch_roles = ROLE_STAFF,
    .check = tool_check,
};

/* Scope ----------------------------------------------------------------------------------------
 */
static bool lists(const json_t *words, const char *word)
{
    size_t i;
    json_t *w;

    json_array_foreach(words, i, w)
    {
        if (strcmp(json_string_value(w), word) == 0) {
            return true;
        }
    }
    return false;
}

static const json_t *entry_of(const json_t *tool, const char *member, const char *id)
{
    size_t i;
    json_t *entry;

    json_array_foreach(json_object_get(tool, "scope"), i, entry)
    {
        if (strcmp(row_text(entry, member), id) == 0) {
            return entry;
        }
    }
    return NULL;
}

/* What the input reads: its columns, or of an interface what is mapped, or what is stored. */
static bool fields_covered(const json_t *allowed, const json_t *collection, const json_t *input,
                           const char **bad)
{
    json_t *mapping = json_object_get(collection, "mapping"), *v;
    json_t *columns = json_object_get(input, "columns");
    const char *key;
    size_t i;

    if (!json_is_array(allowed)) {
        return true;
    }
    if (!columns && json_object_size(mapping)) {
        json_object_foreach(mapping, key, v)
        {
            *bad = json_string_value(v);
            if (!lists(allowed, **bad == '/' ? *bad + 1 : *bad)) {
                return false;
            }
        }
        return true;
    }
    json_array_foreach(columns ? columns : json_object_get(collection, "columns"), i, v)
    {
        *bad = row_text(v, "column")[0] ? row_text(v, "column") : row_text(v, "name");
        if (!lists(allowed, *bad)) {
            return false;
        }
    }
    return true;
}

enum problem tool_covers(struct rest_call *c, struct store_txn *txn, const json_t *tool,
                         const json_t *collection, char why[static 200])
{
    size_t i;
    json_t *input;

    (void)c, (void)txn;
    why[0] = '\0';
    if (strcmp(row_text(tool, "state"), "active") != 0) {
        snprintf(why, 200, "the tool is disabled");
    }
    json_array_foreach(json_object_get(collection, "inputs"), i, input)
    {
        bool node = row_text(input, "node_id")[0] != '\0';
        const char *table = row_text(input, "table"), *bad = "";
        const json_t *entry = entry_of(tool, node ? "node_id" : "source_id",
                                       row_text(input, node ? "node_id" : "source_id"));
        const json_t *tables = json_object_get(entry, "tables");
        if (why[0]) {
            break;
        }
        if (!entry) {
            snprintf(why, 200, "input %zu: the source is outside the tool's scope", i);
        } else if (json_is_array(tables) && !lists(tables, table)) {
            snprintf(why, 200, "the table %.80s is outside the tool's scope", table);
        } else if (!fields_covered(json_object_get(entry, "fields"), collection, input, &bad)) {
            snprintf(why, 200, "the field %.80s is outside the tool's scope", bad);
        }
    }
    return PROBLEM_OK;
}
