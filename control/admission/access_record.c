/* SPDX-License-Identifier: Apache-2.0 */
/* The access record of an app (GS-6.1c): of the contents that its approved access plan chose, each
 * is a chapter of the standard with its steps, and whether a step is done is looked up in what the
 * platform has of the app, never said by anybody. What was not chosen has no steps here. */
#include <stdlib.h>

#include "admission/gate.h"
#include "admission/inner.h"

/* One query a step, that has a row when it is done. ?1 app, ?2 organisation, ?3 content of the plan
 * (JSON), ?4 the word of the content chosen, ?5 now: all of them in each, so that all can be bound.
 */
#define DONE(when)                                                                                 \
    "SELECT 1 WHERE ?1 IS NOT NULL AND ?2 IS NOT NULL AND ?3 IS NOT NULL AND ?4 IS NOT NULL AND "  \
    "?5 IS NOT NULL AND (" when ")"
#define THERE_IS(query) DONE("EXISTS (SELECT 1 FROM " query ")")
/* The plan's interfaces that are for this content: at least one, and each of them… */
#define INTERFACES "json_each(?3, '$.interfaces') i WHERE json_extract(i.value, '$.content') = ?4"
#define API        "json_extract(i.value, '$.api_id')"
#define EACH_HAS(query)                                                                            \
    DONE("EXISTS (SELECT 1 FROM " INTERFACES ") AND NOT EXISTS (SELECT 1 FROM " INTERFACES         \
         " AND NOT EXISTS (" query "))")
#define CERTIFIED(kind)                                                                            \
    THERE_IS("qualification_certificates WHERE organisation_id = ?2 AND state = 'valid' AND "      \
             "valid_until > ?5 AND kind = '" kind "'")
#define PEER(how) THERE_IS("peers p WHERE p.app_id = ?1 AND p.state = 'active' AND " how)
#define CREDENTIAL(which)                                                                          \
    "credentials WHERE app_id = ?1 AND state = 'active' AND coalesce(expires_at, 9e15) > ?5" which

static const char planned[] = THERE_IS(INTERFACES);
static const char granted[] =
    EACH_HAS("SELECT 1 FROM subscriptions s WHERE s.app_id = ?1 AND s.state = 'approved' AND "
             "s.api_id = " API);
/* In its test stage, or in earnest. */
static const char answered[] = EACH_HAS(
    "SELECT 1 FROM sandbox_calls c WHERE c.app_id = ?1 AND c.status BETWEEN 200 AND 299 AND "
    "c.api_id = " API " UNION ALL SELECT 1 FROM data_uses u WHERE u.app_id = ?1 AND u.calls > "
    "u.refused AND u.api_id = " API);
static const char registers[] = PEER("p.registers = 1");
static const char asks_users[] = PEER("json_array_length(p.query_fields) > 0");
static const char signs_on[] =
    PEER("p.sign_on = 1 AND EXISTS (SELECT 1 FROM clients c WHERE c.app_id = p.app_id AND c.state "
         "= 'active')");
static const char told_of_ends[] =
    THERE_IS("clients WHERE app_id = ?1 AND state = 'active' AND (coalesce(backchannel_logout_uri, "
             "'') <> '' OR coalesce(frontchannel_logout_uri, '') <> '')");
static const char listed[] =
    THERE_IS("services WHERE organisation_id = ?2 AND kind = 'h5' AND state = 'listed'");
static const char within_domains[] =
    THERE_IS("services s, json_each(?3, '$.domains') d WHERE s.organisation_id = ?2 AND s.kind = "
             "'h5' AND s.state = 'listed' AND (s.link = 'https://' || d.value OR s.link LIKE "
             "'https://' || d.value || '/%' OR s.link LIKE 'https://' || d.value || ':%')");
static const char account[] =
    THERE_IS("apps WHERE id = ?1 AND state IN ('testing', 'admitted') AND EXISTS (SELECT 1 "
             "FROM " CREDENTIAL("") ")");
static const char by_key[] = THERE_IS(CREDENTIAL(" AND algorithm NOT LIKE 'hmac%'"));
static const char addresses[] = THERE_IS(
    "lists WHERE app_id = ?1 AND list = 'allow' AND subject = 'address' AND state = 'active'");
static const char reported[] =
    THERE_IS("self_reports WHERE organisation_id = ?2 AND state = 'accepted'");
static const char maker[] = CERTIFIED("industry-licence");
static const char mlps[] = CERTIFIED("mlps");
static const char cryptography[] = CERTIFIED("cryptography");

struct step {
    const char *content, *chapter, *name, *title_zh, *title_en, *sql;
};

/* clang-format off */
#define CALLED(content, chapter) \
    {content, chapter, "granted", "所需接口已获授权", "Its interfaces are granted", granted}, \
    {content, chapter, "answered", "接口已调通", "Calls of each were answered", answered}
