/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that looks at folders, and what others ask of it. What it does not remember after a
 * restart is asked again; what it did is in the stores. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "data/files/inner.h"
#include "data/sources/odbc.h"

enum state { EMPTY, WAITING, RUNNING, DONE, FAILED };
static const char *const state_names[] = {"unknown", "waiting", "running", "done", "failed"};
#define TICKETS (sizeof((struct files *)NULL)->tickets / sizeof(struct files_ticket))

static bool take(struct files *f, const struct files_source *s)
{
    pthread_mutex_lock(&f->store);
    bool ok = files_take_all(&f->cfg, s);
    pthread_mutex_unlock(&f->store);
    return ok;
}

/* By the clock ----------------------------------------------------------------------------------
 */

/* As the feed tells it now; false: it is none of ours, or not in use. */
static bool from_feed(struct replica_reader *rd, const struct uuid *id, json_t **data)
{
    uint64_t version, synced_ms, rev;
    struct slice json;
    *data = NULL;
    if (replica_read_begin(rd, &version, &synced_ms) != REPLICA_OK)
        return false;
    if (replica_get_json(rd, "source", id, &rev, &json) == REPLICA_OK)
        *data = json_loadb(json.p, json.n, 0, NULL);
    replica_read_end(rd);
    const char *kind = json_string_value(json_object_get(*data, "kind"));
    const char *state = json_string_value(json_object_get(*data, "state"));
    return kind && state && strcmp(kind, "files") == 0 && strcmp(state, "ready") == 0;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static void poll_one(struct files *f, struct replica_reader *rd, const char *name)
{
    struct files_source s = {.folder = "", .encoding = ""};
    json_t *data = NULL;
    if (!uuid_parse(&s.id, name, strlen(name)))
        return;
    if (from_feed(rd, &s.id, &data)) {
        s.folder = text_of(data, "folder");
        s.encoding = text_of(data, "encoding");
        take(f, &s);
    }
    json_decref(data);
}

/* The sources that were ever checked here have a folder of their own. */
static void poll_all(struct files *f, struct replica_reader *rd)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/" FILES_FOLDER, f->cfg.data_dir);
    DIR *d = rd ? opendir(path) : NULL;
    for (struct dirent *e; d && !f->stopping && (e = readdir(d)) != NULL;)
        poll_one(f, rd, e->d_name);
    if (d)
        closedir(d);
}

/* When asked ------------------------------------------------------------------------------------
 */

static struct files_ticket *oldest(struct files *f, enum state state)
{
    struct files_ticket *found = NULL;
    for (size_t i = 0; i < TICKETS; i++)
        if (f->tickets[i].state == state && (!found || f->tickets[i].turn < found->turn))
            found = &f->tickets[i];
    return found;
}

/* Under the lock. False: none waits. */
static bool serve_ticket(struct files *f)
{
    struct files_ticket *t = oldest(f, WAITING);
    if (!t)
        return false;
    const struct files_source s = {t->id, t->folder, t->encoding};
    t->state = RUNNING;
    pthread_mutex_unlock(&f->lock);
    bool ok = take(f, &s);
    pthread_mutex_lock(&f->lock);
    t->state = ok ? DONE : FAILED;
    return true;
}

static void *loop(void *ctx)
{
    struct files *f = ctx;
    struct replica_reader *rd = NULL;
    if (f->cfg.replica && replica_reader_new(&rd, f->cfg.replica) != REPLICA_OK)
        rd = NULL;
    pthread_mutex_lock(&f->lock);
    while (!f->stopping) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += f->cfg.poll_s;
        int rc = 0;
        while (!f->stopping && rc == 0)
            rc = serve_ticket(f) ? 0 : pthread_cond_timedwait(&f->wake, &f->lock, &until);
        if (f->stopping)
            break;
        pthread_mutex_unlock(&f->lock);
        poll_all(f, rd);
        pthread_mutex_lock(&f->lock);
    }
    pthread_mutex_unlock(&f->lock);
    replica_reader_free(&rd);
    return NULL;
}

struct files *files_start(const struct files_config *cfg, const char **why)
{
    *why = files_check_roots(cfg);
    struct files *f = *why ? NULL : calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->cfg = *cfg;
    f->cfg.poll_s = cfg->poll_s ? cfg->poll_s : FILES_POLL_S;
    pthread_mutex_init(&f->lock, NULL);
    pthread_mutex_init(&f->store, NULL);
    pthread_cond_init(&f->wake, NULL);
    if (pthread_create(&f->thread, NULL, loop, f) != 0) {
        *why = "no thread left";
        free(f);
        return NULL;
    }
    return f;
}

