/* SPDX-License-Identifier: Apache-2.0 */
/* A line of the index: offset, bytes, rows, bytes before compression, SM3 in hex, and where the
 * chunk ended, sealed (it holds values of the source) in base64url or "-". */
#include "data/batch/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/codec.h"

#define GZIP_LEVEL  1 /* what is read once is worth no more: level 6 takes three times as long */
#define ZSTD_LEVEL  1
#define LINE_MAX_   (PACK_KEY_MAX * 2 + 256)
#define REHASH_STEP 65536
#define AAD         SLICE("batch.at")

struct pack {
    int data, index;
    enum pack_method method;
    uint8_t key[CRYPTO_KEY_LEN];
    struct pack_total total;
    uint64_t index_bytes;
    struct crypto_hasher whole;
    ZSTD_CCtx *zstd;
    struct buf packed, line;
};

static const char *const methods[PACK_METHODS] = {"none", "gzip", "zstd"};

const char *pack_method_name(enum pack_method method)
{
    return methods[method];
}

enum pack_method pack_method_by_name(struct slice name)
{
    enum pack_method m = PACK_NONE;
    while (m < PACK_METHODS && !slice_eq(name, slice_str(methods[m])))
        m++;
    return m;
}

static enum pack_err by_errno(void)
{
    return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? PACK_EFULL : PACK_EIO;
}

/* The index -------------------------------------------------------------------------------------
 */

static bool read_line(struct slice line, struct pack_chunk *chunk, struct slice *sealed)
{
    char text[256];
    int at = 0;
    size_t n = line.n < sizeof text - 1 ? line.n : sizeof text - 1, got;
    memcpy(text, line.p, n);
    text[n] = '\0';
    if (sscanf(text, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %n", &chunk->offset,
               &chunk->bytes, &chunk->rows, &chunk->plain_bytes, &at) != 4 ||
        at == 0 || (size_t)at + 2 * CRYPTO_HASH_LEN + 2 > line.n ||
        !codec_unhex(chunk->sm3, sizeof chunk->sm3, &got, line.p + at, 2 * CRYPTO_HASH_LEN))
        return false;
    *sealed = slice_of(line.p + at + 2 * CRYPTO_HASH_LEN + 1,
                       line.n - (size_t)at - 2 * CRYPTO_HASH_LEN - 1);
    return true;
}

/* Lines that are whole and follow on each other; a torn last one is no line. */
static enum pack_err each_line(FILE *file, bool (*visit)(const struct pack_chunk *, void *),
                               void *ctx, struct pack_total *total, uint64_t *bytes,
                               struct buf *last)
{
    static const struct pack_total none;
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    *total = none;
    *bytes = 0;
    while ((n = getline(&line, &cap, file)) > 0 && line[n - 1] == '\n') {
        struct pack_chunk chunk;
        struct slice sealed;
        if (!read_line(slice_of(line, (size_t)n - 1), &chunk, &sealed) ||
            chunk.offset != total->bytes || (visit && !visit(&chunk, ctx)))
            break;
        total->chunks++;
        total->bytes += chunk.bytes;
        total->rows += chunk.rows;
        total->plain_bytes += chunk.plain_bytes;
        *bytes += (uint64_t)n;
        if (last) {
            buf_clear(last);
            buf_add(last, sealed.p, sealed.n);
        }
    }
    free(line);
    return ferror(file) ? PACK_EIO : PACK_OK;
}

enum pack_err pack_each(const char *dir, bool (*visit)(const struct pack_chunk *chunk, void *ctx),
                        void *ctx)
{
    char path[4096];
    struct pack_total total;
    uint64_t bytes;
    snprintf(path, sizeof path, "%s/index", dir);
    FILE *file = fopen(path, "re");
    if (!file)
        return PACK_EIO;
    enum pack_err err = each_line(file, visit, ctx, &total, &bytes, NULL);
    fclose(file);
    return err;
}

/* Going on ------------------------------------------------------------------------------------- */

