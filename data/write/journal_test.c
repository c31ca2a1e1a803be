/* SPDX-License-Identifier: Apache-2.0 */
/* What leaves the journal by its age, and what stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "data/write/write.h"

#define DAY 86400000ull
#define NOW (1000 * DAY)

static char dir[] = "/tmp/journal-test-XXXXXX";
static const uint8_t key[CRYPTO_KEY_LEN] = {3};
static struct journal *j;
static char dataset[UUID_TEXT_LEN + 1];

static int open_it(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/journal-test-XXXXXX");
    uuid_new_text(dataset);
    j = mkdtemp(dir) ? wjournal_open(dir, key) : NULL;
    return j ? 0 : -1;
}

static int close_it(void **state)
{
    char command[80];
    (void)state;
    wjournal_close(&j);
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

/* An operation on one row; its id in id. */
static void put(uint64_t at_ms, const char *batch, bool settled, bool deliver,
                char id[static UUID_TEXT_LEN + 1])
{
    struct journal_op op = {.deliver = deliver, .at_ms = at_ms, .answer = SLICE("")};
    uuid_new_text(op.id);
    strcpy(id, op.id);
    strcpy(op.dataset, dataset);
    strcpy(op.source, dataset);
    strcpy(op.app, dataset);
    strcpy(op.kind, "update");
    snprintf(op.batch, sizeof op.batch, "%s", batch[0] ? batch : op.id);
    op.shape = json_object();
    op.rows =
        json_pack("[{s:{s:s}, s:n, s:{s:s}}]", "key", "id", "1", "before", "after", "id", "1");
    assert_int_equal(wjournal_prepare(j, &op), JOURNAL_OK);
    if (settled)
        assert_int_equal(wjournal_finish(j, id, true, NULL), JOURNAL_OK);
    json_decref(op.shape);
    json_decref(op.rows);
}

static bool there(const char *id)
{
    json_t *filter = json_pack("{s:s}", "operation", id), *list = wjournal_list(j, filter),
           *rows = wjournal_rows(j, id);
    bool yes = json_array_size(list) == 1;
    assert_int_equal(json_array_size(rows), yes); /* with its images or not at all */
    json_decref(rows);
    json_decref(list);
    json_decref(filter);
    return yes;
}

static void tell_all(void)
{
    json_t *due = wjournal_due(j, UINT64_MAX / 4), *one, *out = json_array();
    size_t i;
    json_array_foreach(due, i, one)
    {
        json_array_append_new(out,
                              json_pack("{s:O, s:b}", "id", json_object_get(one, "id"), "ok", 1));
    }
    assert_true(json_array_size(out) > 0);
    assert_int_equal(wjournal_delivered(j, out, NOW), JOURNAL_OK);
    json_decref(out);
    json_decref(due);
}

static enum problem take_back_to(uint64_t to, char detail[static 400])
{
    static struct worker w;
    json_t *answer = NULL,
           *body = json_pack("{s:s, s:I}", "dataset", dataset, "to", (json_int_t)to);
    w.journal = j;
    enum problem p = write_undo(&w, body, &answer, detail);
    json_decref(body);
    json_decref(answer);
    return p;
}

static void old_ones_go(void **state)
{
    char a[UUID_TEXT_LEN + 1], b[UUID_TEXT_LEN + 1], c[UUID_TEXT_LEN + 1], detail[400];
    (void)state;
    put(NOW - 30 * DAY, "", true, false, a);
    put(NOW - 20 * DAY, "", true, false, b);
    put(NOW - DAY, "", true, false, c);
    assert_int_equal(wjournal_pruned(j), 0);
    assert_int_equal(wjournal_prune(j, NOW - 40 * DAY, 10), 0);
    assert_int_equal(wjournal_pruned(j), 0);
    assert_int_equal(wjournal_prune(j, NOW - 10 * DAY, 1), 1); /* oldest first */
    assert_true(!there(a) && there(b));
    assert_int_equal(wjournal_prune(j, NOW - 10 * DAY, 10), 1);
    assert_true(!there(b) && there(c));
    assert_int_equal(wjournal_pruned(j), NOW - 20 * DAY);
    assert_int_equal(take_back_to(NOW - 21 * DAY, detail), PROBLEM_ROLLBACK_REFUSED);
    assert_non_null(strstr(detail, "no longer kept"));
    assert_int_equal(take_back_to(NOW, detail), PROBLEM_NOT_FOUND); /* nothing since, all known */
    wjournal_close(&j);
    j = wjournal_open(dir, key); /* what went is remembered */
    assert_non_null(j);
    assert_int_equal(wjournal_pruned(j), NOW - 20 * DAY);
    assert_int_equal(wjournal_prune(j, NOW - 10 * DAY, 10), 0);
    assert_int_equal(wjournal_pruned(j), NOW - 20 * DAY);
}

static void what_is_needed_stays(void **state)
{
    char open[UUID_TEXT_LEN + 1], due[UUID_TEXT_LEN + 1], first[UUID_TEXT_LEN + 1],
        second[UUID_TEXT_LEN + 1];
    (void)state;
    put(NOW - 30 * DAY, "", false, false, open); /* in doubt */
    put(NOW - 30 * DAY, "", true, true, due);    /* its unit has not been told */
    put(NOW - 30 * DAY, "night", true, false, first);
    put(NOW - DAY, "night", true, false, second); /* the batch can be taken back as a whole */
    assert_int_equal(wjournal_prune(j, NOW - 10 * DAY, 10), 0);
    assert_true(there(open) && there(due) && there(first) && there(second));
    tell_all();
    assert_int_equal(wjournal_finish(j, open, false, "it never happened"), JOURNAL_OK);
    assert_int_equal(wjournal_prune(j, NOW - 10 * DAY, 10), 2);
    assert_true(!there(open) && !there(due) && there(first));
    assert_int_equal(wjournal_prune(j, NOW, 10), 2);
}

static void kept_by_days(void **state)
{
    char id[UUID_TEXT_LEN + 1];
    (void)state;
    put(NOW - 8 * DAY, "", true, false, id);
    wjournal_retain(j, 1); /* no fewer than a week, whatever is said */
    wjournal_keep(j, NOW - DAY - 1);
    assert_true(there(id));
    wjournal_keep(j, NOW - DAY); /* looked a moment ago */
    wjournal_keep(j, NOW);
    assert_false(there(id));
    put(NOW - 900 * DAY, "", true, false, id);
    wjournal_retain(j, 0);
    wjournal_keep(j, 2 * NOW);
    assert_false(there(id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(old_ones_go, open_it, close_it),
        cmocka_unit_test_setup_teardown(what_is_needed_stays, open_it, close_it),
        cmocka_unit_test_setup_teardown(kept_by_days, open_it, close_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
