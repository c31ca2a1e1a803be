/* SPDX-License-Identifier: Apache-2.0 */
/* Payload, big-endian: version 1, issued_ms 8, txn, nonce, app, credential, composed, via, purpose
 * 16 each, proofs 1, sdk 1, client length 1, client 16, owner length 1, owner. The MAC covers
 * payload, method length 1, method, digest length 1, digest, target: each part's end is known from
 * what precedes it. */
#include "link/inner.h"

#include "base/codec.h"

#define VERSION      3
#define UUIDS        7
#define FIXED_BYTES  (1 + 8 + UUIDS * UUID_LEN + 1 + 1 + 1 + LINK_CLIENT_MAX + 1)
#define PAYLOAD_MAX  (FIXED_BYTES + LINK_OWNER_MAX)
#define MAC_TEXT_LEN CODEC_BASE64URL_LEN(CRYPTO_HASH_LEN)
#define LENGTH_MAX   255

_Static_assert(CODEC_BASE64URL_LEN(PAYLOAD_MAX) + 1 + MAC_TEXT_LEN <= LINK_INNER_TEXT_MAX,
               "must fit");
_Static_assert(LINK_OWNER_MAX <= LENGTH_MAX, "its length is a byte");

static void make_mac(struct crypto_hmac *key, const struct link_request *rq, const uint8_t *payload,
                     size_t n, uint8_t mac[static CRYPTO_HASH_LEN])
{
    uint8_t method_n = (uint8_t)rq->method.n, digest_n = (uint8_t)rq->digest.n;
    crypto_hmac_begin(key);
    crypto_hmac_add(key, payload, n);
    crypto_hmac_add(key, &method_n, 1);
    crypto_hmac_add(key, rq->method.p, rq->method.n);
    crypto_hmac_add(key, &digest_n, 1);
    crypto_hmac_add(key, rq->digest.p, rq->digest.n);
    crypto_hmac_add(key, rq->target.p, rq->target.n);
    crypto_hmac_end(key, mac);
}

static bool fits(const struct link_request *rq)
{
    return rq->method.n <= LENGTH_MAX && rq->digest.n <= LENGTH_MAX;
}

static uint8_t *put(uint8_t *at, const void *bytes, size_t n)
{
    if (n > 0) {
        memcpy(at, bytes, n);
    }
    return at + n;
}

static const uint8_t *get(const uint8_t *at, void *bytes, size_t n)
{
    memcpy(bytes, at, n);
    return at + n;
}

size_t link_inner_encode(const struct link_inner *inner, struct crypto_hmac *key,
                         const struct link_request *rq, char out[static LINK_INNER_TEXT_MAX])
{
    if (inner->owner.n > LINK_OWNER_MAX || inner->client_n > LINK_CLIENT_MAX || !fits(rq)) {
        return 0;
    }
    const struct uuid *const ids[UUIDS] = {&inner->txn,        &inner->nonce,    &inner->app,
                                           &inner->credential, &inner->composed, &inner->via,
                                           &inner->purpose};
    uint8_t payload[PAYLOAD_MAX] = {VERSION}, mac[CRYPTO_HASH_LEN], *at = payload + 1;
    for (size_t i = 0; i < 8; i++) {
        *at++ = (uint8_t)(inner->issued_ms >> 8 * (7 - i));
    }
    for (size_t i = 0; i < UUIDS; i++) {
        at = put(at, ids[i]->b, UUID_LEN);
    }
    *at++ = inner->proofs;
    *at++ = inner->sdk;
    *at++ = inner->client_n;
    put(at, inner->client, inner->client_n);
    at += LINK_CLIENT_MAX;
    *at++ = (uint8_t)inner->owner.n;
    at = put(at, inner->owner.p, inner->owner.n);
    make_mac(key, rq, payload, (size_t)(at - payload), mac);
    size_t n = codec_base64url(out, payload, (size_t)(at - payload));
    out[n++] = '.';
    return n + codec_base64url(out + n, mac, sizeof mac);
}

/* payload[0..n) is authentic; still nothing is believed about its lengths. */
static enum link_err read_payload(struct link_inner *inner, const uint8_t *payload, size_t n)
{
    struct uuid *const ids[UUIDS] = {&inner->txn,        &inner->nonce,    &inner->app,
                                     &inner->credential, &inner->composed, &inner->via,
                                     &inner->purpose};
    const uint8_t *at = payload + 1;
    if (n < FIXED_BYTES || payload[0] != VERSION) {
        return LINK_EFORMAT;
    }
    inner->issued_ms = 0;
    for (size_t i = 0; i < 8; i++) {
        inner->issued_ms = inner->issued_ms << 8 | *at++;
    }
    for (size_t i = 0; i < UUIDS; i++) {
        at = get(at, ids[i]->b, UUID_LEN);
    }
    inner->proofs = *at++;
    inner->sdk = *at++;
    inner->client_n = *at++;
    at = get(at, inner->client, LINK_CLIENT_MAX);
    size_t owner_n = *at++;
    bool client = inner->client_n == 0 || inner->client_n == 4 || inner->client_n == 16;
    if (!client || owner_n > LINK_OWNER_MAX || n != FIXED_BYTES + owner_n) {
        return LINK_EFORMAT;
    }
    inner->owner = slice_of((const char *)at, owner_n);
    return LINK_OK;
}

enum link_err link_inner_decode(struct link_inner *inner, struct crypto_hmac *key,
                                const struct link_request *rq, struct slice text, uint64_t now_ms,
                                uint8_t scratch[static LINK_INNER_TEXT_MAX])
{
    const char *dot = text.n > 0 ? memchr(text.p, '.', text.n) : NULL;
    if (dot == NULL || text.n > LINK_INNER_TEXT_MAX || !fits(rq)) {
        return LINK_EFORMAT;
    }
    size_t n, mac_n, left = text.n - (size_t)(dot + 1 - text.p);
    uint8_t mac[CRYPTO_HASH_LEN], want[CRYPTO_HASH_LEN];
    if (!codec_unbase64url(scratch, LINK_INNER_TEXT_MAX, &n, text.p, (size_t)(dot - text.p)) ||
        !codec_unbase64url(mac, sizeof mac, &mac_n, dot + 1, left) || mac_n != sizeof mac) {
        return LINK_EFORMAT;
    }
    make_mac(key, rq, scratch, n, want);
    if (!crypto_equal(mac, want, sizeof mac)) {
        return LINK_EMAC;
    }
    enum link_err err = read_payload(inner, scratch, n);
    if (err != LINK_OK) {
        return err;
    }
    uint64_t issued = inner->issued_ms;
    uint64_t apart = issued > now_ms ? issued - now_ms : now_ms - issued;
    return apart > LINK_INNER_WINDOW_MS ? LINK_ESTALE : LINK_OK;
}
