/* SPDX-License-Identifier: Apache-2.0 */
#include "merkle/merkle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/codec.h"
#include "crypto/crypto.h"

#define SMALL_MAX 70

/* Leaf number i holds this text. */
static struct slice leaf_text(size_t i, char text[static 24])
{
    return slice_of(text, (size_t)snprintf(text, 24, "leaf %zu", i));
}

static const struct merkle_node *tree_of(struct merkle_node tree[], size_t n)
{
    char text[24];
    for (size_t i = 0; i < n; i++) {
        merkle_leaf(leaf_text(i, text), &tree[i]);
    }
    return merkle_build(tree, n);
}

static void is_hex(const struct merkle_node *node, const char *want)
{
    char hex[CODEC_HEX_LEN(MERKLE_NODE_LEN) + 1] = {0};
    codec_hex(hex, node->b, MERKLE_NODE_LEN);
    assert_string_equal(hex, want);
}

/* By printf '\0abc' | openssl dgst -sm3, and so on upward. */
static void known_values(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        const char *root;
    } table[] = {
        {1, "265a931c3d9e95aeffdd1d3653fdc5ddc0c50100e656bdef4aeba09fd43bebea"},
        {2, "5f4c609d311545d17cf002108167c248f9b8bfbc2c468a17456da04f90588c53"},
        {3, "2965a6112b6c5f59ef9ccf6521d05e3c271b2a47c436809b195d184271df25bb"},
        {5, "c13c464e890216c2d123e16161d8d3251c47ccf8558e521640527fefe8059799"},
        {8, "358e702f0cb7f0de71d163d1594684df3f69bfb3104a498f4bc694510d47f35f"},
        {13, "9752a94065bda53ec928f23d586c906efbb84cc0cb9fc9ed71ab89fef5529484"},
        {70, "206503c730fba740c6474823fb73c8d0d6282b3daa7a23f9b23a1be8d0caffb5"},
    };
    struct merkle_node tree[MERKLE_TREE_LEN(SMALL_MAX)];
    merkle_leaf(SLICE("abc"), &tree[0]);
    is_hex(&tree[0], "a7fe0cdcc2194aa7a9c6bfad5637581bf051d935a10bb6a9ccabfce125c27d96");
    merkle_leaf(SLICE(""), &tree[0]);
    is_hex(&tree[0], "2daef60e7a0b8f5e024c81cd2ab3109f2b4f155cf83adeb2ae5532f74a157fdf");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        is_hex(tree_of(tree, table[i].n), table[i].root);
    }
}

/* RFC 9162 2.1.1 word for word: split at the largest power of two below n. */
static void by_definition(struct merkle_node leaves[], size_t n, struct merkle_node *out)
{
    if (n == 1) {
        *out = leaves[0];
        return;
    }
    size_t k = 1;
    while (k * 2 < n) {
        k *= 2;
    }
    uint8_t both[1 + 2 * MERKLE_NODE_LEN] = {1};
    struct merkle_node half;
    by_definition(leaves, k, &half);
    memcpy(both + 1, half.b, MERKLE_NODE_LEN);
    by_definition(leaves + k, n - k, &half);
    memcpy(both + 1 + MERKLE_NODE_LEN, half.b, MERKLE_NODE_LEN);
    crypto_hash(CRYPTO_SM3, both, sizeof both, out->b);
}

static const size_t widths[] = {127, 128, 129, 500, 1000, 1023, 1024};
static struct merkle_node tree[MERKLE_TREE_LEN(MERKLE_LEAVES_MAX)];

