/* SPDX-License-Identifier: Apache-2.0 */
/* Before an API goes offline, the cancellation of its identification code was handed in (BK-11b2).
 * The one place that asks. */
#include "services/services.h"

enum problem identifiers_cancelled(struct rest_call *c, struct store_txn *txn, const json_t *api,
                                   const json_t *termination)
{
    (void)txn;
    return !row_text(api, "u_api_id")[0] ||
                   json_is_object(json_object_get(termination, "cancellation"))
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_STATE_CONFLICT, "",
                           "the cancellation of its U_API_ID was not handed in");
}
