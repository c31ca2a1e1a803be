/* SPDX-License-Identifier: Apache-2.0 */
/* Tells the control plane when a grant was last used, for the page its owner looks at. A table of
 * fixed size remembers what was told; two grants that share a place are told more often, and what
 * is above the rate is told at its next use. The audit log has every call; this is a hint. */
#include "sluice.h"

#define PLACES     4096 /* a power of two */
#define AGAIN_MS   60000
#define PER_SECOND 50

static struct {
    struct uuid grant[PLACES];
    uint64_t told_ms[PLACES];
    uint64_t second;
    unsigned told;
} use;

void sluice_grant_used(const struct uuid *grant, uint64_t now_ms)
{
    /* The last bytes of a UUIDv7 are random. */
    size_t at = ((size_t)grant->b[14] << 8 | grant->b[15]) % PLACES;
    if (uuid_eq(&use.grant[at], grant) && now_ms < use.told_ms[at] + AGAIN_MS) {
        return;
    }
    if (use.second != now_ms / 1000) {
        use.second = now_ms / 1000;
        use.told = 0;
    }
    if (use.told++ >= PER_SECOND) {
        return;
    }
    use.grant[at] = *grant;
    use.told_ms[at] = now_ms;
    sluice_event(&(struct sluice_event){.kind = "grant-used", .grant = grant});
}
