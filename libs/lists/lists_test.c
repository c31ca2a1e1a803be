/* SPDX-License-Identifier: Apache-2.0 */
#include "lists/lists.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <cmocka.h>

#define ID(n)   "019a0000-0000-7000-8000-0000000000" n
#define BLOCK   "\"list\":\"block\",\"subject\":"
#define ALLOW   "\"list\":\"allow\",\"subject\":"
#define FOR_APP ",\"app_id\":\"" ID("a1") "\""
#define TO_API  ",\"api_id\":\"" ID("b1") "\""
#define NOW     1000000u

static struct uuid id_of(const char *text)
{
    struct uuid id;
    assert_true(uuid_parse(&id, text, strlen(text)));
    return id;
}

static struct lists *made_of(const char *const *entries, size_t n)
{
    struct lists *l = lists_new();
    assert_non_null(l);
    for (size_t i = 0; i < n && entries[i] != NULL; i++) {
        assert_true(lists_add(l, slice_str(entries[i]), NOW));
    }
    assert_true(lists_seal(l));
    return l;
}

static enum lists_verdict ask(const struct lists *l, enum lists_subject subject, const char *value,
                              const char *app, const char *api, uint64_t now_ms)
{
    uint8_t bytes[16];
    struct uuid a = id_of(app ? app : ID("a1")), b = id_of(api);
    struct lists_call call = {.app = app ? &a : NULL, .api = &b, .now_ms = now_ms};
    if (subject == LISTS_ADDRESS) {
        bool v6 = strchr(value, ':') != NULL;
        size_t n = value[0] == '\0' ? 0 : v6 ? 16 : 4;
        assert_true(n == 0 || inet_pton(v6 ? AF_INET6 : AF_INET, value, bytes) == 1);
        return lists_judge_address(l, &call, slice_of((char *)bytes, n));
    }
    if (subject == LISTS_USER) {
        return lists_judge(l, &call, subject, slice_str(value));
    }
    struct uuid id = id_of(value);
    return lists_judge(l, &call, subject, slice_of((char *)id.b, UUID_LEN));
}

struct row {
    const char *title, *entries[4];
    enum lists_subject subject;
    const char *value, *app, *api;
    enum lists_verdict verdict;
};
#define A1 ID("a1")
#define A2 ID("a2")
#define B1 ID("b1")
#define B2 ID("b2")

