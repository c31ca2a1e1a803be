/* SPDX-License-Identifier: Apache-2.0 */
/* Formats, the file as it grows and is gone on with, rows as the gateway would let them leave, and
 * whole jobs against a source that goes away, a disk that is full, an API that changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "data/batch/batch.h"
#include "data/batch/read.h"
#include "data/batch/row.h"
#include "data/sources/pool.h"
#include "data/testing.h"

static struct testing t;
static struct service_config service;
static struct worker *w;
static struct batch *batch;
static struct service_reply reply;

/* Formats -------------------------------------------------------------------------------------- */

static void cells_are_safe_in_each_format(void **state)
{
    static const struct {
        struct format_cell cell;
        const char *csv, *ndjson, *xml;
    } rows[] = {
        {{.null = true}, "", "null", "<a nil=\"true\"/>"},
        {{.text = {"", 0}}, "\"\"", "\"\"", "<a></a>"},
        {{.text = {"plain", 5}}, "plain", "\"plain\"", "<a>plain</a>"},
        {{.text = {"a,\"b\"", 5}}, "\"a,\"\"b\"\"\"", "\"a,\\\"b\\\"\"", "<a>a,&quot;b&quot;</a>"},
        {{.text = {"=1+1", 4}}, "\"'=1+1\"", "\"=1+1\"", "<a>=1+1</a>"},
        {{.text = {"@x", 2}}, "\"'@x\"", "\"@x\"", "<a>@x</a>"},
        {{.text = {"-1", 2}}, "\"'-1\"", "\"-1\"", "<a>-1</a>"},
        {{.literal = true, .text = {"-1", 2}}, "-1", "-1", "<a>-1</a>"},
        {{.literal = true, .text = {"[\"=1\"]", 6}},
         "\"[\"\"=1\"\"]\"",
         "[\"=1\"]",
         "<a>[&quot;=1&quot;]</a>"},
        {{.text = {"\xef\xbc\x9d"
                   "1",
                   4}},
         "\"'\xef\xbc\x9d"
         "1\"",
         "\"\xef\xbc\x9d"
         "1\"",
         "<a>\xef\xbc\x9d"
         "1</a>"},
        {{.text = {"a\r\nb", 4}}, "\"a\r\nb\"", "\"a\\r\\nb\"", "<a>a&#13;\nb</a>"},
        {{.text = {"\x01<&>", 4}}, "\x01<&>", "\"\\u0001<&>\"", "<a>\xef\xbf\xbd&lt;&amp;&gt;</a>"},
        {{.text = {"\xef\xbf\xbfz", 4}},
         "\xef\xbf\xbfz",
         "\"\xef\xbf\xbfz\"",
         "<a>\xef\xbf\xbdz</a>"},
        {{.text = {" x ", 3}}, "\" x \"", "\" x \"", "<a> x </a>"},
    };
    const struct format_column column = {SLICE("a"), SLICE("\"a\":")};
    struct buf out;
    char wanted[128];
    (void)state;
    buf_init(&out);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int f = 0; f < FORMATS; f++) {
            snprintf(wanted, sizeof wanted,
                     f == FORMAT_CSV      ? "%s\r\n"
                     : f == FORMAT_NDJSON ? "{\"a\":%s}\n"
                                          : "<row>%s</row>\n",
                     f == FORMAT_CSV      ? rows[i].csv
                     : f == FORMAT_NDJSON ? rows[i].ndjson
                                          : rows[i].xml);
            buf_clear(&out);
            format_row(&out, (enum format)f, &column, &rows[i].cell, 1);
            buf_addc(&out, '\0');
            assert_string_equal(out.p, wanted);
        }
    }
    buf_fini(&out);
}

static void a_name_that_is_no_element_is_an_attribute(void **state)
{
    const struct format_column column = {SLICE("1\"<名"), SLICE("\"x\":")};
    const struct format_cell cell = {.text = {"v", 1}};
    struct buf out;
    (void)state;
    buf_init(&out);
    format_row(&out, FORMAT_XML, &column, &cell, 1);
    buf_addc(&out, '\0');
    assert_string_equal(out.p, "<row><field name=\"1&quot;&lt;名\">v</field></row>\n");
    buf_fini(&out);
}

/* The file ------------------------------------------------------------------------------------- */

static char dir[128];
static uint8_t key[CRYPTO_KEY_LEN] = {7};

