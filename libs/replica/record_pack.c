/* SPDX-License-Identifier: Apache-2.0 */
/* From the feed's JSON to bytes: all kinds but the API (record_pack_api.c) and those kept as JSON
 * (record_pack_json.c). */
#include "base/codec.h"
#include "plan/plan.h"
#include "policy/purpose.h"
#include "replica/record_source.h"

#define KEY_TEXT_MAX 2048 /* base64url of the longest key or sealed secret */
#define SM3_LEN      32

#define RECORD_PURPOSE_MAX (3 * PURPOSE_MAX) /* bytes */

static const struct word environment_words[] = {{"general", POLICY_GENERAL},
                                                {"monitored", POLICY_MONITORED},
                                                {"controlled", POLICY_CONTROLLED},
                                                {NULL, 0}};
static const struct word app_state_words[] = {{"active", POLICY_ACTIVE},
                                              {"testing", POLICY_TESTING},
                                              {"inactive", POLICY_INACTIVE},
                                              {"revoked", POLICY_REVOKED},
                                              {NULL, 0}};
static const struct word channel_words[] = {
    {"server", POLICY_SERVER}, {"mobile", POLICY_MOBILE}, {NULL, 0}};
static const struct word way_words[] = {
    {"call", POLICY_WAY_CALL},           {"export", POLICY_WAY_EXPORT}, {"event", POLICY_WAY_EVENT},
    {"aggregate", POLICY_WAY_AGGREGATE}, {"sdk", POLICY_WAY_SDK},       {NULL, 0}};
static const struct word term_words[] = {
    {"once", POLICY_ONCE}, {"period", POLICY_PERIOD}, {"agreement", POLICY_AGREEMENT}, {NULL, 0}};

bool record_pack_app(struct buf *out, uint64_t rev, const json_t *data)
{
    struct source s;
    record_begin(&s, out, rev, data);
    record_word(&s, "state", app_state_words);
    record_word(&s, "environment", environment_words);
    record_uuid(&s, "org_id", false);
    record_text(&s, "name", RECORD_NAME_MAX, false);
    const json_t *factors = record_member(&s, "factors");
    record_put_uint(out, factors == NULL ? 0 : record_bits_of(&s, factors, record_proof_words), 1);
    record_word_or(&s, "channel", channel_words, POLICY_SERVER);
    record_text(&s, "subject", RECORD_OWNER_MAX, false);
    record_text(&s, "version", REPLICA_APP_VERSION_MAX, false);
    record_put_uint(out, record_bool_or(&s, "states_version", false), 1);
    return record_end(&s);
}

/* Which member an algorithm needs and what it is for. */
static const struct alg {
    struct word word;
    uint8_t use;
    bool secret;
} algs[] = {
    {{"hmac-sha256", POLICY_HMAC_SHA256}, POLICY_SIGNING, true},
    {{"hmac-sm3", POLICY_HMAC_SM3}, POLICY_SIGNING, true},
    {{"sm2-sm3", POLICY_SM2_SM3}, POLICY_SIGNING, false},
    {{"ecdsa-p256-sha256", POLICY_ECDSA_P256_SHA256}, POLICY_SIGNING, false},
    {{"rsa-pss-sha512", POLICY_RSA_PSS_SHA512}, POLICY_SIGNING, false},
    {{"SM2", POLICY_SM2}, POLICY_ENCRYPTION, false},
    {{"ECDH-ES", POLICY_ECDH_ES}, POLICY_ENCRYPTION, false},
};

static const struct alg *alg_of(const json_t *value)
{
    for (size_t i = 0; i < sizeof algs / sizeof *algs; i++) {
        const struct word one[] = {algs[i].word, {NULL, 0}};
        if (record_find_word(value, one) != NULL) {
            return &algs[i];
        }
    }
    return NULL;
}

/* base64url to bytes; "" when not wanted. */
static void bytes_member(struct source *s, const char *key, size_t min, bool wanted)
{
    struct slice text = SLICE("");
    uint8_t bytes[KEY_TEXT_MAX];
    size_t n = 0;
    if (wanted) {
        s->bad |= !record_text_of(json_object_get(s->data, key), KEY_TEXT_MAX, &text) ||
                  !codec_unbase64url(bytes, sizeof bytes, &n, text.p, text.n) || n < min;
    }
    record_put_text(s->out, slice_of((const char *)bytes, s->bad ? 0 : n));
}

static void digest_member(struct source *s, bool required)
{
    const json_t *value = record_member(s, "sm3");
    struct slice text = SLICE("");
    uint8_t bytes[SM3_LEN];
    size_t n = 0;
    bool ok = value == NULL
                  ? !required
                  : record_text_of(value, 2 * SM3_LEN, &text) &&
                        codec_unhex(bytes, sizeof bytes, &n, text.p, text.n) && n == SM3_LEN;
    s->bad |= !ok;
    record_put_text(s->out, slice_of((const char *)bytes, ok ? n : 0));
}

