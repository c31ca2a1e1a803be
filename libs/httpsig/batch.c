/* SPDX-License-Identifier: Apache-2.0 */
/* version 1, size 2, index 2, nodes 32 each, signature 64: how many nodes there are follows from
 * size and index, so it is not said, and one length is right. */
#include "httpsig/batch.h"

#include <assert.h>
#include <stdio.h>

#include "base/codec.h"

enum { VERSION = 1, HEAD_LEN = 5 };

_Static_assert(HTTPSIG_BATCH_LEN_MAX <= HTTPSIG_SIG_MAX, "a batch signature is a signature");

bool httpsig_batch_decode(struct httpsig_batch *b, const uint8_t *bytes, size_t n)
{
    if (n < HEAD_LEN + HTTPSIG_BATCH_SIG_LEN || n > HTTPSIG_BATCH_LEN_MAX || bytes[0] != VERSION) {
        return false;
    }
    b->size = (uint16_t)(bytes[1] << 8 | bytes[2]);
    b->index = (uint16_t)(bytes[3] << 8 | bytes[4]);
    size_t nodes = merkle_proof_len(b->index, b->size);
    if (nodes > MERKLE_PROOF_MAX ||
        n != HEAD_LEN + nodes * MERKLE_NODE_LEN + HTTPSIG_BATCH_SIG_LEN) {
        return false;
    }
    b->n_nodes = (uint8_t)nodes;
    memcpy(b->nodes, bytes + HEAD_LEN, nodes * MERKLE_NODE_LEN);
    memcpy(b->sig, bytes + n - HTTPSIG_BATCH_SIG_LEN, HTTPSIG_BATCH_SIG_LEN);
    return true;
}

size_t httpsig_batch_encode(const struct httpsig_batch *b,
                            uint8_t out[static HTTPSIG_BATCH_LEN_MAX])
{
    size_t nodes_n = b->n_nodes * (size_t)MERKLE_NODE_LEN;
    out[0] = VERSION;
    out[1] = (uint8_t)(b->size >> 8);
    out[2] = (uint8_t)b->size;
    out[3] = (uint8_t)(b->index >> 8);
    out[4] = (uint8_t)b->index;
    memcpy(out + HEAD_LEN, b->nodes, nodes_n);
    memcpy(out + HEAD_LEN + nodes_n, b->sig, HTTPSIG_BATCH_SIG_LEN);
    return HEAD_LEN + nodes_n + HTTPSIG_BATCH_SIG_LEN;
}

void httpsig_batch_root(const struct httpsig_batch *b, struct slice base, struct merkle_node *root)
{
    struct merkle_node leaf;
    merkle_leaf(base, &leaf);
    bool fits = merkle_root_from(&leaf, b->index, b->size, b->nodes, b->n_nodes, root);
    assert(fits);
    (void)fits;
}

/* No signature base begins like this (they begin with a quotation mark), so what a key signed for a
 * single message never counts for a batch, nor the other way round. */
size_t httpsig_batch_text(uint16_t size, const struct merkle_node *root,
                          char out[static HTTPSIG_BATCH_TEXT_MAX])
{
    char hex[CODEC_HEX_LEN(MERKLE_NODE_LEN)];
    codec_hex(hex, root->b, MERKLE_NODE_LEN);
    int n = snprintf(out, HTTPSIG_BATCH_TEXT_MAX, "sluice sm2-sm3-batch 1\nsize: %u\nroot: %.*s\n",
                     size, (int)sizeof hex, hex);
    return (size_t)n;
}

void httpsig_batch_of(struct httpsig_batch *b, const struct merkle_node tree[], uint16_t size,
                      uint16_t index, const uint8_t sig[static HTTPSIG_BATCH_SIG_LEN])
{
    b->size = size;
    b->index = index;
    b->n_nodes = (uint8_t)merkle_proof(tree, size, index, b->nodes);
    memcpy(b->sig, sig, HTTPSIG_BATCH_SIG_LEN);
}