static void fresh_dir(void)
{
    static int n;
    snprintf(dir, sizeof dir, "%s/pack%d", t.dir, n++);
    assert_int_equal(mkdir(dir, 0700), 0);
}

static struct pack *opened(enum pack_method method, struct buf *at)
{
    struct pack *p = NULL;
    assert_int_equal(pack_open(&p, dir, method, key, at), PACK_OK);
    return p;
}

static struct slice file_bytes(struct buf *out)
{
    char path[160], bytes[4096];
    ssize_t n;
    snprintf(path, sizeof path, "%s/data", dir);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    buf_clear(out);
    while ((n = read(fd, bytes, sizeof bytes)) > 0)
        buf_add(out, bytes, (size_t)n);
    close(fd);
    return buf_slice(out);
}

static void append(const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "ab");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static bool count_chunk(const struct pack_chunk *chunk, void *ctx)
{
    *(uint64_t *)ctx += chunk->rows;
    return true;
}

/* Killed between any two writes: what does not count is cut off, what counts stays. */
static void a_file_goes_on_at_the_last_chunk_that_counts(void **state)
{
    (void)state;
    for (int method = PACK_NONE; method < PACK_METHODS; method++) {
        struct buf at, bytes;
        uint8_t whole[CRYPTO_HASH_LEN], wanted[CRYPTO_HASH_LEN];
        uint64_t rows = 0;
        buf_init(&at);
        buf_init(&bytes);
        fresh_dir();
        struct pack *p = opened((enum pack_method)method, &at);
        assert_int_equal(at.n, 0);
        assert_int_equal(pack_add(p, SLICE("one\n"), 1, SLICE("[\"1\"]")), PACK_OK);
        pack_close(&p);
        append("data", "torn bytes");
        append("index", "17 4 1 4 abcd");
        p = opened((enum pack_method)method, &at);
        assert_true(slice_eq(buf_slice(&at), SLICE("[\"1\"]")));
        assert_int_equal(pack_total(p).rows, 1);
        assert_int_equal(pack_add(p, SLICE("two\nthree\n"), 2, SLICE("")), PACK_OK);
        pack_digest(p, whole);
        pack_close(&p);
        struct slice all = file_bytes(&bytes);
        crypto_hash(CRYPTO_SM3, all.p, all.n, wanted);
        assert_memory_equal(whole, wanted, sizeof whole);
        assert_int_equal(pack_each(dir, count_chunk, &rows), PACK_OK);
        assert_int_equal(rows, 3);
        if (method == PACK_NONE)
            assert_true(slice_eq(all, SLICE("one\ntwo\nthree\n")));
        buf_fini(&at);
        buf_fini(&bytes);
    }
}

static void each_chunk_unpacks_by_stock_libraries(void **state)
{
    struct buf at, bytes;
    char text[64] = "";
    (void)state;
    buf_init(&at);
    buf_init(&bytes);
    fresh_dir();
    struct pack *p = opened(PACK_ZSTD, &at);
    assert_int_equal(pack_add(p, SLICE("zstd one\n"), 1, SLICE("")), PACK_OK);
    assert_int_equal(pack_add(p, SLICE("zstd two\n"), 1, SLICE("")), PACK_OK);
    pack_close(&p);
    struct slice all = file_bytes(&bytes);
    assert_int_equal(ZSTD_decompress(text, sizeof text, all.p, all.n), 18);
    assert_memory_equal(text, "zstd one\nzstd two\n", 18);
    buf_fini(&at);
    buf_fini(&bytes);
}

/* A place that was altered, or sealed with another key, is not gone on from. */
static void an_altered_index_is_refused(void **state)
{
    struct buf at;
    struct pack *p;
    uint8_t other[CRYPTO_KEY_LEN] = {8};
    (void)state;
    buf_init(&at);
    fresh_dir();
    p = opened(PACK_NONE, &at);
    assert_int_equal(pack_add(p, SLICE("one\n"), 1, SLICE("[\"1\"]")), PACK_OK);
    pack_close(&p);
    assert_int_equal(pack_open(&p, dir, PACK_NONE, other, &at), PACK_EIO);
    assert_null(p);
    buf_fini(&at);
}

