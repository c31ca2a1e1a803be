/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody uses an app's id who cannot prove to be it: told to the operators, but a flood of such
 * calls is one event a minute and worker, with how many there were (BK-10.1.2a2-2). */
#include "sluice.h"

#include <xxhash.h>

#define SLOTS     256
#define SILENT_MS 60000
#define EVENTS_A_MINUTE                                                                            \
    60 /* of one worker, whatever the apps: ids are no secret, so one caller may use many */

static struct slot {
    struct uuid app;
    const char *reason;
    ngx_msec_t told_msec;
    uint64_t since; /* calls since it was told */
} slots[SLOTS];

static struct {
    ngx_msec_t began_msec;
    unsigned told;
} minute;

static bool budget(void)
{
    if (minute.told == 0 || ngx_current_msec - minute.began_msec >= SILENT_MS) {
        minute.began_msec = ngx_current_msec;
        minute.told = 0;
    }
    return minute.told++ < EVENTS_A_MINUTE;
}

static bool same(const struct slot *slot, const struct uuid *app, const char *reason)
{
    return slot->reason == reason && uuid_eq(&slot->app, app);
}

void sluice_impersonation(ngx_http_request_t *r, const sluice_ctx_t *ctx, const char *reason)
{
    const struct uuid *app = &ctx->caller->credential.app;
    struct slot *slot = &slots[XXH3_64bits_withSeed(app->b, UUID_LEN, (uintptr_t)reason) % SLOTS];
    bool known = same(slot, app, reason);
    if (known && ngx_current_msec - slot->told_msec < SILENT_MS) {
        slot->since++;
        return;
    }
    if (!budget()) {
        return;
    }
    struct sluice_event event = {.kind = "impersonation",
                                 .api = &ctx->api->record.policy.id,
                                 .app = app,
                                 .credential = &ctx->caller->credential.id,
                                 .owner = SLICE(""),
                                 .address = sluice_slice(r->connection->addr_text),
                                 .target = SLICE(""),
                                 .reason = slice_str(reason),
                                 .count = known ? slot->since + 1 : 1};
    *slot = (struct slot){.app = *app, .reason = reason, .told_msec = ngx_current_msec};
    sluice_event(&event);
}
