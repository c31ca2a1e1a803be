/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of the roles: defaults, then the YAML file, then the command line. The schema has no
 * member that could hold a secret: keys are files of mode 0600 under the data directory. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define SETTINGS_PATH_MAX 256
#define SETTINGS_DATA_DIR "./var" /* of every sub-command, unless --data-dir is given */

struct settings_control {
    char listen[64];
    uint16_t port, feed_port;
    uint64_t feed_keep;                                         /* 0: the control plane's default */
    char smtp[SETTINGS_PATH_MAX], smtp_from[SETTINGS_PATH_MAX]; /* "": no e-mail */
    char public_url[SETTINGS_PATH_MAX];                         /* "": listen and port */
    bool private_webhooks;
    char admin_networks[1024]; /* "": from anywhere */
    bool admin_second_factor;
};

struct settings_nats { /* where events are kept; url "": with the data service */
    char url[1024], credentials_file[SETTINGS_PATH_MAX];
    char user[65], password_file[SETTINGS_PATH_MAX];
    char ca[SETTINGS_PATH_MAX], certificate[SETTINGS_PATH_MAX];
    char certificate_key[SETTINGS_PATH_MAX];
    uint32_t replicas, timeout_ms; /* 0: the defaults */
};

struct settings_data {
    uint32_t threads, max_rows, files_poll_s, journal_days; /* 0: the data service's defaults */
    char file_roots[2048];                                  /* "": no folder may be a source */
    struct settings_nats nats;
};

struct settings_redis { /* shared by several nodes; address "": none */
    char address[SETTINGS_PATH_MAX], password_file[SETTINGS_PATH_MAX];
    uint32_t timeout_ms;
};

struct settings_gateway {
    char listen[64];
    uint16_t port;
    bool *tls; /* NULL: true */
    char certificate[SETTINGS_PATH_MAX], certificate_key[SETTINGS_PATH_MAX];
    char upstream_ca[SETTINGS_PATH_MAX]; /* "": none */
    uint32_t workers;
    char node[33];
    char control[SETTINGS_PATH_MAX];
    uint32_t staleness_max_s;
    uint64_t replay_bytes;
    struct settings_redis redis;
    char redis_lost[16];   /* "local", "refuse" */
    uint16_t metrics_port; /* 0: none */
    bool access_log;
    char entries[1024]; /* "name=address:port, …"; "": the public one alone */
};

struct settings_hsm { /* where the passphrase of the key files is sealed; module "": nowhere */
    char module[SETTINGS_PATH_MAX], token[33], key[65], pin_file[SETTINGS_PATH_MAX];
};

struct settings {
    char data_dir[SETTINGS_PATH_MAX];
    struct settings_control control;
    struct settings_data data;
    struct settings_gateway gateway;
    char key_passphrase_file[SETTINGS_PATH_MAX]; /* absolute; "": see crypto/keystore.h */
    struct settings_hsm hsm;

    /* of the command line alone */
    bool trial;                     /* a new store is one for trying things out */
    bool check;                     /* look at everything, start and change nothing */
    char config[SETTINGS_PATH_MAX]; /* the file that was read; "": none */

    /* found, not set */
    bool tls;
    char data_socket[108], openapi[4096], module[4096]; /* openapi "": none found */
};

enum settings_result { SETTINGS_OK, SETTINGS_HELP, SETTINGS_WRONG /* said on stderr */ };

/* argv[0] is the role's name. Makes the data directory (not to check) and its path absolute. */
enum settings_result settings_load(struct settings *s, int argc, char **argv)
    __attribute__((warn_unused_result));
/* Says on stderr what is wrong, with file and line where the key stands in the file. key: such as
 * "gateway.port"; NULL: no key alone. */
void settings_complain(const struct settings *s, const char *key, const char *text);

/* cli/settings_secret.c: a settings file holds no secret (BK-7.3.4b2). False, with a sentence on
 * stderr that names the line and not the secret, when it looks as if it did. */
bool settings_without_secret(const char *path);
