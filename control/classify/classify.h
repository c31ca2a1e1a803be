/* SPDX-License-Identifier: Apache-2.0 */
/* What data is and how it may be opened: levels, what is found in a table and who says so, the
 * security review without which nothing opens (SW-9.4-4a, SW-9.4-4b). */
#pragma once
#include "rest/resource.h"

#define CLASSIFY_SETTING_MAX 200
extern const struct resource classify_settings_resource;
extern const struct resource security_reviews_resource;
extern const struct resource level_definitions_resource;
extern const struct resource opening_classes_resource;
extern const struct resource detection_patterns_resource;
extern const struct resource classification_rules_resource;
extern const struct resource discoveries_resource;
extern const struct resource findings_resource;

/* The value of a setting of ours; an unknown name is a bug. */
enum problem classify_setting(struct rest_call *c, struct store_txn *txn, const char *name,
                              char value[static CLASSIFY_SETTING_MAX]);
enum problem classify_setting_on(struct rest_call *c, struct store_txn *txn, const char *name,
                                 bool *on);

/* financial.c. PROBLEM_CONSENT_INCOMPLETE: an API would open a field tagged as personal financial
 * information without asking whose it is, and the platform is set to mind (BK-3.9a). */
enum problem classify_financial_consent(struct rest_call *c, struct store_txn *txn,
                                        const json_t *api);

/* reviews.c. PROBLEM_SECURITY_REVIEW_MISSING unless each of the fields that would leave (levels 1
 * to 3) is in the subject's passed review, at its level or a lower one and, at level 3, under the
 * same mask. subject: the row of a dataset, or of an API that has none; fields: those to be opened.
 * Every path by which data is opened asks this. OK when the platform does not require reviews. */
enum problem security_review_covers(struct rest_call *c, struct store_txn *txn,
                                    const struct resource *res, const json_t *subject,
                                    const json_t *fields);

/* levels.c: the level a field is served at, which a definition may have raised (EC-3.8). */
enum problem classify_served_levels(struct rest_call *c, struct store_txn *txn,
                                    int served[static 5]);

/* opening.c: the measures of the dataset's opening class onto an API that is about to be published,
 * and what a dataset has to say before anything of it is (SW-9.6.1-02, SW-8.1-p5). */
enum problem classify_opening_apply(struct rest_call *c, struct store_txn *txn,
                                    const json_t *dataset, json_t *api);
/* A dataset that has become "not-open" is served by nothing any more. */
enum problem classify_opening_changed(struct rest_call *c, struct store_txn *txn, const json_t *old,
                                      const json_t *dataset);
enum problem classify_check_words(struct rest_call *c, const char *where, const json_t *v);

/* zones.c. May this dataset stand there? CLASSIFY_OPEN: what opens to anybody. Its columns have
 * been looked through, nothing that was found waits for a decision, every field has a level.
 * CLASSIFY_EXCHANGE: the exchange space, which holds no sensitive field either (SW-9.7-0b,
 * SW-8.2a1-7). PROBLEM_FIELDS_UNCLASSIFIED, PROBLEM_SENSITIVE_CHECK_MISSING,
 * PROBLEM_SENSITIVE_FIELD, each with the fields at fault. */
enum classify_zone { CLASSIFY_OPEN, CLASSIFY_EXCHANGE };
enum problem classify_zone_check(struct rest_call *c, struct store_txn *txn, const json_t *dataset,
                                 enum classify_zone zone);
bool classify_sensitive(const json_t *field); /* as said, or from level 3 upward */

/* categories.c: the paths of an API that these categories reach, of `fields` (NULL: of all). A
 * field with a category is for those who have it, one without for all (EC-3.7). NULL: all of them;
 * an empty array: none. New reference. */
json_t *classify_reach(const json_t *api_fields, const json_t *categories, json_t *fields);

/* rules.c: what is proposed for a field. counts: of the scan, or NULL. New object {level, mask,
 * category, tags, sensitive, confidence, evidence}. */
struct classify_context {
    const json_t *dataset, *rules, *patterns; /* the latter two in their order */
};
json_t *classify_propose(const struct classify_context *x, const json_t *field,
                         const json_t *counts);
enum problem classify_load_rules(struct rest_call *c, struct store_txn *txn, json_t **rules,
                                 json_t **patterns);
/* Fields of a new dataset take what their source says of them, like "level=3 category=trade". */
void classify_harvest(json_t *fields, const json_t *columns);

/* discoveries.c */
enum problem classify_job(struct rest_call *c);
enum problem classify_dataset_made(struct rest_call *c, struct store_txn *txn,
                                   const json_t *dataset);
/* findings.c: what a finished discovery says, as rows that wait for a decision. */
enum problem findings_make(struct rest_call *c, struct store_txn *txn, const json_t *discovery,
                           const json_t *dataset);
enum problem findings_apply(struct rest_call *c, struct store_txn *txn, const json_t *discovery);
enum problem findings_accept_all(struct rest_call *c, struct store_txn *txn,
                                 const json_t *discovery);
/* A row of ours, made by the platform. */
enum problem classify_insert(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                             json_t *row, const char *state);

/* Handlers. */
enum problem classify_tags_get(struct rest_call *c);
enum problem classify_coverage_get(struct rest_call *c);
enum problem classify_dataset_get(struct rest_call *c);
enum problem classify_zone_check_post(struct rest_call *c);
