/* SPDX-License-Identifier: Apache-2.0 */
/* What the workers of a node count, in one memory-mapped file: a row for each API, app and upstream
 * target that was called, and totals by problem and by stage. Counting is a few relaxed atomic
 * additions; any process may read at any time. Counters begin at zero with the file and never go
 * back while it lives, as Prometheus expects of a counter; a killed process loses nothing it
 * counted. Any number of threads and processes. */
#pragma once
#include "base/buf.h"
#include "id/uuid.h"
#include "mapfile/mapfile.h"

#define METRIC_ROWS     16384 /* past it calls are counted in the row `other` of their kind */
#define METRIC_NAME_MAX 64    /* bytes kept of a name, in whole characters */
#define METRIC_CODES    256
#define METRIC_STAGES   16
#define METRIC_BUCKETS  14
extern const double metric_bucket_s[METRIC_BUCKETS]; /* upper bounds, seconds */

enum metric_kind { METRIC_API = 1, METRIC_APP, METRIC_TARGET };

struct metric;
struct metric_row;
enum mapfile_err metric_open(struct metric **m, const char *path)
    __attribute__((warn_unused_result));
void metric_close(struct metric **m);

/* The row of (kind, id): found, or made with this name. Never NULL; keep it, it does not move. */
struct metric_row *metric_row(struct metric *m, enum metric_kind kind, const struct uuid *id,
                              struct slice name);

struct metric_call {
    uint64_t elapsed_us, bytes_in, bytes_out, rows;
    bool refused, failed; /* by us; by what is behind us */
    bool cached;
};
void metric_count(struct metric_row *row, const struct metric_call *call);
void metric_code(struct metric *m, unsigned code); /* one more call with this problem */
void metric_stage(struct metric *m, unsigned stage, uint64_t ns);

/* Appends the text format of Prometheus 0.0.4. code_name gives the name of a problem, stages those
 * of the stages. Labels are escaped; a name that is not UTF-8 is left out. */
void metric_render(const struct metric *m, const char *(*code_name)(unsigned code),
                   const char *const *stages, size_t n_stages, struct buf *out);
