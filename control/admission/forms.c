/* SPDX-License-Identifier: Apache-2.0 */
/* The forms, one table each. Adding a member is adding a row. */
#include "admission/forms.h"
#include "admission/inner.h"

#define TEXT_MAX 4000

#define T(name, zh, en)                                                                            \
    {                                                                                              \
        name, FORM_TEXT, true, 1, TEXT_MAX, NULL, zh, en                                           \
    }

static const char *const none[] = {NULL};

/* EC-4.2.2-0a, EC-4.2.2-0b, EC-7.1.1b: docs/templates/third-party-security-duties.md has their
 * words; who does not accept them is not admitted. */
static const char *const duties[] = {"manage-authorised-data", "prevent-leaks",
                                     "return-to-authorised-user", NULL};

/* EC-4.2.2a2 to a4, EC-3.10, EC-4.2.2-0b, EC-4.2.2c1 */
static const struct form_member third_party[] = {
    /* clang-format off */
    {"uscc", FORM_USCC, true, 1, 18, NULL, "统一社会信用代码", "Unified social credit code"},
    T("qualification", "企业资质说明", "The company's qualification"),
    T("purpose", "软件用途", "What the software is for"),
    {"merchants", FORM_TEXTS, true, 1, 256, NULL, "使用该软件的商户", "Merchants that use it"},
    T("functions", "应用功能", "What the software does"),
    {"data_levels", FORM_LEVELS, true, 1, 3, NULL, "希望访问的数据级别", "Data levels wanted"},
    T("leak_prevention", "防泄露措施自评", "How leaks are prevented, by its own assessment"),
    {"duties", FORM_ALL, true, 1, 3, duties, "接受的安全职责", "Security duties accepted"},
    T("secure_lifecycle", "软件生命周期安全措施", "How the software is kept secure through its life"),
    T("release_review", "发布安全审核说明", "How a release is reviewed for security"),
    T("emergency_organisation", "应急响应组织", "Its emergency response organisation"),
    T("emergency_contacts", "应急联系人", "Whom to reach in an emergency"),
    /* clang-format on */
};
static const char *const third_party_documents[] = {"business-licence", "release-review", NULL};
static const char *const third_party_judged[] = {"qualification", "legality", "leak_prevention",
                                                 "secure_lifecycle", NULL};

/* BK-9.1.1c, BK-9.1.1d1, BK-9.1.2b, BK-8g */
static const struct form_member bank_party[] = {
    /* clang-format off */
    {"uscc", FORM_USCC, true, 1, 18, NULL, "统一社会信用代码", "Unified social credit code"},
    {"legal_person", FORM_PERSON, true, 0, 0, NULL, "法定代表人", "Legal person"},
    {"developers", FORM_PEOPLE, true, 1, 32, NULL, "主要应用开发人员", "Main developers of the app"},
    T("clients", "服务客群", "Whom it serves"),
    T("scenarios", "服务场景", "In which scenarios"),
    T("market_share", "市场份额", "Its share of the market"),
    T("operations", "运营能力", "Its ability to operate"),
    T("risk_control", "风控能力", "Its ability to control risk"),
    T("technical_ability", "技术能力", "Its technical ability"),
    T("management", "管理水平", "Its management"),
    {"protection_level", FORM_NUMBER, true, 2, 5, NULL, "等级保护级别", "Level of classified protection"},
    {"volume_per_day", FORM_NUMBER, true, 1, 1000000000, NULL, "预期日交易量", "Calls expected in a day"},
    T("integration", "集成模式", "How the APIs are integrated"),
    {"data_levels", FORM_LEVELS, false, 1, 3, NULL, "希望访问的数据级别", "Data levels wanted"},
    /* clang-format on */
};
static const char *const bank_documents[] = {"operating-qualification", "legal-person",
                                             "developer-identity", "protection-certificate", NULL};
static const char *const bank_judged[] = {"clients",    "scenarios",    "market_share",
                                          "operations", "risk_control", "technical_ability",
                                          "management", "compliance",   NULL};

