/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "crypto/crypto.h"
#include "id/idnum.h"
#include "mask/mask.h"

static const uint8_t test_key[32] = "a key that only this test uses..";

static struct mask_spec spec_of(const char *text)
{
    struct mask_spec spec;
    assert_int_equal(mask_parse(&spec, slice_str(text)), MASK_OK);
    return spec;
}

struct row {
    const char *rule, *in, *out;
};

/* Masks in a buffer of exactly MASK_OUT_MAX bytes, so that the sanitizer sees one byte more. */
static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct mask_spec spec = spec_of(rows[i].rule);
        struct slice in = slice_str(rows[i].in);
        char *copy = malloc(in.n + 1), *out = malloc(MASK_OUT_MAX(in.n));
        memcpy(copy, in.p, in.n);
        size_t got = mask_apply(&spec, NULL, slice_of(copy, in.n), out);
        if (!slice_eq(slice_of(out, got), slice_str(rows[i].out))) {
            fail_msg("%s %s: got %.*s, want %s", rows[i].rule, rows[i].in, (int)got, out,
                     rows[i].out);
        }
        free(copy);
        free(out);
    }
}

#define ROWS(...)                                                                                  \
    static const struct row rows[] = {__VA_ARGS__};                                                \
    (void)state;                                                                                   \
    check_rows(rows, sizeof rows / sizeof *rows)

static void names(void **state)
{
    ROWS({"name", "张三", "张*"}, {"name", "张三丰", "张**"}, {"name", "欧阳娜娜", "欧***"},
         {"name", "买买提·吐尔逊", "买**·吐**"}, {"name", "John Smith", "J*** S***"},
         {"name", "Jo", "J***"}, {"name", "Åsa Öberg", "Å*** Ö***"},
         {"name", "J. K. Rowling", "J*** K*** R***"},
         {"name", "Anne-Marie O'Neill", "A***-M*** O***"}, {"name", "𠮷田さん", "𠮷***"},
         {"name", "", ""}, {"name", "张", "*"}, {"name", "X Æ", "* *"},
         {"name", "13812345678", "***"}, {"name", "a@b.com", "***"}, {"name", "张三1", "***"},
         {"name", "张三１", "***"}, {"name", "a\nb", "***"});
}

static void phones(void **state)
{
    ROWS({"phone", "13812345678", "138****5678"}, {"phone", "138 1234 5678", "138 **** 5678"},
         {"phone", "138-1234-5678", "138-****-5678"}, {"phone", "+8613812345678", "+86138****5678"},
         {"phone", "+86 138 1234 5678", "+86 138 **** 5678"},
         {"phone", "008613812345678", "0086138****5678"},
         {"phone", "8613812345678", "86138****5678"}, {"phone", "0351-1234567", "***"},
         {"phone", "0351-2234567", "0351-****567"}, {"phone", "03512234567", "0351****567"},
         {"phone", "010-62345678", "010-****5678"}, {"phone", "(021)62345678", "(021)****5678"},
         {"phone", "+86 10 62345678", "+86 10 ****5678"},
         {"phone", "+86-351-2234567", "+86-351-****567"}, {"phone", "62345678", "****5678"},
         {"phone", "2234567", "****567"}, {"phone", "010-62345678x801", "010-****5678x***"},
         {"phone", "+14155552671", "+*******2671"}, {"phone", "12812345678", "***"},
         {"phone", "1381234567", "***"}, {"phone", "138123456789", "***"},
         {"phone", "no phone", "***"}, {"phone", "+", "***"}, {"phone", "+8", "***"},
         {"phone", "+86", "***"}, {"phone", "-", "***"}, {"phone", "0", "***"},
         {"phone", "000", "***"}, {"phone", "00", "***"}, {"phone", "x1", "***"},
         {"phone", "010", "***"}, {"phone", "１３８12345678", "***"},
         {"phone", "13812345678,13912345678", "***"},
         {"phone", "0123456789012345678901234567890", "***"}, {"phone", "", ""});
}

