/* SPDX-License-Identifier: Apache-2.0 */
/* The interfaces of the credit platform (CI-A): POST in JSON or as a form, {msg, result, data} out.
 * The call has been authenticated by its signature at the gateway; accessid, username and pwd
 * (CI-7.2) may be in the body for the sake of old clients and are neither needed nor looked at
 * here. A refusal has result 0, no data, and names in msg the parameter at fault. */
#include <stdio.h>

#include "data/service.h"
#include "plan/plan.h"

#define CREDIT_PARAMS 4 /* uniscId, licenseID, pageno, pagesize */

enum { UNISC_ID, LICENSE_ID, PAGENO, PAGESIZE };
static const char *const param_names[CREDIT_PARAMS] = {"uniscId", "licenseID", "pageno",
                                                       "pagesize"};

struct credit_call {
    struct slice text[CREDIT_PARAMS]; /* p NULL: not given */
    struct slice fault;               /* the parameter at fault */
    const char *why;
    json_t *body;
};

static const struct {
    const char *done, *none;
} messages[] = {
    [CATALOG_GRADE] = {"获取企业诚信等级成功", "未查询到该企业的诚信等级：uniscId"},
    [CATALOG_GRADES] = {"获取企业诚信等级成功", ""},
    [CATALOG_TRADING] = {"获取公共资源交易记录成功", ""},
};

static enum problem fault(struct credit_call *c, int param, enum problem problem, const char *why)
{
    c->fault = slice_str(param_names[param]);
    c->why = why;
    return problem;
}

/* Text members are strings, paging members integers; anything else is refused by name. */
static enum problem read_member(struct credit_call *c, struct arena *arena, int i, const json_t *v)
{
    char digits[24];
    bool number = i == PAGENO || i == PAGESIZE;
    if (!v || json_is_null(v))
        return PROBLEM_OK;
    if (number ? !json_is_integer(v) : !json_is_string(v))
        return fault(c, i, PROBLEM_QUERY_MALFORMED, number ? "参数必须为整数" : "参数必须为字符串");
    if (!number) {
        c->text[i] = slice_of(json_string_value(v), json_string_length(v));
        return PROBLEM_OK;
    }
    snprintf(digits, sizeof digits, "%lld", (long long)json_integer_value(v));
    c->text[i] = arena_copy(arena, slice_str(digits));
    return PROBLEM_OK;
}

static enum problem read_json(struct credit_call *c, struct worker *w, struct slice body)
{
    c->body = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(c->body)) {
        c->why = "请求报文不是合法的 JSON 对象";
        return PROBLEM_BODY_MALFORMED;
    }
    for (int i = 0; i < CREDIT_PARAMS; i++) {
        enum problem p = read_member(c, &w->arena, i, json_object_get(c->body, param_names[i]));
        if (p)
            return p;
    }
    return PROBLEM_OK;
}

static enum problem read_form(struct credit_call *c, struct worker *w, struct slice rest)
{
    while (rest.n) {
        const char *amp = memchr(rest.p, '&', rest.n);
        size_t n = amp ? (size_t)(amp - rest.p) : rest.n;
        const char *equals = memchr(rest.p, '=', n);
        size_t name_n = equals ? (size_t)(equals - rest.p) : n;
        struct slice name = query_decode(&w->arena, slice_of(rest.p, name_n));
        struct slice value =
            query_decode(&w->arena, equals ? slice_of(equals + 1, n - name_n - 1) : SLICE(""));
        c->why = "请求报文不是合法的表单";
        if (!name.p || !value.p)
            return PROBLEM_BODY_MALFORMED;
        for (int i = 0; i < CREDIT_PARAMS; i++) {
            if (!slice_eq(name, slice_str(param_names[i])))
                continue;
            if (c->text[i].p)
                return fault(c, i, PROBLEM_BODY_MALFORMED, "参数重复");
            c->text[i] = value;
        }
        rest = amp ? slice_of(amp + 1, rest.n - n - 1) : slice_of("", 0);
    }
    return PROBLEM_OK;
}

static enum problem need(struct credit_call *c, int param)
{
    if (!c->text[param].p || c->text[param].n == 0)
        return fault(c, param, PROBLEM_PARAMETER_MISSING, "缺少必需参数");
    if (c->text[param].n > QUERY_VALUE_MAX || memchr(c->text[param].p, '\0', c->text[param].n))
        return fault(c, param, PROBLEM_QUERY_MALFORMED, "参数格式错误");
    return PROBLEM_OK;
}

