/* SPDX-License-Identifier: Apache-2.0 */
/* Whose account here somebody of a peer has (GS-6.4a-2, GS-6.4b-2): one for each (peer, subject),
 * found again and never made twice. What the peer knows of them is stored at each sign-on and each
 * registration it sends. An account that a person had here before stays theirs to change. */
#include <ctype.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/codec.h"
#include "identity/identity.h"
#include "peers/inner.h"

#define VALUE_MAX 256

const char *const account_fields[] = {
    "name",         "preferred_username", "kind",      "holder_kind", "email",
    "phone_number", "real_name",          "id_number", "subject",     NULL};

/* The resource ------------------------------------------------------------------------------------
 */
static const struct attr attrs[] = {
    {"peer_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "peers"},
    {"subject", ATTR_TEXT, AF_READ_ONLY | AF_FILTER, 1, PEERS_SUBJECT_MAX},
    {"user_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "users"},
    {"fetched_at", ATTR_TIME, AF_READ_ONLY},
};

static const struct transition transitions[] = {
    {"active", "unlink", "removed", ROLE_ADMIN},
};

static enum problem after(struct rest_call *c, struct change *ch)
{
    return strcmp(row_text(ch->row, "state"), "removed") == 0
               ? identity_sessions_end(c, ch->txn, row_text(ch->row, "user_id"), NULL)
               : PROBLEM_OK;
}

static const struct scope scopes[] = {
    {ROLE_PROVIDER | ROLE_DEVELOPER | ROLE_OWNER, BIND_USER, "t.user_id = ?", "1 = 0"},
};

const struct resource peer_accounts_resource = {
    .plural = "peer_accounts",
    .kind = "peer-account",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_ALL,
    .after = after,
};

/* Before the transaction --------------------------------------------------------------------------
 */
static enum problem bad(struct rest_call *c, const char *name, const char *why)
{
    char where[64];

    snprintf(where, sizeof where, "/%s", name);
    return rest_fail(c, PROBLEM_FIELD_INVALID, where, "%s", why);
}

static enum problem check_texts(struct rest_call *c, const json_t *info)
{
    for (size_t i = 0; account_fields[i]; i++) {
        const json_t *v = json_object_get(info, account_fields[i]);
        char where[64];
        snprintf(where, sizeof where, "/%s", account_fields[i]);
        if (v && !json_is_null(v)) {
            enum problem p = attr_text_check(c, where, v, 1, 200, false);
            if (p != PROBLEM_OK) {
                return p;
            }
        }
    }
    return PROBLEM_OK;
}

static bool among(const char *text, const char *const *values)
{
    for (size_t i = 0; values[i]; i++) {
        if (strcmp(values[i], text) == 0) {
            return true;
        }
    }
    return !text[0];
}

static enum problem check_info(struct rest_call *c, const json_t *info)
{
    static const char *const kinds[] = {"person", "organisation", NULL};
    static const char *const holders[] = {"legal-person", "delegate", "organisation",
                                          "natural-person", NULL};
    const char *sub = row_text(info, "sub"), *email = row_text(info, "email");

    for (const char *s = sub; *s; s++) {
        if (!isgraph((unsigned char)*s)) {
            return bad(c, "sub", "letters without blanks are needed");
        }
    }
    if (!sub[0] || strlen(sub) > PEERS_SUBJECT_MAX) {
        return bad(c, "sub", "the peer's name for the user is needed, 128 bytes at most");
    }
    if (!among(row_text(info, "kind"), kinds) || !among(row_text(info, "holder_kind"), holders)) {
        return bad(c, "kind", "kind or holder_kind is none of those there are");
    }
    if (email[0] && (!strchr(email, '@') || strpbrk(email, " <>,;\""))) {
        return bad(c, "email", "an address like a@b.example is needed");
    }
    return check_texts(c, info);
}

static struct identity_claim claim_of(const json_t *info)
{
    const char *kind = row_text(info, "kind");

    return (struct identity_claim){.kind = kind[0] ? kind : "person",
                                   .name = row_text(info, "real_name"),
                                   .id_number = row_text(info, "id_number")};
}

enum problem account_prepare(struct rest_call *c, struct account *a)
{
    const struct identity_claim claim = claim_of(a->info);
    char random[CRYPTO_KEY_LEN];
    enum problem p = check_info(c, a->info);

    if (p == PROBLEM_OK && claim.name[0] && claim.id_number[0]) {
        p = realname_check(c, &claim);
        a->proven = p == PROBLEM_OK;
    }
    if (p == PROBLEM_OK) {
        crypto_random(random, sizeof random);
        crypto_password_hash(slice_of(random, sizeof random), a->phc);
        crypto_wipe(random, sizeof random);
    }
    return p;
}

void account_fini(struct account *a)
{
    json_decref(a->user);
    crypto_wipe(a->phc, sizeof a->phc);
    a->user = NULL;
}

/* In it -------------------------------------------------------------------------------------------
 */
static enum problem find(struct rest_call *c, struct store_txn *txn, const struct account *a,
                         char user[static UUID_TEXT_LEN + 1])
{
    const struct store_value v[] = {store_text(row_text(a->peer, "id")),
                                    store_text(row_text(a->info, "sub"))};
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn,
                                     "SELECT user_id FROM peer_accounts WHERE peer_id = ? AND "
                                     "subject = ? AND state = 'active'",
                                     v, 2, &rows);

    user[0] = '\0';
    if (err == STORE_OK && store_next(rows)) {
        snprintf(user, UUID_TEXT_LEN + 1, "%s", store_get_text(rows, 0));
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

/* Ends in @ and the peer's name, which no account registered here can (peers_check_login).
 */
static void login_of(const struct account *a, char login[static 129])
{
    const char *sub = row_text(a->info, "sub");
    bool plain = strlen(sub) <= 64;
    uint8_t digest[CRYPTO_HASH_LEN];
    char hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN) + 1];

    for (const char *s = sub; *s; s++) {
        plain = plain && (isalnum((unsigned char)*s) || strchr("._-", *s));
    }
    crypto_hash(CRYPTO_SM3, sub, strlen(sub), digest);
    hex[codec_hex(hex, digest, sizeof digest)] = '\0';
    snprintf(login, 129, "%s@%s", plain ? sub : hex, row_text(a->peer, "name"));
}

static bool is_of_peer(const struct account *a, const json_t *user)
{
    char login[129];

    login_of(a, login);
    return strcmp(login, row_text(user, "login")) == 0;
}

static void set_text(json_t *row, const char *name, const json_t *info, const char *from)
{
    const json_t *v = json_object_get(info, from);

    if (json_is_string(v)) {
        json_object_set(row, name, (json_t *)v);
    }
}

static bool differs(const struct rest_call *c, const json_t *user, const char *sealed,
                    const char *value)
{
    char stored[VALUE_MAX];
    size_t n = 0;
    bool there = secret_open(c, user, sealed, stored, sizeof stored, &n);
    bool same = there && n == strlen(value) && memcmp(stored, value, n) == 0;

    crypto_wipe(stored, sizeof stored);
    return !same;
}

/* What the peer knows, onto the row. */
static enum problem apply(struct rest_call *c, struct store_txn *txn, const struct account *a,
                          json_t *row)
{
    const struct identity_claim claim = claim_of(a->info);
    const char *phone = row_text(a->info, "phone_number");
    const char *name = row_text(a->info, "name");

    set_text(row, "display_name", a->info, name[0] ? "name" : "preferred_username");
    set_text(row, "email", a->info, "email");
    set_text(row, "holder_kind", a->info, "holder_kind");
    if (peer_flag(a->peer, "trust_subjects")) {
        set_text(row, "subject", a->info, "subject");
    }
    if (a->proven && (differs(c, row, "real_name_sealed", claim.name) ||
                      differs(c, row, "id_number_sealed", claim.id_number) ||
                      (phone[0] && differs(c, row, "phone_sealed", phone)))) {
        return verification_fill(c, txn, row, &claim, phone[0] ? phone : NULL);
    }
    return PROBLEM_OK;
}

/* Whose rows a user owns is for the platform to say: a peer's word counts with trust_subjects
 * alone. */
static json_t *new_row(const struct account *a)
{
    char id[UUID_TEXT_LEN + 1], login[129], subject[129];
    const char *kind = row_text(a->info, "kind");

    uuid_new_text(id);
    login_of(a, login);
    snprintf(subject, sizeof subject, "peer:%.118s", id);
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:s, s:s}", "id", id, "state", "active",
                     "login", login, "password_hash", a->phc, "password_change_required", 0, "role",
                     "owner", "subject", subject, "kind", kind[0] ? kind : "person");
}

