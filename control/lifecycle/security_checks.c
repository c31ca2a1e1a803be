/* SPDX-License-Identifier: Apache-2.0 */
/* Each control is worked out from what is set, stored and running at this moment; one that cannot
 * be shown is not active. The texts of `found` hold counts and settings, never data. */
#include "lifecycle/security.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "api/api.h"
#include "classify/classify.h"
#include "crypto/certificate.h"
#include "crypto/keystore.h"
#include "feed/reports.h"
#include "rest/strict.h"
#include "sandbox/stage.h"

#define FOUND_MAX  200
#define CHAIN_LAST 2000 /* operations looked at */
#define HIDDEN     0077 /* what nobody else may do with a file */

struct item {
    bool active;
    char found[FOUND_MAX];
};

static void say(struct item *i, bool active, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void say(struct item *i, bool active, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(i->found, sizeof i->found, format, args);
    va_end(args);
    i->active = active;
}

/* One or two numbers of a query; `?` once is now. */
static enum problem numbers(struct rest_call *c, struct store_txn *txn, const char *sql,
                            int64_t out[static 2])
{
    const struct store_value v = store_int((int64_t)c->now_ms);
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, &v, strchr(sql, '?') ? 1 : 0, &rows);

    out[0] = out[1] = -1;
    if (err == STORE_OK && store_next(rows)) {
        out[0] = store_get_int(rows, 0);
        out[1] = store_get_int(rows, 1);
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

/* Files ------------------------------------------------------------------------------------------
 */
struct files {
    int64_t seen, open;
};

static void look_at(struct files *f, const char *path)
{
    struct stat st;

    if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
        f->seen++;
        f->open += (st.st_mode & HIDDEN) != 0;
    }
}

static bool published(const char *name)
{
    size_t n = strlen(name);

    return n > 4 && strcmp(name + n - 4, ".pub") == 0;
}

static void look_into(const struct rest_call *c, struct files *f, const char *folder)
{
    char path[2048];
    struct dirent *entry;

    snprintf(path, sizeof path, "%s/%s", c->ctl->cfg->data_dir, folder);
    DIR *dir = opendir(path);
    while (dir && (entry = readdir(dir)) != NULL) {
        if (snprintf(path, sizeof path, "%s/%s/%s", c->ctl->cfg->data_dir, folder, entry->d_name) <
                (int)sizeof path &&
            !published(entry->d_name)) {
            look_at(f, path);
        }
    }
    if (dir) {
        closedir(dir);
    }
}

static enum problem hidden_files(struct rest_call *c, struct store_txn *txn, struct item *i)
{
    static const char *const folders[] = {"control",      "keys",         "data/zones",
                                          "data/journal", "data/replica", "gateway/replica"};
    struct files f = {0};

    (void)txn;
    for (size_t k = 0; k < COUNT(folders); k++) {
        look_into(c, &f, folders[k]);
    }
    say(i, f.seen > 0 && f.open == 0, "%lld files of stores and keys, %lld open to others",
        (long long)f.seen, (long long)f.open);
    return PROBLEM_OK;
}

static enum problem sealed_keys(struct rest_call *c, struct store_txn *txn, struct item *i)
{
    char path[2048];
    char bytes[4096];

    (void)txn;
    snprintf(path, sizeof path, "%s/keys/master.key", c->ctl->cfg->data_dir);
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(bytes, 1, sizeof bytes, f) : 0;
    if (f) {
        fclose(f);
    }
    bool sealed = n > 0 && crypto_keystore_sealed(slice_of(bytes, n));
    crypto_wipe(bytes, sizeof bytes);
    say(i, sealed, "the master key is %s", sealed ? "sealed under a passphrase" : "not sealed");
    return PROBLEM_OK;
}

static enum problem own_certificate(struct rest_call *c, struct store_txn *txn, struct item *i)
{
    char path[2048], pem[CRYPTO_CERTIFICATE_MAX];
    struct crypto_certificate *crt = NULL;
    int64_t from_ms = 0, to_ms = 0;

    (void)txn;
    snprintf(path, sizeof path, "%s/pki/control.crt", c->ctl->cfg->data_dir);
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(pem, 1, sizeof pem, f) : 0;
    if (f) {
        fclose(f);
    }
    if (n > 0 && crypto_certificate_load(&crt, slice_of(pem, n)) == CRYPTO_OK) {
        crypto_certificate_validity(crt, &from_ms, &to_ms);
    }
    crypto_certificate_free(&crt);
    say(i, from_ms <= (int64_t)c->now_ms && to_ms > (int64_t)c->now_ms,
        "TLS alone; the certificate ends in %lld days",
        (long long)((to_ms - (int64_t)c->now_ms) / (int64_t)STAGE_DAY_MS));
    return PROBLEM_OK;
}

/* Settings and nodes -----------------------------------------------------------------------------
 */
static enum problem switched(struct rest_call *c, struct store_txn *txn, const char *name,
                             struct item *i)
{
    char value[CLASSIFY_SETTING_MAX] = "";
    enum problem p = classify_setting(c, txn, name, value);

    say(i, strcmp(value, "off") != 0, "%s is %s", name, value);
    return p;
}

static enum problem looked_through(struct rest_call *c, struct store_txn *txn, struct item *i)
{
    return switched(c, txn, "discover-new-datasets", i);
}

static enum problem submissions(struct rest_call *c, struct store_txn *txn, struct item *i)
{
    return switched(c, txn, "submitted-personal", i);
}

static enum problem reviewed(struct rest_call *c, struct store_txn *txn, struct item *i)
{
    return switched(c, txn, "security-review-required", i);
}

static enum problem strict(struct rest_call *c, struct store_txn *txn, struct item *i)
{
    char names[STRICT_NAMES_MAX];
    size_t weaker = 0, all = 0;
    enum problem p = strict_count(c, txn, &weaker, &all, names);

    say(i, weaker == 0, "%zu of %zu are weaker%s%s", weaker, all, weaker ? ": " : "", names);
    return p;
}

static enum problem deciding_nodes(struct rest_call *c, struct store_txn *txn, struct item *i)
{
    json_t *nodes = live_view(c->ctl->live), *node;
    const char *name;
    size_t alive = 0;

    (void)txn;
    json_object_foreach(nodes, name, node)
    {
        json_int_t heard = json_integer_value(json_object_get(node, "received_at"));
        alive += heard + REPORTS_ALIVE_MS > (json_int_t)c->now_ms;
    }
    say(i, alive > 0, "%zu of %zu gateway nodes decide calls and report", alive,
        json_object_size(nodes));
    json_decref(nodes);
    return PROBLEM_OK;
}

static enum problem chained_log(struct rest_call *c, struct store_txn *txn, struct item *i)
{
    int64_t bad = 0, looked = 0;
    enum store_err err = log_verify(txn, CHAIN_LAST, &looked, &bad);

    say(i, err == STORE_OK && looked > 0 && bad == 0,
        "the chain of the last %lld operations: %lld breaks", (long long)looked, (long long)bad);
    return rest_store_problem(c, err);
}

static enum problem overwritten(struct rest_call *c, struct store_txn *txn, struct item *i)
{
    int64_t n[2];
    enum problem p = numbers(c, txn, "PRAGMA secure_delete", n);

    say(i, n[0] > 0, "what is deleted is %s", n[0] > 0 ? "overwritten" : "left in the file");
    return p;
}

/* The tables -------------------------------------------------------------------------------------
 */
enum stage { COLLECTION, STORAGE, TRANSFER, EXCHANGE, USE, DESTRUCTION, STAGES };
static const struct {
    const char *name, *en, *zh;
} stage_names[STAGES] = {
    {"collection", "Collection", "数据采集安全"},  {"storage", "Storage", "数据存储安全"},
    {"transfer", "Transfer", "数据传输安全"},      {"exchange", "Exchange", "数据交换安全"},
    {"use", "Authorised use", "数据授权使用安全"}, {"destruction", "Destruction", "数据销毁安全"},
};

/* check, or a query of how many break it, out of how many: with none the control is active. */
static const struct {
    enum stage stage;
    const char *name, *en, *zh;
    enum problem (*check)(struct rest_call *c, struct store_txn *txn, struct item *i);
    const char *sql;
} controls[] = {
    /* clang-format off */
    {COLLECTION, "registered-tools", "Only registered tools collect, each within its scope", "仅登记的采集工具在授权范围内采集", NULL,
     "SELECT sum(t.state <> 'active'), count(*) FROM collections c JOIN collection_tools t ON t.id = c.tool_id WHERE c.state = 'active'"},
    {COLLECTION, "tls-to-nodes", "Nodes are asked over TLS", "经加密信道向数据源采集", NULL,
     "SELECT sum(address LIKE 'http://%'), count(*) FROM exchange_nodes WHERE state = 'active' AND address IS NOT NULL"},
    {COLLECTION, "looked-through", "New data is looked through for sensitive fields", "新接入数据自动识别敏感字段", looked_through, NULL},
    {COLLECTION, "submitted-personal", "Personal information in what is handed in is found", "识别提交数据中的个人信息", submissions, NULL},
    {STORAGE, "hidden-files", "Stores and keys are the platform's alone", "存储与密钥文件仅平台可访问", hidden_files, NULL},
    {STORAGE, "sealed-keys", "Keys are sealed where they lie", "密钥加密存储", sealed_keys, NULL},
    {STORAGE, "sealed-secrets", "Connections and secrets are sealed in the store", "连接与口令加密存储", NULL,
     "SELECT sum(connection_sealed = ''), count(*) FROM sources WHERE kind = 'odbc'"},
    {STORAGE, "least-privilege", "Accounts at units' databases do no more than is needed", "数据源账号最小权限", NULL,
     "SELECT sum(a.administers OR (a.writes AND NOT EXISTS (SELECT 1 FROM datasets d WHERE d.source_id = a.source_id AND d.state <> 'retired' AND d.writable IS NOT "
     "NULL))), count(*) FROM source_accounts a JOIN sources s ON s.id = a.source_id AND s.state = 'ready'"},
    {STORAGE, "storage-policy", "Each dataset lies as its policy says", "数据集存储符合策略", NULL,
     "SELECT sum(breaches <> '[]'), count(*) FROM dataset_lives WHERE stage <> 'destroyed'"},
    {TRANSFER, "certificate", "The platform speaks TLS with a certificate in its time", "平台接口采用有效证书加密传输", own_certificate, NULL},
    {TRANSFER, "no-plain-upstream", "No call is passed on in plain beyond this machine", "不向外明文转发", NULL,
     "SELECT sum(upstream LIKE 'http://%' AND upstream NOT LIKE 'http://127.%' AND upstream NOT LIKE 'http://localhost%' AND upstream NOT LIKE 'http://[::1]%'), "
     "count(*) FROM apis WHERE kind = 'http' AND state IN ('published', 'deprecated')"},
    {TRANSFER, "signed-answers", "Answers of class A2 are signed", "A2 类接口应答签名", NULL,
     "SELECT sum(coalesce(sign_response, 0) = 0), count(*) FROM apis WHERE class = 'A2' AND state IN ('published', 'deprecated')"},
    {TRANSFER, "algorithms", "No key of a disabled algorithm is in use", "不使用已停用算法", NULL,
     "SELECT sum(EXISTS (SELECT 1 FROM algorithms a WHERE a.name = k.algorithm AND a.status = 'disabled')), count(*) FROM credentials k WHERE k.state = 'active'"},
    {EXCHANGE, "nothing-sensitive", "The exchange zone holds nothing sensitive", "交换区不存放敏感数据", NULL,
     "SELECT sum(EXISTS (SELECT 1 FROM json_each(d.fields) f WHERE coalesce(json_extract(f.value, '$.sensitive'), json_extract(f.value, '$.level') >= 3))), count(*) "
     "FROM datasets d JOIN sources s ON s.id = d.source_id WHERE s.zone = 'exchange' AND d.state <> 'retired'"},
    {EXCHANGE, "both-registered", "Both sides of an exchange are registered", "交换双方均已登记", NULL,
     "SELECT sum(sender_id IS NULL OR receiver_id IS NULL), count(*) FROM transfers WHERE state = 'succeeded' AND receiver_organisation_id <> organisation_id"},
    {EXCHANGE, "reconciled", "What was sent is what arrived, by digest", "交换前后摘要一致", NULL,
     "SELECT sum(sm3 IS NULL), count(*) FROM transfers WHERE state = 'succeeded'"},
    {USE, "review-first", "Nothing opens without a security review", "未经安全审查不开放", reviewed, NULL},
    {USE, "strict-settings", "No setting is weaker than the clauses ask", "各项设置不低于标准要求", strict, NULL},
    {USE, "default-masks", "What is sensitive is masked without anybody saying how", "敏感字段默认脱敏", NULL,
     "SELECT 4 - count(*), 4 FROM (SELECT DISTINCT coalesce(default_of_tag, default_of_level) FROM mask_rules WHERE state = 'active' AND coalesce(default_of_tag, "
     "default_of_level) IS NOT NULL)"},
    {USE, "levels-and-masks", "Each open field has a level, each of level 3 a mask", "开放字段均已分级，三级字段均脱敏", NULL,
     "SELECT sum(EXISTS (SELECT 1 FROM json_each(a.fields) f WHERE coalesce(json_extract(f.value, '$.level'), 0) = 0 OR (json_extract(f.value, '$.level') = 3 AND "
     "coalesce(json_extract(f.value, '$.mask'), '') IN ('', 'none')))), count(*) FROM apis a WHERE a.state IN ('published', 'deprecated')"},
    {USE, "decided-calls", "Each call is decided and recorded at a gateway", "逐次调用授权判定并留痕", deciding_nodes, NULL},
    {USE, "grants-end", "Each consent ends by itself", "授权均设有效期", NULL,
     "SELECT sum(expires_at IS NULL), count(*) FROM grants WHERE state = 'active'"},
    {USE, "chained-log", "The operations log cannot be changed unseen", "操作日志防篡改", chained_log, NULL},
    {DESTRUCTION, "overwritten", "What is deleted is overwritten", "删除数据被覆写", overwritten, NULL},
    {DESTRUCTION, "files-expire", "Exported files are erased when their time is over", "导出文件到期清除", NULL,
     "SELECT sum(expires_at < ? - 3600000), count(*) FROM exports WHERE state = 'ready'"},
    {DESTRUCTION, "receipts", "Who left has said that the data is deleted", "退出方已提交删除回执", NULL,
     "SELECT sum(receipt_due_at < ?), count(*) FROM exits WHERE state = 'ended'"},
    {DESTRUCTION, "archives", "Archives are disposed of when their time is over", "归档到期处置", NULL,
     "SELECT sum(due_at < ? - 2592000000), count(*) FROM service_archives WHERE state = 'due'"},
    /* clang-format on */
};

/* How many there are, and when the last was. */
static const struct {
    enum stage stage;
    const char *name, *en, *zh, *sql;
} measures[] = {
    /* clang-format off */
    {COLLECTION, "agreements-with-nodes", "Agreements with those data comes from", "与数据提供方签订协议",
     "SELECT count(*), max(updated_at) FROM exchange_nodes WHERE state = 'active' AND agreement IS NOT NULL"},
    {COLLECTION, "policies-of-generation", "Policies of how data comes to be", "数据产生策略",
     "SELECT count(*), max(updated_at) FROM dataset_lives WHERE ways IS NOT NULL"},
    {STORAGE, "backups", "Copies are made and written down", "备份记录",
     "SELECT count(*), max(backed_up_at) FROM dataset_lives WHERE backed_up_at IS NOT NULL"},
    {STORAGE, "emergency-plans", "Plans for emergencies, approved and practised", "应急预案与演练",
     "SELECT count(*), max(updated_at) FROM emergency_plans WHERE state = 'approved'"},
    {TRANSFER, "key-policies", "Keys are renewed by policy", "密钥更新策略", "SELECT count(*), max(updated_at) FROM credential_policies"},
    {EXCHANGE, "reasons", "Each exchange has a reason and an operator", "交换审批与留痕", "SELECT count(*), max(ended_at) FROM transfers WHERE state = 'succeeded'"},
    {USE, "reviews", "Security reviews by a second person", "安全审查", "SELECT count(*), max(reviewed_at) FROM security_reviews WHERE state = 'passed'"},
    {USE, "agreements", "Agreements of use with the parties", "数据使用协议", "SELECT count(*), max(in_force_at) FROM agreements WHERE state = 'in_force'"},
    {DESTRUCTION, "retention-rules", "Rules of how long what is kept", "保存期限制度", "SELECT count(*), max(updated_at) FROM retention_rules"},
    {DESTRUCTION, "exits", "Exits with order and receipt of deletion", "退出与删除回执", "SELECT count(*), max(checked_at) FROM exits WHERE state IN ('checked', 'closed')"},
    /* clang-format on */
};

static enum problem control_of(struct rest_call *c, struct store_txn *txn, size_t k, json_t *list,
                               json_int_t *missing)
{
    struct item i = {0};
    int64_t n[2];
    enum problem p;

    if (controls[k].check) {
        p = controls[k].check(c, txn, &i);
    } else {
        p = numbers(c, txn, controls[k].sql, n);
        say(&i, n[0] == 0, "%lld of %lld are otherwise", (long long)n[0], (long long)n[1]);
    }
    *missing += !i.active;
    json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b, s:s}", "control", controls[k].name,
                                          "title_en", controls[k].en, "title_zh", controls[k].zh,
                                          "active", i.active, "found", i.found));
    return p;
}