void files_stop(struct files **slot)
{
    struct files *f = *slot;
    if (!f)
        return;
    pthread_mutex_lock(&f->lock);
    f->stopping = true;
    pthread_cond_signal(&f->wake);
    pthread_mutex_unlock(&f->lock);
    pthread_join(f->thread, NULL);
    pthread_cond_destroy(&f->wake);
    pthread_mutex_destroy(&f->store);
    pthread_mutex_destroy(&f->lock);
    free(f);
    *slot = NULL;
}

const char *files_refresh(struct files *f, const struct files_source *s, const char *ticket)
{
    const char *state = NULL;
    pthread_mutex_lock(&f->lock);
    struct files_ticket *t = NULL;
    for (size_t i = 0; i < TICKETS && !t; i++)
        if (f->tickets[i].state != EMPTY && strcmp(f->tickets[i].ticket, ticket) == 0)
            t = &f->tickets[i];
    if (t)
        state = state_names[t->state];
    if (t && t->state == FAILED)
        t->state = EMPTY; /* told once: whoever asks again has it tried again */
    bool fits = strlen(ticket) < sizeof t->ticket && strlen(s->folder) < sizeof t->folder &&
                strlen(s->encoding) < sizeof t->encoding;
    if (!t && fits &&
        ((t = oldest(f, EMPTY)) || (t = oldest(f, DONE)) || (t = oldest(f, FAILED)))) {
        *t = (struct files_ticket){.id = s->id, .state = WAITING, .turn = ++f->turns};
        strcpy(t->ticket, ticket);
        strcpy(t->folder, s->folder);
        strcpy(t->encoding, s->encoding);
        state = state_names[WAITING];
        pthread_cond_signal(&f->wake);
    }
    pthread_mutex_unlock(&f->lock);
    return state;
}

/* What else is asked ----------------------------------------------------------------------------
 */

static enum problem zone_problem(enum zone_err err)
{
    return err == ZONE_OK      ? PROBLEM_OK
           : err == ZONE_EFULL ? PROBLEM_STORAGE_FULL
                               : PROBLEM_SOURCE_UNAVAILABLE;
}

enum problem files_check(struct files *f, const struct files_source *s)
{
    struct zone *z = NULL;
    int root = files_root(&f->cfg, s), own = files_own(&f->cfg, &s->id, "kept");
    enum problem p = root < 0 || own < 0 ? PROBLEM_SOURCE_UNAVAILABLE : PROBLEM_OK;
    if (!p) {
        pthread_mutex_lock(&f->store);
        p = zone_problem(files_store_open(&z, f->cfg.data_dir, &s->id));
        pthread_mutex_unlock(&f->store);
    }
    zone_close(&z);
    if (root >= 0)
        close(root);
    if (own >= 0)
        close(own);
    return p;
}

