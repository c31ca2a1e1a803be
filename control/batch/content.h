/* SPDX-License-Identifier: Apache-2.0 */
/* What an upload turns out to be, between the files that look at it. */
#pragma once
#include <zlib.h>

#include "batch/batch.h"
#include "personal/personal.h"

#define CONTENT_PLAIN_MAX (1ull << 30) /* bytes that a packed file may unpack to */
#define CONTENT_RATIO_MAX 200          /* times its size, once it is past a megabyte */

/* gzip, member after member, piece by piece; what comes out goes to each. */
struct content_gzip {
    z_stream z;
    uint64_t packed, plain;
    bool inflating, bad, bomb;
    package_each each; /* NULL: none */
    void *ctx;
};
bool content_gzip_begin(struct content_gzip *g);
void content_gzip_add(struct content_gzip *g, struct slice piece);
void content_gzip_end(struct content_gzip *g);

/* Each 64 KiB of a file. False: it cannot be read, or each wants no more. */
bool content_each(const char *path, bool (*each)(void *ctx, struct slice piece), void *ctx);

/* content_personal.c: personal information where the uploader has not said that it is meant to be
 * (SW-9.7-3f), covered in the file or refused, as the policy is. row gets `personal`. */
struct content_personal {
    enum personal_guard guard;
    struct personal_stream *stream; /* NULL: nothing is looked for */
    int fd;                         /* of the file, to cover in; -1: it cannot be */
    json_t *found;                  /* {kind: how often} */
    uint64_t hits, line;            /* line of the first */
    bool failed;                    /* it could not be covered */
};
/* What the policy is. Then begin, a piece at a time, and end. */
enum problem content_personal_policy(struct rest_call *c, const json_t *row,
                                     enum personal_guard *guard);
bool content_personal_begin(struct content_personal *look, enum personal_guard guard, int fd);
void content_personal_add(void *look, struct slice plain);
/* Frees it. SENSITIVE_FIELD: refused. *covered: the file is another now. */
enum problem content_personal_end(struct rest_call *c, struct content_personal *look, json_t *row,
                                  bool *covered);