/* pageno is 1 when absent (CI-7.3b); pagesize past 1000 is refused, never cut (CI-A.2c). */
static enum problem read_pages(struct credit_call *c, struct worker *w, uint64_t *pageno,
                               uint64_t *pagesize)
{
    *pageno = 1;
    enum problem p = need(c, PAGESIZE);
    if (p)
        return p;
    if (!query_uint(c->text[PAGESIZE], pagesize) || *pagesize == 0)
        return fault(c, PAGESIZE, PROBLEM_QUERY_MALFORMED, "参数必须为正整数");
    if (*pagesize > QUERY_PAGESIZE_MAX || *pagesize > w->max_rows)
        return fault(c, PAGESIZE, PROBLEM_QUERY_TOO_LARGE, "参数最大不得超过 1000");
    if (c->text[PAGENO].p && (!query_uint(c->text[PAGENO], pageno) || *pageno == 0))
        return fault(c, PAGENO, PROBLEM_QUERY_MALFORMED, "参数必须为正整数");
    if (*pageno > 1000000000)
        return fault(c, PAGENO, PROBLEM_QUERY_TOO_LARGE, "页码过大");
    w->query.limit = *pagesize;
    w->query.offset = (*pageno - 1) * *pagesize;
    return PROBLEM_OK;
}

/* All rows and every field the app may read. */
static enum problem query_all(struct worker *w, const struct catalog_api *api)
{
    struct query *q = &w->query;
    query_clear(q);
    q->where = (struct query_node){.kind = QUERY_AND};
    q->offset = 0;
    q->limit = w->max_rows;
    for (size_t i = 0; i < api->table.n_columns; i++) {
        uint8_t outcome = w->call.outcome[i];
        if (api->columns[i].column.n && (outcome == PLAN_KEEP || outcome == PLAN_MASK))
            q->select[q->n_select++] = (uint16_t)i;
    }
    return q->n_select ? PROBLEM_OK : PROBLEM_NO_READABLE_FIELD;
}

static enum problem where_unisc_id(struct worker *w, const struct catalog_api *api,
                                   struct credit_call *c)
{
    size_t i = 0;
    while (i < api->table.n_columns && !slice_eq(api->columns[i].name, SLICE("uniscId")))
        i++;
    if (i == api->table.n_columns || api->columns[i].column.n == 0)
        return PROBLEM_INTERNAL; /* the dataset does not fit the profile */
    if (w->call.outcome[i] != PLAN_KEEP)
        return fault(c, UNISC_ID, PROBLEM_FILTER_FORBIDDEN, "不可按该字段查询");
    struct query_node *node = arena_get(&w->arena, sizeof *node, 1);
    if (!node)
        return PROBLEM_INTERNAL;
    *node = (struct query_node){.kind = QUERY_CONDITION, .op = QUERY_EQ, .column = (uint16_t)i};
    node->values = &c->text[UNISC_ID];
    node->n_values = 1;
    w->query.where.first = node;
    return PROBLEM_OK;
}

static void begin_answer(struct worker *w, const char *msg)
{
    buf_clear(&w->body);
    buf_addf(&w->body, "{\"msg\":\"%s\",\"result\":1,\"data\":", msg);
}

/* CI-A.1 */
static enum problem grade(struct worker *w, const struct catalog_api *api, struct credit_call *c)
{
    struct source *source;
    uint64_t n;
    enum problem p = need(c, UNISC_ID);
    if (!p)
        p = query_all(w, api);
    if (!p)
        p = where_unisc_id(w, api, c);
    if (!p)
        p = service_open(w, api, &source);
    if (p)
        return p;
    w->query.limit = 1;
    begin_answer(w, messages[CATALOG_GRADE].done);
    p = service_rows(w, api, source, true, &n);
    if (p)
        return p;
    if (n == 0) { /* known to nobody: an answer, not a failure of the call */
        buf_clear(&w->body);
        buf_addf(&w->body, "{\"msg\":\"%s\",\"result\":0}", messages[CATALOG_GRADE].none);
        return PROBLEM_OK;
    }
    buf_addc(&w->body, '}');
    return PROBLEM_OK;
}

