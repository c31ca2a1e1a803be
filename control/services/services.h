/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a service. A *service* is an entry of the service catalogue: what it is for, for whom
 * and how well it is served, in its users' words. Its versions are APIs (api/apis.c), each with its
 * own state from design to archive. docs/services.md. */
#pragma once
#include "sandbox/stage.h"

/* settings.c: rows with names that nobody adds to. All are off in a new store. */
#define SERVICE_SETTING_MAX 200
enum problem service_setting(struct rest_call *c, struct store_txn *txn, const char *name,
                             char value[static SERVICE_SETTING_MAX]);
enum problem service_setting_on(struct rest_call *c, struct store_txn *txn, const char *name,
                                bool *on);
enum problem service_setting_days(struct rest_call *c, struct store_txn *txn, const char *name,
                                  uint64_t *days);
bool service_report_kind_known(const char *kind);

/* rows.c: sql's rows as objects. columns: "name:type" with blanks between, type t(ext), i(nt),
 * b(ool), m (milliseconds, as time), j(son). *out: new array. */
enum problem services_rows(struct rest_call *c, struct store_txn *txn, const char *sql,
                           const struct store_value *v, size_t n, const char *columns,
                           json_t **out);
enum problem services_count(struct rest_call *c, struct store_txn *txn, const char *sql,
                            const char *id, int64_t *n);
/* Reads a row by the route's second segment that the caller sees; write: and may change. */
enum problem service_load(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                          bool write, json_t **row);
/* Words of a text of no more than n items, UUIDs; where: JSON pointer. */
enum problem service_check_ids(struct rest_call *c, const char *where, const json_t *v);

/* life.c: what each step of an API's life asks, for the table of api/apis.c. Each notes in row.gate
 * what was looked at. */
enum problem life_design(struct rest_call *c, struct change *ch);
enum problem life_submit(struct rest_call *c, struct change *ch);
enum problem life_accept(struct rest_call *c, struct change *ch);
enum problem life_move(struct rest_call *c, struct change *ch); /* any other step */
/* Before anything of a publication: stages, entry, evaluation, reports, the definition itself. */
enum problem life_publish(struct rest_call *c, struct change *ch);
enum problem life_rectify(struct rest_call *c, struct change *ch);
enum problem life_resume(struct rest_call *c, struct change *ch);
enum problem life_baffle(struct rest_call *c, struct change *ch);
enum problem life_offline(struct rest_call *c, struct change *ch);
enum problem life_archive(struct rest_call *c, struct change *ch);
/* What would refuse the publication of this API, as an array of sentences (publication.c). */
enum problem life_missing(struct rest_call *c, struct store_txn *txn, const json_t *api,
                          json_t **missing);
/* Tells who holds something on the API of what just became of it. */
enum problem life_tell(struct rest_call *c, struct change *ch);
/* The state as nodes know it, and what they say of one that does not serve. */
void life_feed(const json_t *api, json_t *out);
/* May this app be subscribed to this API: not when the API is bound to others. */
bool life_bound_to(const json_t *api, const char *app_id);
enum problem life_history(struct rest_call *c); /* GET apis/{id}/history */

/* lint.c: findings, each {rule, where, text}: new array. */
enum problem lint_api(struct rest_call *c, struct store_txn *txn, const json_t *api,
                      json_t **findings);
/* Refuse what would leave an API that is open with a finding: another schema (NULL: none) in place
 * of the one it has; a change of its own. */
enum problem lint_exchange(struct rest_call *c, const json_t *api, const json_t *doc);
enum problem lint_change(struct rest_call *c, struct change *ch);
enum problem service_try(struct rest_call *c);    /* POST apis/{id}/try: try.c */
enum problem service_public(struct rest_call *c); /* GET public/apis: public.c */
enum problem service_lint(struct rest_call *c);   /* GET apis/{id}/lint */

/* describe.c: OpenAPI 3.1 of what a caller of that level sees: new object. */
json_t *describe_api(const struct rest_call *c, const json_t *api, const json_t *schema,
                     json_int_t level);
enum problem service_api_openapi(struct rest_call *c); /* GET apis/{id}/openapi */
enum problem service_openapi(struct rest_call *c);     /* GET services/{id}/openapi */

