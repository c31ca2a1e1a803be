/* SPDX-License-Identifier: Apache-2.0 */
/* Every kind of notice, one a row. Append only: subscribers name them. */
#include "api/api.h"
#include "notices/notices.h"

static const struct notice_kind kinds[] = {
    /* clang-format off */
    {"platform-test", "A test notice: %s", "测试通知：%s"},
    {"app-admitted", "The app was admitted: %s", "应用已准入：%s"},
    {"app-returned", "The app was returned for changes: %s", "应用申请已退回：%s"},
    {"app-suspended", "The app was suspended: %s", "应用已暂停：%s"},
    {"app-resumed", "The app is admitted again: %s", "应用已恢复：%s"},
    {"subscription-approved", "A subscription was approved: %s", "接口订阅已批准：%s"},
    {"subscription-returned", "A subscription was returned for changes: %s",
     "接口订阅申请已退回：%s"},
    {"subscription-suspended", "A subscription was suspended: %s", "接口订阅已暂停：%s"},
    {"certificate-requested", "A certificate is asked for: %s", "有新的证书申请：%s"},
    {"certificate-issued", "The certificate was issued: %s", "证书已签发：%s"},
    {"certificate-refused", "The certificate was refused: %s", "证书申请被拒绝：%s"},
    {"credential-rotated", "The credential has a successor: %s", "应用凭证已轮换：%s"},
    {"credential-expiring", "The credential ends soon: %s", "应用凭证即将到期：%s"},
    {"credential-expired", "The credential is over: %s", "应用凭证已到期：%s"},
    {"credential-lost", "The credential was reported lost: %s", "应用凭证已挂失：%s"},
    {"credential-revoked", "A credential was revoked: %s", "应用凭证已吊销：%s"},
    {"password-changed", "Your password was changed: %s", "您的密码已修改：%s"},
    {"registration-applied", "Somebody registered and waits for review: %s", "有新的注册待审核：%s"},
    {"registration-approved", "Your registration was approved: %s", "您的注册已通过审核：%s"},
    {"registration-refused", "Your registration was refused: %s", "您的注册未通过审核：%s"},
    {"identity-overdue", "Your identity must be verified again: %s", "您的身份需要重新核验：%s"},
    {"grant-made", "A grant was made: %s", "新增授权：%s"},
    {"grant-revoked", "A grant was revoked: %s", "授权已撤销：%s"},
    {"test-report-confirmed", "A test report waits for review: %s", "有新的联调测试报告待审核：%s"},
    {"test-report-accepted", "The test report was accepted: %s", "测试报告已通过：%s"},
    {"test-report-returned", "The test report was returned: %s", "测试报告已退回：%s"},
    {"app-testing", "The app may be tested: %s", "应用已进入联调测试阶段：%s"},
    {"preparation-opened", "A list of preparations waits for you: %s", "接入准备清单已开启：%s"},
    {"preparation-overdue", "The preparations are overdue: %s", "接入准备清单已逾期：%s"},
    {"scan-overdue", "A security scan is overdue: %s", "安全扫描已逾期：%s"},
    /* clang-format on */
};

const struct notice_kind *notice_kind_by_name(const char *name)
{
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

enum problem rest_notice_kinds(struct rest_call *c)
{
    json_t *items = json_array();

    for (size_t i = 0; i < COUNT(kinds); i++) {
        json_array_append_new(items, json_pack("{s:s, s:s, s:s}", "name", kinds[i].name, "title_en",
                                               kinds[i].title_en, "title_zh", kinds[i].title_zh));
    }
    return rest_answer(c, 200, json_pack("{s:o}", "items", items));
}
