/* SPDX-License-Identifier: Apache-2.0 */
/* The logs a change writes in its own transaction: what was done, what nodes are told. */
#pragma once
#include "store/store.h"

/* chain = SM3(previous chain, 32 zero bytes at first || seq || LF || at_ms || LF || actor || LF ||
 * action
 * || LF || kind || LF || id || LF || before || LF || after). */
struct operation {
    uint64_t at_ms;
    const char *actor, *action, *kind, *id;
    const char *before, *after; /* NULL: none */
};
enum store_err log_operation(struct store_txn *txn, const struct operation *op)
    __attribute__((warn_unused_result));
/* Computes the chain of the last operations anew. *looked: how many; *bad: the number of the first
 * that does not follow from the one before it, 0: none. */
enum store_err log_verify(struct store_txn *txn, int64_t last, int64_t *looked, int64_t *bad)
    __attribute__((warn_unused_result));
enum store_err log_feed(struct store_txn *txn, const char *kind, const char *id, const char *data,
                        uint64_t keep) __attribute__((warn_unused_result));
