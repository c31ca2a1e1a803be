/* SPDX-License-Identifier: Apache-2.0 */
#include "data/batch/format.h"

static const struct {
    const char *name, *media_type;
} formats[FORMATS] = {
    [FORMAT_CSV] = {"csv", "text/csv; charset=utf-8"},
    [FORMAT_NDJSON] = {"ndjson", "application/x-ndjson"},
    [FORMAT_XML] = {"xml", "application/xml"},
};

const char *format_name(enum format format)
{
    return formats[format].name;
}

const char *format_media_type(enum format format)
{
    return formats[format].media_type;
}

enum format format_by_name(struct slice name)
{
    enum format f = FORMAT_CSV;
    while (f < FORMATS && !slice_eq(name, slice_str(formats[f].name)))
        f++;
    return f;
}

/* CSV ------------------------------------------------------------------------------------------ */

/* The full-width forms of the same signs: some programs read them as the narrow ones. */
bool format_is_formula(struct slice text)
{
    static const char wide[][4] = {"\xef\xbc\x9d", "\xef\xbc\x8b", "\xef\xbc\x8d", "\xef\xbc\xa0"};
    if (text.n && strchr("=+-@\t\r\n", text.p[0]))
        return true;
    for (size_t i = 0; text.n >= 3 && i < sizeof wide / sizeof *wide; i++)
        if (memcmp(text.p, wide[i], 3) == 0)
            return true;
    return false;
}

static bool must_quote(struct slice text)
{
    if (text.n == 0 || text.p[0] == ' ' || text.p[text.n - 1] == ' ')
        return true;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == ',' || text.p[i] == '"' || text.p[i] == '\r' || text.p[i] == '\n')
            return true;
    return false;
}

static void csv_text(struct buf *out, struct slice text, bool literal)
{
    bool formula = !literal && format_is_formula(text);
    if (!formula && !must_quote(text)) {
        buf_add(out, text.p, text.n);
        return;
    }
    buf_adds(out, formula ? "\"'" : "\"");
    for (size_t i = 0; i < text.n;) {
        const char *mark = memchr(text.p + i, '"', text.n - i);
        size_t end = mark ? (size_t)(mark - text.p) + 1 : text.n;
        buf_add(out, text.p + i, end - i);
        if (mark)
            buf_addc(out, '"');
        i = end;
    }
    buf_addc(out, '"');
}

/* JSON may hold anything; only a bare number is sure to be no formula. */
static bool plain_literal(const struct format_cell *cell)
{
    return cell->literal && cell->text.n && cell->text.p[0] != '[' && cell->text.p[0] != '{' &&
           cell->text.p[0] != '"';
}

static void csv_row(struct buf *out, const struct format_cell *cells, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_addc(out, ',');
        if (!cells[i].null)
            csv_text(out, cells[i].text, plain_literal(&cells[i]));
    }
    buf_adds(out, "\r\n");
}

/* NDJSON --------------------------------------------------------------------------------------- */

static void ndjson_row(struct buf *out, const struct format_column *columns,
                       const struct format_cell *cells, size_t n)
{
    buf_addc(out, '{');
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_addc(out, ',');
        buf_add(out, columns[i].member.p, columns[i].member.n);
        if (cells[i].null)
            buf_add(out, "null", 4);
        else if (cells[i].literal)
            buf_add(out, cells[i].text.p, cells[i].text.n);
        else
            buf_add_json(out, cells[i].text);
    }
    buf_add(out, "}\n", 2);
}

/* XML ------------------------------------------------------------------------------------------ */

/* Of a control sign that XML 1.0 has no way to say, and of U+FFFE and U+FFFF. */
static bool unsayable(struct slice text, size_t i, size_t *width)
{
    unsigned char c = (unsigned char)text.p[i];
    *width = 1;
    if (c < 0x20)
        return c != '\t' && c != '\n' && c != '\r';
    *width = 3;
    return text.n - i >= 3 && memcmp(text.p + i, "\xef\xbf", 2) == 0 &&
           (unsigned char)text.p[i + 2] >= 0xbe;
}

static void xml_text(struct buf *out, struct slice text)
{
    size_t plain = 0, width;
    for (size_t i = 0; i < text.n; i++) {
        const char *instead = text.p[i] == '&'    ? "&amp;"
                              : text.p[i] == '<'  ? "&lt;"
                              : text.p[i] == '>'  ? "&gt;"
                              : text.p[i] == '"'  ? "&quot;"
                              : text.p[i] == '\r' ? "&#13;"
                                                  : NULL;
        width = 1;
        if (!instead && ((unsigned char)text.p[i] < 0x20 || text.p[i] == '\xef') &&
            unsayable(text, i, &width))
            instead = "\xef\xbf\xbd";
        if (!instead)
            continue;
        buf_add(out, text.p + plain, i - plain);
        buf_adds(out, instead);
        plain = i + width;
        i = plain - 1;
    }
    buf_add(out, text.p + plain, text.n - plain);
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_element_name(struct slice name)
{
    if (name.n == 0 || !is_alpha(name.p[0]))
        return false;
    for (size_t i = 1; i < name.n; i++)
        if (!is_alpha(name.p[i]) && !(name.p[i] >= '0' && name.p[i] <= '9') && name.p[i] != '-' &&
            name.p[i] != '.')
            return false;
    return true;
}

static void xml_cell(struct buf *out, struct slice name, const struct format_cell *cell)
{
    bool element = is_element_name(name);
    buf_addc(out, '<');
    if (element) {
        buf_add(out, name.p, name.n);
    } else {
        buf_adds(out, "field name=\"");
        xml_text(out, name);
        buf_addc(out, '"');
    }
    if (cell->null) {
        buf_adds(out, " nil=\"true\"/>");
        return;
    }
    buf_addc(out, '>');
    xml_text(out, cell->text);
    buf_adds(out, "</");
    if (element)
        buf_add(out, name.p, name.n);
    else
        buf_adds(out, "field");
    buf_addc(out, '>');
}

static void xml_row(struct buf *out, const struct format_column *columns,
                    const struct format_cell *cells, size_t n)
{
    buf_adds(out, "<row>");
    for (size_t i = 0; i < n; i++)
        xml_cell(out, columns[i].name, &cells[i]);
    buf_adds(out, "</row>\n");
}

/* ---------------------------------------------------------------------------------------------- */

void format_begin(struct buf *out, enum format format, const struct format_column *columns,
                  size_t n)
{
    if (format == FORMAT_XML)
        buf_adds(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rows>\n");
    if (format != FORMAT_CSV)
        return;
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_addc(out, ',');
        csv_text(out, columns[i].name, false);
    }
    buf_adds(out, "\r\n");
}

void format_row(struct buf *out, enum format format, const struct format_column *columns,
                const struct format_cell *cells, size_t n)
{
    if (format == FORMAT_CSV)
        csv_row(out, cells, n);
    else if (format == FORMAT_NDJSON)
        ndjson_row(out, columns, cells, n);
    else
        xml_row(out, columns, cells, n);
}

void format_end(struct buf *out, enum format format)
{
    if (format == FORMAT_XML)
        buf_adds(out, "</rows>\n");
}
