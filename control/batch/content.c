/* SPDX-License-Identifier: Apache-2.0 */
/* An upload whose bytes are all there: is it what it says it is, what does it unpack to, and does
 * it tell of people where it was not meant to. It is read in pieces, however large it is. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/api.h"
#include "base/codec.h"
#include "base/utf8.h"
#include "batch/content.h"

#define STEP 65536 /* bytes read at once */

bool content_each(const char *path, bool (*each)(void *ctx, struct slice piece), void *ctx)
{
    char *bytes = malloc(STEP);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;
    bool more = true;

    while (bytes && fd >= 0 && more && (n = read(fd, bytes, STEP)) > 0) {
        more = each(ctx, slice_of(bytes, (size_t)n));
    }
    if (fd >= 0) {
        close(fd);
    }
    free(bytes);
    return n >= 0 && more;
}

/* gzip ------------------------------------------------------------------------------------------
 */
bool content_gzip_begin(struct content_gzip *g)
{
    g->inflating = true;
    return inflateInit2(&g->z, 15 + 16) == Z_OK;
}

void content_gzip_end(struct content_gzip *g)
{
    inflateEnd(&g->z);
}

void content_gzip_add(struct content_gzip *g, struct slice piece)
{
    static _Thread_local unsigned char out[STEP];

    g->packed += piece.n;
    g->z.next_in = (Bytef *)(uintptr_t)piece.p;
    g->z.avail_in = (uInt)piece.n;
    while (g->z.avail_in && !g->bad && !g->bomb) {
        g->z.next_out = out;
        g->z.avail_out = sizeof out;
        int r = inflate(&g->z, Z_NO_FLUSH);
        size_t n = sizeof out - g->z.avail_out;
        g->plain += n;
        g->inflating = r != Z_STREAM_END;
        g->bad = r != Z_OK && r != Z_STREAM_END;
        g->bomb = g->plain > CONTENT_PLAIN_MAX ||
                  (g->plain > (1u << 20) && g->plain / CONTENT_RATIO_MAX > g->packed);
        if (g->each && n > 0 && !g->bad && !g->bomb) {
            g->each(g->ctx, slice_of((const char *)out, n));
        }
        if (r == Z_STREAM_END && g->z.avail_in) {
            inflateReset(&g->z); /* the next member */
            g->inflating = true;
        }
    }
}

/* What it is ------------------------------------------------------------------------------------
 */
struct content {
    struct crypto_hasher hasher;
    struct content_gzip packed;
    bool gzip, any, bad;
    bool packed_any, binary; /* of anything: gzip by its first bytes; no text */
    uint64_t bytes;
    char tail[4]; /* a character that the next piece goes on with */
    size_t tail_n;
};

/* Text is UTF-8 without control signs but those of lines. */
static void look_text(struct content *look, struct slice piece)
{
    char joined[8];
    size_t n;

    while (look->tail_n && piece.n && !look->bad) {
        memcpy(joined, look->tail, look->tail_n);
        joined[look->tail_n++] = piece.p[0];
        piece = slice_of(piece.p + 1, piece.n - 1);
        memcpy(look->tail, joined, look->tail_n);
        if (utf8_char(slice_of(joined, look->tail_n))) {
            look->tail_n = 0;
        }
        look->bad = look->tail_n == sizeof look->tail;
    }
    for (size_t i = 0; i < piece.n && !look->bad; i += n) {
        unsigned char b = (unsigned char)piece.p[i];
        n = utf8_char(slice_of(piece.p + i, piece.n - i));
        if (n == 0 && piece.n - i < 4) {
            look->tail_n = piece.n - i;
            memcpy(look->tail, piece.p + i, look->tail_n);
            return;
        }
        look->bad = n == 0 || b == 0x7f || (b < 0x20 && b != '\n' && b != '\r' && b != '\t');
    }
}

/* Anything may be text of another encoding; control signs are in no text. */
static void look_anything(struct content *look, struct slice piece)
{
    if (look->bytes == 0) {
        look->packed_any = piece.n > 2 && memcmp(piece.p, "\x1f\x8b\x08", 3) == 0;
        look->binary = piece.n > 4 && memcmp(piece.p, "%PDF", 4) == 0;
    }
    for (size_t i = 0; i < piece.n && !look->binary; i++) {
        unsigned char b = (unsigned char)piece.p[i];
        look->binary = b == 0x7f || (b < 0x20 && b != '\n' && b != '\r' && b != '\t' && b != '\f');
    }
}

