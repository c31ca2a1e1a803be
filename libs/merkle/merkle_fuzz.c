/* SPDX-License-Identifier: Apache-2.0 */
/* Input: place and size, two bytes each, then leaf and proof as they come. A proof of any shape is
 * read within its bounds, and one that leads to a root does so again. */
#include <stdlib.h>

#include "merkle/merkle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4 + MERKLE_NODE_LEN) {
        return 0;
    }
    size_t i = (size_t)data[0] << 8 | data[1], n = (size_t)data[2] << 8 | data[3];
    struct merkle_node leaf, root;
    memcpy(&leaf, data + 4, sizeof leaf);
    size_t nodes = (size - 4) / MERKLE_NODE_LEN - 1;
    struct merkle_node *proof = malloc(nodes * MERKLE_NODE_LEN + 1); /* ASan minds its end */
    if (proof == NULL) {
        return 0;
    }
    memcpy(proof, data + 4 + MERKLE_NODE_LEN, nodes * MERKLE_NODE_LEN);
    bool leads = merkle_root_from(&leaf, i, n, proof, nodes, &root);
    if (leads != (merkle_proof_len(i, n) == nodes) || (leads && nodes > MERKLE_PROOF_MAX)) {
        abort();
    }
    if (leads && !merkle_verify(&leaf, i, n, proof, nodes, &root)) {
        abort();
    }
    if (leads && nodes > 0) {
        proof[nodes - 1].b[0] ^= 1;
        if (merkle_verify(&leaf, i, n, proof, nodes, &root)) {
            abort();
        }
    }
    free(proof);
    return 0;
}
