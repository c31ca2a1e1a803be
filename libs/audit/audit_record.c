/* SPDX-License-Identifier: Apache-2.0 */
/* Records to bytes and back. What is written here is read by verifiers for years: fields are only
 * ever added behind, under a new segment version. */
#include "audit/audit_format.h"

static size_t pad8(uint8_t *out, size_t n)
{
    size_t padded = (n + 7) & ~(size_t)7;
    memset(out + n, 0, padded - n);
    return padded;
}

static size_t finish(uint8_t *out, size_t n, uint8_t kind, uint32_t index)
{
    n = pad8(out, n);
    put32(out, (uint32_t)(n + SEG_CHAIN_LEN));
    put32(out + 4, index << 8 | kind);
    return n;
}

static size_t put_bytes(uint8_t *out, size_t at, const void *p, size_t n)
{
    if (n > 0) {
        memcpy(out + at, p, n);
    }
    return at + n;
}

static size_t put_seen(uint8_t *out, size_t at, const uint64_t *seen, uint32_t n_fields)
{
    for (uint32_t i = 0; i < n_fields; i += 8) {
        out[at++] = (uint8_t)(seen[i / 64] >> (i % 64));
    }
    return at;
}

size_t rec_encode_call(uint8_t out[static REC_CALL_MAX], const struct audit_call *call,
                       uint32_t plan, uint32_t index)
{
    const struct uuid *const ids[] = {&call->txn, &call->app, &call->api, &call->credential,
                                      &call->grant};
    uint32_t n_fields =
        call->seen != NULL && call->n_fields <= POLICY_FIELDS_MAX ? call->n_fields : 0;
    size_t client_n = call->client.n == 4 || call->client.n == 16 ? call->client.n : 0;
    size_t owner_n = call->owner.n < REC_OWNER_MAX ? call->owner.n : REC_OWNER_MAX;
    size_t target_n = call->target.n < REC_TARGET_MAX ? call->target.n : REC_TARGET_MAX;
    uint8_t *p = out + REC_HEAD_BYTES;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        memcpy(p + i * UUID_LEN, ids[i]->b, UUID_LEN);
    }
    put64(p + 80, call->at_us);
    put64(p + 88, call->api_rev);
    put64(p + 96, call->rows);
    put64(p + 104, call->bytes_out);
    put64(p + 112, call->bytes_in);
    put32(p + 120, call->elapsed_us);
    put32(p + 124, plan);
    put16(p + 128, call->status);
    put16(p + 130, call->reason);
    put16(p + 132, (uint16_t)n_fields);
    put16(p + 134, (uint16_t)target_n);
    p[136] = call->method;
    p[137] = call->class_;
    p[138] = (uint8_t)client_n;
    p[139] = (uint8_t)owner_n;
    size_t n = put_seen(p, REC_CALL_FIXED, call->seen, n_fields);
    n = put_bytes(p, n, call->client.p, client_n);
    n = put_bytes(p, n, call->owner.p, owner_n);
    n = put_bytes(p, n, call->target.p, target_n);
    if (!uuid_is_nil(&call->token)) {
        n = put_bytes(p, n, call->token.b, UUID_LEN);
        n = put_bytes(p, n, call->user.b, UUID_LEN);
    }
    if (!uuid_is_nil(&call->purpose)) {
        n = put_bytes(p, n, call->purpose.b, UUID_LEN);
    }
    if (call->sdk.n > 0) {
        size_t sdk_n = call->sdk.n < REC_CALL_SDK ? call->sdk.n : REC_CALL_SDK;
        memset(p + n, 0, REC_CALL_SDK);
        put_bytes(p, n, call->sdk.p, sdk_n);
        n += REC_CALL_SDK;
    }
    return finish(out, REC_HEAD_BYTES + n, (uint8_t)call->kind, index);
}

size_t rec_encode_start(uint8_t out[static REC_CALL_MAX], uint64_t at_us, uint32_t pid,
                        uint32_t index)
{
    put64(out + REC_HEAD_BYTES, at_us);
    put32(out + REC_HEAD_BYTES + 8, pid);
    return finish(out, REC_HEAD_BYTES + 12, AUDIT_START, index);
}

/* What came to be added behind the target: 0 or 32 bytes, 0 or 16, 0 or 64, and less than 8 of
 * padding, so the length tells which of them there are. */
static bool decode_tail(struct audit_call *call, const uint8_t *p, size_t n)
{
    bool sdk = n >= REC_CALL_SDK;
    n -= sdk ? REC_CALL_SDK : 0;
    bool token = n >= REC_CALL_TOKEN;
    n -= token ? REC_CALL_TOKEN : 0;
    bool purpose = n >= REC_CALL_PURPOSE;
    if (n - (purpose ? REC_CALL_PURPOSE : 0) > 7) {
        return false;
    }
    if (token) {
        memcpy(call->token.b, p, UUID_LEN);
        memcpy(call->user.b, p + UUID_LEN, UUID_LEN);
        p += REC_CALL_TOKEN;
    }
    if (purpose) {
        memcpy(call->purpose.b, p, UUID_LEN);
        p += REC_CALL_PURPOSE;
    }
    const char *text = (const char *)p;
    call->sdk = sdk ? slice_of(text, strnlen(text, REC_CALL_SDK)) : SLICE("");
    return true;
}

