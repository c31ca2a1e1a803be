/* SPDX-License-Identifier: Apache-2.0 */
/* What an export consists of, so that whoever has it can prove it whole: each chunk and the file by
 * their SM3, the fields with level and mask, the revision of the API whose rules were applied, the
 * grant it rests on. Signed with the data service's SM2 key, whose public part is among the
 * platform's (`GET /api/v1/keys`). */
#include <stdlib.h>

#include "base/codec.h"
#include "data/batch/batch.h"
#include "jwt/jwt.h"

static json_t *hex(const uint8_t *sm3)
{
    char text[CODEC_HEX_LEN(CRYPTO_HASH_LEN)];
    return json_stringn(text, codec_hex(text, sm3, CRYPTO_HASH_LEN));
}

static bool add_chunk(const struct pack_chunk *chunk, void *ctx)
{
    json_t *one = json_pack("{s:I, s:I, s:I, s:I, s:o}", "offset", (json_int_t)chunk->offset,
                            "bytes", (json_int_t)chunk->bytes, "rows", (json_int_t)chunk->rows,
                            "plain_bytes", (json_int_t)chunk->plain_bytes, "sm3", hex(chunk->sm3));
    return json_array_append_new(ctx, one) == 0;
}

static json_t *id_or_null(const struct uuid *id)
{
    char text[UUID_TEXT_LEN + 1];
    uuid_format(id, text);
    return uuid_is_nil(id) ? json_null() : json_string(text);
}

static json_t *file(const struct job *job, json_t *chunks)
{
    static const char *const suffixes[PACK_METHODS] = {"", ".gz", ".zst"};
    char id[UUID_TEXT_LEN + 1];
    uuid_format(&job->id, id);
    return json_pack(
        "{s:o, s:I, s:I, s:I, s:o, s:o}", "name",
        json_sprintf("%s.%s%s", id, format_name((enum format)job->format), suffixes[job->method]),
        "bytes", (json_int_t)job->total.bytes, "plain_bytes", (json_int_t)job->total.plain_bytes,
        "rows", (json_int_t)job->total.rows, "sm3", hex(job->sm3), "chunks", chunks);
}

bool manifest_write(const struct batch *b, const struct job *job, struct buf *out)
{
    char dir[JOB_DIR_MAX];
    json_t *chunks = json_array(), *one = job_public(job, NULL);
    job_dir(b->root, &job->id, dir);
    bool ok = chunks && one && pack_each(dir, add_chunk, chunks) == PACK_OK &&
              json_array_size(chunks) == job->total.chunks;
    if (ok) {
        json_object_del(one, "progress");
        json_object_del(one, "error");
        json_object_del(one, "state");
        json_object_set_new(one, "api_id", id_or_null(&job->api));
        json_object_set_new(one, "api_revision", json_integer((json_int_t)job->api_rev));
        json_object_set_new(one, "app_id", id_or_null(&job->app));
        json_object_set_new(one, "grant_id", id_or_null(&job->grant));
        json_object_set_new(one, "sandbox", json_boolean(job->sandbox));
        json_object_set(one, "fields", job->fields);
        json_object_set_new(one, "rows", json_integer((json_int_t)job->total.rows));
        json_object_set_new(one, "files", json_pack("[o]", file(job, json_incref(chunks))));
    }
    char *text = ok ? json_dumps(one, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    if (text)
        buf_adds(out, text);
    free(text);
    json_decref(chunks);
    json_decref(one);
    return text && !out->failed;
}

bool manifest_sign(const struct batch *b, const struct job *job, struct buf *out)
{
    uint8_t sm3[CRYPTO_HASH_LEN];
    struct buf manifest;
    char id[UUID_TEXT_LEN + 1];
    buf_init(&manifest);
    uuid_format(&job->id, id);
    bool ok = manifest_write(b, job, &manifest);
    if (ok)
        crypto_hash(CRYPTO_SM3, manifest.p, manifest.n, sm3);
    buf_fini(&manifest);
    json_t *claims = ok ? json_pack("{s:s, s:o, s:I}", "export", id, "manifest_sm3", hex(sm3),
                                    "iat", (json_int_t)(job->finished_ms / 1000))
                        : NULL;
    char *text =
        claims ? jwt_write(b->signer, crypto_key_id(b->signer), "sluice-export+jwt", claims) : NULL;
    json_decref(claims);
    if (text)
        buf_adds(out, text);
    free(text);
    return text && !out->failed;
}
