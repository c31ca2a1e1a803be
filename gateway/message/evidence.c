/* SPDX-License-Identifier: Apache-2.0 */
/* What lets a third person check later who asked and who answered (EC-6.1.4.3d, BK-9.2.2b): for
 * each signed answer one line of JSON with both signature bases, both signatures and the public
 * keys, in append-only files beside the audit log (docs/protection.md). One write a batch; a write
 * that fails leaves the file as it was, and then no answer of the batch may leave. */
#include "sluice.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/codec.h"

#define FILE_MAX (64 * 1024 * 1024)

static struct {
    int fd; /* 0: none */
    off_t size;
    struct buf lines;
} evidence;

static void add_base64(const char *name, struct slice bytes)
{
    struct buf *out = &evidence.lines;
    size_t n = CODEC_BASE64_LEN(bytes.n);
    buf_addf(out, ",\"%s\":\"", name);
    if (buf_reserve(out, n)) {
        out->n += codec_base64(out->p + out->n, bytes.p, bytes.n);
    }
    buf_addc(out, '"');
}

static void add_half(const char *name, struct slice alg, ngx_str_t base, ngx_str_t sig,
                     const struct crypto_key *key)
{
    struct buf *out = &evidence.lines;
    buf_addf(out, ",\"%s\":{\"alg\":", name);
    buf_add_json(out, alg);
    add_base64("base", sluice_slice(base));
    add_base64("signature", sluice_slice(sig));
    if (key) { /* a caller that has a secret instead has no key that others could check by */
        add_base64("key", crypto_key_spki(key));
    }
    buf_addc(out, '}');
}

void sluice_evidence_add(sluice_ctx_t *ctx, ngx_uint_t status)
{
    char credential[UUID_TEXT_LEN + 1];
    const sluice_signing_t *s = &ctx->signing;
    uuid_format(&ctx->caller->credential.id, credential);
    buf_addf(&evidence.lines,
             "{\"transaction\":\"%s\",\"at\":%llu,\"status\":%u,\"credential\":\"%s\"",
             ctx->txn_text, (unsigned long long)clock_wall_ms(), (unsigned)status, credential);
    add_half("request", s->question_alg, s->question, s->question_sig, ctx->caller->key);
    add_half("answer", slice_str(s->answer_alg), s->answer, s->answer_sig,
             sluice_worker.keys.answer);
    buf_adds(&evidence.lines, "}\n");
}

/* <begin, ms>-<node>-<pid>.jsonl, so that a transaction's time tells which files may hold it. */
static ngx_int_t open_file(ngx_log_t *log)
{
    sluice_main_conf_t *conf =
        ngx_http_cycle_get_module_main_conf(ngx_cycle, ngx_http_sluice_module);
    u_char path[NGX_MAX_PATH];
    u_char *last = ngx_snprintf(path, sizeof path, "%V/evidence%Z", &conf->audit_dir);
    if (last == path + sizeof path ||
        (ngx_create_dir(path, 0700) == NGX_FILE_ERROR && ngx_errno != NGX_EEXIST)) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno, "sluice: evidence: \"%s\"", path);
        return NGX_ERROR;
    }
    ngx_snprintf(path, sizeof path, "%V/evidence/%013uL-%V-%P.jsonl%Z", &conf->audit_dir,
                 clock_wall_ms(), &conf->node, ngx_pid);
    int fd = open((char *)path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno, "sluice: evidence: \"%s\"", path);
        return NGX_ERROR;
    }
    evidence.fd = fd;
    evidence.size = 0;
    return NGX_OK;
}

ngx_int_t sluice_evidence_flush(ngx_log_t *log)
{
    struct buf *lines = &evidence.lines;
    size_t n = lines->n;
    bool good = !lines->failed;
    if (good && n == 0) {
        return NGX_OK;
    }
    if (evidence.fd > 0 && evidence.size + (off_t)n > FILE_MAX) {
        sluice_evidence_close();
    }
    good = good && (evidence.fd > 0 || open_file(log) == NGX_OK);
    ssize_t written = good ? write(evidence.fd, lines->p, n) : -1;
    if (good && written != (ssize_t)n) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno, "sluice: evidence cannot be written");
        if (written > 0 && ftruncate(evidence.fd, evidence.size) != 0) {
            sluice_evidence_close(); /* half a line stays at the end of that file; go to another */
        }
        good = false;
    }
    evidence.size += good ? (off_t)n : 0;
    if (lines->failed) {
        buf_fini(lines);
        buf_init(lines);
    }
    buf_clear(lines);
    return good ? NGX_OK : NGX_ERROR;
}

void sluice_evidence_close(void)
{
    if (evidence.fd > 0) {
        close(evidence.fd);
    }
    evidence.fd = 0;
}
