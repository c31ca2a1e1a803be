/* SPDX-License-Identifier: Apache-2.0 */
/* From the folder into the store, one file a transaction. A file whose stamp is as it was is not
 * opened; one whose digest is as it was is not read twice. What fails leaves the rows there were.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "base/codec.h"
#include "data/files/inner.h"
#include "media/media.h"

#define NOTES_MAX 20

struct run {
    const struct files_config *cfg;
    const struct files_source *source;
    struct zone *zone;
    int root, kept;
};

enum shape { NO_TABLE, CSV, NDJSON, JSON, XML };

/* By the last part of its name, or the one before `.gz`. */
static enum shape shape_of(const char *path, bool *packed)
{
    static const struct {
        const char *ending;
        enum shape shape;
    } endings[] = {{".csv", CSV},      {".tsv", CSV},   {".ndjson", NDJSON},
                   {".jsonl", NDJSON}, {".json", JSON}, {".xml", XML}};
    size_t n = strlen(path);
    *packed = n > 3 && strcasecmp(path + n - 3, ".gz") == 0;
    n -= *packed ? 3 : 0;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t m = strlen(endings[i].ending);
        if (n > m && strncasecmp(path + n - m, endings[i].ending, m) == 0)
            return endings[i].shape;
    }
    return NO_TABLE;
}

static enum files_err zone_error(enum zone_err err)
{
    return err == ZONE_OK      ? FILES_OK
           : err == ZONE_EFULL ? FILES_EFULL
           : err == ZONE_ENAME ? FILES_ENAME
                               : FILES_EIO;
}

/* Tables ----------------------------------------------------------------------------------------
 */

struct table { /* what is to be loaded */
    enum shape shape;
    struct slice text;
    const char *encoding;
};

static bool read_once(struct records *r, const struct table *t)
{
    return t->shape == CSV      ? read_csv(r, t->text)
           : t->shape == NDJSON ? read_ndjson(r, t->text)
           : t->shape == JSON   ? read_json(r, t->text)
                                : read_xml(r, t->text, t->encoding);
}

/* What a reader of the catalogue should know of the columns. */
static json_t *notes_of(const struct records *r)
{
    json_t *notes = json_array();
    for (size_t i = 0; i < r->n && json_array_size(notes) < NOTES_MAX; i++)
        if (r->columns[i].formulas)
            json_array_append_new(notes, json_pack("{s:s, s:s}", "field", r->columns[i].name,
                                                   "demand", "no-formula"));
    return notes;
}

/* Rows and what is known of them become visible together. */
static enum files_err load_rows(const struct run *run, struct records *r, const struct table *t,
                                struct files_known *known)
{
    char id[UUID_TEXT_LEN + 1];
    struct uuid u;
    uuid_new(&u);
    uuid_format(&u, id);
    enum zone_err err = zone_load_begin(run->zone, slice_str(id), slice_str(known->path),
                                        ZONE_REPLACE, r->typed, r->n, NULL);
    if (err)
        return zone_error(err);
    r->zone = run->zone;
    r->rows = 0;
    if (!read_once(r, t)) {
        zone_load_abort(run->zone);
        return r->err;
    }
    known->rows = r->rows;
    err = files_store_put(run->zone, known);
    if (!err)
        err = zone_load_commit(run->zone, NULL);
    else
        zone_load_abort(run->zone);
    /* Such a load is never asked for again: only the digest of the file counts. */
    sqlite3_exec(zone_handle(run->zone), "DELETE FROM _sluice_loads", NULL, NULL, NULL);
    return zone_error(err);
}

static enum files_err load_table(const struct run *run, const struct table *t,
                                 struct files_known *known)
{
    struct files_detail detail = {""};
    struct records r;
    enum files_err err = FILES_OK;
    if (!records_init(&r, &detail))
        err = FILES_EIO;
    else if (!read_once(&r, t))
        err = r.err;
    else if (r.n == 0)
        err = FILES_ECOLUMNS;
    if (!err) {
        records_types(&r);
        known->notes = notes_of(&r);
        err = load_rows(run, &r, t, known);
        json_decref(known->notes);
        known->notes = NULL;
    }
    records_fini(&r);
    snprintf(known->detail, sizeof known->detail, "%s", err ? detail.text : "");
    return err;
}

