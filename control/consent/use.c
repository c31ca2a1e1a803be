/* SPDX-License-Identifier: Apache-2.0 */
/* When a grant was last used, as the nodes tell it (contract/feed.md, `used`). No operation and no
 * feed entry: what each call was is in the audit log; this is for the owner's eyes. */
#include "api/api.h"
#include "consent/consent.h"

enum problem grants_used(struct rest_call *c, struct store_txn *txn, const char *grant_id,
                         uint64_t at_ms)
{
    /* A node whose clock is ahead tells no future. */
    int64_t at = (int64_t)(at_ms < c->now_ms ? at_ms : c->now_ms);
    const struct store_value v[] = {store_int(at), store_text(grant_id), store_int(at)};

    return rest_store_problem(c, store_exec(txn,
                                            "UPDATE grants SET last_used_at = ? WHERE id = ? AND "
                                            "coalesce(last_used_at, 0) < ?",
                                            v, 3, NULL));
}