static const struct step steps[] = {
    {"service-items", "6.2", "planned", "目录同步与上报接口已列入方案", "The interfaces of directories and reports are in the plan", planned},
    CALLED("service-items", "6.2"),
    {"service-portal", "6.3", "listed", "应用已登记上架", "An application is registered and listed", listed},
    {"service-portal", "6.3", "address", "在线办理地址在登记的域名内", "Its address lies in the registered domains", within_domains},
    CALLED("service-portal", "6.3"),
    {"user-sign-on", "6.4", "registration", "注册信息可同步到本平台", "Registrations are sent here", registers},
    {"user-sign-on", "6.4", "user-query", "用户信息查询已开通", "Users can be asked about", asks_users},
    {"user-sign-on", "6.4", "trust", "隐性登录（信任传递）已开通", "Sign-on without a prompt is open", signs_on},
    {"user-sign-on", "6.4", "logout", "统一登出地址已登记", "It is told of sign-outs", told_of_ends},
    {"licence", "6.5", "account", "业务系统账号与许可证明有效", "Its account and proof are valid", account},
    CALLED("licence", "6.5"),
    {"seals", "6.6", "maker", "制作单位资质有效", "The maker's qualification is valid", maker},
    CALLED("seals", "6.6"),
    CALLED("operations", "6.7"),
    {"security", "6.8", "addresses", "只能从登记的地址调用", "Calls come from its addresses alone", addresses},
    {"security", "6.8", "key", "以密钥或证书证明身份", "It proves itself by a key or certificate", by_key},
    {"security", "6.8", "reports", "安全状况已上报", "Its security is reported", reported},
    {"security", "6.8", "graded-protection", "等级保护测评证书有效", "The certificate of graded protection is valid", mlps},
    {"security", "6.8", "cryptography", "密码应用安全测评证书有效", "The certificate of cryptography is valid", cryptography},
    CALLED("data-exchange", NULL),
    CALLED("payment", NULL),
    CALLED("messages", NULL),
    CALLED("data-reporting", NULL),
};
/* clang-format on */

struct about {
    const char *app, *organisation, *plan, *content;
    int64_t now;
};

/* The latest approved plan; *plan NULL: none. */
static enum problem load_plan(struct rest_call *c, struct store_txn *txn, const char *app,
                              json_t **plan)
{
    static const char sql[] =
        "SELECT id FROM applications WHERE app_id = ? AND form_kind = "
        "'access-plan' AND state = 'approved' ORDER BY decided_at DESC LIMIT 1";
    const struct store_value v = store_text(app);
    json_t *ids = json_array();
    enum problem p = admission_texts(c, txn, sql, &v, 1, ids);

    if (p == PROBLEM_OK && json_array_size(ids) > 0) {
        p = api_load(c, txn, &applications_resource, json_string_value(json_array_get(ids, 0)),
                     plan);
    }
    json_decref(ids);
    return p;
}

static enum problem check_step(struct rest_call *c, struct store_txn *txn, const struct step *step,
                               const struct about *a, bool *done)
{
    const struct store_value v[] = {store_text(a->app), store_text(a->organisation),
                                    store_text(a->plan), store_text(a->content), store_int(a->now)};

    return admission_exists(c, txn, step->sql, v, COUNT(v), done);
}

/* The steps of one chosen content; whole: so far. */
static enum problem describe_content(struct rest_call *c, struct store_txn *txn,
                                     const struct about *a, json_t *items, bool *whole)
{
    json_t *list = json_array();
    const char *chapter = NULL;
    bool all = true;
    enum problem p = PROBLEM_OK;

    for (size_t i = 0; i < COUNT(steps) && p == PROBLEM_OK; i++) {
        bool done = false;
        if (strcmp(steps[i].content, a->content) != 0) {
            continue;
        }
        p = check_step(c, txn, &steps[i], a, &done);
        chapter = steps[i].chapter;
        all = all && done;
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b}", "step", steps[i].name,
                                              "title_zh", steps[i].title_zh, "title_en",
                                              steps[i].title_en, "done", done));
    }
    *whole = *whole && all;
    json_array_append_new(items, json_pack("{s:s, s:s?, s:b, s:o}", "content", a->content,
                                           "chapter", chapter, "complete", all, "steps", list));
    return p;
}

static enum problem describe(struct rest_call *c, struct store_txn *txn, const json_t *app,
                             json_t **answer)
{
    json_t *plan = NULL, *items = json_array(), *chosen;
    bool whole = true;
    size_t i;
    enum problem p = load_plan(c, txn, row_text(app, "id"), &plan);
    const json_t *content = json_object_get(plan, "content");
    char *text = content ? json_dumps(content, JSON_COMPACT) : NULL;
    struct about a = {.app = row_text(app, "id"),
                      .organisation = row_text(app, "organisation_id"),
                      .plan = text ? text : "{}",
                      .now = (int64_t)c->now_ms};

    json_array_foreach(json_object_get(content, "contents"), i, chosen)
    {
        a.content = json_string_value(chosen);
        p = p == PROBLEM_OK ? describe_content(c, txn, &a, items, &whole) : p;
    }
    *answer =
        json_pack("{s:s?, s:s?, s:b, s:o}", "application_id", plan ? row_text(plan, "id") : NULL,
                  "number", plan ? row_text(plan, "number") : NULL, "complete",
                  whole && json_array_size(items) > 0, "items", items);
    free(text);
    json_decref(plan);
    return p;
}

enum problem rest_app_access_record(struct rest_call *c)
{
    return gate_describe_app(c, describe);
}
