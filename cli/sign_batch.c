/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice sign --batch FILE`: a list of requests under one SM2 signature. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "file.h"
#include "signing.h"

#define LIST_BYTES_MAX (4u << 20)

static struct signing_batch batch;
static struct signing_headers headers[MERKLE_LEAVES_MAX];

/* One line, which is changed: METHOD URL [BODY-FILE]. -1: read; else the exit code. */
static int read_line(struct signing *one, const struct signing *s, char *line)
{
    char *rest = line, *word[4] = {0};
    for (size_t i = 0; i < 4; i++) {
        word[i] = strtok_r(rest, " \t\r", &rest);
    }
    if (word[1] == NULL || word[3] != NULL) {
        fprintf(stderr, "sluice sign: %s: a line is 'METHOD URL [BODY-FILE]'\n", s->batch_file);
        return 2;
    }
    return signing_other(one, s, word[0], word[1], word[2]);
}

static void print_one(const struct signing *one, const struct signing_headers *h)
{
    struct buf line;
    buf_init(&line);
    buf_adds(&line, "{\"method\":");
    buf_add_json(&line, slice_str(one->method));
    buf_adds(&line, ",\"url\":");
    buf_add_json(&line, slice_str(one->url));
    buf_adds(&line, ",\"headers\":{\"Signature-Input\":");
    buf_add_json(&line, slice_str(h->input));
    buf_adds(&line, ",\"Signature\":");
    buf_add_json(&line, slice_str(h->signature));
    if (one->grant != NULL) {
        buf_adds(&line, ",\"Sluice-Grant\":");
        buf_add_json(&line, slice_str(one->grant));
    }
    if (one->purpose_header != NULL) {
        buf_adds(&line, ",\"Sluice-Purpose\":");
        buf_add_json(&line, slice_str(one->purpose_header));
    }
    if (one->app_version != NULL) {
        buf_adds(&line, ",\"Sluice-App-Version\":");
        buf_add_json(&line, slice_str(one->app_version));
    }
    if (one->has_body) {
        buf_adds(&line, ",\"Content-Digest\":");
        buf_add_json(&line, slice_str(one->digest));
    }
    buf_adds(&line, "}}\n");
    if (!line.failed) {
        fwrite(line.p, 1, line.n, stdout);
    }
    buf_fini(&line);
}

/* Adds the requests of a list to the batch; *n counts those whose signing_other_fini is due. */
static int add_all(const struct signing *s, char *list, struct signing requests[], size_t *n)
{
    uint64_t now_s = clock_wall_ms() / 1000;
    for (char *line = strtok_r(list, "\n", &list); line != NULL;
         line = strtok_r(list, "\n", &list)) {
        if (*n == MERKLE_LEAVES_MAX) {
            fprintf(stderr, "sluice sign: %s: a batch holds at most %d requests\n", s->batch_file,
                    MERKLE_LEAVES_MAX);
            return 2;
        }
        int code = read_line(&requests[*n], s, line);
        if (code == 2 && requests[*n].key == NULL) {
            return code; /* the line was no request at all */
        }
        size_t at = (*n)++;
        if (code >= 0 || !signing_batch_add(&batch, &requests[at], now_s, &headers[at])) {
            return 2;
        }
    }
    if (*n == 0) {
        fprintf(stderr, "sluice sign: %s: no requests in it\n", s->batch_file);
    }
    return *n > 0 ? -1 : 2;
}

int signing_print_batch(const struct signing *s)
{
    struct buf list;
    buf_init(&list);
    struct signing *requests = calloc(MERKLE_LEAVES_MAX, sizeof *requests);
    size_t n = 0;
    int code = 1;
    if (requests == NULL || !file_read(s->batch_file, LIST_BYTES_MAX, &list)) {
        fprintf(stderr, "sluice sign: %s: %s\n", s->batch_file, strerror(errno));
        code = 2;
        goto out;
    }
    buf_addc(&list, '\0');
    code = list.failed ? 1 : add_all(s, list.p, requests, &n);
    if (code < 0) {
        code = signing_batch_end(&batch, s, headers) ? 0 : 1;
        for (size_t i = 0; i < n && code == 0; i++) {
            print_one(&requests[i], &headers[i]);
        }
        code = fflush(stdout) == 0 ? code : 1;
    }
out:
    for (size_t i = 0; i < n; i++) {
        signing_other_fini(&requests[i]);
    }
    free(requests);
    buf_fini(&list);
    return code;
}
