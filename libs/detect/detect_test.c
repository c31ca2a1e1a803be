/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "detect/detect_inner.h"
#include "id/idnum.h"

static struct detect *d;

static int setup(void **state)
{
    struct detect_error err;
    size_t bad;

    (void)state;
    return detect_new(&d, NULL, 0, &bad, &err);
}

static int teardown(void **state)
{
    (void)state;
    detect_free(&d);
    return 0;
}

static struct detect_column votes(const char *value)
{
    struct detect_column column = {0};

    detect_value(d, &column, slice_str(value));
    return column;
}

/* What a value is, what it is not, and what it holds in running text. */
static const struct {
    const char *value;
    int rule;
    char how; /* v: valid, m: only the form, i: inside, n: nothing */
} values[] = {
    {"11010519491231002X", RULE_ID_CARD, 'v'},
    {"11010519491231002x", RULE_ID_CARD, 'v'},
    {" 440524188001010014 ", RULE_ID_CARD, 'v'},
    {"11010519491231002 X", RULE_ID_CARD, 'v'},
    {"110105194912310021", RULE_ID_CARD, 'm'},
    {"130503670401001", RULE_ID_CARD, 'v'},
    {"130503671301001", RULE_ID_CARD, 'm'},
    {"111010519491231002X", RULE_ID_CARD, 'n'},
    {"证件 11010519491231002X，已核", RULE_ID_CARD, 'i'},
    {"91350100M000100Y43", RULE_USCC, 'v'},
    {"91350100M000100Y44", RULE_USCC, 'm'},
    {"6222021234567890129", RULE_BANK_CARD, 'm'},
    {"4111111111111111", RULE_BANK_CARD, 'v'},
    {"4111 1111 1111 1111", RULE_BANK_CARD, 'v'},
    {"4111-1111-1111-1111", RULE_BANK_CARD, 'v'},
    {"1111111111111117", RULE_BANK_CARD, 'n'},
    {"7992739871300000", RULE_BANK_CARD, 'm'},
    {"13800138000", RULE_MOBILE, 'v'},
    {"+86 138 0013 8000", RULE_MOBILE, 'v'},
    {"138-0013-8000", RULE_MOBILE, 'v'},
    {"12800138000", RULE_MOBILE, 'n'},
    {"138001380001", RULE_MOBILE, 'm'},
    {"请电13800138000联系", RULE_MOBILE, 'i'},
    {"lihua@mail.example.com", RULE_EMAIL, 'v'},
    {"write to lihua@mail.example.com today", RULE_EMAIL, 'i'},
    {"lihua@localhost", RULE_EMAIL, 'n'},
    {"闽D12345", RULE_PLATE, 'v'},
    {"粤B·F12345", RULE_PLATE, 'v'},
    {"闽I12345", RULE_PLATE, 'n'},
    {"福建省厦门市思明区湖滨南路81号", RULE_ADDRESS, 'v'},
    {"12 Market Street", RULE_ADDRESS, 'v'},
    {"福建省", RULE_ADDRESS, 'n'},
    {"E12345678", RULE_PASSPORT, 'v'},
    {"EA1234567", RULE_PASSPORT, 'v'},
    {"EA123456", RULE_PASSPORT, 'n'},
    {"王小明", RULE_NAME, 'v'},
    {"欧阳小明", RULE_NAME, 'v'},
    {"收货人", RULE_NAME, 'n'},
    {"Anna Smith", RULE_NAME, 'v'},
    {"anna smith", RULE_NAME, 'n'},
    {"1987-02-28", RULE_BIRTHDAY, 'v'},
    {"1987年2月28日", RULE_BIRTHDAY, 'v'},
    {"1987-02-30", RULE_BIRTHDAY, 'm'},
    {"0592-2201234", RULE_PHONE, 'v'},
    {"35020012345678", RULE_BANK_ACCOUNT, 'v'},
    {"\xff\xfe\x31", RULE_NAME, 'n'},
};