/* CI-A.2 */
static enum problem grades(struct worker *w, const struct catalog_api *api, struct credit_call *c)
{
    struct source *source;
    uint64_t pageno, pagesize, n, count = 0;
    enum problem p = query_all(w, api);
    if (!p)
        p = read_pages(c, w, &pageno, &pagesize);
    if (!p)
        p = service_open(w, api, &source);
    if (!p)
        p = service_count(w, api, source, &count);
    if (p)
        return p;
    begin_answer(w, messages[CATALOG_GRADES].done);
    buf_addf(&w->body, "{\"pageno\":%llu,\"count\":%llu,\"pagesize\":%llu,\"companyList\":[",
             (unsigned long long)pageno, (unsigned long long)count, (unsigned long long)pagesize);
    p = service_rows(w, api, source, true, &n);
    buf_adds(&w->body, "]}}");
    return p;
}

/* The grant a call names and the licence and enterprise its body names are the same, or it is
 * refused. */
static enum problem check_licence(const struct worker *w, struct credit_call *c)
{
    char grant[UUID_TEXT_LEN + 1];
    uuid_format(&w->call.grant, grant);
    if (uuid_is_nil(&w->call.grant) || !slice_eq(c->text[LICENSE_ID], slice_str(grant)))
        return fault(c, LICENSE_ID, PROBLEM_GRANT_MISMATCH, "授权协议标识无效");
    if (!slice_eq(c->text[UNISC_ID], w->call.owner))
        return fault(c, UNISC_ID, PROBLEM_GRANT_MISMATCH, "企业与授权不一致");
    return PROBLEM_OK;
}

/* CI-A.3. The standard has no paging here: what is more than one answer holds is not cut in silence
 * but refused, and pageno and pagesize, though not in the standard, are there to read it. */
static enum problem trading(struct worker *w, const struct catalog_api *api, struct credit_call *c)
{
    struct source *source;
    uint64_t n, pageno, pagesize;
    bool paged = c->text[PAGESIZE].p != NULL || c->text[PAGENO].p != NULL;
    enum problem p = need(c, UNISC_ID);
    if (!p)
        p = need(c, LICENSE_ID);
    if (!p)
        p = check_licence(w, c);
    if (!p && !api->owner_scoped)
        return PROBLEM_INTERNAL; /* an authorised query must be bound to its owner's rows */
    if (!p)
        p = query_all(w, api);
    if (!p && paged)
        p = read_pages(c, w, &pageno, &pagesize);
    if (!p)
        p = service_open(w, api, &source);
    if (p)
        return p;
    w->query.limit += paged ? 0 : 1;
    begin_answer(w, messages[CATALOG_TRADING].done);
    buf_addc(&w->body, '[');
    p = service_rows(w, api, source, true, &n);
    buf_adds(&w->body, "]}");
    if (!p && !paged && n > w->max_rows)
        return fault(c, PAGESIZE, PROBLEM_QUERY_TOO_LARGE, "记录过多，请分页查询");
    return p;
}

static void refuse(struct worker *w, struct service_reply *rp, enum problem p,
                   const struct credit_call *c)
{
    struct buf msg;
    buf_init(&msg);
    buf_adds(&msg, c->why ? c->why : problem_row(p)->title_zh);
    if (c->fault.n)
        buf_addf(&msg, "：%.*s", SLICE_FMT(c->fault));
    buf_clear(&w->body);
    buf_adds(&w->body, "{\"msg\":");
    buf_add_json(&w->body, buf_slice(&msg));
    buf_adds(&w->body, ",\"result\":0}");
    buf_fini(&msg);
    rp->problem = p; /* the gateway records it; the caller of this profile reads result */
    rp->status = problem_row(p)->status < 500 ? 200 : problem_row(p)->status;
}

void credit_handle(struct worker *w, const struct catalog_api *api,
                   const struct service_request *rq, struct service_reply *rp)
{
    static enum problem (*const answers[])(struct worker *, const struct catalog_api *,
                                           struct credit_call *) = {
        [CATALOG_GRADE] = grade,
        [CATALOG_GRADES] = grades,
        [CATALOG_TRADING] = trading,
    };
    struct credit_call c = {0};
    struct slice type = rq->header(rq->ctx, "Content-Type");
    bool form = type.n >= 33 && memcmp(type.p, "application/x-www-form-urlencoded", 33) == 0;
    enum problem p = form ? read_form(&c, w, rq->body) : read_json(&c, w, rq->body);
    if (!p) {
        c.why = NULL;
        p = answers[api->profile](w, api, &c);
    }
    if (!p && w->body.failed)
        p = PROBLEM_INTERNAL;
    if (p)
        refuse(w, rp, p, &c);
    json_decref(c.body);
}
