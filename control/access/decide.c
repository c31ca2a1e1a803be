/* SPDX-License-Identifier: Apache-2.0 */
/* The decision itself. Nothing here reads a store or a clock, so that what explain says of a user
 * and what that user meets cannot differ. */
#include "access/access.h"

static const struct {
    const char *name;
    bool allows;
    const char *en, *zh;
} rules[RULES] = {
    [RULE_UNKNOWN_OPERATION] = {"unknown-operation", false, "there is no such operation",
                                "没有这个操作"},
    [RULE_OUTSIDE_DUTY] = {"outside-duty", false,
                           "it belongs to another administration than the account's",
                           "该操作属于其他管理员的职责"},
    [RULE_NOT_THAT_PARTY] = {"not-that-party", false,
                             "the organisation is not registered as the party that does this",
                             "所属单位未登记为相应的参与方"},
    [RULE_FUNCTION_DENIED] = {"function-denied", false, "a function grant denies it",
                              "功能授权明确禁止"},
    [RULE_ROLE] = {"role", true, "the built-in role has it", "内置角色具有该权限"},
    [RULE_FUNCTION_GRANTED] = {"function-granted", true, "a function grant gives it",
                               "功能授权给予该权限"},
    [RULE_FUNCTION_DEFAULT] = {"function-default", false, "nothing gives it, so it is refused",
                               "没有任何授权，默认拒绝"},
    [RULE_DATA_DENIED] = {"data-denied", false, "a data grant denies these data",
                          "数据授权明确禁止该数据"},
    [RULE_DATA_GRANTED] = {"data-granted", true, "a data grant gives these data",
                           "数据授权给予该数据"},
    [RULE_DATA_UNBOUND] = {"data-unbound", true,
                           "no data grant binds the account; subscription and consent decide",
                           "账户未受数据授权限定，由订阅与明示同意决定"},
    [RULE_DATA_DEFAULT] = {"data-default", false,
                           "the account is bound to certain data, and these are not among them",
                           "账户限定于若干数据，不含该数据"},
};

static const char *const duty_names[] = {"none", "system", "security", "audit"};

const char *access_duty_name(enum access_duty duty)
{
    return duty_names[duty];
}

/* Providers' work is a data provider's, developers' a data user's or a credit scenario's (CI-1b).
 * Reading is left to the tables: an organisation sees what it already has. */
static bool party_fits(const struct access_who *who, const struct access_question *q)
{
    const char *verb = strrchr(q->operation, '.');

    if (!who->parties || !(who->roles & (ROLE_PROVIDER | ROLE_DEVELOPER)) ||
        (verb && strcmp(verb, ".read") == 0)) {
        return true;
    }
    if (strncmp(q->operation, "sources.", 8) == 0 || strncmp(q->operation, "datasets.", 9) == 0 ||
        (strncmp(q->operation, "apis.", 5) == 0 && strcmp(q->operation, "apis.call") != 0)) {
        return who->parties & PARTY_PROVIDER;
    }
    if (strncmp(q->operation, "apps.", 5) == 0 ||
        strncmp(q->operation, "subscriptions.", 14) == 0 ||
        strncmp(q->operation, "clients.", 8) == 0) {
        return who->parties & (PARTY_USER | PARTY_SCENARIO);
    }
    return true;
}

/* Before the app is known a grant for one app may turn out to allow, but not to deny. */
static bool in_app(const struct access_function *f, const struct access_question *q)
{
    if (!f->app[0]) {
        return true;
    }
    return q->app_id ? strcmp(f->app, q->app_id) == 0 : !f->deny;
}

static const struct access_function *function_of(const struct access_held *held,
                                                 const struct access_question *q, bool deny)
{
    for (size_t i = 0; held && i < held->n_functions; i++) {
        const struct access_function *f = &held->functions[i];
        if (f->deny == deny && access_covers(f->operation, q->operation) && in_app(f, q)) {
            return f;
        }
    }
    return NULL;
}

static bool decide_function(const struct access_who *who, const struct access_question *q,
                            struct access_verdict *v)
{
    enum access_duty duty = access_operation_duty(q->operation);
    unsigned roles = 0;

    v->function_rule = RULE_UNKNOWN_OPERATION;
    if (!access_operation_roles(q->operation, &roles)) {
        return false;
    }
    v->function_rule = RULE_OUTSIDE_DUTY;
    if (who->duty != DUTY_NONE && duty != DUTY_NONE && duty != who->duty) {
        return false;
    }
    v->function_rule = RULE_NOT_THAT_PARTY;
    if (!party_fits(who, q)) {
        return false;
    }
    v->function_rule = RULE_FUNCTION_DENIED;
    v->function = function_of(who->held, q, true);
    if (v->function) {
        return false;
    }
    v->by_role = (roles & who->roles) != 0;
    v->function_rule = RULE_ROLE;
    if (v->by_role) {
        return true;
    }
    v->function = function_of(who->held, q, false);
    v->function_rule = v->function ? RULE_FUNCTION_GRANTED : RULE_FUNCTION_DEFAULT;
    return v->function != NULL;
}

static bool names_data(const struct access_data *d, const struct access_question *q)
{
    if (!d->deny && d->max_level && q->level > d->max_level) {
        return false;
    }
    return (d->api[0] && q->api_id && strcmp(d->api, q->api_id) == 0) ||
           (d->dataset[0] && q->dataset_id && strcmp(d->dataset, q->dataset_id) == 0);
}

static bool decide_data(const struct access_who *who, const struct access_question *q,
                        struct access_verdict *v)
{
    const struct access_data *allow = NULL;
    bool bound = who->held && who->held->bound;

    for (size_t i = 0; who->held && i < who->held->n_data; i++) {
        const struct access_data *d = &who->held->data[i];
        bool names = names_data(d, q);
        bound = bound || !d->deny;
        if (names && d->deny) {
            v->data_rule = RULE_DATA_DENIED;
            v->data = d;
            return false;
        }
        allow = names && !allow ? d : allow;
    }
    v->data = allow;
    v->data_rule = allow ? RULE_DATA_GRANTED : bound ? RULE_DATA_DEFAULT : RULE_DATA_UNBOUND;
    return rules[v->data_rule].allows;
}

void access_decide(const struct access_who *who, const struct access_question *q,
                   struct access_verdict *v)
{
    *v = (struct access_verdict){.data_rule = RULES};
    bool function = decide_function(who, q, v);
    bool data = !(q->api_id || q->dataset_id) || decide_data(who, q, v);

    v->allowed = function && data;
}

static json_t *step(enum access_rule rule, const char *grant, const char *holder, bool zh)
{
    json_t *s = json_pack("{s:s, s:b, s:s}", "rule", rules[rule].name, "allows", rules[rule].allows,
                          "text", zh ? rules[rule].zh : rules[rule].en);

    if (grant) {
        json_object_set_new(s, "grant_id", json_string(grant));
        json_object_set_new(s, "holder", json_string(holder));
    }
    return s;
}

json_t *access_steps(const struct access_verdict *v, bool zh)
{
    json_t *steps = json_array();

    json_array_append_new(steps, step(v->function_rule, v->function ? v->function->id : NULL,
                                      v->function ? v->function->holder : NULL, zh));
    if (v->data_rule != RULES) {
        json_array_append_new(steps, step(v->data_rule, v->data ? v->data->id : NULL,
                                          v->data ? v->data->holder : NULL, zh));
    }
    return json_pack("{s:b, s:o}", "allowed", v->allowed, "steps", steps);
}
