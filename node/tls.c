/* SPDX-License-Identifier: Apache-2.0 */
#include "node/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crypto/crypto.h"

#define CERTIFICATE_MAX 65536 /* bytes of PEM */

static char *read_text(const char *path)
{
    FILE *f = fopen(path, "re");
    char *text = f == NULL ? NULL : calloc(1, CERTIFICATE_MAX + 1);
    if (text != NULL && fread(text, 1, CERTIFICATE_MAX, f) == 0) {
        free(text);
        text = NULL;
    }
    if (f != NULL) {
        fclose(f);
    }
    return text;
}

/* Wipes and frees the text. */
static bool put(struct node_identity *id, size_t which, char *text)
{
    size_t n = strlen(text);
    int fd = memfd_create("sluice-identity", MFD_CLOEXEC);
    id->fds[which] = fd;
    snprintf(id->paths[which], sizeof id->paths[which], "/proc/self/fd/%d", fd);
    bool ok = fd >= 0 && write(fd, text, n) == (ssize_t)n;
    crypto_wipe(text, n);
    free(text);
    return ok;
}

static bool tell(const char *path, const char *why)
{
    fprintf(stderr, "sluice: %s: %s\n", path, why);
    return false;
}

bool node_identity_load(struct node_identity *id, const char *certificate, const char *key)
{
    char *pem = NULL, *text = read_text(certificate);
    *id = (struct node_identity){.fds = {-1, -1}};
    if (text == NULL) {
        return tell(certificate, strerror(errno));
    }
    enum crypto_err err = crypto_pki_key(key, &pem);
    if (err != CRYPTO_OK) {
        free(text);
        return tell(key, crypto_strerror(err));
    }
    bool ok = put(id, 0, text);
    ok = put(id, 1, pem) && ok;
    return ok || tell(key, "no memory for it");
}

void node_identity_fini(struct node_identity *id)
{
    for (size_t i = 0; i < 2; i++) {
        if (id->fds[i] > 0) { /* 0: never loaded */
            close(id->fds[i]);
        }
        id->fds[i] = -1;
    }
}

void node_identity_show(const struct node_identity *id, CURL *easy, const char *ca)
{
    curl_easy_setopt(easy, CURLOPT_CAINFO, ca);
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* else all public CAs beside it */
    curl_easy_setopt(easy, CURLOPT_SSLCERT, id->paths[0]);
    curl_easy_setopt(easy, CURLOPT_SSLKEY, id->paths[1]);
}
