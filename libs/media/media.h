/* SPDX-License-Identifier: Apache-2.0 */
/* What a file is, by its own bytes: never by its name, never by what somebody says of it. Each type
 * has a first mark and where it has one a last, so that a file that was cut, or that hides another
 * behind its end, is not taken for whole. Office files are opened within bounds. */
#pragma once
#include <jansson.h>

#include "base/slice.h"

#define MEDIA_TITLE_MAX   200          /* bytes */
#define MEDIA_LEVELS_MAX  32           /* of a JSON document */
#define MEDIA_ENTRIES_MAX 10000        /* of a packed file */
#define MEDIA_PLAIN_MAX   (512u << 20) /* bytes that a packed file may unpack to */
#define MEDIA_RATIO_MAX   200          /* times its size, once it is past a megabyte */

enum media_err {
    MEDIA_OK,
    MEDIA_EUNKNOWN, /* none of the types that are known, or not whole */
    MEDIA_EBOMB     /* unpacks to more than is allowed */
};

struct media_found {
    const char *type;                /* static */
    char title[MEDIA_TITLE_MAX + 1]; /* what the file says of itself, "" mostly */
};

enum media_err media_look(struct slice content, struct media_found *found)
    __attribute__((warn_unused_result));
/* Whether the bytes are a whole file of that type, and of no other. Unknown types: false. */
bool media_is(const char *type, struct slice content);
/* The name itself, static; NULL: none of the types that are known. */
const char *media_known(const char *type);
/* The type that files whose name ends so (no dot, any case) claim to be of; NULL: nothing known. */
const char *media_of_ending(struct slice ending);

/* For media.c: the office formats, which are all packed folders. */
enum media_err media_office(struct slice content, struct media_found *found);
