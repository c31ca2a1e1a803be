/* SPDX-License-Identifier: Apache-2.0 */
/* Datasets as files: export jobs. An app asks for one below the path of a dataset API that allows
 * it (`batch`), through the gateway, which decides that call and each later one as a read of the
 * API; a runner of this process makes the file. Safe from any thread. */
#pragma once
#include <pthread.h>

#include "crypto/key.h"
#include "data/batch/job.h"
#include "data/service.h"
#include "jwe/jwe.h"

#define BATCH_THREADS      2
#define BATCH_JOBS_MAX     20000 /* known at once, those that are over included */
#define BATCH_OPEN_MAX     4     /* queued or running of one app */
#define BATCH_LIFE_S       86400 /* of a file, unless said otherwise */
#define BATCH_LIFE_MAX_S   (7 * 86400)
#define BATCH_MEMORY_MS    (30 * 86400000ull) /* how long a job is known after its file is gone */
#define BATCH_SOURCE_TRIES 4                  /* of a source that went away, half a second apart */

struct batch;
/* root: made when it is not there. Jobs under way when the process died go on. NULL: *why. */
struct batch *batch_start(const struct service_config *service, const char *root, const char **why);
void batch_stop(struct batch **batch); /* jobs stop at the next chunk and go on at the next start */

/* serve.c: the call of an app; target is below `<path of the API>/exports`. */
bool batch_target(const struct catalog_api *api, struct slice target, struct slice *rest);
void batch_handle(struct worker *w, const struct catalog_api *api, const struct service_request *rq,
                  struct slice rest, struct service_reply *rp);
/* internal.c: what the control plane asks: /internal/v1/exports/... */
bool batch_internal(struct worker *w, const struct service_request *rq, struct service_reply *rp);

/* For the files of this folder ------------------------------------------------------------------
 */
struct batch {
    struct service_config service;
    char root[JOB_DIR_MAX];
    uint8_t at_key[CRYPTO_KEY_LEN], mask_key[CRYPTO_KEY_LEN];
    struct crypto_key *signer; /* of manifests */
    pthread_mutex_t lock;      /* covers what follows, and the jobs */
    pthread_cond_t wake;
    struct job *jobs; /* newest first */
    size_t n_jobs;
    bool stopping;
    pthread_t threads[BATCH_THREADS + 1]; /* the last one is the clock */
    size_t n_threads;
};

/* serve.c: a job for w->call of what body says, not yet taken in. raw: the query string. */
enum problem batch_make(struct worker *w, const struct catalog_api *api,
                        const struct service_request *rq, const json_t *body, struct slice raw,
                        struct job **job, const char **detail, struct slice *where)
    __attribute__((warn_unused_result));

/* table.c */
/* Under the lock; NULL: there is none. */
struct job *batch_find(struct batch *b, const struct uuid *id);
/* Takes a new job in, saved: acknowledged is durable. On error the job is the caller's. */
enum problem batch_add(struct batch *b, struct job *job) __attribute__((warn_unused_result));
/* Ends and erases it. */
enum problem batch_erase(struct batch *b, struct job *job) __attribute__((warn_unused_result));
enum problem batch_problem(int error); /* of an errno */

/* run.c: a runner's turn; the job is `taken` and nobody else changes but its `stop`. */
void batch_run(struct batch *b, struct worker *w, struct job *job);

/* package.c: the export as an offline package (libs/package) for one receiver, `package` beside it;
 * what was there before is replaced. */
#define BATCH_PACKAGE_MAX (256u << 20) /* bytes of an export that is packaged */
enum problem batch_package(struct batch *b, const struct job *job, const struct jwe_key *to,
                           uint64_t *bytes, uint8_t sm3[static CRYPTO_HASH_LEN])
    __attribute__((warn_unused_result));

/* manifest.c: a manifest's bytes, the same each time; its signature as a compact JWS. */
bool manifest_write(const struct batch *b, const struct job *job, struct buf *out)
    __attribute__((warn_unused_result));
bool manifest_sign(const struct batch *b, const struct job *job, struct buf *out)
    __attribute__((warn_unused_result));
