/* SPDX-License-Identifier: Apache-2.0 */
#include "lists/lists.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define V4_BITS    96 /* in front of an IPv4 address inside an IPv6 one */
#define WHOLE      128
#define N_LENGTHS  (WHOLE + 1)
#define ADDRESS_N  16
#define USER_BYTES 128

/* What entries are sorted and found by. value: an id, an address with the host's bits cleared, or
 * the hash of a user's name. */
struct key {
    uint8_t allow, subject, bits;
    uint8_t value[ADDRESS_N];
};

struct entry {
    struct key key;
    struct uuid app, api; /* nil: all */
    uint64_t not_before_ms, expires_ms;
    struct slice user; /* a copy; "" of other subjects */
};

/* That there is an allow entry for such calls. Of one (subject, app, api) the one that ends last
 * comes first. */
struct scope {
    uint8_t subject;
    struct uuid app, api;
    uint64_t not_before_ms, expires_ms;
};

struct lists {
    struct entry *entries;
    struct scope *scopes;
    size_t n, room, n_scopes;
    bool has_allow[LISTS_SUBJECTS];
    uint8_t lengths[2][N_LENGTHS]; /* of block, allow: prefix lengths in use, longest first */
    size_t n_lengths[2];
};

struct lists *lists_new(void)
{
    return calloc(1, sizeof(struct lists));
}

void lists_free(struct lists **lists)
{
    struct lists *l = *lists;
    if (l == NULL) {
        return;
    }
    for (size_t i = 0; i < l->n; i++) {
        free((char *)(uintptr_t)l->entries[i].user.p);
    }
    free(l->entries);
    free(l->scopes);
    free(l);
    *lists = NULL;
}

bool lists_empty(const struct lists *lists)
{
    return lists->n == 0;
}

/* Reading an entry ----------------------------------------------------------------------------- */

static void hash_user(struct slice user, uint8_t value[static ADDRESS_N])
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(user.p, user.n));
    memcpy(value, canonical.digest, ADDRESS_N);
}

static void clear_host(uint8_t value[static ADDRESS_N], unsigned bits)
{
    for (unsigned byte = bits / 8; byte < ADDRESS_N; byte++) {
        uint8_t keep = byte == bits / 8 ? (uint8_t)(0xff00u >> (bits % 8)) : 0;
        value[byte] &= keep;
    }
}

static void map_v4(uint8_t value[static ADDRESS_N], const uint8_t v4[static 4])
{
    memset(value, 0, 10);
    value[10] = value[11] = 0xff;
    memcpy(value + 12, v4, 4);
}

static bool read_network(struct key *key, const char *text)
{
    char host[INET6_ADDRSTRLEN];
    uint8_t v4[4];
    size_t n = strcspn(text, "/");
    if (n >= sizeof host) {
        return false;
    }
    memcpy(host, text, n);
    host[n] = '\0';
    bool v6 = inet_pton(AF_INET6, host, key->value) == 1;
    if (!v6) {
        if (inet_pton(AF_INET, host, v4) != 1) {
            return false;
        }
        map_v4(key->value, v4);
    }
    unsigned long most = v6 ? WHOLE : WHOLE - V4_BITS, bits = most;
    if (text[n] == '/') {
        char *end;
        bits =
            text[n + 1] >= '0' && text[n + 1] <= '9' ? strtoul(text + n + 1, &end, 10) : most + 1;
        if (bits > most || *end != '\0') {
            return false;
        }
    }
    key->bits = (uint8_t)(v6 ? bits : bits + V4_BITS);
    clear_host(key->value, key->bits);
    return true;
}

static bool read_id(struct uuid *id, const json_t *value)
{
    return json_is_string(value) &&
           uuid_parse(id, json_string_value(value), json_string_length(value));
}

static bool read_optional_id(struct uuid *id, const json_t *value)
{
    return value == NULL || json_is_null(value) || read_id(id, value);
}

static bool read_word(uint8_t *at, const json_t *value, const char *const words[], size_t n)
{
    const char *text = json_string_value(value);
    for (size_t i = 0; i < n && text != NULL; i++) {
        if (strcmp(words[i], text) == 0) {
            *at = (uint8_t)i;
            return true;
        }
    }
    return false;
}

static bool read_user(struct entry *e, const json_t *value)
{
    struct slice name = {json_string_value(value), json_string_length(value)};
    char *copy = name.n == 0 || name.n > USER_BYTES ? NULL : malloc(name.n);
    if (copy == NULL) {
        return false;
    }
    memcpy(copy, name.p, name.n);
    e->user = slice_of(copy, name.n);
    hash_user(name, e->key.value);
    return true;
}

