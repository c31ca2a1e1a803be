/* SPDX-License-Identifier: Apache-2.0 */
/* Offline packages (SW-9.7-1b): a file that travels by any way and opens for its receiver alone.
 *     SLUICE-PACKAGE 1
 *     JWE                 one line each (jwe/jwe.h): first what is inside (JSON), then its pieces
 *     ...
 *     =JWS                over the SM3 of all lines before it, by who made it (jwt/jwt.h)
 * Lines end with LF. A line that is changed, dropped, added or moved shows before anything is
 * opened. No allocation outlives a call; any thread. */
#pragma once
#include <jansson.h>
#include <stdio.h>

#include "jwe/jwe.h"

#define PACKAGE_LINE_MAX  (32u << 20) /* bytes */
#define PACKAGE_PARTS_MAX 65536
#define PACKAGE_JSON      "application/json" /* cty of the first part */

enum package_err {
    PACKAGE_OK,
    PACKAGE_EFORMAT,    /* not a package, cut, or more after its end */
    PACKAGE_ESIGNATURE, /* not signed by this key, or changed since */
    PACKAGE_EOPEN,      /* for another receiver, or a part cannot be opened */
    PACKAGE_EIO,        /* reading or writing failed; errno */
    PACKAGE_EMEMORY
};
const char *package_strerror(enum package_err err); /* static */

struct package_writer {
    FILE *out;
    struct crypto_hasher hasher;
    uint64_t parts;
    struct buf line;
    enum package_err err; /* the first; later calls do nothing */
};
/* Borrows out. */
void package_begin(struct package_writer *w, FILE *out);
void package_add(struct package_writer *w, const struct jwe_key *to, struct slice cty,
                 struct slice plain);
/* Signs with a pair; kid names it to the receiver. The writer is finished, whatever comes out. */
enum package_err package_end(struct package_writer *w, const struct crypto_key *signer,
                             const char *kid) __attribute__((warn_unused_result));

/* Both read from the beginning of a seekable file. kid: who says to have signed, and how many parts
 * there are; nothing is verified yet. */
#define PACKAGE_KID_MAX 128
enum package_err package_look(FILE *in, char kid[static PACKAGE_KID_MAX + 1], uint64_t *parts)
    __attribute__((warn_unused_result));
enum package_err package_verify(FILE *in, const struct crypto_key *signer)
    __attribute__((warn_unused_result));
/* Opens each part in turn, of a package that was verified. False from take: EIO. */
typedef bool (*package_take)(void *ctx, uint64_t part, const char *cty, struct slice plain);
enum package_err package_open(FILE *in, struct jwe_key *own, int64_t now_ms, package_take take,
                              void *ctx) __attribute__((warn_unused_result));
