/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange.h"

static bool is_no_case(struct slice text, struct slice lower)
{
    if (text.n != lower.n) {
        return false;
    }
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != lower.p[i]) {
            return false;
        }
    }
    return true;
}

bool exchange_field(void *ctx, struct slice lower_name, struct slice *value)
{
    const struct exchange_message *m = ctx;
    size_t found = 0;
    for (size_t i = 0; i < m->n_fields; i++) {
        if (is_no_case(m->fields[i].name, lower_name)) {
            *value = m->fields[i].value;
            found++;
        }
    }
    return found == 1;
}

/* Takes a line with its CRLF, or LF as editors leave it. */
static bool take_line(struct slice *text, struct slice *line)
{
    const char *end = text->n > 0 ? memchr(text->p, '\n', text->n) : NULL;
    if (end == NULL) {
        return false;
    }
    size_t n = (size_t)(end - text->p);
    *line = slice_of(text->p, n > 0 && end[-1] == '\r' ? n - 1 : n);
    *text = slice_of(end + 1, text->n - n - 1);
    for (size_t i = 0; i < line->n; i++) {
        unsigned char c = (unsigned char)line->p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool is_token(struct slice text)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (c == '\0' || strchr(others, c) == NULL)) {
            return false;
        }
    }
    return text.n > 0;
}

static struct slice trim(struct slice text)
{
    while (text.n > 0 && (text.p[0] == ' ' || text.p[0] == '\t')) {
        text = slice_of(text.p + 1, text.n - 1);
    }
    while (text.n > 0 && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\t')) {
        text.n--;
    }
    return text;
}

static const char *read_fields(struct exchange_message *m, struct slice *text)
{
    struct slice line;
    for (m->n_fields = 0; take_line(text, &line); m->n_fields++) {
        if (line.n == 0) {
            m->body = *text;
            return NULL;
        }
        const char *colon = memchr(line.p, ':', line.n);
        struct slice name = slice_of(line.p, colon != NULL ? (size_t)(colon - line.p) : 0);
        if (colon == NULL || !is_token(name)) {
            return "a line of the head is not 'name: value'";
        }
        if (m->n_fields == EXCHANGE_FIELDS_MAX) {
            return "the head has too many fields";
        }
        m->fields[m->n_fields].name = name;
        m->fields[m->n_fields].value = trim(slice_of(colon + 1, line.n - name.n - 1));
    }
    return "the head does not end with an empty line";
}

const char *exchange_request(struct exchange_message *m, struct slice text)
{
    struct slice line;
    if (!take_line(&text, &line)) {
        return "there is no request line";
    }
    const char *first = line.n > 0 ? memchr(line.p, ' ', line.n) : NULL;
    if (first == NULL) {
        return "the request line is not 'METHOD target HTTP/1.1'";
    }
    m->method = slice_of(line.p, (size_t)(first - line.p));
    struct slice rest = slice_of(first + 1, line.n - m->method.n - 1);
    const char *second = rest.n > 0 ? memchr(rest.p, ' ', rest.n) : NULL;
    m->target = slice_of(rest.p, second != NULL ? (size_t)(second - rest.p) : 0);
    struct slice version = slice_of(rest.p + m->target.n, rest.n - m->target.n);
    bool http = version.n > 6 && memcmp(version.p, " HTTP/", 6) == 0;
    if (!is_token(m->method) || m->target.n == 0 || !http) {
        return "the request line is not 'METHOD target HTTP/1.1'";
    }
    return read_fields(m, &text);
}

/* "HTTP/1.1 200 OK", and of HTTP/2 as curl writes it "HTTP/2 200 ". */
static bool read_status(struct slice line, unsigned *status)
{
    const char *space =
        line.n > 5 && memcmp(line.p, "HTTP/", 5) == 0 ? memchr(line.p, ' ', line.n) : NULL;
    const char *end = line.p + line.n;
    if (space == NULL || end - space < 4 || (end - space > 4 && space[4] != ' ')) {
        return false;
    }
    *status = 0;
    for (size_t i = 1; i <= 3; i++) {
        if (space[i] < '0' || space[i] > '9') {
            return false;
        }
        *status = *status * 10 + (unsigned)(space[i] - '0');
    }
    return *status >= 100;
}

const char *exchange_response(struct exchange_message *m, struct slice text)
{
    const char *why = NULL;
    do {
        struct slice line;
        if (!take_line(&text, &line) || !read_status(line, &m->status)) {
            return "the response does not begin with 'HTTP/1.1 200 OK'";
        }
        why = read_fields(m, &text);
    } while (why == NULL && m->status < 200);
    return why;
}

static bool body_length(struct exchange_message *m, size_t *n)
{
    struct slice text;
    *n = 0;
    if (!exchange_field(m, SLICE("content-length"), &text)) {
        return true;
    }
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9' || *n > m->body.n) {
            return false;
        }
        *n = *n * 10 + (size_t)(text.p[i] - '0');
    }
    return text.n > 0 && *n <= m->body.n;
}

const char *exchange_both(struct exchange_message *request, struct exchange_message *response,
                          struct slice text)
{
    const char *why = exchange_request(request, text);
    if (why != NULL) {
        return why;
    }
    size_t n;
    if (!body_length(request, &n)) {
        return "the request's Content-Length is no number, or longer than what follows";
    }
    struct slice rest = slice_of(request->body.p + n, request->body.n - n);
    request->body.n = n;
    return exchange_response(response, rest);
}
