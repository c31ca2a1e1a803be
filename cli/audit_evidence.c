/* SPDX-License-Identifier: Apache-2.0 */
/* sluice audit evidence: what was asked and what was answered in one transaction, both signed, with
 * a verdict on each signature (BK-9.2.2b, EC-6.1.4.3d). Needs the files gateway/evidence.c wrote
 * and nothing else; docs/protection.md says what is in them. */
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/codec.h"
#include "crypto/key.h"
#include "httpsig/batch.h"

#define BASE_MAX (16u << 10)

/* One side of the exchange, decoded. */
struct half {
    const char *alg;
    char base[BASE_MAX], sig64[CODEC_BASE64_LEN(HTTPSIG_SIG_MAX) + 1];
    size_t base_n;
    uint8_t sig[HTTPSIG_SIG_MAX];
    size_t sig_n;
    struct crypto_key *key; /* NULL: the caller had a secret instead */
};

struct search {
    const struct audit_options *o;
    char txn[UUID_TEXT_LEN + 1];
    size_t found, bad, unreadable;
};

static bool decode(const json_t *from, const char *name, void *out, size_t cap, size_t *n)
{
    const json_t *value = json_object_get(from, name);
    return json_is_string(value) &&
           codec_unbase64(out, cap, n, json_string_value(value), json_string_length(value));
}

static bool read_half(const json_t *line, const char *name, struct half *h)
{
    uint8_t spki[1024];
    size_t n;
    const json_t *from = json_object_get(line, name);
    h->key = NULL;
    h->alg = json_string_value(json_object_get(from, "alg"));
    if (h->alg == NULL || !decode(from, "base", h->base, sizeof h->base, &h->base_n) ||
        !decode(from, "signature", h->sig, sizeof h->sig, &h->sig_n)) {
        return false;
    }
    h->sig64[codec_base64(h->sig64, h->sig, h->sig_n)] = '\0';
    if (json_object_get(from, "key") == NULL) {
        return true;
    }
    return decode(from, "key", spki, sizeof spki, &n) &&
           crypto_key_load_spki(&h->key, slice_of((char *)spki, n)) == CRYPTO_OK;
}

static bool batch_verifies(const struct half *h)
{
    struct httpsig_batch batch;
    struct merkle_node root;
    char text[HTTPSIG_BATCH_TEXT_MAX];
    if (!httpsig_batch_decode(&batch, h->sig, h->sig_n)) {
        return false;
    }
    httpsig_batch_root(&batch, slice_of(h->base, h->base_n), &root);
    size_t n = httpsig_batch_text(batch.size, &root, text);
    return crypto_key_verify(h->key, CRYPTO_ALG_SM2_SM3, text, n, batch.sig, sizeof batch.sig) ==
           CRYPTO_OK;
}

/* "valid", "NOT VALID", or that nobody else can tell. */
static const char *verdict(const struct half *h)
{
    enum crypto_alg alg;
    if (h->key == NULL) {
        return "cannot be told: a MAC proves nothing to a third party";
    }
    bool good =
        strcmp(h->alg, HTTPSIG_BATCH_ALG) == 0
            ? batch_verifies(h)
            : crypto_algorithm_find(slice_str(h->alg), &alg) &&
                  crypto_key_verify(h->key, alg, h->base, h->base_n, h->sig, h->sig_n) == CRYPTO_OK;
    return good ? "valid" : "NOT VALID";
}

/* The answer quotes the request's signature and the transaction: it is the answer to this call. */
static bool belongs(const struct search *s, const struct half *asked, const struct half *answer)
{
    char line[sizeof asked->sig64 + 64];
    struct slice base = {answer->base, answer->base_n};
    snprintf(line, sizeof line, ": :%s:\n", asked->sig64);
    if (memmem(base.p, base.n, line, strlen(line)) == NULL) {
        return false;
    }
    snprintf(line, sizeof line, "\"sluice-transaction\": %s\n", s->txn);
    return memmem(base.p, base.n, line, strlen(line)) != NULL;
}