/* GS-6.1a: the contents are the services of 6.2 to 6.8 that are connected. */
static const char *const contents[] = {
    "service-items", "service-portal", "user-sign-on", "licence",  "seals",          "operations",
    "security",      "data-exchange",  "payment",      "messages", "data-reporting", NULL};
static const struct form_member access_plan[] = {
    /* clang-format off */
    {"contents", FORM_WORDS, true, 1, 11, contents, "接入内容", "What is connected"},
    {"plans", FORM_PLANS, true, 1, 11, contents, "各接入内容的接入方案", "The plan of each content"},
    T("network_topology", "IP 网络拓扑", "Topology of the IP network"),
    {"addresses", FORM_ADDRESSES, true, 1, 64, NULL, "IP 地址", "IP addresses calls come from"},
    {"domains", FORM_DOMAINS, true, 1, 32, NULL, "域名", "Domain names"},
    T("location", "平台部署位置", "Where it is deployed"),
    T("security_plan", "安全防护方案", "Plan of its protection"),
    T("cloud_hardware", "云平台硬件描述", "Hardware of its cloud platform"),
    T("balancer_hardware", "负载均衡等硬件描述", "Load balancers and other hardware"),
    {"interfaces", FORM_INTERFACES, true, 1, 256, contents, "接口调用方案", "Interfaces, and how often they are called"},
    /* clang-format on */
};
static const char *const plan_judged[] = {"plan", "security_plan", NULL};

/* CI-6.1.1, and what its filing record takes over (CI-6.1.3b) */
static const struct form_member credit_platform[] = {
    /* clang-format off */
    T("reason", "申请接入的理由", "Why it is to be connected"),
    T("data_needs", "数据需求", "Data needed"),
    T("purpose", "用途", "Purpose"),
    T("network_environment", "网络环境", "Network environment"),
    T("security_safeguards", "安全保障", "Security safeguards"),
    T("hardware", "硬件条件", "Hardware"),
    {"interfaces", FORM_INTERFACES, true, 1, 256, NULL, "接口调用方案", "Interfaces, and how often they are called"},
    {"platform_name", FORM_TEXT, true, 1, 200, NULL, "平台名称", "Name of the platform"},
    {"user_number", FORM_TEXT, true, 1, 64, NULL, "用户编号", "User number"},
    {"domain", FORM_TEXT, true, 1, 253, NULL, "域名", "Domain name"},
    {"server_ip", FORM_TEXT, true, 2, 64, NULL, "服务器 IP", "IP address of the server"},
    {"operating_unit", FORM_TEXT, true, 1, 200, NULL, "运营单位名称", "Unit that operates it"},
    {"contact_name", FORM_TEXT, true, 1, 100, NULL, "联系人姓名", "Name of a contact"},
    {"contact_phone", FORM_TEXT, true, 3, 32, NULL, "联系电话", "Telephone of the contact"},
    /* clang-format on */
};
static const char *const credit_documents[] = {"unit-proof", NULL};
static const char *const credit_judged[] = {"materials", "access_plan", NULL};

/* SW-8.2c, SW-9.6.1-b2: also of data that the catalogue does not have yet */
static const struct form_member data_service[] = {
    /* clang-format off */
    {"resource", FORM_TEXT, true, 1, 500, NULL, "数据资源", "The data asked for"},
    {"interfaces", FORM_INTERFACES, false, 1, 256, NULL, "已有接口", "Interfaces that give it already"},
    {"fields", FORM_TEXTS, true, 1, 512, NULL, "字段", "Fields"},
    T("purpose", "使用目的", "Purpose"),
    {"from", FORM_TIME, false, 0, 0, NULL, "起始时间", "From when"},
    {"until", FORM_TIME, true, 0, 0, NULL, "使用期限", "Until when"},
    {"data_levels", FORM_LEVELS, false, 1, 3, NULL, "希望访问的数据级别", "Data levels wanted"},
    /* clang-format on */
};
static const char *const service_judged[] = {"need", NULL};

