/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a document: GET `<path of the API>/files/<id>`, where the list of documents is what
 * the API answers itself. Whose a row is, what a filter leaves out, which fields may leave: all is
 * decided as for the row; beyond that the field of the column `content` has to be one that leaves
 * as it is, since a file cannot be masked. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/codec.h"
#include "data/files/inner.h"
#include "data/ranges.h"
#include "plan/plan.h"

#define FILES     "/files/"
#define ID_LEN    32
#define FILE_HEAD "Sluice-Export" /* tells the gateway that this is no answer of rows */

bool files_target(const struct catalog_api *api, struct slice target, struct slice *rest)
{
    static const size_t n = sizeof FILES - 1;
    size_t path = api->documents && api->path ? strlen(api->path) : 0;
    const char *mark = memchr(target.p, '?', target.n);
    struct slice own = slice_of(target.p, mark ? (size_t)(mark - target.p) : target.n);
    if (!path || own.n < path + n || memcmp(own.p, api->path, path) != 0 ||
        memcmp(own.p + path, FILES, n) != 0)
        return false;
    *rest = slice_of(own.p + path + n, own.n - path - n);
    return true;
}

static uint16_t field_of(const struct catalog_api *api, const char *column)
{
    for (size_t i = 0; i < api->table.n_columns; i++)
        if (slice_eq(api->table.columns[i].column, slice_str(column)))
            return (uint16_t)i;
    return QUERY_NO_COLUMN;
}

/* Is there such a row for this caller: the same question as for a page of rows, of its id alone. */
static enum problem find_row(struct worker *w, const struct catalog_api *api, struct slice id)
{
    static const uint8_t eq = QUERY_EQ;
    uint16_t column = field_of(api, "id");
    struct source *source = NULL;
    struct slice value = id;
    struct sql_scope scope;
    struct source_rows rows;
    bool more = false;
    if (column == QUERY_NO_COLUMN)
        return PROBLEM_NOT_FOUND;
    enum problem p = service_open(w, api, &source);
    if (p || !source)
        return p ? p : PROBLEM_SANDBOX_UNAVAILABLE;
    struct query_node is = {
        .kind = QUERY_CONDITION, .op = eq, .column = column, .n_values = 1, .values = &value};
    query_clear(&w->query);
    w->query.select[w->query.n_select++] = column;
    w->query.where.kind = QUERY_AND;
    w->query.where.first = &is;
    w->query.limit = 1;
    if (!service_scope(w, api, &scope))
        return PROBLEM_NOT_FOUND;
    struct sql sql = service_sql(w, source);
    sql_select(&sql, &api->table, &w->query, &scope);
    if (sql.failed)
        return PROBLEM_INTERNAL;
    enum source_err err =
        source_query(source, buf_slice(sql.text), sql.params, sql.n_params, &rows);
    if (err)
        return service_source_problem(err);
    err = source_next(&rows, &more);
    source_rows_end(&rows);
    query_clear(&w->query);
    return err ? service_source_problem(err) : more ? PROBLEM_OK : PROBLEM_NOT_FOUND;
}

/* RFC 6266: the name in ASCII for the old, in UTF-8 for everybody else. Never shown in place: what
 * a page of ours' origin would run must not come from here. */
static void name_file(struct service_reply *rp, const char *path)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    char ascii[100], wide[320];
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t a = 0, n = 0;
    for (const unsigned char *p = (const unsigned char *)name; *p; p++) {
        bool ok = strchr(plain, *p) != NULL;
        if (a + 1 < sizeof ascii && (*p < 0x80 || *p >= 0xc0)) /* one sign for a character */
            ascii[a++] = ok ? (char)*p : '_';
        if (n + 4 < sizeof wide)
            n += (size_t)snprintf(wide + n, sizeof wide - n, ok ? "%c" : "%%%02X", *p);
    }
    ascii[a] = '\0';
    service_header(rp, "Content-Disposition", "attachment; filename=\"%s\"; filename*=UTF-8''%s",
                   ascii, wide);
}

static enum problem open_bytes(struct worker *w, const struct catalog_api *api, const char *id,
                               struct files_known *known, int *fd)
{
    char path[PATH_MAX], source[UUID_TEXT_LEN + 1];
    struct zone *z = NULL;
    enum zone_err err = zone_open(&z, w->catalog.data_dir, &api->source);
    bool found = err == ZONE_OK && files_store_bytes(z, id, known);
    zone_close(&z);
    if (!found)
        return err ? PROBLEM_SOURCE_UNAVAILABLE : PROBLEM_NOT_FOUND;
    uuid_format(&api->source, source);
    snprintf(path, sizeof path, "%s/" FILES_FOLDER "/%s/kept/%s", w->catalog.data_dir, source,
             known->sm3);
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return *fd >= 0 ? PROBLEM_OK : PROBLEM_SOURCE_UNAVAILABLE;
}

static enum problem send(struct worker *w, const struct catalog_api *api,
                         const struct service_request *rq, const char *id, struct service_reply *rp,
                         const char **detail)
{
    char etag[2 + ID_LEN + 1];
    struct files_known known;
    struct ranges_span span;
    struct stat st;
    int fd = -1;
    enum problem p = open_bytes(w, api, id, &known, &fd);
    if (p)
        return p;
    snprintf(etag, sizeof etag, "\"%.32s\"", known.sm3);
    p = fstat(fd, &st) != 0 || (uint64_t)st.st_size != known.stamp.size
            ? PROBLEM_SOURCE_UNAVAILABLE
            : ranges_read(rq, rp, etag, known.stamp.size, &span, detail);
    if (p) {
        close(fd);
        return p;
    }
    rp->file = (struct service_file){true, fd, span.first,
                                     known.stamp.size ? span.last - span.first + 1 : 0};
    rp->content_type = known.media_type;
    name_file(rp, known.path);
    service_header(rp, FILE_HEAD, "rows=1");
    return PROBLEM_OK;
}

void files_handle(struct worker *w, const struct catalog_api *api, const struct service_request *rq,
                  struct slice rest, struct service_reply *rp)
{
    char id[ID_LEN + 1] = "";
    uint8_t bytes[ID_LEN / 2];
    size_t n = 0;
    const char *detail = NULL;
    uint16_t content = field_of(api, "content");
    bool get = slice_eq(rq->method, SLICE("GET")) || slice_eq(rq->method, SLICE("HEAD"));
    enum problem p = PROBLEM_OK;
    if (!get)
        p = PROBLEM_METHOD_NOT_ALLOWED;
    else if (rest.n != ID_LEN || !codec_unhex(bytes, sizeof bytes, &n, rest.p, rest.n))
        p = PROBLEM_NOT_FOUND;
    else if (content == QUERY_NO_COLUMN || w->call.outcome[content] != PLAN_KEEP)
        p = PROBLEM_FIELD_FORBIDDEN;
    if (!p) {
        memcpy(id, rest.p, ID_LEN);
        p = find_row(w, api, slice_of(id, ID_LEN));
    }
    if (!p)
        p = send(w, api, rq, id, rp, &detail);
    if (p)
        service_problem(w, rq, rp, p, detail,
                        p == PROBLEM_FIELD_FORBIDDEN ? SLICE("content") : SLICE(""));
}
