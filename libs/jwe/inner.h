/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this module share; nothing outside it includes this. */
#pragma once
#include <jansson.h>
#include <jose/cfg.h>

#include "jwe/jwe.h"

struct jwe_key {
    struct crypto_key *key;
    jose_cfg_t *cfg; /* ECDH-ES only, as the next */
    json_t *jwk;
    char kid[JWE_KID_MAX + 1];
};

#define JWE_IV_LEN  12
#define JWE_TAG_LEN 16

struct jwe_parts { /* base64url, as received */
    struct slice header, key, iv, text, tag;
};

/* sm2.c, of both suites: the first part; another part with its dot; iv, text and tag as one piece
 * (malloc), NULL: not of their lengths. */
bool jwe_add_header(struct buf *out, const json_t *header);
void jwe_add_part(struct buf *out, const void *bytes, size_t n);
uint8_t *jwe_gather(const struct jwe_parts *parts, size_t *n);

/* sm2.c, ecdh.c: one suite each. header: the members of the protected header but those the suite
 * adds. On error *out may have grown; the caller cuts it. */
enum jwe_err jwe_sm2_seal(const struct jwe_key *to, const json_t *header, struct slice plain,
                          struct buf *out);
enum jwe_err jwe_sm2_open(const struct jwe_key *key, const struct jwe_parts *parts,
                          struct buf *out);
bool jwe_ecdh_ready(struct jwe_key *key);
enum jwe_err jwe_ecdh_seal(const struct jwe_key *to, const json_t *header, struct slice plain,
                           struct buf *out);
enum jwe_err jwe_ecdh_open(const struct jwe_key *key, const struct jwe_parts *parts,
                           struct buf *out);
