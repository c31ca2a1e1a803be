/* SPDX-License-Identifier: Apache-2.0 */
/* The portal's files, inside the program (tools/embed_portal.py). Only names of the table are
 * served, so no path leads anywhere else. */
#include "web/web.h"

#include <stdio.h>

struct portal_file {
    const char *name, *type, *etag;      /* name NULL: the portal was not built */
    uint32_t at, n, packed_at, packed_n; /* of portal_pack: as it is, and by gzip */
    bool lasting;                        /* named after its content: it never changes */
};
static const struct portal_file files[] = {
#include "portal_rows.inc"
};
extern const char portal_pack[];

static const struct portal_file *find(const char *name)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (files[i].name && strcmp(files[i].name, name) == 0) {
            return &files[i];
        }
    }
    return NULL;
}

/* Scripts and styles are files of ours; the page itself has none, and speaks to us alone. */
static void guard(struct rest_call *c)
{
    rest_header(c, "Content-Security-Policy",
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
                "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; "
                "frame-ancestors 'none'");
    rest_header(c, "X-Frame-Options", "DENY");
    rest_header(c, "Referrer-Policy", "same-origin");
}

static bool wants(struct rest_call *c, const char *header, const char *word)
{
    const char *value = rest_request_header(c, header);

    return value && strstr(value, word);
}

static enum problem serve(struct rest_call *c, const char *name)
{
    const struct portal_file *f = find(name);

    if (!f) {
        return rest_fail(c, PROBLEM_NOT_FOUND, "", "%s",
                         files[0].name ? "the portal has no such file"
                                       : "this program was built without the portal");
    }
    bool packed = f->packed_n < f->n && wants(c, "Accept-Encoding", "gzip");
    bool kept = wants(c, "If-None-Match", f->etag);
    struct slice bytes =
        slice_of(portal_pack + (packed ? f->packed_at : f->at), packed ? f->packed_n : f->n);
    enum problem p = rest_page(c, kept ? 304 : 200, kept ? SLICE("") : bytes);
    c->resp->content_type = f->type;
    guard(c);
    rest_header(c, "ETag", f->etag);
    rest_header(c, "Vary", "Accept-Encoding");
    rest_header(c, "Cache-Control",
                f->lasting ? "public, max-age=31536000, immutable" : "no-cache");
    if (packed && !kept) {
        rest_header(c, "Content-Encoding", "gzip");
    }
    return p;
}

enum problem web_portal(struct rest_call *c)
{
    return web_redirect(c, "/portal/");
}

enum problem web_portal_page(struct rest_call *c)
{
    return serve(c, "index.html");
}

enum problem web_portal_asset(struct rest_call *c)
{
    char name[200];

    snprintf(name, sizeof name, "assets/%.180s", c->segment[2]);
    return serve(c, name);
}
