/* SPDX-License-Identifier: Apache-2.0 */
/* Deny by default holds of the platform's own settings too: what a clause asks for is on in a new
 * store (migration 0037 has the same values). Who makes one weaker says why, and everybody who
 * looks is told: the operations log, the operators, the list of these settings, the report of the
 * security of data. */
#include "rest/strict.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "base/clock.h"
#include "notices/notices.h"

/* How values compare. ORDER: from weak to strict, with blanks between. WORDS: each word of the
 * shipped value is there. DAYS: no more than shipped, and not 0, which is never. */
enum by { ORDER, WORDS, DAYS };
#define SWITCH ORDER, "off on"

static const struct strict {
    const char *plural, *name;
    enum by by;
    const char *order, *shipped, *trial, *clauses, *en, *zh;
} strict[] = {
    /* clang-format off */
    {"admission_settings", "admission-required", SWITCH, "on", "off", "EC-4.2.1a1 BK-3.6a GS-6.1b-1", "Apps are admitted past the gate alone", "应用须通过准入审核后方可接入"},
    {"admission_settings", "agreement-required", SWITCH, "on", "off", "BK-9.1.1b CI-6.1.4a CI-6.1.4c", "A subscription is served under a signed agreement alone", "须签署合作协议后方可调用"},
    {"admission_settings", "privacy-agreement-required", SWITCH, "on", "off", "SW-9.6.2-4a SW-9.6.2-4b", "Others' data is put together under a privacy agreement alone", "整合他方数据须签署隐私保护协议"},
    {"admission_settings", "provider-approval-required", SWITCH, "on", "off", "SW-8.1-r2 SW-9.6.1-c1", "The provider itself authorises each subscription", "服务提供方须对每项订阅授权"},
    {"admission_settings", "certificates-required", WORDS, NULL, "mlps,cryptography", "mlps", "GS-6.8d-2 GS-6.8e-2", "The gate asks for these certificates", "准入须提交的资质证书"},
    {"admission_settings", "version-required", SWITCH, "on", "off", "EC-7.2.1e", "A new version of an app is filed and accepted before it goes live", "应用新版本须报备并通过后方可上线"},
    {"catalog_settings", "scope-required", SWITCH, "on", "off", "SW-8.2a1-1", "Only what is in an approved scope gets into the open directory", "仅批准开放范围内的数据可进入开放目录"},
    {"classify_settings", "security-review-required", SWITCH, "on", "on", "SW-9.6.1-01 EC-5.2.3-0", "Nothing opens without a security review", "未经安全审查不开放"},
    {"classify_settings", "discover-new-datasets", SWITCH, "on", "on", "SW-9.8-exc1 SW-9.8-col2", "New data is looked through for sensitive fields", "新接入数据自动识别敏感字段"},
    {"classify_settings", "sensitive-check-required", SWITCH, "on", "off", "SW-8.2a1-7", "Nothing opens whose findings are not decided", "敏感数据检查结果未处置不开放"},
    {"classify_settings", "required-attributes", WORDS, NULL, "title opening-class audience", "none", "SW-8.1-p5", "A dataset that opens says these of itself", "数据开放前须具备的安全属性"},
    {"classify_settings", "submitted-personal", ORDER, "off mask refuse", "mask", "off", "SW-9.7-3f", "Personal information in what is handed in is found", "识别提交数据中的个人信息"},
    {"classify_settings", "personal-financial-consent", SWITCH, "on", "off", "BK-3.9a", "Whose financial information it is has a say", "个人金融信息开放须经本人同意"},
    {"identity_settings", "second-factor", ORDER, "off staff all", "staff", "off", "CI-8.3b", "Staff sign in with two factors", "管理人员须双因子登录"},
    {"identity_settings", "verify-days", DAYS, NULL, "365", "0", "EC-6.1.4.4c", "Users verify who they are again after so many days", "用户须定期重新核验身份"},
    {"service_settings", "stages-required", SWITCH, "on", "off", "BK-12.1a2 CI-8.1a CI-8.1b", "Only what passed its test stage is published", "须通过设计、开发、测试阶段方可发布"},
    {"service_settings", "entry-required", SWITCH, "on", "off", "SW-7d1 SW-7d2", "An API belongs to an approved service", "接口须归属已审核的服务"},
    {"service_settings", "evaluation-required", SWITCH, "on", "off", "SW-7d3 SW-7d5", "The service was evaluated", "服务须通过评估"},
    {"service_settings", "reports-required", WORDS, NULL, "functional security performance", "none", "SW-7d4 SW-7d6 SW-7d7", "These tests of an API passed before it opens", "接口发布前须通过的测试"},
    {"service_settings", "moved-by", ORDER, "providers operators", "operators", "providers", "CI-8.1", "Operators alone move an API through its life", "仅平台运营方可变更接口状态"},
    {"service_settings", "change-control", SWITCH, "on", "off", "BK-10.3a1 BK-10.3a3 CI-8.1d", "A live API changes by a record alone", "已发布接口须经变更流程修改"},
    {"service_settings", "termination-control", SWITCH, "on", "off", "BK-11a BK-11b2 BK-11e2", "The end of a service is taken in order", "服务终止须按步骤办理"},
    {"stage_settings", "test-report-required", SWITCH, "on", "off", "GS-6.9.4.2d-1", "An app goes live with accepted test reports alone", "须提交测试报告后方可上线"},
    {"stage_settings", "test-report-kinds", WORDS, NULL, "functional conformity", "functional", "GS-6.1b-4", "Which test reports", "上线须提交的测试报告种类"},
    {"stage_settings", "preparation-required", SWITCH, "on", "off", "GS-6.1b-2", "The list of preparations is complete", "接入准备清单须完成"},
    {"stage_settings", "user-documents-required", SWITCH, "on", "off", "BK-12.2b1-3 BK-12.2b2", "The app's own privacy notice, consent text and word on who collects are there", "须提交应用方隐私声明、同意文本与收集方说明"},
    {"stage_settings", "exit-required", SWITCH, "on", "off", "BK-9.4a1 BK-9.4b1", "What was live leaves by an exit alone", "应用须按退出流程退出"},
    {"stage_settings", "declassification-required", SWITCH, "on", "off", "SW-9.4-2 SW-9.6.2-0d", "Opening what was masked takes a declassification", "降级或取消脱敏须经脱密审批"},
    /* clang-format on */
};