static const struct row rows[] = {
    {"nothing listed", {NULL}, LISTS_ADDRESS, "10.0.0.1", A1, B1, LISTS_PASS},
    {"one address",
     {"{" BLOCK "\"address\",\"value\":\"10.0.0.1\"}"},
     LISTS_ADDRESS,
     "10.0.0.1",
     A1,
     B1,
     LISTS_BLOCKED},
    {"the address beside it",
     {"{" BLOCK "\"address\",\"value\":\"10.0.0.1\"}"},
     LISTS_ADDRESS,
     "10.0.0.2",
     A1,
     B1,
     LISTS_PASS},
    {"first of a network",
     {"{" BLOCK "\"address\",\"value\":\"10.1.64.0/18\"}"},
     LISTS_ADDRESS,
     "10.1.64.0",
     A1,
     B1,
     LISTS_BLOCKED},
    {"last of a network",
     {"{" BLOCK "\"address\",\"value\":\"10.1.64.0/18\"}"},
     LISTS_ADDRESS,
     "10.1.127.255",
     A1,
     B1,
     LISTS_BLOCKED},
    {"behind a network",
     {"{" BLOCK "\"address\",\"value\":\"10.1.64.0/18\"}"},
     LISTS_ADDRESS,
     "10.1.128.0",
     A1,
     B1,
     LISTS_PASS},
    {"host bits are ignored",
     {"{" BLOCK "\"address\",\"value\":\"10.1.77.3/18\"}"},
     LISTS_ADDRESS,
     "10.1.64.1",
     A1,
     B1,
     LISTS_BLOCKED},
    {"a wide network among narrow ones",
     {"{" BLOCK "\"address\",\"value\":\"10.0.0.0/8\"}",
      "{" BLOCK "\"address\",\"value\":\"10.9.9.9\"}"},
     LISTS_ADDRESS,
     "10.2.3.4",
     A1,
     B1,
     LISTS_BLOCKED},
    {"all of IPv4",
     {"{" BLOCK "\"address\",\"value\":\"0.0.0.0/0\"}"},
     LISTS_ADDRESS,
     "203.0.113.9",
     A1,
     B1,
     LISTS_BLOCKED},
    {"all of IPv4 is not IPv6",
     {"{" BLOCK "\"address\",\"value\":\"0.0.0.0/0\"}"},
     LISTS_ADDRESS,
     "2001:db8::1",
     A1,
     B1,
     LISTS_PASS},
    {"all of IPv6 is not IPv4",
     {"{" BLOCK "\"address\",\"value\":\"::/0\"}"},
     LISTS_ADDRESS,
     "10.0.0.1",
     A1,
     B1,
     LISTS_PASS},
    {"IPv6",
     {"{" BLOCK "\"address\",\"value\":\"2001:db8::/33\"}"},
     LISTS_ADDRESS,
     "2001:db8:7fff::1",
     A1,
     B1,
     LISTS_BLOCKED},
    {"IPv6 behind it",
     {"{" BLOCK "\"address\",\"value\":\"2001:db8::/33\"}"},
     LISTS_ADDRESS,
     "2001:db8:8000::1",
     A1,
     B1,
     LISTS_PASS},
    {"IPv4 inside IPv6",
     {"{" BLOCK "\"address\",\"value\":\"10.0.0.0/8\"}"},
     LISTS_ADDRESS,
     "::ffff:10.1.1.1",
     A1,
     B1,
     LISTS_BLOCKED},
    {"of one app",
     {"{" BLOCK "\"address\",\"value\":\"10.0.0.0/8\"" FOR_APP "}"},
     LISTS_ADDRESS,
     "10.1.1.1",
     A1,
     B1,
     LISTS_BLOCKED},
    {"of another app",
     {"{" BLOCK "\"address\",\"value\":\"10.0.0.0/8\"" FOR_APP "}"},
     LISTS_ADDRESS,
     "10.1.1.1",
     A2,
     B1,
     LISTS_PASS},
    {"of an app not known yet",
     {"{" BLOCK "\"address\",\"value\":\"10.0.0.0/8\"" FOR_APP "}"},
     LISTS_ADDRESS,
     "10.1.1.1",
     NULL,
     B1,
     LISTS_PASS},
    {"to one API",
     {"{" BLOCK "\"address\",\"value\":\"10.0.0.0/8\"" TO_API "}"},
     LISTS_ADDRESS,
     "10.1.1.1",
     NULL,
     B1,
     LISTS_BLOCKED},
    {"to another API",
     {"{" BLOCK "\"address\",\"value\":\"10.0.0.0/8\"" TO_API "}"},
     LISTS_ADDRESS,
     "10.1.1.1",
     A1,
     B2,
     LISTS_PASS},
    {"not yet",
     {"{" BLOCK "\"address\",\"value\":\"10.0.0.1\",\"not_before\":1000001}"},
     LISTS_ADDRESS,
     "10.0.0.1",
     A1,
     B1,
     LISTS_PASS},
    {"from now",
     {"{" BLOCK "\"address\",\"value\":\"10.0.0.1\",\"not_before\":1000000}"},
     LISTS_ADDRESS,
     "10.0.0.1",
     A1,
     B1,
     LISTS_BLOCKED},
    {"ended",
     {"{" BLOCK "\"address\",\"value\":\"10.0.0.1\",\"expires_at\":1000000}"},
     LISTS_ADDRESS,
     "10.0.0.1",
     A1,
     B1,
     LISTS_PASS},
    {"about to end",
     {"{" BLOCK "\"address\",\"value\":\"10.0.0.1\",\"expires_at\":1000001}"},
     LISTS_ADDRESS,
     "10.0.0.1",
     A1,
     B1,
     LISTS_BLOCKED},
    {"no address",
     {"{" BLOCK "\"address\",\"value\":\"0.0.0.0/0\"}"},
     LISTS_ADDRESS,
     "",
     A1,
     B1,
     LISTS_PASS},

    {"allowed",
     {"{" ALLOW "\"address\",\"value\":\"10.0.0.0/8\"}"},
     LISTS_ADDRESS,
     "10.1.1.1",
     A1,
     B1,
     LISTS_PASS},
    {"not among the allowed",
     {"{" ALLOW "\"address\",\"value\":\"10.0.0.0/8\"}"},
     LISTS_ADDRESS,
     "11.1.1.1",
     A1,
     B1,
     LISTS_NOT_ALLOWED},
    {"IPv6 not among the allowed",
     {"{" ALLOW "\"address\",\"value\":\"10.0.0.0/8\"}"},
     LISTS_ADDRESS,
     "2001:db8::1",
     A1,
     B1,
     LISTS_NOT_ALLOWED},
    {"no address where some are allowed",
     {"{" ALLOW "\"address\",\"value\":\"10.0.0.0/8\"}"},
     LISTS_ADDRESS,
     "",
     A1,
     B1,
     LISTS_NOT_ALLOWED},
    {"allowed lists of another app do not matter",
     {"{" ALLOW "\"address\",\"value\":\"10.0.0.0/8\"" FOR_APP "}"},
     LISTS_ADDRESS,
     "11.1.1.1",
     A2,
     B1,
     LISTS_PASS},
    {"nor of another API",
     {"{" ALLOW "\"address\",\"value\":\"10.0.0.0/8\"" TO_API "}"},
     LISTS_ADDRESS,
     "11.1.1.1",
     A1,
     B2,
     LISTS_PASS},
    {"the app's own",
     {"{" ALLOW "\"address\",\"value\":\"10.0.0.0/8\"" FOR_APP "}"},
     LISTS_ADDRESS,
     "11.1.1.1",
     A1,
     B1,
     LISTS_NOT_ALLOWED},
    {"before the app is known it cannot be told",
     {"{" ALLOW "\"address\",\"value\":\"10.0.0.0/8\"" FOR_APP "}"},
     LISTS_ADDRESS,
     "11.1.1.1",
     NULL,
     B1,
     LISTS_PASS},
    {"an app's own entry beside the general list",
     {"{" ALLOW "\"address\",\"value\":\"10.0.0.0/8\"}",
      "{" ALLOW "\"address\",\"value\":\"11.0.0.0/8\"" FOR_APP "}"},
     LISTS_ADDRESS,
     "11.1.1.1",
     A1,
     B1,
     LISTS_PASS},
    {"it lets in before the app is known",
     {"{" ALLOW "\"address\",\"value\":\"10.0.0.0/8\"}",
      "{" ALLOW "\"address\",\"value\":\"11.0.0.0/8\"" FOR_APP "}"},
     LISTS_ADDRESS,
     "11.1.1.1",
     NULL,
     B1,
     LISTS_PASS},
    {"and another app is turned away then",
     {"{" ALLOW "\"address\",\"value\":\"10.0.0.0/8\"}",
      "{" ALLOW "\"address\",\"value\":\"11.0.0.0/8\"" FOR_APP "}"},
     LISTS_ADDRESS,
     "11.1.1.1",
     A2,
     B1,
     LISTS_NOT_ALLOWED},
    {"a stranger is turned away at once",
     {"{" ALLOW "\"address\",\"value\":\"10.0.0.0/8\"}",
      "{" ALLOW "\"address\",\"value\":\"11.0.0.0/8\"" FOR_APP "}"},
     LISTS_ADDRESS,
     "12.1.1.1",
     NULL,
     B1,
     LISTS_NOT_ALLOWED},
    {"a block wins",
     {"{" ALLOW "\"address\",\"value\":\"10.0.0.0/8\"}",
      "{" BLOCK "\"address\",\"value\":\"10.1.1.1\"}"},
     LISTS_ADDRESS,
     "10.1.1.1",
     A1,
     B1,
     LISTS_BLOCKED},
    {"an allow list that has not begun",
     {"{" ALLOW "\"address\",\"value\":\"10.0.0.0/8\",\"not_before\":1000001}"},
     LISTS_ADDRESS,
     "11.1.1.1",
     A1,
     B1,
     LISTS_PASS},
    {"one ended, one lives",
     {"{" ALLOW "\"address\",\"value\":\"11.0.0.0/8\",\"not_before\":1000001}",
      "{" ALLOW "\"address\",\"value\":\"10.0.0.0/8\"}"},
     LISTS_ADDRESS,
     "11.1.1.1",
     A1,
     B1,
     LISTS_NOT_ALLOWED},
    {"allowed addresses say nothing of apps",
     {"{" ALLOW "\"address\",\"value\":\"10.0.0.0/8\"}"},
     LISTS_APP,
     A1,
     A1,
     B1,
     LISTS_PASS},

    {"an app", {"{" BLOCK "\"app\",\"value\":\"" A1 "\"}"}, LISTS_APP, A1, A1, B1, LISTS_BLOCKED},
    {"another app", {"{" BLOCK "\"app\",\"value\":\"" A1 "\"}"}, LISTS_APP, A2, A2, B1, LISTS_PASS},
    {"an app, to one API",
     {"{" BLOCK "\"app\",\"value\":\"" A1 "\"" TO_API "}"},
     LISTS_APP,
     A1,
     A1,
     B2,
     LISTS_PASS},
    {"an organisation is no app",
     {"{" BLOCK "\"organisation\",\"value\":\"" A1 "\"}"},
     LISTS_APP,
     A1,
     A1,
     B1,
     LISTS_PASS},
    {"an organisation",
     {"{" BLOCK "\"organisation\",\"value\":\"" ID("c1") "\"}"},
     LISTS_ORGANISATION,
     ID("c1"),
     A1,
     B1,
     LISTS_BLOCKED},
    {"the only apps allowed",
     {"{" ALLOW "\"app\",\"value\":\"" A1 "\"" TO_API "}"},
     LISTS_APP,
     A2,
     A2,
     B1,
     LISTS_NOT_ALLOWED},
    {"among them",
     {"{" ALLOW "\"app\",\"value\":\"" A1 "\"" TO_API "}"},
     LISTS_APP,
     A1,
     A1,
     B1,
     LISTS_PASS},
    {"a user",
     {"{" BLOCK "\"user\",\"value\":\"M00001\"}"},
     LISTS_USER,
     "M00001",
     A1,
     B1,
     LISTS_BLOCKED},
    {"a user of a like name",
     {"{" BLOCK "\"user\",\"value\":\"M00001\"}"},
     LISTS_USER,
     "M00001 ",
     A1,
     B1,
     LISTS_PASS},
    {"nobody", {"{" BLOCK "\"user\",\"value\":\"M00001\"}"}, LISTS_USER, "", A1, B1, LISTS_PASS},
    {"nobody where some are allowed",
     {"{" ALLOW "\"user\",\"value\":\"M00001\"}"},
     LISTS_USER,
     "",
     A1,
     B1,
     LISTS_NOT_ALLOWED},
};

