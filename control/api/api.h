/* SPDX-License-Identifier: Apache-2.0 */
/* What the resources say to each other. */
#pragma once
#include "rest/resource.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

extern const struct resource organisations_resource;
extern const struct resource users_resource;
/* Is this one of the packages that the app is registered with (BK-12.2d)? */
enum problem app_has_package(struct rest_call *c, struct store_txn *txn, const char *app_id,
                             const char *package, bool *has);
extern const struct resource apps_resource;
extern const struct resource credentials_resource;
extern const struct resource sources_resource;
extern const struct resource financial_scenarios_resource;
extern const struct resource datasets_resource;
extern const struct resource apis_resource;
extern const struct resource subscriptions_resource;
extern const struct resource grants_resource;
extern const struct resource limits_resource;
extern const struct resource lists_resource;
extern const struct resource trusts_resource;
extern const struct resource algorithms_resource;
extern const struct resource schemas_resource;
extern const struct resource conversions_resource;
extern const struct resource compositions_resource;
extern const struct resource alerts_resource;
extern const struct resource contact_points_resource;
extern const struct resource clients_resource;
extern const struct resource credential_policies_resource;
extern const struct resource certificate_requests_resource;
extern const struct resource documents_resource;

/* api/common.c */
enum problem api_load(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                      const char *id, json_t **row);  /* unscoped; must be there */
uint64_t api_ms(const json_t *row, const char *name); /* 0: none */
/* Who decides, and when: decided_by and decided_at. */
void api_decided(struct rest_call *c, json_t *row);
json_t *api_feed_ms(const json_t *row, const char *name);
/* What a grant, subscription or agreement is for, one purpose a line, as nodes are told it. New. */
json_t *api_purposes(const char *lines);
enum problem api_check_validity(struct rest_call *c, const json_t *row);
enum problem api_check_paths(struct rest_call *c, const char *where,
                             const json_t *v); /* an array of distinct texts */
enum problem api_check_named_fields(struct rest_call *c, struct store_txn *txn,
                                    const json_t *row); /* row.fields among those of row.api_id */
/* api/source_accounts.c: what the data service's `check` of a source told, and whether the source
 * may be read by that account. Not inside a transaction; inside one. */
enum problem source_account_keep(struct rest_call *c, const char *id, const json_t *answer);
enum problem source_account_check(struct rest_call *c, struct store_txn *txn, const json_t *source);
enum problem source_accounts_job(struct rest_call *c);
/* api/row_filters.c: of a subscription or a grant. prepare: `prepare` and `amend` of its resource;
 * words: what it says, "" when there is none; feed: into what nodes are told. */
enum problem row_filter_prepare(struct rest_call *c, struct change *ch);
const char *row_filter_words(const json_t *row, bool zh);
void row_filter_feed(const json_t *row, json_t *data);
#define ROW_FILTER_ATTRS                                                                           \
    {"row_filter", ATTR_TEXT, 0, 0, POLICY_ROWS_MAX},                                              \
    {                                                                                              \
        "row_filter_text", ATTR_JSON, AF_READ_ONLY                                                 \
    }
/* Seals to base64url under a sub-key; *text: new string. */
json_t *api_seal(const uint8_t key[static CRYPTO_KEY_LEN], const char *id, struct slice secret);
/* The same, to be kept in the store. */
json_t *api_seal_kept(const struct control *ctl, const char *id, struct slice secret);
/* Opens what the store holds and seals it for nodes. NULL: it cannot be opened. */
json_t *api_reseal(const struct control *ctl, const char *id, const char *sealed);
bool api_changed(const json_t *old, const json_t *row, const char *name);
bool api_int_within(const json_t *v, json_int_t min, json_int_t max);
bool api_only_members(const json_t *object, const char *const *members); /* NULL-terminated */
/* An array of 1 to max distinct texts, each one of words (NULL: any). */
enum problem api_check_words(struct rest_call *c, const char *where, const json_t *v,
                             const char *const *words, size_t max);
bool api_path_ok(const char *path); /* plain segments, see api/apis.c */
bool api_state_live(const json_t *api);
bool api_app_calls(const json_t *app); /* in earnest or in its test stage */

/* api/grants.c: who gives the grant of this row, and the digest of its statement. */
void grants_witness(struct rest_call *c, json_t *row);

/* api/fields.c */
extern const char *const field_tags[]; /* NULL-terminated */
enum problem fields_check_dataset(struct rest_call *c, const char *where, const json_t *v);
enum problem fields_check_api(struct rest_call *c, const char *where, const json_t *v);
/* Refuses a publication that would open an unclassified or unmasked field, or nothing at all. */
enum problem fields_check_publication(struct rest_call *c, const json_t *fields);
/* The fields of an API with this profile on a dataset's fields: new array. */
json_t *fields_for_profile(const char *profile, const json_t *dataset_fields);
/* Fields as the source tells them, unclassified: new array; NULL and *bad the column's name when
 * one cannot be a field. */
json_t *fields_from_columns(const json_t *columns);

/* api/algorithms.c: a row for each algorithm of libs/crypto that has none yet. Called at start. */
enum problem algorithms_seed(struct rest_call *c);

/* api/attachments.c: what an API has one of at most. */
enum problem attachment_exists(struct rest_call *c, struct store_txn *txn,
                               const struct resource *res, const char *api_id, bool *there);

/* api/protection.c */
bool protection_needs_assessment(const json_t *api); /* BK-6.2b3-1 */
/* Refuses what tagged fields may not be, given the API's class and sealing (BK-6.2c, BK-7.2.2c). */
enum problem protection_check_fields(struct rest_call *c, const json_t *api, const json_t *fields);

/* api/publication.c: dataset and API move together. */
enum problem publication_refresh(struct rest_call *c, struct store_txn *txn, const char *dataset_id,
                                 const char *but_api);
enum problem publication_levels(struct rest_call *c, struct store_txn *txn, const json_t *dataset);
/* The fields of an API with this profile on the dataset as it is now: *fields new, NULL on error.
 */
enum problem publication_fields(struct rest_call *c, struct store_txn *txn, const char *profile,
                                const json_t *dataset, json_t **fields);

/* api/reading.c: how a dataset may be read, beyond its table. */
enum problem reading_check_parameters(struct rest_call *c, const char *where, const json_t *v);
enum problem reading_check_relations(struct rest_call *c, const char *where, const json_t *v);
enum problem reading_check(struct rest_call *c, struct change *ch);
/* Adds to what nodes are told of the dataset. */
enum problem reading_snapshot(struct rest_call *c, struct store_txn *txn, const json_t *dataset,
                              json_t *out);
/* Adds the fields of what belongs to a row or is counted of rows. */
enum problem reading_fields(struct rest_call *c, struct store_txn *txn, const json_t *dataset,
                            json_t *fields);
/* Outside a transaction: the data service reads filter and query, and says what is wrong. */
enum problem reading_prepare(struct rest_call *c, const char *dataset_id);
