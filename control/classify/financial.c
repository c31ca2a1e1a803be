/* SPDX-License-Identifier: Apache-2.0 */
/* What a tag of personal financial information asks of an API beside its mask (BK-3.9a): that the
 * person it is about has a say, by a grant of the owner or a confirmation of the user. */
#include <string.h>

#include "api/api.h"
#include "classify/classify.h"

static bool financial(const json_t *field)
{
    json_t *tag;
    size_t i;

    json_array_foreach(json_object_get(field, "tags"), i, tag)
    {
        const char *text = json_string_value(tag);
        if (strcmp(text, "personal-financial") == 0 || strncmp(text, "pfi-", 4) == 0) {
            return true;
        }
    }
    return false;
}

enum problem classify_financial_consent(struct rest_call *c, struct store_txn *txn,
                                        const json_t *api)
{
    bool on = false, yes = json_is_true(json_object_get(api, "owner_scoped")) ||
                           json_is_true(json_object_get(api, "user_confirmation"));
    json_t *f;
    size_t i;
    enum problem p = classify_setting_on(c, txn, "personal-financial-consent", &on);

    json_array_foreach(json_object_get(api, "fields"), i, f)
    {
        if (p == PROBLEM_OK && on && !yes && financial(f) &&
            json_integer_value(json_object_get(f, "level")) < 4) {
            p = rest_fail(
                c, PROBLEM_CONSENT_INCOMPLETE, "/fields",
                "%.80s is personal financial information: whose it is has a say first, by "
                "an owner's grant or a user's confirmation",
                row_text(f, "name"));
        }
    }
    return p;
}