static enum problem create(struct rest_call *c, struct store_txn *txn, struct account *a)
{
    a->user = new_row(a);
    a->created = true;
    enum problem p = apply(c, txn, a, a->user);
    if (p == PROBLEM_OK) {
        struct change ch = {.res = &users_resource, .txn = txn, .row = a->user};
        p = users_resource.check(c, &ch);
    }
    return p == PROBLEM_OK ? change_store(c, txn, &users_resource, NULL, a->user, "register") : p;
}

static enum problem update(struct rest_call *c, struct store_txn *txn, struct account *a)
{
    json_t *row = json_deep_copy(a->user);
    enum problem p = is_of_peer(a, row) ? apply(c, txn, a, row) : PROBLEM_OK;

    if (p == PROBLEM_OK && !json_equal(row, a->user)) {
        p = change_store(c, txn, &users_resource, a->user, row, "update");
    }
    json_decref(a->user);
    a->user = row;
    return p;
}

static enum problem link_up(struct rest_call *c, struct store_txn *txn, const struct account *a)
{
    char id[UUID_TEXT_LEN + 1], now[CLOCK_RFC3339_LEN + 1];

    uuid_new_text(id);
    clock_format_ms(c->now_ms, now);
    json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "id", id, "state", "active",
                            "peer_id", row_text(a->peer, "id"), "subject", row_text(a->info, "sub"),
                            "user_id", row_text(a->user, "id"), "fetched_at", now);
    enum problem p = change_store(c, txn, &peer_accounts_resource, NULL, row, "create");
    json_decref(row);
    return p;
}

