/* SPDX-License-Identifier: Apache-2.0 */
/* The API's record: what routes and decides first, then how the gateway treats its calls, then its
 * fields. */
#include "plan/plan.h"
#include "replica/record_source.h"

#define WEIGHT_MAX 1000

static const struct word state_words[] = {{"published", POLICY_API_PUBLISHED},
                                          {"deprecated", POLICY_API_DEPRECATED},
                                          {"offline", POLICY_API_OFFLINE},
                                          {NULL, 0}};
static const struct word class_words[] = {{"A1", POLICY_A1}, {"A2", POLICY_A2}, {NULL, 0}};
static const struct word access_words[] = {
    {"subscription", POLICY_SUBSCRIPTION}, {"registered", POLICY_REGISTERED}, {NULL, 0}};
static const struct word kind_words[] = {{"dataset", POLICY_DATASET},
                                         {"http", POLICY_HTTP},
                                         {"composed", POLICY_COMPOSED},
                                         {"topic", POLICY_TOPIC},
                                         {NULL, 0}};
static const struct word method_words[] = {{"GET", POLICY_GET},
                                           {"HEAD", POLICY_HEAD},
                                           {"POST", POLICY_POST},
                                           {"PUT", POLICY_PUT},
                                           {"PATCH", POLICY_PATCH},
                                           {"DELETE", POLICY_DELETE},
                                           {NULL, 0}};
static const struct word type_words[] = {{"scalar", PLAN_SCALAR}, {"json", PLAN_JSON}, {NULL, 0}};
static const struct word role_words[] = {{"primary", REPLICA_PRIMARY},
                                         {"standby", REPLICA_STANDBY},
                                         {"canary", REPLICA_CANARY},
                                         {"sandbox", REPLICA_SANDBOX},
                                         {NULL, 0}};
static const struct word balance_words[] = {{"round-robin", REPLICA_ROUND_ROBIN},
                                            {"least-connections", REPLICA_LEAST_CONNECTIONS},
                                            {NULL, 0}};
static const struct word seal_words[] = {{"off", REPLICA_SEAL_OFF},
                                         {"optional", REPLICA_SEAL_OPTIONAL},
                                         {"required", REPLICA_SEAL_REQUIRED},
                                         {NULL, 0}};

/* address, host as written, name, base, TLS */
static void put_url(struct source *s, const json_t *value)
{
    struct slice url = SLICE(""), host = SLICE("");
    struct record_upstream to = {.host = SLICE(""), .base = SLICE("")};
    char address[RECORD_ADDRESS_MAX] = "";
    s->bad |= !record_text_of(value, RECORD_TEXT_MAX, &url) || !record_upstream_split(url, &to);
    if (!s->bad) { /* no DNS for a record that will be refused */
        record_upstream_resolve(to.host, to.port, address);
        host = record_upstream_host(url);
    }
    record_put_text(s->out, slice_str(address));
    record_put_text(s->out, host);
    record_put_text(s->out, s->bad ? SLICE("") : to.host);
    record_put_text(s->out, s->bad ? SLICE("") : to.base);
    record_put_uint(s->out, to.tls, 1);
}

static void put_target(struct source *s, const json_t *target)
{
    struct source t = {.data = target, .out = s->out, .bad = s->bad || !json_is_object(target)};
    t.bad |= record_member(&t, "weight") == NULL;
    record_uint_or(&t, "weight", 1, WEIGHT_MAX, 1, 2);
    record_word(&t, "role", role_words);
    put_url(&t, json_object_get(target, "url"));
    s->bad |= t.bad;
}

/* Only an API of kind http has upstreams. */
static void targets_member(struct source *s, uint8_t kind)
{
    const json_t *list = record_member(s, "targets");
    size_t n = json_array_size(list);
    s->bad |= list != NULL && !json_is_array(list);
    s->bad |= kind == POLICY_HTTP ? (list != NULL && n == 0) || n > REPLICA_TARGETS_MAX : n > 0;
    if (s->bad || kind != POLICY_HTTP) {
        record_put_uint(s->out, 0, 1);
        return;
    }
    if (list == NULL) {
        record_put_uint(s->out, 1, 1);
        record_put_uint(s->out, 1, 2);
        record_put_uint(s->out, REPLICA_PRIMARY, 1);
        put_url(s, json_object_get(s->data, "upstream"));
        return;
    }
    record_put_uint(s->out, n, 1);
    for (size_t i = 0; i < n; i++) {
        put_target(s, json_array_get(list, i));
    }
}

