/* SPDX-License-Identifier: Apache-2.0 */
/* serve, control, data, gateway: settings in, a role's run function or the supervisor of all out.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "control/control.h"
#include "crypto/crypto.h"
#include "crypto/keystore.h"
#include "data/data.h"
#include "gateway.h"
#include "hsm.h"
#include "link/ring.h"
#include "settings.h"
#include "supervise.h"

static const char usage_text[] =
    "usage: sluice serve|control|data|gateway [options]\n\n"
    "  --config FILE        settings (YAML); the options below win over it\n"
    "  --data-dir DIR       everything that is kept (" SETTINGS_DATA_DIR ")\n"
    "  --control-port N     the control plane's REST (7300)\n"
    "  --feed-port N        the change feed, between our own processes (7301)\n"
    "  --gateway-port N     where apps call (7443)\n"
    "  --workers N          gateway workers (one a core)\n"
    "  --plain              the gateway without TLS, on a loopback address alone\n"
    "  --trial              a new data directory asks for less than the clauses do, to try things "
    "out (docs/strict.md)\n"
    "  --check              say whether all of it would work; start and change nothing\n\n"
    "serve runs all roles as children and starts again the one that ends; control, data and "
    "gateway\n"
    "run one in the foreground. On the first start control prints the administrator's one-time\n"
    "password, or takes it from SLUICE_ADMIN_PASSWORD.\n\n"
    "SIGHUP has the gateway read its settings again, SIGUSR2 has it take a new nginx and module; "
    "a\n"
    "change that does not stand is undone, and neither drops a call (docs/operations.md).\n\n"
    "examples:\n"
    "  sluice serve\n"
    "  sluice serve --data-dir /srv/sluice --gateway-port 8443\n"
    "  sluice gateway --config /etc/sluice/sluice.yaml\n"
    "  sluice gateway --config /etc/sluice/sluice.yaml --check\n";

static bool port_free(const char *host, uint16_t port, const char *what, const char *option)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    bool is_v4 = inet_pton(AF_INET, host, &v4.sin_addr) == 1;
    if (!is_v4 && inet_pton(AF_INET6, host, &v6.sin6_addr) != 1) {
        fprintf(stderr, "sluice: %s listens on an IPv4 or IPv6 address, not '%s'\n", what, host);
        return false;
    }
    int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0) {
        return true;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    int rc = is_v4 ? bind(fd, (struct sockaddr *)&v4, sizeof v4)
                   : bind(fd, (struct sockaddr *)&v6, sizeof v6);
    int why = errno;
    close(fd);
    if (rc == 0) {
        return true;
    }
    if (why == EADDRINUSE) {
        fprintf(stderr,
                "sluice: port %u (%s) is taken by another program; choose another with %s N\n",
                port, what, option);
    } else {
        fprintf(stderr, "sluice: cannot listen on %s port %u (%s): %s\n", host, port, what,
                strerror(why));
    }
    return false;
}

/* After a kill -9 of everything but nginx its port is taken by our own; the agent takes it over. */
static bool nginx_left_over(const struct settings *s)
{
    char path[SETTINGS_PATH_MAX + 32], text[32] = "";
    snprintf(path, sizeof path, "%s/gateway/nginx/nginx.pid", s->data_dir);
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return false;
    }
    bool ok = fgets(text, sizeof text, f) != NULL;
    fclose(f);
    long pid = ok ? strtol(text, NULL, 10) : 0;
    return pid > 1 && kill((pid_t)pid, 0) == 0;
}

static bool ports_free(const struct settings *s)
{
    bool control = port_free(s->control.listen, s->control.port, "control plane", "--control-port");
    bool feed = port_free(s->control.listen, s->control.feed_port, "feed", "--feed-port");
    bool gateway = nginx_left_over(s) ||
                   port_free(s->gateway.listen, s->gateway.port, "gateway", "--gateway-port");
    return control && feed && gateway;
}

/* Held until the process ends. */
static bool lock_data_dir(const struct settings *s)
{
    char path[SETTINGS_PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/serve.lock", s->data_dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) {
        fprintf(stderr, "sluice: %s: %s\n", path, strerror(errno));
        return false;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        fprintf(stderr,
                "sluice: another 'sluice serve' runs on %s; stop it or choose another --data-dir\n",
                s->data_dir);
        close(fd);
        return false;
    }
    return true; /* fd stays open for the life of the process */
}

static void path_of_passphrase(const struct settings *s, char out[static SETTINGS_PATH_MAX + 64])
{
    snprintf(out, SETTINGS_PATH_MAX + 64, "%s/keys/passphrase", s->data_dir);
}

