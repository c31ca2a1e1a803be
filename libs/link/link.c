/* SPDX-License-Identifier: Apache-2.0 */
/* Payload, big-endian: version 1, sandbox 1, issued_ms 8, txn, api, app, grant 16 each, api_rev 8,
 * owner length 1, owner, row filter length 2, row filter, field count 2, outcomes of 2 bits each,
 * first field in the highest bits. The MAC covers payload, method length 1, method, target: each
 * part's end is known from what precedes it.
 */
#include "link/link.h"

#include "base/codec.h"
#include "plan/plan.h"

#define VERSION     3
#define FIXED_BYTES (1 + 1 + 8 + 4 * UUID_LEN + 8 + 1)
#define OUTCOMES(n) (((size_t)(n) + 3) / 4)
#define PAYLOAD_MAX                                                                                \
    (FIXED_BYTES + LINK_OWNER_MAX + 2 + POLICY_ROWS_BOTH + 2 + OUTCOMES(POLICY_FIELDS_MAX))
#define MAC_TEXT_LEN CODEC_BASE64URL_LEN(CRYPTO_HASH_LEN)
#define METHOD_MAX   255

_Static_assert(CODEC_BASE64URL_LEN(PAYLOAD_MAX) + 1 + MAC_TEXT_LEN <= LINK_TEXT_MAX, "must fit");
_Static_assert(PLAN_DROP == 0 && PLAN_MASK == 2, "an outcome is 2 bits, 3 is none");

const char *link_strerror(enum link_err err)
{
    static const char *const texts[] = {
        [LINK_OK] = "no error",
        [LINK_EFORMAT] = "Sluice-Call cannot be read",
        [LINK_EMAC] = "Sluice-Call was not made by this platform for this request",
        [LINK_ESTALE] = "Sluice-Call is outside its 30 seconds",
    };
    return (size_t)err < sizeof texts / sizeof *texts ? texts[err] : "unknown error";
}

static uint8_t *put_number(uint8_t *at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
    }
    return at + bytes;
}

static uint8_t *put_bytes(uint8_t *at, const void *bytes, size_t n)
{
    if (n > 0) {
        memcpy(at, bytes, n);
    }
    return at + n;
}

static uint64_t get_number(const uint8_t **at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        value = value << 8 | *(*at)++;
    }
    return value;
}

static void get_uuid(const uint8_t **at, struct uuid *u)
{
    memcpy(u->b, *at, UUID_LEN);
    *at += UUID_LEN;
}

static void make_mac(struct crypto_hmac *key, struct slice method, struct slice target,
                     const uint8_t *payload, size_t n, uint8_t mac[static CRYPTO_HASH_LEN])
{
    uint8_t method_n = (uint8_t)method.n;
    crypto_hmac_begin(key);
    crypto_hmac_add(key, payload, n);
    crypto_hmac_add(key, &method_n, 1);
    crypto_hmac_add(key, method.p, method.n);
    crypto_hmac_add(key, target.p, target.n);
    crypto_hmac_end(key, mac);
}

static size_t make_payload(const struct link_call *call, uint8_t out[static PAYLOAD_MAX])
{
    uint8_t *at = put_number(out, VERSION, 1);
    at = put_number(at, call->sandbox, 1);
    at = put_number(at, call->issued_ms, 8);
    at = put_bytes(at, call->txn.b, UUID_LEN);
    at = put_bytes(at, call->api.b, UUID_LEN);
    at = put_bytes(at, call->app.b, UUID_LEN);
    at = put_bytes(at, call->grant.b, UUID_LEN);
    at = put_number(at, call->api_rev, 8);
    at = put_number(at, call->owner.n, 1);
    at = put_bytes(at, call->owner.p, call->owner.n);
    at = put_number(at, call->rows.n, 2);
    at = put_bytes(at, call->rows.p, call->rows.n);
    at = put_number(at, call->n_fields, 2);
    memset(at, 0, OUTCOMES(call->n_fields));
    for (uint32_t i = 0; i < call->n_fields; i++) {
        at[i / 4] |= (uint8_t)((call->outcome[i] & 3) << (6 - 2 * (i % 4)));
    }
    return (size_t)(at - out) + OUTCOMES(call->n_fields);
}

