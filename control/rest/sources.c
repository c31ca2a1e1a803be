/* SPDX-License-Identifier: Apache-2.0 */
/* What a source holds, read live through the data service. */
#include "api/api.h"
#include "data_client.h"

static enum problem load_source(struct rest_call *c, json_t **source)
{
    struct store_txn *txn = NULL;
    struct uuid id;

    if (!uuid_parse(&id, c->segment[1], strlen(c->segment[1]))) {
        return PROBLEM_NOT_FOUND;
    }
    enum problem p = rest_begin(c, STORE_READ, &txn);
    if (p != PROBLEM_OK) {
        return p;
    }
    p = row_load(c, txn, &sources_resource, c->segment[1], true, source);
    store_rollback(&txn);
    return p == PROBLEM_OK && !*source ? PROBLEM_NOT_FOUND : p;
}

static enum problem ask(struct rest_call *c, const char *operation, const char *schema,
                        const char *table)
{
    json_t *source = NULL, *answer = NULL;
    enum problem p = load_source(c, &source);

    if (p == PROBLEM_OK) {
        p = data_client_call(c, operation, source, schema, table, &answer);
    }
    json_decref(source);
    return p == PROBLEM_OK ? rest_answer(c, 200, answer) : p;
}

enum problem rest_source_tables(struct rest_call *c)
{
    return ask(c, "tables", NULL, NULL);
}

enum problem rest_source_table(struct rest_call *c)
{
    return ask(c, "columns", rest_query(c, "schema"), c->segment[3]);
}
