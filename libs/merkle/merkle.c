/* SPDX-License-Identifier: Apache-2.0 */
/* Level by level: neighbours are hashed in pairs, one left over at the end of a level goes up as it
 * is. That is the tree of RFC 9162, whose definition splits at the largest power of two instead. */
#include "merkle/merkle.h"

#include <assert.h>

#include "crypto/crypto.h"

enum { LEAF = 0x00, NODE = 0x01 };

_Static_assert(MERKLE_NODE_LEN == CRYPTO_HASH_LEN, "a node is an SM3 digest");
_Static_assert(MERKLE_LEAVES_MAX == 1 << MERKLE_PROOF_MAX, "one proof node for each level");

void merkle_leaf(struct slice data, struct merkle_node *out)
{
    static const uint8_t mark = LEAF;
    struct crypto_hasher hasher;
    crypto_hasher_init(&hasher, CRYPTO_SM3);
    crypto_hasher_add(&hasher, &mark, 1);
    crypto_hasher_add(&hasher, data.p, data.n);
    crypto_hasher_end(&hasher, out->b);
    crypto_hasher_fini(&hasher);
}

static void join(const struct merkle_node *left, const struct merkle_node *right,
                 struct merkle_node *out)
{
    uint8_t both[1 + 2 * MERKLE_NODE_LEN] = {NODE};
    memcpy(both + 1, left->b, MERKLE_NODE_LEN);
    memcpy(both + 1 + MERKLE_NODE_LEN, right->b, MERKLE_NODE_LEN);
    crypto_hash(CRYPTO_SM3, both, sizeof both, out->b);
}

static bool is_place(size_t i, size_t n)
{
    return i < n && n <= MERKLE_LEAVES_MAX;
}

const struct merkle_node *merkle_build(struct merkle_node tree[], size_t n)
{
    assert(is_place(0, n));
    struct merkle_node *level = tree;
    for (size_t width = n; width > 1; width = (width + 1) / 2) {
        struct merkle_node *above = level + width;
        for (size_t i = 0; i + 1 < width; i += 2) {
            join(&level[i], &level[i + 1], &above[i / 2]);
        }
        if (width % 2 == 1) {
            above[width / 2] = level[width - 1];
        }
        level = above;
    }
    return level;
}

/* The last of a level of odd width has no neighbour there. */
static bool has_neighbour(size_t i, size_t width)
{
    return (i ^ 1) < width;
}

size_t merkle_proof_len(size_t i, size_t n)
{
    if (!is_place(i, n)) {
        return SIZE_MAX;
    }
    size_t nodes = 0;
    for (size_t width = n; width > 1; width = (width + 1) / 2, i /= 2) {
        nodes += has_neighbour(i, width);
    }
    return nodes;
}

size_t merkle_proof(const struct merkle_node tree[], size_t n, size_t i,
                    struct merkle_node proof[static MERKLE_PROOF_MAX])
{
    assert(is_place(i, n));
    size_t nodes = 0;
    const struct merkle_node *level = tree;
    for (size_t width = n; width > 1; width = (width + 1) / 2, i /= 2) {
        if (has_neighbour(i, width)) {
            proof[nodes++] = level[i ^ 1];
        }
        level += width;
    }
    return nodes;
}

bool merkle_root_from(const struct merkle_node *leaf, size_t i, size_t n,
                      const struct merkle_node proof[], size_t proof_n, struct merkle_node *root)
{
    if (merkle_proof_len(i, n) != proof_n) {
        return false;
    }
    struct merkle_node at = *leaf;
    for (size_t width = n; width > 1; width = (width + 1) / 2, i /= 2) {
        if (!has_neighbour(i, width)) {
            continue;
        }
        if (i % 2 == 0) {
            join(&at, proof++, &at);
        } else {
            join(proof++, &at, &at);
        }
    }
    *root = at;
    return true;
}

bool merkle_verify(const struct merkle_node *leaf, size_t i, size_t n,
                   const struct merkle_node proof[], size_t proof_n, const struct merkle_node *root)
{
    struct merkle_node reached;
    return merkle_root_from(leaf, i, n, proof, proof_n, &reached) &&
           memcmp(reached.b, root->b, MERKLE_NODE_LEN) == 0;
}