static void emails(void **state)
{
    ROWS({"email", "zhang.san@example.com", "z***@example.com"},
         {"email", "z@example.com", "***@example.com"},
         {"email", "张三@例子.中国", "张***@例子.中国"},
         {"email", "a+b@mail.example.co", "a***@mail.example.co"}, {"email", "a@b", "***"},
         {"email", "@example.com", "***"}, {"email", "zhang", "***"}, {"email", "a@b@c.com", "***"},
         {"email", "a@.com", "***"}, {"email", "a@b..c", "***"}, {"email", "a@b.", "***"},
         {"email", "Zhang <z@e.com>", "***"}, {"email", "\"a b\"@e.com", "***"}, {"email", "", ""});
}

static void addresses(void **state)
{
    ROWS(
        {"address", "山西省太原市小店区长风街1号", "山西省太原市小店区****"},
        {"address", "山西省太原市小店区", "山西省太原市小店区****"},
        {"address", "山西省晋中市介休市北坛路2号", "山西省晋中市介休市****"},
        {"address", "北京市朝阳区建国路88号", "北京市朝阳区****"},
        {"address", "上海市浦东新区张江路1号", "上海市浦东新区****"},
        {"address", "内蒙古自治区锡林郭勒盟正镶白旗明安图镇", "内蒙古自治区锡林郭勒盟正镶白旗****"},
        {"address", "新疆维吾尔自治区伊犁哈萨克自治州伊宁市解放路",
         "新疆维吾尔自治区伊犁哈萨克自治州伊宁市****"},
        {"address", "甘肃省临夏回族自治州积石山保安族东乡族撒拉族自治县吹麻滩镇",
         "甘肃省临夏回族自治州积石山保安族东乡族撒拉族自治县****"},
        {"address", "河北省唐山市路北区新华道1号", "河北省唐山市路北区****"},
        {"address", "江苏省南京市鼓楼区中山路", "江苏省南京市鼓楼区****"},
        {"address", "山西省 太原市 小店区 长风街1号", "山西省 太原市 小店区****"},
        {"address", "新疆维吾尔自治区喀什地区疏附县1村", "新疆维吾尔自治区喀什地区疏附县****"},
        {"address", "太原市长风小区3号楼", "太原市****"},
        {"address", "太原市红旗路5号", "太原市****"},
        {"address", "太原市长风街1号小店区", "太原市****"},
        {"address", "小店区长风街1号", "小店区****"}, {"address", "长风街1号", "***"},
        {"address", "区", "***"}, {"address", "12 Main St, Springfield", "***"},
        {"address", "菜市场路1号", "***"}, {"address", "1号山西省", "***"}, {"address", "", ""},
        {"address", "一二三四五六七八九十一二三四五六七八区", "***"});
}

static void identifiers(void **state)
{
    ROWS({"id_card", "11010119870501101X", "110101**********1X"},
         {"id_card", "110101870501101", "110101*******01"},
         {"id_card", "11010119870501101x", "110101**********1x"},
         {"id_card", "1101011987050110", "***"}, {"id_card", "X1010119870501101X", "***"},
         {"id_card", " 1010119870501101X", "***"}, {"id_card", "11010119870501101A", "***"},
         {"bank_card", "6222020200112233445", "622202*********3445"},
         {"bank_card", "6222 0202 0011 2233", "6222 02** **** 2233"},
         {"bank_card", "622202020011", "***"}, {"bank_card", "62220202001122334455", "***"},
         {"bank_card", "6222O20200112233", "***"},
         {"uscc", "91140100MA0ABCDE1X", "91140100********1X"}, {"uscc", "91140100MA0ABCDE1", "***"},
         {"uscc", "91140100MA0ABCDE-X", "***"}, {"id_card", "", ""}, {"bank_card", "", ""},
         {"bank_card", "-", "***"}, {"uscc", "", ""}, {"uscc", "九一一四零一", "***"});
}

static void keeps(void **state)
{
    ROWS({"keep:3:4", "13812345678", "138****5678"}, {"keep:1:0", "张三丰", "张**"},
         {"keep:0:1", "张三丰", "**丰"}, {"keep:0:0", "abc", "***"}, {"keep:0:0", "abcd", "****"},
         {"keep:2:2", "abcd", "***"}, {"keep:2:2", "abcde", "ab*de"},
         {"keep:255:255", "abc", "***"}, {"keep:1:1", "a", "***"}, {"keep:1:1", "", ""},
         {"keep:1:1", "𠮷é張", "𠮷*張"});
}

