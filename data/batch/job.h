/* SPDX-License-Identifier: Apache-2.0 */
/* An export job: what was asked, by whom, decided how, and how far it is. Kept as `job.json` in a
 * folder of its own below DATA/data/exports, beside the file it makes (pack.h); what is saved is
 * on the disk when job_save() returns. */
#pragma once
#include <jansson.h>

#include "data/batch/format.h"
#include "data/batch/pack.h"
#include "link/link.h"

#define JOB_QUERY_MAX  16384
#define JOB_COLUMN_MAX 128
#define JOB_CURSOR_MAX 256
#define JOB_DIR_MAX    512

enum job_state {
    JOB_QUEUED,
    JOB_RUNNING,
    JOB_READY,
    JOB_FAILED,
    JOB_EXPIRED, /* its time was over: the file is gone */
    JOB_ERASED,  /* somebody said so */
    JOB_STATES
};
const char *job_state_name(enum job_state state);

struct job {
    struct job *next;
    struct uuid id, api, app, grant; /* app nil: of the platform itself */
    uint64_t api_rev;
    bool sandbox;
    struct uuid zone;               /* the source of a zone store the rows go to; nil: a file */
    char table[JOB_COLUMN_MAX + 1]; /* there */
    bool whole; /* rows of all owners: a job of the platform's own, for a zone */
    char owner[LINK_OWNER_MAX + 1];
    char rows[POLICY_ROWS_BOTH + 1]; /* conditions each row meets, as decided then; "": none */
    char *query;                     /* the query string, as it came */
    char since[JOB_COLUMN_MAX + 1];  /* of an incremental one: the column; "": full */
    char after[JOB_CURSOR_MAX + 1];  /* rows past this value; "": from the beginning */
    char cursor[JOB_CURSOR_MAX + 1]; /* the greatest value of that column among the rows */
    uint8_t format, method, state;   /* enum format, pack_method, job_state */
    uint32_t n_fields;
    uint8_t outcome[POLICY_FIELDS_MAX]; /* as decided when it was asked */
    json_t *fields;                     /* [{name, level, outcome, mask}] of those that left */
    uint64_t created_ms, started_ms, finished_ms, expires_ms, changed_ms;
    uint64_t rows_expected; /* UINT64_MAX: not known */
    struct pack_total total;
    uint8_t sm3[CRYPTO_HASH_LEN];
    char problem[48]; /* code; "": none */
    bool stop;        /* to end before it is done */
    bool taken;       /* a runner is at it */
};

struct job *job_new(void); /* NULL: out of memory */
void job_free(struct job **job);
/* root: the folder of all jobs. */
void job_dir(const char *root, const struct uuid *id, char dir[static JOB_DIR_MAX]);
bool job_save(const char *root, struct job *job, uint64_t now_ms)
    __attribute__((warn_unused_result)); /* makes its folder when it must; errno */
/* NULL: it cannot be read. */
struct job *job_load(const char *root, const char *id);
/* Removes what the job made, not the record of it; forget: that too. */
void job_erase(const char *root, const struct job *job, bool forget);
/* What its owner is told; `links` under this path when it is not NULL. New reference. */
json_t *job_public(const struct job *job, const char *path);
json_t *job_time(uint64_t ms); /* RFC 3339 text or null */
