/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct exchange_message request, response;

/* Copies without a NUL, so that ASan sees a read past the end. */
static char *exact(const char *text, struct slice *out)
{
    size_t n = strlen(text);
    char *copy = malloc(n + !n);
    assert_non_null(copy);
    memcpy(copy, text, n);
    *out = slice_of(copy, n);
    return copy;
}

static void whole(void **state)
{
    (void)state;
    struct slice text, value;
    char *copy = exact("POST /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nX:\t y \r\n\r\nhi"
                       "HTTP/1.1 100 Continue\r\n\r\nHTTP/2 200 \nA: 1\na: 2\nB:\n\nbody\r\n",
                       &text);
    const char *why = exchange_both(&request, &response, text);
    if (why != NULL) {
        fail_msg("%s", why);
    }
    assert_true(slice_eq(request.method, SLICE("POST")));
    assert_true(slice_eq(request.target, SLICE("/a?b")));
    assert_true(slice_eq(request.body, SLICE("hi")));
    assert_true(exchange_field(&request, SLICE("x"), &value));
    assert_true(slice_eq(value, SLICE("y")));
    assert_int_equal(response.status, 200);
    assert_true(slice_eq(response.body, SLICE("body\r\n")));
    assert_true(exchange_field(&response, SLICE("b"), &value));
    assert_int_equal(value.n, 0);
    assert_false(exchange_field(&response, SLICE("a"), &value)); /* twice */
    assert_false(exchange_field(&response, SLICE("x"), &value));
    free(copy);
}

static const char *const no_requests[] = {
    "",
    "GET / HTTP/1.1",
    "GET / HTTP/1.1\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\n",
    "GET /\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    "GET  / HTTP/1.1\r\n\r\n",
    "GET / HTTQ/1.1\r\n\r\n",
    " / HTTP/1.1\r\n\r\n",
    "G\x01T / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost h\r\n\r\n",
    "GET / HTTP/1.1\r\n: h\r\n\r\n",
    "GET / HTTP/1.1\r\nHo st: h\r\n\r\n",
    "GET / HTTP/1.1\r\nHost : h\r\n\r\n",
    "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
    "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n",
    "GET / HTTP/1.1\r\nContent-Length: 1\r\n\r\n",
    "GET / HTTP/1.1\r\nContent-Length: \r\n\r\n",
    "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    "GET / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\nHTTP/1.1 200 OK\r\n",
};
static const char *const no_responses[] = {
    "",
    "HTTP/1.1 200 OK",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 20 OK\r\n\r\n",
    "HTTP/1.1 2000 OK\r\n\r\n",
    "HTTP/1.1 2x0 OK\r\n\r\n",
    "HTTP/1.1 099 OK\r\n\r\n",
    "HTTP/1.1\r\n\r\n",
    "HTTP/1.1 \r\n\r\n",
    "FTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nx",
};

static void broken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof no_requests / sizeof *no_requests; i++) {
        struct slice text;
        char *copy = exact(no_requests[i], &text);
        if (exchange_both(&request, &response, text) == NULL) {
            fail_msg("taken: %s", no_requests[i]);
        }
        free(copy);
    }
    for (size_t i = 0; i < sizeof no_responses / sizeof *no_responses; i++) {
        struct slice text;
        char *copy = exact(no_responses[i], &text);
        if (exchange_response(&response, text) == NULL) {
            fail_msg("taken: %s", no_responses[i]);
        }
        free(copy);
    }
}

static void too_many(void **state)
{
    (void)state;
    char text[4096] = "HTTP/1.1 200 OK\n";
    for (size_t i = 0; i <= EXCHANGE_FIELDS_MAX; i++) {
        strcat(text, "A: b\n");
    }
    strcat(text, "\n");
    assert_non_null(exchange_response(&response, slice_str(text)));
    memmove(text + 16, text + 21, strlen(text + 21) + 1);
    assert_null(exchange_response(&response, slice_str(text)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"exchange: both messages", whole, NULL, NULL, NULL},
        {"exchange: what is no exchange", broken, NULL, NULL, NULL},
        {"exchange: too many fields", too_many, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
