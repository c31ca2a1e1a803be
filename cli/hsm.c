/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/codec.h"
#include "crypto/keystore.h"
#include "file.h"
#include "hsm/hsm.h"

#define NEW_BYTES 32

struct place {
    char folder[SETTINGS_PATH_MAX + 8], sealed[SETTINGS_PATH_MAX + 32],
        plain[SETTINGS_PATH_MAX + 32], fresh[SETTINGS_PATH_MAX + 32];
};

static bool complain(const char *what, const char *why)
{
    fprintf(stderr, "sluice: key-store-locked: %s: %s\n", what, why);
    return false;
}

/* Whole and on the disk, or not there. */
static bool keep(const struct place *at, struct slice text)
{
    int fd = open(at->fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0) {
        close(fd);
    }
    errno = error;
    return (ok && rename(at->fresh, at->sealed) == 0) || complain(at->sealed, strerror(errno));
}

/* The one that the key files are sealed under already, or a new one. */
static bool take_plain(const struct place *at, struct buf *out)
{
    uint8_t random[NEW_BYTES];
    char text[CODEC_BASE64URL_LEN(NEW_BYTES)];
    if (access(at->plain, F_OK) == 0) {
        bool ok = file_read(at->plain, CRYPTO_PASSPHRASE_MAX + 1, out);
        out->n -= ok && out->n > 0 && out->p[out->n - 1] == '\n';
        return ok || complain(at->plain, strerror(errno));
    }
    crypto_random(random, sizeof random);
    buf_add(out, text, codec_base64url(text, random, sizeof random));
    crypto_wipe(random, sizeof random);
    crypto_wipe(text, sizeof text);
    return !out->failed;
}

static bool seal(const struct hsm_config *cfg, const struct place *at)
{
    char text[HSM_TEXT_MAX], why[HSM_WHY_MAX] = "";
    size_t n = 0;
    struct buf plain;
    buf_init(&plain);
    bool ok = take_plain(at, &plain);
    if (ok && !hsm_seal(cfg, buf_slice(&plain), text, &n, why)) {
        ok = complain(cfg->module, why);
    }
    buf_wipe(&plain);
    if (!ok || !keep(at, slice_of(text, n))) {
        return false;
    }
    bool left = access(at->plain, F_OK) == 0;
    fprintf(stderr,
            "sluice: the passphrase of the key files is sealed by the hardware module%s%s\n",
            left ? "; remove " : "", left ? at->plain : "");
    return true;
}

static bool open_sealed(const struct hsm_config *cfg, const struct place *at)
{
    char plain[HSM_PLAIN_MAX], why[HSM_WHY_MAX] = "";
    size_t n = 0;
    struct buf text;
    buf_init(&text);
    bool ok = file_read(at->sealed, HSM_TEXT_MAX, &text) || complain(at->sealed, strerror(errno));
    if (ok && !hsm_open(cfg, buf_slice(&text), plain, &n, why)) {
        ok = complain(at->sealed, why);
    }
    if (ok && crypto_keystore_use(slice_of(plain, n)) != CRYPTO_OK) {
        ok = complain(at->sealed, "what it holds is no passphrase");
    }
    crypto_wipe(plain, sizeof plain);
    buf_fini(&text);
    return ok;
}

static void find(const struct settings *s, struct place *at)
{
    snprintf(at->folder, sizeof at->folder, "%s/keys", s->data_dir);
    snprintf(at->sealed, sizeof at->sealed, "%s/passphrase.hsm", at->folder);
    snprintf(at->fresh, sizeof at->fresh, "%s/passphrase.hsm.new", at->folder);
    snprintf(at->plain, sizeof at->plain, "%s/passphrase", at->folder);
}

bool cli_hsm_passphrase(const struct settings *s, bool make)
{
    const struct hsm_config cfg = {s->hsm.module, s->hsm.token, s->hsm.key, s->hsm.pin_file};
    struct place at = {0};
    if (s->hsm.module[0] == '\0') {
        return true;
    }
    find(s, &at);
    if (s->check && access(at.sealed, F_OK) != 0) {
        return true; /* the first start makes it */
    }
    if (make && access(at.sealed, F_OK) != 0 &&
        ((mkdir(at.folder, 0750) != 0 && errno != EEXIST) || !seal(&cfg, &at))) {
        return false;
    }
    return open_sealed(&cfg, &at);
}