static void print_half(const char *name, const struct half *h, const char *said)
{
    printf("%s: %s\n  algorithm %s\n", name, said, h->alg);
    if (h->key != NULL) {
        printf("  key       %s\n", crypto_key_id(h->key));
    }
    printf("  signed:\n");
    for (size_t at = 0; at < h->base_n;) {
        const char *end = memchr(h->base + at, '\n', h->base_n - at);
        size_t n = end == NULL ? h->base_n - at : (size_t)(end - h->base) - at;
        printf("    %.*s\n", (int)n, h->base + at);
        at += n + 1;
    }
}

/* Whether the key is the one the platform publishes; an answer by any other proves nothing. */
static const char *whose(const struct search *s, const struct half *answer)
{
    char path[4200];
    struct crypto_key *key = NULL;
    snprintf(path, sizeof path, "%s/keys/answer.pub", s->o->data_dir);
    if (s->o->dir_given && !s->o->key_given) {
        return "not compared: give --key with the platform's public key";
    }
    const char *from = s->o->key_given ? s->o->key : path;
    if (answer->key == NULL || crypto_key_load_file(&key, CRYPTO_KEY_PUBLIC, from) != CRYPTO_OK) {
        return "not compared: the platform's public key cannot be read";
    }
    bool same = strcmp(crypto_key_id(key), crypto_key_id(answer->key)) == 0;
    crypto_key_free(&key);
    return same ? "the platform's" : "NOT the platform's";
}

static void show(struct search *s, const json_t *line)
{
    static struct half asked, answer;
    bool good = read_half(line, "request", &asked) && read_half(line, "answer", &answer);
    if (!good) {
        printf("%s: this record cannot be read\n", s->txn);
        s->bad++;
    } else {
        const char *first = verdict(&asked), *second = verdict(&answer), *key = whose(s, &answer);
        bool same_call = belongs(s, &asked, &answer);
        printf("transaction %s, credential %s, status %" JSON_INTEGER_FORMAT "\n", s->txn,
               json_string_value(json_object_get(line, "credential")),
               json_integer_value(json_object_get(line, "status")));
        print_half("request", &asked, first);
        print_half("answer", &answer, second);
        printf("  key is    %s\n%s\n", key,
               same_call ? "the answer is to this request"
                         : "NOT VALID: the answer is to another request");
        s->bad += !same_call || strncmp(first, "NOT", 3) == 0 || strcmp(second, "valid") != 0 ||
                  strncmp(key, "NOT", 3) == 0;
    }
    crypto_key_free(&asked.key);
    crypto_key_free(&answer.key);
}

static void search_file(struct search *s, const char *path)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    if (file == NULL) {
        fprintf(stderr, "sluice audit: %s: %s\n", path, strerror(errno));
        s->unreadable++;
        return;
    }
    while ((n = getline(&line, &room, file)) > 0) {
        if (memmem(line, (size_t)n, s->txn, UUID_TEXT_LEN) == NULL) {
            continue;
        }
        json_t *root = json_loadb(line, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
        const char *txn = json_string_value(json_object_get(root, "transaction"));
        if (txn != NULL && strcmp(txn, s->txn) == 0) {
            s->found++;
            show(s, root);
        }
        json_decref(root);
    }
    free(line);
    fclose(file);
}

int cli_audit_evidence(const struct audit_options *o)
{
    struct search s = {.o = o};
    struct dirent **names = NULL;
    char dir[4200], path[4500];
    if (uuid_is_nil(&o->txn)) {
        fputs("sluice audit evidence: which transaction? It is in the answer's header "
              "Sluice-Transaction\n",
              stderr);
        return 2;
    }
    uuid_format(&o->txn, s.txn);
    snprintf(dir, sizeof dir, "%s/evidence", o->dir);
    int n = scandir(dir, &names, NULL, alphasort);
    if (n < 0) {
        fprintf(stderr, "sluice audit: %s: %s\n", dir, strerror(errno));
        return 2;
    }
    for (int i = 0; i < n; i++) {
        if (strstr(names[i]->d_name, ".jsonl") != NULL) {
            snprintf(path, sizeof path, "%s/%s", dir, names[i]->d_name);
            search_file(&s, path);
        }
        free(names[i]);
    }
    free(names);
    if (s.found == 0) {
        printf("%s: there is no evidence of it: its answer was not signed, or never made\n", s.txn);
    }
    return s.unreadable > 0 ? 2 : s.found == 0 || s.bad > 0 ? 1 : 0;
}