static void every_place_of(size_t n)
{
    memset(tree, 0, sizeof tree);
    const struct merkle_node *root = tree_of(tree, n);
    struct merkle_node proof[MERKLE_PROOF_MAX], defined;
    by_definition(tree, n, &defined);
    assert_memory_equal(root, &defined, sizeof defined);
    for (size_t i = 0; i < n; i++) {
        size_t nodes = merkle_proof(tree, n, i, proof);
        assert_in_range(nodes, n > 1, MERKLE_PROOF_MAX);
        assert_int_equal(nodes, merkle_proof_len(i, n));
        assert_true(merkle_verify(&tree[i], i, n, proof, nodes, root));
        size_t other = (i + 1) % n;
        assert_int_equal(merkle_verify(&tree[other], i, n, proof, nodes, root), n == 1);
        assert_int_equal(merkle_verify(&tree[i], other, n, proof, nodes, root), n == 1);
        assert_false(merkle_verify(&tree[i], i, n, proof, nodes + 1, root));
        assert_false(nodes > 0 && merkle_verify(&tree[i], i, n, proof, nodes - 1, root));
    }
}

static void every_place(void **state)
{
    (void)state;
    for (size_t n = 1; n <= SMALL_MAX; n++) {
        every_place_of(n);
    }
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        every_place_of(widths[i]);
    }
}

/* One bit of the leaf, of any node of the proof or of the root. */
static void one_bit(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 5, 8, 33};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t n = sizes[s], i = n - 1 - n / 3;
        const struct merkle_node *top = tree_of(tree, n);
        struct {
            struct merkle_node leaf, root, proof[MERKLE_PROOF_MAX];
        } all;
        size_t nodes = merkle_proof(tree, n, i, all.proof);
        all.leaf = tree[i];
        all.root = *top;
        for (size_t bit = 0; bit < (2 + nodes) * MERKLE_NODE_LEN * 8; bit++) {
            uint8_t *at = (uint8_t *)&all + bit / 8;
            *at = (uint8_t)(*at ^ 1u << bit % 8);
            assert_false(merkle_verify(&all.leaf, i, n, all.proof, nodes, &all.root));
            *at = (uint8_t)(*at ^ 1u << bit % 8);
        }
        assert_true(merkle_verify(&all.leaf, i, n, all.proof, nodes, &all.root));
    }
}

static void no_place(void **state)
{
    (void)state;
    static const struct {
        size_t i, n, nodes;
    } table[] = {
        {0, 1, 0},           {0, 2, 1},
        {4, 5, 1},           {3, 5, 3},
        {1023, 1024, 10},    {1, 1, SIZE_MAX},
        {0, 0, SIZE_MAX},    {5, 5, SIZE_MAX},
        {0, 1025, SIZE_MAX}, {SIZE_MAX, SIZE_MAX, SIZE_MAX},
    };
    struct merkle_node leaf = {0}, proof[MERKLE_PROOF_MAX] = {0}, root;
    for (size_t k = 0; k < sizeof table / sizeof *table; k++) {
        assert_true(merkle_proof_len(table[k].i, table[k].n) == table[k].nodes);
        memset(&root, '?', sizeof root);
        for (size_t nodes = 0; nodes <= MERKLE_PROOF_MAX; nodes++) {
            if (nodes != table[k].nodes) {
                assert_false(merkle_root_from(&leaf, table[k].i, table[k].n, proof, nodes, &root));
            }
        }
        assert_int_equal(root.b[0], '?');
    }
}

/* A pair of nodes handed in as a leaf must not give their parent. */
static void leaf_is_no_node(void **state)
{
    (void)state;
    struct merkle_node forged;
    const struct merkle_node *root = tree_of(tree, 2);
    merkle_leaf(slice_of((const char *)tree[0].b, 2 * MERKLE_NODE_LEN), &forged);
    assert_memory_not_equal(&forged, root, sizeof forged);
    assert_false(merkle_verify(&forged, 0, 1, NULL, 0, root));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"merkle: roots computed by another program", known_values, NULL, NULL, NULL},
        {"[BK-7.2.2b2] merkle: each leaf proves its own place and no other", every_place, NULL,
         NULL, NULL},
        {"[EC-6.1.4.3a] merkle: one flipped bit anywhere is refused", one_bit, NULL, NULL, NULL},
        {"merkle: what is no place in a tree", no_place, NULL, NULL, NULL},
        {"merkle: a leaf cannot pass for a node", leaf_is_no_node, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