static void each_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct detect_column c = votes(values[i].value);
        const struct detect_votes *v = &c.votes[values[i].rule];
        char got = v->valid ? 'v' : v->inside ? 'i' : v->matched ? 'm' : 'n';
        if (got != values[i].how)
            fail_msg("%s: %s wanted %c, got %c", values[i].value, detect_rules[values[i].rule].name,
                     values[i].how, got);
    }
    assert_int_equal(votes("   ").values, 0);
}

static const struct {
    const char *words, *name, *comment;
    bool named;
} names[] = {
    {"buyer_name", "buyerName", "", true},
    {"buyer_name", "BUYER_NAME", "", true},
    {"buyer_name", "buyername", "", true},
    {"name", "product_name", "", true},
    {"=name", "product_name", "", false},
    {"=name", "Name", "", true},
    {"name", "surname", "", false},
    {"id_no", "idno", "", true},
    {"身份证", "col7", "持证人身份证号", true},
    {"身份证", "身份", "", false},
    {"pin", "shipping", "", false},
    {"cvv2", "cvv2", "", true},
    {"phone", "", "", false},
};

static void each_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (detect_named(names[i].words, slice_str(names[i].name), slice_str(names[i].comment)) !=
            names[i].named)
            fail_msg("%s in %s/%s", names[i].words, names[i].name, names[i].comment);
    }
}

static size_t judge(const struct detect_column *c, const char *name, struct detect_finding f[4])
{
    return detect_judge(c, slice_str(name), SLICE(""), f, 4);
}

static void columns(void **state)
{
    struct detect_finding f[4];
    struct detect_column c = {0};

    (void)state;
    /* Order numbers that happen to pass Luhn now and then are no cards. */
    for (int i = 0; i < 200; i++) {
        char text[32];
        snprintf(text, sizeof text, "62%014d", i * 7919);
        detect_value(d, &c, slice_str(text));
    }
    assert_int_equal(judge(&c, "order_no", f), 0);
    /* One value in ten is wrong: still cards. */
    c = (struct detect_column){0};
    for (int i = 0; i < 200; i++) {
        char text[32];
        snprintf(text, sizeof text, "622202%09d", i * 7919);
        text[15] = (char)(idnum_luhn_check(slice_of(text, 15)) + (i % 10 == 0));
        text[15] = text[15] > '9' ? '0' : text[15];
        text[16] = '\0';
        detect_value(d, &c, slice_str(text));
    }
    assert_true(judge(&c, "c1", f) >= 1);
    assert_int_equal(f[0].rule, RULE_BANK_CARD);
    assert_true(f[0].confidence > 0.9 && !f[0].named);
    /* Without a value the name is all there is. */
    c = (struct detect_column){0};
    assert_int_equal(judge(&c, "pay_password", f), 2);
    assert_int_equal(judge(&c, "weight", f), 0);
    /* Dates are birthdays where the column says so. */
    detect_value(d, &c, SLICE("1987-02-28"));
    assert_int_equal(judge(&c, "ordered_at", f), 0);
    assert_int_equal(judge(&c, "birthday", f), 1);
    /* Two of fifty remarks hold a telephone number. */
    c = (struct detect_column){0};
    for (int i = 0; i < 50; i++)
        detect_value(d, &c, i % 25 ? SLICE("货已收到，谢谢") : SLICE("请电13800138000联系"));
    assert_int_equal(judge(&c, "remark", f), 1);
    assert_true(f[0].inside && f[0].rule == RULE_MOBILE);
}

static const struct {
    const char *pattern;
    int at; /* -1: fine */
} patterns[] = {
    {"CN[0-9]{10}", -1},
    {"(?:EB|EA)\\d{6}(-[A-Z])?", -1},
    {"提单[0-9A-Z]{8,12}", -1},
    {"", 0},
    {"a*", 1},
    {"a+", 1},
    {"a{2,}", 1},
    {"a{65}", 1},
    {"a{3,2}", 1},
    {"(a", 0},
    {"a)", 1},
    {"[a", 0},
    {"[]", 1},
    {"(?=a)", 1},
    {"(a)\\1", 3},
    {"^a", 0},
    {"a$", 1},
    {"a?", 0},
    {"a??", 2},
    {"((((((a))))))", -1},
    {"(((((((a)))))))", 6},
    {"(a{64}){64}", 0},
    {"\\", 0},
    {"[z-a]", -2},
    {"a|", 0},
    {"\xff", 0},
    {"a\nb", 1},
};

