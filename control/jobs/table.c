/* SPDX-License-Identifier: Apache-2.0 */
/* Every job, one a row. */
#include "api/api.h"
#include "api/credentials.h"
#include "ca/ca.h"
#include "jobs/jobs.h"
#include "notices/notices.h"

const struct job job_table[] = {
    /* clang-format off: one a line */
    {"notices-deliver", 1000, notices_deliver},
    {"credentials-watch", 60000, credentials_watch},
    {"revocation-lists", 3600000, ca_refresh},
    /* clang-format on */
};
const size_t job_table_n = COUNT(job_table);