static bool unseal(struct pack *p, struct slice sealed, struct buf *at)
{
    size_t n = 0;
    buf_clear(at);
    if (slice_eq(sealed, SLICE("-")))
        return true;
    uint8_t *bytes = malloc(sealed.n + 1);
    bool ok = bytes && codec_unbase64url(bytes, sealed.n, &n, sealed.p, sealed.n) &&
              n > CRYPTO_SEAL_EXTRA && buf_reserve(at, n) &&
              crypto_open(p->key, AAD, bytes, n, (uint8_t *)at->p) == CRYPTO_OK;
    at->n = ok ? n - CRYPTO_SEAL_EXTRA : 0;
    free(bytes);
    return ok;
}

static bool rehash(struct pack *p)
{
    char bytes[REHASH_STEP];
    for (uint64_t at = 0; at < p->total.bytes;) {
        uint64_t left = p->total.bytes - at;
        ssize_t n =
            pread(p->data, bytes, left < sizeof bytes ? (size_t)left : sizeof bytes, (off_t)at);
        if (n <= 0)
            return false;
        crypto_hasher_add(&p->whole, bytes, (size_t)n);
        at += (uint64_t)n;
    }
    return true;
}

/* Cuts both files back to what counts. */
static enum pack_err recover(struct pack *p, const char *dir, struct buf *at)
{
    char path[4096];
    struct stat st;
    struct buf last;
    buf_init(&last);
    snprintf(path, sizeof path, "%s/index", dir);
    FILE *file = fopen(path, "re");
    enum pack_err err =
        file ? each_line(file, NULL, NULL, &p->total, &p->index_bytes, &last) : PACK_EIO;
    if (file)
        fclose(file);
    if (!err && (fstat(p->data, &st) != 0 || (uint64_t)st.st_size < p->total.bytes ||
                 ftruncate(p->data, (off_t)p->total.bytes) != 0 ||
                 ftruncate(p->index, (off_t)p->index_bytes) != 0 || !rehash(p)))
        err = PACK_EIO;
    if (!err && last.n && !unseal(p, buf_slice(&last), at))
        err = PACK_EIO;
    buf_fini(&last);
    return err;
}

