/* SPDX-License-Identifier: Apache-2.0 */
/* How fast a field plan edits JSON. Makes about 100 MB of synthetic orders in FILE, streams them
 * through a plan in pieces of 64 KiB (as a gateway would) and prints MB/s, the median of five runs,
 * beside memcpy of the same bytes. `mask_json --jq` prints the jq program of the same edit:
 *
 *     mask_json /tmp/orders.json /tmp/ours.json
 *     mask_json --jq > /tmp/edit.jq; time jq -c -f /tmp/edit.jq /tmp/orders.json > /tmp/theirs.json
 *     cmp /tmp/ours.json /tmp/theirs.json          # equal to the byte but for the last newline
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "plan/plan.h"

#define DOCUMENT_BYTES (100u << 20)
#define PIECE_BYTES    (64u << 10)
#define RUNS           5

static const char jq_program[] = "[.[] | .name |= .[0:1] + \"*\" * (length - 1)\n"
                                 "     | .phone |= .[0:3] + \"****\" + .[7:]\n"
                                 "     | .email |= .[0:1] + \"***\" + .[index(\"@\"):]\n"
                                 "     | del(.card, .password)]\n";

static const struct {
    const char *path;
    uint8_t outcome, type;
    const char *mask;
} fields[] = {
    {"id", PLAN_KEEP, PLAN_SCALAR, "none"},
    {"no", PLAN_KEEP, PLAN_SCALAR, "none"},
    {"merchant", PLAN_KEEP, PLAN_SCALAR, "none"},
    {"name", PLAN_MASK, PLAN_SCALAR, "name"},
    {"phone", PLAN_MASK, PLAN_SCALAR, "phone"},
    {"email", PLAN_MASK, PLAN_SCALAR, "email"},
    {"address", PLAN_KEEP, PLAN_SCALAR, "none"},
    {"card", PLAN_DROP, PLAN_SCALAR, "none"},
    {"password", PLAN_DROP, PLAN_SCALAR, "none"},
    {"amount", PLAN_KEEP, PLAN_SCALAR, "none"},
    {"paid", PLAN_KEEP, PLAN_SCALAR, "none"},
    {"created_at", PLAN_KEEP, PLAN_SCALAR, "none"},
    {"items.sku", PLAN_KEEP, PLAN_SCALAR, "none"},
    {"items.title", PLAN_KEEP, PLAN_SCALAR, "none"},
    {"items.count", PLAN_KEEP, PLAN_SCALAR, "none"},
};
#define FIELDS (sizeof fields / sizeof *fields)

static uint32_t below(uint32_t n)
{
    static uint64_t state = 20261122; /* the same orders every time */
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((state >> 33) % n);
}

static void add_order(struct buf *b, unsigned id)
{
    static const char *const families[] = {"王", "李", "张", "刘", "陈", "杨", "欧阳"};
    static const char *const givens[] = {"伟", "秀英", "敏", "建国", "丽娟", "强"};
    static const char *const cities[] = {"山西省太原市小店区长风街", "北京市朝阳区建国路",
                                         "江苏省南京市鼓楼区中山路", "广东省深圳市南山区科苑路"};
    static const char *const goods[] = {"陈醋 500ml", "Notebook A5", "运动鞋 42", "USB cable 1m"};
    buf_addf(b, "{\"id\":%u,\"no\":\"SO-2026-%08u\",\"merchant\":\"M%05u\",\"name\":\"%s%s\",", id,
             below(100000000), below(100000), families[below(7)], givens[below(6)]);
    buf_addf(b, "\"phone\":\"13%09u\",\"email\":\"user%u@mail%u.example.com\",", below(1000000000),
             below(1000000), below(100));
    buf_addf(b, "\"address\":\"%s%u号%u室\",\"card\":\"62220202%08u%03u\",", cities[below(4)],
             1 + below(200), 101 + below(2000), below(100000000), below(1000));
    buf_addf(b, "\"password\":\"%08x%08x\",\"amount\":%u.%u,\"paid\":%s,", below(1u << 31),
             below(1u << 31), below(10000), 1 + below(9), below(4) > 0 ? "true" : "false");
    buf_addf(b, "\"created_at\":\"2026-%02u-%02uT%02u:%02u:00.000Z\",\"items\":[", 1 + below(12),
             1 + below(28), below(24), below(60));
    for (unsigned i = 0, n = 1 + below(3); i < n; i++) {
        buf_addf(b, "%s{\"sku\":\"K%06u\",\"title\":\"%s\",\"count\":%u}", i > 0 ? "," : "",
                 below(1000000), goods[below(4)], 1 + below(9));
    }
    buf_adds(b, "]}");
}

static bool make_document(struct buf *b, const char *path)
{
    buf_init(b);
    buf_addc(b, '[');
    for (unsigned id = 1; b->n < DOCUMENT_BYTES && !b->failed; id++) {
        if (id > 1) {
            buf_addc(b, ',');
        }
        add_order(b, id);
    }
    buf_addc(b, ']');
    FILE *f = b->failed ? NULL : fopen(path, "w");
    if (f == NULL) {
        return false;
    }
    bool good = fwrite(b->p, 1, b->n, f) == b->n;
    return fclose(f) == 0 && good;
}