static void verdicts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct lists *l = made_of(rows[i].entries, 4);
        enum lists_verdict v =
            ask(l, rows[i].subject, rows[i].value, rows[i].app, rows[i].api, NOW);
        if (v != rows[i].verdict) {
            fail_msg("%s: %d, not %d", rows[i].title, v, rows[i].verdict);
        }
        lists_free(&l);
        assert_null(l);
    }
}

static void ends_by_itself(void **state)
{
    (void)state;
    static const char *const entries[] = {
        "{" BLOCK "\"address\",\"value\":\"10.0.0.1\",\"expires_at\":1000500}",
        "{" ALLOW "\"user\",\"value\":\"M1\",\"expires_at\":1000500}"};
    struct lists *l = made_of(entries, 2);
    assert_int_equal(ask(l, LISTS_ADDRESS, "10.0.0.1", A1, B1, NOW + 499), LISTS_BLOCKED);
    assert_int_equal(ask(l, LISTS_ADDRESS, "10.0.0.1", A1, B1, NOW + 500), LISTS_PASS);
    assert_int_equal(ask(l, LISTS_USER, "M2", A1, B1, NOW + 499), LISTS_NOT_ALLOWED);
    assert_int_equal(ask(l, LISTS_USER, "M2", A1, B1, NOW + 500), LISTS_PASS);
    lists_free(&l);
}

