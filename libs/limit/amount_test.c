/* SPDX-License-Identifier: Apache-2.0 */
#include "limit/amount.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct row {
    const char *body, *path;
    enum amount_err err;
    uint64_t want;
} rows[] = {
    {"{\"amount\":12}", "amount", AMOUNT_OK, 1200},
    {"{\"amount\":0}", "amount", AMOUNT_OK, 0},
    {"{\"amount\":0.1}", "amount", AMOUNT_OK, 10},
    {"{\"amount\":1234567.89}", "amount", AMOUNT_OK, 123456789},
    {"{\"amount\":1e3}", "amount", AMOUNT_OK, 100000},
    {"{\"amount\":89999999999.99}", "amount", AMOUNT_OK, 8999999999999},
    {"{\"amount\":1000000000.01}", "amount", AMOUNT_OK, 100000000001},
    {"{\"amount\":90000000000.01}", "amount", AMOUNT_EVALUE, 0},
    {"{\"amount\":\"12\"}", "amount", AMOUNT_OK, 1200},
    {"{\"amount\":\"12.3\"}", "amount", AMOUNT_OK, 1230},
    {"{\"amount\":\"0012.34\"}", "amount", AMOUNT_OK, 1234},
    {"{\"amount\":\"90071992547409.92\"}", "amount", AMOUNT_OK, AMOUNT_MAX},
    {"{\"order\":{\"total\":\"7\"}}", "order.total", AMOUNT_OK, 700},
    {"", "amount", AMOUNT_EJSON, 0},
    {"[1]", "amount", AMOUNT_EJSON, 0},
    {"{\"amount\":1", "amount", AMOUNT_EJSON, 0},
    {"{\"amount\":1,\"amount\":900}", "amount", AMOUNT_EJSON, 0},
    {"{\"sum\":1}", "amount", AMOUNT_EMISSING, 0},
    {"{\"amount\":null}", "amount", AMOUNT_EMISSING, 0},
    {"{\"order\":7}", "order.total", AMOUNT_EMISSING, 0},
    {"{\"amount\":-1}", "amount", AMOUNT_EVALUE, 0},
    {"{\"amount\":-0.01}", "amount", AMOUNT_EVALUE, 0},
    {"{\"amount\":1.001}", "amount", AMOUNT_EVALUE, 0},
    {"{\"amount\":1e300}", "amount", AMOUNT_EVALUE, 0},
    {"{\"amount\":90071992547410}", "amount", AMOUNT_EVALUE, 0},
    {"{\"amount\":\"90071992547409.93\"}", "amount", AMOUNT_EVALUE, 0},
    {"{\"amount\":\"99999999999999999999999999\"}", "amount", AMOUNT_EVALUE, 0},
    {"{\"amount\":\"\"}", "amount", AMOUNT_EVALUE, 0},
    {"{\"amount\":\".5\"}", "amount", AMOUNT_EVALUE, 0},
    {"{\"amount\":\"5.\"}", "amount", AMOUNT_EVALUE, 0},
    {"{\"amount\":\"1.2.3\"}", "amount", AMOUNT_EVALUE, 0},
    {"{\"amount\":\"1,000\"}", "amount", AMOUNT_EVALUE, 0},
    {"{\"amount\":\" 1\"}", "amount", AMOUNT_EVALUE, 0},
    {"{\"amount\":\"1e3\"}", "amount", AMOUNT_EVALUE, 0},
    {"{\"amount\":\"0.001\"}", "amount", AMOUNT_EVALUE, 0},
    {"{\"amount\":true}", "amount", AMOUNT_EVALUE, 0},
    {"{\"amount\":[1]}", "amount", AMOUNT_EVALUE, 0},
    {"{\"amount\":{\"value\":1}}", "amount", AMOUNT_EVALUE, 0},
};

static void all_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t got = 77;
        enum amount_err err = amount_of(slice_str(rows[i].body), slice_str(rows[i].path), &got);
        if (err != rows[i].err || got != (err == AMOUNT_OK ? rows[i].want : 77)) {
            fail_msg("%s: %s, %llu", rows[i].body, amount_strerror(err), (unsigned long long)got);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"[BK-10.2.1c] what a body is worth, and what is no amount", all_rows, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests_name("amount", tests, NULL, NULL);
}
