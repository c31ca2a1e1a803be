/* SPDX-License-Identifier: Apache-2.0 */
/* Where nginx keeps answers of upstreams: a folder on a memory file system, of this data directory
 * and this user alone (mode 0700), for what lies there is not masked yet. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define NODE_CACHE_PATH_MAX 64

/* Makes the folder. mib: how much it may hold. False: there is no memory file system, it is too
 * small, or the folder is somebody else's: then answers are not kept. */
bool node_cache_dir(const char *data_dir, char path[static NODE_CACHE_PATH_MAX], unsigned *mib)
    __attribute__((warn_unused_result));
/* Once nginx has ended. */
void node_cache_remove(const char *data_dir);