static void unreadable(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "[]",
        "{",
        "7",
        "{}",
        "{\"list\":\"grey\",\"subject\":\"app\",\"value\":\"" A1 "\"}",
        "{" BLOCK "\"country\",\"value\":\"x\"}",
        "{" BLOCK "\"app\",\"value\":\"shop\"}",
        "{" BLOCK "\"app\",\"value\":7}",
        "{" BLOCK "\"app\"}",
        "{" BLOCK "\"user\",\"value\":\"\"}",
        "{" BLOCK "\"address\",\"value\":\"\"}",
        "{" BLOCK "\"address\",\"value\":\"10.0.0\"}",
        "{" BLOCK "\"address\",\"value\":\"10.0.0.0/33\"}",
        "{" BLOCK "\"address\",\"value\":\"10.0.0.0/\"}",
        "{" BLOCK "\"address\",\"value\":\"10.0.0.0/-1\"}",
        "{" BLOCK "\"address\",\"value\":\"10.0.0.0/ 8\"}",
        "{" BLOCK "\"address\",\"value\":\"10.0.0.0/8x\"}",
        "{" BLOCK "\"address\",\"value\":\"10.0.0.0/99999999999999999999\"}",
        "{" BLOCK "\"address\",\"value\":\"2001:db8::/129\"}",
        "{" BLOCK "\"address\",\"value\":\"10.0.0.1\",\"app_id\":\"x\"}",
        "{" BLOCK "\"address\",\"value\":\"10.0.0.1\",\"api_id\":7}",
    };
    struct lists *l = lists_new();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (lists_add(l, slice_str(bad[i]), NOW)) {
            fail_msg("taken: %s", bad[i]);
        }
    }
    assert_true(lists_seal(l));
    assert_true(lists_empty(l));
    lists_free(&l);
}

