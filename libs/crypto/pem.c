/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "crypto/internal.h"

static struct slice trimmed(struct slice text)
{
    while (text.n > 0 && isspace((unsigned char)text.p[0])) {
        text.p++;
        text.n--;
    }
    while (text.n > 0 && isspace((unsigned char)text.p[text.n - 1])) {
        text.n--;
    }
    return text;
}

static bool starts(struct slice text, struct slice with)
{
    return text.n >= with.n && memcmp(text.p, with.p, with.n) == 0;
}

/* Two blocks, or words around one: which of them was meant? */
static bool one_block(struct slice text)
{
    static const struct slice begin = {"-----BEGIN ", 11}, end = {"-----END ", 9};
    const char *end_at = memmem(text.p, text.n, end.p, end.n);
    if (!starts(text, begin) || end_at == NULL ||
        memmem(text.p + 1, text.n - 1, begin.p, begin.n) != NULL) {
        return false;
    }
    struct slice last = slice_of(end_at, text.n - (size_t)(end_at - text.p));
    return memchr(last.p, '\n', last.n) == NULL &&
           memmem(last.p + 1, last.n - 1, end.p, end.n) == NULL;
}

bool pem_read(struct slice text, size_t max, char **label, struct slice *der)
{
    text = trimmed(text);
    if (text.n > max || !one_block(text)) {
        return false;
    }
    BIO *bio = BIO_new_mem_buf(text.p, (int)text.n);
    if (bio == NULL) {
        crypto_die("out of memory");
    }
    char *header = NULL;
    uint8_t *bytes = NULL;
    long n = 0;
    *label = NULL;
    bool read = PEM_read_bio(bio, label, &header, &bytes, &n) == 1;
    *der = slice_of((char *)bytes, (size_t)n);
    bool good = read && n > 0 && *header == '\0'; /* a header means that it is encrypted */
    if (read && !good) {
        pem_free(*label, *der);
    }
    OPENSSL_free(header);
    BIO_free(bio);
    ERR_clear_error();
    return good;
}

void pem_free(char *label, struct slice der)
{
    OPENSSL_clear_free((char *)(uintptr_t)der.p, der.n);
    OPENSSL_free(label);
}
