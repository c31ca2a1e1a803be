/* SPDX-License-Identifier: Apache-2.0 */
/* Which algorithms this installation allows now (BK-7.1a): the feed's kind `algorithm` over the
 * table of libs/crypto, compiled anew when one of its records changes. */
#include "sluice.h"

static struct {
    sluice_set_t set;
    struct crypto_policy policy;
} now;

static bool apply(const json_t *row)
{
    enum crypto_status status;
    return crypto_status_find(sluice_member(row, "status"), &status) &&
           crypto_policy_set(&now.policy, sluice_member(row, "name"), status,
                             json_integer_value(json_object_get(row, "sunset_at")));
}

static bool visit(void *ctx, const struct uuid *id, uint64_t rev, struct slice json)
{
    json_t *row = json_loadb(json.p, json.n, 0, NULL);
    (void)ctx;
    (void)id;
    if (!row || !apply(row)) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "sluice: algorithm record %uL is passed over",
                      rev);
    }
    json_decref(row);
    return true;
}

static void compile(void)
{
    struct replica_reader *reader = sluice_reader();
    crypto_policy_init(&now.policy);
    if (reader && replica_set_each(reader, REPLICA_ALGORITHMS, visit, NULL) != REPLICA_OK) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0, "sluice: algorithms cannot be read");
    }
}

bool sluice_algorithm_allowed(enum crypto_alg alg, uint64_t now_ms)
{
    if (sluice_set_changed(&now.set, REPLICA_ALGORITHMS)) {
        compile();
    }
    return now.set.read && crypto_policy_allows(&now.policy, alg, (int64_t)now_ms);
}
