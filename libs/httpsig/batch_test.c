/* SPDX-License-Identifier: Apache-2.0 */
#include "httpsig/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/codec.h"
#include "crypto/crypto.h"

#define SIZES_MAX 70

static struct slice base_text(size_t i, char text[static 32])
{
    return slice_of(text, (size_t)snprintf(text, 32, "\"@method\": GET %zu", i));
}

static struct merkle_node tree[MERKLE_TREE_LEN(MERKLE_LEAVES_MAX)];

static struct merkle_node tree_of(size_t n)
{
    char text[32];
    for (size_t i = 0; i < n; i++) {
        merkle_leaf(base_text(i, text), &tree[i]);
    }
    return *merkle_build(tree, n);
}

static void made_and_read(size_t n)
{
    struct merkle_node root = tree_of(n), reached;
    uint8_t sig[HTTPSIG_BATCH_SIG_LEN], bytes[HTTPSIG_BATCH_LEN_MAX], again[HTTPSIG_BATCH_LEN_MAX];
    memset(sig, 0x5a, sizeof sig);
    for (size_t i = 0; i < n; i++) {
        struct httpsig_batch b, read;
        char text[32];
        httpsig_batch_of(&b, tree, (uint16_t)n, (uint16_t)i, sig);
        size_t bytes_n = httpsig_batch_encode(&b, bytes);
        assert_true(httpsig_batch_decode(&read, bytes, bytes_n));
        assert_memory_equal(read.sig, sig, sizeof sig);
        assert_int_equal(httpsig_batch_encode(&read, again), bytes_n);
        assert_memory_equal(again, bytes, bytes_n);
        httpsig_batch_root(&read, base_text(i, text), &reached);
        assert_memory_equal(&reached, &root, sizeof root);
        httpsig_batch_root(&read, base_text(i + 1, text), &reached);
        assert_memory_not_equal(&reached, &root, sizeof root);
    }
}

static void round_trips(void **state)
{
    (void)state;
    for (size_t n = 1; n <= SIZES_MAX; n++) {
        made_and_read(n);
    }
    made_and_read(MERKLE_LEAVES_MAX);
}

/* bytes: the head, then zeros up to n. */
static const struct {
    uint8_t head[5];
    size_t n;
    bool good;
} rows[] = {
    {{1, 0, 1, 0, 0}, 69, true},           {{1, 0, 2, 0, 1}, 101, true},
    {{1, 0, 5, 0, 4}, 101, true},          {{1, 0, 5, 0, 3}, 165, true},
    {{1, 4, 0, 3, 255}, 389, true},        {{1, 0, 1, 0, 0}, 68, false},
    {{1, 0, 1, 0, 0}, 70, false},          {{1, 0, 1, 0, 0}, 101, false}, /* a node too many */
    {{1, 0, 2, 0, 1}, 69, false},          {{1, 0, 2, 0, 1}, 100, false},
    {{1, 0, 2, 0, 1}, 133, false},         {{1, 0, 5, 0, 4}, 165, false},
    {{1, 0, 0, 0, 0}, 69, false},                                         /* an empty tree */
    {{1, 0, 1, 0, 1}, 69, false},                                         /* no such leaf */
    {{1, 0, 2, 1, 1}, 101, false},         {{1, 4, 1, 0, 0}, 389, false}, /* 1025 leaves */
    {{1, 255, 255, 255, 254}, 389, false}, {{1, 4, 0, 3, 255}, 390, false},
    {{0, 0, 1, 0, 0}, 69, false},          {{2, 0, 1, 0, 0}, 69, false},
    {{1, 0, 1, 0, 0}, 0, false},           {{1, 0, 1, 0, 0}, 5, false},
};

static void decode_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t *bytes = calloc(1, rows[i].n + !rows[i].n); /* ASan sees a read past the end */
        assert_non_null(bytes);
        size_t head_n = rows[i].n < sizeof rows[i].head ? rows[i].n : sizeof rows[i].head;
        memcpy(bytes, rows[i].head, head_n);
        struct httpsig_batch b;
        if (httpsig_batch_decode(&b, bytes, rows[i].n) != rows[i].good) {
            fail_msg("row %zu", i);
        }
        free(bytes);
    }
}

/* Whatever bit of the bytes is another, the root or the signature is another or nothing is read. */
static void one_bit(void **state)
{
    (void)state;
    struct merkle_node root = tree_of(6), reached;
    uint8_t sig[HTTPSIG_BATCH_SIG_LEN] = {7}, bytes[HTTPSIG_BATCH_LEN_MAX];
    struct httpsig_batch b;
    char base[32], want[HTTPSIG_BATCH_TEXT_MAX], got[HTTPSIG_BATCH_TEXT_MAX];
    size_t want_n = httpsig_batch_text(6, &root, want);
    httpsig_batch_of(&b, tree, 6, 2, sig);
    size_t n = httpsig_batch_encode(&b, bytes);
    for (size_t bit = 0; bit < n * 8; bit++) {
        bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ 1u << bit % 8);
        if (httpsig_batch_decode(&b, bytes, n)) {
            httpsig_batch_root(&b, base_text(2, base), &reached);
            size_t got_n = httpsig_batch_text(b.size, &reached, got);
            bool same = slice_eq(slice_of(got, got_n), slice_of(want, want_n));
            assert_false(same && memcmp(b.sig, sig, sizeof sig) == 0);
        }
        bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ 1u << bit % 8);
    }
}

static void text(void **state)
{
    (void)state;
    char out[HTTPSIG_BATCH_TEXT_MAX];
    struct merkle_node root;
    memset(&root, 0xab, sizeof root);
    size_t n = httpsig_batch_text(1024, &root, out);
    assert_true(
        slice_eq(slice_of(out, n),
                 SLICE("sluice sm2-sm3-batch 1\nsize: 1024\nroot: "
                       "abababababababababababababababababababababababababababababababab\n")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[BK-7.2.2b2] httpsig batch: each message of a batch leads to the signed root, another "
         "does "
         "not",
         round_trips, NULL, NULL, NULL},
        {"httpsig batch: bytes good and bad", decode_rows, NULL, NULL, NULL},
        {"[EC-6.1.4.3a] httpsig batch: one flipped bit anywhere is another claim", one_bit, NULL,
         NULL, NULL},
        {"httpsig batch: the text that is signed", text, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
