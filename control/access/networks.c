/* SPDX-License-Identifier: Apache-2.0 */
/* Where staff may sign in and call from (SW-9.3-2e): the networks of the configuration, which
 * nobody lifts by REST, and those of this resource. Each list that has an entry has to name the
 * address. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "access/access.h"
#include "api/api.h"

#define WATCHED (ROLE_STAFF | ROLE_AUDITOR)

struct network {
    uint8_t bytes[16]; /* IPv4 inside IPv6 */
    unsigned prefix;   /* bits of 128 */
};

static bool address_of(const char *text, size_t n, uint8_t bytes[static 16], bool *four)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    char copy[INET6_ADDRSTRLEN] = "";

    if (n >= sizeof copy) {
        return false;
    }
    memcpy(copy, text, n);
    memcpy(bytes, mapped, sizeof mapped);
    *four = inet_pton(AF_INET, copy, bytes + sizeof mapped) == 1;
    return *four || inet_pton(AF_INET6, copy, bytes) == 1;
}

/* "192.0.2.0/24", "2001:db8::/32" or one address; n bytes of text. */
static bool network_of(const char *text, size_t n, struct network *net)
{
    const char *slash = memchr(text, '/', n);
    bool four = false;

    if (!address_of(text, slash ? (size_t)(slash - text) : n, net->bytes, &four)) {
        return false;
    }
    net->prefix = 128;
    if (slash) {
        char digits[4] = "", *end = NULL;
        size_t digits_n = n - (size_t)(slash + 1 - text);
        if (digits_n == 0 || digits_n >= sizeof digits) {
            return false;
        }
        memcpy(digits, slash + 1, digits_n);
        unsigned long bits = strtoul(digits, &end, 10);
        if (digits[0] < '0' || digits[0] > '9' || *end || bits > (four ? 32u : 128u)) {
            return false;
        }
        net->prefix = (unsigned)bits + (four ? 96u : 0u);
    }
    return true;
}

static bool within(const char *address, const char *text, size_t n)
{
    struct network net;
    uint8_t bytes[16];
    bool four;

    if (!network_of(text, n, &net) || !address_of(address, strlen(address), bytes, &four)) {
        return false;
    }
    for (unsigned bit = 0; bit < net.prefix; bit++) {
        if ((bytes[bit / 8] ^ net.bytes[bit / 8]) & (0x80u >> (bit % 8))) {
            return false;
        }
    }
    return true;
}

/* Separated by commas or blanks. */
static bool configured(const char *list, const char *address)
{
    for (const char *at = list + strspn(list, ", "); *at; at += strspn(at, ", ")) {
        size_t n = strcspn(at, ", ");
        if (within(address, at, n)) {
            return true;
        }
        at += n;
    }
    return false;
}

static enum problem listed(struct rest_call *c, struct store_txn *txn, const char *address,
                           bool *ok)
{
    struct store_rows *rows = NULL;
    bool any = false, found = false;
    enum store_err err = store_query(
        txn, "SELECT network FROM admin_networks WHERE state = 'active'", NULL, 0, &rows);

    while (err == STORE_OK && store_next(rows)) {
        const char *network = store_get_text(rows, 0);
        any = true;
        found = found || within(address, network, strlen(network));
    }
    *ok = !any || found;
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

static enum problem note_refusal(struct rest_call *c, const char *login)
{
    struct store_txn *txn = NULL;
    const struct operation op = {.at_ms = c->now_ms,
                                 .actor = login,
                                 .action = "refuse-address",
                                 .kind = "session",
                                 .id = c->req->peer_address ? c->req->peer_address : "unknown"};
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    return p == PROBLEM_OK ? rest_finish(c, &txn, rest_store_problem(c, log_operation(txn, &op)))
                           : p;
}

/* login: of a sign-in, which is written down when it is refused; then txn is NULL. */
enum problem access_check_address(struct rest_call *c, struct store_txn *txn, unsigned roles,
                                  const char *login)
{
    const char *address = c->req->peer_address ? c->req->peer_address : "";
    const char *fixed = c->ctl->cfg->admin_networks;
    struct store_txn *own = NULL;
    enum problem p = PROBLEM_OK;
    bool ok = true;

    if (!(roles & WATCHED)) {
        return PROBLEM_OK;
    }
    if (!txn) {
        p = rest_begin(c, STORE_READ, &own);
    }
    if (p == PROBLEM_OK) {
        p = listed(c, txn ? txn : own, address, &ok);
    }
    store_rollback(&own);
    ok = ok && (!fixed || !fixed[0] || configured(fixed, address));
    if (p != PROBLEM_OK || ok) {
        return p;
    }
    p = login ? note_refusal(c, login) : PROBLEM_OK;
    return p == PROBLEM_OK ? PROBLEM_ADDRESS_NOT_LISTED : p;
}

/* The resource ----------------------------------------------------------------------------------
 */
static enum problem check_network(struct rest_call *c, const char *where, const json_t *v)
{
    struct network net;

    return network_of(json_string_value(v), json_string_length(v), &net)
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                           "an address or network like 192.0.2.0/24 or 2001:db8::/32 is needed");
}

static const struct attr attrs[] = {
    {"network", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 64, .check = check_network},
    {"description", ATTR_TEXT, AF_LINES, 0, 1000},
};

/* Whoever draws the fence has to stand inside it. */
static enum problem after(struct rest_call *c, struct change *ch)
{
    bool ok = false;
    enum problem p = listed(c, ch->txn, c->req->peer_address ? c->req->peer_address : "", &ok);

    return p == PROBLEM_OK && !ok ? rest_fail(c, PROBLEM_FIELD_INVALID, "/network",
                                              "it would shut out the address this call comes from")
                                  : p;
}

static const struct transition transitions[] = {
    {"active", "remove", "removed", ROLE_ADMIN},
};

const struct resource admin_networks_resource = {
    .plural = "admin_networks",
    .kind = "admin-network",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR,
    .create_roles = ROLE_ADMIN,
    .patch_roles = ROLE_ADMIN,
    .after = after,
};