/* Against the plain way: every entry tried. */
static void many(void **state)
{
    (void)state;
    enum { N = 5000, ASKED = 2000 };
    static struct {
        uint32_t address;
        unsigned bits;
    } nets[N];
    struct lists *l = lists_new();
    char text[128];
    srandom(7);
    for (size_t i = 0; i < N; i++) {
        nets[i].address = (uint32_t)random() << 1;
        nets[i].bits = 9 + (unsigned)random() % 24;
        struct in_addr in = {htonl(nets[i].address)};
        snprintf(text, sizeof text, "{" BLOCK "\"address\",\"value\":\"%s/%u\"}", inet_ntoa(in),
                 nets[i].bits);
        assert_true(lists_add(l, slice_str(text), NOW));
    }
    assert_true(lists_seal(l));
    for (size_t k = 0; k < ASKED; k++) {
        uint32_t address =
            k % 2 ? (uint32_t)random() << 1 : nets[k].address ^ ((uint32_t)random() & 0x1ff);
        bool blocked = false;
        for (size_t i = 0; i < N && !blocked; i++) {
            blocked = ((address ^ nets[i].address) >> (32 - nets[i].bits)) == 0;
        }
        struct in_addr in = {htonl(address)};
        assert_int_equal(ask(l, LISTS_ADDRESS, inet_ntoa(in), A1, B1, NOW),
                         blocked ? LISTS_BLOCKED : LISTS_PASS);
    }
    lists_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[BK-10.1.2a4, SW-8.3.4-security] who is blocked and who alone is allowed", verdicts, NULL,
         NULL, NULL},
        {"[BK-10.1.2a4] an entry ends by itself", ends_by_itself, NULL, NULL, NULL},
        {"an entry that cannot be read is said to be so", unreadable, NULL, NULL, NULL},
        {"thousands of networks are found as if each were tried", many, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests_name("lists", tests, NULL, NULL);
}