static int open_file(const char *dir, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

enum pack_err pack_open(struct pack **slot, const char *dir, enum pack_method method,
                        const uint8_t *key, struct buf *at)
{
    struct pack *p = calloc(1, sizeof *p);
    if (!p)
        return PACK_EMEMORY;
    p->method = method;
    memcpy(p->key, key, sizeof p->key);
    buf_init(&p->packed);
    buf_init(&p->line);
    crypto_hasher_init(&p->whole, CRYPTO_SM3);
    buf_clear(at);
    p->data = open_file(dir, "data");
    p->index = open_file(dir, "index");
    enum pack_err err = p->data < 0 || p->index < 0 ? by_errno() : recover(p, dir, at);
    if (method == PACK_ZSTD && !err && !(p->zstd = ZSTD_createCCtx()))
        err = PACK_EMEMORY;
    if (err)
        pack_close(&p);
    *slot = p;
    return err;
}

void pack_close(struct pack **slot)
{
    struct pack *p = *slot;
    if (!p)
        return;
    if (p->data >= 0)
        close(p->data);
    if (p->index >= 0)
        close(p->index);
    crypto_hasher_fini(&p->whole);
    ZSTD_freeCCtx(p->zstd);
    buf_fini(&p->packed);
    buf_wipe(&p->line);
    crypto_wipe(p->key, sizeof p->key);
    free(p);
    *slot = NULL;
}

/* Adding --------------------------------------------------------------------------------------- */

static bool deflate_all(struct slice plain, struct buf *out)
{
    z_stream z = {0};
    if (deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    uLong most = deflateBound(&z, plain.n);
    bool ok = buf_reserve(out, most);
    if (ok) {
        z.next_in = (Bytef *)(uintptr_t)plain.p;
        z.avail_in = (uInt)plain.n;
        z.next_out = (Bytef *)out->p;
        z.avail_out = (uInt)most;
        ok = deflate(&z, Z_FINISH) == Z_STREAM_END;
        out->n = z.total_out;
    }
    deflateEnd(&z);
    return ok;
}

static bool zstd_all(struct pack *p, struct slice plain)
{
    size_t most = ZSTD_compressBound(plain.n);
    if (!buf_reserve(&p->packed, most))
        return false;
    ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_checksumFlag, 1);
    ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
    size_t n = ZSTD_compress2(p->zstd, p->packed.p, p->packed.cap, plain.p, plain.n);
    if (ZSTD_isError(n))
        return false;
    p->packed.n = n;
    return true;
}

static bool compress_chunk(struct pack *p, struct slice plain, struct slice *out)
{
    buf_clear(&p->packed);
    bool ok = p->method == PACK_NONE   ? true
              : p->method == PACK_GZIP ? deflate_all(plain, &p->packed)
                                       : zstd_all(p, plain);
    *out = p->method == PACK_NONE ? plain : buf_slice(&p->packed);
    return ok;
}

static bool write_at(int fd, struct slice bytes, uint64_t at)
{
    while (bytes.n) {
        ssize_t n = pwrite(fd, bytes.p, bytes.n, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes = slice_of(bytes.p + n, bytes.n - (size_t)n);
        at += (uint64_t)n;
    }
    return fdatasync(fd) == 0;
}

static bool make_line(struct pack *p, const struct pack_chunk *c, struct slice at)
{
    char hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN)];
    buf_clear(&p->line);
    codec_hex(hex, c->sm3, sizeof c->sm3);
    buf_addf(&p->line, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %.*s ", c->offset, c->bytes,
             c->rows, c->plain_bytes, (int)sizeof hex, hex);
    if (at.n == 0) {
        buf_adds(&p->line, "-\n");
        return !p->line.failed;
    }
    size_t n = at.n + CRYPTO_SEAL_EXTRA;
    uint8_t *sealed = malloc(n);
    if (!sealed || !buf_reserve(&p->line, CODEC_BASE64URL_LEN(n) + 1)) {
        free(sealed);
        return false;
    }
    crypto_seal(p->key, AAD, at.p, at.n, sealed);
    p->line.n += codec_base64url(p->line.p + p->line.n, sealed, n);
    free(sealed);
    buf_addc(&p->line, '\n');
    return !p->line.failed;
}

/* First the bytes, then the line that makes them count. */
enum pack_err pack_add(struct pack *p, struct slice plain, uint64_t rows, struct slice at)
{
    struct pack_chunk chunk = {.offset = p->total.bytes, .rows = rows, .plain_bytes = plain.n};
    struct slice bytes;
    if (at.n > PACK_KEY_MAX || !compress_chunk(p, plain, &bytes))
        return PACK_EMEMORY;
    chunk.bytes = bytes.n;
    crypto_hash(CRYPTO_SM3, bytes.p, bytes.n, chunk.sm3);
    if (!make_line(p, &chunk, at))
        return PACK_EMEMORY;
    if (!write_at(p->data, bytes, chunk.offset) ||
        !write_at(p->index, buf_slice(&p->line), p->index_bytes)) {
        enum pack_err err = by_errno();
        bool cut = ftruncate(p->index, (off_t)p->index_bytes) == 0 &&
                   ftruncate(p->data, (off_t)p->total.bytes) == 0;
        return cut ? err : PACK_EIO;
    }
    crypto_hasher_add(&p->whole, bytes.p, bytes.n);
    p->index_bytes += p->line.n;
    p->total.chunks++;
    p->total.bytes += bytes.n;
    p->total.rows += rows;
    p->total.plain_bytes += plain.n;
    return PACK_OK;
}

struct pack_total pack_total(const struct pack *p)
{
    return p->total;
}

void pack_digest(struct pack *p, uint8_t sm3[static CRYPTO_HASH_LEN])
{
    crypto_hasher_end(&p->whole, sm3);
}
