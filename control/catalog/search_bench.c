/* SPDX-License-Identifier: Apache-2.0 */
/* How long a search takes over a directory of many entries: search_bench ENTRIES SEARCHES. Entries
 * are made up of Chinese and Latin words, few of which most entries have and many of which few do;
 * each search is a whole call, session and all. Prints JSON: p50, p99 and the longest, in
 * microseconds, of all and of each kind of search, by the clock and of the processor's time alone,
 * which is what a machine with nothing else to do takes. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "catalog/catalog.h"
#include "test/fixture.h"

#define BATCH      5000
#define FIELDS     8
#define NODES      40
#define DEPARTMENT 60
#define SAMPLES    20000

static const char *const subjects[] = {"进口", "出口", "报关", "舱单", "运输", "船舶",
                                       "货物", "口岸", "保税", "快递", "跨境", "税费",
                                       "企业", "原产", "许可", "检疫"};
static const char *const things[] = {"单证", "数据", "信息", "记录", "清单", "明细",
                                     "统计", "目录", "状态", "结果", "申报", "回执",
                                     "计划", "合同", "发票", "提单"};
static const char *const latin[] = {"customs", "manifest", "vessel", "cargo",  "invoice", "licence",
                                    "tariff",  "parcel",   "bonded", "origin", "permit",  "quota"};

static struct fixture f;
static char nodes[NODES][40];
static uint64_t seed = 88172645463325252ull;

static unsigned draw(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % n;
}

/* The first of n far more often than the last. */
static unsigned draw_skewed(unsigned n)
{
    return draw(draw(n) + 1);
}

/* A word of two ideographs that about one entry in 5,000 has. */
static const char *rare(unsigned i)
{
    unsigned a = 0x5000 + i / 70, b = 0x6500 + i % 70;

    return text("%c%c%c%c%c%c", 0xe0 | (a >> 12), 0x80 | ((a >> 6) & 63), 0x80 | (a & 63),
                0xe0 | (b >> 12), 0x80 | ((b >> 6) & 63), 0x80 | (b & 63));
}

static json_t *made_fields(void)
{
    json_t *out = json_array();

    for (unsigned i = 0; i < FIELDS; i++) {
        json_array_append_new(
            out,
            json_pack("{s:s, s:s, s:s, s:i}", "name",
                      text("%s_%u", latin[draw_skewed(COUNT(latin))], draw(200)), "title",
                      text("%s%s", subjects[draw(COUNT(subjects))], things[draw(COUNT(things))]),
                      "type", "string", "length", 40));
    }
    return out;
}

static json_t *made_entry(const struct rest_call *c, unsigned i)
{
    const char *subject = subjects[draw_skewed(COUNT(subjects))],
               *thing = things[draw_skewed(COUNT(things))];
    json_t *e = entry_new(c, text("%s%s%s %s", subject, thing, rare(draw(4900)), latin[draw(12)]),
                          i % 5 ? f.holder : f.third);

    json_object_set_new(e, "state", json_string(i % 3 ? "published" : "draft"));
    json_object_set_new(e, "decision", json_string(i % 2 ? "open" : "closed"));
    json_object_set_new(e, "summary",
                        json_string(text("%s%s的%s，每日更新，供%s使用", subject, thing,
                                         things[draw(COUNT(things))], rare(draw(4900)))));
    json_object_set_new(e, "department",
                        json_string(text("department %u", draw_skewed(DEPARTMENT))));
    json_object_set_new(e, "theme_id", json_string(nodes[draw_skewed(NODES)]));
    json_object_set_new(e, "tags", json_pack("[s, s]", subject, latin[draw(COUNT(latin))]));
    json_object_set_new(e, "fields", made_fields());
    json_object_set_new(e, "revision", json_integer(1));
    json_object_set_new(e, "created_at", json_string("2026-01-01T00:00:00.000Z"));
    json_object_set_new(e, "updated_at", json_string("2026-01-01T00:00:00.000Z"));
    return e;
}

static void fill(unsigned entries)
{
    struct rest_call c = {.ctl = &f.ctl, .now_ms = clock_wall_ms()};
    struct store_txn *txn = NULL;

    for (unsigned i = 0; i < NODES; i++) {
        snprintf(nodes[i], sizeof nodes[i], "%s",
                 fixture_ok(&f, OPERATOR, "POST", "catalog_nodes",
                            text("{\"scheme\":\"theme\",\"name\":\"theme %u\"}", i), "id"));
    }
    for (unsigned i = 0; i < entries; i++) {
        if (i % BATCH == 0) {
            assert_true(store_begin(f.ctl.store, STORE_WRITE, &txn) == STORE_OK);
        }
        json_t *e = made_entry(&c, i);
        assert_true(row_insert(&c, txn, &entries_resource, e) == PROBLEM_OK);
        assert_true(index_entry(&c, txn, e) == PROBLEM_OK);
        json_decref(e);
        if (i % BATCH == BATCH - 1 || i == entries - 1) {
            assert_true(store_commit(&txn) == STORE_OK);
        }
    }
}

