/* SPDX-License-Identifier: Apache-2.0 */
/* The resource centre (docs/catalog.md): entries say what data there is, harvests make them from
 * sources, nodes order them, search finds them. What is not marked open is nobody's to find but the
 * platform's staff and its own organisation. */
#pragma once
#include "rest/resource.h"

extern const struct resource entries_resource;
extern const struct resource entry_versions_resource;
/* Runs it once more, at once; harvest: as loaded, is changed. */
enum problem harvest_again(struct rest_call *c, struct store_txn *txn, json_t *harvest);
extern const struct resource harvests_resource;
extern const struct resource harvest_items_resource;
extern const struct resource catalog_nodes_resource;

enum problem entries_search(struct rest_call *c);  /* GET entries/search */
enum problem entry_lineage(struct rest_call *c);   /* GET entries/{id}/lineage */
enum problem entry_preview(struct rest_call *c);   /* GET entries/{id}/preview */
enum problem catalog_resolve(struct rest_call *c); /* GET catalog/resolve?identifier= */
enum problem catalog_overview(struct rest_call *c);
enum problem catalog_inventory(struct rest_call *c); /* GET catalog/inventory */
enum problem catalog_export(struct rest_call *c);
enum problem harvest_job(struct rest_call *c);

/* A published dataset has an entry; called with each change of one. */
enum problem entry_of_dataset(struct rest_call *c, struct store_txn *txn, const json_t *dataset);

/* What was pushed into the open zone has an entry; called when a transfer has succeeded. */
enum problem entry_of_transfer(struct rest_call *c, struct store_txn *txn, const json_t *transfer);
/* Whether a dataset stands in the open directory, for everybody to refer to. */
enum problem entry_opens_dataset(struct rest_call *c, struct store_txn *txn, const char *dataset_id,
                                 bool *open);

/* For the files of this folder ------------------------------------------------------------------
 */
#define ENTRY_FIELDS_MAX 512
/* What an outsider may know of. */
#define ENTRY_LISTED "t.decision = 'open' AND t.state IN ('published', 'deprecated')"
/* Whether the caller is told where the entry's data lies: staff, auditors, its organisation. */
bool entry_keeper(const struct rest_call *c, const json_t *entry);
bool entry_listed(const json_t *entry);
/* The entry of c->segment[1] as far as the caller sees it. */
enum problem entry_seen(struct rest_call *c, struct store_txn *txn, json_t **entry);
/* The entry of a table, NULL: it has none. */
enum problem entry_of_table(struct rest_call *c, struct store_txn *txn, const char *source_id,
                            const char *schema, const char *table, json_t **entry);
json_t *entry_new(const struct rest_call *c, const char *name, const char *organisation_id);
/* The fields of a table as its entry tells them: what is new to say of columns, what people said of
 * them before. */
json_t *entry_fields(const json_t *columns, const json_t *before);

/* Between the tags of entry_docs, which hold no control character. */
#define INDEX_DIVIDER "\x1f"
/* index.c: keeps the entry's words in step, in the caller's transaction. */
enum problem index_entry(struct rest_call *c, struct store_txn *txn, const json_t *entry);
/* Adds text as words a query finds again; what is not letters or digits divides them. */
void index_words(struct buf *out, const char *text);
/* The same of a query: words that must all be there. False: it has none. */
bool index_query(struct buf *out, const char *text);
/* One word that stands for an exact value; kind: a letter. */
void index_mark(struct buf *out, char kind, const char *value);
