/* SPDX-License-Identifier: Apache-2.0 */
/* Every job, one a row. */
#include "access/access.h"
#include "admission/admission.h"
#include "api/api.h"
#include "api/credentials.h"
#include "batch/batch.h"
#include "ca/ca.h"
#include "catalog/catalog.h"
#include "catalog/opening.h"
#include "classify/classify.h"
#include "consent/consent.h"
#include "exchange/exchange.h"
#include "exit/exit.h"
#include "identity/identity.h"
#include "incidents/cases.h"
#include "incidents/emergency_plans.h"
#include "incidents/incidents.h"
#include "jobs/jobs.h"
#include "keyring/replacements.h"
#include "lifecycle/lifecycle.h"
#include "notices/notices.h"
#include "oauth/engine.h"
#include "peers/peers.h"
#include "sandbox/sandbox.h"
#include "services/services.h"
#include "web/web.h"
#include "write/write.h"

const struct job job_table[] = {
    /* clang-format off */
    {"notices-deliver", 1000, notices_deliver},
    {"writes-deliver", 1000, deliveries_job},
    {"logout-tell", 1000, web_logout_job},
    {"identity", 5000, identity_job},
    {"oauth-issues", 1000, oauth_job_issues},
    {"oauth-keys", 10000, oauth_job_keys},
    {"peers-registrations", 2000, peers_job_registrations},
    {"peers-expire", 60000, peers_job_expire},
    {"oauth-expire", 60000, oauth_job_expire},
    {"confirmations-expire", 10000, confirmations_expire},
    {"credentials-watch", 60000, credentials_watch},
    {"admission-watch", 60000, admission_watch},
    {"approvals", 30000, access_job},
    {"revocation-lists", 3600000, ca_refresh},
    {"test-stage", 60000, sandbox_job},
    {"incidents", 60000, incidents_job},
    {"cases", 2000, cases_job},
    {"emergency-plans", 60000, emergency_plans_job},
    {"report-duties", 60000, report_duties_job},
    {"exits-notify", 1000, exits_notify_job},
    {"exits-end", 1000, exits_end_job},
    {"exports", 1000, exports_job},
    {"uploads", 60000, uploads_job},
    {"source-files", 500, source_files_job},
    {"exits-remind", 60000, exits_remind_job},
    {"harvests", 300, harvest_job},
    {"opening-plan", 5000, opening_plan_job},
    {"entry-shares", 5000, entry_shares_job},
    {"discoveries", 250, classify_job},
    {"source-accounts", 2000, source_accounts_job},
    {"dataset-lives", 2000, lives_job},
    {"uses-fold", 60000, uses_fold_job},
    {"services", 1000, services_job},
    {"service-instances", 1000, service_instances_job},
    {"scheduled-tasks", 1000, scheduled_tasks_job},
    {"exchange", 300, exchange_job},
    {"key-replacements", 300, key_replacements_job},
    {"collections-schedule", 1000, collections_schedule_job},
    /* clang-format on */
};
const size_t job_table_n = COUNT(job_table);