static const struct strict *strict_of(const char *plural, const char *name)
{
    for (size_t i = 0; i < COUNT(strict); i++) {
        if (strcmp(strict[i].plural, plural) == 0 && strcmp(strict[i].name, name) == 0) {
            return &strict[i];
        }
    }
    return NULL;
}

/* Which word of the list it is, from 1; 0: none of them. */
static int place_of(const char *list, const char *word, size_t n)
{
    int place = 1;

    for (const char *at = list; *at; place++) {
        size_t len = strcspn(at, " ,");
        if (len == n && strncmp(at, word, n) == 0) {
            return place;
        }
        at += len + (at[len] != '\0');
    }
    return 0;
}

static bool lacks_a_word(const char *shipped, const char *value)
{
    for (const char *at = shipped; *at;) {
        size_t len = strcspn(at, " ,");
        if (!place_of(value, at, len)) {
            return true;
        }
        at += len + (at[len] != '\0');
    }
    return false;
}

static bool weaker(const struct strict *s, const char *value)
{
    long days;

    switch (s->by) {
    case ORDER:
        return place_of(s->order, value, strlen(value)) <
               place_of(s->order, s->shipped, strlen(s->shipped));
    case WORDS:
        return lacks_a_word(s->shipped, value);
    default:
        days = strtol(value, NULL, 10);
        return days == 0 || days > strtol(s->shipped, NULL, 10);
    }
}

static enum problem is_trial(struct rest_call *c, struct store_txn *txn, bool *trial)
{
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, "SELECT 1 FROM meta WHERE key = 'trial'", NULL, 0, &rows);

    *trial = err == STORE_OK && store_next(rows);
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

/* A change -------------------------------------------------------------------------------------
 */
static void relax(const struct rest_call *c, json_t *row, bool relaxed)
{
    char now[CLOCK_RFC3339_LEN + 1];

    clock_format_ms(c->now_ms, now);
    json_object_set_new(row, "relaxed_by", relaxed ? json_string(c->user.login) : json_null());
    json_object_set_new(row, "relaxed_at", relaxed ? json_string(now) : json_null());
    if (!relaxed) {
        json_object_set_new(row, "reason", json_null());
    }
}

