/* SPDX-License-Identifier: Apache-2.0 */
/* The table of what is found. A new rule is a row here and, if values speak for it, one in the
 * patterns of detect.c. Words with `_` are parts of a name in a row; one with `=` is the whole
 * name. */
#include "detect/detect_inner.h"

#define USER "user-data"
const struct detect_rule detect_rules[] = {
    /* clang-format off */
    [RULE_ID_CARD] = {"id-card", DETECT_PROVEN, 4, "id_card", "identity", {USER},
        "身份证 证件号 公民身份 id_card id_no id_number identity_no identity_number cert_no sfz sfzh citizen_id resident_id"},
    [RULE_USCC] = {"uscc", DETECT_PROVEN, 2, "uscc", "enterprise", {"business-data"},
        "统一社会信用代码 信用代码 uscc usci unisc_id credit_code social_credit"},
    [RULE_BANK_CARD] = {"bank-card", DETECT_PROVEN, 4, "bank_card", "finance", {USER, "personal-financial", "pfi-account", "payment-account"},
        "银行卡 卡号 信用卡 借记卡 card_no card_number bank_card credit_card debit_card card_num pan"},
    [RULE_MOBILE] = {"mobile", DETECT_PROVEN, 3, "phone", "contact", {USER},
        "手机 移动电话 mobile cell cellphone mobile_phone phone phone_no tel telephone msisdn 电话 联系方式"},
    [RULE_EMAIL] = {"email", DETECT_PROVEN, 3, "email", "contact", {USER}, "邮箱 电子邮件 邮件地址 email e_mail mail email_address"},
    [RULE_PLATE] = {"plate", DETECT_LIKELY, 3, "keep:2:1", "identity", {USER}, "车牌 号牌 plate plate_no license_plate car_no vehicle_no"},
    [RULE_ADDRESS] = {"address", DETECT_LIKELY, 3, "address", "contact", {USER},
        "地址 住址 住所 收货地 address addr street residence consignee_address"},
    [RULE_PASSPORT] = {"passport", DETECT_SUPPORTED, 4, "keep:1:2", "identity", {USER}, "护照 passport passport_no travel_document"},
    [RULE_NAME] = {"person-name", DETECT_SUPPORTED, 3, "name", "identity", {USER},
        "姓名 名字 联系人 收货人 法人 法定代表人 持卡人 =name full_name real_name person_name buyer_name contact_name customer_name consignee "
        "consignee_name holder_name cardholder owner_name username xm"},
    [RULE_BIRTHDAY] = {"birthday", DETECT_SUPPORTED, 3, "year", "identity", {USER}, "生日 出生日期 出生年月 birthday birth_date date_of_birth dob birth csrq"},
    [RULE_PHONE] = {"phone", DETECT_SUPPORTED, 3, "phone", "contact", {USER}, "电话 座机 传真 固话 phone tel telephone fax landline contact_no"},
    [RULE_BANK_ACCOUNT] = {"bank-account", DETECT_SUPPORTED, 4, "bank_card", "finance", {USER, "personal-financial", "pfi-account", "payment-account"},
        "银行账号 银行帐号 账号 帐号 账户号 account_no account_number bank_account iban acct_no acct"},
    [RULE_BIRTHPLACE] = {"birthplace", DETECT_NAMED, 3, "address", "identity", {USER}, "出生地 籍贯 birthplace birth_place place_of_birth native_place"},
    [RULE_PASSWORD] = {"password", DETECT_NAMED, 4, "null", "credential", {USER}, "密码 口令 password passwd pwd passphrase secret login_password"},
    [RULE_SECURITY_QUESTION] = {"security-question", DETECT_NAMED, 4, "null", "credential", {USER},
        "密保 密码提示 提示问题 安全问题 security_question security_answer secret_question secret_answer password_hint"},
    [RULE_CARD_CODE] = {"card-code", DETECT_NAMED, 4, "null", "finance", {"payment-sensitive"}, "卡片验证码 安全码 cvv cvv2 cvn cvn2 cvc card_code card_verification"},
    [RULE_CARD_EXPIRY] = {"card-expiry", DETECT_NAMED, 4, "null", "finance", {"payment-sensitive"}, "卡片有效期 卡有效期 card_expiry card_exp expiry_date_card card_valid"},
    [RULE_CARD_TRACK] = {"card-track", DETECT_NAMED, 4, "null", "finance", {"payment-sensitive"}, "磁道 芯片信息 track1 track2 track3 track_data magstripe chip_data"},
    [RULE_CARD_PIN] = {"card-pin", DETECT_NAMED, 4, "null", "finance", {"payment-sensitive"}, "银行卡密码 取款密码 card_pin pin pin_block card_password"},
    [RULE_PAYMENT_PASSWORD] = {"payment-password", DETECT_NAMED, 4, "null", "finance", {"payment-sensitive"}, "支付密码 交易密码 pay_password payment_password trade_password"},
    [RULE_WALLET] = {"payment-account-code", DETECT_NAMED, 4, "bank_card", "finance", {USER, "personal-financial", "pfi-account", "payment-account"},
        "支付账号 支付账户 支付宝 微信支付 wallet wallet_id alipay payment_account pay_account"},
    [RULE_PRODUCT] = {"product-detail", DETECT_NAMED, 1, "", "trade", {USER}, "商品 产品详情 product_title product_detail product_description product_name goods sku_name"},
    [RULE_REVIEW] = {"review", DETECT_NAMED, 2, "", "trade", {USER}, "评价 评论 review comment rating_text feedback"},
    [RULE_BEHAVIOUR] = {"behaviour", DETECT_NAMED, 3, "keep:1:0", "behaviour", {"business-data", "behaviour"},
        "购买记录 浏览 收藏 聊天 行为 purchase_history browse browsing_history click favourite favorite chat chat_message search_history"},
    /* clang-format on */
};
const size_t detect_rules_n = sizeof detect_rules / sizeof *detect_rules;
