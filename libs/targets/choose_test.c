/* SPDX-License-Identifier: Apache-2.0 */
#include "targets/choose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

#define P(w, ok)                                                                                   \
    {                                                                                              \
        .weight = (w), .role = CHOOSE_PRIMARY, .usable = (ok)                                      \
    }
#define SPARE(ok)                                                                                  \
    {                                                                                              \
        .weight = 1, .role = CHOOSE_STANDBY, .usable = (ok)                                        \
    }
#define SANDBOX(ok)                                                                                \
    {                                                                                              \
        .weight = 1, .role = CHOOSE_SANDBOX, .usable = (ok)                                        \
    }
#define CANARY(ok)                                                                                 \
    {                                                                                              \
        .weight = 1, .role = CHOOSE_CANARY, .usable = (ok)                                         \
    }
#define LOAD(w, in)                                                                                \
    {                                                                                              \
        .weight = (w), .role = CHOOSE_PRIMARY, .usable = true, .inflight = (in)                    \
    }

/* The letters of the targets chosen in turn; '-': none. */
static const char *choices(const struct choose_target *targets, size_t n,
                           const struct choose_call *call, size_t times)
{
    static char text[64];
    struct choose_turn turn = {0};
    for (size_t i = 0; i < times; i++) {
        int one = choose_target(targets, n, call, &turn);
        text[i] = one == CHOOSE_NONE ? '-' : (char)('a' + one);
    }
    text[times] = '\0';
    return text;
}

static void rows(void **unused)
{
    static const struct {
        struct choose_target targets[4];
        size_t n;
        struct choose_call call;
        const char *expected;
    } table[] = {
        {{P(1, 1), P(1, 1), P(1, 1)}, 3, {0}, "abcabcabc"},
        {{P(5, 1), P(1, 1), P(1, 1)}, 3, {0}, "aabacaaaabacaa"}, /* spread, not in a row */
        {{P(1, 1), P(1, 0), P(1, 1)}, 3, {0}, "acacac"},
        {{P(1, 1), P(0, 1)}, 2, {0}, "aaaa"},
        {{P(1, 1), SPARE(1)}, 2, {0}, "aaaa"},
        {{P(1, 0), SPARE(1)}, 2, {0}, "bbbb"},
        {{P(0, 1), SPARE(1)}, 2, {0}, "bbbb"},
        {{P(1, 0), SPARE(0)}, 2, {0}, "----"},
        {{P(1, 0), P(1, 0), SPARE(1), SPARE(1)}, 4, {0}, "cdcd"},
        {{P(1, 0)}, 0, {0}, "--"},
        {{P(1, 1), CANARY(1)}, 2, {.canary_share = 0, .hash = 0}, "aaa"},
        {{P(1, 1), CANARY(1)}, 2, {.canary_share = 100, .hash = 99}, "bbb"},
        {{P(1, 1), CANARY(1)}, 2, {.canary_share = 100, .hash = 100}, "aaa"},
        {{P(1, 1), CANARY(1)}, 2, {.hash = 9999, .is_canary_app = true}, "bbb"},
        {{P(1, 1), CANARY(0)}, 2, {.hash = 9999, .is_canary_app = true}, "aaa"},
        {{P(1, 0), CANARY(1)}, 2, {.canary_share = 100, .hash = 5000}, "---"},
        {{P(1, 0), CANARY(0), SPARE(1)}, 3, {.is_canary_app = true}, "ccc"},
        {{P(1, 1), SANDBOX(1), SPARE(1)}, 3, {.is_sandbox = true}, "bbb"},
        {{P(1, 1), SANDBOX(0), SPARE(1)}, 3, {.is_sandbox = true}, "---"},
        {{P(1, 1), CANARY(1)}, 2, {.is_sandbox = true, .is_canary_app = true}, "--"},
        {{P(1, 0), SANDBOX(1)}, 2, {0}, "--"},
        {{SANDBOX(1)}, 1, {0}, "-"},
        {{LOAD(1, 3), LOAD(1, 2), LOAD(1, 4)}, 3, {.method = CHOOSE_LEAST_CONNECTIONS}, "bbb"},
        {{LOAD(4, 3), LOAD(1, 1)}, 2, {.method = CHOOSE_LEAST_CONNECTIONS}, "aaa"},
        {{LOAD(1, 2), LOAD(1, 2)}, 2, {.method = CHOOSE_LEAST_CONNECTIONS}, "abab"},
        {{LOAD(65535, UINT32_MAX), LOAD(1, UINT32_MAX)},
         2,
         {.method = CHOOSE_LEAST_CONNECTIONS},
         "aa"},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_string_equal(
            choices(table[i].targets, table[i].n, &table[i].call, strlen(table[i].expected)),
            table[i].expected);
    }
}

