/* SPDX-License-Identifier: Apache-2.0 */
/* The public page (BK-A-4): the external APIs that are open, for anybody, so that who has no
 * account sees what could be applied for. Nothing else is told to somebody who has not signed in.
 */
#include "services/services.h"

enum problem service_public(struct rest_call *c)
{
    static const char sql[] =
        "SELECT a.id, a.u_api_id, a.name, a.version, a.title, a.description, a.class, a.access, "
        "a.state, a.sunset_at, k.name, k.name_en, o.name FROM apis a LEFT JOIN service_categories "
        "k "
        "ON k.id = a.category_id LEFT JOIN organisations o ON o.id = a.organisation_id WHERE "
        "a.type = 'external' AND a.state IN ('published', 'deprecated') ORDER BY k.name, a.name, "
        "a.version LIMIT 500";
    struct store_txn *txn = NULL;
    json_t *items = NULL;
    enum problem p = rest_query_known(c, NULL, 0, "no parameters are understood");

    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_READ, &txn);
    }
    if (p == PROBLEM_OK) {
        p = services_rows(c, txn, sql, NULL, 0,
                          "id:t u_api_id:t name:t version:t title:t description:t class:t access:t "
                          "state:t sunset_at:m category:t category_en:t provider:t",
                          &items);
    }
    store_rollback(&txn);
    if (p != PROBLEM_OK) {
        json_decref(items);
        return p;
    }
    return rest_answer(c, 200, json_pack("{s:o}", "items", items));
}