static void years(void **state)
{
    ROWS({"year", "1987-05-01", "1987-**-**"}, {"year", "1987/5/1", "1987/**/**"},
         {"year", "1987年5月1日", "1987年**月**日"}, {"year", "1987年12月", "1987年**月"},
         {"year", "1987", "1987"}, {"year", "19870501", "1987****"},
         {"year", "19870501123000", "1987**********"},
         {"year", "1987-05-01T12:34:56.789Z", "1987-**-**T**:**:**.**Z"},
         {"year", "1987-05-01 12:34", "1987-**-** **:**"},
         {"year", "1987-05-01T12:34:56+08:00", "1987-**-**T**:**:**+**:**"},
         {"year", "1763776800", "***"}, {"year", "05/01/1987", "***"},
         {"year", "13812345678", "***"}, {"year", "19871301", "***"},
         {"year", "1987-123-45", "***"}, {"year", "1987张三", "***"}, {"year", "3987-01-01", "***"},
         {"year", "1987-05-01 1234567890123", "***"}, {"year", "1987 1 1 1 1 1 1 1 1 1 1", "***"},
         {"year", "", ""}, {"null", "abc", ""}, {"none", "abc", "***"});
}

static void not_utf8(void **state)
{
    static const struct {
        const char *p;
        size_t n;
    } bad[] = {{"\xff", 1},         {"a\xc3", 2},    {"\xe5\xbc", 2},
               {"\xed\xa0\x80", 3}, {"\xc0\x80", 2}, {"\xf4\x90\x80\x80", 4},
               {"138\x80", 4}};
    (void)state;
    struct mask_key *key = mask_key_new(test_key);
    for (unsigned rule = MASK_NONE; rule < MASK_RULES; rule++) {
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            struct mask_spec spec = {.rule = (uint8_t)rule};
            char out[MASK_OUT_MAX(4)];
            size_t n = mask_apply(&spec, key, slice_of(bad[i].p, bad[i].n), out);
            struct slice want = rule == MASK_NULL ? SLICE("") : SLICE(MASK_COVER);
            assert_true(slice_eq(slice_of(out, n), want));
        }
    }
    mask_key_free(&key);
}

/* The largest value, and one byte more, of each kind of character under each rule. */
static void huge(void **state)
{
    static const char *const fill[] = {"1", "a", " ", "ab ", "张", "é", "\"", "@", "区", "-", "1 "};
    struct mask_key *key = mask_key_new(test_key);
    char *in = malloc(MASK_INPUT_MAX + 1);
    (void)state;
    for (size_t f = 0; f < sizeof fill / sizeof *fill; f++) {
        size_t unit = strlen(fill[f]), n = MASK_INPUT_MAX / unit * unit;
        for (size_t at = 0; at < n; at += unit) {
            memcpy(in + at, fill[f], unit);
        }
        in[MASK_INPUT_MAX] = 'a';
        for (unsigned rule = MASK_NAME; rule < MASK_RULES; rule++) {
            struct mask_spec spec = {.rule = (uint8_t)rule, .first = 1, .last = 1};
            char *out = malloc(MASK_OUT_MAX(n));
            size_t got = mask_apply(&spec, key, slice_of(in, n), out);
            assert_true(utf8_valid(slice_of(out, got)));
            if (rule != MASK_NULL && n == MASK_INPUT_MAX) {
                got = mask_apply(&spec, key, slice_of(in, n + 1), out);
                assert_true(slice_eq(slice_of(out, got), SLICE(MASK_COVER)));
            }
            free(out);
        }
    }
    free(in);
    mask_key_free(&key);
}

struct text_row {
    const char *text;
    enum mask_err err;
};