/* Each has its share to the call, in any run of as many calls as the weights add up to. */
static void shares(void **unused)
{
    static const uint16_t weights[] = {1, 2, 3, 10, 84, 100, 7, 9, 1, 1, 1, 1, 30, 50, 65, 35};
    struct choose_target targets[CHOOSE_MAX];
    struct choose_turn turn = {0};
    const struct choose_call call = {0};
    unsigned seen[CHOOSE_MAX] = {0}, all = 0;
    (void)unused;
    for (size_t i = 0; i < CHOOSE_MAX; i++) {
        targets[i] = (struct choose_target)P(weights[i], true);
        all += weights[i];
    }
    for (unsigned call_no = 0; call_no < 10 * all; call_no++) {
        seen[choose_target(targets, CHOOSE_MAX + 5, &call, &turn)]++; /* past the 16: not read */
    }
    for (size_t i = 0; i < CHOOSE_MAX; i++) {
        assert_int_equal(seen[i], 10 * weights[i]);
    }
}

static void canary_share(void **unused)
{
    const struct choose_target targets[] = {P(1, true), CANARY(true)};
    struct choose_turn turn = {0};
    unsigned canaries = 0;
    (void)unused;
    for (uint32_t hash = 0; hash < CHOOSE_PARTS; hash++) {
        const struct choose_call call = {.canary_share = 250, .hash = hash};
        canaries += choose_target(targets, 2, &call, &turn) == 1;
    }
    assert_int_equal(canaries, 250);
}

/* A target that fails and comes back: the others share meanwhile, and it does not catch up. */
static void comes_back(void **unused)
{
    struct choose_target targets[] = {P(1, true), P(1, true)};
    struct choose_turn turn = {0};
    const struct choose_call call = {0};
    unsigned seen[2] = {0};
    (void)unused;
    targets[1].usable = false;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(choose_target(targets, 2, &call, &turn), 0);
    }
    targets[1].usable = true;
    for (int i = 0; i < 10; i++) {
        seen[choose_target(targets, 2, &call, &turn)]++;
    }
    assert_int_equal(seen[0], 5);
}

/* One that hangs is passed over for days: credits stay in their bounds. */
static void passed_over(void **unused)
{
    const struct choose_target targets[] = {LOAD(65535, 0), LOAD(65535, 9)};
    struct choose_turn turn = {0};
    const struct choose_call call = {.method = CHOOSE_LEAST_CONNECTIONS};
    (void)unused;
    for (int i = 0; i < 200000; i++) {
        assert_int_equal(choose_target(targets, 2, &call, &turn), 0);
    }
    assert_in_range(turn.credit[1], 0, 1 << 24);
    assert_in_range(-turn.credit[0], 0, 1 << 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[SW-10.1-3d] by turns, by load; standbys only without a primary; canaries by share or "
         "app",
         rows, NULL, NULL},
        {"weights are met to the call", shares, NULL, NULL},
        {"a canary share is met to the hash", canary_share, NULL, NULL},
        {"a target that is passed over for long runs up no endless credit", passed_over, NULL,
         NULL},
        {"a target that comes back does not catch up", comes_back, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
