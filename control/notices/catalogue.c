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
    {"approval-requested", "An act waits for a second administrator: %s",
     "有操作待另一管理员批准：%s"},
    {"approval-decided", "An act you asked for was decided: %s", "您申请的操作已有结论：%s"},
    {"grant-made", "A grant was made: %s", "新增授权：%s"},
    {"grant-revoked", "A grant was revoked: %s", "授权已撤销：%s"},
    {"application-submitted", "An application waits for review: %s", "有新的申请待审核：%s"},
    {"application-accepted", "The application was accepted for review: %s", "申请已受理：%s"},
    {"application-advanced", "The application passed a step of its review: %s", "申请已通过一个审核环节：%s"},
    {"application-returned", "The application was returned: %s", "申请已退回：%s"},
    {"application-approved", "The application was approved: %s", "申请已通过：%s"},
    {"application-refused", "The application was refused: %s", "申请未通过：%s"},
    {"agreement-offered", "An agreement waits for signatures: %s", "有协议待签署：%s"},
    {"agreement-in-force", "The agreement is in force: %s", "协议已生效：%s"},
    {"agreement-ended", "The agreement has ended: %s", "协议已终止：%s"},
    {"certificate-document-expiring", "A qualification certificate ends soon: %s", "资质证书即将到期：%s"},
    {"certificate-document-expired", "A qualification certificate is over: %s", "资质证书已到期：%s"},
    {"assessment-expired", "An assessment is over: %s", "评估已到期：%s"},
    {"re-review-opened", "A review comes due again: %s", "需要复审：%s"},
    {"re-review-overdue", "A review is overdue: %s", "复审已逾期：%s"},
    {"preparation-overdue", "A preparation for access is overdue: %s", "接入准备已逾期：%s"},
    {"major-change-filed", "A party tells of a major change: %s", "应用方报告重大变更：%s"},
    {"major-change-decided", "The major change was decided on: %s", "重大变更已处置：%s"},
    {"grant-requested", "An app asks for your data: %s", "有应用请求访问您的数据：%s"},
    {"grant-request-approved", "The owner agreed to a request: %s", "数据授权请求已获同意：%s"},
    {"grant-request-refused", "The owner refused a request: %s", "数据授权请求被拒绝：%s"},
    {"licence-approved", "A licence was approved: %s", "企业授权协议已通过审核：%s"},
    {"licence-returned", "A licence was returned for changes: %s", "企业授权协议已退回：%s"},
    {"licence-refused", "A licence was refused: %s", "企业授权协议未通过审核：%s"},
    {"licence-revoked", "A licence was revoked: %s", "企业授权协议已撤销：%s"},
    {"services-closed", "Your API services were closed: %s", "您的接口服务已关闭：%s"},
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
