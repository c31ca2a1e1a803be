/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of detect share. */
#pragma once
#include "detect/detect.h"

enum {
    RULE_ID_CARD,
    RULE_USCC,
    RULE_BANK_CARD,
    RULE_MOBILE,
    RULE_EMAIL,
    RULE_PLATE,
    RULE_ADDRESS,
    RULE_PASSPORT,
    RULE_NAME,
    RULE_BIRTHDAY,
    RULE_PHONE,
    RULE_BANK_ACCOUNT,
    RULE_BIRTHPLACE,
    RULE_SECURITY_QUESTION,
    RULE_CARD_CODE,
    RULE_CARD_EXPIRY,
    RULE_CARD_TRACK,
    RULE_CARD_PIN,
    RULE_PAYMENT_PASSWORD,
    RULE_PASSWORD, /* after those that say of what */
    RULE_WALLET,
    RULE_PRODUCT,
    RULE_REVIEW,
    RULE_BEHAVIOUR,
    RULES
};
_Static_assert(RULES == DETECT_BUILT_IN, "one row a rule");

/* detect.c: whether vectorscan takes it; detect_pattern_check has read it before. */
enum detect_err detect_pattern_compiles(struct slice pattern, struct detect_error *err);

/* detect_valid.c: whether a text that has the form is the thing. */
bool valid_bank_card(struct slice digits);
bool valid_division(const char first[static 2]); /* of GB/T 2260, its province */
bool valid_mobile(struct slice digits);          /* with or without 86 */
bool valid_birthday(struct slice text);
bool valid_chinese_name(struct slice text);
bool valid_passport(struct slice text);
