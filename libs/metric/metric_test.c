/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/metric.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64], path[96];

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/metric-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/metrics", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

static const char *code_name(unsigned code)
{
    return code == 0 ? "ok" : code == 9 ? "signature-invalid" : NULL;
}

static char *text_of(struct metric *m)
{
    static const char *const stages[] = {"route", "authenticate"};
    struct buf out;
    buf_init(&out);
    metric_render(m, code_name, stages, 2, &out);
    assert_false(out.failed);
    char *text = strndup(out.p, out.n);
    buf_fini(&out);
    return text;
}

static void assert_has(struct metric *m, const char *line, bool expected)
{
    char *text = text_of(m);
    if ((strstr(text, line) != NULL) != expected) {
        print_message("%s\nlooked for: %s\n", text, line);
        fail();
    }
    free(text);
}

static void counts(void **state)
{
    (void)state;
    struct metric *m;
    struct uuid id = {{1}};
    assert_int_equal(metric_open(&m, path), MAPFILE_OK);
    struct metric_row *row = metric_row(m, METRIC_API, &id, SLICE("orders \"v1\""));
    assert_ptr_equal(row, metric_row(m, METRIC_API, &id, SLICE("another name")));
    assert_ptr_not_equal(row, metric_row(m, METRIC_APP, &id, SLICE("app")));
    metric_count(row, &(struct metric_call){.elapsed_us = 700, .rows = 3, .bytes_out = 10});
    metric_count(row, &(struct metric_call){.elapsed_us = 20000000, .refused = true});
    metric_code(m, 0);
    metric_code(m, 9);
    metric_code(m, 70000);
    metric_stage(m, 1, 1500);
    metric_stage(m, METRIC_STAGES, 1);
#define L "{api_id=\"01000000-0000-0000-0000-000000000000\",api=\"orders \\\"v1\\\"\""
    assert_has(m, "sluice_api_calls_total" L "} 2\n", true);
    assert_has(m, "sluice_api_refused_total" L "} 1\n", true);
    assert_has(m, "sluice_api_rows_total" L "} 3\n", true);
    assert_has(m, "sluice_api_seconds_bucket" L ",le=\"0.0005\"} 0\n", true);
    assert_has(m, "sluice_api_seconds_bucket" L ",le=\"0.001\"} 1\n", true);
    assert_has(m, "sluice_api_seconds_bucket" L ",le=\"10\"} 1\n", true);
    assert_has(m, "sluice_api_seconds_bucket" L ",le=\"+Inf\"} 2\n", true);
    assert_has(m, "sluice_calls_total{code=\"signature-invalid\"} 1\n", true);
    assert_has(m, "sluice_stage_seconds_total{stage=\"authenticate\"} 0.000001500\n", true);
    metric_close(&m);
    assert_int_equal(metric_open(&m, path), MAPFILE_OK);
    assert_has(m, "sluice_api_calls_total" L "} 2\n", true);
    metric_close(&m);
}

static void names(void **state)
{
    (void)state;
    static const struct {
        const char *name, *line;
        bool there;
    } rows[] = {
        {"line\nend", "target=\"lineend\"", true},
        {"back\\slash", "target=\"back\\\\slash\"", true},
        {"\xff\xfe", "\xff", false},
        {"数据数据数据数据数据数据数据数据数据数据数据数据", /* cut at a whole character */
         "target=\"数据数据数据数据数据数据数据数据数据数据数\"", true},
    };
    struct metric *m;
    assert_int_equal(metric_open(&m, path), MAPFILE_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct uuid id = {{2, (uint8_t)i}};
        metric_row(m, METRIC_TARGET, &id, slice_str(rows[i].name));
        assert_has(m, rows[i].line, rows[i].there);
    }
    metric_close(&m);
}

static void full(void **state)
{
    (void)state;
    struct metric *m;
    assert_int_equal(metric_open(&m, path), MAPFILE_OK);
    for (uint32_t i = 0; i < METRIC_ROWS + 2; i++) {
        struct uuid id = {{0}};
        memcpy(id.b, &i, sizeof i);
        metric_count(metric_row(m, METRIC_API, &id, SLICE("")), &(struct metric_call){.rows = 1});
    }
    assert_has(m, "sluice_api_calls_total{api_id=\"other\"} 2\n", true);
    metric_close(&m);
}

/* Several processes, one killed at any moment: no count of the others is lost. */
static void processes(void **state)
{
    (void)state;
    enum { CHILDREN = 3, CALLS = 20000 };
    pid_t pids[CHILDREN + 1];
    struct uuid id = {{7}};
    struct metric *m;
    assert_int_equal(metric_open(&m, path), MAPFILE_OK);
    for (int i = 0; i <= CHILDREN; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            struct metric *own;
            if (metric_open(&own, path) != MAPFILE_OK) {
                _exit(1);
            }
            struct uuid other = {{8}};
            for (int n = 0; i == CHILDREN || n < CALLS; n++) {
                const struct uuid *of = i == CHILDREN ? &other : &id;
                metric_count(metric_row(own, METRIC_API, of, SLICE("")), &(struct metric_call){0});
            }
            _exit(0);
        }
    }
    usleep(20000);
    kill(pids[CHILDREN], SIGKILL);
    for (int i = 0; i <= CHILDREN; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, i == CHILDREN ? SIGKILL : 0);
    }
    assert_has(m, "sluice_api_calls_total{api_id=\"07000000-0000-0000-0000-000000000000\"} 60000\n",
               true);
    metric_close(&m);
}

static void foreign_file(void **state)
{
    (void)state;
    struct metric *m = NULL;
    FILE *f = fopen(path, "w");
    fputs("not ours", f);
    fclose(f);
    assert_int_equal(metric_open(&m, path), MAPFILE_EFORMAT);
    assert_null(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"calls, refusals, rows, times and codes are counted and outlive the process", counts,
         setup, teardown, NULL},
        {"a hostile name cannot break the text", names, setup, teardown, NULL},
        {"past the last row calls are counted as other", full, setup, teardown, NULL},
        {"processes count together and one may be killed", processes, setup, teardown, NULL},
        {"a file that is not ours is refused", foreign_file, setup, teardown, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
