/* SPDX-License-Identifier: Apache-2.0 */
/* Whom an API is for. */
#include "api/api.h"
#include "identifiers/identifiers.h"

static enum problem store_partners(struct rest_call *c, struct change *ch)
{
    const json_t *partners = json_object_get(ch->row, "partners");
    const char *api = row_text(ch->row, "id");
    const struct store_value gone = store_text(api);
    json_t *partner;
    size_t i;
    enum store_err err =
        store_exec(ch->txn, "DELETE FROM api_partners WHERE api_id = ?", &gone, 1, NULL);

    json_array_foreach(partners, i, partner)
    {
        const struct store_value v[] = {store_text(api), store_text(json_string_value(partner))};
        json_t *organisation = NULL;
        enum problem p = row_load(c, ch->txn, &organisations_resource, json_string_value(partner),
                                  false, &organisation);
        if (p == PROBLEM_OK && !organisation) {
            p = rest_fail(c, PROBLEM_FIELD_INVALID, "/partners", "there is no organisation %.40s",
                          json_string_value(partner));
        }
        json_decref(organisation);
        if (p != PROBLEM_OK) {
            return p;
        }
        if (err == STORE_OK) {
            err = store_exec(ch->txn, "INSERT INTO api_partners VALUES (?, ?)", v, COUNT(v), NULL);
        }
    }
    return rest_store_problem(c, err);
}

enum problem identifiers_after(struct rest_call *c, struct change *ch)
{
    enum problem p =
        !ch->old || api_changed(ch->old, ch->row, "partners") ? store_partners(c, ch) : PROBLEM_OK;
    /* Of a draft a code is only typed, not issued. */
    bool issued = row_text(ch->row, "u_api_id")[0] && api_state_live(ch->row) &&
                  (!ch->old || strcmp(row_text(ch->old, "state"), "draft") == 0);

    return p == PROBLEM_OK && issued ? registration_open(c, ch->txn, ch->row, "register") : p;
}

enum problem identifiers_serves(struct rest_call *c, struct store_txn *txn, const json_t *api,
                                const char *organisation, bool *serves)
{
    const char *type = row_text(api, "type"), *own = row_text(api, "organisation_id");
    const struct store_value v[] = {store_text(row_text(api, "id")), store_text(organisation)};
    struct store_rows *rows = NULL;

    *serves = strcmp(type, "external") == 0 || (organisation[0] && strcmp(own, organisation) == 0);
    if (*serves || strcmp(type, "partner") != 0) {
        return PROBLEM_OK;
    }
    enum store_err err =
        store_query(txn, "SELECT 1 FROM api_partners WHERE api_id = ? AND organisation_id = ?", v,
                    COUNT(v), &rows);
    *serves = err == STORE_OK && store_next(rows);
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}