static bool read_value(struct entry *e, const json_t *value)
{
    struct uuid id;
    if (!json_is_string(value)) {
        return false;
    }
    if (e->key.subject == LISTS_ADDRESS) {
        return read_network(&e->key, json_string_value(value));
    }
    if (e->key.subject == LISTS_USER) {
        return read_user(e, value);
    }
    bool ok = read_id(&id, value);
    if (ok) {
        memcpy(e->key.value, id.b, UUID_LEN);
    }
    return ok;
}

static bool read_entry(struct entry *e, const json_t *data)
{
    static const char *const lists[] = {"block", "allow"};
    static const char *const subjects[] = {[LISTS_APP] = "app",
                                           [LISTS_ORGANISATION] = "organisation",
                                           [LISTS_ADDRESS] = "address",
                                           [LISTS_USER] = "user"};
    *e = (struct entry){.key.bits = WHOLE};
    e->not_before_ms = (uint64_t)json_integer_value(json_object_get(data, "not_before"));
    e->expires_ms = (uint64_t)json_integer_value(json_object_get(data, "expires_at"));
    return read_word(&e->key.allow, json_object_get(data, "list"), lists, 2) &&
           read_word(&e->key.subject, json_object_get(data, "subject"), subjects, LISTS_SUBJECTS) &&
           read_optional_id(&e->app, json_object_get(data, "app_id")) &&
           read_optional_id(&e->api, json_object_get(data, "api_id")) &&
           read_value(e, json_object_get(data, "value"));
}

static bool make_room(struct lists *l)
{
    if (l->n < l->room) {
        return true;
    }
    size_t room = l->room == 0 ? 64 : l->room * 2;
    struct entry *entries = reallocarray(l->entries, room, sizeof *entries);
    if (entries == NULL) {
        return false;
    }
    l->entries = entries;
    l->room = room;
    return true;
}

bool lists_add(struct lists *lists, struct slice json, uint64_t now_ms)
{
    struct entry *e = make_room(lists) ? &lists->entries[lists->n] : NULL;
    json_t *data = e == NULL ? NULL : json_loadb(json.p, json.n, 0, NULL);
    bool ok = json_is_object(data) && read_entry(e, data);
    json_decref(data);
    if (!ok) {
        return false;
    }
    if (e->expires_ms != 0 && e->expires_ms <= now_ms) {
        free((char *)(uintptr_t)e->user.p);
        return true;
    }
    lists->n++;
    return true;
}

/* Sealing -------------------------------------------------------------------------------------- */

static int compare_keys(const struct key *a, const struct key *b)
{
    return memcmp(a, b, sizeof *a); /* bytes alone: no padding */
}
_Static_assert(sizeof(struct key) == 3 + ADDRESS_N, "compared as bytes");

static int compare_entries(const void *a, const void *b)
{
    return compare_keys(&((const struct entry *)a)->key, &((const struct entry *)b)->key);
}

static int compare_scope_keys(const struct scope *a, const struct scope *b)
{
    int order = a->subject - b->subject;
    order = order != 0 ? order : memcmp(a->app.b, b->app.b, UUID_LEN);
    return order != 0 ? order : memcmp(a->api.b, b->api.b, UUID_LEN);
}

static int compare_scopes(const void *a, const void *b)
{
    int order = compare_scope_keys(a, b);
    uint64_t ends_a = ((const struct scope *)a)->expires_ms - 1; /* never: the latest */
    uint64_t ends_b = ((const struct scope *)b)->expires_ms - 1;
    return order != 0 ? order : (ends_a < ends_b) - (ends_a > ends_b);
}

static void note_lengths(struct lists *l)
{
    bool seen[2][N_LENGTHS] = {{false}};
    for (size_t i = 0; i < l->n; i++) {
        const struct key *key = &l->entries[i].key;
        if (key->subject == LISTS_ADDRESS) {
            seen[key->allow][key->bits] = true;
        }
    }
    for (size_t list = 0; list < 2; list++) {
        for (size_t bits = N_LENGTHS; bits-- > 0;) {
            if (seen[list][bits]) {
                l->lengths[list][l->n_lengths[list]++] = (uint8_t)bits;
            }
        }
    }
}

bool lists_seal(struct lists *lists)
{
    struct lists *l = lists;
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        n += l->entries[i].key.allow;
    }
    l->scopes = n == 0 ? NULL : calloc(n, sizeof *l->scopes);
    if (n > 0 && l->scopes == NULL) {
        return false;
    }
    for (size_t i = 0; i < l->n && l->n_scopes < n; i++) {
        const struct entry *e = &l->entries[i];
        if (e->key.allow) {
            l->has_allow[e->key.subject] = true;
            l->scopes[l->n_scopes++] =
                (struct scope){e->key.subject, e->app, e->api, e->not_before_ms, e->expires_ms};
        }
    }
    if (l->n > 0) {
        qsort(l->entries, l->n, sizeof *l->entries, compare_entries);
    }
    if (n > 0) {
        qsort(l->scopes, n, sizeof *l->scopes, compare_scopes);
    }
    note_lengths(l);
    return true;
}

