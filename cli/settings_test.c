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
    {"no place for a secret",
     "control:\n  password: hunter2\n",
     {0},
     SETTINGS_WRONG,
     "line 2: secrets do not belong"},
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
    {"empty address", "control:\n  listen: \"\"\n", {0}, SETTINGS_WRONG, "line: 2"},
    {"threads past sense", "data:\n  threads: 257\n", {0}, SETTINGS_WRONG, "256"},
    {"staleness that is no number",
     "gateway:\n  staleness_max_s: hour\n",
     {0},
     SETTINGS_WRONG,
     "line: 2"},
    {"the same key twice", "control:\n  port: 1\n  port: 2\n", {0}, SETTINGS_WRONG, "port"},
    {"two roles on one port",
     "gateway:\n  port: 7300\n",
     {0},
     SETTINGS_WRONG,
     "line 2: gateway.port: control.port, control.feed_port and gateway.port must be three"},
    {"a rule broken far down says where",
     "gateway:\n  port: 9000\n  # a line\n  control: http://127.0.0.1:1\n",
     {0},
     SETTINGS_WRONG,
     "line 4: gateway.control: "},
    {"a check with a value", NULL, {"--check", "yes"}, SETTINGS_WRONG, "yes"},
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
    {"folders looked at too seldom",
     "data:\n  files_poll_s: 86401\n",
     {0},
     SETTINGS_WRONG,
     "86400"},
    {"writes forgotten at once", "data:\n  journal_days: 6\n", {0}, SETTINGS_WRONG, "7 to"},
    {"NATS without an address", "data:\n  nats:\n    user: u\n", {0}, SETTINGS_WRONG, "url"},
    {"NATS' user without a password",
     "data:\n  nats:\n    url: nats://127.0.0.1\n    user: u\n",
     {0},
     SETTINGS_WRONG,
     "line 4: data.nats.user: "},
    {"NATS' password in the file",
     "data:\n  nats:\n    url: nats://127.0.0.1\n    password: hunter2\n",
     {0},
     SETTINGS_WRONG,
     "line 4: secrets do not belong"},
    {"NATS with two ways in",
     "data:\n  nats:\n    url: nats://127.0.0.1\n    user: u\n    password_file: /p\n"
     "    credentials_file: /c\n",
     {0},
     SETTINGS_WRONG,
     "not both"},
    {"NATS' certificate without its key",
     "data:\n  nats:\n    url: tls://n\n    certificate: /c\n",
     {0},
     SETTINGS_WRONG,
     "together"},
    {"NATS with too many copies",
     "data:\n  nats:\n    url: tls://n\n    replicas: 6\n",
     {0},
     SETTINGS_WRONG,
     "1 to 5"},
    {"public address plain",
     "control:\n  public_url: \"http://sluice.example\"\n",
     {0},
     SETTINGS_WRONG,
     "public_url"},
    {"public address with a slash",
     "control:\n  public_url: \"https://sluice.example/\"\n",
     {0},
     SETTINGS_WRONG,
     "public_url"},
    {"public address with a path",
     "control:\n  public_url: \"https://sluice.example/base\"\n",
     {0},
     SETTINGS_WRONG,
     "public_url"},
    {"public address with a user",
     "control:\n  public_url: \"https://user@sluice.example\"\n",
     {0},
     SETTINGS_WRONG,
     "public_url"},
    {"public address with port 0",
     "control:\n  public_url: \"https://sluice.example:0\"\n",
     {0},
     SETTINGS_WRONG,
     "public_url"},
    {"public address past the last port",
     "control:\n  public_url: \"https://sluice.example:99999\"\n",
     {0},
     SETTINGS_WRONG,
     "public_url"},
    {"public address in capitals",
     "control:\n  public_url: \"https://Sluice.example\"\n",
     {0},
     SETTINGS_WRONG,
     "public_url"},
    {"public address of nothing",
     "control:\n  public_url: \"https://\"\n",
     {0},
     SETTINGS_WRONG,
     "public_url"},
    {"public address half an address",
     "control:\n  public_url: \"https://[::1\"\n",
     {0},
     SETTINGS_WRONG,
     "public_url"},
    {"public address 0",
     "control:\n  public_url: \"https://sluice.example\"\n",
     {0},
     SETTINGS_OK,
     ""},
    {"public address 1",
     "control:\n  public_url: \"https://sluice.example:8443\"\n",
     {0},
     SETTINGS_OK,
     ""},
    {"public address 2",
     "control:\n  public_url: \"https://10.0.0.1:7300\"\n",
     {0},
     SETTINGS_OK,
     ""},
    {"public address 3",
     "control:\n  public_url: \"https://[2001:db8::1]:7300\"\n",
     {0},
     SETTINGS_OK,
     ""},
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
    const struct row misspelt = {.yaml = "gateway:\n  tls: fasle\n"};
    assert_int_equal(load(&s, &misspelt, said), SETTINGS_OK);
    assert_true(s.tls); /* what is not plainly false keeps TLS on */
}

