/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct row {
    const char *title, *yaml; /* yaml NULL: no file */
    const char *args[4];
    enum settings_result want;
    const char *said; /* must be on stderr */
};

static const struct row rows[] = {
    {"no file and no option", NULL, {0}, SETTINGS_OK, ""},
    {"an empty section is left out", "control:\n  port: 9000\n", {0}, SETTINGS_OK, ""},
    {"unknown key at the top", "datadir: /tmp\n", {0}, SETTINGS_WRONG, "line: 1"},
    {"unknown key in a section",
     "control:\n  port: 9000\n  prot: 1\n",
     {0},
     SETTINGS_WRONG,
     "prot"},
    {"no place for a secret", "control:\n  password: hunter2\n", {0}, SETTINGS_WRONG, "password"},
    {"port that is no number", "gateway:\n  port: https\n", {0}, SETTINGS_WRONG, "line: 2"},
    {"port past the last", "gateway:\n  port: 65536\n", {0}, SETTINGS_WRONG, "line: 2"},
    {"negative port", "gateway:\n  port: -1\n", {0}, SETTINGS_WRONG, "line: 2"},
    {"section that is a list", "gateway: [1]\n", {0}, SETTINGS_WRONG, "line: 1"},
    {"not YAML", "gateway: [1\n", {0}, SETTINGS_WRONG, "sluice"},
    {"alias", "control: &a\n  port: 1\ngateway: *a\n", {0}, SETTINGS_WRONG, "sluice"},
    {"node name too long",
     "gateway:\n  node: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
     {0},
     SETTINGS_WRONG,
     "line: 2"},
    {"two roles on one port",
     "gateway:\n  port: 7300\n",
     {0},
     SETTINGS_WRONG,
     "three different ports"},
    {"certificate without its key",
     "gateway:\n  certificate: /a\n",
     {0},
     SETTINGS_WRONG,
     "together"},
    {"feed without TLS",
     "gateway:\n  control: http://127.0.0.1:1\n",
     {0},
     SETTINGS_WRONG,
     "https://"},
    {"rows past the contract's limit", "data:\n  max_rows: 1001\n", {0}, SETTINGS_WRONG, "1000"},
    {"unknown option", NULL, {"--prot", "1"}, SETTINGS_WRONG, "--prot"},
    {"option without its value", NULL, {"--control-port"}, SETTINGS_WRONG, "needs a value"},
    {"port 0", NULL, {"--control-port", "0"}, SETTINGS_WRONG, "1 to 65535"},
    {"port with a tail", NULL, {"--feed-port", "80x"}, SETTINGS_WRONG, "1 to 65535"},
    {"port with a sign", NULL, {"--gateway-port", "+80"}, SETTINGS_WRONG, "1 to 65535"},
    {"workers past sense", NULL, {"--workers", "5000"}, SETTINGS_WRONG, "1024"},
    {"no such file",
     NULL,
     {"--config", "/nowhere/sluice.yaml"},
     SETTINGS_WRONG,
     "/nowhere/sluice.yaml"},
    {"help wins", NULL, {"--help"}, SETTINGS_HELP, ""},
};

static char dir[] = "/tmp/settings-test-XXXXXX";

static enum settings_result load(struct settings *s, const struct row *r, char said[4096])
{
    char role[] = "serve", config[] = "--config", data_dir[] = "--data-dir", file[64], data[64],
         err[64];
    char *argv[12] = {role, data_dir, data};
    int argc = 3;
    snprintf(file, sizeof file, "%s/sluice.yaml", dir);
    snprintf(data, sizeof data, "%s/d", dir);
    snprintf(err, sizeof err, "%s/err", dir);
    if (r->yaml != NULL) {
        FILE *f = fopen(file, "w");
        assert_non_null(f);
        fputs(r->yaml, f);
        fclose(f);
        argv[argc++] = config;
        argv[argc++] = file;
    }
    for (int i = 0; i < 4 && r->args[i] != NULL; i++) {
        argv[argc++] = (char *)(uintptr_t)r->args[i];
    }
    fflush(stderr);
    int old = dup(2);
    FILE *capture = freopen(err, "w+", stderr);
    assert_non_null(capture);
    enum settings_result result = settings_load(s, argc, argv);
    fflush(stderr);
    rewind(stderr);
    said[fread(said, 1, 4095, stderr)] = '\0';
    dup2(old, 2);
    close(old);
    unlink(file);
    unlink(err);
    return result;
}

static void run_rows(void **state)
{
    (void)state;
    struct settings s;
    char said[4096];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum settings_result result = load(&s, &rows[i], said);
        if (result != rows[i].want || strstr(said, rows[i].said) == NULL) {
            fail_msg("%s: %d, said: %s", rows[i].title, (int)result, said);
        }
    }
}

static void defaults_file_and_options(void **state)
{
    (void)state;
    struct settings s;
    char said[4096];
    const struct row none = {.yaml = NULL};
    assert_int_equal(load(&s, &none, said), SETTINGS_OK);
    assert_int_equal(s.control.port, 7300);
    assert_int_equal(s.control.feed_port, 7301);
    assert_int_equal(s.gateway.port, 7443);
    assert_true(s.tls);
    assert_string_equal(s.gateway.control, "https://127.0.0.1:7301");
    assert_int_equal(s.data_dir[0], '/');
    const struct row both = {
        .yaml = "control:\n  port: 9000\n  feed_port: 9001\ngateway:\n  tls: false\n  workers: 2\n",
        .args = {"--control-port", "9100"}};
    assert_int_equal(load(&s, &both, said), SETTINGS_OK);
    assert_int_equal(s.control.port, 9100); /* the option wins */
    assert_int_equal(s.control.feed_port, 9001);
    assert_string_equal(s.gateway.control, "https://127.0.0.1:9001");
    assert_false(s.tls);
    assert_int_equal(s.gateway.workers, 2);
}

int main(void)
{
    if (mkdtemp(dir) == NULL) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        {"settings that are wrong are refused, with the place", run_rows, NULL, NULL, NULL},
        {"defaults, then the file, then the options", defaults_file_and_options, NULL, NULL, NULL},
    };
    int rc = cmocka_run_group_tests_name("settings", tests, NULL, NULL);
    char data[64];
    snprintf(data, sizeof data, "%s/d", dir);
    rmdir(data);
    rmdir(dir);
    return rc;
}
