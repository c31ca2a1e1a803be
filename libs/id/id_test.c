/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "id/idnum.h"
#include "id/uuid.h"

static void uuid_shape(void **state)
{
    (void)state;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct uuid u;
    uuid_new(&u);
    assert_int_equal(u.b[6] >> 4, 7);
    assert_int_equal(u.b[8] >> 6, 2);
    uint64_t ms = 0;
    for (int i = 0; i < 6; i++) {
        ms = ms << 8 | u.b[i];
    }
    uint64_t now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    assert_in_range(ms, now_ms, now_ms + 5000);
}

static void uuid_sorts(void **state)
{
    (void)state;
    struct uuid last, u;
    uuid_new(&last);
    for (int i = 0; i < 20000; i++) { /* more than the fraction holds in the time this takes */
        uuid_new(&u);
        assert_true(memcmp(last.b, u.b, UUID_LEN) < 0);
        last = u;
    }
}

static void uuid_after_fork(void **state)
{
    (void)state;
    struct uuid u, mine, child;
    uuid_new(&u); /* fills the pool that the child inherits */
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        uuid_new(&child);
        _exit(write(ends[1], child.b, UUID_LEN) == UUID_LEN ? 0 : 1);
    }
    uuid_new(&mine);
    assert_int_equal(read(ends[0], child.b, UUID_LEN), UUID_LEN);
    assert_memory_not_equal(mine.b + 8, child.b + 8, 8);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(ends[0]);
    close(ends[1]);
}

#define PER_THREAD 20000
#define THREADS    4

static void *make_many(void *out)
{
    struct uuid *u = out;
    for (int i = 0; i < PER_THREAD; i++) {
        uuid_new(&u[i]);
    }
    return NULL;
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, UUID_LEN);
}

static void uuid_threads(void **state)
{
    (void)state;
    struct uuid *all = malloc(sizeof(struct uuid) * THREADS * PER_THREAD);
    assert_non_null(all);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, make_many, all + i * PER_THREAD), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    qsort(all, (size_t)THREADS * PER_THREAD, sizeof *all, by_bytes);
    for (size_t i = 1; i < (size_t)THREADS * PER_THREAD; i++) {
        assert_false(uuid_eq(&all[i - 1], &all[i]));
    }
    free(all);
}

static void uuid_text(void **state)
{
    (void)state;
    static const char good[] = "019aa5b2-7c00-7abc-8def-0123456789ab";
    static const char *const bad[] = {
        "",
        "019aa5b2-7c00-7abc-8def-0123456789a",
        "019aa5b2-7c00-7abc-8def-0123456789abc",
        "019aa5b27c007abc8def0123456789ab",
        "019aa5b2-7c00-7abc-8def00123456789ab",
        "019aa5b2-7c00-7abc-8def-0123456789ag",
        "019aa5b2-7c0 -7abc-8def-0123456789ab",
        "{19aa5b2-7c00-7abc-8def-0123456789a}",
        "-19aa5b2-7c00-7abc-8def-0123456789ab",
        "019aa5b2-7c00-7abc-8def-0123456789\xc3\xa9",
    };
    struct uuid u;
    char text[UUID_TEXT_LEN + 1];
    memset(text, '?', sizeof text);
    assert_true(uuid_parse(&u, good, UUID_TEXT_LEN));
    assert_false(uuid_is_nil(&u));
    uuid_format(&u, text);
    assert_string_equal(text, good);
    assert_true(uuid_parse(&u, "019AA5B2-7C00-7ABC-8DEF-0123456789AB", UUID_TEXT_LEN));
    uuid_format(&u, text);
    assert_string_equal(text, good);
    struct uuid before = u;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(uuid_parse(&u, bad[i], strlen(bad[i])));
        assert_true(uuid_eq(&u, &before));
    }
    assert_true(uuid_parse(&u, "00000000-0000-0000-0000-000000000000", UUID_TEXT_LEN));
    assert_true(uuid_is_nil(&u));
}

enum kind { USCC, ID_CARD, BANK_CARD };