/* Every key of deploy/sluice.yaml with another value than its default. */
static void every_key_arrives(void **state)
{
    (void)state;
    static const char yaml[] = "data_dir: /nowhere/of/the/file\n"
                               "control:\n  listen: 127.0.0.2\n  port: 9300\n  feed_port: 9301\n"
                               "  feed_keep: 500\n"
                               "data:\n  threads: 3\n  max_rows: 700\n"
                               "  file_roots: in=/srv/in\n  files_poll_s: 5\n"
                               "gateway:\n  listen: 127.0.0.3\n  port: 9443\n  tls: true\n"
                               "  certificate: /tls/a.crt\n  certificate_key: /tls/a.key\n"
                               "  upstream_ca: /tls/upstreams.pem\n"
                               "  workers: 5\n  node: east-2\n  control: https://10.0.0.1:9301\n"
                               "  staleness_max_s: 60\n  replay_bytes: 8192\n"
                               "  entries: bank=10.9.0.2:7445\n";
    struct settings s;
    char said[4096];
    const struct row row = {.yaml = yaml};
    assert_int_equal(load(&s, &row, said), SETTINGS_OK); /* --data-dir wins over the file's */
    assert_non_null(strstr(s.data_dir, "/settings-test-"));
    assert_string_equal(s.control.listen, "127.0.0.2");
    assert_int_equal(s.control.port, 9300);
    assert_int_equal(s.control.feed_port, 9301);
    assert_int_equal(s.control.feed_keep, 500);
    assert_int_equal(s.data.threads, 3);
    assert_int_equal(s.data.max_rows, 700);
    assert_string_equal(s.data.file_roots, "in=/srv/in");
    assert_int_equal(s.data.files_poll_s, 5);
    assert_string_equal(s.gateway.listen, "127.0.0.3");
    assert_int_equal(s.gateway.port, 9443);
    assert_true(s.tls);
    assert_string_equal(s.gateway.certificate, "/tls/a.crt");
    assert_string_equal(s.gateway.certificate_key, "/tls/a.key");
    assert_string_equal(s.gateway.upstream_ca, "/tls/upstreams.pem");
    assert_int_equal(s.gateway.workers, 5);
    assert_string_equal(s.gateway.node, "east-2");
    assert_string_equal(s.gateway.control, "https://10.0.0.1:9301");
    assert_string_equal(s.gateway.entries, "bank=10.9.0.2:7445");
    assert_int_equal(s.gateway.staleness_max_s, 60);
    assert_int_equal(s.gateway.replay_bytes, 8192);
}

/* No settings file holds a secret: refused by name or by look, and never repeated. */
static void secrets_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "app_secret: hidden-7f3a\n",
        "gateway:\n  private_key: hidden-7f3a\n",
        "control:\n  port: 9000\n  admin-password: \"hidden-7f3a\"\n",
        "key_passphrase: hidden-7f3a\n",
        "data_dir: |\n  -----BEGIN EC PRIVATE KEY-----\n  hidden-7f3a\n",
        "# -----BEGIN PRIVATE KEY-----\n# hidden-7f3a\n",
    };
    struct settings s;
    char said[4096];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const struct row row = {.yaml = wrong[i]};
        assert_int_equal(load(&s, &row, said), SETTINGS_WRONG);
        assert_non_null(strstr(said, "secrets do not belong in a settings file"));
        assert_null(strstr(said, "hidden-7f3a"));
    }
    const struct row good = {.yaml = "key_passphrase_file: /run/credentials/sluice\n"};
    assert_int_equal(load(&s, &good, said), SETTINGS_OK);
    assert_string_equal(s.key_passphrase_file, "/run/credentials/sluice");
    static const char *const bad[] = {
        "key_passphrase_file: here\n",
        "hsm:\n  module: softhsm.so\n  token: t\n  key: k\n  pin_file: /run/pin\n",
        "hsm:\n  module: /usr/lib/softhsm.so\n  token: t\n  key: k\n  pin_file: pin\n",
        "hsm:\n  module: /usr/lib/softhsm.so\n  token: t\n  key: k\n",
        "key_passphrase_file: /p\nhsm:\n  module: /a.so\n  token: t\n  key: k\n  pin_file: /p\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct row row = {.yaml = bad[i]};
        assert_int_equal(load(&s, &row, said), SETTINGS_WRONG);
    }
    const struct row hsm = {
        .yaml =
            "hsm:\n  module: /usr/lib/softhsm.so\n  token: t\n  key: k\n  pin_file: /run/pin\n"};
    assert_int_equal(load(&s, &hsm, said), SETTINGS_OK);
    assert_string_equal(s.hsm.pin_file, "/run/pin");
}