static void a_full_disk_is_told_and_leaves_the_file_as_it_was(void **state)
{
    struct buf at, big;
    struct rlimit limit, small = {65536, 65536};
    (void)state;
    buf_init(&at);
    buf_init(&big);
    while (big.n < 100000)
        buf_adds(&big, "some row of many\n");
    fresh_dir();
    struct pack *p = opened(PACK_NONE, &at);
    assert_int_equal(pack_add(p, SLICE("one\n"), 1, SLICE("")), PACK_OK);
    getrlimit(RLIMIT_FSIZE, &limit);
    small.rlim_max = limit.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    assert_int_equal(pack_add(p, buf_slice(&big), 9, SLICE("")), PACK_EFULL);
    setrlimit(RLIMIT_FSIZE, &limit);
    assert_int_equal(pack_total(p).rows, 1);
    assert_int_equal(pack_add(p, SLICE("two\n"), 1, SLICE("")), PACK_OK);
    pack_close(&p);
    assert_true(slice_eq(file_bytes(&big), SLICE("one\ntwo\n")));
    buf_fini(&at);
    buf_fini(&big);
}

/* Rows ----------------------------------------------------------------------------------------- */

static char planned[4096];

/* What the gateway makes of the same row. */
static const char *by_plan(const struct catalog_api *api, const uint8_t *outcome,
                           const char *document)
{
    struct plan_field fields[TESTING_FIELDS];
    struct plan_out out = {planned, planned + sizeof planned - 1, NULL};
    struct mask_key *mask = mask_key_new(batch->mask_key);
    for (size_t i = 0; i < TESTING_FIELDS; i++)
        fields[i] = (struct plan_field){.path = api->columns[i].name,
                                        .outcome = outcome[i],
                                        .type = api->rules[i].type,
                                        .mask = api->rules[i].mask};
    struct plan *plan = plan_new(fields, TESTING_FIELDS);
    struct plan_stream *stream = plan_stream_new(plan, mask);
    assert_int_equal(plan_stream_feed(stream, slice_str(document), &out), PLAN_OK);
    assert_int_equal(plan_stream_end(stream, &out), PLAN_OK);
    *out.pos = '\0';
    plan_stream_free(&stream);
    plan_free(&plan);
    mask_key_free(&mask);
    return planned;
}

static const struct catalog_api *masked_api(const char *mask)
{
    const struct catalog_api *api = NULL;
    assert_int_equal(catalog_api_now(&w->catalog, &t.orders, &api), PROBLEM_OK);
    for (size_t i = 0; i < TESTING_FIELDS; i++)
        assert_int_equal(mask_parse(&api->rules[i].mask, slice_str(mask)), MASK_OK);
    return api;
}

static void a_row_leaves_as_the_gateways_plan_lets_it(void **state)
{
    static const char *const masks[] = {"name", "phone", "keep:1:1", "pseudonym", "null", "year"};
    static const struct slice values[TESTING_FIELDS] = {
        {"1", 1},
        {"张三", 6},
        {"-.5", 3},
        {"1", 1},
        {"2026-01-02 03:04:05", 19},
        {"[\"13812345678\",7]", 17},
        {"13812345678", 11},
        {"a\"b\\c", 5},
    };
    static const char document[] =
        "{\"id\":1,\"name\":\"张三\",\"price\":-0.5,\"paid\":true,\"made\":\"2026-01-02T03:04:05\","
        "\"note\":[\"13812345678\",7],\"phone\":\"13812345678\",\"card\":\"a\\\"b\\\\c\"}";
    static const uint16_t all[TESTING_FIELDS] = {0, 1, 2, 3, 4, 5, 6, 7};
    (void)state;
    for (size_t m = 0; m < sizeof masks / sizeof *masks; m++) {
        uint8_t outcome[TESTING_FIELDS];
        struct buf out;
        buf_init(&out);
        memset(outcome, m ? PLAN_MASK : PLAN_KEEP, sizeof outcome);
        const struct catalog_api *api = masked_api(masks[m]);
        struct row_plan *plan = row_plan_new(api, outcome, all, TESTING_FIELDS, batch->mask_key);
        assert_non_null(plan);
        const struct format_cell *cells = row_plan_apply(plan, values);
        assert_non_null(cells);
        format_row(&out, FORMAT_NDJSON, row_plan_columns(plan), cells, TESTING_FIELDS);
        out.p[out.n - 1] = '\0'; /* the line's end */
        assert_string_equal(out.p, by_plan(api, outcome, document));
        row_plan_free(&plan);
        buf_fini(&out);
    }
}

