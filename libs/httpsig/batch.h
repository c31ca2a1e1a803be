/* SPDX-License-Identifier: Apache-2.0 */
/* The signature "sm2-sm3-batch": one SM2 signature on the Merkle root of up to 1024 messages, and
 * in each message the proof that it is one of them. Requests and responses alike, which may be
 * mixed. The leaf is that of the message's signature base (RFC 9421 section 2.5). The bytes are
 * specified in docs/signatures.md. No allocation, no keys; safe from any thread. */
#pragma once
#include "httpsig/httpsig.h"
#include "merkle/merkle.h"

#define HTTPSIG_BATCH_ALG      "sm2-sm3-batch"
#define HTTPSIG_BATCH_SIG_LEN  64 /* r and s of SM2, 32 bytes each, big-endian */
#define HTTPSIG_BATCH_LEN_MAX  (5 + MERKLE_PROOF_MAX * MERKLE_NODE_LEN + HTTPSIG_BATCH_SIG_LEN)
#define HTTPSIG_BATCH_TEXT_MAX 128

/* What the signature of one message holds. */
struct httpsig_batch {
    uint16_t size, index; /* leaves of the tree, 1 to 1024; this message's place, from 0 */
    uint8_t n_nodes;      /* merkle_proof_len(index, size) */
    struct merkle_node nodes[MERKLE_PROOF_MAX];
    uint8_t sig[HTTPSIG_BATCH_SIG_LEN];
};

/* Verifying: decode, find the root, see that the key signed its text. Whoever remembers verified
 * roots must remember key, text and sig together: another sig on the same text is another claim,
 * and one not checked is no evidence. */

/* False: not exactly these bytes; *b is unspecified. */
bool httpsig_batch_decode(struct httpsig_batch *b, const uint8_t *bytes, size_t n)
    __attribute__((warn_unused_result));
/* The root that this message's signature base leads to. b: decoded, or made by httpsig_batch_of. */
void httpsig_batch_root(const struct httpsig_batch *b, struct slice base, struct merkle_node *root);
/* The text that the key signs for a tree of this size and root. Returns its length; no NUL. */
size_t httpsig_batch_text(uint16_t size, const struct merkle_node *root,
                          char out[static HTTPSIG_BATCH_TEXT_MAX]);

/* Signing: merkle_leaf() of each base into tree[0..n), merkle_build(), sign httpsig_batch_text() of
 * the root, and for each message encode what httpsig_batch_of() gives. */
void httpsig_batch_of(struct httpsig_batch *b, const struct merkle_node tree[], uint16_t size,
                      uint16_t index, const uint8_t sig[static HTTPSIG_BATCH_SIG_LEN]);
/* Returns the length. */
size_t httpsig_batch_encode(const struct httpsig_batch *b,
                            uint8_t out[static HTTPSIG_BATCH_LEN_MAX]);
