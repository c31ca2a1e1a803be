/* SPDX-License-Identifier: Apache-2.0 */
/* For whom a composed API runs (SW-8.3.4-orchestrate), said twice with one form: by the gateway to
 * the data service beside Sluice-Call (header LINK_TICKET_HEADER, sub-key "link.ticket" of the link
 * key), and by the data service to the gateway's inner listener with each part it calls (header
 * LINK_INNER_HEADER, sub-key "link.inner"). A part is then decided, limited, masked and recorded as
 * a call of that app. Bound to method, target and Content-Digest, good for LINK_INNER_WINDOW_MS;
 * the receiver spends the nonce. Form: base64url(payload) '.' base64url(mac), HMAC-SM3. No
 * allocation; one thread at a time per key. */
#pragma once
#include "link/link.h"

#define LINK_TICKET_HEADER   "Sluice-Ticket"
#define LINK_INNER_HEADER    "Sluice-Inner"
#define LINK_INNER_WINDOW_MS 10000
#define LINK_INNER_TEXT_MAX  512
#define LINK_CLIENT_MAX      16

struct link_inner {
    struct uuid txn;   /* of the caller's own call */
    struct uuid nonce; /* of this one */
    struct uuid app, credential;
    struct uuid composed; /* the composed API that runs */
    struct uuid via;      /* the composed API it is a part of; nil: none */
    struct uuid purpose;  /* what the caller said the call is for; nil: nothing */
    uint64_t issued_ms;
    uint8_t proofs;                  /* policy_proof bits of the caller's own call */
    uint8_t sdk;                     /* enum policy_sdk of it */
    uint8_t client_n;                /* 4, 16, or 0: unknown */
    uint8_t client[LINK_CLIENT_MAX]; /* the caller's address */
    struct slice owner;              /* as in link_call; decode borrows from its scratch */
};

/* What else the MAC covers. */
struct link_request {
    struct slice method, target, digest; /* digest: Content-Digest as sent, "" none */
};

/* Returns the length written; 0: something is too long, the call must be refused. */
size_t link_inner_encode(const struct link_inner *inner, struct crypto_hmac *key,
                         const struct link_request *rq, char out[static LINK_INNER_TEXT_MAX]);
/* On error *inner is unspecified. */
enum link_err link_inner_decode(struct link_inner *inner, struct crypto_hmac *key,
                                const struct link_request *rq, struct slice text, uint64_t now_ms,
                                uint8_t scratch[static LINK_INNER_TEXT_MAX])
    __attribute__((warn_unused_result));
