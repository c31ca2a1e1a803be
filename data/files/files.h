/* SPDX-License-Identifier: Apache-2.0 */
/* Sources of kind `files`: a folder on this machine that the operator allows, or files handed in.
 * What lies there is taken into a store of the source's own (data/zones): each CSV, NDJSON, JSON or
 * XML file is a table named by its path, each document or picture a row of the table `documents`,
 * its bytes kept under their digest. Readers see what was taken last, whole, whatever happens to
 * the folder meanwhile; what cannot be taken leaves what was there, and says why.
 *
 * Nothing here follows a symbolic link or leaves the folder. */
#pragma once
#include <jansson.h>

#include "data/service.h"
#include "id/uuid.h"
#include "problem/problem.h"
#include "replica/replica.h"

#define FILES_FOLDER     "data/files"   /* below the data directory: <source>/kept, <source>/in */
#define FILES_DOCUMENTS  "documents"    /* the table of what is no table */
#define FILES_MAX        20000          /* files of a source */
#define FILES_DEPTH_MAX  16             /* folders below one another */
#define FILES_PATH_MAX   512            /* bytes of a path below the folder */
#define FILES_BYTES_MAX  (2ull << 30)   /* of one file */
#define FILES_PLAIN_MAX  (1ull << 30)   /* bytes that a packed one may unpack to */
#define FILES_RATIO_MAX  200            /* times its size, once it is past a megabyte */
#define FILES_RECORD_MAX (1u << 20)     /* bytes of one row */
#define FILES_LEVELS_MAX 32             /* of JSON and XML */
#define FILES_POLL_S     30             /* how often folders are looked at, unless set */
#define FILES_PUT_MAX    (256ull << 20) /* bytes of a file that is handed in */

struct files_config { /* borrowed */
    const char *data_dir;
    const char *roots; /* "name=/absolute/folder, name=…"; "": none */
    unsigned poll_s;   /* 0: FILES_POLL_S */
    struct replica *replica;
};

/* NULL: the roots are well formed, are there, and neither hold the platform's own folder nor lie in
 * it; else what is wrong. */
const char *files_check_roots(const struct files_config *cfg);

/* One thread takes what changed: by the clock, and when it is asked. */
struct files;
struct files *files_start(const struct files_config *cfg, const char **why);
void files_stop(struct files **f);

struct files_source { /* of the control plane or the feed; texts borrowed */
    struct uuid id;
    const char *folder;   /* `root` or `root/below`; "": files are handed in */
    const char *encoding; /* of its texts; "": as each file shows */
};
/* Is the folder there; makes the store. */
enum problem files_check(struct files *f, const struct files_source *s)
    __attribute__((warn_unused_result));
/* Removes the store and what was kept. */
enum problem files_drop(struct files *f, const struct uuid *id) __attribute__((warn_unused_result));
/* Asks that the source be looked at; the same ticket again tells how it is: "waiting", "running",
 * "done" or "failed" (the folder cannot be read). Static; NULL: too many wait. */
const char *files_refresh(struct files *f, const struct files_source *s, const char *ticket);
/* {items: [{schema, name, type: table, document or failed}]} of what is there, new. */
enum problem files_items(struct files *f, const struct uuid *id, json_t **answer)
    __attribute__((warn_unused_result));
/* What is known of one of them, as harvest_profile() answers: {columns, rows, bytes, comment, file:
 * {media_type, sm3, title, encoding, reason, notes}}. NOT_FOUND: there is no such file. */
enum problem files_item(struct files *f, const struct uuid *id, const char *path, json_t **answer)
    __attribute__((warn_unused_result));
/* A piece of a file that is handed in, durable when this returns. At 0 it begins anew; `last`: it
 * is whole, and takes the place of one of its name. */
enum problem files_put(struct files *f, const struct uuid *id, const char *name, uint64_t at,
                       struct slice piece, bool last) __attribute__((warn_unused_result));

/* A file that was handed in is gone, with what was taken of it, when this returns; one that is not
 * there is gone already. */
enum problem files_remove(struct files *f, const struct uuid *id, const char *name)
    __attribute__((warn_unused_result));

/* serve.c: the file of a row of a published `documents`, below `<path of the API>/files`. */
bool files_target(const struct catalog_api *api, struct slice target, struct slice *rest);
void files_handle(struct worker *w, const struct catalog_api *api, const struct service_request *rq,
                  struct slice rest, struct service_reply *rp);
/* internal.c: what the control plane asks below /internal/v1/files/. NOT_FOUND: none of these. */
enum problem files_internal(struct worker *w, struct slice target, const json_t *body,
                            json_t **answer, char detail[static 400]);
