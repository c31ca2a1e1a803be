/* SPDX-License-Identifier: Apache-2.0 */
/* The files pages refer to, inside the program. sm2.js is npm's sm-crypto (MIT). */
#include "web/web.h"

static const unsigned char page_css[] = {
#include "page_css.inc"
};
static const unsigned char login_js[] = {
#include "login_js.inc"
};
static const unsigned char sm2_js[] = {
#include "sm2_js.inc"
};

static const struct {
    const char *name, *type;
    const void *bytes;
    size_t n;
} assets[] = {
    {"page.css", "text/css; charset=utf-8", page_css, sizeof page_css},
    {"login.js", "text/javascript; charset=utf-8", login_js, sizeof login_js},
    {"sm2.js", "text/javascript; charset=utf-8", sm2_js, sizeof sm2_js},
};

enum problem web_asset(struct rest_call *c)
{
    for (size_t i = 0; i < sizeof assets / sizeof *assets; i++) {
        if (strcmp(assets[i].name, c->segment[1]) == 0) {
            enum problem p = rest_page(c, 200, slice_of(assets[i].bytes, assets[i].n));
            c->resp->content_type = assets[i].type;
            return p;
        }
    }
    return PROBLEM_NOT_FOUND;
}
