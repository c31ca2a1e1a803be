/* SPDX-License-Identifier: Apache-2.0 */
/* A control plane killed with -9 under writes, twenty times over one store: what it answered with a
 * 2xx is there, and the operations chain is whole. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "feed/reports.h"
#include "test/fixture.h"

#define KILLS 20

static struct fixture f;

static int setup(void **state)
{
    (void)state;
    fixture_open(&f);
    snprintf(f.token[ADMIN], sizeof f.token[ADMIN], "%s",
             fixture_ok(&f, NOBODY, "POST", "sessions",
                        "{\"login\":\"admin\",\"password\":\"" FIXTURE_ADMIN "\"}", "token"));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

/* Creates and approves organisations until killed; tells the pipe each id it was given. */
static void write_for_ever(int pipe_fd, int round)
{
    for (int i = 0;; i++) {
        struct reply r = fixture_call(&f, ADMIN, "POST", "organisations", NULL,
                                      text("{\"name\":\"r%d-%d\",\"kind\":\"holder\"}", round, i));
        if (r.status == 201 &&
            write(pipe_fd, row_text(r.json, "id"), UUID_TEXT_LEN) != UUID_TEXT_LEN) {
            _exit(1);
        }
        reply_free(&r);
    }
}

/* The nth event of a round, as a node would send it again after a crash: the same id. */
static enum problem report(int round, int n, char id[static UUID_TEXT_LEN + 1])
{
    char why[REPORTS_WHY_MAX];
    size_t accepted = 0;

    snprintf(id, UUID_TEXT_LEN + 1, "01a20106-0dc8-7e83-%04d-%012d", round, n);
    const char *body = text("{\"node\":\"gw\",\"at\":1,\"version\":\"\",\"events\":[{\"id\":\"%s\","
                            "\"at\":1,\"kind\":\"target-down\"}],\"limits\":[],\"targets\":[],"
                            "\"keys\":[]}",
                            id);
    return reports_take(&f.ctl, slice_str(body), &accepted, why);
}

static void report_for_ever(int pipe_fd, int round)
{
    char id[UUID_TEXT_LEN + 1];

    for (int i = 0;; i++) {
        if (report(round, i, id) == PROBLEM_OK &&
            write(pipe_fd, id, UUID_TEXT_LEN) != UUID_TEXT_LEN) {
            _exit(1);
        }
    }
}

static size_t one_round(int round, void (*work)(int pipe_fd, int round),
                        char ids[][UUID_TEXT_LEN + 1], size_t room)
{
    int ends[2];
    size_t n = 0;

    assert_int_equal(pipe(ends), 0);
    control_close(&f.ctl);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        if (!control_open(&f.ctl, &f.cfg)) {
            _exit(1);
        }
        work(ends[1], round);
    }
    close(ends[1]);
    if (round % 4) { /* else: killed perhaps while it opens */
        struct pollfd first = {.fd = ends[0], .events = POLLIN};
        assert_int_equal(poll(&first, 1, 60000), 1);
    }
    usleep((useconds_t)(20000 + (round * 7919) % 60000));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    while (n < room && read(ends[0], ids[n], UUID_TEXT_LEN) == UUID_TEXT_LEN) {
        ids[n++][UUID_TEXT_LEN] = '\0';
    }
    close(ends[0]);
    assert_true(control_open(&f.ctl, &f.cfg));
    return n;
}

static int64_t count(const char *sql)
{
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    assert_int_equal(store_begin(f.ctl.store, STORE_READ, &txn), STORE_OK);
    assert_int_equal(store_query(txn, sql, NULL, 0, &rows), STORE_OK);
    assert_true(store_next(rows));
    int64_t n = store_get_int(rows, 0);
    assert_int_equal(store_rows_end(&rows), STORE_OK);
    store_rollback(&txn);
    return n;
}

static void nothing_acknowledged_is_lost(void **state)
{
    (void)state;
    static char ids[4096][UUID_TEXT_LEN + 1];
    size_t all = 0;
    for (int round = 0; round < KILLS; round++) {
        size_t n = one_round(round, write_for_ever, ids, COUNT(ids));
        for (size_t i = 0; i < n; i++) {
            fixture_ok(&f, ADMIN, "GET", text("organisations/%s", ids[i]), NULL, NULL);
        }
        all += n;
    }
    print_message("%d kills, %zu acknowledged writes\n", KILLS, all);
    assert_true(all >= KILLS);
    /* Each organisation has its operation and none is without: they are one transaction. */
    assert_int_equal(count("SELECT count(*) FROM organisations"),
                     count("SELECT count(*) FROM operations WHERE kind = 'organisation'"));
    assert_int_equal(count("SELECT max(seq) - count(*) FROM operations"), 0);
}

static void events_are_neither_lost_nor_doubled(void **state)
{
    (void)state;
    static char ids[4096][UUID_TEXT_LEN + 1];
    char id[UUID_TEXT_LEN + 1];
    size_t all = 0;
    for (int round = 0; round < KILLS / 2; round++) {
        size_t n = one_round(round, report_for_ever, ids, COUNT(ids));
        for (size_t i = 0; i < n; i++) {
            fixture_ok(&f, ADMIN, "GET", text("alerts/%s", ids[i]), NULL, NULL);
        }
        /* The node was not told of its last one, stored or not: it sends it again. */
        assert_int_equal(report(round, (int)n, id), PROBLEM_OK);
        all += n + 1;
    }
    print_message("%d kills, %zu events\n", KILLS / 2, all);
    assert_int_equal(count("SELECT count(*) FROM alerts"), all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"killed twenty times: nothing acknowledged is lost", nothing_acknowledged_is_lost, NULL,
         NULL, NULL},
        {"killed ten times: a node's events are neither lost nor doubled",
         events_are_neither_lost_nor_doubled, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
