/* SPDX-License-Identifier: Apache-2.0 */
#include "data/batch/job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/codec.h"

#define JOB_FILE_MAX (1u << 20)

static const char *const states[JOB_STATES] = {"queued", "running", "ready",
                                               "failed", "expired", "erased"};

const char *job_state_name(enum job_state state)
{
    return states[state];
}

struct job *job_new(void)
{
    struct job *job = calloc(1, sizeof *job);
    if (job)
        job->rows_expected = UINT64_MAX;
    return job;
}

void job_free(struct job **job)
{
    if (!*job)
        return;
    free((*job)->query);
    json_decref((*job)->fields);
    crypto_wipe(*job, sizeof **job);
    free(*job);
    *job = NULL;
}

void job_dir(const char *root, const struct uuid *id, char dir[static JOB_DIR_MAX])
{
    char text[UUID_TEXT_LEN + 1];
    uuid_format(id, text);
    snprintf(dir, JOB_DIR_MAX, "%s/%s", root, text);
}

/* Writing -------------------------------------------------------------------------------------- */

static json_t *id_text(const struct uuid *id)
{
    char text[UUID_TEXT_LEN + 1];
    uuid_format(id, text);
    return json_string(text);
}

static json_t *hex_text(const uint8_t *bytes, size_t n)
{
    char hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN)];
    return json_stringn(hex, codec_hex(hex, bytes, n));
}

static json_t *outcome_text(const struct job *job)
{
    char text[POLICY_FIELDS_MAX];
    for (uint32_t i = 0; i < job->n_fields; i++)
        text[i] = (char)('0' + job->outcome[i]);
    return json_stringn(text, job->n_fields);
}

static json_t *to_json(const struct job *job)
{
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:I, s:b, s:b, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:O?}",
        "id", id_text(&job->id), "api", id_text(&job->api), "app", id_text(&job->app), "grant",
        id_text(&job->grant), "api_rev", (json_int_t)job->api_rev, "sandbox", job->sandbox, "whole",
        job->whole, "owner", job->owner, "query", job->query ? job->query : "", "since", job->since,
        "after", job->after, "cursor", job->cursor, "format", format_name((enum format)job->format),
        "compression", pack_method_name((enum pack_method)job->method), "state", states[job->state],
        "outcome", outcome_text(job), "fields", job->fields);
}

static void add_numbers(const struct job *job, json_t *out)
{
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"created_ms", job->created_ms},
        {"started_ms", job->started_ms},
        {"finished_ms", job->finished_ms},
        {"expires_ms", job->expires_ms},
        {"changed_ms", job->changed_ms},
        {"chunks", job->total.chunks},
        {"bytes", job->total.bytes},
        {"rows", job->total.rows},
        {"plain_bytes", job->total.plain_bytes},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        json_object_set_new(out, numbers[i].name, json_integer((json_int_t)numbers[i].value));
    json_object_set_new(out, "sm3", hex_text(job->sm3, sizeof job->sm3));
    json_object_set_new(out, "problem", json_string(job->problem));
    json_object_set_new(out, "zone", id_text(&job->zone));
    json_object_set_new(out, "table", json_string(job->table));
    json_object_set_new(out, "rows_of", json_string(job->rows));
}

static bool write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        p += done;
        n -= (size_t)done;
    }
    return fsync(fd) == 0;
}

static bool sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Whole or not at all: beside it first, then in its place. */
static bool replace(const char *dir, const char *text)
{
    char path[JOB_DIR_MAX + 16], fresh[JOB_DIR_MAX + 20];
    snprintf(path, sizeof path, "%s/job.json", dir);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool ok = write_all(fd, text, strlen(text));
    int why = errno;
    close(fd);
    ok = ok && rename(fresh, path) == 0 && sync_dir(dir);
    if (!ok) {
        why = why ? why : errno;
        unlink(fresh);
        errno = why;
    }
    return ok;
}

bool job_save(const char *root, struct job *job, uint64_t now_ms)
{
    char dir[JOB_DIR_MAX];
    job->changed_ms = now_ms;
    job_dir(root, &job->id, dir);
    bool made = mkdir(dir, 0700) == 0;
    if (!made && errno != EEXIST)
        return false;
    json_t *json = to_json(job);
    if (json)
        add_numbers(job, json);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!text)
        errno = ENOMEM;
    bool ok = text && replace(dir, text) && (!made || sync_dir(root));
    if (text)
        crypto_wipe(text, strlen(text));
    free(text);
    return ok;
}

/* Reading -------------------------------------------------------------------------------------- */

static const char *text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text ? text : "";
}

static uint64_t number_of(const json_t *json, const char *name)
{
    json_int_t n = json_integer_value(json_object_get(json, name));
    return n > 0 ? (uint64_t)n : 0;
}

static bool read_id(const json_t *json, const char *name, struct uuid *id)
{
    const char *text = text_of(json, name);
    return uuid_parse(id, text, strlen(text));
}

static bool read_text(const json_t *json, const char *name, char *out, size_t size)
{
    const char *text = text_of(json, name);
    size_t n = strlen(text);
    if (n >= size)
        return false;
    memcpy(out, text, n + 1);
    return true;
}

static bool read_outcome(const json_t *json, struct job *job)
{
    const char *text = text_of(json, "outcome");
    size_t n = strlen(text);
    if (n > POLICY_FIELDS_MAX)
        return false;
    job->n_fields = (uint32_t)n;
    for (size_t i = 0; i < n; i++)
        job->outcome[i] = (uint8_t)(text[i] - '0');
    return true;
}

