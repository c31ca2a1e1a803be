/* SPDX-License-Identifier: Apache-2.0 */
/* First the manifest, then each chunk as it lies in the file: what comes out at the other end is
 * the file itself, which the manifest's SM3 proves. */
#include "package/package.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "data/batch/batch.h"

struct packing {
    struct package_writer w;
    const struct jwe_key *to;
    int data;
    struct slice type;
    struct buf chunk;
    bool failed;
};

static bool add_chunk(const struct pack_chunk *chunk, void *ctx)
{
    struct packing *k = ctx;
    buf_clear(&k->chunk);
    if (!buf_reserve(&k->chunk, chunk->bytes + 1) ||
        pread(k->data, k->chunk.p, chunk->bytes, (off_t)chunk->offset) != (ssize_t)chunk->bytes) {
        k->failed = true;
        return false;
    }
    k->chunk.n = chunk->bytes;
    package_add(&k->w, k->to, k->type, buf_slice(&k->chunk));
    return k->w.err == PACKAGE_OK;
}

static struct slice type_of(const struct job *job)
{
    return job->method == PACK_GZIP   ? SLICE("application/gzip")
           : job->method == PACK_ZSTD ? SLICE("application/zstd")
                                      : slice_str(format_media_type((enum format)job->format));
}

static enum problem write_all(struct batch *b, const struct job *job, struct packing *k, FILE *out)
{
    char dir[JOB_DIR_MAX], path[JOB_DIR_MAX + 8];
    struct buf manifest;
    buf_init(&manifest);
    job_dir(b->root, &job->id, dir);
    snprintf(path, sizeof path, "%s/data", dir);
    k->data = open(path, O_RDONLY | O_CLOEXEC);
    package_begin(&k->w, out);
    k->failed = k->data < 0 || !manifest_write(b, job, &manifest);
    if (!k->failed)
        package_add(&k->w, k->to, SLICE(PACKAGE_JSON), buf_slice(&manifest));
    if (!k->failed && pack_each(dir, add_chunk, k) != PACK_OK)
        k->failed = true;
    enum package_err err = package_end(&k->w, b->signer, crypto_key_id(b->signer));
    int why = errno;
    if (k->data >= 0)
        close(k->data);
    buf_fini(&manifest);
    return k->failed            ? PROBLEM_INTERNAL
           : err == PACKAGE_EIO ? batch_problem(why)
           : err                ? PROBLEM_INTERNAL
                                : PROBLEM_OK;
}

static bool digest(FILE *f, uint64_t *bytes, uint8_t sm3[static CRYPTO_HASH_LEN])
{
    char piece[65536];
    struct crypto_hasher hasher;
    size_t n;
    rewind(f);
    *bytes = 0;
    crypto_hasher_init(&hasher, CRYPTO_SM3);
    while ((n = fread(piece, 1, sizeof piece, f)) > 0) {
        crypto_hasher_add(&hasher, piece, n);
        *bytes += n;
    }
    crypto_hasher_end(&hasher, sm3);
    crypto_hasher_fini(&hasher);
    return !ferror(f);
}

enum problem batch_package(struct batch *b, const struct job *job, const struct jwe_key *to,
                           uint64_t *bytes, uint8_t sm3[static CRYPTO_HASH_LEN])
{
    char dir[JOB_DIR_MAX], path[JOB_DIR_MAX + 16], fresh[JOB_DIR_MAX + 20];
    struct packing k = {.to = to, .type = type_of(job)};
    if (job->total.bytes > BATCH_PACKAGE_MAX)
        return PROBLEM_FILE_TOO_LARGE;
    job_dir(b->root, &job->id, dir);
    snprintf(path, sizeof path, "%s/package", dir);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    buf_init(&k.chunk);
    int fd = open(fresh, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *out = fd >= 0 ? fdopen(fd, "w+") : NULL;
    enum problem p = out ? write_all(b, job, &k, out) : batch_problem(errno);
    if (!p && (fsync(fd) != 0 || !digest(out, bytes, sm3)))
        p = batch_problem(errno);
    if (out)
        fclose(out);
    else if (fd >= 0)
        close(fd);
    if (!p && rename(fresh, path) != 0)
        p = batch_problem(errno);
    if (p)
        unlink(fresh);
    buf_fini(&k.chunk);
    return p;
}