static enum problem measure_of(struct rest_call *c, struct store_txn *txn, size_t k, json_t *list,
                               json_int_t *missing)
{
    int64_t n[2];
    enum problem p = numbers(c, txn, measures[k].sql, n);

    *missing += n[0] <= 0;
    json_array_append_new(
        list, json_pack("{s:s, s:s, s:s, s:b, s:I, s:o}", "measure", measures[k].name, "title_en",
                        measures[k].en, "title_zh", measures[k].zh, "in_place", n[0] > 0, "count",
                        (json_int_t)n[0], "last_at", stage_time(n[1] > 0 ? (uint64_t)n[1] : 0)));
    return p;
}

enum problem security_stages(struct rest_call *c, struct store_txn *txn, json_t **stages,
                             json_int_t *missing)
{
    enum problem p = PROBLEM_OK;

    *stages = json_array();
    *missing = 0;
    for (int s = 0; s < STAGES; s++) {
        json_t *active = json_array(), *done = json_array();
        for (size_t k = 0; k < COUNT(controls) && p == PROBLEM_OK; k++) {
            p = (int)controls[k].stage == s ? control_of(c, txn, k, active, missing) : p;
        }
        for (size_t k = 0; k < COUNT(measures) && p == PROBLEM_OK; k++) {
            p = (int)measures[k].stage == s ? measure_of(c, txn, k, done, missing) : p;
        }
        json_array_append_new(*stages,
                              json_pack("{s:s, s:s, s:s, s:o, s:o}", "stage", stage_names[s].name,
                                        "title_en", stage_names[s].en, "title_zh",
                                        stage_names[s].zh, "controls", active, "measures", done));
    }
    return p;
}
