/* SPDX-License-Identifier: Apache-2.0 */
/* The only ways into a folder. A path is opened step by step, each step relative to the last and
 * never through a symbolic link, so that whoever can write to the folder cannot lead us out of it,
 * not even by changing it between two steps. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/utf8.h"
#include "data/files/inner.h"

#define ROOT_NAME_MAX 64

static const char *const names[] = {
    [FILES_OK] = "ok",
    [FILES_EMISSING] = "missing",
    [FILES_ELINK] = "symbolic-link",
    [FILES_EKIND] = "not-a-file",
    [FILES_ENAME] = "table-name",
    [FILES_ELARGE] = "too-large",
    [FILES_ECHANGED] = "changed-while-read",
    [FILES_EBOMB] = "unpacks-too-far",
    [FILES_EENCODING] = "encoding",
    [FILES_ETYPE] = "type-mismatch",
    [FILES_EUNKNOWN] = "type-unknown",
    [FILES_ESYNTAX] = "malformed",
    [FILES_EDEEP] = "too-deep",
    [FILES_ELONG] = "line-too-long",
    [FILES_ECOLUMNS] = "columns",
    [FILES_EFULL] = "storage-full",
    [FILES_EIO] = "unreadable",
};

const char *files_err_name(enum files_err err)
{
    return (size_t)err < sizeof names / sizeof *names ? names[err] : "unreadable";
}

void files_say(struct files_detail *d, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(d->text, sizeof d->text, fmt, args);
    va_end(args);
}

struct files_stamp files_stamp_of(const struct stat *st)
{
    return (struct files_stamp){st->st_ino, (uint64_t)st->st_size,
                                st->st_mtim.tv_sec * 1000000000ll + st->st_mtim.tv_nsec,
                                st->st_ctim.tv_sec * 1000000000ll + st->st_ctim.tv_nsec};
}

/* Roots -----------------------------------------------------------------------------------------
 */

struct root {
    char name[ROOT_NAME_MAX + 1], path[PATH_MAX];
};

/* The next of "name=/path, name=/path"; false: the end, or *bad. */
static bool next_root(const char **at, struct root *r, bool *bad)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
    *at += strspn(*at, ", ");
    size_t n = strspn(*at, letters);
    if (**at == '\0')
        return false;
    *bad = n == 0 || n > ROOT_NAME_MAX || (*at)[n] != '=' || (*at)[n + 1] != '/';
    if (*bad)
        return false;
    snprintf(r->name, sizeof r->name, "%.*s", (int)n, *at);
    *at += n + 1;
    n = strcspn(*at, ",");
    snprintf(r->path, sizeof r->path, "%.*s", (int)(n < PATH_MAX ? n : 0), *at);
    for (size_t end = strlen(r->path); end && r->path[end - 1] == ' '; end--)
        r->path[end - 1] = '\0';
    *at += n;
    return true;
}

static bool within(const char *inner, const char *outer)
{
    size_t n = strlen(outer);
    if (strcmp(outer, "/") == 0)
        return true;
    return strncmp(inner, outer, n) == 0 && (inner[n] == '\0' || inner[n] == '/');
}

const char *files_check_roots(const struct files_config *cfg)
{
    char own[PATH_MAX], real[PATH_MAX];
    struct root r;
    bool bad = false;
    const char *at = cfg->roots ? cfg->roots : "";
    if (*at && !realpath(cfg->data_dir, own))
        return "the data directory cannot be found";
    while (next_root(&at, &r, &bad)) {
        struct stat st;
        if (!realpath(r.path, real) || stat(real, &st) != 0 || !S_ISDIR(st.st_mode))
            return "a folder of file_roots is not there";
        if (within(own, real) || within(real, own))
            return "a folder of file_roots holds the platform's own folder, or lies in it";
    }
    return bad ? "file_roots is a list of name=/absolute/folder, with commas between" : NULL;
}