enum problem strict_check(struct rest_call *c, struct change *ch)
{
    const struct strict *s = strict_of(ch->res->plural, row_text(ch->row, "name"));
    const char *why = json_string_value(json_object_get(c->body, "reason"));
    bool trial = false;

    if (!s) {
        return PROBLEM_OK;
    }
    if (!weaker(s, row_text(ch->row, "value"))) {
        relax(c, ch->row, false);
        return PROBLEM_OK;
    }
    if (ch->old && strcmp(row_text(ch->old, "value"), row_text(ch->row, "value")) == 0) {
        return PROBLEM_OK;
    }
    enum problem p = is_trial(c, ch->txn, &trial);
    if (p == PROBLEM_OK && !trial && (!why || !why[0])) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/reason",
                         "weaker than shipped (%s, asked for by %s): say why", s->shipped,
                         s->clauses);
    }
    relax(c, ch->row, p == PROBLEM_OK);
    return p;
}

static enum problem log_relaxed(struct rest_call *c, struct change *ch)
{
    json_t *before = json_pack("{s:s, s:s}", "name", row_text(ch->old, "name"), "value",
                               row_text(ch->old, "value"));
    json_t *after = json_pack("{s:s, s:s, s:s}", "name", row_text(ch->row, "name"), "value",
                              row_text(ch->row, "value"), "reason", row_text(ch->row, "reason"));
    char *before_text = json_dumps(before, JSON_COMPACT | JSON_SORT_KEYS);
    char *after_text = json_dumps(after, JSON_COMPACT | JSON_SORT_KEYS);
    const struct operation op = {.at_ms = c->now_ms,
                                 .actor = c->user.login,
                                 .action = "relax",
                                 .kind = ch->res->kind,
                                 .id = row_text(ch->row, "id"),
                                 .before = before_text,
                                 .after = after_text};
    enum store_err err = before_text && after_text ? log_operation(ch->txn, &op) : STORE_EIO;

    free(before_text);
    free(after_text);
    json_decref(before);
    json_decref(after);
    return rest_store_problem(c, err);
}

enum problem strict_after(struct rest_call *c, struct change *ch)
{
    const char *at = row_text(ch->row, "relaxed_at");

    if (!ch->old || !at[0] || strcmp(at, row_text(ch->old, "relaxed_at")) == 0) {
        return PROBLEM_OK;
    }
    const struct notice n = {.kind = "setting-relaxed",
                             .object_kind = ch->res->kind,
                             .object_id = row_text(ch->row, "id"),
                             .object_name = row_text(ch->row, "name"),
                             .detail = row_text(ch->row, "reason")};
    enum problem p = log_relaxed(c, ch);
    return p == PROBLEM_OK ? notice_put(c, ch->txn, &n) : p;
}

/* The list -------------------------------------------------------------------------------------
 */
static json_t *clauses_of(const char *list)
{
    json_t *out = json_array();

    for (const char *at = list; *at;) {
        size_t n = strcspn(at, " ");
        json_array_append_new(out, json_stringn(at, n));
        at += n + (at[n] != '\0');
    }
    return out;
}

static json_t *time_of(struct store_rows *rows, int column)
{
    char text[CLOCK_RFC3339_LEN + 1];
    int64_t ms = store_get_int(rows, column);

    if (ms <= 0) {
        return json_null();
    }
    clock_format_ms((uint64_t)ms, text);
    return json_string(text);
}

static json_t *item_of(const struct strict *s, struct store_rows *rows)
{
    const char *value = store_get_text(rows, 1);
    json_t *item =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:s?, s:s?, s:o}", "settings", s->plural, "id",
                  store_get_text(rows, 0), "name", s->name, "shipped", s->shipped, "value", value,
                  "weaker", weaker(s, value), "reason", store_get_text(rows, 2), "relaxed_by",
                  store_get_text(rows, 3), "relaxed_at", time_of(rows, 4));

    json_object_set_new(item, "title_en", json_string(s->en));
    json_object_set_new(item, "title_zh", json_string(s->zh));
    json_object_set_new(item, "clauses", clauses_of(s->clauses));
    return item;
}

static enum problem items(struct rest_call *c, struct store_txn *txn, json_t *list)
{
    enum store_err err = STORE_OK;
    char sql[160];