/* A certificate is about a key pair: with a shared secret it would say nothing of who calls. */
static void certificate_member(struct source *s, bool secret)
{
    static const struct word modes[] = {{"pinned", REPLICA_PINNED}, {"ca", REPLICA_CA}, {NULL, 0}};
    const json_t *value = record_member(s, "certificate");
    if (value == NULL) {
        record_put_uint(s->out, 0, 1);
        record_put_text(s->out, SLICE(""));
        record_put_text(s->out, SLICE(""));
        return;
    }
    struct source c = {.data = value, .out = s->out, .bad = secret || !json_is_object(value)};
    uint8_t mode = record_word(&c, "mode", modes);
    digest_member(&c, mode == REPLICA_PINNED);
    record_text(&c, "subject", RECORD_SUBJECT_MAX, true);
    c.bad |= mode == REPLICA_CA && json_string_length(json_object_get(value, "subject")) == 0;
    s->bad |= c.bad;
}

bool record_pack_credential(struct buf *out, uint64_t rev, const json_t *data)
{
    static const struct word uses[] = {
        {"signing", POLICY_SIGNING}, {"encryption", POLICY_ENCRYPTION}, {NULL, 0}};
    struct source s;
    record_begin(&s, out, rev, data);
    record_word(&s, "state", record_state_words);
    const struct alg *alg = alg_of(json_object_get(data, "alg"));
    if (alg == NULL) {
        return false;
    }
    record_put_uint(out, alg->word.number, 1);
    s.bad |= record_word_or(&s, "use", uses, POLICY_SIGNING) != alg->use;
    record_uuid(&s, "app_id", true);
    record_time(&s, "not_before");
    record_time(&s, "expires_at");
    certificate_member(&s, alg->secret);
    bytes_member(&s, "secret_sealed", CRYPTO_SEAL_EXTRA + 1, alg->secret);
    bytes_member(&s, "public_key", 1, !alg->secret);
    return record_end(&s);
}

/* null is "all"; an absent list is an error, so that a forgotten member never opens everything. */
static void paths_member(struct source *s, const char *key)
{
    const json_t *list = json_object_get(s->data, key);
    record_put_uint(s->out, json_is_null(list), 1);
    if (json_is_null(list)) {
        return;
    }
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n > POLICY_FIELDS_MAX) {
        s->bad = true;
        return;
    }
    record_put_uint(s->out, n, 2);
    for (size_t i = 0; i < n; i++) {
        struct slice path = SLICE("");
        s->bad |= !record_text_of(json_array_get(list, i), PLAN_PATH_MAX, &path);
        record_put_text(s->out, path);
    }
}

/* What it is for, as ids; left out: for nothing that was named. */
static void purposes_member(struct source *s)
{
    const json_t *list = record_member(s, "purposes");
    size_t n = json_array_size(list);
    s->bad |= (list != NULL && !json_is_array(list)) || n > PURPOSES_MAX;
    n = s->bad ? 0 : n;
    record_put_uint(s->out, n * UUID_LEN, 2);
    for (size_t i = 0; i < n; i++) {
        struct slice text = SLICE("");
        struct uuid id = {{0}};
        s->bad |= !record_text_of(json_array_get(list, i), RECORD_PURPOSE_MAX, &text) ||
                  !purpose_id(text, &id);
        buf_add(s->out, id.b, sizeof id.b);
    }
}

bool record_pack_subscription(struct buf *out, uint64_t rev, const json_t *data)
{
    struct source s;
    record_begin(&s, out, rev, data);
    record_word(&s, "state", record_state_words);
    record_uint(&s, "max_level", UINT8_MAX, 1);
    record_uuid(&s, "app_id", true);
    record_uuid(&s, "api_id", true);
    record_time(&s, "not_before");
    record_time(&s, "expires_at");
    paths_member(&s, "fields");
    purposes_member(&s);
    record_put_uint(out, record_bool_or(&s, "agreed", false), 1);
    record_uint_or(&s, "amount_call", 1, INT64_MAX, 0, 8);
    record_uint_or(&s, "amount_day", 1, INT64_MAX, 0, 8);
    const json_t *ways = record_member(&s, "ways");
    record_put_uint(out, ways == NULL ? 0 : record_bits_of(&s, ways, way_words), 1);
    record_time(&s, "direct_until");
    record_text(&s, "rows", POLICY_ROWS_MAX, false);
    return record_end(&s);
}

/* One id, or two with a colon between them. */
static void subjects_member(struct source *s, bool two)
{
    struct slice text = SLICE("");
    struct uuid id[2];
    size_t n = two ? 2 * UUID_TEXT_LEN + 1 : UUID_TEXT_LEN;
    s->bad |= !record_text_of(json_object_get(s->data, "value"), n, &text) || text.n != n ||
              !uuid_parse(&id[0], text.p, UUID_TEXT_LEN) ||
              (two && (text.p[UUID_TEXT_LEN] != ':' ||
                       !uuid_parse(&id[1], text.p + UUID_TEXT_LEN + 1, UUID_TEXT_LEN)));
    record_put_text(s->out, slice_of((const char *)id, s->bad ? 0 : (two ? 2 : 1) * sizeof *id));
}