/* Asking --------------------------------------------------------------------------------------- */

static bool in_time(uint64_t not_before_ms, uint64_t expires_ms, uint64_t now_ms)
{
    return now_ms >= not_before_ms && (expires_ms == 0 || now_ms < expires_ms);
}

static bool covers(const struct entry *e, const struct lists_call *call)
{
    bool app = uuid_is_nil(&e->app) || (call->app ? uuid_eq(&e->app, call->app) : e->key.allow);
    return app && (uuid_is_nil(&e->api) || uuid_eq(&e->api, call->api)) &&
           in_time(e->not_before_ms, e->expires_ms, call->now_ms);
}

/* Where the first entry not before the key is. */
static size_t lower_bound(const struct lists *l, const struct key *key)
{
    size_t from = 0, to = l->n;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (compare_keys(&l->entries[middle].key, key) < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

static bool is_named(const struct lists *l, const struct lists_call *call, const struct key *key,
                     struct slice user)
{
    for (size_t i = lower_bound(l, key); i < l->n; i++) {
        const struct entry *e = &l->entries[i];
        if (compare_keys(&e->key, key) != 0) {
            return false;
        }
        if (slice_eq(e->user, user) && covers(e, call)) {
            return true;
        }
    }
    return false;
}

static bool scope_lives(const struct lists *l, const struct scope *wanted, uint64_t now_ms)
{
    size_t from = 0, to = l->n_scopes;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (compare_scope_keys(&l->scopes[middle], wanted) < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    for (; from < l->n_scopes && compare_scope_keys(&l->scopes[from], wanted) == 0; from++) {
        if (in_time(l->scopes[from].not_before_ms, l->scopes[from].expires_ms, now_ms)) {
            return true;
        }
    }
    return false;
}

/* Some allow entry of the subject covers the call. */
static bool is_listed(const struct lists *l, const struct lists_call *call,
                      enum lists_subject subject)
{
    static const struct uuid nil;
    const struct uuid *apps[] = {&nil, call->app}, *apis[] = {&nil, call->api};
    if (!l->has_allow[subject]) {
        return false;
    }
    for (size_t i = 0; i < 4; i++) {
        if (apps[i / 2] == NULL) {
            continue;
        }
        struct scope wanted = {
            .subject = (uint8_t)subject, .app = *apps[i / 2], .api = *apis[i % 2]};
        if (scope_lives(l, &wanted, call->now_ms)) {
            return true;
        }
    }
    return false;
}

enum lists_verdict lists_judge(const struct lists *lists, const struct lists_call *call,
                               enum lists_subject subject, struct slice value)
{
    struct key key = {.subject = (uint8_t)subject, .bits = WHOLE};
    struct slice user = subject == LISTS_USER ? value : SLICE("");
    bool somebody = value.n > 0;
    if (subject == LISTS_USER) {
        hash_user(value, key.value);
    } else if (value.n == ADDRESS_N) {
        memcpy(key.value, value.p, ADDRESS_N);
    }
    if (somebody && is_named(lists, call, &key, user)) {
        return LISTS_BLOCKED;
    }
    if (!is_listed(lists, call, subject)) {
        return LISTS_PASS;
    }
    key.allow = 1;
    return somebody && is_named(lists, call, &key, user) ? LISTS_PASS : LISTS_NOT_ALLOWED;
}

static bool address_is_named(const struct lists *l, const struct lists_call *call,
                             const uint8_t address[static ADDRESS_N], bool allow)
{
    static const uint8_t mapped[V4_BITS / 8] = {[10] = 0xff, [11] = 0xff};
    bool v4 = memcmp(address, mapped, sizeof mapped) == 0;
    for (size_t i = 0; i < l->n_lengths[allow]; i++) {
        struct key key = {allow, LISTS_ADDRESS, l->lengths[allow][i], {0}};
        if (v4 && key.bits < V4_BITS) {
            return false; /* the rest are networks of IPv6 */
        }
        memcpy(key.value, address, ADDRESS_N);
        clear_host(key.value, key.bits);
        if (is_named(l, call, &key, SLICE(""))) {
            return true;
        }
    }
    return false;
}

enum lists_verdict lists_judge_address(const struct lists *lists, const struct lists_call *call,
                                       struct slice address)
{
    uint8_t bytes[ADDRESS_N];
    bool somebody = address.n == 4 || address.n == ADDRESS_N;
    if (address.n == 4) {
        map_v4(bytes, (const uint8_t *)address.p);
    } else if (somebody) {
        memcpy(bytes, address.p, ADDRESS_N);
    }
    if (somebody && address_is_named(lists, call, bytes, false)) {
        return LISTS_BLOCKED;
    }
    if (!is_listed(lists, call, LISTS_ADDRESS)) {
        return LISTS_PASS;
    }
    return somebody && address_is_named(lists, call, bytes, true) ? LISTS_PASS : LISTS_NOT_ALLOWED;
}
