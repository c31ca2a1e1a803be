/* SPDX-License-Identifier: Apache-2.0 */
/* The feed's `list` set, compiled: who is kept out and who alone is let in (BK-10.1.2a4,
 * SW-8.3.4-security). Made once per change of the set, then only read: any number of threads.
 *
 * A block names a value that is kept out. Where an allow entry of a subject covers a call, one of
 * those that cover it must name the call's value. A block wins. An entry covers the calls of its
 * app (none: of all) to its API (none: to all) in its time. Addresses are networks; an IPv4 address
 * inside IPv6 (::ffff:0:0/96) is that IPv4 address.
 *
 * Cost of a question: a binary search among the entries, for an address one for each prefix length
 * in use; entries of one value are then looked at one by one. Memory: 112 bytes an entry, users'
 * names apart. */
#pragma once
#include "base/slice.h"
#include "id/uuid.h"

enum lists_subject {
    LISTS_APP,
    LISTS_ORGANISATION,
    LISTS_ADDRESS,
    LISTS_USER,
    LISTS_SUBJECTS /* how many */
};
enum lists_verdict { LISTS_PASS, LISTS_BLOCKED, LISTS_NOT_ALLOWED };

struct lists;
struct lists *lists_new(void); /* NULL: no memory */
void lists_free(struct lists **lists);
/* One entry's data as contract/feed.md has it. One that has expired is left out. False: it cannot
 * be read, or no memory. */
bool lists_add(struct lists *lists, struct slice json, uint64_t now_ms)
    __attribute__((warn_unused_result));
/* After the last; nothing is asked before. False: no memory. */
bool lists_seal(struct lists *lists) __attribute__((warn_unused_result));
bool lists_empty(const struct lists *lists);

struct lists_call {
    const struct uuid *app; /* NULL: not known yet. Then blocks for all apps count alone, and any
                             * app's allow entry lets the value on until the app is known. */
    const struct uuid *api;
    uint64_t now_ms;
};
/* value: 16 bytes of the id, or the user's name. An empty user is nobody: blocked by no entry, and
 * named by no allow entry. */
enum lists_verdict lists_judge(const struct lists *lists, const struct lists_call *call,
                               enum lists_subject subject, struct slice value);
/* address: 4 or 16 bytes in network order; of another length (a local socket): as an empty user. */
enum lists_verdict lists_judge_address(const struct lists *lists, const struct lists_call *call,
                                       struct slice address);
