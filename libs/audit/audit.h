/* SPDX-License-Identifier: Apache-2.0 */
/* The call log that proves itself (design section 6; BK-7.3.3, BK-12.3, EC-4.2.1d2).
 *
 * A writer (one per gateway worker) owns a stream by a file lock and appends records to the
 * stream's current segment, a preallocated file mapped into memory: an append is a copy and one
 * SM3, no system call, and survives the death of the process at any instant. Each record's chain
 * value is SM3(previous chain value || record), a segment starts from the last value of the one
 * before, so a changed, dropped, added or reordered record shows. A finished segment is closed by
 * its writer and sealed by the node's agent with the node's SM2 key; the agent also signs the head
 * of every open segment about once a second, so a cut tail shows too. The last AUDIT_RESERVE_BYTES
 * of a segment take refusals only: a full disk stops data from leaving, never the record of it. */
#pragma once
#include <jansson.h>

#include "crypto/crypto.h"
#include "id/uuid.h"
#include "plan/plan.h"
#include "policy/policy.h"

enum audit_err {
    AUDIT_OK,
    AUDIT_EFULL /* no room and no new segment */,
    AUDIT_EIO,
    AUDIT_EFORMAT,
    AUDIT_EBROKEN /* verification failed */
};
const char *audit_strerror(enum audit_err err);

#define AUDIT_SEGMENT_BYTES  (64u << 20)
#define AUDIT_RESERVE_BYTES  (1u << 20)
#define AUDIT_SEGMENT_AGE_MS 60000

enum audit_kind {
    AUDIT_CALL = 1,
    AUDIT_OPEN /* a long answer began; its AUDIT_CALL follows or it was cut */,
    AUDIT_PLAN /* names and outcomes that calls refer to */
};

/* A call. Slices are borrowed for the time of the append. */
struct audit_call {
    enum audit_kind kind;                         /* AUDIT_CALL or AUDIT_OPEN */
    struct uuid txn, app, api, credential, grant; /* nil: none */
    uint64_t at_us;                               /* wall, when the request was read */
    uint32_t elapsed_us;
    uint16_t status, reason; /* HTTP status sent; enum problem */
    uint8_t method;          /* policy_method bit, 0: other */
    uint8_t class_;          /* A1, A2; 0: no API */
    uint64_t api_rev;
    uint64_t rows, bytes_out, bytes_in;
    struct slice client; /* 4 or 16 bytes of address, network order */
    struct slice owner;  /* ≤ 128 bytes */
    struct slice target; /* only for calls without an API or refused ones: path and query, cut at
                            512 bytes */
    uint32_t plan;       /* from audit_writer_plan; 0: none */
    const uint64_t *seen;
    uint32_t n_fields;       /* bits of plan fields that left */
    struct uuid token, user; /* nil: the call came without an access token, or it is an app's own */
    struct uuid purpose;     /* what the call said it was for; nil: it did not */
    struct slice sdk;        /* "name/version" of the kit it came through, ≤ 64 bytes; "": none */
    bool opened; /* an AUDIT_OPEN of txn was appended: data has left, so this record may use the
                    reserve */
};

struct audit_config {
    const char *dir;
    const char *node;     /* ≤ 32 bytes [a-z0-9-] */
    size_t segment_bytes; /* 0: AUDIT_SEGMENT_BYTES */
};

/* Writer: one thread. open takes the lowest free stream number, recovers its segment (a record torn
 * by a crash was never acknowledged and is cut) and goes on. */
struct audit_writer;
enum audit_err audit_writer_open(struct audit_writer **w, const struct audit_config *cfg)
    __attribute__((warn_unused_result));
void audit_writer_close(struct audit_writer **w);
/* EFULL leaves the log unchanged. Refusals (status >= 400) may use the reserve. */
enum audit_err audit_writer_append(struct audit_writer *w, const struct audit_call *call)
    __attribute__((warn_unused_result));
/* A handle under which calls may cite this plan: API, revision, field paths, levels, outcomes,
 * masks. Cheap when the same key was given lately. The handle stays good across rotations: append
 * writes the plan again into a segment that has not seen it. Only thousands of other plans used in
 * between make it stale; a call that cites a stale one is recorded with plan 0. key: any value that
 * names (api, rev, outcomes) uniquely, e.g. a 64-bit hash of them. */
enum audit_err audit_writer_plan(struct audit_writer *w, uint64_t key, const struct policy_api *api,
                                 const struct policy_verdict *v, uint32_t *plan)
    __attribute__((warn_unused_result));
/* Rotates a segment that is full enough or old; call about once a second. */
enum audit_err audit_writer_tick(struct audit_writer *w, uint64_t now_ms)
    __attribute__((warn_unused_result));

/* Sealer: the agent's side; one process per dir. Seals closed segments, signs heads, prepares the
 * next segment file of each stream ahead of need, syncs to disk. Call about once a second. */
struct audit_sealer;
enum audit_err audit_sealer_open(struct audit_sealer **s, const struct audit_config *cfg,
                                 const struct crypto_sm2 *key) __attribute__((warn_unused_result));
enum audit_err audit_sealer_tick(struct audit_sealer *s, uint64_t now_ms)
    __attribute__((warn_unused_result));
void audit_sealer_close(struct audit_sealer **s);

/* Reader: offline, tolerant of a live writer.
 * ---------------------------------------------------------- */
struct audit_record {
    struct audit_call call; /* slices borrow from the mapped segment */
    const char *segment;    /* file name */
    uint64_t index;         /* of the record in its segment, from 0 */
};
struct audit_finding {
    char segment[128];
    uint64_t index;
    char text[256];
};
struct audit_summary {
    uint64_t segments, sealed, records, calls,
        interrupted; /* OPEN without CALL in a finished stream */
};
/* Walks all segments in order; for each record calls visit (may be NULL) and for each defect
 * report. AUDIT_EBROKEN: at least one defect. `public_key` NULL: chains only. visit returns false
 * to stop. */
enum audit_err audit_walk(const char *dir, const struct crypto_sm2 *public_key,
                          bool (*visit)(void *ctx, const struct audit_record *rec,
                                        const json_t *plan),
                          void (*report)(void *ctx, const struct audit_finding *f), void *ctx,
                          struct audit_summary *sum) __attribute__((warn_unused_result));

/* Follower: reads each call once, a live log too. -----------------------------------------------
 * audit_follow.c */
#define AUDIT_STREAMS 1000
struct audit_place {
    uint64_t seq, at; /* the next record: its segment, its offset there. Zeros: the beginning */
};
struct audit_places {
    struct audit_place of[AUDIT_STREAMS]; /* by number of the stream */
};
/* Visits the calls from *places on, stream by stream, and moves *places behind each. visit returns
 * false to stop before that call. Memory is one megabyte, time goes with the records that are new.
 * EIO: the directory cannot be read, nothing was visited. */
enum audit_err audit_follow(const char *dir, struct audit_places *places,
                            bool (*visit)(void *ctx, const struct audit_call *call), void *ctx)
    __attribute__((warn_unused_result));
