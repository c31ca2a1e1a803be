/* SPDX-License-Identifier: Apache-2.0 */
/* sluice audit verify: what was checked, what was not and why, each defect with its place. Of an
 * auditor's copy some part may be missing; then the last line is not the plain OK. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "audit/audit.h"

/* Ordered by weight: the whole is as bad as its worst part. */
enum outcome { WELL, PARTLY, INCOMPLETE, BROKEN, UNREADABLE };

static enum outcome worse(enum outcome a, enum outcome b)
{
    return a > b ? a : b;
}

static void print_finding(void *ctx, const struct audit_finding *f)
{
    (*(uint64_t *)ctx)++;
    printf("DEFECT  %s, record %" PRIu64 ": %s\n", f->segment, f->index, f->text);
}

static bool is_there(const char *path)
{
    return path[0] != '\0' && access(path, F_OK) == 0;
}

static void tell_no_key(const char *key)
{
    printf("signatures: NOT CHECKED, no key%s%s\n"
           "  A log rewritten from end to end has good chains too; only the node's signatures show "
           "it. For a complete\n"
           "  verification get the node's public key, DATA-DIR/keys/audit.pub on the gateway's "
           "machine, and add: --key FILE\n",
           key[0] != '\0' ? " at " : "", key);
}

static enum outcome verify_log(const struct audit_options *o, struct crypto_sm2 *key)
{
    struct audit_summary sum;
    uint64_t findings = 0;
    enum audit_err err = audit_walk(o->dir, key, NULL, print_finding, &findings, &sum);
    if (err != AUDIT_OK && err != AUDIT_EBROKEN) {
        fprintf(stderr, "sluice audit: %s: %s\n", o->dir, audit_strerror(err));
        return UNREADABLE;
    }
    printf("calls: %" PRIu64 " segments (%" PRIu64 " sealed), %" PRIu64 " records, %" PRIu64
           " calls, %" PRIu64 " answers cut short, %" PRIu64 " defects\n",
           sum.segments, sum.sealed, sum.records, sum.calls, sum.interrupted, findings);
    if (key == NULL) {
        tell_no_key(o->key);
    }
    return err == AUDIT_EBROKEN ? BROKEN : key == NULL ? INCOMPLETE : WELL;
}

/* Without a log there is nothing to prove, unless it was the store alone that was asked about. */
static enum outcome verify_calls(const struct audit_options *o)
{
    struct crypto_sm2 *key = NULL;
    if (o->store_given && !o->dir_given && !is_there(o->dir)) {
        printf("calls: NOT CHECKED, there is no log at %s; add --data-dir D or --dir DIR\n",
               o->dir);
        return PARTLY;
    }
    if (!is_there(o->dir)) {
        fprintf(stderr,
                "sluice audit: there is no log at %s; name it with --data-dir D or --dir DIR, or "
                "check the operations alone with --store FILE\n",
                o->dir);
        return UNREADABLE;
    }
    if (o->key[0] != '\0' && crypto_sm2_load(&key, o->key) != CRYPTO_OK && o->key_given) {
        fprintf(stderr, "sluice audit: no SM2 key can be read from %s\n", o->key);
        return UNREADABLE;
    }
    enum outcome outcome = verify_log(o, key);
    crypto_sm2_free(&key);
    return outcome;
}

static enum outcome verify_operations(const struct audit_options *o)
{
    uint64_t count, defects;
    if (!o->store_given && !is_there(o->store)) {
        printf("operations: NOT CHECKED, no store%s%s; add --store FILE\n",
               o->store[0] != '\0' ? " at " : "", o->store);
        return PARTLY;
    }
    if (!cli_audit_check_operations(o->store, &count, &defects)) {
        return UNREADABLE;
    }
    printf("operations: %" PRIu64 " checked, %" PRIu64 " defects\n", count, defects);
    return defects == 0 ? WELL : BROKEN;
}

int cli_audit_verify(const struct audit_options *o)
{
    static const struct {
        const char *verdict;
        int code;
    } ends[] = {
        [WELL] = {"OK", 0},
        [PARTLY] = {"OK, as far as it was checked", 0},
        [INCOMPLETE] = {"INCOMPLETE", 1},
        [BROKEN] = {"BROKEN", 1},
        [UNREADABLE] = {"UNREADABLE", 2},
    };
    enum outcome calls = verify_calls(o);
    /* a log that cannot be read is a wrong path more often than a loss: say that alone */
    enum outcome outcome = calls == UNREADABLE ? calls : worse(calls, verify_operations(o));
    puts(ends[outcome].verdict);
    return ends[outcome].code;
}
