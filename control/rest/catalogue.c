/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue of what the operations log can hold: resources say theirs by their tables, the rest
 * stands here. Tests fail when something is logged that is not in it (test/fixture.c). */
#include "rest/catalogue.h"
#include "api/api.h"

/* Acts that are no change of a resource through its table. Each has before and after, or none. */
static const struct {
    const char *kind, *action;
} others[] = {
    /* clang-format off */
    {"session", "sign-in"},
    {"session", "sign-out"},
    {"user", "change-password"},
    {"notice", "notify"},
    {"authority", "create"},
    {"dataset", "publish"},
    {"dataset", "roll-back"},
    {"session", "add-otp"},
    {"session", "add-certificate"},
    {"session", "fail-to-prove"},
    {"session", "end"},
    {"user", "authorize"},
    {"credential", "warn"},
    {"credential", "expire"},
    {"credential", "rotate"},
    {"login-key", "create"},
    {"user", "register"},
    {"user", "approve"},
    {"user", "approve-registration"},
    {"user", "refuse-registration"},
    {"user", "confirm-totp"},
    {"user", "refuse"},
    {"user", "verify-identity"},
    {"user", "suspend-unverified"},
    {"user", "verify-fields"},
    {"user", "begin-totp"},
    {"user", "enrol-totp"},
    {"user", "remove-totp"},
    {"token", "issue"},
    {"token", "revoke"},
    {"token-key", "create"},
    {"token-key", "update"},
    {"token-key", "remove"},
    {"key-replacement", "generate"},
    {"key-replacement", "reseal"},
    {"key-replacement", "destroy"},
    {"document", "read"},
    {"user", "tell-peer"},
    {"user", "authorize"},
    {"user", "bind"},
    {"session", "refuse-address"},
    {"approval", "approve"},
    {"approval", "execute"},
    {"approval", "fail"},
    {"approval", "expire"},
    {"api", "classify"},
    {"api", "try"},
    {"api", "refresh"},
    {"application", "accept"},
    {"application", "advance"},
    {"application", "return"},
    {"application", "refuse"},
    {"application", "approve"},
    {"application", "verify-identity"},
    {"application", "re-review"},
    {"assessment", "supersede"},
    {"assessment", "expire"},
    {"qualification-certificate", "warn"},
    {"qualification-certificate", "expire"},
    {"qualification-certificate", "enforce"},
    {"agreement", "sign"},
    {"agreement", "expire"},
    {"re-review", "overdue"},
    {"preparation", "overdue"},
    {"licence", "follow"},
    {"user", "correct"},
    {"confirmation", "confirm"},
    {"confirmation", "refuse"},
    {"confirmation", "expire"},
    {"test-preparation", "warn"},
    {"event-subscription", "replay"},
    {"export", "follow"},
    {"upload", "complete"},
    {"upload", "terminate"},
    {"upload", "expire"},
    {"case", "answer"},
    {"case", "hit"},
    {"case", "blacklist"},
    {"emergency-plan", "supersede"},
    {"emergency-plan", "warn"},
    {"dataset-life", "advance"},
    {"dataset-life", "check"},
    {"case", "escalate"},
    {"incident", "contain"},
    {"incident", "warn"},
    {"incident", "suspend"},
    {"exit", "end"},
    {"exit", "notify"},
    {"exit", "receipt"},
    {"exit", "warn"},
    {"exit-duty", "end"},
    {"report-duty", "remind"},
    {"report-duty", "warn"},
    {"report-duty", "suspend"},
    {"api", "change"},
    {"api", "roll-back"},
    {"subscription", "carry"},
    {"service-termination", "cancellation"},
    {"service-archive", "due"},
    {"service-instance", "lose"},
    {"scheduled-task", "execute"},
    {"collection", "schedule"},
    {"collection", "succeed"},
    {"collection-run", "begin"},
    {"collection-run", "finish"},
    {"transfer", "begin"},
    {"transfer", "finish"},
    {"security-review", "supersede"},
    {"entry", "harvest"},
    {"entry", "refresh"},
    {"entry", "follow"},
    {"entry", "gone"},
    {"settings", "trial"},
    {"admission-setting", "relax"},
    {"catalog-setting", "relax"},
    {"classify-setting", "relax"},
    {"identity-setting", "relax"},
    {"service-setting", "relax"},
    {"stage-setting", "relax"},
    {"harvest", "begin"},
    {"harvest", "finish"},
    {"harvest", "retry"},
    {"harvest", "fail"},
    {"opening-plan-item", "remind"},
    {"opening-plan-item", "warn"},
    {"entry-share", "expire"},
    {"query-version", "supersede"},
    {"discovery", "finish"},
    {"discovery", "fail"},
    {"finding", "apply"},
    {"finding", "supersede"},
    /* clang-format on */
};

static bool transition_known(const struct resource *res, const char *action)
{
    for (size_t i = 0; i < res->n_transitions; i++) {
        if (strcmp(res->transitions[i].action, action) == 0) {
            return true;
        }
    }
    return false;
}

bool catalogue_has(const char *kind, const char *action)
{
    for (size_t i = 0; i < COUNT(others); i++) {
        if (strcmp(others[i].kind, kind) == 0 && strcmp(others[i].action, action) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < resources_n; i++) {
        if (strcmp(resources[i]->kind, kind) == 0 &&
            (strcmp(action, "create") == 0 || strcmp(action, "update") == 0 ||
             transition_known(resources[i], action))) {
            return true;
        }
    }
    return false;
}

static json_t *fields_of(const struct resource *res)
{
    json_t *fields =
        json_pack("[s, s, s, s, s]", "id", "state", "revision", "created_at", "updated_at");

    for (size_t i = 0; i < res->n_attrs; i++) {
        if (!(res->attrs[i].flags & (AF_HIDDEN | AF_WRITE_ONLY))) {
            json_array_append_new(fields, json_string(res->attrs[i].name));
        }
    }
    return fields;
}

static json_t *actions_of(const struct resource *res)
{
    json_t *actions = json_pack("[s, s]", "create", "update"), *seen = json_object();

    for (size_t i = 0; i < res->n_transitions; i++) {
        const char *action = res->transitions[i].action;
        if (!json_object_get(seen, action)) {
            json_array_append_new(actions, json_string(action));
            json_object_set_new(seen, action, json_true());
        }
    }
    json_decref(seen);
    return actions;
}

enum problem rest_operation_kinds(struct rest_call *c)
{
    json_t *items = json_array();

    for (size_t i = 0; i < resources_n; i++) {
        json_array_append_new(items, json_pack("{s:s, s:o, s:o}", "kind", resources[i]->kind,
                                               "actions", actions_of(resources[i]), "fields",
                                               fields_of(resources[i])));
    }
    for (size_t i = 0; i < COUNT(others); i++) {
        json_array_append_new(items, json_pack("{s:s, s:[s], s:[]}", "kind", others[i].kind,
                                               "actions", others[i].action, "fields"));
    }
    return rest_answer(c, 200, json_pack("{s:o}", "items", items));
}
