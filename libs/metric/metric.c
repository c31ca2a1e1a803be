/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/metric.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/utf8.h"

#define MAGIC "SLUMETR1"

const double metric_bucket_s[METRIC_BUCKETS] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                0.1,    0.25,  0.5,    1,     2.5,  5,     10};
static const uint64_t bucket_us[METRIC_BUCKETS] = {500,     1000,    2500,    5000,    10000,
                                                   25000,   50000,   100000,  250000,  500000,
                                                   1000000, 2500000, 5000000, 10000000};

typedef _Atomic uint64_t counter;

struct metric_row {
    _Atomic uint32_t kind; /* 0: free; set last, so a row that has one is whole */
    struct uuid id;
    char name[METRIC_NAME_MAX + 1];
    counter calls, refused, failed, cached, bytes_in, bytes_out, rows, elapsed_us;
    counter bucket[METRIC_BUCKETS];
};

struct table {
    counter codes[METRIC_CODES];
    struct {
        counter calls, ns;
    } stages[METRIC_STAGES];
    struct metric_row other[METRIC_TARGET + 1];
    struct metric_row rows[METRIC_ROWS];
};

struct metric {
    struct mapfile file;
    struct table *table;
};

static void add(counter *c, uint64_t n)
{
    atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

static uint64_t value(const counter *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

enum mapfile_err metric_open(struct metric **m, const char *path)
{
    struct metric *fresh = calloc(1, sizeof *fresh);
    if (!fresh) {
        abort();
    }
    enum mapfile_err err = mapfile_open(&fresh->file, path, MAGIC, sizeof(struct table));
    if (err == MAPFILE_OK && fresh->file.body_bytes != sizeof(struct table)) {
        mapfile_close(&fresh->file);
        err = MAPFILE_EFORMAT;
    }
    if (err != MAPFILE_OK) {
        free(fresh);
        return err;
    }
    fresh->table = fresh->file.body;
    *m = fresh;
    return MAPFILE_OK;
}

void metric_close(struct metric **m)
{
    if (*m) {
        mapfile_close(&(*m)->file);
        free(*m);
        *m = NULL;
    }
}

/* At most METRIC_NAME_MAX bytes, never half a character. */
static void set_name(struct metric_row *row, struct slice name)
{
    size_t n = name.n < METRIC_NAME_MAX ? name.n : METRIC_NAME_MAX;
    while (n > 0 && n < name.n && ((unsigned char)name.p[n] & 0xC0) == 0x80) {
        n--;
    }
    if (n) {
        memcpy(row->name, name.p, n);
    }
    row->name[n] = '\0';
}

/* The row itself, the first free one on its way (*free_row), or neither: the table is full. */
static struct metric_row *probe(struct metric *m, enum metric_kind kind, const struct uuid *id,
                                struct metric_row **free_row)
{
    uint64_t at = XXH3_64bits_withSeed(id->b, UUID_LEN, m->file.seed + kind);
    for (size_t i = 0; i < METRIC_ROWS; i++) {
        struct metric_row *row = &m->table->rows[(at + i) % METRIC_ROWS];
        uint32_t is = atomic_load_explicit(&row->kind, memory_order_acquire);
        if (is == 0) {
            *free_row = row;
            return NULL;
        }
        if (is == kind && uuid_eq(&row->id, id)) {
            return row;
        }
    }
    *free_row = NULL;
    return NULL;
}

struct metric_row *metric_row(struct metric *m, enum metric_kind kind, const struct uuid *id,
                              struct slice name)
{
    struct metric_row *other = &m->table->other[kind];
    struct metric_row *free_row;
    struct metric_row *row = probe(m, kind, id, &free_row);
    if (row || !free_row) {
        return row ? row : other;
    }
    _Atomic uint64_t *lock = mapfile_lock_word(&m->file);
    if (mapfile_lock(&m->file, lock) == MAPFILE_BUSY) {
        return other; /* of a stopped process: counted all the same */
    }
    row = probe(m, kind, id, &free_row); /* somebody may have been faster */
    if (!row && free_row) {
        row = free_row;
        row->id = *id;
        set_name(row, name);
        atomic_store_explicit(&row->kind, kind, memory_order_release);
    }
    mapfile_unlock(lock);
    return row ? row : other;
}

void metric_count(struct metric_row *row, const struct metric_call *call)
{
    add(&row->calls, 1);
    add(&row->elapsed_us, call->elapsed_us);
    if (call->refused) {
        add(&row->refused, 1);
    }
    if (call->failed) {
        add(&row->failed, 1);
    }
    if (call->cached) {
        add(&row->cached, 1);
    }
    if (call->bytes_in) {
        add(&row->bytes_in, call->bytes_in);
    }
    if (call->bytes_out) {
        add(&row->bytes_out, call->bytes_out);
    }
    if (call->rows) {
        add(&row->rows, call->rows);
    }
    for (size_t i = 0; i < METRIC_BUCKETS; i++) {
        if (call->elapsed_us <= bucket_us[i]) {
            add(&row->bucket[i], 1); /* the least that holds it; render adds them up */
            return;
        }
    }
}

void metric_code(struct metric *m, unsigned code)
{
    add(&m->table->codes[code < METRIC_CODES ? code : METRIC_CODES - 1], 1);
}

void metric_stage(struct metric *m, unsigned stage, uint64_t ns)
{
    if (stage < METRIC_STAGES) {
        add(&m->table->stages[stage].calls, 1);
        add(&m->table->stages[stage].ns, ns);
    }
}

/* Text ------------------------------------------------------------------------------------------
 */

static const struct kind_text {
    const char *label, *metric;
} kinds[] = {[METRIC_API] = {"api", "sluice_api"},
             [METRIC_APP] = {"app", "sluice_app"},
             [METRIC_TARGET] = {"target", "sluice_target"}};

static void add_label(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\\' || *text == '"') {
            buf_addc(out, '\\');
        }
        if ((unsigned char)*text >= 0x20) {
            buf_addc(out, *text);
        }
    }
}