/* A picture that is named like a table is told as what it is. */
static enum files_err check_liar(struct slice content, struct files_known *known)
{
    struct media_found found;
    if (media_look(content, &found) != MEDIA_OK || strcmp(found.type, "text/plain") == 0)
        return FILES_OK;
    snprintf(known->detail, sizeof known->detail, "it is %s", found.type);
    return FILES_ETYPE;
}

static enum files_err take_text(const struct run *run, enum shape shape,
                                const struct snapshot *plain, struct files_known *known)
{
    struct snapshot converted;
    struct files_detail detail = {""};
    struct table t = {.shape = shape, .text = plain->content, .encoding = run->source->encoding};
    enum files_err err = check_liar(plain->content, known);
    if (err)
        return err;
    if (shape == XML)
        return load_table(run, &t, known); /* says its encoding itself */
    err = files_text(plain, run->source->encoding, &converted, &t.text, &known->encoding, &detail);
    if (err) {
        snprintf(known->detail, sizeof known->detail, "%s", detail.text);
        return err;
    }
    err = load_table(run, &t, known);
    snapshot_free(&converted);
    return err;
}

static enum files_err take_table(const struct run *run, enum shape shape, bool packed,
                                 const struct snapshot *file, struct files_known *known)
{
    static const char *const types[] = {"", "text/csv", "application/x-ndjson", "application/json",
                                        "application/xml"};
    struct snapshot plain;
    known->kind = FILES_TABLE;
    known->media_type = types[shape];
    if (strlen(known->path) > ZONE_NAME_MAX)
        return FILES_ENAME;
    if (!packed)
        return take_text(run, shape, file, known);
    enum files_err err = snapshot_inflate(file, &plain);
    if (err)
        return err;
    err = take_text(run, shape, &plain, known);
    snapshot_free(&plain);
    return err;
}

/* Documents -------------------------------------------------------------------------------------
 */

static enum files_err look(const struct snapshot *file, struct files_known *known)
{
    struct media_found found;
    const char *dot = strrchr(known->path, '.');
    bool named = dot && !strchr(dot, '/');
    const char *claimed = named ? media_of_ending(slice_str(dot + 1)) : NULL;
    enum media_err err = media_look(file->content, &found);
    if (err)
        return err == MEDIA_EBOMB ? FILES_EBOMB : claimed ? FILES_ETYPE : FILES_EUNKNOWN;
    if (claimed && strcmp(claimed, found.type) != 0) {
        snprintf(known->detail, sizeof known->detail, "named as %s, it is %s", claimed, found.type);
        return FILES_ETYPE;
    }
    /* Text may be anything: a page, a script. Only what calls itself text is taken for it. */
    if (!claimed && named && strcmp(found.type, "text/plain") == 0)
        return FILES_EUNKNOWN;
    known->media_type = found.type;
    snprintf(known->title, sizeof known->title, "%s", found.title);
    return FILES_OK;
}

static enum files_err take_document(const struct run *run, struct snapshot *file,
                                    struct files_known *known)
{
    sqlite3 *db = zone_handle(run->zone);
    known->kind = FILES_DOCUMENT;
    enum files_err err = look(file, known);
    if (!err)
        err = snapshot_keep(file, known->sm3);
    if (err)
        return err;
    if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return FILES_EIO;
    enum zone_err z = files_store_document(run->zone, &run->source->id, known);
    if (!z)
        z = files_store_put(run->zone, known);
    int rc = sqlite3_exec(db, z ? "ROLLBACK" : "COMMIT", NULL, NULL, NULL);
    return z ? zone_error(z) : rc == SQLITE_OK ? FILES_OK : FILES_EIO;
}

/* A file ----------------------------------------------------------------------------------------
 */

