/* SPDX-License-Identifier: Apache-2.0 */
/* A report of the security of data, to be read and printed: ?lang=zh or en, else as the reader's
 * browser asks. */
#include <stdio.h>

#include "api/api.h"
#include "lifecycle/lifecycle.h"
#include "services/services.h"
#include "web/web.h"

static void cell(struct page *page, const char *text)
{
    page_html(page, "<td>");
    page_text(page, text);
    page_html(page, "</td>");
}

static void head(struct page *page, const char *en, const char *zh)
{
    page_html(page, "<th scope=\"col\">");
    page_say(page, en, zh);
    page_html(page, "</th>");
}

static void controls(struct page *page, const json_t *list)
{
    json_t *row;
    size_t i;

    page_html(page, "<table><thead><tr>");
    head(page, "Technical control", "安全技术措施");
    head(page, "Active", "生效");
    head(page, "Found by this check", "本次检查结果");
    page_html(page, "</tr></thead><tbody>");
    json_array_foreach(list, i, row)
    {
        bool active = json_is_true(json_object_get(row, "active"));
        page_html(page, "<tr>");
        cell(page, row_text(row, page->zh ? "title_zh" : "title_en"));
        page_html(page, "<td>");
        page_say(page, active ? "yes" : "NO", active ? "是" : "否");
        page_html(page, "</td>");
        cell(page, row_text(row, "found"));
        page_html(page, "</tr>");
    }
    page_html(page, "</tbody></table>");
}

static void measures(struct page *page, const json_t *list)
{
    json_t *row;
    size_t i;
    char count[32];

    page_html(page, "<table><thead><tr>");
    head(page, "Management measure", "安全管理措施");
    head(page, "In place", "落实");
    head(page, "Records", "记录数");
    head(page, "Last", "最近一次");
    page_html(page, "</tr></thead><tbody>");
    json_array_foreach(list, i, row)
    {
        bool there = json_is_true(json_object_get(row, "in_place"));
        snprintf(count, sizeof count, "%lld",
                 (long long)json_integer_value(json_object_get(row, "count")));
        page_html(page, "<tr>");
        cell(page, row_text(row, page->zh ? "title_zh" : "title_en"));
        page_html(page, "<td>");
        page_say(page, there ? "yes" : "NO", there ? "是" : "否");
        page_html(page, "</td>");
        cell(page, count);
        cell(page, row_text(row, "last_at"));
        page_html(page, "</tr>");
    }
    page_html(page, "</tbody></table>");
}

static enum problem render(struct rest_call *c, const json_t *report)
{
    struct page page;
    json_t *stage;
    size_t i;

    page_begin(&page, c, "Security of data over its life", "数据全生命周期安全报告");
    page_html(&page, "<p>");
    page_text(&page, row_text(report, "created_at"));
    page_html(&page, " · ");
    page_text(&page, row_text(report, "made_by"));
    page_html(&page, "</p>");
    json_array_foreach(json_object_get(report, "content"), i, stage)
    {
        page_html(&page, "<h2>");
        page_text(&page, row_text(stage, page.zh ? "title_zh" : "title_en"));
        page_html(&page, "</h2>");
        controls(&page, json_object_get(stage, "controls"));
        measures(&page, json_object_get(stage, "measures"));
    }
    return page_end(&page, 200);
}

enum problem security_report_page(struct rest_call *c)
{
    static const char *const known[] = {"lang"};
    struct store_txn *txn = NULL;
    json_t *row = NULL;
    enum problem p = rest_query_known(c, known, 1, "lang");

    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_READ, &txn);
    }
    if (p == PROBLEM_OK) {
        p = service_load(c, txn, &security_reports_resource, false, &row);
    }
    store_rollback(&txn);
    if (p == PROBLEM_OK) {
        p = render(c, row);
    }
    json_decref(row);
    return p;
}
