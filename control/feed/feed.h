/* SPDX-License-Identifier: Apache-2.0 */
/* The change feed's answers (contract/feed.md), without HTTP. */
#pragma once
#include "base/buf.h"
#include "core.h"
#include "problem/problem.h"

#define FEED_ENTRIES_MAX 5000
#define FEED_WAIT_MAX_MS 25000
#define FEED_KINDS_MAX   24

struct feed_query {
    char epoch[33];
    int64_t after;
    const char *kinds[FEED_KINDS_MAX]; /* from a fixed table; n 0: all */
    size_t n_kinds;
    uint32_t wait_ms;
};

/* False: a kind that is not known, or more than fit. */
bool feed_parse_kinds(struct feed_query *q, const char *comma_list)
    __attribute__((warn_unused_result));
/* Appends the JSON answer, waiting for news as the query says. */
enum store_err feed_answer(struct control *ctl, const struct feed_query *q, struct buf *out)
    __attribute__((warn_unused_result));

/* Tells nodes what is sealed for them under the link key that is signed with now. */
struct rest_call;
enum problem feed_reseal(struct rest_call *c, struct store_txn *txn);
/* feed/rebuild.c: when the link key is not the one the entries were sealed for (a restored backup,
 * a new key): writes every entry anew from the resources under a new epoch. Called at start. */
bool feed_check_key(struct control *ctl) __attribute__((warn_unused_result));