/* BK-10.2.1a1 */
static const struct form_member information_update[] = {
    /* clang-format off */
    T("operations", "运营能力", "Its ability to operate"),
    T("risk_control", "风控能力", "Its ability to control risk"),
    {"other", FORM_TEXT, false, 1, TEXT_MAX, NULL, "其他变更信息", "What else has changed"},
    /* clang-format on */
};
static const char *const update_judged[] = {"operations", "risk_control", NULL};

#define ROWS(table) table, COUNT(table)
static const struct form forms[] = {
    /* clang-format off */
    {"third-party-software", "第三方软件接入申请", "Third-party software", FORM_APP | FORM_IDENTITY, ROWS(third_party), third_party_documents, third_party_judged},
    {"bank-application-party", "应用方准入申请", "Application party of bank interfaces", FORM_APP | FORM_IDENTITY | FORM_ASSESSED, ROWS(bank_party), bank_documents, bank_judged},
    {"access-plan", "接入方案", "Access plan", FORM_APP, ROWS(access_plan), none, plan_judged},
    {"credit-platform", "商务诚信平台接入申请", "Platform that exchanges credit information", FORM_APP, ROWS(credit_platform), credit_documents, credit_judged},
    {"data-service", "数据服务开放申请", "Opening of data", 0, ROWS(data_service), none, service_judged},
    {"information-update", "应用方信息更新", "Update of a party's information", 0, ROWS(information_update), none, update_judged},
    /* clang-format on */
};

const struct form *forms_find(const char *name)
{
    for (size_t i = 0; i < COUNT(forms); i++) {
        if (strcmp(forms[i].name, name) == 0) {
            return &forms[i];
        }
    }
    return NULL;
}

/* GET /form-kinds ------------------------------------------------------------------------------ */
static json_t *words(const char *const *list)
{
    json_t *out = json_array();

    for (size_t i = 0; list && list[i]; i++) {
        json_array_append_new(out, json_string(list[i]));
    }
    return out;
}

static json_t *describe_member(const struct form_member *m)
{
    static const char *const types[] = {
        [FORM_TEXT] = "text",       [FORM_NUMBER] = "number", [FORM_TEXTS] = "texts",
        [FORM_WORDS] = "words",     [FORM_LEVELS] = "levels", [FORM_USCC] = "uscc",
        [FORM_PERSON] = "person",   [FORM_PEOPLE] = "people", [FORM_ADDRESSES] = "addresses",
        [FORM_DOMAINS] = "domains", [FORM_TIME] = "time",     [FORM_INTERFACES] = "interfaces",
        [FORM_ALL] = "all",         [FORM_PLANS] = "plans"};
    json_t *out =
        json_pack("{s:s, s:s, s:s, s:s, s:b, s:I, s:I}", "name", m->name, "title_zh", m->title_zh,
                  "title_en", m->title_en, "type", types[m->type], "required", m->required, "min",
                  (json_int_t)m->min, "max", (json_int_t)m->max);

    if (m->values) {
        json_object_set_new(out, "values", words(m->values));
    }
    return out;
}

static json_t *describe(const struct form *f)
{
    json_t *members = json_array();

    for (size_t i = 0; i < f->n_members; i++) {
        json_array_append_new(members, describe_member(&f->members[i]));
    }
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:b, s:b}", "name", f->name, "title_zh",
                     f->title_zh, "title_en", f->title_en, "members", members, "documents",
                     words(f->documents), "judged", words(f->judged), "identity",
                     (f->flags & FORM_IDENTITY) != 0, "assessed", (f->flags & FORM_ASSESSED) != 0);
}

enum problem rest_form_kinds(struct rest_call *c)
{
    json_t *items = json_array();

    for (size_t i = 0; i < COUNT(forms); i++) {
        json_array_append_new(items, describe(&forms[i]));
    }
    return rest_answer(c, 200, json_pack("{s:o}", "items", items));
}