/* The one beside the keys is for those of pki/ too. */
static void use_passphrase_beside(const struct settings *s)
{
    char path[SETTINGS_PATH_MAX + 64];
    path_of_passphrase(s, path);
    if (getenv(CRYPTO_PASSPHRASE_FILE) == NULL && access(path, R_OK) == 0) {
        setenv(CRYPTO_PASSPHRASE_FILE, path, 1);
    }
}

/* Where the passphrase of the key files is: our children go by the same. */
static bool find_passphrase(const struct settings *s, bool make)
{
    char path[SETTINGS_PATH_MAX + 64];
    const char *dir = getenv("CREDENTIALS_DIRECTORY"); /* systemd's LoadCredential */
    if (crypto_keystore_take_environment() != CRYPTO_OK) {
        fprintf(stderr, "sluice: SLUICE_KEY_PASSPHRASE has to have %d to %d bytes\n",
                CRYPTO_PASSPHRASE_MIN, CRYPTO_PASSPHRASE_MAX);
        return false;
    }
    if (s->key_passphrase_file[0] != '\0') {
        setenv(CRYPTO_PASSPHRASE_FILE, s->key_passphrase_file, 1);
    }
    if (dir != NULL && getenv(CRYPTO_PASSPHRASE_FILE) == NULL) {
        snprintf(path, sizeof path, "%s/sluice-key-passphrase", dir);
        if (access(path, R_OK) == 0) {
            setenv(CRYPTO_PASSPHRASE_FILE, path, 1);
        }
    }
    if (getenv(CRYPTO_PASSPHRASE_FILE) == NULL && !cli_hsm_passphrase(s, make && !s->check)) {
        return false;
    }
    use_passphrase_beside(s);
    return true;
}

static void advise(const struct settings *s)
{
    char path[SETTINGS_PATH_MAX + 64];
    const char *used = getenv(CRYPTO_PASSPHRASE_FILE);
    path_of_passphrase(s, path);
    if (used != NULL && strcmp(used, path) == 0) {
        fprintf(stderr,
                "sluice: the passphrase of the key files lies beside them, in %s; in production "
                "keep it elsewhere: key_passphrase_file (docs/credentials.md)\n",
                path);
    }
}

static bool make_keys(const struct settings *s)
{
    static const char *const names[] = {"control", "gateway", "data"};
    static const char *const dirs[] = {"keys", "pki", "control", "data", "gateway"};
    char path[SETTINGS_PATH_MAX + 32], host[256] = "localhost";
    uint8_t key[CRYPTO_KEY_LEN], data[CRYPTO_KEY_LEN];
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
        snprintf(path, sizeof path, "%s/%s", s->data_dir, dirs[i]);
        if (mkdir(path, 0750) != 0 && errno != EEXIST) {
            fprintf(stderr, "sluice: %s: %s\n", path, strerror(errno));
            return false;
        }
    }
    snprintf(path, sizeof path, "%s/keys/link.key", s->data_dir);
    enum crypto_err err = crypto_keyfile_create(path, key);
    if (err == CRYPTO_OK) {
        snprintf(path, sizeof path, "%s/keys/data.key", s->data_dir);
        err = link_data_key(path, key, data);
    }
    crypto_wipe(key, sizeof key);
    crypto_wipe(data, sizeof data);
    if (err == CRYPTO_OK) {
        use_passphrase_beside(s); /* which the key before may have made */
        (void)gethostname(host, sizeof host - 1);
        snprintf(path, sizeof path, "%s/pki", s->data_dir);
        err = crypto_pki_ensure(path, names, sizeof names / sizeof *names, host);
    }
    if (err != CRYPTO_OK) {
        fprintf(stderr, "sluice: %s: %s\n", path, crypto_strerror(err));
    }
    return err == CRYPTO_OK;
}

static int run_serve(const struct settings *s, int argc, char **argv)
{
    if (!lock_data_dir(s) || !ports_free(s) || !make_keys(s)) {
        return 1;
    }
    advise(s);
    return supervise(s, argc, argv);
}

/* The gateway of the same settings, as this machine reaches it. */
static void gateway_url(const struct settings *s, char out[static 128])
{
    bool any = strcmp(s->gateway.listen, "0.0.0.0") == 0;
    snprintf(out, 128, "%s://%s:%u", s->tls ? "https" : "http",
             any ? "127.0.0.1" : s->gateway.listen, s->gateway.port);
}