static void check_texts(const struct text_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct mask_spec spec, before;
        char out[MASK_SPEC_TEXT_MAX];
        memset(&spec, '?', sizeof spec);
        before = spec;
        assert_int_equal(mask_parse(&spec, slice_str(rows[i].text)), rows[i].err);
        if (rows[i].err != MASK_OK) {
            assert_memory_equal(&spec, &before, sizeof spec);
            continue;
        }
        assert_int_equal(mask_format(&spec, out), strlen(rows[i].text));
        assert_string_equal(out, rows[i].text);
    }
}

static void rule_text(void **state)
{
    static const struct text_row rows[] = {
        {"name", MASK_OK},
        {"phone", MASK_OK},
        {"email", MASK_OK},
        {"address", MASK_OK},
        {"id_card", MASK_OK},
        {"bank_card", MASK_OK},
        {"uscc", MASK_OK},
        {"year", MASK_OK},
        {"null", MASK_OK},
        {"none", MASK_OK},
        {"keep:3:4", MASK_OK},
        {"keep:0:255", MASK_OK},
        {"pseudonym", MASK_OK},
        {"pseudonym:orders.phone", MASK_OK},
        {"pseudonym:0123456789012345678901234567890", MASK_OK},
        {"", MASK_ERULE},
        {"Phone", MASK_ERULE},
        {"phones", MASK_ERULE},
        {" phone", MASK_ERULE},
        {"pho", MASK_ERULE},
        {":", MASK_ERULE},
        {"phone:", MASK_EARGUMENT},
        {"phone:1", MASK_EARGUMENT},
        {"keep", MASK_EARGUMENT},
        {"keep:", MASK_EARGUMENT},
        {"keep:1", MASK_EARGUMENT},
        {"keep:1:", MASK_EARGUMENT},
        {"keep::1", MASK_EARGUMENT},
        {"keep:256:1", MASK_EARGUMENT},
        {"keep:1:1000", MASK_EARGUMENT},
        {"keep:-1:1", MASK_EARGUMENT},
        {"keep:1:2:3", MASK_EARGUMENT},
        {"keep:a:1", MASK_EARGUMENT},
        {"pseudonym:", MASK_EARGUMENT},
        {"pseudonym:a b", MASK_EARGUMENT},
        {"pseudonym:01234567890123456789012345678901", MASK_EARGUMENT},
        {"pseudonym:\xe5\xbc\xa0", MASK_EARGUMENT},
    };
    (void)state;
    check_texts(rows, sizeof rows / sizeof *rows);
}

static void keyed_rule_text(void **state)
{
    static const struct text_row rows[] = {
        {"fake_name", MASK_OK},
        {"fake_name:people", MASK_OK},
        {"date_shift:30", MASK_OK},
        {"date_shift:3650:orders", MASK_OK},
        {"scale", MASK_OK},
        {"scale:amounts", MASK_OK},
        {"fake_name:", MASK_EARGUMENT},
        {"date_shift", MASK_EARGUMENT},
        {"date_shift:", MASK_EARGUMENT},
        {"date_shift:0", MASK_EARGUMENT},
        {"date_shift:3651", MASK_EARGUMENT},
        {"date_shift:3x", MASK_EARGUMENT},
        {"date_shift:30:", MASK_EARGUMENT},
        {"scale:a b", MASK_EARGUMENT},
    };
    (void)state;
    check_texts(rows, sizeof rows / sizeof *rows);
}

/* Pseudonyms ------------------------------------------------------------------------------------
 */
static size_t pseudonym(struct mask_key *key, const char *rule, const char *in, char *out)
{
    struct mask_spec spec = spec_of(rule);
    size_t n = mask_apply(&spec, key, slice_str(in), out);
    out[n] = '\0';
    return n;
}

