/* SPDX-License-Identifier: Apache-2.0 */
/* One writer of HTML: what is not a literal of ours goes through page_text(), so an app's name or a
 * purpose can be anything. */
#include "web/web.h"

#include <stdio.h>

void page_html(struct page *p, const char *markup)
{
    buf_adds(&p->out, markup);
}

void page_text(struct page *p, const char *text)
{
    static const struct {
        char c;
        const char *as;
    } escapes[] = {{'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&quot;"}, {'\'', "&#39;"}};

    for (const char *s = text; *s; s++) {
        size_t i = 0;
        while (i < sizeof escapes / sizeof *escapes && escapes[i].c != *s) {
            i++;
        }
        if (i < sizeof escapes / sizeof *escapes) {
            buf_adds(&p->out, escapes[i].as);
        } else {
            buf_addc(&p->out, *s);
        }
    }
}

void page_say(struct page *p, const char *en, const char *zh)
{
    page_text(p, p->zh ? zh : en);
}

void page_begin(struct page *p, struct rest_call *c, const char *title_en, const char *title_zh)
{
    const char *lang = rest_query(c, "lang");

    *p = (struct page){.c = c, .zh = lang ? strcmp(lang, "zh") == 0 : c->zh};
    buf_init(&p->out);
    page_html(p,
              p->zh ? "<!doctype html><html lang=\"zh-CN\">" : "<!doctype html><html lang=\"en\">");
    page_html(p, "<head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                 "content=\"width=device-width, initial-scale=1\"><title>");
    page_say(p, title_en, title_zh);
    page_html(p, "</title><link rel=\"stylesheet\" href=\"/assets/page.css\"></head><body><main>"
                 "<header><span class=\"mark\" aria-hidden=\"true\"></span>");
    page_say(p, "Sluice", "数闸");
    page_html(p, "</header><h1>");
    page_say(p, title_en, title_zh);
    page_html(p, "</h1>");
}

void page_input(struct page *p, const char *label_en, const char *label_zh, const char *name,
                const char *attributes)
{
    page_html(p, "<label for=\"");
    page_text(p, name);
    page_html(p, "\">");
    page_say(p, label_en, label_zh);
    page_html(p, "</label><input id=\"");
    page_text(p, name);
    page_html(p, "\" name=\"");
    page_text(p, name);
    page_html(p, "\" ");
    page_html(p, attributes);
    page_html(p, ">");
}

void page_hidden(struct page *p, const char *name, const char *value)
{
    page_html(p, "<input type=\"hidden\" name=\"");
    page_text(p, name);
    page_html(p, "\" value=\"");
    page_text(p, value);
    page_html(p, "\">");
}

enum problem page_end(struct page *p, unsigned status)
{
    page_html(p, "</main></body></html>\n");
    enum problem done =
        p->out.failed ? PROBLEM_INTERNAL : rest_page(p->c, status, slice_of(p->out.p, p->out.n));
    buf_wipe(&p->out);
    /* form-action is left out: a browser would hold it against the redirect to the client. */
    rest_header(p->c, "Content-Security-Policy",
                p->frames
                    ? "default-src 'none'; style-src 'self'; img-src data:; frame-src https: "
                      "http://127.0.0.1:* http://[::1]:*; base-uri 'none'; frame-ancestors 'none'"
                    : "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; "
                      "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'");
    rest_header(p->c, "X-Frame-Options", "DENY");
    rest_header(p->c, "Referrer-Policy", "no-referrer");
    return done;
}

enum problem page_problem(struct rest_call *c, enum problem problem)
{
    const struct problem_row *row = problem_row(problem);
    struct page p;

    page_begin(&p, c, "This does not work", "无法继续");
    page_html(&p, "<p role=\"alert\" class=\"bad\">");
    page_say(&p, row->title_en, row->title_zh);
    page_html(&p, "</p>");
    if (c->detail[0]) {
        page_html(&p, "<p class=\"quiet\">");
        page_text(&p, c->detail);
        page_html(&p, "</p>");
    }
    page_html(&p, "<p class=\"quiet\">");
    page_text(&p, row->code);
    page_html(&p, " · ");
    page_text(&p, c->resp->transaction);
    page_html(&p, "</p>");
    return page_end(&p, row->status);
}

enum problem web_redirect(struct rest_call *c, const char *location)
{
    rest_header(c, "Location", location);
    rest_header(c, "Referrer-Policy", "no-referrer");
    return rest_page(c, 303, SLICE(""));
}

void url_parameter(struct buf *url, const char *name, const char *value)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

    buf_addc(url, url->p && memchr(url->p, '?', url->n) ? '&' : '?');
    buf_adds(url, name);
    buf_addc(url, '=');
    for (const char *s = value; *s; s++) {
        if (strchr(plain, *s)) {
            buf_addc(url, *s);
        } else {
            buf_addf(url, "%%%02X", (unsigned)(unsigned char)*s);
        }
    }
}