static void canary_member(struct source *s)
{
    const json_t *list = record_member(s, "canary_apps");
    size_t n = json_array_size(list);
    record_uint_or(s, "canary_percent", 0, 100, 0, 1);
    s->bad |= (list != NULL && !json_is_array(list)) || n > REPLICA_CANARY_APPS_MAX;
    n = s->bad ? 0 : n;
    record_put_uint(s->out, n * UUID_LEN, 2);
    for (size_t i = 0; i < n; i++) {
        const json_t *text = json_array_get(list, i);
        struct uuid id = {{0}};
        s->bad |= !json_is_string(text) ||
                  !uuid_parse(&id, json_string_value(text), json_string_length(text));
        buf_add(s->out, id.b, sizeof id.b);
    }
}

/* An object whose numbers must all be there when it is: `keys` and their highest values. Absent: n
 * zeros. */
static void numbers_member(struct source *s, const json_t *object, const char *const *keys,
                           const uint32_t *max, size_t n)
{
    struct source o = {.data = object, .out = s->out};
    o.bad = object != NULL && !json_is_object(object);
    for (size_t i = 0; i < n; i++) {
        o.bad |= object != NULL && record_member(&o, keys[i]) == NULL;
        record_uint_or(&o, keys[i], 1, max[i], 0, 4);
    }
    s->bad |= o.bad;
}

static bool request_path_ok(struct slice path)
{
    for (size_t i = 0; i < path.n; i++) {
        if (path.p[i] <= ' ' || path.p[i] > '~') {
            return false;
        }
    }
    return path.n > 0 && path.p[0] == '/';
}

static void health_member(struct source *s)
{
    static const char *const keys[] = {"interval_ms", "timeout_ms"};
    static const uint32_t max[] = {UINT32_MAX, UINT32_MAX};
    const json_t *health = record_member(s, "health");
    struct slice path = SLICE("");
    if (health != NULL) {
        s->bad |= !record_text_of(json_object_get(health, "path"), REPLICA_PATH_MAX, &path) ||
                  !request_path_ok(path);
    }
    record_put_text(s->out, path);
    numbers_member(s, health, keys, max, 2);
}

static void upstream_members(struct source *s, uint8_t kind)
{
    static const char *const keys[] = {"failures", "window_ms", "open_ms"};
    static const uint32_t max[] = {1000, UINT32_MAX, UINT32_MAX};
    targets_member(s, kind);
    record_word_or(s, "balance", balance_words, REPLICA_ROUND_ROBIN);
    record_uint_or(s, "retries", 0, 3, 1, 1);
    canary_member(s);
    numbers_member(s, record_member(s, "breaker"), keys, max, 3);
    health_member(s);
    record_uint(s, "cache_ms", UINT32_MAX, 4);
    record_uint(s, "cache_epoch", INT64_MAX, 8);
}

/* A list of no scheme could never be met: a mistake, not a rule. */
static void security_members(struct source *s, uint8_t class_)
{
    const json_t *schemes = record_member(s, "schemes");
    uint8_t bits = schemes == NULL ? 0 : record_bits_of(s, schemes, record_proof_words);
    s->bad |= schemes != NULL && bits == 0;
    record_put_uint(s->out, bits, 1);
    record_uint_or(s, "signature_max_s", 1, 300, 300, 2);
    bool sign = record_bool_or(s, "sign_response", false);
    record_put_uint(s->out, sign || class_ == POLICY_A2, 1); /* A2 cannot turn it off */
    record_word_or(s, "seal_request", seal_words, REPLICA_SEAL_OFF);
    record_word_or(s, "seal_response", seal_words, REPLICA_SEAL_OFF);
    record_put_uint(s->out, record_bool_or(s, "mobile", false), 1);
    record_uint_or(s, "user_factors", 0, 3, 0, 1);
    record_put_uint(s->out, record_bool_or(s, "account_parameters", false), 1);
    record_put_uint(s->out, record_bool_or(s, "user_confirmation", false), 1);
    record_put_uint(s->out, record_bool_or(s, "batch", false), 1);
    record_put_uint(s->out, record_bool_or(s, "documents", false), 1);
    record_put_uint(s->out, record_bool_or(s, "collects_user_data", false), 1);
    record_put_uint(s->out, record_bool_or(s, "purpose_required", false), 1);
    record_put_uint(s->out, record_bool_or(s, "internal", false), 1);
    record_put_uint(s->out, record_bool_or(s, "mobile_only", false), 1);
    record_put_uint(s->out, record_bool_or(s, "sdk_required", false), 1);
    record_text(s, "entry", REPLICA_ENTRY_MAX, false);
}