static void empty(const struct files_config *cfg, const struct uuid *id, const char *name)
{
    int dir = files_own(cfg, id, name);
    DIR *d = dir >= 0 ? fdopendir(dir) : NULL;
    for (struct dirent *e; d && (e = readdir(d)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            unlinkat(dir, e->d_name, 0);
    if (d)
        closedir(d);
}

enum problem files_drop(struct files *f, const struct uuid *id)
{
    char path[PATH_MAX], text[UUID_TEXT_LEN + 1];
    uuid_format(id, text);
    pthread_mutex_lock(&f->store);
    empty(&f->cfg, id, "kept");
    empty(&f->cfg, id, "in");
    static const char *const parts[] = {"/kept", "/in", ""};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/" FILES_FOLDER "/%s%s", f->cfg.data_dir, text, parts[i]);
        if (rmdir(path) != 0 && errno != ENOENT)
            fprintf(stderr, "data: files: a folder cannot be removed\n");
    }
    enum problem p = zone_problem(zone_drop(f->cfg.data_dir, id));
    pthread_mutex_unlock(&f->store);
    return p;
}

enum problem files_items(struct files *f, const struct uuid *id, json_t **answer)
{
    struct zone *z = NULL;
    json_t *items = json_array();
    enum problem p = zone_problem(files_store_open(&z, f->cfg.data_dir, id));
    if (!p)
        p = zone_problem(files_store_items(z, items));
    zone_close(&z);
    *answer = p ? NULL : json_pack("{s:O}", "items", items);
    json_decref(items);
    return p;
}

enum problem files_item(struct files *f, const struct uuid *id, const char *path, json_t **answer)
{
    struct zone *z = NULL;
    enum problem p = zone_problem(files_store_open(&z, f->cfg.data_dir, id));
    if (p)
        return p;
    *answer = files_store_item(z, path);
    zone_close(&z);
    return *answer ? PROBLEM_OK : PROBLEM_NOT_FOUND;
}

/* Handing in ------------------------------------------------------------------------------------
 */

static bool name_ok(const char *name)
{
    size_t n = strlen(name);
    bool ok = n > 0 && n <= ZONE_NAME_MAX && name[0] != '.';
    for (size_t i = 0; i < n && ok; i++)
        ok = (unsigned char)name[i] >= 0x20 && name[i] != 0x7f && name[i] != '/';
    return ok;
}

static enum problem write_piece(int dir, const char *part, uint64_t at, struct slice piece)
{
    struct stat st;
    int fd =
        openat(dir, part, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (at ? 0 : O_TRUNC), 0600);
    enum problem p = PROBLEM_OK;
    if (fd < 0 || fstat(fd, &st) != 0)
        p = PROBLEM_SOURCE_UNAVAILABLE;
    else if ((uint64_t)st.st_size < at) /* a piece is missing */
        p = PROBLEM_STATE_CONFLICT;
    else if (ftruncate(fd, (off_t)at) != 0) /* one that comes again takes its own place */
        p = PROBLEM_SOURCE_UNAVAILABLE;
    for (size_t done = 0; !p && done < piece.n;) {
        ssize_t n = pwrite(fd, piece.p + done, piece.n - done, (off_t)(at + done));
        if (n <= 0)
            p = errno == ENOSPC || errno == EDQUOT ? PROBLEM_STORAGE_FULL
                                                   : PROBLEM_SOURCE_UNAVAILABLE;
        else
            done += (size_t)n;
    }
    if (!p && fsync(fd) != 0)
        p = PROBLEM_SOURCE_UNAVAILABLE;
    if (fd >= 0)
        close(fd);
    return p;
}

enum problem files_put(struct files *f, const struct uuid *id, const char *name, uint64_t at,
                       struct slice piece, bool last)
{
    char part[ZONE_NAME_MAX + 8];
    if (!name_ok(name) || at > FILES_PUT_MAX - piece.n)
        return PROBLEM_BODY_MALFORMED;
    snprintf(part, sizeof part, ".in-%s", name);
    int dir = files_own(&f->cfg, id, "in");
    if (dir < 0)
        return PROBLEM_SOURCE_UNAVAILABLE;
    pthread_mutex_lock(&f->store);
    enum problem p = write_piece(dir, part, at, piece);
    if (!p && last && (renameat(dir, part, dir, name) != 0 || fsync(dir) != 0))
        p = PROBLEM_SOURCE_UNAVAILABLE;
    pthread_mutex_unlock(&f->store);
    close(dir);
    return p;
}

static enum problem forget(struct files *f, const struct uuid *id, const char *name)
{
    struct files_known known = {.sm3 = ""};
    struct zone *z = NULL;
    int kept = files_own(&f->cfg, id, "kept");
    enum zone_err err = files_store_open(&z, f->cfg.data_dir, id);
    if (!err && files_store_find(z, name, &known))
        err = files_store_remove(z, name, known.kind == FILES_TABLE);
    if (!err && kept >= 0 && known.sm3[0] && !files_store_keeps(z, known.sm3))
        unlinkat(kept, known.sm3, 0);
    if (!err)
        files_store_shrink(z);
    zone_close(&z);
    if (kept >= 0)
        close(kept);
    return zone_problem(err);
}

enum problem files_remove(struct files *f, const struct uuid *id, const char *name)
{
    if (!name_ok(name))
        return PROBLEM_BODY_MALFORMED;
    int dir = files_own(&f->cfg, id, "in");
    if (dir < 0)
        return PROBLEM_SOURCE_UNAVAILABLE;
    pthread_mutex_lock(&f->store);
    bool ok = (unlinkat(dir, name, 0) == 0 || errno == ENOENT) && fsync(dir) == 0;
    enum problem p = ok ? forget(f, id, name) : PROBLEM_SOURCE_UNAVAILABLE;
    pthread_mutex_unlock(&f->store);
    close(dir);
    return p;
}
