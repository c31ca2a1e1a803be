/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unknown.h"

#define OPT CYAML_FLAG_OPTIONAL

/* The schema: a key that is not here is an error, with its line. */
static const cyaml_schema_field_t control_fields[] = {
    CYAML_FIELD_STRING("listen", OPT, struct settings_control, listen, 1),
    CYAML_FIELD_UINT("port", OPT, struct settings_control, port),
    CYAML_FIELD_UINT("feed_port", OPT, struct settings_control, feed_port),
    CYAML_FIELD_UINT("feed_keep", OPT, struct settings_control, feed_keep),
    CYAML_FIELD_STRING("smtp", OPT, struct settings_control, smtp, 1),
    CYAML_FIELD_STRING("smtp_from", OPT, struct settings_control, smtp_from, 1),
    CYAML_FIELD_STRING("public_url", OPT, struct settings_control, public_url, 1),
    CYAML_FIELD_STRING("admin_networks", OPT, struct settings_control, admin_networks, 1),
    CYAML_FIELD_BOOL("admin_second_factor", OPT, struct settings_control, admin_second_factor),
    CYAML_FIELD_BOOL("private_webhooks", OPT, struct settings_control, private_webhooks),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t nats_fields[] = {
    CYAML_FIELD_STRING("url", CYAML_FLAG_DEFAULT, struct settings_nats, url, 1),
    CYAML_FIELD_STRING("credentials_file", OPT, struct settings_nats, credentials_file, 1),
    CYAML_FIELD_STRING("user", OPT, struct settings_nats, user, 1),
    CYAML_FIELD_STRING("password_file", OPT, struct settings_nats, password_file, 1),
    CYAML_FIELD_STRING("ca", OPT, struct settings_nats, ca, 1),
    CYAML_FIELD_STRING("certificate", OPT, struct settings_nats, certificate, 1),
    CYAML_FIELD_STRING("certificate_key", OPT, struct settings_nats, certificate_key, 1),
    CYAML_FIELD_UINT("replicas", OPT, struct settings_nats, replicas),
    CYAML_FIELD_UINT("timeout_ms", OPT, struct settings_nats, timeout_ms),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t data_fields[] = {
    CYAML_FIELD_UINT("threads", OPT, struct settings_data, threads),
    CYAML_FIELD_UINT("max_rows", OPT, struct settings_data, max_rows),
    CYAML_FIELD_UINT("files_poll_s", OPT, struct settings_data, files_poll_s),
    CYAML_FIELD_STRING("file_roots", OPT, struct settings_data, file_roots, 1),
    CYAML_FIELD_UINT("journal_days", OPT, struct settings_data, journal_days),
    CYAML_FIELD_MAPPING("nats", OPT, struct settings_data, nats, nats_fields),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t redis_fields[] = {
    CYAML_FIELD_STRING("address", CYAML_FLAG_DEFAULT, struct settings_redis, address, 1),
    CYAML_FIELD_STRING("password_file", OPT, struct settings_redis, password_file, 1),
    CYAML_FIELD_UINT("timeout_ms", OPT, struct settings_redis, timeout_ms),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t gateway_fields[] = {
    CYAML_FIELD_STRING("listen", OPT, struct settings_gateway, listen, 1),
    CYAML_FIELD_UINT("port", OPT, struct settings_gateway, port),
    CYAML_FIELD_BOOL_PTR("tls", OPT | CYAML_FLAG_POINTER, struct settings_gateway, tls),
    CYAML_FIELD_STRING("certificate", OPT, struct settings_gateway, certificate, 1),
    CYAML_FIELD_STRING("certificate_key", OPT, struct settings_gateway, certificate_key, 1),
    CYAML_FIELD_STRING("upstream_ca", OPT, struct settings_gateway, upstream_ca, 1),
    CYAML_FIELD_UINT("workers", OPT, struct settings_gateway, workers),
    CYAML_FIELD_STRING("node", OPT, struct settings_gateway, node, 1),
    CYAML_FIELD_STRING("control", OPT, struct settings_gateway, control, 1),
    CYAML_FIELD_UINT("staleness_max_s", OPT, struct settings_gateway, staleness_max_s),
    CYAML_FIELD_UINT("replay_bytes", OPT, struct settings_gateway, replay_bytes),
    CYAML_FIELD_MAPPING("redis", OPT, struct settings_gateway, redis, redis_fields),
    CYAML_FIELD_STRING("redis_lost", OPT, struct settings_gateway, redis_lost, 1),
    CYAML_FIELD_UINT("metrics_port", OPT, struct settings_gateway, metrics_port),
    CYAML_FIELD_BOOL("access_log", OPT, struct settings_gateway, access_log),
    CYAML_FIELD_STRING("entries", OPT, struct settings_gateway, entries, 1),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t hsm_fields[] = {
    CYAML_FIELD_STRING("module", CYAML_FLAG_DEFAULT, struct settings_hsm, module, 1),
    CYAML_FIELD_STRING("token", CYAML_FLAG_DEFAULT, struct settings_hsm, token, 1),
    CYAML_FIELD_STRING("key", CYAML_FLAG_DEFAULT, struct settings_hsm, key, 1),
    CYAML_FIELD_STRING("pin_file", CYAML_FLAG_DEFAULT, struct settings_hsm, pin_file, 1),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t top_fields[] = {
    CYAML_FIELD_STRING("data_dir", OPT, struct settings, data_dir, 1),
    CYAML_FIELD_MAPPING("control", OPT, struct settings, control, control_fields),
    CYAML_FIELD_MAPPING("data", OPT, struct settings, data, data_fields),
    CYAML_FIELD_MAPPING("gateway", OPT, struct settings, gateway, gateway_fields),
    CYAML_FIELD_STRING("key_passphrase_file", OPT, struct settings, key_passphrase_file, 1),
    CYAML_FIELD_MAPPING("hsm", OPT, struct settings, hsm, hsm_fields),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t top = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct settings, top_fields),
};

static void on_cyaml(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
    (void)level;
    fprintf(stderr, "sluice: %s: ", (const char *)ctx);
    vfprintf(stderr, fmt, args);
}

static bool load_file(struct settings *s, const char *path)
{
    cyaml_config_t config = {.log_fn = on_cyaml,
                             .log_ctx = (void *)(uintptr_t)path,
                             .mem_fn = cyaml_mem,
                             .log_level = CYAML_LOG_ERROR,
                             .flags = CYAML_CFG_NO_ALIAS};
    struct settings *read = NULL;
    cyaml_err_t err = cyaml_load_file(path, &config, &top, (cyaml_data_t **)&read, NULL);
    if (err != CYAML_OK) {
        const char *why = err == CYAML_ERR_FILE_OPEN ? strerror(errno) : cyaml_strerror(err);
        fprintf(stderr, "sluice: %s: %s\n", path, why);
        return false;
    }
    *s = *read;
    s->tls = s->gateway.tls == NULL || *s->gateway.tls;
    s->gateway.tls = NULL;
    return cyaml_free(&config, &top, read, 0) == CYAML_OK;
}

/* The command line
 * --------------------------------------------------------------------------------- */

enum option_kind { CONFIG, TEXT, PORT, COUNT, PLAIN, FLAG };

static const struct option_row {
    const char *name;
    enum option_kind kind;
    size_t offset, room;
} options[] = {
    {"--config", CONFIG, 0, 0},
    {"--data-dir", TEXT, offsetof(struct settings, data_dir), SETTINGS_PATH_MAX},
    {"--control-port", PORT, offsetof(struct settings, control.port), 0},
    {"--feed-port", PORT, offsetof(struct settings, control.feed_port), 0},
    {"--gateway-port", PORT, offsetof(struct settings, gateway.port), 0},
    {"--workers", COUNT, offsetof(struct settings, gateway.workers), 0},
    {"--plain", PLAIN, offsetof(struct settings, tls), 0},
    {"--trial", FLAG, offsetof(struct settings, trial), 0},
    {"--check", FLAG, offsetof(struct settings, check), 0},
};

static const struct option_row *find_option(const char *name)
{
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (strcmp(options[i].name, name) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

static bool number_of(const char *text, unsigned long max, unsigned long *value)
{
    char *end;
    errno = 0;
    *value = strtoul(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *value <= max;
}

static bool set_option(struct settings *s, const struct option_row *o, const char *value)
{
    char *at = (char *)s + o->offset;
    unsigned long number;
    switch (o->kind) {
    case CONFIG: /* read before all options, see settings_load */
        return true;
    case PLAIN:
        s->tls = false;
        return true;
    case FLAG:
        *(bool *)at = true;
        return true;
    case TEXT:
        if (value[0] == '\0' || strlen(value) >= o->room) {
            fprintf(stderr, "sluice: %s takes a path of 1 to %zu bytes\n", o->name, o->room - 1);
            return false;
        }
        strcpy(at, value);
        return true;
    case PORT:
        if (!number_of(value, 65535, &number) || number == 0) {
            fprintf(stderr, "sluice: %s takes a port from 1 to 65535, not '%s'\n", o->name, value);
            return false;
        }
        memcpy(at, &(uint16_t){(uint16_t)number}, sizeof(uint16_t));
        return true;
    default:
        if (!number_of(value, 1024, &number) || number == 0) {
            fprintf(stderr, "sluice: %s takes a number from 1 to 1024, not '%s'\n", o->name, value);
            return false;
        }
        memcpy(at, &(uint32_t){(uint32_t)number}, sizeof(uint32_t));
        return true;
    }
}

static enum settings_result read_options(struct settings *s, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const struct option_row *o = find_option(argv[i]);
        if (o == NULL) {
            cli_unknown_option(argv[0], argv[i], &options[0].name, sizeof options / sizeof *options,
                               sizeof *options);
            return SETTINGS_WRONG;
        }
        bool takes = o->kind != PLAIN && o->kind != FLAG;
        if (takes && i + 1 == argc) {
            fprintf(stderr, "sluice: %s needs a value after it\n", argv[i]);
            return SETTINGS_WRONG;
        }
        if (!set_option(s, o, takes ? argv[i + 1] : "")) {
            return SETTINGS_WRONG;
        }
        i += takes;
    }
    return SETTINGS_OK;
}

/* What was left open
 * ------------------------------------------------------------------------------- */

static void set_text(char *to, size_t room, const char *text)
{
    if (to[0] == '\0') {
        snprintf(to, room, "%s", text);
    }
}

static void fill(struct settings *s)
{
    char control[64];
    set_text(s->data_dir, sizeof s->data_dir, SETTINGS_DATA_DIR);
    set_text(s->control.listen, sizeof s->control.listen, "127.0.0.1");
    set_text(s->gateway.listen, sizeof s->gateway.listen, "127.0.0.1");
    set_text(s->gateway.node, sizeof s->gateway.node, "node-1");
    s->control.port = s->control.port == 0 ? 7300 : s->control.port;
    s->control.feed_port = s->control.feed_port == 0 ? 7301 : s->control.feed_port;
    s->gateway.port = s->gateway.port == 0 ? 7443 : s->gateway.port;
    snprintf(control, sizeof control, "https://127.0.0.1:%u", s->control.feed_port);
    set_text(s->gateway.control, sizeof s->gateway.control, control);
}

/* A plain origin: what a certificate names and browsers keep cookies for. */
static bool origin_ok(const char *url)
{
    static const char scheme[] = "https://", host[] = "abcdefghijklmnopqrstuvwxyz"
                                                      "0123456789.-";
    const char *at = url + sizeof scheme - 1;
    unsigned long port;
    if (strncmp(url, scheme, sizeof scheme - 1) != 0) {
        return false;
    }
    size_t n = *at == '[' ? strcspn(at, "]") + 1 : strspn(at, host);
    at += n <= strlen(at) ? n : 0;
    return n > 0 && strlen(url) < 190 &&
           (*at == '\0' || (*at == ':' && number_of(at + 1, 65535, &port) && port > 0));
}

static bool check(const struct settings *s)
{
    const struct settings_gateway *g = &s->gateway;
    const struct settings_nats *n = &s->data.nats;
    const struct {
        bool ok;
        const char *key, *text;
    } rules[] = {
        {s->control.port != s->control.feed_port && s->control.port != g->port &&
             s->control.feed_port != g->port,
         "gateway.port",
         "control.port, control.feed_port and gateway.port must be three different ports"},
        {(g->certificate[0] == '\0') == (g->certificate_key[0] == '\0'), "gateway.certificate",
         "gateway.certificate and gateway.certificate_key go together"},
        {(s->control.smtp[0] == '\0') == (s->control.smtp_from[0] == '\0'), "control.smtp",
         "control.smtp and control.smtp_from go together"},
        {s->control.public_url[0] == '\0' || origin_ok(s->control.public_url), "control.public_url",
         "control.public_url is https://, a name in small letters, perhaps a port, and nothing "
         "behind it"},
        {strncmp(g->control, "https://", 8) == 0, "gateway.control",
         "gateway.control must be an https:// address: the feed has no other form"},
        {g->redis_lost[0] == '\0' || strcmp(g->redis_lost, "local") == 0 ||
             strcmp(g->redis_lost, "refuse") == 0,
         "gateway.redis_lost", "gateway.redis_lost is local or refuse"},
        {s->data.max_rows <= 1000, "data.max_rows", "data.max_rows is at most 1000"},
        {s->data.files_poll_s <= 86400, "data.files_poll_s", "data.files_poll_s is at most 86400"},
        {(n->user[0] == '\0') == (n->password_file[0] == '\0'), "data.nats.user",
         "data.nats.user and data.nats.password_file go together"},
        {n->user[0] == '\0' || n->credentials_file[0] == '\0', "data.nats.user",
         "data.nats has a credentials_file or a user, not both"},
        {(n->certificate[0] == '\0') == (n->certificate_key[0] == '\0'), "data.nats.certificate",
         "data.nats.certificate and data.nats.certificate_key go together"},
        {n->replicas <= 5, "data.nats.replicas", "data.nats.replicas is 1 to 5"},
        {n->timeout_ms <= 10000, "data.nats.timeout_ms", "data.nats.timeout_ms is at most 10000"},
        {s->data.journal_days == 0 || (s->data.journal_days >= 7 && s->data.journal_days <= 36500),
         "data.journal_days", "data.journal_days is 7 to 36500"},
        {s->data.threads <= 256, "data.threads", "data.threads is at most 256"},
        {s->key_passphrase_file[0] == '\0' || s->key_passphrase_file[0] == '/',
         "key_passphrase_file", "key_passphrase_file is an absolute path"},
        {s->hsm.module[0] == '\0' || s->hsm.module[0] == '/', "hsm.module",
         "hsm.module is the absolute path of a PKCS#11 library"},
        {s->hsm.module[0] == '\0' || s->hsm.pin_file[0] == '/', "hsm.pin_file",
         "hsm.pin_file is an absolute path"},
        {s->hsm.module[0] == '\0' || s->key_passphrase_file[0] == '\0', "hsm",
         "the passphrase is in key_passphrase_file or in an hsm, not in both"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (!rules[i].ok) {
            settings_complain(s, rules[i].key, rules[i].text);
            return false;
        }
    }
    return true;
}

static void make_dirs(const char *path)
{
    char partial[SETTINGS_PATH_MAX];
    for (const char *p = path + 1; *p != '\0'; p++) {
        if (*p == '/') {
            snprintf(partial, sizeof partial, "%.*s", (int)(p - path), path);
            mkdir(partial, 0755); /* what fails here fails below with its reason */
        }
    }
}

/* A check may be asked before the first start: then the directory is where it would be made. */
static bool absolute(const struct settings *s, char full[PATH_MAX])
{
    char here[PATH_MAX / 2];
    if (realpath(s->data_dir, full) != NULL) {
        return true;
    }
    bool rooted = s->data_dir[0] == '/';
    if (!s->check || errno != ENOENT || (!rooted && getcwd(here, sizeof here) == NULL)) {
        return false;
    }
    snprintf(full, PATH_MAX, "%s%s%s", rooted ? "" : here, rooted ? "" : "/", s->data_dir);
    return true;
}

static bool make_data_dir(struct settings *s)
{
    char full[PATH_MAX];
    if (!s->check) {
        make_dirs(s->data_dir);
    }
    if ((!s->check && mkdir(s->data_dir, 0750) != 0 && errno != EEXIST) || !absolute(s, full)) {
        fprintf(stderr, "sluice: data directory %s: %s\n", s->data_dir, strerror(errno));
        return false;
    }
    int n = snprintf(s->data_socket, sizeof s->data_socket, "%s/data/data.sock", full);
    if (strlen(full) >= sizeof s->data_dir || n < 0 || (size_t)n >= sizeof s->data_socket) {
        fprintf(stderr, "sluice: data directory %s: the path is too long for a socket in it\n",
                full);
        return false;
    }
    strcpy(s->data_dir, full);
    return true;
}

static void find_beside(char out[4096], const char *const candidates[], size_t n)
{
    char self[3000], path[4096];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    self[len > 0 ? len : 0] = '\0';
    const char *dir = dirname(self);
    out[0] = '\0';
    for (size_t i = 0; i < n && out[0] == '\0'; i++) {
        if (candidates[i][0] == '/') {
            snprintf(path, sizeof path, "%s", candidates[i]);
        } else {
            snprintf(path, sizeof path, "%s/%s", dir, candidates[i]);
        }
        if (access(path, R_OK) == 0) {
            strcpy(out, path);
        }
    }
}

/* Beside the program as built, then as installed. */
static void find_parts(struct settings *s)
{
    static const char *const modules[] = {"../gateway/ngx_http_sluice_module.so",
                                          "../lib/sluice/ngx_http_sluice_module.so",
                                          "/usr/lib/sluice/ngx_http_sluice_module.so"};
    static const char *const openapis[] = {
        "../share/sluice/openapi.yaml", "../../contract/openapi.yaml",
        SLUICE_CONTRACT "/openapi.yaml", "/usr/share/sluice/openapi.yaml"};
    find_beside(s->module, modules, sizeof modules / sizeof *modules);
    find_beside(s->openapi, openapis, sizeof openapis / sizeof *openapis);
}

enum settings_result settings_load(struct settings *s, int argc, char **argv)
{
    memset(s, 0, sizeof *s);
    s->tls = true;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return SETTINGS_HELP;
        }
    }
    for (int i = 1; i + 1 < argc; i++) { /* the file first, so that the options win */
        if (strcmp(argv[i], "--config") != 0) {
            continue;
        }
        if (!settings_without_secret(argv[i + 1]) || !load_file(s, argv[i + 1])) {
            return SETTINGS_WRONG;
        }
        snprintf(s->config, sizeof s->config, "%s", argv[i + 1]);
    }
    enum settings_result result = read_options(s, argc, argv);
    if (result != SETTINGS_OK) {
        return result;
    }
    fill(s);
    if (!check(s) || !make_data_dir(s)) {
        return SETTINGS_WRONG;
    }
    find_parts(s);
    return SETTINGS_OK;
}