static int open_step(int dir, const char *name, int flags)
{
    return openat(dir, name, flags | O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

/* One step of a path, copied out; false: it is none that may be taken. */
static bool next_step(const char **at, char name[static NAME_MAX + 1])
{
    size_t n = strcspn(*at, "/");
    if (n == 0 || n > NAME_MAX || (*at)[0] == '.')
        return false;
    memcpy(name, *at, n);
    name[n] = '\0';
    *at += n + ((*at)[n] == '/');
    return true;
}

static int descend(int dir, const char *path)
{
    char name[NAME_MAX + 1];
    while (dir >= 0 && *path) {
        int next = next_step(&path, name) ? open_step(dir, name, O_DIRECTORY) : -1;
        close(dir);
        dir = next;
    }
    return dir;
}

int files_own(const struct files_config *cfg, const struct uuid *id, const char *name)
{
    char text[UUID_TEXT_LEN + 1], path[PATH_MAX];
    uuid_format(id, text);
    const char *steps[] = {"data", "files", text, name}; /* FILES_FOLDER */
    size_t n = (size_t)snprintf(path, sizeof path, "%s", cfg->data_dir);
    for (size_t i = 0; i < sizeof steps / sizeof *steps && n < sizeof path; i++) {
        n += (size_t)snprintf(path + n, sizeof path - n, "/%s", steps[i]);
        if (n >= sizeof path || (mkdir(path, 0700) != 0 && errno != EEXIST))
            return -1;
    }
    return n < sizeof path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

int files_root(const struct files_config *cfg, const struct files_source *s)
{
    size_t n = strcspn(s->folder, "/");
    const char *at = cfg->roots ? cfg->roots : "";
    struct root r;
    bool bad = false;
    if (!s->folder[0])
        return files_own(cfg, &s->id, "in");
    while (next_root(&at, &r, &bad))
        if (strlen(r.name) == n && memcmp(r.name, s->folder, n) == 0) {
            int dir = open(r.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            return descend(dir, s->folder[n] ? s->folder + n + 1 : "");
        }
    return -1;
}

enum files_err files_open(int root, const char *path, int *fd)
{
    char name[NAME_MAX + 1];
    struct stat st;
    int dir = fcntl(root, F_DUPFD_CLOEXEC, 0);
    *fd = -1;
    while (dir >= 0 && next_step(&path, name)) {
        int next = open_step(dir, name, *path ? O_DIRECTORY : 0), why = errno;
        close(dir);
        if (next < 0)
            return why == ELOOP || why == ENOTDIR ? FILES_ELINK
                   : why == ENOENT                ? FILES_EMISSING
                                                  : FILES_EIO;
        if (*path) {
            dir = next;
            continue;
        }
        if (fstat(next, &st) != 0 || !S_ISREG(st.st_mode)) {
            close(next);
            return FILES_EKIND;
        }
        *fd = next;
        return FILES_OK;
    }
    if (dir >= 0)
        close(dir);
    return FILES_EIO;
}

/* What lies there --------------------------------------------------------------------------------
 */

/* A name that is no plain text is told with its bytes as %XX, and cannot be asked for: false. */
static bool add_name(struct buf *path, const char *name)
{
    struct slice s = slice_str(name);
    bool text = utf8_valid(s), plain = text;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char b = (unsigned char)s.p[i];
        bool as_is = b >= 0x20 && b != 0x7f && (text || b < 0x80);
        plain = plain && as_is;
        if (as_is)
            buf_addc(path, (char)b);
        else
            buf_addf(path, "%%%02X", b);
    }
    return plain;
}

static bool add_entry(struct files_list *list, const struct buf *path, const struct stat *st,
                      enum files_err err)
{
    if (list->n == FILES_MAX) {
        list->cut = true;
        return true;
    }
    if (list->n == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 64;
        struct files_entry *more = realloc(list->items, cap * sizeof *more);
        if (!more)
            return false;
        list->items = more;
        list->cap = cap;
    }
    char *copy = path->failed ? NULL : strndup(path->p, path->n);
    if (!copy)
        return false;
    list->items[list->n++] = (struct files_entry){copy, files_stamp_of(st), err};
    return true;
}

static bool walk_dir(int dir, struct buf *path, int depth, struct files_list *list);

static bool walk_one(int dir, const char *name, struct buf *path, int depth,
                     struct files_list *list)
{
    struct stat st;
    size_t before = path->n;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return true; /* gone again */
    if (before)
        buf_addc(path, '/');
    enum files_err err = add_name(path, name) && path->n <= FILES_PATH_MAX ? FILES_OK : FILES_ENAME;
    bool folder = S_ISDIR(st.st_mode), ok = true;
    if (S_ISLNK(st.st_mode))
        err = FILES_ELINK;
    else if (!folder && !S_ISREG(st.st_mode))
        err = FILES_EKIND;
    else if (folder && depth == FILES_DEPTH_MAX)
        err = FILES_EDEEP;
    if (folder && !err) {
        int below = open_step(dir, name, O_DIRECTORY);
        ok = below < 0 || walk_dir(below, path, depth + 1, list);
    } else {
        ok = add_entry(list, path, &st, err);
    }
    path->n = before;
    return ok;
}

/* Takes dir. Names that begin with a dot are nobody's business. */
static bool walk_dir(int dir, struct buf *path, int depth, struct files_list *list)
{
    DIR *d = fdopendir(dir);
    bool ok = d != NULL;
    if (!d)
        close(dir);
    while (ok && !list->cut) {
        errno = 0;
        struct dirent *e = readdir(d);
        if (!e) {
            ok = errno == 0;
            break;
        }
        ok = e->d_name[0] == '.' || walk_one(dir, e->d_name, path, depth, list);
    }
    if (d)
        closedir(d);
    return ok;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct files_entry *)a)->path, ((const struct files_entry *)b)->path);
}

bool files_walk(int root, struct files_list *list)
{
    struct buf path;
    *list = (struct files_list){0};
    int dir = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    buf_init(&path);
    bool ok = dir >= 0 && walk_dir(dir, &path, 1, list);
    buf_fini(&path);
    if (list->n)
        qsort(list->items, list->n, sizeof *list->items, by_path);
    if (!ok)
        files_list_free(list);
    return ok;
}

void files_list_free(struct files_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->items[i].path);
    free(list->items);
    *list = (struct files_list){0};
}
