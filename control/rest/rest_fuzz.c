/* SPDX-License-Identifier: Apache-2.0 */
/* Any request at all against a signed-in session: "METHOD target\nif-match\nbody". Answers, never
 * crashes, never 500. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "rest/rest.h"

static struct control ctl;
static char bearer[128];

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void split_query(struct rest_request *req, char *query)
{
    char *save = NULL;

    for (char *part = strtok_r(query, "&", &save); part && req->n_query < REST_QUERY_MAX;
         part = strtok_r(NULL, "&", &save)) {
        char *value = strchr(part, '=');
        if (value) {
            *value++ = '\0';
        }
        req->query[req->n_query++] = (struct rest_parameter){part, value ? value : ""};
    }
}

static void start(void)
{
    static char dir[] = "/tmp/sluice-fuzz-XXXXXX";
    static struct control_config cfg = {.data_dir = dir,
                                        .data_socket = "/nonexistent/data.sock",
                                        .admin_password = "fuzzed administrator"};
    struct rest_request req = {
        .method = "POST",
        .path = "/api/v1/sessions",
        .body = SLICE("{\"login\":\"admin\",\"password\":\"fuzzed administrator\"}")};
    struct rest_response resp;

    must(mkdtemp(dir) && control_open(&ctl, &cfg));
    rest_response_init(&resp);
    rest_dispatch(&ctl, &req, &resp);
    json_t *session = json_loadb(resp.body.p, resp.body.n, 0, NULL);
    must(session != NULL);
    snprintf(bearer, sizeof bearer, "Bearer %s",
             json_string_value(json_object_get(session, "token")));
    json_decref(session);
    rest_response_fini(&resp);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct rest_response resp;
    char *text = malloc(n + 1), *method = text;

    must(text != NULL);
    if (!bearer[0]) {
        start();
    }
    memcpy(text, data, n);
    text[n] = '\0';
    char *target = strchr(text, ' '), *tag = target ? strchr(target, '\n') : NULL,
         *body = tag ? strchr(tag + 1, '\n') : NULL;
    if (body) {
        *target++ = *tag++ = *body++ = '\0';
        struct rest_request req = {.method = method,
                                   .path = target,
                                   .authorization = bearer,
                                   .if_match = *tag ? tag : NULL};
        req.body = slice_of(body, n - (size_t)(body - text));
        char *query = strchr(target, '?');
        if (query) {
            *query++ = '\0';
            split_query(&req, query);
        }
        rest_response_init(&resp);
        rest_dispatch(&ctl, &req, &resp);
        must(resp.status >= 200 && resp.status < 600 && resp.status != 500);
        rest_response_fini(&resp);
    }
    free(text);
    return 0;
}
