/* SPDX-License-Identifier: Apache-2.0 */
#include "notices/notices.h"

enum problem notice_put(struct rest_call *c, struct store_txn *txn, const struct notice *n)
{
    (void)c;
    (void)txn;
    (void)n;
    return PROBLEM_OK;
}

enum problem notices_deliver(struct rest_call *c)
{
    (void)c;
    return PROBLEM_OK;
}
