/* SPDX-License-Identifier: Apache-2.0 */
/* Through which software kit a call came (BK-5d2). The header counts of a signed call alone, and
 * only if the signature covers it (caller/authenticate.c); its release is looked up among those the
 * platform has registered (feed kind `sdk-release`), which each worker holds whole, sorted by name
 * and version. What follows from it is decide()'s to say. */
#include "sluice.h"

#include <stdlib.h>

#include "sdk/sdk.h"

static struct {
    sluice_set_t set;
    struct sdk_release *list;
    size_t n, cap;
} now;

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct sdk_release *)a)->text, ((const struct sdk_release *)b)->text);
}

static bool room(void)
{
    size_t cap = now.cap ? 2 * now.cap : 16;
    struct sdk_release *more =
        now.n < now.cap ? now.list : reallocarray(now.list, cap, sizeof *more);
    if (!more) {
        return false;
    }
    now.cap = now.n < now.cap ? now.cap : cap;
    now.list = more;
    return true;
}

static bool visit(void *ctx, const struct uuid *id, uint64_t rev, struct slice json)
{
    json_t *row = json_loadb(json.p, json.n, 0, NULL);
    (void)ctx;
    (void)id;
    if (row && room() && sdk_release_read(&now.list[now.n], row)) {
        now.n++;
    } else { /* a release that is not known is refused */
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "sluice: sdk release %uL is passed over",
                      rev);
    }
    json_decref(row);
    return true;
}

static void compile(void)
{
    struct replica_reader *reader = sluice_reader();
    now.n = 0;
    if (reader && replica_set_each(reader, REPLICA_SDK_RELEASES, visit, NULL) != REPLICA_OK) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0, "sluice: sdk releases cannot be read");
    }
    if (now.n > 1) {
        qsort(now.list, now.n, sizeof *now.list, by_text);
    }
}

void sluice_sdk_clear(void)
{
    free(now.list);
    ngx_memzero(&now, sizeof now);
}

static const struct sdk_release *find(const struct sdk_claim *claim)
{
    struct sdk_release key = {.text = ""};
    if (sluice_set_changed(&now.set, REPLICA_SDK_RELEASES)) {
        compile();
    }
    if (!now.set.read || now.n == 0 || claim->text.n >= sizeof key.text) {
        return NULL;
    }
    memcpy(key.text, claim->text.p, claim->text.n);
    return bsearch(&key, now.list, now.n, sizeof *now.list, by_text);
}

ngx_int_t sluice_sdk(sluice_ctx_t *ctx)
{
    struct sdk_claim claim;
    if (ctx->inner) {
        ctx->sdk = ctx->inner->sdk; /* of the whole call this is a part of */
    }
    if (!ctx->sdk_header.p || ctx->inner) {
        return NGX_OK;
    }
    enum sdk_err err = sdk_parse(&claim, ctx->sdk_header);
    if (err != SDK_OK) {
        return sluice_refuse(ctx, PROBLEM_REQUEST_MALFORMED, slice_str(sdk_strerror(err)),
                             SLICE("sluice-sdk"));
    }
    const struct sdk_release *release = find(&claim);
    ctx->sdk_text = claim.text;
    ctx->sdk = sdk_standing(release, claim.sm3, ctx->began_us / 1000);
    ctx->sdk_refused_from_ms =
        release && ctx->sdk != POLICY_SDK_UNKNOWN ? release->refused_from_ms : 0;
    return NGX_OK;
}

ngx_int_t sluice_sdk_refuse(sluice_ctx_t *ctx)
{
    bool unknown = ctx->sdk == POLICY_SDK_UNKNOWN;
    return sluice_refuse(ctx, PROBLEM_SDK_REFUSED,
                         unknown
                             ? SLICE("no release of this name, version and digest is registered")
                             : SLICE("the release was withdrawn, or its deadline is over"),
                         SLICE("sluice-sdk"));
}

/* An item of RFC 9651 with a date: `outdated;refused-from=@1798761600`. */
ngx_int_t sluice_sdk_headers(ngx_http_request_t *r, const sluice_ctx_t *ctx)
{
    static const char until[] = ";refused-from=@";
    bool refused = ctx->sdk == POLICY_SDK_REFUSED, outdated = ctx->sdk == POLICY_SDK_OUTDATED;
    if (!ctx->authenticated || ctx->inner || (!refused && !outdated)) {
        return NGX_OK;
    }
    u_char *p = ngx_pnalloc(r->pool, sizeof "outdated" + sizeof until + NGX_INT64_LEN);
    if (!p) {
        return NGX_ERROR;
    }
    u_char *end = ngx_sprintf(p, "%s", refused ? "refused" : "outdated");
    if (ctx->sdk_refused_from_ms) {
        end = ngx_sprintf(end, "%s%uL", until, ctx->sdk_refused_from_ms / 1000);
    }
    return sluice_add_header(r, "Sluice-Sdk-Notice", slice_of((char *)p, (size_t)(end - p)));
}
