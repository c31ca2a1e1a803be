/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses that users and notices are sent to lie in the domains of the app's approved access plan
 * (GS-6.1a-1c). An app without a plan is not bound. */
#include <stdio.h>

#include "admission/inner.h"
#include "admission/terms.h"

/* The host of an absolute URI; empty when a user's name stands before it, which would let another
 * host look like this one. */
static struct slice host_of(const char *uri)
{
    const char *at = strstr(uri, "://");

    at = at ? at + 3 : uri;
    size_t authority = strcspn(at, "/?#\\");
    bool plain = !memchr(at, '@', authority);
    return slice_of(at, plain ? strcspn(at, "/:?#\\") : 0);
}

static bool same_text(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char x = a[i], y = b[i];
        x = x >= 'A' && x <= 'Z' ? (char)(x + 32) : x;
        y = y >= 'A' && y <= 'Z' ? (char)(y + 32) : y;
        if (x != y) {
            return false;
        }
    }
    return true;
}

/* The domain itself, or a name below it. */
static bool within(struct slice host, const char *domain)
{
    size_t n = strlen(domain);

    return host.n >= n && same_text(host.p + host.n - n, domain, n) &&
           (host.n == n || host.p[host.n - n - 1] == '.');
}

static bool within_any(const char *uri, const json_t *plans)
{
    struct slice host = host_of(uri);
    json_t *text, *domain;
    bool ok = strncmp(uri, "http://", 7) == 0; /* the user's own machine: api/clients.c */
    size_t i, k;

    json_array_foreach(plans, i, text)
    {
        json_t *domains = json_loads(json_string_value(text), 0, NULL);
        json_array_foreach(domains, k, domain)
        {
            ok = ok || within(host, json_string_value(domain));
        }
        json_decref(domains);
    }
    return ok;
}

static enum problem check_one(struct rest_call *c, const char *where, const json_t *v,
                              const json_t *plans)
{
    const char *uri = json_string_value(v);

    return !uri || within_any(uri, plans)
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                           "%.120s is in no domain of the app's access plan", uri);
}

static enum problem check_member(struct rest_call *c, const json_t *client, const char *name,
                                 const json_t *plans)
{
    const json_t *v = json_object_get(client, name);
    enum problem p = PROBLEM_OK;
    char where[64];
    json_t *item;
    size_t i;

    snprintf(where, sizeof where, "/%.60s", name);
    if (!json_is_array(v)) {
        return check_one(c, where, v, plans);
    }
    json_array_foreach(v, i, item)
    {
        p = p == PROBLEM_OK ? check_one(c, where, item, plans) : p;
    }
    return p;
}

enum problem admission_domains_allow(struct rest_call *c, struct store_txn *txn,
                                     const json_t *client)
{
    static const char *const members[] = {"redirect_uris", "post_logout_redirect_uris",
                                          "backchannel_logout_uri", "frontchannel_logout_uri"};
    static const char sql[] = "SELECT json_extract(content, '$.domains') FROM applications WHERE "
                              "app_id = ? AND form_kind = 'access-plan' AND state = 'approved'";
    const struct store_value v = store_text(row_text(client, "app_id"));
    json_t *plans = json_array();
    enum problem p = admission_texts(c, txn, sql, &v, 1, plans);

    for (size_t i = 0; i < COUNT(members) && p == PROBLEM_OK && json_array_size(plans); i++) {
        p = check_member(c, client, members[i], plans);
    }
    json_decref(plans);
    return p;
}