static int run_control(const struct settings *s, int argc, char **argv)
{
    (void)argc, (void)argv;
    char url[128];
    gateway_url(s, url);
    const struct control_config cfg = {
        .data_dir = s->data_dir,
        .listen_host = s->control.listen,
        .port = s->control.port,
        .feed_port = s->control.feed_port,
        .public_url = s->control.public_url[0] == '\0' ? NULL : s->control.public_url,
        .data_socket = s->data_socket,
        .openapi_path = s->openapi[0] == '\0' ? NULL : s->openapi,
        .gateway_url = url,
        .feed_keep = s->control.feed_keep,
        .smtp = s->control.smtp[0] == '\0' ? NULL : s->control.smtp,
        .smtp_from = s->control.smtp_from,
        .private_webhooks = s->control.private_webhooks,
        .admin_networks = s->control.admin_networks,
        .admin_second_factor = s->control.admin_second_factor,
        .trial = s->trial,
        .admin_password = getenv("SLUICE_ADMIN_PASSWORD"),
    };
    return make_keys(s) ? control_run(&cfg) : 1;
}

/* The other roles have their keys from the machine of the control plane. */
static bool has_keys(const struct settings *s, const char *role)
{
    char paths[5][SETTINGS_PATH_MAX + 64];
    snprintf(paths[0], sizeof *paths, "%s/keys/link.key", s->data_dir);
    snprintf(paths[1], sizeof *paths, "%s/pki/ca.crt", s->data_dir);
    snprintf(paths[2], sizeof *paths, "%s/pki/%s.crt", s->data_dir, role);
    snprintf(paths[3], sizeof *paths, "%s/pki/%s.key", s->data_dir, role);
    snprintf(paths[4], sizeof *paths, "%s/keys/data.key", s->data_dir);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (access(paths[i], R_OK) != 0) {
            fprintf(stderr,
                    "sluice: %s: %s\n  start the control plane first, which makes it, or copy it "
                    "from its machine (deploy/README.md)\n",
                    paths[i], strerror(errno));
            return false;
        }
    }
    return true;
}

static int run_data(const struct settings *s, int argc, char **argv)
{
    (void)argc, (void)argv;
    char dir[SETTINGS_PATH_MAX + 8];
    snprintf(dir, sizeof dir, "%s/data", s->data_dir);
    const struct settings_nats *n = &s->data.nats;
    const struct data_config cfg = {
        .data_dir = s->data_dir,
        .socket = s->data_socket,
        .control = s->gateway.control,
        .threads = s->data.threads,
        .max_rows = s->data.max_rows,
        .file_roots = s->data.file_roots,
        .files_poll_s = s->data.files_poll_s,
        .journal_days = s->data.journal_days,
        .node = s->gateway.node,
        .nats = {.url = n->url,
                 .credentials = n->credentials_file,
                 .user = n->user,
                 .password = n->password_file,
                 .ca = n->ca,
                 .certificate = n->certificate,
                 .key = n->certificate_key,
                 .replicas = n->replicas,
                 .timeout_ms = n->timeout_ms},
        .private_webhooks = s->control.private_webhooks,
    };
    if (!has_keys(s, "data") || (mkdir(dir, 0750) != 0 && errno != EEXIST)) {
        return 1;
    }
    return data_run(&cfg);
}

static int run_gateway(const struct settings *s, int argc, char **argv)
{
    return has_keys(s, "gateway") ? gateway_run(s, argc, argv) : 1;
}

static const struct {
    const char *name;
    int (*run)(const struct settings *s, int argc, char **argv);
} roles[] = {
    {"serve", run_serve},
    {"control", run_control},
    {"data", run_data},
    {"gateway", run_gateway},
};

int cli_serve(int argc, char **argv)
{
    static struct settings s;
    enum settings_result result = settings_load(&s, argc, argv);
    if (result == SETTINGS_HELP) {
        fputs(usage_text, stdout);
        return 0;
    }
    if (result != SETTINGS_OK) {
        return 2;
    }
    bool keys_are_ours = strcmp(argv[0], "serve") == 0 || strcmp(argv[0], "control") == 0;
    if (!find_passphrase(&s, keys_are_ours)) {
        return 2;
    }
    if (s.check) { /* the other roles' settings have been looked at in full by now */
        bool nginx = strcmp(argv[0], "serve") == 0 || strcmp(argv[0], "gateway") == 0;
        bool good = !nginx || gateway_check(&s);
        if (good) {
            puts("sluice: the settings are good");
        }
        return good ? 0 : 2;
    }
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        if (strcmp(roles[i].name, argv[0]) == 0) {
            char name[16];
            snprintf(name, sizeof name, "sluice-%s", argv[0]);
            prctl(PR_SET_NAME, name); /* the program was run as /proc/self/exe */
            return roles[i].run(&s, argc, argv);
        }
    }
    return 2;
}