/* What is known of a failure, beside what was taken before. */
static void put_failure(const struct run *run, struct files_known *known, enum files_err err,
                        const char *sm3_before)
{
    known->err = err;
    known->notes = NULL;
    snprintf(known->sm3, sizeof known->sm3, "%s", sm3_before);
    if (err == FILES_ECHANGED || err == FILES_EIO || err == FILES_EFULL)
        known->stamp.size = (uint64_t)INT64_MAX; /* again next time */
    if (files_store_put(run->zone, known) != ZONE_OK)
        fprintf(stderr, "data: files: what became of a file cannot be kept\n");
}

static enum files_err take_bytes(const struct run *run, struct snapshot *file,
                                 struct files_known *known, const struct files_known *was)
{
    bool packed = false;
    enum shape shape = shape_of(known->path, &packed);
    known->sm3[codec_hex(known->sm3, file->sm3, sizeof file->sm3)] = '\0';
    known->stamp = file->stamp;
    if (shape && was->sm3[0] && !was->err && strcmp(was->sm3, known->sm3) == 0)
        return zone_error(files_store_touch(run->zone, known)); /* the very same rows */
    return shape ? take_table(run, shape, packed, file, known) : take_document(run, file, known);
}

static bool same_stamp(const struct files_stamp *a, const struct files_stamp *b)
{
    return a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns &&
           a->ctime_ns == b->ctime_ns;
}

static void take_file(const struct run *run, const struct files_entry *entry)
{
    struct files_known was = {.sm3 = ""}, known = {.stamp = entry->stamp};
    struct snapshot file = {.fd = -1, .content = SLICE("")};
    bool found = files_store_find(run->zone, entry->path, &was);
    if (found && same_stamp(&was.stamp, &entry->stamp) &&
        (was.err == entry->err || entry->err == FILES_OK))
        return;
    snprintf(known.path, sizeof known.path, "%s", entry->path);
    known.kind = was.kind;
    enum files_err err = entry->err;
    if (!err)
        err = snapshot_take(run->root, entry->path, run->kept, &file);
    if (!err)
        err = take_bytes(run, &file, &known, &was);
    snapshot_free(&file);
    if (err && err != FILES_EMISSING)
        put_failure(run, &known, err, was.sm3);
}

static bool listed(const struct files_list *list, const char *path)
{
    size_t low = 0, high = list->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = strcmp(list->items[mid].path, path);
        if (c == 0)
            return true;
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

static void remove_gone(const struct run *run, const struct files_list *list)
{
    json_t *paths = json_array(), *path;
    size_t i;
    if (files_store_paths(run->zone, paths) != ZONE_OK)
        json_array_clear(paths);
    json_array_foreach(paths, i, path)
    {
        const char *text = json_string_value(path);
        struct files_known known = {.sm3 = ""};
        if (!listed(list, text) && files_store_find(run->zone, text, &known) &&
            files_store_remove(run->zone, text, known.kind == FILES_TABLE) != ZONE_OK)
            fprintf(stderr, "data: files: what is gone cannot be taken away\n");
    }
    json_decref(paths);
}

/* Bytes no row has any more. */
static void remove_bytes(const struct run *run)
{
    int own = openat(run->kept, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = own >= 0 ? fdopendir(own) : NULL;
    for (struct dirent *e; d && (e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.' && !files_store_keeps(run->zone, e->d_name))
            unlinkat(run->kept, e->d_name, 0);
    if (d)
        closedir(d);
}

bool files_take_all(const struct files_config *cfg, const struct files_source *s)
{
    struct run run = {.cfg = cfg, .source = s};
    struct files_list list = {0};
    run.root = files_root(cfg, s);
    run.kept = files_own(cfg, &s->id, "kept");
    bool ok = run.root >= 0 && run.kept >= 0 && files_walk(run.root, &list) &&
              files_store_open(&run.zone, cfg->data_dir, &s->id) == ZONE_OK;
    if (ok) {
        snapshot_sweep(run.kept);
        for (size_t i = 0; i < list.n; i++)
            take_file(&run, &list.items[i]);
        if (!list.cut)
            remove_gone(&run, &list);
        remove_bytes(&run);
    }
    zone_close(&run.zone);
    files_list_free(&list);
    if (run.root >= 0)
        close(run.root);
    if (run.kept >= 0)
        close(run.kept);
    return ok;
}
