/* SPDX-License-Identifier: Apache-2.0 */
/* sluice audit verify | show | operations | trace: the call log and the operations log, to people
 * and scripts. */
#include "audit.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli.h"
#include "settings.h"
#include "unknown.h"

#define SHOW_LIMIT 100

static const char usage_text[] =
    "usage: sluice audit verify     [--data-dir D | --dir DIR] [--key PUB.pem] [--store FILE]\n"
    "       sluice audit show       [--data-dir D | --dir DIR] [filters] [--limit N] [--json | "
    "--table]\n"
    "       sluice audit operations [--data-dir D | --store FILE] [--limit N]\n"
    "       sluice audit evidence   [--data-dir D | --dir DIR] [--key PUB.pem] TRANSACTION\n"
    "       sluice audit trace      [--data-dir D | --dir DIR --store FILE] [--json] TRANSACTION\n"
    "\n"
    "verify      checks every record of the call log against its chain, the seals and the signed "
    "heads, and\n"
    "            every operation of the control plane against its chain. Prints each defect with "
    "its segment\n"
    "            and record, and what could not be checked. Exit code 0: all that was asked for is "
    "well; 1: a\n"
    "            defect, or the signatures could not be checked; 2: it could not look.\n"
    "show        prints calls, newest last: who got which field of whose data, on which grant, "
    "masked how.\n"
    "operations  prints what was changed on the control plane, by whom, before and after.\n"
    "evidence    prints what was asked and answered in one transaction, as both sides signed it, "
    "and\n"
    "            whether the signatures are good. --key: the key answers are signed with\n"
    "            (D/keys/answer.pub). Exit code 1: they are not, or there is none.\n"
    "trace       prints one transaction as a chain: the enterprise whose app called, the gateway "
    "that\n"
    "            decided, the data service or interface, the provider whose data it is; of a "
    "composed\n"
    "            call each part with its own chain.\n"
    "\n"
    "  --data-dir D   the platform's data directory (" SETTINGS_DATA_DIR
    "): log in D/gateway/audit, "
    "public key\n"
    "                 D/keys/audit.pub, operations in D/control/store.db\n"
    "  --dir DIR      the log alone, e.g. a copy on an auditor's machine; give --key with it\n"
    "  --key PUB.pem  the node's public SM2 key; without one only the chains can be checked\n"
    "  --store FILE   the control plane's store or a copy of it; verify checks it alone where "
    "there "
    "is no log\n"
    "filters: --app ID, --api ID, --owner O, --txn ID, --grant ID, --refused, --tag TAG (a field "
    "with it left,\n"
    "         e.g. personal-financial; tags are those of the store's APIs now),\n"
    "         --since TIME, --until TIME   as 2026-11-22T01:02:03Z\n"
    "  --limit N      at most the newest N (default 100; 0: all)\n"
    "\n"
    "examples:\n"
    "  sluice audit verify --data-dir var\n"
    "  sluice audit verify --dir copy/audit --key node-1.pub\n"
    "  sluice audit verify --store copy/store.db\n"
    "  sluice audit show --owner M00042 --since 2026-11-01T00:00:00Z --json | jq .fields\n"
    "  sluice audit show --refused --limit 20\n"
    "  sluice audit trace 0193500a-7c00-7000-8000-000000000001\n"
    "  sluice audit operations --limit 20\n";

enum {
    OPT_DATA = 256,
    OPT_DIR,
    OPT_KEY,
    OPT_STORE,
    OPT_APP,
    OPT_API,
    OPT_OWNER,
    OPT_TXN,
    OPT_GRANT,
    OPT_TAG,
    OPT_SINCE,
    OPT_UNTIL,
    OPT_REFUSED,
    OPT_LIMIT,
    OPT_JSON,
    OPT_TABLE,
    OPT_HELP
};

static const struct option long_options[] = {
    {"data-dir", required_argument, NULL, OPT_DATA}, {"dir", required_argument, NULL, OPT_DIR},
    {"key", required_argument, NULL, OPT_KEY},       {"store", required_argument, NULL, OPT_STORE},
    {"app", required_argument, NULL, OPT_APP},       {"api", required_argument, NULL, OPT_API},
    {"owner", required_argument, NULL, OPT_OWNER},   {"txn", required_argument, NULL, OPT_TXN},
    {"grant", required_argument, NULL, OPT_GRANT},   {"tag", required_argument, NULL, OPT_TAG},
    {"since", required_argument, NULL, OPT_SINCE},   {"until", required_argument, NULL, OPT_UNTIL},
    {"refused", no_argument, NULL, OPT_REFUSED},     {"limit", required_argument, NULL, OPT_LIMIT},
    {"json", no_argument, NULL, OPT_JSON},           {"table", no_argument, NULL, OPT_TABLE},
    {"help", no_argument, NULL, OPT_HELP},           {NULL, 0, NULL, 0},
};

