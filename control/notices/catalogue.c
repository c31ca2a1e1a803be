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
    {"test-report-confirmed", "A test report waits for review: %s", "有新的联调测试报告待审核：%s"},
    {"test-report-accepted", "The test report was accepted: %s", "测试报告已通过：%s"},
    {"test-report-returned", "The test report was returned: %s", "测试报告已退回：%s"},
    {"app-testing", "The app may be tested: %s", "应用已进入联调测试阶段：%s"},
    {"test-preparation-opened", "A list of preparations waits for you: %s", "接入准备清单已开启：%s"},
    {"test-preparation-overdue", "The preparations are overdue: %s", "接入准备清单已逾期：%s"},
    {"scan-overdue", "A security scan is overdue: %s", "安全扫描已逾期：%s"},
    {"case-opened", "A case was opened: %s", "新的事件待处理：%s"},
    {"case-shared", "You are asked to help look into a case: %s", "请配合事件调查：%s"},
    {"case-answered", "A case was answered: %s", "事件已有新的答复：%s"},
    {"case-agreed", "A solution was agreed for a case: %s", "事件解决方案已商定：%s"},
    {"case-closed", "A case was closed: %s", "事件已办结：%s"},
    {"case-unanswered", "A case is taken up by nobody: %s", "事件无人处理，已升级：%s"},
    {"case-overdue", "A case is overdue: %s", "事件逾期未办结，已升级：%s"},
    {"incident-opened", "An incident was opened: %s", "新的安全事件：%s"},
    {"incident-fixed", "An incident is said to be fixed: %s", "安全事件已提交修复：%s"},
    {"incident-verified", "The fix of an incident was verified: %s", "安全事件修复已核验：%s"},
    {"incident-reopened", "An incident is open again: %s", "安全事件已退回处理：%s"},
    {"incident-contained", "An incident was contained: %s", "已对安全事件采取控制措施：%s"},
    {"incident-overdue", "An incident was not fixed in time: %s", "安全事件逾期未修复：%s"},
    {"incident-suspended", "An app was suspended for an incident: %s",
     "应用因安全事件逾期未修复被暂停：%s"},
    {"self-report-submitted", "A report waits for review: %s", "有新的自查报告待审阅：%s"},
    {"self-report-accepted", "The report was accepted: %s", "自查报告已通过：%s"},
    {"self-report-returned", "The report was returned: %s", "自查报告已退回：%s"},
    {"self-report-due", "A report is due soon: %s", "自查报告即将到期：%s"},
    {"self-report-overdue", "A report is overdue: %s", "自查报告已逾期：%s"},
    {"exit-announced", "An app is about to leave: %s", "应用即将退出：%s"},
    {"exit-of-app", "An app you gave access to is about to leave; your grants to it end: %s",
     "您授权的应用即将退出，届时对其的授权终止：%s"},
    {"exit-settled", "An exit is settled: %s", "应用退出已完成清算：%s"},
    {"exit-cancelled", "The exit was cancelled: %s", "应用退出已取消：%s"},
    {"exit-unsettled", "The date of an exit has come and it is not settled: %s",
     "应用退出日已到但尚未完成清算：%s"},
    {"exit-ended", "An app has left: %s", "应用已退出：%s"},
    {"exit-deletion-ordered", "Delete what the app received, and say so: %s",
     "请删除应用所获取的数据并提交回执：%s"},
    {"exit-receipt-received", "A receipt of deletion waits for review: %s",
     "有新的数据删除回执待核验：%s"},
    {"exit-receipt-checked", "The receipt of deletion was accepted: %s", "数据删除回执已通过：%s"},
    {"exit-receipt-returned", "The receipt of deletion was returned: %s", "数据删除回执已退回：%s"},
    {"exit-receipt-overdue", "The receipt of deletion is overdue: %s", "数据删除回执已逾期：%s"},
    {"exit-duty-ended", "A duty that outlived an exit is over: %s", "退出后的存续义务已到期：%s"},
    {"api-changed", "An API that you use changed: %s", "您使用的接口已变更：%s"},
    {"api-deprecated", "An API that you use is to end: %s", "您使用的接口即将废止：%s"},
    {"api-stopped", "An API that you use was disabled: %s", "您使用的接口已停用：%s"},
    {"api-suspended", "An API that you use was suspended: %s", "您使用的接口已暂停：%s"},
    {"api-ended", "An API that you use has ended: %s", "您使用的接口已终止：%s"},
    {"service-change-announced", "An API that you use is about to change: %s",
     "您使用的接口即将变更：%s"},
    {"service-change-for-users", "A service that works with your data is about to change: %s",
     "涉及您数据的服务即将变更：%s"},
    {"service-change-rolled-back", "The change of an API was taken back: %s", "接口变更已回退：%s"},
    {"service-termination-announced", "A service that you use is about to end: %s",
     "您使用的服务即将终止：%s"},
    {"service-termination-for-users", "A service that works with your data is about to end: %s",
     "涉及您数据的服务即将终止：%s"},
    {"service-archive-due", "The time to keep an archive is over; dispose of it: %s",
     "归档保留期已满，请处置：%s"},
    {"scheduled-task-failed", "A scheduled task failed: %s", "定时任务执行失败：%s"},
    {"collection-out-of-scope", "A collection was refused, it is outside its tool's scope: %s",
     "数据采集超出采集工具授权范围，已拒绝：%s"},
    {"collection-missed", "A scheduled collection was missed: %s", "定期采集任务未按时执行：%s"},
    {"collection-failed", "A collection failed: %s", "数据采集失败：%s"},
    {"transfer-ended", "A transfer into your zone has ended: %s", "数据推送任务已结束：%s"},
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