static void read_numbers(const json_t *json, struct job *job)
{
    size_t n = 0;
    const char *sm3 = text_of(json, "sm3");
    job->api_rev = number_of(json, "api_rev");
    job->created_ms = number_of(json, "created_ms");
    job->started_ms = number_of(json, "started_ms");
    job->finished_ms = number_of(json, "finished_ms");
    job->expires_ms = number_of(json, "expires_ms");
    job->changed_ms = number_of(json, "changed_ms");
    job->total.chunks = number_of(json, "chunks");
    job->total.bytes = number_of(json, "bytes");
    job->total.rows = number_of(json, "rows");
    job->total.plain_bytes = number_of(json, "plain_bytes");
    if (!codec_unhex(job->sm3, sizeof job->sm3, &n, sm3, strlen(sm3)))
        memset(job->sm3, 0, sizeof job->sm3);
}

static bool from_json(const json_t *json, struct job *job)
{
    const char *state = text_of(json, "state");
    job->format = (uint8_t)format_by_name(slice_str(text_of(json, "format")));
    job->method = (uint8_t)pack_method_by_name(slice_str(text_of(json, "compression")));
    while (job->state < JOB_STATES && strcmp(states[job->state], state) != 0)
        job->state++;
    job->query = strdup(text_of(json, "query"));
    job->fields = json_deep_copy(json_object_get(json, "fields"));
    job->sandbox = json_is_true(json_object_get(json, "sandbox"));
    job->whole = json_is_true(json_object_get(json, "whole"));
    read_numbers(json, job);
    if (json_object_get(json, "zone") && !read_id(json, "zone", &job->zone))
        return false;
    return job->query && job->format < FORMATS && job->method < PACK_METHODS &&
           job->state < JOB_STATES && read_id(json, "id", &job->id) &&
           read_id(json, "api", &job->api) && read_id(json, "app", &job->app) &&
           read_id(json, "grant", &job->grant) && read_outcome(json, job) &&
           read_text(json, "owner", job->owner, sizeof job->owner) &&
           (!json_object_get(json, "rows_of") || /* jobs of before there were any have none */
            read_text(json, "rows_of", job->rows, sizeof job->rows)) &&
           read_text(json, "since", job->since, sizeof job->since) &&
           read_text(json, "after", job->after, sizeof job->after) &&
           read_text(json, "cursor", job->cursor, sizeof job->cursor) &&
           read_text(json, "table", job->table, sizeof job->table) &&
           read_text(json, "problem", job->problem, sizeof job->problem);
}

struct job *job_load(const char *root, const char *id)
{
    char path[JOB_DIR_MAX + 16];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s/job.json", root, id);
    if (stat(path, &st) != 0 || st.st_size > JOB_FILE_MAX)
        return NULL;
    json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    struct job *job = json ? job_new() : NULL;
    if (job && !from_json(json, job))
        job_free(&job);
    json_decref(json);
    return job;
}

void job_erase(const char *root, const struct job *job, bool forget)
{
    static const char *const files[] = {"data",        "index",        "package",
                                        "package.new", "job.json.new", "job.json"};
    char dir[JOB_DIR_MAX], path[JOB_DIR_MAX + 16];
    job_dir(root, &job->id, dir);
    for (size_t i = 0; i < (forget ? 6 : 5); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        unlink(path);
    }
    if (forget)
        rmdir(dir);
    sync_dir(forget ? root : dir);
}

/* Telling -------------------------------------------------------------------------------------- */

json_t *job_time(uint64_t ms)
{
    char text[CLOCK_RFC3339_LEN + 1];
    if (!ms)
        return json_null();
    clock_format_ms(ms, text);
    return json_string(text);
}

static json_t *progress(const struct job *job)
{
    json_t *out = json_pack("{s:I, s:I, s:I}", "rows", (json_int_t)job->total.rows, "bytes",
                            (json_int_t)job->total.bytes, "chunks", (json_int_t)job->total.chunks);
    if (out && job->rows_expected != UINT64_MAX)
        json_object_set_new(out, "rows_expected", json_integer((json_int_t)job->rows_expected));
    return out;
}

static json_t *problem_of(const struct job *job)
{
    enum problem p = problem_by_code(slice_str(job->problem));
    if (!job->problem[0] || p == PROBLEM_COUNT)
        return json_null();
    return json_pack("{s:s, s:s, s:s}", "code", job->problem, "title", problem_row(p)->title_en,
                     "title_zh", problem_row(p)->title_zh);
}

json_t *job_public(const struct job *job, const char *path)
{
    char id[UUID_TEXT_LEN + 1];
    uuid_format(&job->id, id);
    json_t *out =
        json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "id", id, "state",
                  states[job->state], "format", format_name((enum format)job->format),
                  "compression", pack_method_name((enum pack_method)job->method), "created_at",
                  job_time(job->created_ms), "started_at", job_time(job->started_ms), "finished_at",
                  job_time(job->finished_ms), "expires_at", job_time(job->expires_ms), "progress",
                  progress(job), "error", problem_of(job));
    if (out && job->since[0])
        json_object_set_new(out, "incremental",
                            json_pack("{s:s, s:s, s:s}", "column", job->since, "after", job->after,
                                      "cursor", job->cursor));
    if (out && path && job->state == JOB_READY) {
        json_t *links = json_object();
        json_object_set_new(links, "manifest", json_sprintf("%s/exports/%s/manifest", path, id));
        json_object_set_new(links, "data", json_sprintf("%s/exports/%s/data", path, id));
        json_object_set_new(out, "links", links);
    }
    return out;
}