/* reports.c */
/* The digest of what a report is about, hex. */
void report_definition_sm3(const json_t *api, char hex[static 65]);
/* Has the API, as it is, an accepted report of that kind that has not expired? */
enum problem report_there(struct rest_call *c, struct store_txn *txn, const json_t *api,
                          const char *kind, bool *there);
enum problem report_keep(struct rest_call *c, struct store_txn *txn, const json_t *api,
                         const char *kind, bool passed, json_t *cases, json_t *figures);
enum problem service_test(struct rest_call *c); /* POST apis/{id}/probe: probe.c */

/* views.c */
enum problem catalogue_business(struct rest_call *c);     /* GET catalogue/business */
enum problem catalogue_developer(struct rest_call *c);    /* GET catalogue/developer */
enum problem catalogue_completeness(struct rest_call *c); /* GET catalogue/completeness */
enum problem catalogue_interfaces(struct rest_call *c);   /* GET datasets/{id}/interfaces */
enum problem service_dependencies(struct rest_call *c);   /* GET services/{id}/dependencies */
enum problem service_publish(struct rest_call *c);        /* POST services/publish */

/* parties.c: who holds what on an API: {"apps": […], "organisations": […], "owners": n, "apis":
 * […]}, new. */
enum problem parties_of(struct rest_call *c, struct store_txn *txn, const json_t *api,
                        json_t **parties);
/* Tells each app's organisation among the parties, and with user_text each owner. */
enum problem parties_tell(struct rest_call *c, struct store_txn *txn, const json_t *api,
                          const json_t *parties, const char *notice, const char *about_kind,
                          const char *about_id, const char *text);
enum problem parties_tell_owners(struct rest_call *c, struct store_txn *txn, const json_t *api,
                                 const char *notice, const char *about_kind, const char *about_id,
                                 const char *text);

/* changes.c, terminations.c, archives.c */
enum problem change_holds(struct rest_call *c, struct change *ch); /* change control */
/* Of an API that would change because another on its dataset is published: with change control on,
 * a record must have announced it. */
enum problem change_covers(struct rest_call *c, struct store_txn *txn, const json_t *api,
                           const char *published_id);
enum problem termination_confirmed(struct rest_call *c, struct store_txn *txn, const json_t *api,
                                   json_t **termination);
enum problem archives_due(struct rest_call *c);
enum problem archive_calls(struct rest_call *c); /* GET service_archives/{id}/calls */
enum problem archive_make(struct rest_call *c, struct store_txn *txn, const json_t *api,
                          const char *termination_id);
enum problem termination_submit(struct rest_call *c); /* POST …/cancellation */
/* Where the order of an end is kept: the termination's API is baffled and its code given back. */
enum problem termination_ready(struct rest_call *c, struct store_txn *txn,
                               const json_t *termination);

/* termination_items.c: each matter of each party of an end, opened when it is announced. */
enum problem termination_items_open(struct rest_call *c, struct store_txn *txn,
                                    const json_t *termination, const json_t *parties);
enum problem termination_items_agreed(struct rest_call *c, struct store_txn *txn,
                                      const json_t *termination);
enum problem termination_steps(struct rest_call *c);         /* GET …/{id}/steps */
enum problem termination_announcements(struct rest_call *c); /* GET announcements */
enum problem termination_application(struct rest_call *c);

/* instances.c: the active instances of an API among its targets. */
enum problem instances_feed(struct rest_call *c, struct store_txn *txn, const json_t *api,
                            json_t *out);
/* configs.c: {name: value} of what instances of that API go by: new. */
enum problem configs_of(struct rest_call *c, struct store_txn *txn, const char *api_id,
                        json_t **values);
enum problem settings_history(struct rest_call *c); /* restore.c */
enum problem settings_restore(struct rest_call *c);

enum problem services_job(struct rest_call *c); /* releases, ends of retention */
enum problem service_instances_job(struct rest_call *c);
enum problem scheduled_tasks_job(struct rest_call *c);

extern const struct resource service_settings_resource;
extern const struct resource service_domains_resource;
extern const struct resource services_resource;
extern const struct resource service_evaluations_resource;
extern const struct resource service_reports_resource;
extern const struct resource service_changes_resource;
extern const struct resource service_terminations_resource;
extern const struct resource termination_items_resource;
extern const struct resource service_notices_resource;
extern const struct resource retention_rules_resource;
extern const struct resource service_archives_resource;
extern const struct resource service_instances_resource;
extern const struct resource service_configs_resource;
extern const struct resource scheduled_tasks_resource;
