/* SPDX-License-Identifier: Apache-2.0 */
#include "node/cache_dir.h"

#include <errno.h>
#include <ftw.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/codec.h"
#include "crypto/crypto.h"

#define SHM     "/dev/shm"
#define MIB     (1024u * 1024)
#define MIB_MIN 4
#define MIB_MAX 256
#define SHARE   8 /* of the file system: others live there too */

static void path_of(const char *data_dir, char path[static NODE_CACHE_PATH_MAX])
{
    uint8_t hash[CRYPTO_HASH_LEN];
    char text[CODEC_HEX_LEN(8) + 1] = "";
    crypto_hash(CRYPTO_SM3, data_dir, strlen(data_dir), hash);
    codec_hex(text, hash, 8);
    snprintf(path, NODE_CACHE_PATH_MAX, SHM "/sluice-%u-%s", (unsigned)geteuid(), text);
}

/* Whoever may write in /dev/shm may have made it first, to read what will lie there. */
static bool is_ours(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
           (st.st_mode & 077) == 0;
}

/* Before the node's first start a check makes nothing. */
static bool has_started(const char *data_dir)
{
    char gateway[600];
    int n = snprintf(gateway, sizeof gateway, "%s/gateway", data_dir);
    return n > 0 && (size_t)n < sizeof gateway && access(gateway, F_OK) == 0;
}

bool node_cache_dir(const char *data_dir, char path[static NODE_CACHE_PATH_MAX], unsigned *mib)
{
    struct statfs fs;
    if (!has_started(data_dir) || statfs(SHM, &fs) != 0 || fs.f_type != TMPFS_MAGIC) {
        return false;
    }
    uint64_t share = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize / SHARE / MIB;
    *mib = share > MIB_MAX ? MIB_MAX : (unsigned)share;
    path_of(data_dir, path);
    return *mib >= MIB_MIN && (mkdir(path, 0700) == 0 || errno == EEXIST) && is_ours(path);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    (void)remove(path);
    return 0;
}

void node_cache_remove(const char *data_dir)
{
    char path[NODE_CACHE_PATH_MAX];
    path_of(data_dir, path);
    if (is_ours(path)) {
        nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    }
}