static bool look_piece(void *ctx, struct slice piece)
{
    struct content *look = ctx;

    crypto_hasher_add(&look->hasher, piece.p, piece.n);
    if (look->gzip) {
        content_gzip_add(&look->packed, piece);
    } else if (look->any) {
        look_anything(look, piece);
    } else {
        look_text(look, piece);
    }
    look->bytes += piece.n;
    return !look->bad && !look->packed.bad && !look->packed.bomb;
}

static enum problem look_through(struct content *look, const char *path, char hex[static 65])
{
    uint8_t sm3[CRYPTO_HASH_LEN];

    if (look->gzip && !content_gzip_begin(&look->packed)) {
        return PROBLEM_INTERNAL;
    }
    crypto_hasher_init(&look->hasher, CRYPTO_SM3);
    bool read = content_each(path, look_piece, look);
    crypto_hasher_end(&look->hasher, sm3);
    crypto_hasher_fini(&look->hasher);
    hex[codec_hex(hex, sm3, sizeof sm3)] = '\0';
    if (look->gzip) {
        content_gzip_end(&look->packed);
    }
    if (look->packed.bomb) {
        return PROBLEM_FILE_TOO_LARGE;
    }
    if (look->bad || look->packed.bad || look->tail_n != 0 ||
        (read && look->gzip && look->packed.inflating)) {
        return PROBLEM_FILE_TYPE_MISMATCH;
    }
    return read ? PROBLEM_OK : PROBLEM_INTERNAL;
}

/* Whom it tells of ------------------------------------------------------------------------------
 */
static bool add_plain(void *ctx, struct slice piece)
{
    content_personal_add(ctx, piece);
    return true;
}

static bool add_packed(void *ctx, struct slice piece)
{
    struct content_gzip *g = ctx;

    content_gzip_add(g, piece);
    return !g->bad && !g->bomb;
}

/* What is packed ends where it cannot be unpacked further: who takes the file will say so. */
static bool read_packed(struct content_personal *look, const char *path)
{
    struct content_gzip g = {.each = content_personal_add, .ctx = look};

    if (!content_gzip_begin(&g)) {
        return false;
    }
    (void)content_each(path, add_packed, &g);
    content_gzip_end(&g);
    return true;
}

static enum problem look_for_people(struct rest_call *c, json_t *row, const char *path,
                                    const struct content *is, bool *covered)
{
    struct content_personal look;
    enum personal_guard guard;
    bool packed = is->gzip || is->packed_any;
    enum problem p = content_personal_policy(c, row, &guard);

    *covered = false;
    if (p != PROBLEM_OK || guard == PERSONAL_OFF || (is->binary && !packed)) {
        return p;
    }
    int fd = packed ? -1 : open(path, O_RDWR | O_CLOEXEC);
    bool read = content_personal_begin(&look, guard, fd) &&
                (packed ? read_packed(&look, path) : content_each(path, add_plain, &look));
    p = content_personal_end(c, &look, row, covered);
    if (fd >= 0) {
        close(fd);
    }
    return read ? p : PROBLEM_INTERNAL;
}

static enum problem look_into_package(struct rest_call *c, json_t *row, const char *path)
{
    struct content_personal look;
    enum personal_guard guard;
    bool covered;
    enum problem p = content_personal_policy(c, row, &guard), q;

    if (p != PROBLEM_OK || !content_personal_begin(&look, guard, -1)) {
        return p != PROBLEM_OK ? p : PROBLEM_INTERNAL;
    }
    p = package_judge(c, row, path, content_personal_add, &look);
    q = content_personal_end(c, &look, row, &covered);
    return p != PROBLEM_OK ? p : q;
}

enum problem upload_judge(struct rest_call *c, json_t *row)
{
    char path[UPLOAD_PATH_MAX], hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN) + 1];
    const char *type = row_text(row, "media_type");
    bool covered = false, sealed = strcmp(type, "application/jose") == 0;
    struct content look = {.gzip = strcmp(type, "application/gzip") == 0,
                           .any = strcmp(type, UPLOAD_ANYTHING) == 0},
                   again = {.any = true};

    upload_path(c->ctl, row_text(row, "id"), path);
    enum problem p = look_through(&look, path, hex);
    if (p == PROBLEM_OK) {
        p = sealed ? look_into_package(c, row, path)
                   : look_for_people(c, row, path, &look, &covered);
    }
    if (p == PROBLEM_OK && covered) {
        p = look_through(&again, path, hex);
    }
    json_object_set_new(row, "state", json_string(p == PROBLEM_OK ? "complete" : "refused"));
    if (p == PROBLEM_OK) {
        json_object_set_new(row, "content_sm3", json_string(hex));
    } else if (p != PROBLEM_INTERNAL) {
        json_object_set_new(row, "error", json_string(problem_row(p)->code));
        unlink(path);
    }
    return p;
}
