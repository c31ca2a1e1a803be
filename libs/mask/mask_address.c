/* SPDX-License-Identifier: Apache-2.0 */
/* Chinese addresses, kept to the district. An address names divisions from large to small, each
 * ending in a word for its kind: 山西省 太原市 小店区. The walk takes at most three of them and
 * stops at the first character that cannot stand in the name of one (a digit, a Latin letter, 路,
 * 号), so whatever is doubtful falls on the hidden side. Nothing recognised: nothing shown. */
#include <uchar.h>

#include "mask/mask_rules.h"
#include "mask/mask_utf8.h"

#define KEPT_COVER "****" /* always the same: the length of what is hidden is hidden too */

enum level { NOTHING, PROVINCE, PREFECTURE, DISTRICT };

#define SHI     0x5e02 /* 市 */
#define QU      0x533a /* 区 */
#define LONGEST 16     /* characters: 积石山保安族东乡族撒拉族自治县 has 15 */

/* One division's name while the walk is in it. */
struct segment {
    uint32_t chars[LONGEST];
    size_t n;
};

static bool one_of(uint32_t c, const char32_t *set)
{
    while (*set != 0 && *set != c) {
        set++;
    }
    return *set != 0;
}

/* True when the characters before the last of the segment end with `text`. */
static bool before_last(const struct segment *seg, const char32_t *text)
{
    size_t n = 0;
    while (text[n] != 0) {
        n++;
    }
    return seg->n > n && memcmp(seg->chars + seg->n - 1 - n, text, n * sizeof *text) == 0;
}

/* The level that the segment's last character closes, NOTHING when it closes none. `next` is the
 * character after it, 0 at the end. */
static enum level closes(const struct segment *seg, enum level above, uint32_t next)
{
    uint32_t c = seg->chars[seg->n - 1];
    if (seg->n < 2) {
        return NOTHING;
    }
    if (above == NOTHING && (one_of(c, U"省") || (c == QU && (before_last(seg, U"自治") ||
                                                              before_last(seg, U"特别行政"))))) {
        return PROVINCE;
    }
    if (above < PREFECTURE &&
        ((c == SHI && !one_of(next, U"场")) || (one_of(c, U"州") && before_last(seg, U"自治")) ||
         (c == QU && before_last(seg, U"地")) || (above == PROVINCE && one_of(c, U"盟")))) {
        return PREFECTURE;
    }
    /* 红旗路, 新市街, 县前街, 市场: the word belongs to a street or a house */
    if (one_of(c, U"县旗市") && !one_of(next, U"路街巷道前府政场民广花公")) {
        return DISTRICT;
    }
    return c == QU ? DISTRICT : NOTHING;
}

/* 小区, 社区, 园区 …: an estate or a compound, nearer to the door than a district. Some real names
 * end so (上街区); those addresses are cut one level higher. */
static bool is_estate(const struct segment *seg)
{
    static const char32_t *const kinds[] = {U"小", U"社", U"园",   U"校",   U"厂",   U"院",
                                            U"营", U"街", U"生活", U"住宅", U"家属", U"宿舍"};
    if (seg->chars[seg->n - 1] != QU) {
        return false;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (before_last(seg, kinds[i])) {
            return true;
        }
    }
    return false;
}

/* 路, 街 and the like end the name of a street, unless they begin a name (路北区). */
static bool ends_walk(uint32_t c, const struct segment *seg)
{
    return c < 0x3400 || c > 0x9fff || seg->n == LONGEST ||
           (seg->n > 0 && one_of(c, U"路街道巷弄号栋幢室"));
}

size_t mask_rule_address(const struct mask_input *in, char *out)
{
    struct segment seg = {.n = 0};
    enum level reached = NOTHING;
    size_t kept = 0, width, next_width;
    for (size_t at = 0; at < in->text.n && reached < DISTRICT; at += width) {
        uint32_t c = utf8_read(in->text, at, &width);
        if (seg.n == 0 && at > 0 && (c == ' ' || c == ',' || c == 0x3000 || c == 0xff0c)) {
            continue; /* "山西省 太原市" */
        }
        if (ends_walk(c, &seg)) {
            break;
        }
        seg.chars[seg.n++] = c;
        size_t after = at + width;
        uint32_t next = after < in->text.n ? utf8_read(in->text, after, &next_width) : 0;
        enum level level = closes(&seg, reached, next);
        if (level == NOTHING) {
            continue;
        }
        if (is_estate(&seg)) {
            break;
        }
        reached = level;
        kept = after;
        seg.n = 0;
    }
    if (kept == 0) {
        return MASK_UNRECOGNISED;
    }
    memcpy(out, in->text.p, kept);
    memcpy(out + kept, KEPT_COVER, sizeof KEPT_COVER - 1);
    return kept + sizeof KEPT_COVER - 1;
}
