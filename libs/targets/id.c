/* SPDX-License-Identifier: Apache-2.0 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "targets/targets.h"

uint64_t targets_id(const uint8_t api[static 16], struct slice host, struct slice path)
{
    XXH128_hash_t parts[2] = {XXH3_128bits(host.p, host.n), XXH3_128bits(path.p, path.n)};
    uint8_t all[16 + sizeof parts];
    memcpy(all, api, 16);
    memcpy(all + 16, parts, sizeof parts);
    uint64_t id = XXH3_64bits(all, sizeof all);
    return id != 0 ? id : 1;
}