static void data_dir_of_the_file(void **state)
{
    (void)state;
    struct settings s;
    char role[] = "serve", config[] = "--config", file[64], want[64],
         *argv[] = {role, config, file};
    snprintf(file, sizeof file, "%s/sluice.yaml", dir);
    snprintf(want, sizeof want, "%s/d/deeper", dir);
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    fprintf(f, "data_dir: %s\n", want);
    fclose(f);
    assert_int_equal(settings_load(&s, 3, argv), SETTINGS_OK);
    assert_string_equal(s.data_dir, want);
    assert_int_equal(rmdir(want), 0);
    unlink(file);
    /* without file and option: ./var, made, and absolute from here on */
    char old[4096];
    assert_non_null(getcwd(old, sizeof old));
    assert_int_equal(chdir(dir), 0);
    assert_int_equal(settings_load(&s, 1, argv), SETTINGS_OK);
    snprintf(want, sizeof want, "%s/var", dir);
    assert_string_equal(s.data_dir, want);
    assert_int_equal(rmdir(want), 0);
    assert_int_equal(chdir(old), 0);
}

/* "  # workers: 4" becomes "  workers: 4". */
static void uncomment(char *text)
{
    for (char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
        size_t name = strspn(line + 4, "abcdefghijklmnopqrstuvwxyz_");
        if (strncmp(line, "  # ", 4) == 0 && name > 0 && line[4 + name] == ':') {
            memmove(line + 2, line + 4, strlen(line + 4) + 1);
        }
    }
}

/* The next key as "section.key"; NULL at the end. */
static const char *next_key(const char **line, char section[32], char key[64])
{
    for (char name[24]; **line != '\0';) {
        bool inner = strncmp(*line, "  ", 2) == 0;
        const char *at = *line + (inner ? 2 : 0);
        *line += strcspn(*line, "\n") + 1;
        if (sscanf(at, "%23[a-z_]", name) != 1 || at[strlen(name)] != ':') {
            continue;
        }
        bool opens = !inner && at[strlen(name) + 1] == '\n';
        snprintf(opens ? section : key, opens ? 32 : 64, "%s%s%s", inner ? section : "", name,
                 opens ? "." : "");
        if (!opens) {
            return key;
        }
    }
    return NULL;
}

/* The production file is taken as it is, with its commented lines too, and names every key there
 * is. */
static void production_file(void **state)
{
    (void)state;
    struct settings s;
    char said[4096], text[8192] = "";
    FILE *f = fopen(SLUICE_DEPLOY "/sluice.yaml", "r");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    assert_true(n > 0 && n < sizeof text - 1);
    const struct row row = {.yaml = text};
    assert_int_equal(load(&s, &row, said), SETTINGS_OK);
    assert_string_equal(said, "");
    assert_int_equal(s.control.feed_keep, 100000);
    assert_int_equal(s.gateway.replay_bytes, 268435456);
    assert_int_equal(s.gateway.staleness_max_s, 3600);
    static const char *const all[] = {"data_dir",
                                      "control.listen",
                                      "control.port",
                                      "control.feed_port",
                                      "control.admin_networks",
                                      "control.admin_second_factor",
                                      "control.smtp",
                                      "control.smtp_from",
                                      "control.public_url",
                                      "control.feed_keep",
                                      "data.threads",
                                      "data.max_rows",
                                      "data.file_roots",
                                      "data.files_poll_s",
                                      "data.journal_days",
                                      "gateway.listen",
                                      "gateway.port",
                                      "gateway.tls",
                                      "gateway.certificate",
                                      "gateway.certificate_key",
                                      "gateway.upstream_ca",
                                      "gateway.workers",
                                      "gateway.node",
                                      "gateway.control",
                                      "gateway.staleness_max_s",
                                      "gateway.replay_bytes",
                                      "gateway.entries"};
    uncomment(text);
    char section[32] = "", key[64];
    const char *line = text;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_non_null(next_key(&line, section, key));
        assert_string_equal(key, all[i]);
    }
    assert_null(next_key(&line, section, key));
    assert_int_equal(load(&s, &row, said), SETTINGS_OK);
    assert_int_equal(s.gateway.workers, 4);
    assert_string_equal(s.gateway.certificate_key, "/etc/sluice/tls/gateway.key");
}

int main(void)
{
    if (mkdtemp(dir) == NULL) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        {"settings that are wrong are refused, with the place", run_rows, NULL, NULL, NULL},
        {"defaults, then the file, then the options", defaults_file_and_options, NULL, NULL, NULL},
        {"every documented key arrives where it belongs", every_key_arrives, NULL, NULL, NULL},
        {"[BK-7.3.4b2] a settings file with a secret in it is refused, without repeating it",
         secrets_are_refused, NULL, NULL, NULL},
        {"the data directory: option, file, ./var", data_dir_of_the_file, NULL, NULL, NULL},
        {"the production file parses and names every key", production_file, NULL, NULL, NULL},
    };
    int rc = cmocka_run_group_tests_name("settings", tests, NULL, NULL);
    char data[64];
    snprintf(data, sizeof data, "%s/d", dir);
    rmdir(data);
    rmdir(dir);
    return rc;
}
