/* SPDX-License-Identifier: Apache-2.0 */
/* The Merkle tree of RFC 9162 section 2.1, over SM3: one signature on the root stands for every
 * leaf, and a leaf proves its place with at most ten nodes. Leaf = SM3(0x00 | data), inner node =
 * SM3(0x01 | left | right), so no leaf can pass for a node. Caller's buffers only; safe from any
 * thread. */
#pragma once
#include "base/slice.h"

#define MERKLE_NODE_LEN   32
#define MERKLE_LEAVES_MAX 1024
#define MERKLE_PROOF_MAX  10 /* nodes: the levels below the root */

/* Room, in nodes, for the tree over n leaves. */
#define MERKLE_TREE_LEN(n) (2 * (size_t)(n) + MERKLE_PROOF_MAX)

struct merkle_node {
    uint8_t b[MERKLE_NODE_LEN];
};

void merkle_leaf(struct slice data, struct merkle_node *out);

/* tree[0..n) holds the leaves; fills in the levels above. n from 1 to MERKLE_LEAVES_MAX; tree has
 * room for MERKLE_TREE_LEN(n). The root, borrowed from the tree. */
const struct merkle_node *merkle_build(struct merkle_node tree[], size_t n);

/* How many nodes prove leaf i of n. What is no place in a tree (i >= n, n above the limit) gives
 * SIZE_MAX. */
size_t merkle_proof_len(size_t i, size_t n);

/* The proof of leaf i in a tree merkle_build() has filled: from the leaf's neighbour upward.
 * Returns the number of nodes. */
size_t merkle_proof(const struct merkle_node tree[], size_t n, size_t i,
                    struct merkle_node proof[static MERKLE_PROOF_MAX]);

/* The root that leaf, at place i of n, leads to. False: the proof is not exactly as long as this
 * place demands; root is untouched. A true result says nothing until root is compared or its
 * signature verified. */
bool merkle_root_from(const struct merkle_node *leaf, size_t i, size_t n,
                      const struct merkle_node proof[], size_t proof_n, struct merkle_node *root)
    __attribute__((warn_unused_result));

/* Is leaf number i of the n under this root? */
bool merkle_verify(const struct merkle_node *leaf, size_t i, size_t n,
                   const struct merkle_node proof[], size_t proof_n, const struct merkle_node *root)
    __attribute__((warn_unused_result));