/* Jobs ----------------------------------------------------------------------------------------- */

static struct testing_call post_of(const struct uuid *api, const char *target, const char *body)
{
    return (struct testing_call){.method = "POST",
                                 .target = target,
                                 .body = body,
                                 .api = api,
                                 .content_type = "application/json"};
}

static json_t *answer_json(void)
{
    json_t *json = json_loads(w->body.p, 0, NULL); /* testing_call() ends it with a NUL */
    assert_non_null(json);
    return json;
}

static void ask(const char *target, const char *body, char id[UUID_TEXT_LEN + 1])
{
    struct testing_call call = post_of(&t.orders, target, body);
    testing_call(&t, w, &call, &reply);
    assert_int_equal(reply.status, 202);
    json_t *json = answer_json();
    snprintf(id, UUID_TEXT_LEN + 1, "%s", json_string_value(json_object_get(json, "id")));
    json_decref(json);
}

static json_t *told(const char *id)
{
    char target[128];
    snprintf(target, sizeof target, "/t/%02x/exports/%s", t.orders.b[15], id);
    struct testing_call call = {.method = "GET", .target = target, .api = &t.orders};
    testing_call(&t, w, &call, &reply);
    assert_int_equal(reply.status, 200);
    return answer_json();
}

static void ends(const char *id, const char *state, const char *code)
{
    for (int i = 0; i < 1000; i++) {
        json_t *json = told(id);
        const char *is = json_string_value(json_object_get(json, "state"));
        bool over = strcmp(is, "queued") != 0 && strcmp(is, "running") != 0;
        if (over) {
            const char *why =
                json_string_value(json_object_get(json_object_get(json, "error"), "code"));
            assert_string_equal(is, state);
            assert_string_equal(why ? why : "", code);
        }
        json_decref(json);
        if (over)
            return;
        usleep(10000);
    }
    fail_msg("the job does not end");
}

static bool exists(const char *id, const char *name)
{
    char path[JOB_DIR_MAX + 80];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s/%s", batch->root, id, name);
    return stat(path, &st) == 0;
}

static const char *orders_target(const char *rest)
{
    static char target[128];
    snprintf(target, sizeof target, "/t/%02x/exports%s", t.orders.b[15], rest);
    return target;
}

static void a_job_reads_every_row(void **state)
{
    char id[UUID_TEXT_LEN + 1], target[160];
    (void)state;
    ask(orders_target("?order=id.desc"), "{\"format\":\"csv\"}", id);
    ends(id, "ready", "");
    snprintf(target, sizeof target, "/t/%02x/exports/%s/data", t.orders.b[15], id);
    struct testing_call call = {.method = "GET", .target = target, .api = &t.orders};
    testing_call(&t, w, &call, &reply);
    assert_int_equal(reply.status, 200);
    assert_true(reply.file.is);
    char text[1024] = "";
    assert_true(pread(reply.file.fd, text, sizeof text - 1, 0) > 0);
    close(reply.file.fd);
    assert_non_null(strstr(text, "id,name,price,paid,made,note,phone\r\n3,wang,,,,,\r\n"));
    assert_non_null(strstr(text, "2,\"Li \"\"Si\"\"\",0.75,"));
}

/* The source has no such table any more: a failure, and nothing that could be taken for the file.
 */
static void a_source_that_went_away_leaves_nothing(void **state)
{
    char id[UUID_TEXT_LEN + 1], connection[256], from[128], to[140];
    (void)state;
    testing_connection(&t, TESTING_SQLITE, connection);
    snprintf(from, sizeof from, "%s/test.db", t.dir);
    snprintf(to, sizeof to, "%s.away", from);
    assert_int_equal(rename(from, to), 0);
    batch_stop(&batch);
    pool_close_all(); /* so that no connection is open */
    const char *why = NULL;
    char root[160];
    snprintf(root, sizeof root, "%s/exports", t.data_dir);
    batch = batch_start(&service, root, &why);
    assert_non_null(batch);
    w->batch = batch;
    ask(orders_target(""), "{}", id);
    ends(id, "failed", "source-unavailable");
    assert_false(exists(id, "data"));
    assert_false(exists(id, "index"));
    assert_true(exists(id, "job.json"));
    assert_int_equal(rename(to, from), 0);
    ask(orders_target(""), "{}", id);
    ends(id, "ready", "");
}