static bool read_uuid(struct uuid *id, const char *name, const char *text)
{
    if (uuid_parse(id, text, strlen(text))) {
        return true;
    }
    fprintf(stderr,
            "sluice audit: --%s wants an id like 0193500a-7c00-7000-8000-000000000001, not '%s'\n",
            name, text);
    return false;
}

static bool read_time(uint64_t *ms, const char *name, const char *text)
{
    if (clock_parse_ms(text, strlen(text), ms)) {
        return true;
    }
    fprintf(stderr, "sluice audit: --%s wants a time like 2026-11-22T01:02:03Z, not '%s'\n", name,
            text);
    return false;
}

static bool read_limit(size_t *limit, const char *text)
{
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != 0 || *text == '-') {
        fprintf(stderr, "sluice audit: --limit wants a number, not '%s'\n", text);
        return false;
    }
    *limit = (size_t)v;
    return true;
}

static bool take_option(struct audit_options *o, int opt)
{
    switch (opt) {
    case OPT_DATA:
        o->data_dir = optarg;
        return true;
    case OPT_DIR:
        snprintf(o->dir, sizeof o->dir, "%s", optarg);
        o->dir_given = true;
        return true;
    case OPT_KEY:
        snprintf(o->key, sizeof o->key, "%s", optarg);
        o->key_given = true;
        return true;
    case OPT_STORE:
        snprintf(o->store, sizeof o->store, "%s", optarg);
        o->store_given = true;
        return true;
    case OPT_OWNER:
        o->owner = optarg;
        return true;
    case OPT_APP:
        return read_uuid(&o->app, "app", optarg);
    case OPT_API:
        return read_uuid(&o->api, "api", optarg);
    case OPT_TXN:
        return read_uuid(&o->txn, "txn", optarg);
    case OPT_GRANT:
        return read_uuid(&o->grant, "grant", optarg);
    case OPT_TAG:
        o->tag = optarg;
        return true;
    case OPT_SINCE:
        return read_time(&o->since_ms, "since", optarg);
    case OPT_UNTIL:
        return read_time(&o->until_ms, "until", optarg);
    case OPT_REFUSED:
        o->refused = true;
        return true;
    case OPT_LIMIT:
        return read_limit(&o->limit, optarg);
    case OPT_JSON:
        o->json = true;
        return true;
    case OPT_TABLE:
        o->json = false;
        return true;
    case OPT_HELP:
        o->help = true;
        return true;
    default:
        return false;
    }
}

static bool read_options(struct audit_options *o, int argc, char **argv)
{
    *o = (struct audit_options){.data_dir = SETTINGS_DATA_DIR, .limit = SHOW_LIMIT};
    optind = 1;
    for (int opt; (opt = getopt_long(argc, argv, ":", long_options, NULL)) != -1;) {
        if (opt == '?') {
            cli_unknown_option("audit", argv[optind - 1], &long_options[0].name,
                               sizeof long_options / sizeof *long_options - 1,
                               sizeof *long_options);
        } else if (opt == ':') {
            fprintf(stderr, "sluice audit: %s needs a value after it\n", argv[optind - 1]);
        }
        if (!take_option(o, opt)) {
            return false;
        }
    }
    if (optind + 1 == argc && (strcmp(argv[0], "evidence") == 0 || strcmp(argv[0], "trace") == 0)) {
        if (!read_uuid(&o->txn, "txn", argv[optind++])) {
            return false;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "sluice audit: what is '%s'?\n", argv[optind]);
        return false;
    }
    const struct {
        char *at;
        const char *below;
        bool wanted;
    } paths[] = {
        {o->dir, "gateway/audit", true},
        {o->key, "keys/audit.pub", !o->dir_given},
        {o->store, "control/store.db", !o->dir_given},
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (paths[i].at[0] == 0 && paths[i].wanted) {
            snprintf(paths[i].at, sizeof o->dir, "%s/%s", o->data_dir, paths[i].below);
        }
    }
    return true;
}

int cli_audit(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const struct audit_options *o);
    } actions[] = {
        {"verify", cli_audit_verify},         {"show", cli_audit_show},
        {"operations", cli_audit_operations}, {"evidence", cli_audit_evidence},
        {"trace", cli_audit_trace},
    };
    struct audit_options o;
    if (argc < 2 || strcmp(argv[1], "--help") == 0) {
        fputs(usage_text, argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(argv[1], actions[i].name) != 0) {
            continue;
        }
        if (!read_options(&o, argc - 1, argv + 1)) {
            return 2;
        }
        if (o.help) {
            fputs(usage_text, stdout);
            return 0;
        }
        return actions[i].run(&o);
    }
    fprintf(stderr, "sluice audit: there is no '%s'; try verify, show or operations\n", argv[1]);
    return 2;
}
