/* SPDX-License-Identifier: Apache-2.0 */
/* What n APIs, apps, subscriptions and grants cost (n from the command line, 100,000 else): time to
 * load as one reset, bytes on disk an entry, and the lookups of one call on a full and a tiny
 * replica. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "replica/replica.h"

enum { BATCH_KINDS = 4 };

static char *id_text(char out[UUID_TEXT_LEN + 1], int kind, int i)
{
    snprintf(out, UUID_TEXT_LEN + 1, "019a%04x-0000-7000-8000-%012x", (unsigned)kind, (unsigned)i);
    return out;
}

static struct uuid id_of(int kind, int i)
{
    char text[UUID_TEXT_LEN + 1];
    struct uuid id;
    id_text(text, kind, i);
    if (!uuid_parse(&id, text, UUID_TEXT_LEN)) {
        abort();
    }
    return id;
}

static json_t *fields_of(void)
{
    json_t *list = json_array();
    for (int i = 0; i < 10; i++) {
        json_t *path = json_sprintf("column_%d", i);
        json_array_append_new(list, json_pack("{s:o,s:i,s:s,s:s}", "path", path, "level", 1 + i % 3,
                                              "type", "scalar", "mask", i % 3 == 2 ? "phone" : ""));
    }
    return list;
}

static json_t *data_of(int kind, int i)
{
    char app[UUID_TEXT_LEN + 1], api[UUID_TEXT_LEN + 1];
    id_text(app, 1, i);
    id_text(api, 0, i);
    switch (kind) {
    case 0:
        return json_pack("{s:s,s:o,s:s,s:s,s:s,s:s,s:[s,s],s:s,s:s,s:b,s:o}", "name", "orders",
                         "path", json_sprintf("/bench/api-%d/v1", i), "state", "published", "class",
                         "A1", "access", "subscription", "kind", "dataset", "methods", "GET",
                         "POST", "profile", "rest", "dataset_id", api, "owner_scoped", 1, "fields",
                         fields_of());
    case 1:
        return json_pack("{s:s,s:s,s:s}", "name", "shop", "state", "active", "environment",
                         "monitored");
    case 2:
        return json_pack("{s:s,s:s,s:s,s:i,s:n}", "app_id", app, "api_id", api, "state", "active",
                         "max_level", 3, "fields");
    default:
        return json_pack("{s:s,s:s,s:s,s:s,s:s,s:n}", "app_id", app, "api_id", api, "owner",
                         "M0000001", "state", "active", "term", "period", "fields");
    }
}

static json_t *whole_state(int n)
{
    static const char *const kinds[BATCH_KINDS] = {"api", "app", "subscription", "grant"};
    json_t *list = json_array();
    char text[UUID_TEXT_LEN + 1];
    for (int i = 0; i < n * BATCH_KINDS; i++) {
        int kind = i % BATCH_KINDS;
        json_array_append_new(list,
                              json_pack("{s:i,s:s,s:s,s:s,s:o}", "seq", i + 1, "kind", kinds[kind],
                                        "id", id_text(text, kind, i / BATCH_KINDS), "op", "put",
                                        "data", data_of(kind, i / BATCH_KINDS)));
    }
    return list;
}

/* What a call looks up when nothing is remembered. */
static double lookups_us(struct replica *r, int n)
{
    enum { CALLS = 200000 };
    static struct policy_field fields[POLICY_FIELDS_MAX];
    struct replica_reader *rd;
    struct replica_api api;
    struct replica_app app;
    struct policy_subscription s;
    struct policy_grant g;
    uint64_t version, synced, begun = clock_mono_us();
    unsigned failures = replica_reader_new(&rd, r) != REPLICA_OK;
    for (int call = 0; call < CALLS && failures == 0; call++) {
        int i = (int)((unsigned)call * 2654435761u % (unsigned)n);
        struct uuid app_id = id_of(1, i), grant_id = id_of(3, i);
        char path[64];
        snprintf(path, sizeof path, "/bench/api-%d/v1/rows", i);
        failures += replica_read_begin(rd, &version, &synced) != REPLICA_OK;
        failures += replica_route(rd, slice_str(path), &api, fields) != REPLICA_OK;
        failures += replica_get_app(rd, &app_id, &app) != REPLICA_OK;
        failures += replica_get_subscription(rd, &app_id, &api.policy, &s) != REPLICA_OK;
        failures += replica_get_grant(rd, &grant_id, &api.policy, &g) != REPLICA_OK;
        replica_read_end(rd);
    }
    if (failures != 0) {
        fprintf(stderr, "replica_bench: a lookup failed\n");
        exit(1);
    }
    double us = (double)(clock_mono_us() - begun) / CALLS;
    replica_reader_free(&rd);
    return us;
}

static void run(int n)
{
    char dir[] = "/tmp/replica-bench-XXXXXX", path[64];
    struct replica *r;
    struct replica_cursor cursor = {.seq = 1};
    struct stat st;
    size_t bad;
    if (mkdtemp(dir) == NULL || replica_open_writer(&r, dir, 0) != REPLICA_OK) {
        exit(1);
    }
    json_t *list = whole_state(n);
    uint64_t begun = clock_mono_us();
    enum replica_err err = replica_apply(r, list, &cursor, true, true, &bad);
    double seconds = (double)(clock_mono_us() - begun) / 1e6;
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    if (err != REPLICA_OK || stat(path, &st) != 0) {
        fprintf(stderr, "replica_bench: %s\n", replica_strerror(err));
        exit(1);
    }
    printf("n %7d: load %6.2f s, %5.0f bytes an entry (%d entries), lookups of a call %5.2f us\n",
           n, seconds, (double)st.st_blocks * 512 / (n * BATCH_KINDS), n * BATCH_KINDS,
           lookups_us(r, n));
    json_decref(list);
    malloc_trim(0);
    begun = clock_mono_us();
    for (int i = 0; i < 50; i++) {
        cursor.seq++;
        if (replica_apply(r, NULL, &cursor, false, false, &bad) != REPLICA_OK) {
            fprintf(stderr, "replica_bench: a heartbeat failed\n");
            exit(1);
        }
    }
    printf("           heartbeat %.2f ms\n", (double)(clock_mono_us() - begun) / 50e3);
    replica_close(&r);
    unlink(path);
    snprintf(path, sizeof path, "%s/lock.mdb", dir);
    unlink(path);
    rmdir(dir);
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 100000;
    if (n < 1 || n > 1000000) {
        fprintf(stderr, "usage: replica_bench [1..1000000]\n");
        return 2;
    }
    run(10);
    run(n);
    return 0;
}