static void pseudonym_equality(void **state)
{
    uint8_t other_bytes[32] = "another key, of this test alone.";
    struct mask_key *key = mask_key_new(test_key), *other = mask_key_new(other_bytes);
    const char *value = "Room 12, 张三丰 <zhang.san@example.com>";
    char a[200], b[200];
    (void)state;
    pseudonym(key, "pseudonym:d", value, a);
    pseudonym(key, "pseudonym:d", value, b);
    assert_string_equal(a, b);
    assert_string_not_equal(a, value);
    pseudonym(key, "pseudonym:e", value, b);
    assert_string_not_equal(a, b);
    pseudonym(key, "pseudonym", value, b);
    assert_string_not_equal(a, b);
    pseudonym(other, "pseudonym:d", value, b);
    assert_string_not_equal(a, b);
    pseudonym(NULL, "pseudonym:d", value, b);
    assert_string_equal(b, MASK_COVER);
    pseudonym(key, "pseudonym:d", "--- ,.", b);
    assert_string_equal(b, MASK_COVER);
    mask_key_free(&key);
    mask_key_free(&other);
    assert_null(key);
}

/* A thief knows the rule, the domain and that the number is one of ten thousand, and has no key:
 * computing all of them under every key one could think of finds it in none, nor does a digest
 * without a key. */
static void no_dictionary_finds_the_value(void **state)
{
    uint8_t guessed[4][32] = {{0}, "pseudonym:phone", "13800130000"};
    struct mask_key *key = mask_key_new(test_key);
    char hidden[200], value[16], guess[200];
    (void)state;
    memset(guessed[3], 0xff, sizeof guessed[3]);
    pseudonym(key, "pseudonym:phone", "13800134711", hidden);
    for (size_t k = 0; k < 4; k++) {
        struct mask_key *theirs = mask_key_new(guessed[k]);
        for (unsigned i = 0; i < 10000; i++) {
            snprintf(value, sizeof value, "1380013%04u", i);
            pseudonym(theirs, "pseudonym:phone", value, guess);
            assert_string_not_equal(guess, hidden);
        }
        mask_key_free(&theirs);
    }
    for (unsigned i = 0; i < 10000; i++) {
        uint8_t digest[CRYPTO_HASH_LEN];
        snprintf(value, sizeof value, "1380013%04u", i);
        for (int alg = CRYPTO_SM3; alg <= CRYPTO_SHA256; alg++) {
            crypto_hash((enum crypto_hash)alg, value, strlen(value), digest);
            for (size_t d = 0; d < 10; d++) {
                guess[d] = (char)('0' + digest[d] % 10);
            }
            assert_memory_not_equal(guess, hidden + 1, 10);
        }
    }
    mask_key_free(&key);
}

static char kind_of(char c)
{
    if ((uint8_t)c >= 0x80) {
        return 'u';
    }
    return c >= '0' && c <= '9' ? '0' : c >= 'a' && c <= 'z' ? 'a' : c >= 'A' && c <= 'Z' ? 'A' : c;
}

static void pseudonym_format(void **state)
{
    static const char *const values[] = {
        "0351-2234567", "Zhang.San@Example.com", "张三丰（北京）1号",
        "AB-12/cd",     "さくら サクラ",         "한국어",
        "Ёлка",         "１２３ＡＢｃ"};
    struct mask_key *key = mask_key_new(test_key);
    char out[200];
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        size_t n = pseudonym(key, "pseudonym", values[i], out);
        assert_int_equal(n, strlen(values[i]));
        assert_string_not_equal(out, values[i]);
        assert_true(utf8_valid(slice_of(out, n)));
        for (size_t at = 0; at < n; at++) {
            assert_int_equal(kind_of(out[at]), kind_of(values[i][at]));
        }
    }
    mask_key_free(&key);
}

static bool proves(char kind, const char *text)
{
    struct slice s = slice_str(text);
    switch (kind) {
    case 'i':
        return idnum_is_id_card(s);
    case 'u':
        return idnum_is_uscc(s);
    case 'b':
        return idnum_is_bank_card(s);
    }
    return s.n == 11 && s.p[0] == '1' && s.p[1] >= '3'; /* mobile */
}

