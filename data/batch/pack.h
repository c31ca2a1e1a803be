/* SPDX-License-Identifier: Apache-2.0 */
/* The file of an export as it grows: chunks, each compressed by itself (so the file is one gzip or
 * zstd stream of several members) and known by its SM3. A chunk counts once its line is in the
 * index and both are on the disk: after a kill the file is cut back to the last that counts and
 * goes on from there. One thread at a time. */
#pragma once
#include "base/buf.h"
#include "crypto/crypto.h"

#define PACK_CHUNK_BYTES (4u << 20) /* of rows before compression; a row may pass it */
#define PACK_KEY_MAX     16384      /* bytes of where the next chunk begins */

enum pack_method { PACK_NONE, PACK_GZIP, PACK_ZSTD, PACK_METHODS };
const char *pack_method_name(enum pack_method method);
/* PACK_METHODS when there is none of the name. */
enum pack_method pack_method_by_name(struct slice name);

enum pack_err { PACK_OK, PACK_EFULL /* of the disk */, PACK_EIO, PACK_EMEMORY };

struct pack_chunk {
    uint64_t offset, bytes, rows, plain_bytes;
    uint8_t sm3[CRYPTO_HASH_LEN];
};

struct pack_total {
    uint64_t chunks, bytes, rows, plain_bytes;
};

struct pack;
/* dir holds `data` and `index`. key: of 32 bytes, seals where a chunk ended; *at is where the last
 * that counts did, "" at the beginning, in a buf of the caller's. */
enum pack_err pack_open(struct pack **pack, const char *dir, enum pack_method method,
                        const uint8_t *key, struct buf *at) __attribute__((warn_unused_result));
void pack_close(struct pack **pack);
/* Adds rows as a chunk that ends at `at`, a place only the caller understands; on error the file is
 * as it was. */
enum pack_err pack_add(struct pack *pack, struct slice plain, uint64_t rows, struct slice at)
    __attribute__((warn_unused_result));
struct pack_total pack_total(const struct pack *pack);
/* The SM3 of the whole file. */
void pack_digest(struct pack *pack, uint8_t sm3[static CRYPTO_HASH_LEN]);

/* Each chunk of a file that is done, in order; false from visit stops. */
enum pack_err pack_each(const char *dir, bool (*visit)(const struct pack_chunk *chunk, void *ctx),
                        void *ctx) __attribute__((warn_unused_result));
