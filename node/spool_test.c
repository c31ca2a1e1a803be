/* SPDX-License-Identifier: Apache-2.0 */
/* The files of events: whole lines, in order, gone when accepted and over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node/report.h"

#define DEAD "999999999" /* above any pid */

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/spool-test-XXXXXX");
    return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state)
{
    char command[96];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

static void put(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static bool is_there(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

static void takes(struct spool *s, size_t most, const char *want)
{
    json_t *events = spool_take(s, most);
    char *text = json_dumps(events, JSON_COMPACT);
    assert_string_equal(text, want);
    free(text);
    json_decref(events);
}

static void what_is_taken_is_taken_again_until_accepted(void **state)
{
    (void)state;
    struct spool *s = spool_new(dir);
    put(DEAD ".1.ndjson", "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n");
    assert_true(spool_waiting(s));
    takes(s, 2, "[{\"a\":1},{\"a\":2}]");
    takes(s, 2, "[{\"a\":1},{\"a\":2}]");
    spool_accepted(s);
    assert_true(is_there(DEAD ".1.ndjson"));
    takes(s, 2, "[{\"a\":3}]");
    spool_accepted(s);
    assert_false(is_there(DEAD ".1.ndjson"));
    assert_false(spool_waiting(s));
    spool_free(&s);
}

static void what_lives_is_kept_and_read_on(void **state)
{
    char one[64], two[64];
    (void)state;
    snprintf(one, sizeof one, "%ld.1.ndjson", (long)getpid());
    snprintf(two, sizeof two, "%ld.2.ndjson", (long)getpid());
    struct spool *s = spool_new(dir);
    put(one, "{\"a\":1}\n{\"a\":");
    takes(s, 9, "[{\"a\":1}]");
    spool_accepted(s);
    takes(s, 9, "[]");
    spool_accepted(s);
    put(one, "2}\n");
    takes(s, 9, "[{\"a\":2}]");
    spool_accepted(s);
    assert_true(is_there(one));
    put(two, "{\"a\":3}\n"); /* the worker went on there */
    takes(s, 9, "[{\"a\":3}]");
    spool_accepted(s);
    assert_false(is_there(one));
    assert_true(is_there(two));
    spool_free(&s);
}

static void what_is_no_event_is_passed_over(void **state)
{
    (void)state;
    struct spool *s = spool_new(dir);
    put(DEAD ".2.ndjson", "no json\n[1]\n\n{\"a\":1,\"a\":2}\n{\"a\":4}\n{\"half\":");
    put("readme", "{\"a\":9}\n");
    put("-5.1.ndjson", "{\"a\":9}\n");
    put(DEAD ".3.ndjson.bak", "{\"a\":9}\n");
    takes(s, 9, "[{\"a\":4}]");
    spool_accepted(s);
    takes(s, 9, "[]"); /* nobody will end the last line */
    spool_accepted(s);
    assert_false(is_there(DEAD ".2.ndjson"));
    assert_true(is_there("readme"));
    spool_free(&s);
}

static void own_events_are_lines_too(void **state)
{
    (void)state;
    struct spool *s = spool_new(dir);
    json_t *event = json_pack("{s:i}", "mine", 1);
    assert_true(spool_add(dir, event));
    assert_false(spool_add("/nowhere", event));
    takes(s, 9, "[{\"mine\":1}]");
    json_decref(event);
    spool_free(&s);
}

int main(void)
{
#define ROW(title, test)                                                                           \
    {                                                                                              \
        title, test, make_dir, remove_dir, NULL                                                    \
    }
    const struct CMUnitTest tests[] = {
        ROW("what is taken is taken again until it is accepted",
            what_is_taken_is_taken_again_until_accepted),
        ROW("a file whose writer lives is kept and read on", what_lives_is_kept_and_read_on),
        ROW("what is no event is passed over", what_is_no_event_is_passed_over),
        ROW("own events are lines too", own_events_are_lines_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
