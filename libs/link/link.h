/* SPDX-License-Identifier: Apache-2.0 */
/* What the gateway says of a call to the data service: header `Sluice-Call`, MACed with a key both
 * have (HMAC-SM3, sub-key "link.call" of the link key), bound to the method and target, good for 30
 * s. With it the data service knows a caller it can trust, whose rows to read and which fields.
 * Form: base64url(payload) '.' base64url(mac). No allocation; one thread at a time per key. */
#pragma once
#include "crypto/crypto.h"
#include "id/uuid.h"
#include "policy/policy.h"

#define LINK_HEADER    "Sluice-Call"
#define LINK_OWNER_MAX 128 /* bytes */
#define LINK_WINDOW_MS 30000
#define LINK_TEXT_MAX  2048

struct link_call {
    struct uuid txn, api, app, grant; /* grant nil: none */
    uint64_t api_rev, issued_ms;
    bool sandbox;       /* the app is in its test stage: no source may be asked for it */
    struct slice owner; /* "" when the call carries no grant; decode borrows from its scratch */
    struct slice rows;  /* conditions each row must meet, as policy_rows() gives them; likewise */
    uint32_t n_fields;
    uint8_t
        outcome[POLICY_FIELDS_MAX]; /* enum plan_outcome per api field; 2 bits each on the wire */
};

enum link_err { LINK_OK, LINK_EFORMAT, LINK_EMAC, LINK_ESTALE };
const char *link_strerror(enum link_err err);

/* Returns the length written, at most LINK_TEXT_MAX; 0 when owner is longer than LINK_OWNER_MAX,
 * rows than POLICY_ROWS_BOTH or n_fields than POLICY_FIELDS_MAX: such a call must be refused, never
 * sent with less. About 1.2 us. */
size_t link_encode(const struct link_call *call, struct crypto_hmac *key, struct slice method,
                   struct slice target, char out[static LINK_TEXT_MAX]);
/* On error *call is unspecified. scratch holds what *call borrows. ESTALE: issued more than
 * LINK_WINDOW_MS before or after now_ms. */
enum link_err link_decode(struct link_call *call, struct crypto_hmac *key, struct slice method,
                          struct slice target, struct slice text, uint64_t now_ms,
                          uint8_t scratch[static LINK_TEXT_MAX])
    __attribute__((warn_unused_result));