static void add_labels(const struct metric_row *row, uint32_t kind, bool other, struct buf *out)
{
    char id[UUID_TEXT_LEN + 1];
    uuid_format(&row->id, id);
    buf_addf(out, "{%s_id=\"%s\"", kinds[kind].label, other ? "other" : id);
    if (row->name[0] && utf8_valid(slice_str(row->name))) {
        buf_addf(out, ",%s=\"", kinds[kind].label);
        add_label(out, row->name);
        buf_addc(out, '"');
    }
}

static const struct row_text {
    const char *name, *help;
    size_t offset;
} row_texts[] = {
    {"calls_total", "Calls, whatever became of them.", offsetof(struct metric_row, calls)},
    {"refused_total", "Calls the gateway refused.", offsetof(struct metric_row, refused)},
    {"failed_total", "Calls that failed behind the gateway.", offsetof(struct metric_row, failed)},
    {"cached_total", "Calls answered from the cache.", offsetof(struct metric_row, cached)},
    {"received_bytes_total", "Bytes of request bodies.", offsetof(struct metric_row, bytes_in)},
    {"sent_bytes_total", "Bytes of answers.", offsetof(struct metric_row, bytes_out)},
    {"rows_total", "Rows of data given.", offsetof(struct metric_row, rows)},
};

/* Calls visit for every row of a kind that has counted anything, `other` last. */
static void each(const struct metric *m, uint32_t kind, struct buf *out,
                 void (*visit)(const struct metric_row *row, uint32_t kind, bool other,
                               const void *arg, struct buf *out),
                 const void *arg)
{
    for (size_t i = 0; i < METRIC_ROWS; i++) {
        const struct metric_row *row = &m->table->rows[i];
        if (atomic_load_explicit(&row->kind, memory_order_acquire) == kind) {
            visit(row, kind, false, arg, out);
        }
    }
    if (value(&m->table->other[kind].calls)) {
        visit(&m->table->other[kind], kind, true, arg, out);
    }
}

