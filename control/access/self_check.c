/* SPDX-License-Identifier: Apache-2.0 */
/* The technical items of the second level of GB/T 22239 (SW-9.1-8b), each worked out from what is
 * set, stored and running at this moment; an item that cannot be shown has failed. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "access/access.h"
#include "api/api.h"
#include "base/clock.h"
#include "crypto/certificate.h"
#include "identity/inner.h"

#define CHAIN_LAST     2000 /* operations looked at */
#define IDLE_MAX_S     1800
#define ABSOLUTE_MAX_S 43200
#define BACKUP_MAX_S   (7 * 86400)
#define WHY_MAX        200

struct item {
    bool pass;
    char why[WHY_MAX];
};
typedef enum problem (*checker)(struct rest_call *c, struct store_txn *txn, struct item *i);

static void say(struct item *i, bool pass, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void say(struct item *i, bool pass, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(i->why, sizeof i->why, format, args);
    va_end(args);
    i->pass = pass;
}

static enum problem number(struct rest_call *c, struct store_txn *txn, const char *sql, int64_t *n)
{
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, NULL, 0, &rows);

    *n = err == STORE_OK && store_next(rows) ? store_get_int(rows, 0) : -1;
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

static enum problem unique_identity(struct rest_call *c, struct store_txn *txn, struct item *i)
{
    int64_t n = 0;
    enum problem p = number(c, txn,
                            "SELECT count(*) FROM (SELECT 1 FROM users WHERE state <> 'closed' "
                            "GROUP BY lower(login) HAVING count(*) > 1) AS twice",
                            &n);

    say(i, n == 0, "%lld login names are given twice", (long long)n);
    return p;
}

static enum problem password_policy(struct rest_call *c, struct store_txn *txn, struct item *i)
{
    int64_t bad = 0;
    bool weak = rest_password_check(c, "", "password1234", "somebody") != PROBLEM_OK,
         strong = rest_password_check(c, "", "Hx7#mQ2v!tR9wLz", "somebody") == PROBLEM_OK;
    enum problem p = number(c, txn,
                            "SELECT count(*) FROM users WHERE state = 'active' AND password_hash "
                            "NOT LIKE '$argon2id$%'",
                            &bad);

    c->where[0] = c->detail[0] = '\0';
    say(i, weak && strong && bad == 0,
        "a weak password is %s, a good one %s; %lld are stored otherwise than by argon2id",
        weak ? "refused" : "taken", strong ? "taken" : "refused", (long long)bad);
    return p;
}

static enum problem default_accounts(struct rest_call *c, struct store_txn *txn, struct item *i)
{
    int64_t n = 0;
    enum problem p = number(c, txn,
                            "SELECT count(*) FROM users WHERE state = 'active' AND login = 'admin' "
                            "AND password_change_required = 1",
                            &n);

    say(i, n == 0,
        n ? "the first administrator still has the first password"
          : "the first administrator's password has been changed");
    return p;
}

static enum problem login_lock(struct rest_call *c, struct store_txn *txn, struct item *i)
{
    uint64_t wait_ms = 0;
    enum problem p = failures_try(c, &wait_ms);

    (void)txn;
    say(i, wait_ms > 0, "after repeated failures a login waits %llu s",
        (unsigned long long)(wait_ms / 1000));
    return p;
}

static enum problem session_timeout(struct rest_call *c, struct store_txn *txn, struct item *i)
{
    int64_t idle = 0, absolute = 0;
    enum problem p = number(c, txn, "SELECT max(idle_s) FROM session_policies", &idle);

    if (p == PROBLEM_OK) {
        p = number(c, txn, "SELECT max(absolute_s) FROM session_policies", &absolute);
    }
    say(i, idle > 0 && idle <= IDLE_MAX_S && absolute <= ABSOLUTE_MAX_S,
        "sessions end after %lld s unused and %lld s in all; at most %d and %d", (long long)idle,
        (long long)absolute, IDLE_MAX_S, ABSOLUTE_MAX_S);
    return p;
}

static enum problem least_privilege(struct rest_call *c, struct store_txn *txn, struct item *i)
{
    int64_t security = 0, auditors = 0;
    bool on = access_separation(txn);
    enum problem p = number(
        c, txn, "SELECT count(*) FROM users WHERE state = 'active' AND role = 'security-admin'",
        &security);

    if (p == PROBLEM_OK) {
        p = number(c, txn, "SELECT count(*) FROM users WHERE state = 'active' AND role = 'auditor'",
                   &auditors);
    }
    say(i, on && security > 0 && auditors > 0,
        "separation is %s; %lld security administrators, %lld auditors", on ? "on" : "off",
        (long long)security, (long long)auditors);
    return p;
}

static enum problem every_user_audited(struct rest_call *c, struct store_txn *txn, struct item *i)
{
    int64_t n = 0;
    enum problem p =
        number(c, txn,
               "SELECT count(*) FROM sessions s JOIN users u ON u.id = s.user_id WHERE "
               "NOT EXISTS (SELECT 1 FROM operations o WHERE o.actor = u.login AND "
               "o.action = 'sign-in' AND o.resource_id = s.id)",
               &n);

    say(i, n == 0, "%lld live sessions whose sign-in is not in the log", (long long)n);
    return p;
}

static enum problem protected_logs(struct rest_call *c, struct store_txn *txn, struct item *i)
{
    int64_t bad = 0, looked = 0;
    enum store_err err = log_verify(txn, CHAIN_LAST, &looked, &bad);

    say(i, err == STORE_OK && looked > 0 && bad == 0,
        bad ? "of the last %lld operations, the chain breaks at number %lld"
            : "the chain of the last %lld operations holds (%lld breaks)",
        (long long)looked, (long long)bad);
    return rest_store_problem(c, err);
}

/* Through the very parser that callers meet. */
static enum problem input_checking(struct rest_call *c, struct store_txn *txn, struct item *i)
{
    static const char *const bad[] = {"{", "[]", "{\"a\":1,\"a\":2}", "{\"a\":\"\xff\"}"};
    size_t refused = 0;

    (void)txn;
    for (size_t k = 0; k < COUNT(bad); k++) {
        const struct rest_request req = {
            .method = "POST", .path = "/api/v1/sessions", .body = slice_str(bad[k])};
        struct rest_response resp;
        rest_response_init(&resp);
        rest_dispatch(c->ctl, &req, &resp);
        refused += resp.status == problem_row(PROBLEM_BODY_MALFORMED)->status;
        rest_response_fini(&resp);
    }
    say(i, refused == COUNT(bad), "%zu of %zu malformed bodies are refused", refused, COUNT(bad));
    return PROBLEM_OK;
}

static bool load_certificate(const struct rest_call *c, struct crypto_certificate **crt)
{
    char path[1024], pem[CRYPTO_CERTIFICATE_MAX];
    int n = snprintf(path, sizeof path, "%s/pki/control.crt", c->ctl->cfg->data_dir);
    FILE *f = n < (int)sizeof path ? fopen(path, "rb") : NULL;
    size_t read = f ? fread(pem, 1, sizeof pem, f) : 0;

    if (f) {
        fclose(f);
    }
    return read > 0 && crypto_certificate_load(crt, slice_of(pem, read)) == CRYPTO_OK;
}

static enum problem transfer_integrity(struct rest_call *c, struct store_txn *txn, struct item *i)
{
    struct crypto_certificate *crt = NULL;
    int64_t from_ms = 0, to_ms = 0;

    (void)txn;
    if (load_certificate(c, &crt)) {
        crypto_certificate_validity(crt, &from_ms, &to_ms);
    }
    crypto_certificate_free(&crt);
    bool good = from_ms <= (int64_t)c->now_ms && to_ms > (int64_t)c->now_ms;
    say(i, good,
        good ? "TLS 1.2 or 1.3 alone, with a certificate in its time"
             : "the certificate of the control plane is missing or over");
    return PROBLEM_OK;
}

static time_t newest_in(const char *dir)
{
    char path[2048];
    struct dirent *entry;
    struct stat st;
    time_t newest = 0;
    DIR *d = opendir(dir);

    while (d && (entry = readdir(d)) != NULL) {
        bool fits = snprintf(path, sizeof path, "%s/%s", dir, entry->d_name) < (int)sizeof path;
        if (fits && stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
            newest = st.st_mtime > newest ? st.st_mtime : newest;
        }
    }
    if (d) {
        closedir(d);
    }
    return newest;
}

static enum problem backup(struct rest_call *c, struct store_txn *txn, struct item *i)
{
    char dir[1024];
    int64_t age_s;

    (void)txn;
    snprintf(dir, sizeof dir, "%s/backup", c->ctl->cfg->data_dir);
    time_t newest = newest_in(dir);
    age_s = (int64_t)(c->now_ms / 1000) - (int64_t)newest;
    say(i, newest > 0 && age_s <= BACKUP_MAX_S,
        newest ? "the newest copy in DATA/backup is %lld h old" : "there is no copy in DATA/backup",
        (long long)(age_s / 3600));
    return PROBLEM_OK;
}

static enum problem residual_data(struct rest_call *c, struct store_txn *txn, struct item *i)
{
    int64_t on = 0, over = 0;
    const struct store_value v = store_int((int64_t)c->now_ms - 86400000);
    struct store_rows *rows = NULL;
    enum problem p = number(c, txn, "PRAGMA secure_delete", &on);

    if (p == PROBLEM_OK && store_query(txn, "SELECT count(*) FROM captchas WHERE expires_at < ?",
                                       &v, 1, &rows) == STORE_OK) {
        over = store_next(rows) ? store_get_int(rows, 0) : -1;
        p = rest_store_problem(c, store_rows_end(&rows));
    }
    say(i, on > 0 && over == 0,
        "what is deleted is %s; %lld secrets of use no more are older than a day",
        on > 0 ? "overwritten" : "left in the file", (long long)over);
    return p;
}

static enum problem remote_administration(struct rest_call *c, struct store_txn *txn,
                                          struct item *i)
{
    char rule[SETTING_MAX] = "off";
    int64_t listed = 0;
    const char *fixed = c->ctl->cfg->admin_networks;
    enum problem p =
        number(c, txn, "SELECT count(*) FROM admin_networks WHERE state = 'active'", &listed);

    if (p == PROBLEM_OK) {
        p = setting_get(c, txn, "second-factor", rule);
    }
    bool networks = listed > 0 || (fixed && fixed[0]),
         factors = c->ctl->cfg->admin_second_factor || strcmp(rule, "off") != 0;
    say(i, networks && factors, "networks are %s, a second factor is %s",
        networks ? "listed" : "not listed", factors ? "asked for" : "not asked for");
    return p;
}

static const struct {
    const char *name, *title_en, *title_zh;
    checker check;
} items[] = {
    /* clang-format off */
    {"unique-identity", "Each account is one person's", "身份标识唯一", unique_identity},
    {"password-policy", "Passwords are strong and well kept", "口令复杂度与存储", password_policy},
    {"default-accounts", "No first password is in use", "默认口令已修改", default_accounts},
    {"login-lock", "Repeated failures put a login off", "登录失败处理", login_lock},
    {"session-timeout", "Sessions end by themselves", "会话超时", session_timeout},
    {"least-privilege", "Administration is separated", "管理权限最小化与分离", least_privilege},
    {"audit-every-user", "Every sign-in is on record", "审计覆盖到每个用户", every_user_audited},
    {"protected-logs", "The log cannot be changed unseen", "审计记录受保护", protected_logs},
    {"input-checking", "Malformed input is refused", "输入有效性检验", input_checking},
    {"transfer-integrity", "Transfers are protected", "传输完整性与保密性", transfer_integrity},
    {"backup", "There is a recent copy", "数据备份", backup},
    {"residual-data", "What is deleted is gone", "剩余信息清除", residual_data},
    {"remote-administration", "Staff come from listed networks with two factors",
     "远程管理受控", remote_administration},
    /* clang-format on */
};

enum problem rest_access_self_check(struct rest_call *c)
{
    json_t *out = json_array();
    struct store_txn *txn = NULL;
    bool all = true;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    for (size_t k = 0; p == PROBLEM_OK && k < COUNT(items); k++) {
        struct item i = {0};
        p = items[k].check(c, txn, &i);
        all = all && i.pass;
        json_array_append_new(out, json_pack("{s:s, s:s, s:b, s:s}", "item", items[k].name, "title",
                                             c->zh ? items[k].title_zh : items[k].title_en, "pass",
                                             i.pass, "why", i.why));
    }
    store_rollback(&txn);
    json_t *answer = json_pack("{s:b, s:o}", "pass", all, "items", out);
    if (p != PROBLEM_OK) {
        json_decref(answer);
        return p;
    }
    return rest_answer(c, 200, answer);
}