static const struct {
    enum kind kind;
    const char *text;
    bool good;
} numbers[] = {
    {USCC, "91350100M000100Y43", true}, /* the example of GB 32100-2015 */
    {USCC, "91350100M000100Y4", false},
    {USCC, "91350100M000100Y433", false},
    {USCC, "91350100M000100Y44", false},
    {USCC, "91350100M000100y43", false},
    {USCC, "91350100M000100I43", false},
    {USCC, "9135010XM000100Y43", false},
    {USCC, "", false},
    {ID_CARD, "11010519491231002X", true}, /* the examples of GB 11643-1999 */
    {ID_CARD, "440524188001010014", true},
    {ID_CARD, "11010519491231002x", true},
    {ID_CARD, "110105491231002", true},
    {ID_CARD, "110105194912310021", false},
    {ID_CARD, "1101051949123100X2", false},
    {ID_CARD, "11010519491231002", false},
    {ID_CARD, "110105491331002", false},
    {ID_CARD, "110105490231002", false},
    {ID_CARD, "010105491231002", false},
    {ID_CARD, "11010549123100X", false},
    {ID_CARD, "\xef\xbc\x91\xef\xbc\x91\xef\xbc\x90\xef\xbc\x91\xef\xbc\x90\xef\xbc\x95", false},
    {BANK_CARD, "4111111111111111", true},
    {BANK_CARD, "5555555555554444", true},
    {BANK_CARD, "4222222222222", true},
    {BANK_CARD, "4111111111111112", false},
    {BANK_CARD, "4111 1111 1111 1111", false},
    {BANK_CARD, "0000000000000000", false},
    {BANK_CARD, "422222222222", false},
    {BANK_CARD, "41111111111111111111", false},
    {BANK_CARD, "411111111111111a", false},
    {BANK_CARD, "", false},
};

static bool is(enum kind kind, struct slice text)
{
    static bool (*const checks[])(struct slice) = {
        [USCC] = idnum_is_uscc, [ID_CARD] = idnum_is_id_card, [BANK_CARD] = idnum_is_bank_card};
    return checks[kind](text);
}

static void idnum_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        size_t n = strlen(numbers[i].text);
        char *exact = malloc(n + 1); /* ASan sees a read past the end */
        assert_non_null(exact);
        memcpy(exact, numbers[i].text, n);
        char *text = realloc(exact, n > 0 ? n : 1);
        assert_non_null(text);
        if (is(numbers[i].kind, slice_of(text, n)) != numbers[i].good) {
            fail_msg("row %zu: %s", i, numbers[i].text);
        }
        free(text);
    }
}

static bool leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Any one digit changed must show, and a check digit made must be accepted. */
static void idnum_checks(void **state)
{
    (void)state;
    char id[40];
    for (int year = 1950; year < 2050; year++) {
        snprintf(id, sizeof id, "110105%04d02290020", year);
        id[17] = idnum_id_card_check(id);
        assert_int_equal(idnum_is_id_card(slice_of(id, 18)), leap(year));
    }
    assert_int_equal(idnum_id_card_check("1101051949123100X"), 0);
    assert_int_equal(idnum_uscc_check("91350100M000100I4"), 0);
    assert_int_equal(idnum_uscc_check("91350100M000100Y4"), '3');
    assert_int_equal(idnum_luhn_check(SLICE("411111111111111")), '1');
    assert_int_equal(idnum_luhn_check(SLICE("41111111x111111")), 0);
    assert_int_equal(idnum_luhn_check(SLICE("")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"uuid: version 7, variant and time", uuid_shape, NULL, NULL, NULL},
        {"uuid: ids of one thread sort in order", uuid_sorts, NULL, NULL, NULL},
        {"uuid: a forked child has random bytes of its own", uuid_after_fork, NULL, NULL, NULL},
        {"uuid: threads never make the same id", uuid_threads, NULL, NULL, NULL},
        {"uuid: text, both ways, and what is refused", uuid_text, NULL, NULL, NULL},
        {"idnum: good and bad numbers", idnum_rows, NULL, NULL, NULL},
        {"idnum: check digits", idnum_checks, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
