/* SPDX-License-Identifier: Apache-2.0 */
/* Tells the control plane which package a call says it comes from (BK-12.2d): what an app was given
 * may be used by its own packages alone, and another one is a sign that it was passed on. Told at
 * most once a minute of each app and package; the audit log has every call. */
#include "sluice.h"

#include <xxhash.h>

#define PLACES      1024 /* a power of two; two that share a place are told more often */
#define AGAIN_MS    60000
#define PER_SECOND  20
#define PACKAGE_MAX 200

static struct {
    uint64_t key[PLACES], told_ms[PLACES], second;
    unsigned told;
} named;

/* The id, and perhaps ";" and the digest of what it is signed by. */
static bool plain(struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        u_char c = (u_char)text.p[i];
        bool ok = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '.' ||
                  c == '_' || c == '-' || c == ';';
        if (!ok) {
            return false;
        }
    }
    return text.n > 0 && text.n <= PACKAGE_MAX;
}

static bool was_told(uint64_t key, uint64_t now_ms)
{
    size_t at = key % PLACES;

    if (named.key[at] == key && now_ms < named.told_ms[at] + AGAIN_MS) {
        return true;
    }
    if (named.second != now_ms / 1000) {
        named.second = now_ms / 1000;
        named.told = 0;
    }
    if (named.told++ >= PER_SECOND) {
        return true;
    }
    named.key[at] = key;
    named.told_ms[at] = now_ms;
    return false;
}

void sluice_package_named(ngx_http_request_t *r, const sluice_ctx_t *ctx)
{
    struct slice text = ctx->package_header;

    if (!ctx->authenticated || !ctx->api || !ctx->caller || ctx->signature.n == 0 || !plain(text)) {
        return; /* what no signature covers says nothing */
    }
    const struct uuid *app = &ctx->caller->credential.app;
    uint64_t key = XXH3_64bits_withSeed(text.p, text.n, XXH3_64bits(app->b, UUID_LEN));
    if (!was_told(key, ctx->began_us / 1000)) {
        sluice_event(&(struct sluice_event){.kind = "package-named",
                                            .api = &ctx->api->record.policy.id,
                                            .app = app,
                                            .address = sluice_slice(r->connection->addr_text),
                                            .target = text});
    }
}