size_t link_encode(const struct link_call *call, struct crypto_hmac *key, struct slice method,
                   struct slice target, char out[static LINK_TEXT_MAX])
{
    if (call->owner.n > LINK_OWNER_MAX || call->rows.n > POLICY_ROWS_BOTH ||
        call->n_fields > POLICY_FIELDS_MAX || method.n > METHOD_MAX) {
        return 0;
    }
    uint8_t payload[PAYLOAD_MAX], mac[CRYPTO_HASH_LEN];
    size_t payload_n = make_payload(call, payload);
    make_mac(key, method, target, payload, payload_n, mac);
    size_t n = codec_base64url(out, payload, payload_n);
    out[n++] = '.';
    return n + codec_base64url(out + n, mac, sizeof mac);
}

/* payload[0..n) is authentic; still nothing is believed about its lengths. */
static enum link_err read_payload(struct link_call *call, const uint8_t *payload, size_t n)
{
    const uint8_t *at = payload, *end = payload + n;
    if (n < FIXED_BYTES || get_number(&at, 1) != VERSION) {
        return LINK_EFORMAT;
    }
    uint64_t sandbox = get_number(&at, 1);
    if (sandbox > 1) {
        return LINK_EFORMAT;
    }
    call->sandbox = sandbox == 1;
    call->issued_ms = get_number(&at, 8);
    get_uuid(&at, &call->txn);
    get_uuid(&at, &call->api);
    get_uuid(&at, &call->app);
    get_uuid(&at, &call->grant);
    call->api_rev = get_number(&at, 8);
    size_t owner_n = get_number(&at, 1);
    if (owner_n > LINK_OWNER_MAX || (size_t)(end - at) < owner_n + 2) {
        return LINK_EFORMAT;
    }
    call->owner = slice_of((const char *)at, owner_n);
    at += owner_n;
    size_t rows_n = get_number(&at, 2);
    if (rows_n > POLICY_ROWS_BOTH || (size_t)(end - at) < rows_n + 2) {
        return LINK_EFORMAT;
    }
    call->rows = slice_of((const char *)at, rows_n);
    at += rows_n;
    call->n_fields = (uint32_t)get_number(&at, 2);
    if (call->n_fields > POLICY_FIELDS_MAX || (size_t)(end - at) != OUTCOMES(call->n_fields)) {
        return LINK_EFORMAT;
    }
    for (uint32_t i = 0; i < call->n_fields; i++) {
        call->outcome[i] = at[i / 4] >> (6 - 2 * (i % 4)) & 3;
        if (call->outcome[i] > PLAN_MASK) {
            return LINK_EFORMAT;
        }
    }
    return LINK_OK;
}

enum link_err link_decode(struct link_call *call, struct crypto_hmac *key, struct slice method,
                          struct slice target, struct slice text, uint64_t now_ms,
                          uint8_t scratch[static LINK_TEXT_MAX])
{
    const char *dot = text.n > 0 ? memchr(text.p, '.', text.n) : NULL;
    if (dot == NULL || text.n > LINK_TEXT_MAX || method.n > METHOD_MAX) {
        return LINK_EFORMAT;
    }
    size_t payload_n, mac_n, left = text.n - (size_t)(dot + 1 - text.p);
    uint8_t mac[CRYPTO_HASH_LEN], want[CRYPTO_HASH_LEN];
    if (!codec_unbase64url(scratch, LINK_TEXT_MAX, &payload_n, text.p, (size_t)(dot - text.p)) ||
        !codec_unbase64url(mac, sizeof mac, &mac_n, dot + 1, left) || mac_n != sizeof mac) {
        return LINK_EFORMAT;
    }
    make_mac(key, method, target, scratch, payload_n, want);
    if (!crypto_equal(mac, want, sizeof mac)) {
        return LINK_EMAC;
    }
    enum link_err err = read_payload(call, scratch, payload_n);
    if (err != LINK_OK) {
        return err;
    }
    uint64_t apart = call->issued_ms > now_ms ? call->issued_ms - now_ms : now_ms - call->issued_ms;
    return apart > LINK_WINDOW_MS ? LINK_ESTALE : LINK_OK;
}