/* Output goes round in one buffer, or to a file when one is wanted. */
struct drain {
    struct plan_out out;
    char room[PIECE_BYTES];
    FILE *file;
    size_t bytes;
};

static bool drain_more(struct plan_out *out, size_t need)
{
    struct drain *d = (struct drain *)(void *)out;
    size_t n = (size_t)(out->pos - d->room);
    (void)need; /* at most PLAN_NEED_MAX */
    d->bytes += n;
    out->pos = d->room;
    return d->file == NULL || fwrite(d->room, 1, n, d->file) == n;
}

static enum plan_err edit(struct plan_stream *s, struct slice doc, struct drain *d)
{
    d->out = (struct plan_out){d->room, d->room + sizeof d->room, drain_more};
    d->bytes = 0;
    for (size_t at = 0; at < doc.n; at += PIECE_BYTES) {
        size_t n = doc.n - at < PIECE_BYTES ? doc.n - at : PIECE_BYTES;
        enum plan_err err = plan_stream_feed(s, slice_of(doc.p + at, n), &d->out);
        if (err != PLAN_OK) {
            return err;
        }
    }
    enum plan_err err = plan_stream_end(s, &d->out);
    return drain_more(&d->out, 0) ? err : PLAN_EMEMORY;
}

/* Time on the processor, so that neighbours on the machine do not count. */
static uint64_t cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double copy_speed(struct slice doc)
{
    static char room[PIECE_BYTES];
    uint64_t start = clock_mono_us();
    for (size_t at = 0; at + PIECE_BYTES <= doc.n; at += PIECE_BYTES) {
        memcpy(room, doc.p + at, PIECE_BYTES);
        __asm__ volatile("" : : "r"(room) : "memory");
    }
    return (double)doc.n / (double)(clock_mono_us() - start);
}

static int measure(struct plan_stream *s, const struct plan *plan, struct slice doc,
                   const char *out_path)
{
    static struct drain drain;
    double speeds[RUNS], cpu_speeds[RUNS];
    for (size_t i = 0; i < RUNS; i++) {
        plan_stream_reset(s, plan, NULL);
        uint64_t start = clock_mono_us(), cpu_start = cpu_us();
        enum plan_err err = edit(s, doc, &drain);
        speeds[i] = (double)doc.n / (double)(clock_mono_us() - start);
        cpu_speeds[i] = (double)doc.n / (double)(cpu_us() - cpu_start);
        if (err != PLAN_OK) {
            fprintf(stderr, "mask_json: %s\n", plan_strerror(err));
            return 1;
        }
    }
    qsort(speeds, RUNS, sizeof *speeds, by_size);
    qsort(cpu_speeds, RUNS, sizeof *cpu_speeds, by_size);
    printf("{\"mb_per_s\":%.0f,\"cpu_mb_per_s\":%.0f,\"lowest\":%.0f,\"highest\":%.0f,\"memcpy_mb_"
           "per_s\":%.0f,"
           "\"bytes_in\":%zu,\"bytes_out\":%zu,\"rows\":%llu}\n",
           speeds[RUNS / 2], cpu_speeds[RUNS / 2], speeds[0], speeds[RUNS - 1], copy_speed(doc),
           doc.n, drain.bytes, (unsigned long long)plan_stream_rows(s));
    drain.file = out_path != NULL ? fopen(out_path, "w") : NULL;
    if (drain.file == NULL) {
        return out_path != NULL;
    }
    plan_stream_reset(s, plan, NULL);
    enum plan_err err = edit(s, doc, &drain);
    return fclose(drain.file) != 0 || err != PLAN_OK;
}

int main(int argc, char **argv)
{
    struct plan_field made[FIELDS] = {0};
    struct buf doc;
    if (argc == 2 && strcmp(argv[1], "--jq") == 0) {
        fputs(jq_program, stdout);
        return 0;
    }
    if (argc < 2 || argc > 3 || argv[1][0] == '-') {
        fputs("usage: mask_json FILE [MASKED_FILE] | --jq\n", stderr);
        return 2;
    }
    for (size_t i = 0; i < FIELDS; i++) {
        made[i].path = slice_str(fields[i].path);
        made[i].outcome = fields[i].outcome;
        made[i].type = fields[i].type;
        if (mask_parse(&made[i].mask, slice_str(fields[i].mask)) != MASK_OK) {
            return 1;
        }
    }
    if (!make_document(&doc, argv[1])) {
        fprintf(stderr, "mask_json: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    struct plan *plan = plan_new(made, FIELDS);
    struct plan_stream *s = plan != NULL ? plan_stream_new(plan, NULL) : NULL;
    int status = s == NULL || measure(s, plan, buf_slice(&doc), argc == 3 ? argv[2] : NULL);
    plan_stream_free(&s);
    plan_free(&plan);
    buf_fini(&doc);
    return status;
}
