/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to sources, shared by all threads of the process: of one source no more are open at a
 * time than it allows, whoever needs them. A thread takes one for a call and gives it back; when
 * all are in use it waits a little and is then refused, so that a slow source holds up its own
 * callers and not those of the others. */
#pragma once
#include "data/sources/odbc.h"

#define POOL_MAX  64  /* connections of one source */
#define POOL_IDLE 256 /* kept open unused, of all sources */

enum pool_err {
    POOL_OK,
    POOL_EUNKNOWN, /* pool_set has not told of this revision */
    POOL_EBUSY     /* all are in use, and none came free in time */
};

/* What a revision of the source allows. Connections of another are closed as they come back. */
struct pool_terms {
    uint64_t rev;
    unsigned max;     /* 1 to POOL_MAX */
    uint64_t wait_ms; /* for one to come free */
};
void pool_set(const struct uuid *id, const struct pool_terms *terms);

/* *source NULL: a place, and the taker opens one. Either is given back by pool_give(). */
enum pool_err pool_take(const struct uuid *id, uint64_t rev, bool write, struct source **source)
    __attribute__((warn_unused_result));
/* source NULL: the place alone. Closes what is not kept. */
void pool_give(const struct uuid *id, uint64_t rev, bool write, struct source *source);

/* A place for a connection of the asker's own; of a source that is not known here yet there is no
 * limit. *held: pool_leave is owed. */
enum pool_err pool_enter(const struct uuid *id, bool *held) __attribute__((warn_unused_result));
void pool_leave(const struct uuid *id);

/* Closes what is idle and forgets all terms; none may be in use. */
void pool_close_all(void);
