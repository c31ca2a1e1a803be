/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of libs/audit: a log of their own for each test, calls to put in it, and hands to
 * look into its files. */
#pragma once
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */
#include "audit/audit_ledger.h"

#define SEG_TEST (64u << 10)
#define SEG_LIVE (256u << 10)
#define COUNT(a) (sizeof(a) / sizeof *(a))
#define TEST(title, fn)                                                                            \
    {                                                                                              \
        title, fn, setup, teardown, NULL                                                           \
    }

extern char dir[64];           /* of the log; setup makes it, teardown removes it */
extern struct crypto_sm2 *key; /* of the node; run_group makes it */
int setup(void **state);
int teardown(void **state);
#define RUN_GROUP(name, tests) run_group(name, tests, COUNT(tests))
int run_group(const char *name, const struct CMUnitTest *tests, size_t n);

const char *path_of(const char *name); /* in dir; good until the next call */
void in_dir(const char *commands);     /* a shell's */
struct audit_writer *open_writer(size_t bytes);
struct audit_sealer *open_sealer(size_t bytes);

/* The plan of the tests: name kept, phone masked, card dropped. */
extern struct policy_field fields[3];
extern struct policy_api api;
extern struct policy_verdict verdict;
struct audit_call call_of(uint64_t i); /* rows = i tells them apart */
void append(struct audit_writer *w, uint64_t from, uint64_t to);
void settle(struct audit_sealer *s); /* ticks until all is sealed */

struct seen_walk {
    struct audit_summary sum;
    struct audit_finding findings[200];
    size_t n;
    uint64_t next_row, last_rows; /* rows count up in the order of appending */
    bool in_order;
};
enum audit_err walk(struct seen_walk *s);
void assert_clean(struct seen_walk *s);

/* Stream 0: segments 1 and 2 sealed, 3 open, 4 calls under a signed head. Stream 1: one open
 * segment. */
uint64_t build_log(void);

struct bytes {
    uint8_t *p;
    size_t n;
};
struct bytes load(const char *name);
void store(const char *name, struct bytes b); /* takes b */
struct seg_record record_at(struct bytes b, uint64_t index);