/* A queued job of a process that died is done by the next one. */
static void a_job_outlives_the_process(void **state)
{
    char id[UUID_TEXT_LEN + 1], root[160];
    const char *why = NULL;
    (void)state;
    struct job *job = job_new();
    uuid_new(&job->id);
    uuid_format(&job->id, id);
    const struct catalog_api *api = NULL;
    assert_int_equal(catalog_api_now(&w->catalog, &t.orders, &api), PROBLEM_OK);
    job->api = t.orders;
    job->api_rev = api->rev;
    job->query = strdup("select=id");
    job->fields = json_array();
    job->n_fields = TESTING_FIELDS;
    job->expires_ms = UINT64_MAX / 4;
    memset(job->outcome, PLAN_KEEP, TESTING_FIELDS);
    batch_stop(&batch);
    snprintf(root, sizeof root, "%s/exports", t.data_dir);
    assert_true(job_save(root, job, 1));
    struct uuid saved = job->id;
    job_free(&job);
    batch = batch_start(&service, root, &why);
    assert_non_null(batch);
    w->batch = batch;
    for (int i = 0; i < 1000; i++) {
        pthread_mutex_lock(&batch->lock);
        struct job *found = batch_find(batch, &saved);
        assert_non_null(found);
        bool ready = found->state == JOB_READY;
        uint64_t rows = found->total.rows;
        assert_string_equal(found->problem, "");
        pthread_mutex_unlock(&batch->lock);
        if (ready) {
            assert_int_equal(rows, 3);
            return;
        }
        usleep(10000);
    }
    fail_msg("the job is not done");
}

static void hostile_ranges_are_no_ranges(void **state)
{
    static const struct {
        const char *range;
        unsigned status;
    } rows[] = {
        {"bytes=0-0", 206},
        {"bytes=-1", 206},
        {"bytes=1-", 206},
        {"bytes=-999999", 206},
        {"bytes=99999-", 416},
        {"bytes=-0", 416},
        {"bytes=5-2", 200},
        {"bytes=a-b", 200},
        {"rows=0-1", 200},
        {"bytes=", 200},
        {"bytes=-", 200},
        {"bytes=0-1,3-4", 200},
        {"bytes=18446744073709551616-", 200},
    };
    char id[UUID_TEXT_LEN + 1], target[160];
    (void)state;
    ask(orders_target(""), "{}", id);
    ends(id, "ready", "");
    snprintf(target, sizeof target, "/t/%02x/exports/%s/data", t.orders.b[15], id);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct testing_call call = {
            .method = "GET", .target = target, .api = &t.orders, .range = rows[i].range};
        testing_call(&t, w, &call, &reply);
        assert_int_equal(reply.status, rows[i].status);
        if (reply.file.is)
            close(reply.file.fd);
    }
}

static int start(void **state)
{
    static char connection[256];
    const char *why = NULL;
    char path[160];
    (void)state;
    testing_open(&t);
    testing_connection(&t, TESTING_SQLITE, connection);
    testing_fill(connection);
    testing_publish(&t, connection);
    snprintf(path, sizeof path, "%s/keys", t.data_dir);
    if (mkdir(path, 0700) != 0)
        return -1;
    snprintf(path, sizeof path, "%s/exports", t.data_dir);
    service = t.cfg;
    batch = batch_start(&service, path, &why);
    w = worker_new(&service);
    if (!batch || !w)
        return -1;
    w->batch = batch;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    batch_stop(&batch);
    worker_free(&w);
    testing_close(&t);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_are_safe_in_each_format),
        cmocka_unit_test(a_name_that_is_no_element_is_an_attribute),
        cmocka_unit_test(a_file_goes_on_at_the_last_chunk_that_counts),
        cmocka_unit_test(each_chunk_unpacks_by_stock_libraries),
        cmocka_unit_test(an_altered_index_is_refused),
        cmocka_unit_test(a_full_disk_is_told_and_leaves_the_file_as_it_was),
        cmocka_unit_test(a_row_leaves_as_the_gateways_plan_lets_it),
        cmocka_unit_test(a_job_reads_every_row),
        cmocka_unit_test(a_source_that_went_away_leaves_nothing),
        cmocka_unit_test(a_job_outlives_the_process),
        cmocka_unit_test(hostile_ranges_are_no_ranges),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
