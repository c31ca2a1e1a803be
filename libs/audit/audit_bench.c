/* SPDX-License-Identifier: Apache-2.0 */
/* audit append + chain against fwrite of the same bytes (design section 9), one core, one run.
 * usage: audit_bench [DIR [APPENDS]] */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/audit_format.h"
#include "base/clock.h"

#define ROUNDS 5

static struct audit_call sample(void)
{
    static const uint64_t seen[POLICY_FIELD_WORDS] = {0x7f};
    struct audit_call call = {
        .kind = AUDIT_CALL,
        .at_us = clock_wall_us(),
        .elapsed_us = 812,
        .status = 200,
        .method = POLICY_GET,
        .class_ = POLICY_A1,
        .api_rev = 12,
        .rows = 20,
        .bytes_out = 4711,
        .client = SLICE("\x7f\0\0\1"),
        .owner = SLICE("M00042"),
        .seen = seen,
        .n_fields = 9,
    };
    uuid_new(&call.txn);
    uuid_new(&call.app);
    uuid_new(&call.api);
    uuid_new(&call.credential);
    uuid_new(&call.grant);
    return call;
}

static double appends(const char *dir, uint64_t n)
{
    struct audit_config cfg = {.dir = dir, .node = "bench"};
    struct audit_writer *w;
    struct audit_call call = sample();
    if (audit_writer_open(&w, &cfg) != AUDIT_OK) {
        fprintf(stderr, "cannot open an audit writer in %s\n", dir);
        exit(1);
    }
    uint64_t t0 = clock_mono_us();
    for (uint64_t i = 0; i < n; i++) {
        call.rows = i;
        if (audit_writer_append(w, &call) != AUDIT_OK) {
            fprintf(stderr, "append %lu failed\n", (unsigned long)i);
            exit(1);
        }
    }
    double ns = (double)(clock_mono_us() - t0) * 1000 / (double)n;
    audit_writer_close(&w);
    return ns;
}

static double fwrites(const char *dir, uint64_t n, bool flush)
{
    char path[512];
    uint8_t record[REC_CALL_MAX];
    struct audit_call call = sample();
    size_t bytes = rec_encode_call(record, &call, 0, 0) + SEG_CHAIN_LEN;
    snprintf(path, sizeof path, "%s/fwrite.tmp", dir);
    FILE *f = fopen(path, "w");
    if (f == NULL) {
        exit(1);
    }
    uint64_t t0 = clock_mono_us();
    for (uint64_t i = 0; i < n; i++) {
        if (fwrite(record, 1, bytes, f) != bytes || (flush && fflush(f) != 0)) {
            exit(1);
        }
    }
    double ns = (double)(clock_mono_us() - t0) * 1000 / (double)n;
    fclose(f);
    unlink(path);
    return ns;
}

static double hashes(uint64_t n)
{
    uint8_t buf[SEG_CHAIN_LEN + REC_CALL_MAX] = {0};
    struct audit_call call = sample();
    size_t bytes = SEG_CHAIN_LEN + rec_encode_call(buf + SEG_CHAIN_LEN, &call, 0, 0);
    struct crypto_hasher h;
    crypto_hasher_init(&h, CRYPTO_SM3);
    uint64_t t0 = clock_mono_us();
    for (uint64_t i = 0; i < n; i++) {
        crypto_hasher_reset(&h);
        crypto_hasher_add(&h, buf, bytes);
        crypto_hasher_end(&h, buf);
    }
    double ns = (double)(clock_mono_us() - t0) * 1000 / (double)n;
    crypto_hasher_fini(&h);
    return ns;
}

static int by_value(const void *a, const void *b)
{
    return *(const double *)a < *(const double *)b ? -1 : *(const double *)a > *(const double *)b;
}

static double median(double v[ROUNDS])
{
    qsort(v, ROUNDS, sizeof *v, by_value);
    return v[ROUNDS / 2];
}

int main(int argc, char **argv)
{
    char made[] = "/tmp/audit_bench.XXXXXX";
    const char *dir = argc > 1 ? argv[1] : mkdtemp(made);
    uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 10) : 200000;
    double append[ROUNDS], plain[ROUNDS], flushed[ROUNDS], sm3[ROUNDS];
    if (dir == NULL) {
        return 1;
    }
    for (int i = 0; i < ROUNDS; i++) {
        append[i] = appends(dir, n);
        plain[i] = fwrites(dir, n, false);
        flushed[i] = fwrites(dir, n, true);
        sm3[i] = hashes(n);
    }
    double a = median(append), p = median(plain), f = median(flushed), s = median(sm3);
    printf("append and chain          %7.0f ns\n", a);
    printf("  of it SM3 of the record %7.0f ns\n", s);
    printf("fwrite, buffered          %7.0f ns   ratio %.2f (lost when the process dies)\n", p,
           p / a);
    printf(
        "fwrite and fflush         %7.0f ns   ratio %.2f (survives the process, as append does)\n",
        f, f / a);
    return 0;
}
