/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sandbox.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "id/idnum.h"

#define DAYS_IN_MONTHS 28 /* that every month has */

static enum sandbox_kind kind_of_mask(const struct mask_spec *mask)
{
    static const enum sandbox_kind kinds[MASK_RULES] = {
        [MASK_NAME] = SANDBOX_PERSON,         [MASK_PHONE] = SANDBOX_PHONE,
        [MASK_EMAIL] = SANDBOX_EMAIL,         [MASK_ADDRESS] = SANDBOX_ADDRESS,
        [MASK_ID_CARD] = SANDBOX_ID_CARD,     [MASK_USCC] = SANDBOX_USCC,
        [MASK_BANK_CARD] = SANDBOX_BANK_CARD,
    };
    return mask->rule < MASK_RULES ? kinds[mask->rule] : SANDBOX_PLAIN;
}

static bool holds(const char *name, const char *word)
{
    return strstr(name, word) != NULL;
}

/* The first that fits: an enterprise's name before a person's. */
static enum sandbox_kind kind_of_name(const char *name)
{
    static const struct {
        const char *word;
        enum sandbox_kind kind;
    } words[] = {
        {"phone", SANDBOX_PHONE},
        {"mobile", SANDBOX_PHONE},
        {"email", SANDBOX_EMAIL},
        {"idcard", SANDBOX_ID_CARD},
        {"id_card", SANDBOX_ID_CARD},
        {"identity", SANDBOX_ID_CARD},
        {"uscc", SANDBOX_USCC},
        {"unisc", SANDBOX_USCC},
        {"credit_code", SANDBOX_USCC},
        {"bankcard", SANDBOX_BANK_CARD},
        {"bank_card", SANDBOX_BANK_CARD},
        {"card_no", SANDBOX_BANK_CARD},
        {"address", SANDBOX_ADDRESS},
        {"company", SANDBOX_ENTERPRISE},
        {"enterprise", SANDBOX_ENTERPRISE},
        {"merchant", SANDBOX_ENTERPRISE},
        {"amount", SANDBOX_AMOUNT},
        {"price", SANDBOX_AMOUNT},
        {"balance", SANDBOX_AMOUNT},
        {"name", SANDBOX_PERSON},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (holds(name, words[i].word))
            return words[i].kind;
    return SANDBOX_PLAIN;
}

enum sandbox_kind sandbox_kind_of(struct slice name, const struct mask_spec *mask)
{
    char lower[64];
    size_t n = name.n < sizeof lower - 1 ? name.n : sizeof lower - 1;
    enum sandbox_kind kind = kind_of_mask(mask);

    for (size_t i = 0; i < n; i++)
        lower[i] = (char)tolower((unsigned char)name.p[i]);
    lower[n] = '\0';
    return kind != SANDBOX_PLAIN ? kind : kind_of_name(lower);
}

/* A division no province has, a birthday, a number, the check digit. */
static void add_id_card(struct buf *out, uint64_t row)
{
    char text[IDNUM_ID_CARD_LEN + 1];
    unsigned n = (unsigned)(row % 1000);

    snprintf(text, sizeof text, "119999%04u%02u%02u%03u", 1970 + n % 30, 1 + n % 12,
             1 + n % DAYS_IN_MONTHS, n);
    text[17] = idnum_id_card_check(text);
    buf_add(out, text, IDNUM_ID_CARD_LEN);
}

static void add_uscc(struct buf *out, uint64_t row)
{
    char text[IDNUM_USCC_LEN + 1];

    snprintf(text, sizeof text, "91999999TEST%05u", (unsigned)(row % 100000));
    for (char *p = text; *p; p++)
        *p = *p == 'S' ? 'X' : *p; /* a letter that no code has */
    text[17] = idnum_uscc_check(text);
    buf_add(out, text, IDNUM_USCC_LEN);
}

static void add_bank_card(struct buf *out, uint64_t row)
{
    char text[20];
    int n = snprintf(text, sizeof text, "999999%09u", (unsigned)(row % 1000000000));

    text[n] = idnum_luhn_check(slice_of(text, (size_t)n));
    buf_add(out, text, (size_t)n + 1);
}

static void add_date(struct buf *out, uint64_t row)
{
    unsigned n = (unsigned)(row % (12 * DAYS_IN_MONTHS));

    buf_addf(out, "2000-%02u-%02u", 1 + n / DAYS_IN_MONTHS, 1 + n % DAYS_IN_MONTHS);
}

static void add_by_type(struct buf *out, enum query_type type, struct slice name, uint64_t row)
{
    unsigned long long number = (unsigned long long)row + 1;

    switch (type) {
    case QUERY_INTEGER:
        buf_addf(out, "%llu", number);
        break;
    case QUERY_NUMBER:
        buf_addf(out, "%llu.%02llu", number * 100, number % 100);
        break;
    case QUERY_BOOLEAN:
        buf_adds(out, row % 2 ? "false" : "true");
        break;
    case QUERY_DATE:
        add_date(out, row);
        break;
    case QUERY_DATETIME:
        add_date(out, row);
        buf_addf(out, " 08:%02u:00", (unsigned)(row % 60));
        break;
    case QUERY_BINARY:
        buf_addf(out, "test%llu", number);
        break;
    case QUERY_JSON:
        buf_addf(out, "{\"test\":%llu}", number);
        break;
    default:
        buf_addf(out, "test-%.*s-%llu", SLICE_FMT(name), number);
    }
}

void sandbox_value(struct buf *out, enum sandbox_kind kind, enum query_type type, struct slice name,
                   uint64_t row)
{
    unsigned long long number = (unsigned long long)row + 1;

    if (type != QUERY_STRING) { /* a number stays a number, whatever it is called */
        add_by_type(out, type, name, row);
        return;
    }
    switch (kind) {
    case SANDBOX_PERSON:
        buf_addf(out, "测试用户%04llu", number);
        break;
    case SANDBOX_ENTERPRISE:
        buf_addf(out, "测试企业%04llu有限公司", number);
        break;
    case SANDBOX_PHONE:
        buf_addf(out, "1540000%04llu", number % 10000); /* no network has 154 */
        break;
    case SANDBOX_EMAIL:
        buf_addf(out, "user%llu@example.com", number);
        break;
    case SANDBOX_ADDRESS:
        buf_addf(out, "测试省测试市测试区测试路%llu号", number);
        break;
    case SANDBOX_ID_CARD:
        add_id_card(out, row);
        break;
    case SANDBOX_BANK_CARD:
        add_bank_card(out, row);
        break;
    case SANDBOX_USCC:
        add_uscc(out, row);
        break;
    case SANDBOX_AMOUNT:
        buf_addf(out, "%llu.%02llu", number * 100, number % 100);
        break;
    case SANDBOX_PLAIN:
        add_by_type(out, type, name, row);
    }
}