static void claims_member(struct source *s)
{
    const json_t *claims = record_member(s, "user_checks");
    struct source of = {.data = claims, .out = s->out};
    s->bad |= claims != NULL && !json_is_object(claims);
    for (size_t i = 0; i < REPLICA_CLAIMS; i++) {
        record_text(&of, replica_claim_names[i], REPLICA_PATH_MAX, false);
    }
    s->bad |= of.bad;
}

static void lifecycle_members(struct source *s)
{
    record_put_uint(s->out, record_bool_or(s, "has_schema", false), 1);
    record_put_uint(s->out, record_bool_or(s, "has_conversion", false), 1);
    record_time(s, "sunset_at");
    record_time(s, "deprecated_at");
    struct slice path = SLICE("");
    const json_t *successor = record_member(s, "successor");
    s->bad |= successor != NULL &&
              (!record_text_of(successor, REPLICA_PATH_MAX, &path) || !request_path_ok(path));
    record_put_text(s->out, path);
    record_text(s, "notice_zh", RECORD_TEXT_MAX, false);
    record_text(s, "notice_en", RECORD_TEXT_MAX, false);
    record_text(s, "amount_path", REPLICA_PATH_MAX, false);
    claims_member(s);
}

static bool path_repeats(const json_t *list, size_t n, const json_t *path)
{
    for (size_t i = 0; i < n; i++) {
        if (json_equal(json_object_get(json_array_get(list, i), "path"), path)) {
            return true;
        }
    }
    return false;
}

static void field_pack(struct source *s, const json_t *list, size_t i)
{
    struct source f = {.data = json_array_get(list, i), .out = s->out};
    const json_t *path = json_object_get(f.data, "path");
    struct mask_spec mask = {.rule = MASK_NONE};
    struct slice text = SLICE("");
    record_uint(&f, "level", POLICY_L4, 1);
    record_word(&f, "type", type_words);
    const json_t *rule = json_object_get(f.data, "mask");
    f.bad |= rule != NULL && !json_is_null(rule) && !record_text_of(rule, RECORD_TEXT_MAX, &text);
    f.bad |= text.n > 0 && mask_parse(&mask, text) != MASK_OK;
    record_put_uint(s->out, mask.rule, 1);
    record_put_uint(s->out, mask.first, 1);
    record_put_uint(s->out, mask.last, 1);
    record_put_text(s->out, slice_str(mask.domain));
    record_text(&f, "path", PLAN_PATH_MAX, true);
    /* A path with two levels has none that can be trusted. */
    s->bad |= f.bad || json_string_length(path) == 0 || path_repeats(list, i, path);
}

static void fields_member(struct source *s)
{
    const json_t *list = json_object_get(s->data, "fields");
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n > POLICY_FIELDS_MAX) {
        s->bad = true;
        return;
    }
    record_put_uint(s->out, n, 2);
    for (size_t i = 0; i < n && !s->bad; i++) {
        field_pack(s, list, i);
    }
}

bool record_pack_api(struct buf *out, uint64_t rev, const json_t *data)
{
    struct source s;
    struct slice path;
    record_begin(&s, out, rev, data);
    s.bad |= !record_text_of(json_object_get(data, "path"), REPLICA_PATH_MAX, &path) ||
             !record_path_ok(path);
    record_word(&s, "state", state_words);
    record_text(&s, "path", REPLICA_PATH_MAX, true);
    uint8_t kind = record_word(&s, "kind", kind_words);
    uint8_t class_ = record_word(&s, "class", class_words);
    record_word(&s, "access", access_words);
    record_put_uint(out, record_bits_of(&s, json_object_get(data, "methods"), method_words), 1);
    const json_t *owned = json_object_get(data, "owner_scoped");
    s.bad |=
        !json_is_boolean(owned); /* no default: a missing false would open rows of all owners */
    record_put_uint(out, json_is_true(owned), 1);
    record_uint(&s, "timeout_ms", UINT32_MAX, 4);
    record_uint(&s, "max_body_bytes", UINT32_MAX, 4);
    record_uuid(&s, "dataset_id", kind == POLICY_DATASET);
    record_text(&s, "name", RECORD_NAME_MAX, false);
    record_text(&s, "profile", RECORD_NAME_MAX, kind == POLICY_DATASET);
    security_members(&s, class_);
    lifecycle_members(&s);
    fields_member(&s);
    upstream_members(&s, kind); /* last: names are looked up only when all else is good */
    return record_end(&s);
}
