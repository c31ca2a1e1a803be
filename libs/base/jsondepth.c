/* SPDX-License-Identifier: Apache-2.0 */
#include "base/jsondepth.h"

#include <stdint.h>

bool jsondepth_over(const json_t *v, unsigned most)
{
    json_t *item;
    const char *key;
    size_t i;
    if (!json_is_array(v) && !json_is_object(v))
        return false;
    if (most == 0)
        return true;
    json_array_foreach((json_t *)(uintptr_t)v, i, item)
    {
        if (jsondepth_over(item, most - 1))
            return true;
    }
    json_object_foreach((json_t *)(uintptr_t)v, key, item)
    {
        if (jsondepth_over(item, most - 1))
            return true;
    }
    return false;
}
