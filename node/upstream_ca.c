/* SPDX-License-Identifier: Apache-2.0 */
#include "node/upstream_ca.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "crypto/certificate.h"

#define SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt"
#define FILE_MAX  (8u << 20)
#define PATH_ROOM 700

/* Adds the file to *out, and an end of line. false: errno says why. */
static bool add_file(struct buf *out, const char *path)
{
    size_t before = out->n;
    ssize_t got = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    while (got > 0 && out->n - before < FILE_MAX && buf_reserve(out, 65536)) {
        got = read(fd, out->p + out->n, 65536);
        out->n += got > 0 ? (size_t)got : 0;
    }
    int why = got > 0 ? EFBIG : errno;
    close(fd);
    buf_addc(out, '\n');
    errno = why;
    return got == 0;
}

/* Every block is a certificate, and there is one: nginx would pass over what it cannot read. */
static bool certificates(struct slice pem)
{
    static const char begin[] = "-----BEGIN ", end[] = "-----END CERTIFICATE-----";
    size_t n = 0;
    for (const char *at = memmem(pem.p, pem.n, begin, strlen(begin)); at != NULL; n++) {
        size_t left = pem.n - (size_t)(at - pem.p);
        const char *last = memmem(at, left, end, strlen(end));
        struct crypto_certificate *crt = NULL;
        if (last == NULL) {
            return false;
        }
        last += strlen(end);
        if (crypto_certificate_load(&crt, slice_of(at, (size_t)(last - at))) != CRYPTO_OK) {
            return false;
        }
        crypto_certificate_free(&crt);
        at = memmem(last, pem.n - (size_t)(last - pem.p), begin, strlen(begin));
    }
    return n > 0;
}

static bool wrong(struct node_fault *fault, const char *setting, const char *path, const char *why)
{
    fault->setting = setting;
    snprintf(fault->text, sizeof fault->text, "%.300s: %s", path, why);
    return false;
}

static bool collect(const struct node_config *cfg, struct buf *out, struct node_fault *fault)
{
    char inner[PATH_ROOM];
    snprintf(inner, sizeof inner, "%s%s/ca.crt", cfg->pki == NULL ? cfg->data_dir : cfg->pki,
             cfg->pki == NULL ? "/pki" : "");
    if (!add_file(out, SYSTEM_CA) && errno != ENOENT) {
        return wrong(fault, NULL, SYSTEM_CA, strerror(errno));
    }
    if (!add_file(out, inner)) {
        return wrong(fault, NULL, inner, strerror(errno));
    }
    size_t before = out->n;
    if (cfg->upstream_ca == NULL) {
        return true;
    }
    if (!add_file(out, cfg->upstream_ca)) {
        return wrong(fault, "gateway.upstream_ca", cfg->upstream_ca, strerror(errno));
    }
    return certificates(slice_of(out->p + before, out->n - before)) ||
           wrong(fault, "gateway.upstream_ca", cfg->upstream_ca, "certificates in PEM are needed");
}

static bool replace(const char *path, const struct buf *text)
{
    char fresh[PATH_ROOM + 8];
    snprintf(fresh, sizeof fresh, "%s.new", path);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool ok = fd >= 0 && write(fd, text->p, text->n) == (ssize_t)text->n;
    return (fd < 0 || close(fd) == 0) && ok && rename(fresh, path) == 0;
}

bool node_upstream_ca(const struct node_config *cfg, const char *prefix, bool *changed,
                      struct node_fault *fault)
{
    char path[PATH_ROOM];
    struct buf text, old;
    snprintf(path, sizeof path, "%s" NODE_UPSTREAM_CA, prefix);
    buf_init(&text);
    buf_init(&old);
    bool ok = collect(cfg, &text, fault);
    if (ok && text.failed) {
        ok = wrong(fault, NULL, path, "out of memory");
    }
    *changed =
        ok && !(add_file(&old, path) && old.n == text.n + 1 && memcmp(old.p, text.p, text.n) == 0);
    if (*changed && !replace(path, &text)) {
        ok = wrong(fault, NULL, path, strerror(errno));
    }
    buf_fini(&text);
    buf_fini(&old);
    return ok;
}
