/* SPDX-License-Identifier: Apache-2.0 */
/* How fast an export is made from a source that costs nothing, and in how much memory: rows of ten
 * columns, two of them masked, as CSV, in chunks with their digests, onto the disk.
 *     batch_bench DIR [MEGABYTES...]      a line for each size: MB/s of rows, and the peak RSS */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "data/batch/format.h"
#include "data/batch/pack.h"
#include "data/batch/row.h"

#define COLUMNS 10

static const struct {
    const char *name, *member, *mask;
    enum query_type type;
} layout[COLUMNS] = {
    {"id", "\"id\":", "", QUERY_INTEGER},
    {"title", "\"title\":", "", QUERY_STRING},
    {"category", "\"category\":", "", QUERY_STRING},
    {"name", "\"name\":", "name", QUERY_STRING},
    {"phone", "\"phone\":", "phone", QUERY_STRING},
    {"amount", "\"amount\":", "", QUERY_NUMBER},
    {"status", "\"status\":", "", QUERY_STRING},
    {"at", "\"at\":", "", QUERY_DATETIME},
    {"note", "\"note\":", "", QUERY_STRING},
    {"address", "\"address\":", "", QUERY_STRING},
};

static struct query_column columns[COLUMNS];
static struct slice members[COLUMNS];
static struct catalog_rule rules[COLUMNS];
static uint8_t outcome[COLUMNS];
static uint16_t all[COLUMNS];

static struct row_plan *make_plan(struct catalog_api *api)
{
    static const uint8_t key[CRYPTO_KEY_LEN] = {1};
    for (uint16_t i = 0; i < COLUMNS; i++) {
        columns[i] = (struct query_column){slice_str(layout[i].name), slice_str(layout[i].name),
                                           (uint8_t)layout[i].type};
        members[i] = slice_str(layout[i].member);
        outcome[i] = layout[i].mask[0] ? PLAN_MASK : PLAN_KEEP;
        all[i] = i;
        if (layout[i].mask[0] && mask_parse(&rules[i].mask, slice_str(layout[i].mask)) != MASK_OK)
            return NULL;
    }
    api->columns = columns;
    api->members = members;
    api->rules = rules;
    return row_plan_new(api, outcome, all, COLUMNS, key);
}

static void make_row(uint64_t n, char text[COLUMNS][96], struct slice *values)
{
    snprintf(text[0], 96, "%llu", (unsigned long long)n);
    snprintf(text[4], 96, "138%08llu", (unsigned long long)(n % 100000000));
    snprintf(text[5], 96, "%llu.%02llu", (unsigned long long)(n % 9973),
             (unsigned long long)(n % 100));
    static const char *const fixed[COLUMNS] = {
        [1] = "某型号不锈钢保温杯 500 毫升 商务款",
        [2] = "household",
        [3] = "欧阳娜娜",
        [6] = "paid",
        [7] = "2026-01-02 03:04:05",
        [8] = "leave it with the porter, he knows; ring twice before noon",
        [9] = "浙江省杭州市西湖区文三路 90 号 东部软件园 1 号楼",
    };
    for (size_t i = 0; i < COLUMNS; i++)
        values[i] = slice_str(fixed[i] ? fixed[i] : text[i]);
}

static long peak_kb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static bool run(const char *dir, uint64_t bytes, enum pack_method method)
{
    static const uint8_t key[CRYPTO_KEY_LEN] = {2};
    struct catalog_api api = {0};
    struct row_plan *plan = make_plan(&api);
    struct pack *pack = NULL;
    struct buf chunk, at;
    static char text[COLUMNS][96];
    struct slice values[COLUMNS];
    char path[512];
    uint64_t rows = 0, n = 0, began = clock_mono_us();
    buf_init(&chunk);
    buf_init(&at);
    bool ok = plan && pack_open(&pack, dir, method, key, &at) == PACK_OK;
    while (ok && pack_total(pack).plain_bytes < bytes) {
        make_row(n++, text, values);
        const struct format_cell *cells = row_plan_apply(plan, values);
        if (!cells)
            return false;
        format_row(&chunk, FORMAT_CSV, row_plan_columns(plan), cells, COLUMNS);
        rows++;
        if (chunk.n < PACK_CHUNK_BYTES)
            continue;
        ok = pack_add(pack, buf_slice(&chunk), rows, SLICE("")) == PACK_OK;
        rows = 0;
        buf_clear(&chunk);
    }
    double s = (double)(clock_mono_us() - began) / 1e6;
    if (ok)
        printf("%s %llu MB of rows: %.0f MB/s, peak %ld KB\n", pack_method_name(method),
               (unsigned long long)(bytes / 1000000),
               (double)pack_total(pack).plain_bytes / 1e6 / s, peak_kb());
    pack_close(&pack);
    row_plan_free(&plan);
    buf_fini(&chunk);
    buf_fini(&at);
    snprintf(path, sizeof path, "%s/data", dir);
    unlink(path);
    snprintf(path, sizeof path, "%s/index", dir);
    unlink(path);
    return ok;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fputs("usage: batch_bench DIR [MEGABYTES...]\n", stderr);
        return 2;
    }
    for (int i = 2; i < argc; i++)
        if (!run(argv[1], strtoull(argv[i], NULL, 10) * 1000000, PACK_NONE))
            return 1;
    return run(argv[1], 200000000, PACK_GZIP) && run(argv[1], 200000000, PACK_ZSTD) ? 0 : 1;
}
