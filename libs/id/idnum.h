/* SPDX-License-Identifier: Apache-2.0 */
/* Chinese identifiers proven by their check digits: 统一社会信用代码 (GB 32100, mod 31), 居民身份证
 * (GB 11643, 18 digits with mod 11-2, or the older 15), bank cards (Luhn). No allocation. */
#pragma once
#include "base/slice.h"

#define IDNUM_USCC_LEN    18
#define IDNUM_ID_CARD_LEN 18

bool idnum_is_uscc(struct slice text);
bool idnum_is_id_card(struct slice text);   /* 18 or 15 characters, date included */
bool idnum_is_bank_card(struct slice text); /* 13 to 19 digits, Luhn */
/* The 18th character for the first 17; '\0' when one of them cannot stand in a code. */
char idnum_uscc_check(const char first[static 17]);
char idnum_id_card_check(const char first[static 17]);
char idnum_luhn_check(struct slice digits);
