/* SPDX-License-Identifier: Apache-2.0 */
/* The platform's own CAs for apps: one for P-256 and RSA keys, one for SM2 keys. Their private keys
 * are in the store, sealed under the master key; what they issued and revoked is there too. */
#pragma once
#include "crypto/authority.h"
#include "rest/resource.h"

/* Makes the CAs a store has not got yet. Called at start. */
enum problem ca_seed(struct rest_call *c);
/* A certificate for the request's key, registered to the credential; *pem: new text, freed by the
 * caller. KEY_STORE_LOCKED: the CA's key cannot be opened. */
enum problem ca_issue(struct rest_call *c, struct store_txn *txn, const struct crypto_request *req,
                      const struct crypto_order *order, const char *credential_id, char **pem,
                      char serial[static CRYPTO_SERIAL_LEN + 1]);
/* What a change of a credential means to its certificate: reason 0 and at_ms 0 take a hold off. */
enum problem ca_revoke(struct rest_call *c, struct store_txn *txn, const char *credential_id,
                       uint64_t at_ms, int reason);
enum { CA_REASON_NONE, CA_REASON_SUPERSEDED = 4, CA_REASON_CESSATION = 5, CA_REASON_HOLD = 6 };

enum problem ca_refresh(struct rest_call *c); /* a job: lists that are about to end */

/* Web routes: /pki/ */
enum problem ca_certificate(struct rest_call *c);     /* GET apps.crt, PEM */
enum problem ca_certificate_sm2(struct rest_call *c); /* GET apps-sm2.crt */
enum problem ca_crl(struct rest_call *c);             /* GET apps.crl, DER */
enum problem ca_crl_sm2(struct rest_call *c);         /* GET apps-sm2.crl */
enum problem ca_ocsp_post(struct rest_call *c);       /* POST ocsp: RFC 6960 A.1 */
enum problem ca_ocsp_get(struct rest_call *c);        /* GET ocsp/{base64} */