/* Kinds of searches --------------------------------------------------------------------------- */
static const char *word(void)
{
    return subjects[draw(COUNT(subjects))];
}

static const char *query_of(unsigned kind)
{
    static const char *const ones[] = {"货", "进", "单", "税", "数", "口"};

    switch (kind) {
    case 0:
        return text("q=%s", rare(draw(4900)));
    case 1:
        return text("q=%s", word());
    case 2:
        return text("q=%s%s", word(), things[draw(COUNT(things))]);
    case 3:
        return text("q=%s %s", word(), latin[draw(COUNT(latin))]);
    case 4:
        return text("q=%.3s", latin[draw(COUNT(latin))]);
    case 5:
        return text("q=%s", ones[draw(COUNT(ones))]);
    case 6:
        return text("q=%.1s", latin[draw(COUNT(latin))]);
    case 7:
        return text("q=%s&department=department %u&tag=%s", word(), draw(DEPARTMENT), word());
    case 8:
        return text("theme=%s&page=%u", nodes[draw(NODES)], 1 + draw(20));
    case 9:
        return text("q=%s %s %s", word(), rare(draw(4900)), things[draw(COUNT(things))]);
    case 10:
        return text("q=%s%s", rare(draw(4900)), word()); /* hardly ever together */
    default:
        return "page=3";
    }
}
static const char *const kinds[] = {
    "rare word",     "common word",   "two words in one", "two words",
    "beginning",     "one ideograph", "one letter",       "word, department and tag",
    "theme, a page", "three words",   "no hit",           "newest"};

static int by_size(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static uint64_t cpu_us(void)
{
    struct timespec t = {0};

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

struct times {
    uint32_t us[SAMPLES];
    size_t n;
};

static void note(struct times *t, uint64_t us)
{
    if (t->n < SAMPLES) {
        t->us[t->n++] = (uint32_t)us;
    }
}

struct measured {
    struct times wall, cpu;
};

static void print_one(const char *name, struct times *t, const char *end)
{
    qsort(t->us, t->n, sizeof *t->us, by_size);
    printf("\"%s\": {\"p50\": %u, \"p99\": %u, \"max\": %u}%s", name, t->us[t->n / 2],
           t->us[t->n * 99 / 100], t->us[t->n - 1], end);
}

static void print(const char *name, struct measured *m, const char *end)
{
    if (m->wall.n) {
        printf("\"%s\": {\"n\": %zu, ", name, m->wall.n);
        print_one("wall", &m->wall, ", ");
        print_one("cpu", &m->cpu, "}");
        printf("%s\n", end);
    }
}

static void search(unsigned searches)
{
    static const enum who who[] = {DEVELOPER, OPERATOR, PROVIDER};
    static struct measured all, of[COUNT(kinds)];

    for (unsigned i = 0; i < searches; i++) {
        unsigned kind = i % COUNT(kinds);
        const char *target = text("entries/search?%s", query_of(kind));
        uint64_t from = clock_mono_us(), cpu = cpu_us();
        struct reply r = fixture_call(&f, who[i / COUNT(kinds) % 3], "GET", target, NULL, NULL);
        uint64_t us = clock_mono_us() - from;
        cpu = cpu_us() - cpu;
        assert_int_equal(r.status, 200);
        reply_free(&r);
        note(&all.wall, us);
        note(&all.cpu, cpu);
        note(&of[kind].wall, us);
        note(&of[kind].cpu, cpu);
    }
    printf("{");
    for (size_t i = 0; i < COUNT(kinds); i++) {
        print(kinds[i], &of[i], ",");
    }
    print("all", &all, "}");
}

int main(int argc, char **argv)
{
    unsigned entries = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000000,
             searches = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 3000;

    fixture_open(&f);
    fixture_people(&f);
    uint64_t from = clock_mono_us();
    fill(entries);
    fprintf(stderr, "%u entries in %.1f s\n", entries, (double)(clock_mono_us() - from) / 1e6);
    search(searches < SAMPLES ? searches : SAMPLES);
    fixture_close(&f);
    return 0;
}
