/* SPDX-License-Identifier: Apache-2.0 */
/* Each proof on its own. Numbers of identity documents and enterprises are proven in libs/id. */
#include "base/utf8.h"
#include "detect/detect_inner.h"
#include "id/idnum.h"

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* What the networks gave out: first digits, from and to, and how long such a card is. */
static const struct {
    uint32_t from, to; /* of the first six digits */
    uint8_t min, max;
} bins[] = {
    {620000, 629999, 16, 19},                           /* UnionPay */
    {400000, 499999, 16, 16},                           /* Visa */
    {510000, 559999, 16, 16}, {222100, 272099, 16, 16}, /* Mastercard */
    {340000, 349999, 15, 15}, {370000, 379999, 15, 15}, /* American Express */
    {352800, 358999, 16, 16},                           /* JCB */
    {300000, 305999, 14, 14}, {360000, 369999, 14, 14}, /* Diners Club */
    {601100, 601199, 16, 19}, {603300, 603399, 16, 19}, {955800, 955899, 19, 19},
    {940000, 940099, 16, 19}, /* cards of banks from before UnionPay's numbers */
};

bool valid_bank_card(struct slice s)
{
    uint32_t bin = 0;

    if (s.n < 14 || s.n > 19)
        return false;
    for (size_t i = 0; i < 6; i++)
        bin = bin * 10 + (uint32_t)(s.p[i] - '0');
    for (size_t i = 0; i < sizeof bins / sizeof *bins; i++) {
        if (bin >= bins[i].from && bin <= bins[i].to && s.n >= bins[i].min && s.n <= bins[i].max)
            return idnum_luhn_check(slice_of(s.p, s.n - 1)) == s.p[s.n - 1];
    }
    return false;
}

bool valid_division(const char first[static 2])
{
    static const char provinces[] =
        "10111213141521222331323334353637414243444546505152535461626364657181"
        "8291";

    for (const char *at = provinces; *at; at += 2) {
        if (at[0] == first[0] && at[1] == first[1])
            return true;
    }
    return false;
}

bool valid_mobile(struct slice s)
{
    /* By the third digit: the blocks that carry people's telephones. */
    static const char *const third[10] = {NULL,         NULL,        NULL,   "0123456789",
                                          "56789",      "012356789", "2567", "012345678",
                                          "0123456789", "012356789"};

    if (s.n == 13 && s.p[0] == '8' && s.p[1] == '6')
        s = slice_of(s.p + 2, 11);
    if (s.n != 11 || s.p[0] != '1' || !digit(s.p[1]) || !third[s.p[1] - '0'])
        return false;
    return strchr(third[s.p[1] - '0'], s.p[2]) != NULL;
}

/* The next run of at most `most` digits; -1: there is none. */
static int number(struct slice *s, size_t most)
{
    int n = 0;
    size_t i = 0;

    while (s->n > 0 && !digit(*s->p)) {
        s->p++;
        s->n--;
    }
    for (; i < most && i < s->n && digit(s->p[i]); i++)
        n = n * 10 + (s->p[i] - '0');
    s->p += i;
    s->n -= i;
    return i ? n : -1;
}

bool valid_birthday(struct slice s)
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = number(&s, 4), month = number(&s, 2), day = number(&s, 2);

    return year >= 1900 && year <= 2035 && month >= 1 && month <= 12 && day >= 1 &&
           day <= days[month - 1] && !(month == 2 && day == 29 && (year % 4 || year == 1900));
}

bool valid_passport(struct slice s)
{
    size_t digits = 0;

    for (size_t i = 1; i < s.n; i++)
        digits += digit(s.p[i]);
    return s.n == 9 && digits >= 7;
}

/* The surnames of nearly all: single characters in order of nothing, compound ones by twos. */
static const char surnames[] =
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏"
    "薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常"
    "武"
    "乔贺赖龚文庞樊兰殷施陶洪翟安颜倪严牛温芦季俞章鲁葛伍韦申尤毕聂丛焦向柳邢路岳齐沿梅莫庄辛管祝左"
    "涂"
    "谷祁时舒耿牟卜詹关苗凌费纪靳盛童欧甄项曲成游阳裴席卫查屈鲍位覃霍翁隋植甘景薄单包司柏宁柯阮桂闵"
    "解"
    "强柴华车冉房边辜吉饶刁瞿戚丘古米池滕晋苑邬臧畅宫来嵺苟全褚廉简娄盖符奚木穆党燕郎邸冀谈姬屠连郜"
    "晏"
    "栾郁商蒙计喻揭窦迟宇敖糜鄢冷卓花仇艾蓝都巩稽井练仲乐虞卞封竺冼原官衣楚佟栗匡宗应台巫鞠僧桑荆谌"
    "银扬"
    "明沙薄伏岑习胥保和蔺";
static const char compounds[] =
    "欧阳上官司马诸葛东方皇甫尉迟公孙慕容令狐夏侯长孙宇文司徒南宫百里端木呼延";

static bool among(const char *table, const char *p, size_t n)
{
    for (const char *at = table; *at; at += n) {
        if (strncmp(at, p, n) == 0)
            return true;
    }
    return false;
}

static bool han(struct slice s)
{
    const unsigned char *b = (const unsigned char *)s.p;

    /* U+4E00 to U+9FFF, or the dot within names of other peoples. */
    return utf8_char(s) == 3 && ((b[0] > 0xe4 && b[0] < 0xe9) || (b[0] == 0xe4 && b[1] >= 0xb8) ||
                                 (b[0] == 0xe9 && b[1] <= 0xbf));
}

bool valid_chinese_name(struct slice s)
{
    size_t characters = 0;

    for (struct slice rest = s; rest.n; rest = slice_of(rest.p + 3, rest.n - 3), characters++) {
        if (!han(rest) || characters == 4)
            return false;
    }
    if (characters >= 3 && among(compounds, s.p, 6))
        return true;
    return (characters == 2 || characters == 3) && among(surnames, s.p, 3);
}
