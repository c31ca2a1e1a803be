/* SPDX-License-Identifier: Apache-2.0 */
/* The policy replica: an LMDB environment one writer (the node's agent) keeps up to date from the
 * change feed and any number of readers (gateway workers, data service, explain) read without
 * locks. Records are packed binary made from the feed's JSON (contract/feed.md); a reader gets
 * views into the page, good until its next replica_read_begin/end. A reader sees each feed batch
 * wholly or not at all, together with its cursor. Crash-safe: a killed writer loses at most the
 * unacknowledged batch. */
#pragma once
#include <jansson.h>

#include "crypto/crypto.h"
#include "id/uuid.h"
#include "policy/policy.h"

enum replica_err {
    REPLICA_OK,
    REPLICA_ENOTFOUND,
    REPLICA_EFORMAT /* record or entry cannot be read */,
    REPLICA_EFULL /* map full */,
    REPLICA_EIO,
    REPLICA_EMEMORY
};
const char *replica_strerror(enum replica_err err);

#define REPLICA_PATH_MAX     255 /* bytes of an API's path; LMDB keys end at 511 */
#define REPLICA_EPOCH_LEN    16
#define REPLICA_SEGMENTS_MAX 12 /* path segments tried by replica_route */

struct replica; /* one per process; a read handle per thread */
struct replica_reader;

enum replica_err replica_open_writer(struct replica **r, const char *dir, size_t map_bytes)
    __attribute__((warn_unused_result)); /* makes dir */
enum replica_err replica_open_reader(struct replica **r, const char *dir)
    __attribute__((warn_unused_result));
void replica_close(struct replica **r);

/* Writer: one thread. ------------------------------------------------------------------------- */
struct replica_cursor {
    uint8_t epoch[REPLICA_EPOCH_LEN]; /* the store's birth; another epoch needs a full resync */
    uint64_t seq;
    uint64_t synced_ms; /* wall time at which the node knew itself up to date */
};
/* Applies entries (a JSON array of contract/feed.md entries) and the cursor in one transaction.
 * reset: the entries are the whole state; what is not among them goes. Entries of kinds this node
 * does not keep are skipped. *bad: index of the entry at fault on EFORMAT; nothing is applied then.
 * durable false skips the disk sync (heartbeats). */
enum replica_err replica_apply(struct replica *r, const json_t *entries,
                               const struct replica_cursor *cursor, bool reset, bool durable,
                               size_t *bad) __attribute__((warn_unused_result));
/* True when replica_apply can read the entry: what a caller does with those it cannot is its
 * policy. */
bool replica_entry_readable(const json_t *entry);
enum replica_err replica_cursor(struct replica *r, struct replica_cursor *cursor)
    __attribute__((warn_unused_result)); /* zeros when new */
/* Removes reader slots of dead processes; call now and then. */
void replica_check_readers(struct replica *r);

/* Readers: one thread per reader. ----------------------------------------------------------------
 */
enum replica_err replica_reader_new(struct replica_reader **rd, struct replica *r)
    __attribute__((warn_unused_result));
void replica_reader_free(struct replica_reader **rd);
/* Begins a snapshot; *version changes exactly when anything but a heartbeat did. Cheap (no malloc).
 */
enum replica_err replica_read_begin(struct replica_reader *rd, uint64_t *version,
                                    uint64_t *synced_ms) __attribute__((warn_unused_result));
void replica_read_end(struct replica_reader *rd);

struct replica_api {
    struct policy_api policy; /* .fields points at fields below or the heap: see replica_api_free */
    struct slice name, path;  /* path "/trade/orders/v1" */
    struct slice upstream;    /* POLICY_HTTP: "10.0.0.7:8080" as resolved by the agent */
    struct slice upstream_path; /* "/base" put in front of what follows the API's path */
    struct slice profile;       /* "rest", or "getEnterpriseGrade" … : see contract/feed.md */
    struct uuid dataset;
    uint32_t timeout_ms;
    uint32_t max_body_bytes;
    uint32_t prefix_bytes; /* of the request path that replica_route matched */
};
struct replica_app {
    struct policy_app policy;
    struct uuid org;
    struct slice name;
};
struct replica_credential {
    struct policy_credential policy;
    struct slice secret_sealed;
};

/* The API whose path is the longest prefix, in whole segments, of `path` (no query string).
 * O(segments), whatever the number of APIs. fields[] is filled (cap POLICY_FIELDS_MAX) and
 * policy.fields set to it. */
enum replica_err replica_route(struct replica_reader *rd, struct slice path,
                               struct replica_api *api, struct policy_field *fields)
    __attribute__((warn_unused_result));
enum replica_err replica_get_api(struct replica_reader *rd, const struct uuid *id,
                                 struct replica_api *api, struct policy_field *fields)
    __attribute__((warn_unused_result));
enum replica_err replica_get_app(struct replica_reader *rd, const struct uuid *id,
                                 struct replica_app *app) __attribute__((warn_unused_result));
enum replica_err replica_get_credential(struct replica_reader *rd, const struct uuid *id,
                                        struct replica_credential *c)
    __attribute__((warn_unused_result));
/* Field bits are resolved against api's fields by name, so an API revision cannot shift them. */
enum replica_err replica_get_subscription(struct replica_reader *rd, const struct uuid *app,
                                          const struct policy_api *api,
                                          struct policy_subscription *s)
    __attribute__((warn_unused_result));
enum replica_err replica_get_grant(struct replica_reader *rd, const struct uuid *id,
                                   const struct policy_api *api, struct policy_grant *g)
    __attribute__((warn_unused_result));
/* Finds the live grant of an owner for an app and API, for explain. */
enum replica_err replica_find_grant(struct replica_reader *rd, const struct uuid *app,
                                    const struct policy_api *api, struct slice owner,
                                    struct policy_grant *g) __attribute__((warn_unused_result));
/* Raw JSON of a dataset or source, for the data service: kind "dataset" | "source". */
enum replica_err replica_get_json(struct replica_reader *rd, const char *kind,
                                  const struct uuid *id, uint64_t *rev, struct slice *json)
    __attribute__((warn_unused_result));
