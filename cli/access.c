/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice access`: the control plane's one decision about people, put in words, and its self-check.
 * It asks in the session that `sluice rest login` keeps. */
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "cli.h"
#include "unknown.h"

static const char usage_text[] =
    "usage: sluice access explain --operation NAME [--user ID|LOGIN] [--app ID] [--api ID]\n"
    "                             [--dataset ID]\n"
    "       sluice access operations\n"
    "       sluice access check\n\n"
    "explain ends with 0 when the user may, with 1 when not; check with 0 when every item passes.\n"
    "Sign in first, with sluice rest login. Of others than oneself staff and auditors ask.\n\n"
    "examples:\n"
    "  sluice access explain --user li.na --operation apps.update --app 0190…\n"
    "  sluice access check\n";

struct options {
    const char *operation, *user, *app, *api, *dataset;
};

static bool read_options(struct options *o, int argc, char **argv)
{
    const struct {
        const char *name, **value;
    } rows[] = {{"--operation", &o->operation},
                {"--user", &o->user},
                {"--app", &o->app},
                {"--api", &o->api},
                {"--dataset", &o->dataset}};
    for (int i = 0; i < argc; i++) {
        size_t k = 0, n = sizeof rows / sizeof *rows;
        while (k < n && strcmp(rows[k].name, argv[i]) != 0) {
            k++;
        }
        if (k == n) {
            cli_unknown_option("access explain", argv[i], &rows[0].name, n, sizeof *rows);
            return false;
        }
        if (i + 1 == argc) {
            fprintf(stderr, "sluice access explain: '%s' needs a value after it\n", argv[i]);
            return false;
        }
        *rows[k].value = argv[++i];
    }
    if (o->operation == NULL) {
        fputs("sluice access explain: --operation is needed, as apps.update\n", stderr);
    }
    return o->operation != NULL;
}

static void add(struct buf *path, const char *name, const char *value)
{
    char *text = value == NULL ? NULL : curl_easy_escape(NULL, value, 0);
    if (text != NULL) {
        buf_addf(path, "%c%s=%s", strchr(path->p, '?') == NULL ? '?' : '&', name, text);
        buf_addc(path, '\0');
        path->n--;
    }
    curl_free(text);
}

static const char *text_of(const json_t *row, const char *name)
{
    const char *text = json_string_value(json_object_get(row, name));
    return text == NULL ? "" : text;
}

static int explain(int argc, char **argv)
{
    struct options o = {0};
    struct buf path;
    json_t *step;
    size_t i;
    if (!read_options(&o, argc, argv)) {
        return 2;
    }
    buf_init(&path);
    buf_adds(&path, "/access/explain");
    buf_addc(&path, '\0');
    path.n--;
    add(&path, "operation", o.operation);
    add(&path, "user", o.user);
    add(&path, "app", o.app);
    add(&path, "api", o.api);
    add(&path, "dataset", o.dataset);
    json_t *answer = path.failed ? NULL : cli_rest_get(path.p);
    buf_fini(&path);
    if (answer == NULL) {
        return 2;
    }
    bool allowed = json_is_true(json_object_get(answer, "allowed"));
    printf("%s: %s\n", o.operation, allowed ? "allowed" : "refused");
    json_array_foreach(json_object_get(answer, "steps"), i, step)
    {
        const char *grant = text_of(step, "grant_id");
        printf("  %-18s %s%s%s%s%s%s\n", text_of(step, "rule"), text_of(step, "text"),
               *grant ? " (" : "", *grant ? text_of(step, "holder") : "", *grant ? ", " : "", grant,
               *grant ? ")" : "");
    }
    json_decref(answer);
    return allowed ? 0 : 1;
}

static int operations(void)
{
    json_t *answer = cli_rest_get("/access/operations"), *one;
    size_t i;
    json_array_foreach(json_object_get(answer, "items"), i, one)
    {
        printf("%-32s %s\n", text_of(one, "operation"), text_of(one, "duty"));
    }
    int rc = answer == NULL ? 2 : 0;
    json_decref(answer);
    return rc;
}

static int check(void)
{
    json_t *answer = cli_rest_get("/access/self-check"), *one;
    size_t i;
    if (answer == NULL) {
        return 2;
    }
    json_array_foreach(json_object_get(answer, "items"), i, one)
    {
        printf("%-4s %-22s %s\n", json_is_true(json_object_get(one, "pass")) ? "pass" : "FAIL",
               text_of(one, "item"), text_of(one, "why"));
    }
    int rc = json_is_true(json_object_get(answer, "pass")) ? 0 : 1;
    json_decref(answer);
    return rc;
}

int cli_access(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage_text, stdout);
            return 0;
        }
    }
    if (strcmp(word, "explain") == 0) {
        return explain(argc - 2, argv + 2);
    }
    if (strcmp(word, "operations") == 0 && argc == 2) {
        return operations();
    }
    if (strcmp(word, "check") == 0 && argc == 2) {
        return check();
    }
    fputs(usage_text, stderr);
    return 2;
}
