/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys and certificates as requests bring them. A private key is refused wherever it turns
 * up: the platform has no use for it and must not be a place to steal it from. */
#pragma once
#include "api/api.h"
#include "crypto/certificate.h"
#include "crypto/key.h"

/* Attribute checks: no private key in a PEM text; a public key as PEM text or JWK object. */
enum problem keys_refuse_private(struct rest_call *c, const char *where, const json_t *v);
enum problem keys_check_public(struct rest_call *c, const char *where, const json_t *v);
/* The key of a checked public_key; NULL *key: none of the kinds there are. */
void keys_load_public(const json_t *v, struct crypto_key **key);
/* Sets certificate_subject and certificate_sm3 of a row. */
void keys_describe_certificate(const struct crypto_certificate *crt, json_t *row);
json_t *keys_base64(const uint8_t *bytes, size_t n); /* new text */
json_t *keys_base64url(struct slice bytes);          /* new text */
/* The DER in base64 (line ends allowed) or in one PEM block. */
bool keys_pem_or_base64(const char *text, uint8_t *der, size_t cap, size_t *n);