bool rec_decode_call(const struct seg_record *r, struct audit_call *call,
                     uint64_t seen[static POLICY_FIELD_WORDS])
{
    const uint8_t *p = r->payload;
    if ((r->kind != AUDIT_CALL && r->kind != AUDIT_OPEN) || r->payload_n < REC_CALL_FIXED) {
        return false;
    }
    uint32_t n_fields = get16(p + 132);
    size_t target_n = get16(p + 134), client_n = p[138], owner_n = p[139];
    size_t seen_n = (n_fields + 7) / 8;
    size_t total = REC_CALL_FIXED + seen_n + client_n + owner_n + target_n;
    if (n_fields > POLICY_FIELDS_MAX || (client_n != 0 && client_n != 4 && client_n != 16) ||
        owner_n > REC_OWNER_MAX || target_n > REC_TARGET_MAX || total > r->payload_n) {
        return false;
    }
    *call = (struct audit_call){
        .kind = r->kind,
        .at_us = get64(p + 80),
        .api_rev = get64(p + 88),
        .rows = get64(p + 96),
        .bytes_out = get64(p + 104),
        .bytes_in = get64(p + 112),
        .elapsed_us = get32(p + 120),
        .plan = get32(p + 124),
        .status = get16(p + 128),
        .reason = get16(p + 130),
        .method = p[136],
        .class_ = p[137],
        .n_fields = n_fields,
        .seen = seen,
    };
    struct uuid *const ids[] = {&call->txn, &call->app, &call->api, &call->credential,
                                &call->grant};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        memcpy(ids[i]->b, p + i * UUID_LEN, UUID_LEN);
    }
    if (!decode_tail(call, p + total, r->payload_n - total)) {
        return false;
    }
    memset(seen, 0, POLICY_FIELD_WORDS * sizeof *seen);
    for (size_t i = 0; i < seen_n; i++) {
        seen[i / 8] |= (uint64_t)p[REC_CALL_FIXED + i] << (i % 8 * 8);
    }
    const char *rest = (const char *)p + REC_CALL_FIXED + seen_n;
    call->client = slice_of(rest, client_n);
    call->owner = slice_of(rest + client_n, owner_n);
    call->target = slice_of(rest + client_n + owner_n, target_n);
    return true;
}

size_t rec_encode_plan(uint8_t out[static REC_MAX], const struct policy_api *api,
                       const struct policy_verdict *v)
{
    uint32_t n_fields = api->n_fields < POLICY_FIELDS_MAX ? api->n_fields : POLICY_FIELDS_MAX;
    memcpy(out, api->id.b, UUID_LEN);
    put64(out + 16, api->rev);
    put16(out + 24, (uint16_t)n_fields);
    size_t n = 26;
    for (uint32_t i = 0; i < n_fields; i++) {
        const struct policy_field *f = &api->fields[i];
        size_t path_n = f->path.n <= PLAN_PATH_MAX ? f->path.n : PLAN_PATH_MAX;
        bool judged = i < v->n_fields;
        char mask[MASK_SPEC_TEXT_MAX];
        size_t mask_n = judged && v->outcome[i] == PLAN_MASK ? mask_format(&f->mask, mask) : 0;
        out[n++] = f->level;
        out[n++] = judged ? v->outcome[i] : PLAN_DROP;
        out[n++] = judged ? v->why[i] : 0;
        out[n++] = (uint8_t)path_n;
        out[n++] = (uint8_t)mask_n;
        n = put_bytes(out, n, f->path.p, path_n);
        n = put_bytes(out, n, mask, mask_n);
    }
    return n;
}

size_t rec_wrap_plan(uint8_t out[static REC_MAX], const uint8_t *payload, size_t n, uint32_t number,
                     uint32_t index)
{
    put32(out + REC_HEAD_BYTES, number);
    memcpy(out + REC_HEAD_BYTES + 4, payload, n);
    return finish(out, REC_HEAD_BYTES + 4 + n, AUDIT_PLAN, index);
}

/* One field at p[*at]; moves *at. NULL: the bytes do not hold one. */
static json_t *decode_field(const uint8_t *p, size_t n, size_t *at)
{
    static const char *const outcomes[] = {
        [PLAN_DROP] = "drop", [PLAN_KEEP] = "keep", [PLAN_MASK] = "mask"};
    const uint8_t *f = p + *at;
    if (n - *at < 5 || n - *at - 5 < (size_t)f[3] + f[4] || f[1] > PLAN_MASK) {
        return NULL;
    }
    const char *path = (const char *)f + 5;
    *at += 5u + f[3] + f[4];
    return json_pack("{s:s%,s:i,s:s,s:i,s:s%}", "path", path, (size_t)f[3], "level", (int)f[0],
                     "outcome", outcomes[f[1]], "why", (int)f[2], "mask", path + f[3],
                     (size_t)f[4]);
}

static json_t *decode_fields(const uint8_t *p, size_t n, uint32_t count)
{
    json_t *fields = json_array();
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        json_t *field = decode_field(p, n, &at);
        if (field == NULL || json_array_append_new(fields, field) != 0) {
            json_decref(fields);
            return NULL;
        }
    }
    if (n - at > 7) {
        json_decref(fields);
        return NULL;
    }
    return fields;
}

json_t *rec_decode_plan(const struct seg_record *r, uint32_t *number)
{
    const uint8_t *p = r->payload;
    if (r->kind != AUDIT_PLAN || r->payload_n < 30 || get16(p + 28) > POLICY_FIELDS_MAX) {
        return NULL;
    }
    json_t *fields = decode_fields(p + 30, r->payload_n - 30, get16(p + 28));
    if (fields == NULL) {
        return NULL;
    }
    struct uuid api;
    char api_text[UUID_TEXT_LEN + 1];
    memcpy(api.b, p + 4, UUID_LEN);
    uuid_format(&api, api_text);
    *number = get32(p);
    return json_pack("{s:s,s:I,s:o}", "api", api_text, "rev", (json_int_t)get64(p + 20), "fields",
                     fields);
}