static void own_patterns(void **state)
{
    struct detect_error err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        enum detect_err e = detect_pattern_check(slice_str(patterns[i].pattern), &err);
        bool fits = patterns[i].at == -1
                        ? e == DETECT_OK
                        : e == DETECT_EPATTERN && err.why[0] &&
                              (patterns[i].at == -2 || err.at == (size_t)patterns[i].at);
        if (!fits)
            fail_msg("%s: %d at %zu: %s", patterns[i].pattern, e, err.at, err.why);
    }
    const struct slice own[] = {SLICE("CN[0-9]{10}"), SLICE("提单[0-9A-Z]{8,12}")};
    struct detect *mine = NULL;
    struct detect_column c = {0};
    size_t bad;
    assert_int_equal(detect_new(&mine, own, 2, &bad, &err), DETECT_OK);
    detect_value(mine, &c, SLICE("CN0123456789"));
    detect_value(mine, &c, SLICE("xCN0123456789"));
    detect_value(mine, &c, SLICE("提单ABCD1234"));
    assert_int_equal(c.votes[DETECT_BUILT_IN].valid, 1);
    assert_int_equal(c.votes[DETECT_BUILT_IN + 1].valid, 1);
    detect_free(&mine);
    const struct slice wrong[] = {SLICE("ok"), SLICE("a+")};
    assert_int_equal(detect_new(&mine, wrong, 2, &bad, &err), DETECT_EPATTERN);
    assert_int_equal(bad, 1);
    assert_null(mine);
}

/* Every number with its own check digit is found; with any other last digit it is not. */
static void check_digits_decide(void **state)
{
    uint64_t seed = 42;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        char id[24], card[24];
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        unsigned r = (unsigned)(seed >> 33);
        snprintf(id, sizeof id, "3502%02u%04u%02u%02u%03u", 1 + r % 12, 1950 + r % 60,
                 1 + r / 7 % 12, 1 + r / 11 % 28, r / 13 % 1000);
        id[17] = idnum_id_card_check(id);
        id[18] = '\0';
        snprintf(card, sizeof card, "6222%011u", r);
        card[15] = idnum_luhn_check(slice_of(card, 15));
        card[16] = '\0';
        assert_int_equal(votes(id).votes[RULE_ID_CARD].valid, 1);
        assert_int_equal(votes(card).votes[RULE_BANK_CARD].valid, 1);
        id[17] = id[17] == 'X' ? '0' : id[17] == '9' ? 'X' : (char)(id[17] + 1);
        card[15] = card[15] == '9' ? '0' : (char)(card[15] + 1);
        assert_int_equal(votes(id).votes[RULE_ID_CARD].valid, 0);
        assert_int_equal(votes(card).votes[RULE_BANK_CARD].valid, 0);
    }
}

/* Adding values to two halves and summing is adding them to one: that is how steps are summed. */
static void counts_add_up(void **state)
{
    struct detect_column all = {0}, half[2] = {0};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        detect_value(d, &all, slice_str(values[i].value));
        detect_value(d, &half[i % 2], slice_str(values[i].value));
    }
    assert_int_equal(all.values, half[0].values + half[1].values);
    for (size_t r = 0; r < DETECT_BUILT_IN; r++) {
        assert_int_equal(all.votes[r].valid, half[0].votes[r].valid + half[1].votes[r].valid);
        assert_true(all.votes[r].valid <= all.votes[r].matched);
    }
}

static void table_is_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < detect_rules_n; i++) {
        assert_non_null(detect_rules[i].name);
        assert_in_range(detect_rules[i].level, 1, 4);
        assert_true(detect_rules[i].words[0] && detect_rules[i].category[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_whole), cmocka_unit_test(each_value),
        cmocka_unit_test(each_name),      cmocka_unit_test(columns),
        cmocka_unit_test(own_patterns),   cmocka_unit_test(check_digits_decide),
        cmocka_unit_test(counts_add_up),
    };
    return cmocka_run_group_tests_name("detect", tests, setup, teardown);
}