/* Each pseudonym is fed back, so one row tests 200 values. */
static void pseudonym_checks(void **state)
{
    struct {
        char kind, value[32];
    } rows[] = {{'i', "11010119870501101?"},  {'i', "110101870501101"}, {'u', "91140100MA0ABCDE1?"},
                {'b', "622202020011223344?"}, {'b', "621234567890?"},   {'m', "13812345678"}};
    struct mask_key *key = mask_key_new(test_key);
    (void)state;
    rows[0].value[17] = idnum_id_card_check(rows[0].value);
    rows[2].value[17] = idnum_uscc_check(rows[2].value);
    rows[3].value[18] = idnum_luhn_check(slice_of(rows[3].value, 18));
    rows[4].value[12] = idnum_luhn_check(slice_of(rows[4].value, 12));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int turn = 0; turn < 200; turn++) {
            char out[128];
            assert_true(proves(rows[i].kind, rows[i].value));
            pseudonym(key, "pseudonym:cards", rows[i].value, out);
            assert_string_not_equal(out, rows[i].value);
            strcpy(rows[i].value, out);
        }
    }
    char out[128], digits[17];
    pseudonym(key, "pseudonym", "4111 1111 1111 1111", out);
    assert_true(out[4] == ' ' && out[9] == ' ' && out[14] == ' ' && strlen(out) == 19);
    snprintf(digits, sizeof digits, "%.4s%.4s%.4s%.4s", out, out + 5, out + 10, out + 15);
    assert_true(idnum_is_bank_card(slice_str(digits)));
    mask_key_free(&key);
}

/* Each keyed rule: the same in gives the same out, under this key and domain alone. */
static void substitutes_are_keyed(void **state)
{
    static const struct row values[] = {{"fake_name:d", "张三丰", ""},
                                        {"date_shift:3000:d", "2026-01-02", ""},
                                        {"scale:d", "1234.56", ""}};
    struct mask_key *key = mask_key_new(test_key), *other;
    uint8_t bytes[32] = "another key of this test alone.";
    char a[256], b[256];
    (void)state;
    other = mask_key_new(bytes);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        pseudonym(key, values[i].rule, values[i].in, a);
        assert_string_not_equal(a, values[i].in);
        pseudonym(key, values[i].rule, values[i].in, b);
        assert_string_equal(a, b);
        pseudonym(other, values[i].rule, values[i].in, b);
        assert_string_not_equal(a, b);
        pseudonym(NULL, values[i].rule, values[i].in, b);
        assert_string_equal(b, MASK_COVER);
    }
    mask_key_free(&key);
    mask_key_free(&other);
}

static void fake_names_are_names(void **state)
{
    static const char *const names[] = {"张三", "欧阳娜娜", "李四光"};
    struct mask_key *key = mask_key_new(test_key);
    char out[256];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n = pseudonym(key, "fake_name", names[i], out);
        assert_int_equal(n, strlen(names[i]));
        assert_true(utf8_valid(slice_of(out, n)));
        assert_string_not_equal(out, names[i]);
    }
    assert_int_equal(pseudonym(key, "fake_name", "John Smith", out), 10);
    assert_int_equal(out[4], ' ');
    mask_key_free(&key);
}

/* Days between dates, and which comes first, are those of the originals; a time stays. */
static void shifted_dates_keep_their_order(void **state)
{
    static const char *const dates[] = {"2024-02-28", "2024-02-29", "2024-03-01", "2025-12-31",
                                        "2026-01-01"};
    struct mask_key *key = mask_key_new(test_key);
    char last[64] = "", out[256];
    (void)state;
    for (size_t i = 0; i < sizeof dates / sizeof *dates; i++) {
        assert_int_equal(pseudonym(key, "date_shift:400", dates[i], out), 10);
        assert_true(strcmp(last, out) < 0);
        snprintf(last, sizeof last, "%.20s", out);
    }
    pseudonym(key, "date_shift:400", "2024-02-29T13:01:59+08:00", out);
    assert_string_equal(out + 10, "T13:01:59+08:00");
    assert_int_equal(pseudonym(key, "date_shift:400", "20240229", out), 8);
    assert_int_equal(pseudonym(key, "date_shift:400", "2024/02/29", out), 10);
    static const char *const none[] = {"2024-13-01",  "2024-00-01", "2024-02/29", "no date",
                                       "2024-02-29x", "202402291",  "1024-02-29"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        pseudonym(key, "date_shift:400", none[i], out);
        assert_string_equal(out, MASK_COVER);
    }
    mask_key_free(&key);
}

