/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. */
#pragma once
#include <limits.h>
#include <pthread.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "crypto/crypto.h"
#include "data/files/files.h"
#include "data/zones/zones.h"

enum files_err {
    FILES_OK,
    FILES_EMISSING,  /* gone since the folder was listed */
    FILES_ELINK,     /* a symbolic link: not followed */
    FILES_EKIND,     /* no plain file */
    FILES_ENAME,     /* a name that cannot be one of a table, or no UTF-8 */
    FILES_ELARGE,    /* more bytes than are allowed */
    FILES_ECHANGED,  /* while it was read: looked at again later */
    FILES_EBOMB,     /* unpacks to more than is allowed */
    FILES_EENCODING, /* its text is none in its encoding */
    FILES_ETYPE,     /* is not what its name says */
    FILES_EUNKNOWN,  /* of no type that is taken */
    FILES_ESYNTAX,   /* cannot be read as what it is */
    FILES_EDEEP,     /* levels below one another */
    FILES_ELONG,     /* a line, row or record too long */
    FILES_ECOLUMNS,  /* too many, or none */
    FILES_EFULL,     /* no room on the disk */
    FILES_EIO        /* anything else: said on stderr */
};
const char *files_err_name(enum files_err err); /* as a harvest's item says it; static */

struct files_detail { /* where and what; "" when the error says it all */
    char text[240];
};
void files_say(struct files_detail *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* root.c ----------------------------------------------------------------------------------------
 */
struct files_stamp { /* the same stamp: the same file, unchanged */
    uint64_t ino, size;
    int64_t mtime_ns, ctime_ns;
};
struct files_stamp files_stamp_of(const struct stat *st);

struct files_entry {
    char *path; /* below the folder; bytes that are no UTF-8 are told as %XX */
    struct files_stamp stamp;
    enum files_err err; /* known without opening it */
};
struct files_list {
    struct files_entry *items; /* sorted by path */
    size_t n, cap;
    bool cut; /* there were more than FILES_MAX */
};
/* The folder, opened; -1: it is not there, or not allowed. */
int files_root(const struct files_config *cfg, const struct files_source *s);
bool files_walk(int root, struct files_list *list);
void files_list_free(struct files_list *list);
/* A plain file below the folder, no link on the way. */
enum files_err files_open(int root, const char *path, int *fd);
/* A folder of the source's own, made when missing: "kept" or "in"; -1: it cannot be. */
int files_own(const struct files_config *cfg, const struct uuid *id, const char *name);

/* snapshot.c ------------------------------------------------------------------------------------
 */
struct snapshot { /* a copy of ours: what happens to the file no longer matters */
    int dir, fd;
    char name[48]; /* in dir; "": has none */
    struct slice content;
    struct files_stamp stamp;
    uint8_t sm3[CRYPTO_HASH_LEN];
};
enum files_err snapshot_take(int root, const char *path, int dir, struct snapshot *s);
/* An empty one to write to, and what was written, to read. */
enum files_err snapshot_new(int dir, struct snapshot *s);
enum files_err snapshot_write(struct snapshot *s, const void *p, size_t n);
enum files_err snapshot_read(struct snapshot *s);
/* Durable, named by its digest. */
enum files_err snapshot_keep(struct snapshot *s, const char *name);
void snapshot_free(struct snapshot *s); /* removes it unless it was kept */
void snapshot_sweep(int dir);           /* what a process that died left */
enum files_err snapshot_inflate(const struct snapshot *from, struct snapshot *to);

/* text.c: as UTF-8 without a mark. *to is filled only when bytes had to be converted; *text lies in
 * one of both. */
enum files_err files_text(const struct snapshot *from, const char *declared, struct snapshot *to,
                          struct slice *text, const char **encoding, struct files_detail *d);

/* records.c: rows out of a file, first looked at for columns and types, then loaded --------------
 */
enum record_kind {
    RECORD_NULL,
    RECORD_TEXT,
    RECORD_STRING,
    RECORD_NUMBER,
    RECORD_BOOL,
    RECORD_JSON
};
struct record_column {
    char *key; /* as the file says it */
    char name[ZONE_NAME_MAX + 1];
    uint8_t can; /* types its values so far could be of */
    bool any;
    uint64_t formulas; /* values that a spreadsheet would take for a formula */
};
struct record_cell {
    size_t at, n;
    uint8_t kind;
};
struct records {
    struct record_column *columns;
    struct zone_column *typed; /* names borrowed from columns */
    size_t n;
    struct record_cell *cells; /* of the row under way */
    struct zone_value *values;
    struct buf bytes;
    struct zone *zone; /* NULL: looking */
    bool untyped;      /* strings may be numbers as well: XML knows nothing else */
    uint64_t rows;
    enum files_err err;
    struct files_detail *detail;
};
bool records_init(struct records *r, struct files_detail *d);
void records_fini(struct records *r);
/* Another column, whose name others may have too. */
bool records_column(struct records *r, struct slice key);
/* hint: where the column probably is; key.p NULL: is. False: r->err. TEXT: of a format without
 * types. */
bool records_cell(struct records *r, size_t hint, struct slice key, enum record_kind kind,
                  struct slice text);
bool records_row(struct records *r, uint64_t line);
bool records_fail(struct records *r, enum files_err err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void records_types(struct records *r);
/* A JSON object as a row. */
bool records_object(struct records *r, const json_t *object, uint64_t line);

/* Each goes through text once; false: r->err. */
bool read_csv(struct records *r, struct slice text);
bool read_ndjson(struct records *r, struct slice text);
bool read_json(struct records *r, struct slice text);
bool read_xml(struct records *r, struct slice bytes, const char *encoding);

/* store.c ---------------------------------------------------------------------------------------
 */
enum files_kind { FILES_TABLE, FILES_DOCUMENT };
struct files_known { /* a row of the store's list of files */
    char path[FILES_PATH_MAX + 1];
    struct files_stamp stamp; /* size INT64_MAX: to be looked at again whatever it is */
    uint8_t kind;
    enum files_err err;
    char sm3[2 * CRYPTO_HASH_LEN + 1]; /* of what is there; "": nothing was ever taken */
    const char *media_type, *encoding; /* static */
    char title[201], detail[240];
    uint64_t rows;
    json_t *notes; /* [{field, demand}]; borrowed */
};
enum zone_err files_store_open(struct zone **z, const char *data_dir, const struct uuid *id);
/* Fills stamp, err and sm3; false: there is no such row. */
bool files_store_find(struct zone *z, const char *path, struct files_known *known);
void files_store_shrink(struct zone *z); /* gives back room that is not used any more */
enum zone_err files_store_put(struct zone *z, const struct files_known *known);
enum zone_err files_store_touch(struct zone *z, const struct files_known *known); /* its stamp */
/* The row of `documents`. */
enum zone_err files_store_document(struct zone *z, const struct uuid *source,
                                   const struct files_known *known);
enum zone_err files_store_remove(struct zone *z, const char *path, bool table);
/* Each path that is known; do not write meanwhile. */
enum zone_err files_store_paths(struct zone *z, json_t *paths);
enum zone_err files_store_items(struct zone *z, json_t *items);
/* {kind, bytes, sm3, media_type, encoding, title, detail, rows, reason, notes}, new; NULL: none. */
json_t *files_store_item(struct zone *z, const char *path);
/* Of a document by its id: path, media_type, sm3, stamp.size. */
bool files_store_bytes(struct zone *z, const char *id, struct files_known *known);
bool files_store_keeps(struct zone *z, const char *sm3);
void files_id(const struct uuid *source, const char *path, char hex[static 33]);

/* take.c: what is in the folder into the store. False: the folder cannot be read. */
bool files_take_all(const struct files_config *cfg, const struct files_source *s);

struct files {
    struct files_config cfg;
    pthread_t thread;
    pthread_mutex_t lock, store; /* store: one at a time takes, drops or puts */
    pthread_cond_t wake;
    bool stopping;
    struct files_ticket {
        char ticket[80], folder[FILES_PATH_MAX + 1], encoding[20];
        struct uuid id;
        uint8_t state;
        uint64_t turn;
    } tickets[64];
    uint64_t turns;
};