bool record_pack_revocation(struct buf *out, uint64_t rev, const json_t *data)
{
    static const struct word subjects[] = {
        {"token", REPLICA_REVOKED_TOKEN},       {"grant", REPLICA_REVOKED_GRANT},
        {"session", REPLICA_REVOKED_SESSION},   {"family", REPLICA_REVOKED_FAMILY},
        {"app-user", REPLICA_REVOKED_APP_USER}, {NULL, 0}};
    struct source s;
    record_begin(&s, out, rev, data);
    uint8_t subject = record_word(&s, "subject", subjects);
    subjects_member(&s, subject == REPLICA_REVOKED_APP_USER);
    record_time(&s, "before");
    record_time(&s, "expires_at");
    return record_end(&s);
}

/* {user_id, app_id, api_id, accessid, verifier}: an account that may call one API by its
 * parameters. */
bool record_pack_account(struct buf *out, uint64_t rev, const json_t *data)
{
    struct source s;
    struct slice text = SLICE("");
    uint8_t verifier[CRYPTO_HASH_LEN] = {0};
    size_t n = 0;
    record_begin(&s, out, rev, data);
    record_uuid(&s, "user_id", true);
    record_uuid(&s, "app_id", true);
    record_uuid(&s, "api_id", true);
    record_uuid(&s, "accessid", true);
    s.bad |= !record_text_of(json_object_get(data, "verifier"), RECORD_TEXT_MAX, &text) ||
             !codec_unbase64url(verifier, sizeof verifier, &n, text.p, text.n) ||
             n != sizeof verifier;
    buf_add(out, verifier, sizeof verifier);
    return record_end(&s);
}

/* {mode, apis}: which APIs calls with a token of this user's may reach. */
bool record_pack_user(struct buf *out, uint64_t rev, const json_t *data)
{
    static const struct word modes[] = {{"only", 1}, {"except", 2}, {NULL, 0}};
    const json_t *apis = json_object_get(data, "apis");
    size_t n = json_array_size(apis);
    struct source s;
    record_begin(&s, out, rev, data);
    record_word(&s, "mode", modes);
    s.bad |= !json_is_array(apis) || n > RECORD_APIS_MAX;
    record_put_uint(out, s.bad ? 0 : n, 2);
    for (size_t i = 0; i < n && !s.bad; i++) {
        struct slice text;
        struct uuid id;
        s.bad |= !record_text_of(json_array_get(apis, i), UUID_TEXT_LEN, &text) ||
                 !uuid_parse(&id, text.p, text.n);
        buf_add(out, id.b, s.bad ? 0 : UUID_LEN);
    }
    return record_end(&s);
}

/* Whose tokens open it; left out: everybody's. An empty list is nobody's. */
static void audience_member(struct source *s)
{
    const json_t *list = record_member(s, "audience");
    size_t n = json_array_size(list);
    s->bad |= (list != NULL && !json_is_array(list)) || n > REPLICA_AUDIENCE_MAX;
    record_put_uint(s->out, list != NULL, 1);
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

/* A byte of bits, one for each digest that is there, then all of them. */
static void claims_member(struct source *s)
{
    const json_t *claims = record_member(s, "claims");
    uint8_t digests[REPLICA_CLAIMS][CRYPTO_HASH_LEN] = {{0}}, bits = 0;
    s->bad |= claims != NULL && !json_is_object(claims);
    for (unsigned i = 0; i < REPLICA_CLAIMS && claims != NULL; i++) {
        const json_t *value = json_object_get(claims, replica_claim_names[i]);
        struct slice text = SLICE("");
        size_t n = 0;
        if (value == NULL) {
            continue;
        }
        s->bad |= !record_text_of(value, RECORD_TEXT_MAX, &text) ||
                  !codec_unbase64url(digests[i], CRYPTO_HASH_LEN, &n, text.p, text.n) ||
                  n != CRYPTO_HASH_LEN;
        bits |= (uint8_t)(1u << i);
    }
    record_put_uint(s->out, s->bad ? 0 : bits, 1);
    if (bits != 0 && !s->bad) {
        buf_add(s->out, digests, sizeof digests);
    }
}

bool record_pack_grant(struct buf *out, uint64_t rev, const json_t *data)
{
    struct source s;
    record_begin(&s, out, rev, data);
    record_word(&s, "state", record_state_words);
    record_word(&s, "term", term_words);
    record_uuid(&s, "app_id", true);
    record_uuid(&s, "api_id", true);
    record_text(&s, "owner", RECORD_OWNER_MAX, true);
    record_time(&s, "not_before");
    record_time(&s, "expires_at");
    paths_member(&s, "fields");
    audience_member(&s);
    purposes_member(&s);
    claims_member(&s);
    record_text(&s, "rows", POLICY_ROWS_MAX, false);
    return record_end(&s);
}