    for (size_t i = 0; i < COUNT(strict) && err == STORE_OK; i++) {
        const struct store_value v = store_text(strict[i].name);
        struct store_rows *rows = NULL;
        snprintf(sql, sizeof sql,
                 "SELECT id, value, reason, relaxed_by, relaxed_at FROM %s WHERE name = ?",
                 strict[i].plural);
        err = store_query(txn, sql, &v, 1, &rows);
        if (err == STORE_OK && store_next(rows)) {
            json_array_append_new(list, item_of(&strict[i], rows));
        }
        err = err == STORE_OK ? store_rows_end(&rows) : err;
    }
    return rest_store_problem(c, err);
}

enum problem strict_count(struct rest_call *c, struct store_txn *txn, size_t *weak, size_t *all,
                          char names[static STRICT_NAMES_MAX])
{
    json_t *list = json_array(), *item;
    size_t i;
    enum problem p = items(c, txn, list);

    *weak = 0;
    *all = COUNT(strict);
    names[0] = '\0';
    json_array_foreach(list, i, item)
    {
        const char *name = row_text(item, "name");
        size_t n = strlen(names);
        if (json_is_true(json_object_get(item, "weaker"))) {
            *weak += 1;
            if (n + strlen(name) + 6 < STRICT_NAMES_MAX) {
                snprintf(names + n, STRICT_NAMES_MAX - n, "%s%s", n ? ", " : "", name);
            } else if (n < 3 || strcmp(names + n - 3, "...") != 0) {
                snprintf(names + n, STRICT_NAMES_MAX - n, "...");
            }
        }
    }
    json_decref(list);
    return p;
}

enum problem strict_settings_get(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *list = json_array();
    char names[STRICT_NAMES_MAX];
    size_t weak = 0, all = 0;
    bool trial = false;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = items(c, txn, list);
    }
    if (p == PROBLEM_OK) {
        p = strict_count(c, txn, &weak, &all, names);
    }
    if (p == PROBLEM_OK) {
        p = is_trial(c, txn, &trial);
    }
    store_rollback(&txn);
    if (p != PROBLEM_OK) {
        json_decref(list);
        return p;
    }
    return rest_answer(c, 200,
                       json_pack("{s:o, s:I, s:I, s:b}", "items", list, "total", (json_int_t)all,
                                 "weaker", (json_int_t)weak, "trial", trial));
}

/* The first start of a trial -------------------------------------------------------------------
 */
static enum store_err set_all(struct store_txn *txn, json_t *before, json_t *after)
{
    enum store_err err = STORE_OK;
    char sql[120];

    for (size_t i = 0; i < COUNT(strict) && err == STORE_OK; i++) {
        const struct store_value v[] = {store_text(strict[i].trial), store_text(strict[i].name)};
        snprintf(sql, sizeof sql, "UPDATE %s SET value = ? WHERE name = ?", strict[i].plural);
        err = store_exec(txn, sql, v, COUNT(v), NULL);
        json_object_set_new(before, strict[i].name, json_string(strict[i].shipped));
        json_object_set_new(after, strict[i].name, json_string(strict[i].trial));
    }
    return err;
}

enum problem strict_trial(struct rest_call *c, struct store_txn *txn)
{
    json_t *before = json_object(), *after = json_object();
    enum store_err err = set_all(txn, before, after);
    char *before_text = json_dumps(before, JSON_COMPACT), *after_text = NULL;

    if (err == STORE_OK) {
        err = store_exec(txn, "DELETE FROM mask_rules WHERE category = 'shipped'", NULL, 0, NULL);
    }
    if (err == STORE_OK) {
        err =
            store_exec(txn, "INSERT INTO meta (key, value) VALUES ('trial', 'yes')", NULL, 0, NULL);
    }
    after_text = json_dumps(after, JSON_COMPACT);
    const struct operation op = {.at_ms = c->now_ms,
                                 .actor = "platform",
                                 .action = "trial",
                                 .kind = "settings",
                                 .id = "settings",
                                 .before = before_text,
                                 .after = after_text};
    if (err == STORE_OK) {
        err = before_text && after_text ? log_operation(txn, &op) : STORE_EIO;
    }
    free(before_text);
    free(after_text);
    json_decref(before);
    json_decref(after);
    return rest_store_problem(c, err);
}