/* Lines that add up to a total do so afterwards, to the last digit. */
static void scaled_numbers_keep_their_sums(void **state)
{
    static const char *const lines[] = {"10.25", "0.75", "-3.00", "1999.99"}, *total = "2007.99";
    struct mask_key *key = mask_key_new(test_key);
    char out[256];
    long long sum = 0, whole = 0;
    (void)state;
    for (size_t i = 0; i <= sizeof lines / sizeof *lines; i++) {
        bool last = i == sizeof lines / sizeof *lines;
        pseudonym(key, "scale", last ? total : lines[i], out);
        long long scaled = 0;
        size_t places = 4;
        const char *point = strchr(out, '.');
        for (const char *p = out; *p; p++) {
            if (*p >= '0' && *p <= '9') {
                scaled = scaled * 10 + (*p - '0');
            }
        }
        for (size_t k = point ? strlen(point + 1) : 0; k < places; k++) {
            scaled *= 10;
        }
        scaled = out[0] == '-' ? -scaled : scaled;
        *(last ? &whole : &sum) += scaled;
    }
    assert_int_equal(sum, whole);
    static const char *const none[] = {"1e5", "", "1.", ".5", "12a", "-", "1234567890123456",
                                       "NaN"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        pseudonym(key, "scale", none[i], out);
        assert_string_equal(out, none[i][0] ? MASK_COVER : "");
    }
    mask_key_free(&key);
}

static void removal_leaves_nothing(void **state)
{
    struct mask_spec spec = spec_of("null");
    char out[64];
    (void)state;
    assert_int_equal(mask_apply(&spec, NULL, SLICE("secret"), out), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"[EC-6.1.4.2] names keep the first character of each word", names, NULL, NULL, NULL},
        {"[EC-6.1.4.2] telephone numbers lose four digits", phones, NULL, NULL, NULL},
        {"[EC-6.1.4.2] e-mail addresses keep one character and the domain", emails, NULL, NULL,
         NULL},
        {"[EC-6.1.4.2] addresses end at the district", addresses, NULL, NULL, NULL},
        {"[BK-7.2.2c2-2] identifiers, cards and codes keep their ends", identifiers, NULL, NULL,
         NULL},
        {"[EC-3.15a] keep:N:M never shows a whole value", keeps, NULL, NULL, NULL},
        {"[SW-9.8-exc2] dates keep their year", years, NULL, NULL, NULL},
        {"[EC-6.1.4.2] what is not UTF-8 is covered under every rule", not_utf8, NULL, NULL, NULL},
        {"[EC-6.1.4.2] huge values are covered and never overrun", huge, NULL, NULL, NULL},
        {"[SW-8.1-p6] rules read and print", rule_text, NULL, NULL, NULL},
        {"[SW-9.8-exc4] [EC-3.15b] pseudonyms keep equality, under a key", pseudonym_equality, NULL,
         NULL, NULL},
        {"[EC-3.15b] no dictionary finds the value of a pseudonym", no_dictionary_finds_the_value,
         NULL, NULL, NULL},
        {"[SW-9.6.2-3b] pseudonyms keep the format", pseudonym_format, NULL, NULL, NULL},
        {"[SW-9.8-exc5] pseudonyms keep check digits valid", pseudonym_checks, NULL, NULL, NULL},
        {"texts of keyed rules are read", keyed_rule_text, NULL, NULL, NULL},
        {"[SW-9.6.2-3b, EC-3.15b] substitutes are keyed", substitutes_are_keyed, NULL, NULL, NULL},
        {"[SW-9.6.2-3b] a name becomes another name of as many characters", fake_names_are_names,
         NULL, NULL, NULL},
        {"[SW-9.8-exc4] shifted dates keep their order and distances",
         shifted_dates_keep_their_order, NULL, NULL, NULL},
        {"[SW-9.8-exc4] scaled numbers keep their sums", scaled_numbers_keep_their_sums, NULL, NULL,
         NULL},
        {"[SW-9.6.2-3a] the removal rule leaves nothing", removal_leaves_nothing, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
