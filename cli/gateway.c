/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "node/node.h"

static struct node_config node_of(const struct settings *s)
{
    const struct settings_gateway *g = &s->gateway;
    return (struct node_config){
        .data_dir = s->data_dir,
        .node = g->node,
        .listen_host = g->listen,
        .port = g->port,
        .tls = s->tls,
        .certificate = g->certificate[0] == '\0' ? NULL : g->certificate,
        .certificate_key = g->certificate_key[0] == '\0' ? NULL : g->certificate_key,
        .upstream_ca = g->upstream_ca[0] == '\0' ? NULL : g->upstream_ca,
        .workers = g->workers,
        .control = g->control,
        .data_socket = s->data_socket,
        .staleness_max_s = g->staleness_max_s,
        .replay_bytes = g->replay_bytes,
        .redis = g->redis.address[0] == '\0' ? NULL : g->redis.address,
        .redis_password_file = g->redis.password_file[0] == '\0' ? NULL : g->redis.password_file,
        .redis_timeout_ms = g->redis.timeout_ms,
        .redis_refuse = strcmp(g->redis_lost, "refuse") == 0,
        .metrics_port = g->metrics_port,
        .access_log = g->access_log,
        .entries = g->entries[0] == '\0' ? NULL : g->entries,
        .module = s->module,
    };
}

static bool passes(const struct settings *s, const struct node_config *cfg)
{
    struct node_fault fault;
    if (s->module[0] == '\0') {
        settings_complain(s, NULL,
                          "ngx_http_sluice_module.so is neither beside the program nor in "
                          "/usr/lib/sluice");
        return false;
    }
    bool ok = node_check(cfg, &fault);
    if (!ok) {
        settings_complain(s, fault.setting, fault.text);
    }
    return ok;
}

static void remove_dir(const char *dir)
{
    char path[PATH_MAX];
    DIR *d = opendir(dir);
    const struct dirent *e;
    while (d != NULL && (e = readdir(d)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        unlink(path);
    }
    if (d != NULL) {
        closedir(d);
    }
    rmdir(dir);
}

/* Before the first start there is no inner CA yet: nginx reads a certificate made for this alone.
 */
static bool check_with_stand_in(const struct settings *s, struct node_config cfg)
{
    static const char *const names[] = {"gateway"};
    char dir[] = "/tmp/sluice-pki-XXXXXX", certificate[64], key[64];
    if (mkdtemp(dir) == NULL) {
        fprintf(stderr, "sluice: scratch folder in /tmp: %s\n", strerror(errno));
        return false;
    }
    enum crypto_err err = crypto_pki_ensure(dir, names, 1, "localhost");
    snprintf(certificate, sizeof certificate, "%s/gateway.crt", dir);
    snprintf(key, sizeof key, "%s/gateway.key", dir);
    cfg.pki = dir;
    if (cfg.certificate == NULL) {
        cfg.certificate = certificate;
        cfg.certificate_key = key;
    }
    bool ok = err == CRYPTO_OK && passes(s, &cfg);
    if (err != CRYPTO_OK) {
        fprintf(stderr, "sluice: %s: %s\n", dir, crypto_strerror(err));
    }
    remove_dir(dir);
    return ok;
}

bool gateway_check(const struct settings *s)
{
    struct node_config cfg = node_of(s);
    char made[SETTINGS_PATH_MAX + 32];
    snprintf(made, sizeof made, "%s/pki/gateway.crt", s->data_dir);
    bool stand_in = access(made, F_OK) != 0;
    return stand_in ? check_with_stand_in(s, cfg) : passes(s, &cfg);
}

struct again {
    int argc;
    char **argv;
    struct settings settings;
};

static bool read_again(void *ctx, struct node_config *cfg)
{
    struct again *a = ctx;
    if (settings_load(&a->settings, a->argc, a->argv) != SETTINGS_OK) {
        return false;
    }
    *cfg = node_of(&a->settings);
    return passes(&a->settings, cfg);
}

int gateway_run(const struct settings *s, int argc, char **argv)
{
    static struct again a;
    a.argc = argc;
    a.argv = argv;
    const struct node_config cfg = node_of(s);
    const struct node_settings again = {.read = read_again, .ctx = &a};
    return passes(s, &cfg) ? node_run(&cfg, &again) : 1;
}