static enum problem note_fetched(struct rest_call *c, struct store_txn *txn,
                                 const struct account *a)
{
    const struct store_value v[] = {store_int((int64_t)c->now_ms),
                                    store_text(row_text(a->peer, "id")),
                                    store_text(row_text(a->info, "sub"))};

    return rest_store_problem(
        c, store_exec(txn,
                      "UPDATE peer_accounts SET fetched_at = ? WHERE peer_id = ? AND subject = ? "
                      "AND state = 'active'",
                      v, 3, NULL));
}

enum problem account_store(struct rest_call *c, struct store_txn *txn, struct account *a, bool link)
{
    const struct identity_claim claim = claim_of(a->info);
    char id[UUID_TEXT_LEN + 1];
    enum problem p = find(c, txn, a, id);
    bool known = id[0] != '\0';

    if (p == PROBLEM_OK && !known && link && a->proven) {
        p = identity_find(c, txn, &claim, id);
    }
    if (p != PROBLEM_OK) {
        return p;
    }
    if (id[0]) {
        p = api_load(c, txn, &users_resource, id, &a->user);
        p = p == PROBLEM_OK ? update(c, txn, a) : p;
    } else {
        p = create(c, txn, a);
    }
    if (p != PROBLEM_OK) {
        return p;
    }
    return known ? note_fetched(c, txn, a) : link_up(c, txn, a);
}

/* What we tell ------------------------------------------------------------------------------------
 */
static void tell_sealed(const struct rest_call *c, const json_t *user, const char *sealed,
                        json_t *info, const char *name)
{
    char value[VALUE_MAX];
    size_t n = 0;

    if (secret_open(c, user, sealed, value, sizeof value, &n)) {
        json_object_set_new(info, name, json_stringn(value, n));
    }
    crypto_wipe(value, sizeof value);
}

json_t *account_info(const struct rest_call *c, const json_t *user, const json_t *fields)
{
    static const struct {
        const char *name, *attribute;
        bool sealed;
    } sources[] = {{"name", "display_name", false},
                   {"preferred_username", "login", false},
                   {"kind", "kind", false},
                   {"holder_kind", "holder_kind", false},
                   {"email", "email", false},
                   {"subject", "subject", false},
                   {"phone_number", "phone_sealed", true},
                   {"real_name", "real_name_sealed", true},
                   {"id_number", "id_number_sealed", true}};
    json_t *info = json_pack("{s:s}", "sub", row_text(user, "id"));

    for (size_t i = 0; i < COUNT(sources); i++) {
        bool asked = false;
        for (size_t k = 0; k < json_array_size(fields); k++) {
            const char *f = json_string_value(json_array_get(fields, k));
            asked = asked || (f && strcmp(f, sources[i].name) == 0);
        }
        if (asked && sources[i].sealed) {
            tell_sealed(c, user, sources[i].attribute, info, sources[i].name);
        } else if (asked && row_text(user, sources[i].attribute)[0]) {
            set_text(info, sources[i].name, user, sources[i].attribute);
        }
    }
    return info;
}
