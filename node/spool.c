/* SPDX-License-Identifier: Apache-2.0 */
/* A worker appends whole lines (gateway/events.c) and begins the file of the next number when one
 * is full. How far each was accepted is remembered in memory alone: after a restart it is sent
 * again.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/report.h"

#define FILES_MAX 256 /* looked at in one round; the rest when these are done */
#define READ_MAX  (256 * 1024)
#define FILE_FULL (256 * 1024)
#define PATH_ROOM 700

struct file {
    long pid;
    unsigned long number;
    off_t accepted, taken, size;
};

struct spool {
    const char *dir;
    size_t n;
    struct file files[FILES_MAX]; /* in order of pid and number */
    char text[READ_MAX];
};

struct spool *spool_new(const char *dir)
{
    struct spool *s = calloc(1, sizeof *s);
    if (s != NULL) {
        s->dir = dir;
    }
    return s;
}

void spool_free(struct spool **s)
{
    free(*s);
    *s = NULL;
}

static bool path_of(const struct spool *s, const struct file *f, char out[static PATH_ROOM])
{
    int n = snprintf(out, PATH_ROOM, "%s/%ld.%lu.ndjson", s->dir, f->pid, f->number);
    return n > 0 && n < PATH_ROOM;
}

static int by_number(const void *a, const void *b)
{
    const struct file *one = a, *two = b;
    if (one->pid != two->pid) {
        return one->pid < two->pid ? -1 : 1;
    }
    return one->number < two->number ? -1 : one->number > two->number;
}

static struct file *find(struct spool *s, const struct file *like)
{
    for (size_t i = 0; i < s->n; i++) {
        if (by_number(&s->files[i], like) == 0) {
            return &s->files[i];
        }
    }
    return NULL;
}

static bool read_name(const char *name, struct file *f)
{
    int end = 0;
    return sscanf(name, "%ld.%lu.ndjson%n", &f->pid, &f->number, &end) == 2 && end > 0 &&
           name[end] == '\0' && f->pid > 0;
}

/* What lies in the folder now. */
static void look(struct spool *s)
{
    DIR *dir = opendir(s->dir);
    struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        struct file f = {0};
        struct stat st;
        if (!read_name(entry->d_name, &f) ||
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(st.st_mode)) {
            continue;
        }
        struct file *known = find(s, &f);
        if (known == NULL && s->n < FILES_MAX) {
            known = &s->files[s->n++];
            *known = f;
        }
        if (known != NULL) {
            known->size = st.st_size;
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    qsort(s->files, s->n, sizeof *s->files, by_number);
}

bool spool_waiting(struct spool *s)
{
    look(s);
    for (size_t i = 0; i < s->n; i++) {
        if (s->files[i].size > s->files[i].accepted) {
            return true;
        }
    }
    return false;
}

static bool is_over(const struct spool *s, size_t i)
{
    bool successor = i + 1 < s->n && s->files[i + 1].pid == s->files[i].pid;
    return successor || (kill((pid_t)s->files[i].pid, 0) != 0 && errno == ESRCH);
}

static void add_line(const struct spool *s, const struct file *f, const char *line, size_t n,
                     json_t *events)
{
    json_t *event = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(event)) {
        json_array_append_new(events, event);
        return;
    }
    json_decref(event);
    fprintf(stderr, "sluice: report: %s/%ld.%lu.ndjson has a line that is no event: passed over\n",
            s->dir, f->pid, f->number);
}

/* The whole lines of what was read; how many bytes they are. */
static size_t take_lines(struct spool *s, const struct file *f, size_t n, size_t most,
                         json_t *events)
{
    size_t at = 0;
    while (at < n && json_array_size(events) < most) {
        const char *end = memchr(s->text + at, '\n', n - at);
        if (end == NULL) {
            break;
        }
        size_t line = (size_t)(end - s->text) - at;
        add_line(s, f, s->text + at, line, events);
        at += line + 1;
    }
    return at;
}

static void take_file(struct spool *s, size_t i, size_t most, json_t *events)
{
    struct file *f = &s->files[i];
    char path[PATH_ROOM];
    int fd = path_of(s, f, path) ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    ssize_t n = fd < 0 ? 0 : pread(fd, s->text, sizeof s->text, f->accepted);
    if (fd >= 0) {
        close(fd);
    }
    if (n <= 0) {
        return;
    }
    size_t whole = take_lines(s, f, (size_t)n, most, events);
    bool torn = whole == 0 && ((size_t)n == sizeof s->text || is_over(s, i));
    f->taken = f->accepted + (off_t)(torn ? (size_t)n : whole); /* nobody will end that line */
}

json_t *spool_take(struct spool *s, size_t most)
{
    json_t *events = json_array();
    look(s);
    for (size_t i = 0; i < s->n; i++) {
        s->files[i].taken = s->files[i].accepted;
        if (s->files[i].size > s->files[i].accepted && json_array_size(events) < most) {
            take_file(s, i, most, events);
        }
    }
    return events;
}

void spool_accepted(struct spool *s)
{
    char path[PATH_ROOM];
    look(s);
    for (size_t i = s->n; i-- > 0;) {
        struct file *f = &s->files[i];
        f->accepted = f->taken > f->accepted ? f->taken : f->accepted;
        bool gone = path_of(s, f, path) && access(path, F_OK) != 0;
        if (gone || (f->accepted >= f->size && is_over(s, i) && unlink(path) == 0)) {
            memmove(f, f + 1, (s->n - i - 1) * sizeof *f);
            s->n--;
        }
    }
}

bool spool_add(const char *dir, const json_t *event)
{
    static _Atomic unsigned number = 1; /* of several threads */
    char path[PATH_ROOM];
    char *text = json_dumps(event, JSON_COMPACT);
    size_t n = text == NULL ? 0 : strlen(text);
    int len =
        snprintf(path, sizeof path, "%s/%ld.%u.ndjson", dir, (long)getpid(), (unsigned)number);
    int fd = n > 0 && len > 0 && len < PATH_ROOM
                 ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)
                 : -1;
    if (fd >= 0) {
        text[n++] = '\n'; /* in place of the NUL: write() takes a length */
        bool ok = write(fd, text, n) == (ssize_t)n;
        number += lseek(fd, 0, SEEK_END) >= FILE_FULL;
        close(fd);
        free(text);
        return ok;
    }
    free(text);
    return false;
}