static void add_counter(const struct metric_row *row, uint32_t kind, bool other, const void *arg,
                        struct buf *out)
{
    const struct row_text *text = arg;
    const counter *c = (const counter *)((const char *)row + text->offset);
    buf_addf(out, "%s_%s", kinds[kind].metric, text->name);
    add_labels(row, kind, other, out);
    buf_addf(out, "} %" PRIu64 "\n", value(c));
}

static void add_histogram(const struct metric_row *row, uint32_t kind, bool other, const void *arg,
                          struct buf *out)
{
    uint64_t sum = 0;
    uint64_t calls = value(&row->calls);
    (void)arg;
    for (size_t i = 0; i < METRIC_BUCKETS; i++) {
        sum += value(&row->bucket[i]);
        buf_addf(out, "%s_seconds_bucket", kinds[kind].metric);
        add_labels(row, kind, other, out);
        buf_addf(out, ",le=\"%g\"} %" PRIu64 "\n", metric_bucket_s[i], sum);
    }
    calls =
        calls > sum ? calls : sum; /* read while others count: a bucket never passes the whole */
    buf_addf(out, "%s_seconds_bucket", kinds[kind].metric);
    add_labels(row, kind, other, out);
    buf_addf(out, ",le=\"+Inf\"} %" PRIu64 "\n%s_seconds_sum", calls, kinds[kind].metric);
    add_labels(row, kind, other, out);
    buf_addf(out, "} %.6f\n%s_seconds_count", (double)value(&row->elapsed_us) / 1e6,
             kinds[kind].metric);
    add_labels(row, kind, other, out);
    buf_addf(out, "} %" PRIu64 "\n", calls);
}

static void render_kind(const struct metric *m, uint32_t kind, struct buf *out)
{
    for (size_t i = 0; i < sizeof row_texts / sizeof *row_texts; i++) {
        buf_addf(out, "# HELP %s_%s %s\n# TYPE %s_%s counter\n", kinds[kind].metric,
                 row_texts[i].name, row_texts[i].help, kinds[kind].metric, row_texts[i].name);
        each(m, kind, out, add_counter, &row_texts[i]);
    }
    buf_addf(out, "# HELP %s_seconds Time from request to answer.\n# TYPE %s_seconds histogram\n",
             kinds[kind].metric, kinds[kind].metric);
    each(m, kind, out, add_histogram, NULL);
}

void metric_render(const struct metric *m, const char *(*code_name)(unsigned code),
                   const char *const *stages, size_t n_stages, struct buf *out)
{
    const struct table *t = m->table;
    for (uint32_t kind = METRIC_API; kind <= METRIC_TARGET; kind++) {
        render_kind(m, kind, out);
    }
    buf_adds(out,
             "# HELP sluice_calls_total Calls by outcome.\n# TYPE sluice_calls_total counter\n");
    for (unsigned i = 0; i < METRIC_CODES; i++) {
        const char *name = value(&t->codes[i]) ? code_name(i) : NULL;
        if (name) {
            buf_addf(out, "sluice_calls_total{code=\"%s\"} %" PRIu64 "\n", name,
                     value(&t->codes[i]));
        }
    }
    buf_adds(out, "# HELP sluice_stage_seconds_total Time of sampled calls in a stage.\n"
                  "# TYPE sluice_stage_seconds_total counter\n");
    for (size_t i = 0; i < n_stages && i < METRIC_STAGES; i++) {
        buf_addf(out, "sluice_stage_seconds_total{stage=\"%s\"} %.9f\n", stages[i],
                 (double)value(&t->stages[i].ns) / 1e9);
    }
    buf_adds(out, "# HELP sluice_stage_calls_total Sampled calls that reached a stage.\n"
                  "# TYPE sluice_stage_calls_total counter\n");
    for (size_t i = 0; i < n_stages && i < METRIC_STAGES; i++) {
        buf_addf(out, "sluice_stage_calls_total{stage=\"%s\"} %" PRIu64 "\n", stages[i],
                 value(&t->stages[i].calls));
    }
}
