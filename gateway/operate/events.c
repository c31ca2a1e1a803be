/* SPDX-License-Identifier: Apache-2.0 */
/* What operators must hear of, as lines of JSON in files the node's agent reads and reports
 * (contract/feed.md, EVENT). One write() a line, so a worker killed at any moment leaves whole
 * lines; a file ends at FILE_MAX and the next number follows, so that the agent can remove what it
 * has reported. Only for what happens seldom: a change of state, never a call. */
#include "sluice.h"

#include <fcntl.h>

#include "base/clock.h"

#define FILE_MAX (256 * 1024)

static struct {
    int fd;
    unsigned number;
    size_t written;
} log_file = {.fd = -1};

static bool open_file(ngx_str_t dir)
{
    char path[NGX_MAX_PATH];
    if (log_file.fd >= 0 && log_file.written < FILE_MAX) {
        return true;
    }
    sluice_events_close();
    log_file.number++;
    log_file.written = 0;
    int n = snprintf(path, sizeof path, "%.*s/events/%ld.%u.ndjson", (int)dir.len, dir.data,
                     (long)ngx_pid, log_file.number);
    if (n > 0 && (size_t)n < sizeof path) {
        log_file.fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
    return log_file.fd >= 0;
}

void sluice_events_close(void)
{
    if (log_file.fd >= 0) {
        close(log_file.fd);
        log_file.fd = -1;
    }
}

static void set_id(json_t *line, const char *name, const struct uuid *id)
{
    char text[UUID_TEXT_LEN + 1];
    if (id) {
        uuid_format(id, text);
        json_object_set_new(line, name, json_string(text));
    }
}

static void set_text(json_t *line, const char *name, struct slice text)
{
    if (text.n) { /* NULL, and so left out, when the bytes are no UTF-8 */
        json_object_set_new(line, name, json_stringn(text.p, text.n));
    }
}

static char *line_of(const struct sluice_event *event)
{
    struct uuid id;
    json_t *line = json_object();
    uuid_new(&id);
    set_id(line, "id", &id);
    json_object_set_new(line, "at", json_integer((json_int_t)clock_wall_ms()));
    json_object_set_new(line, "kind", json_string(event->kind));
    set_id(line, "api_id", event->api);
    set_id(line, "app_id", event->app);
    set_id(line, "credential_id", event->credential);
    set_id(line, "limit_id", event->limit);
    set_id(line, "grant_id", event->grant);
    set_text(line, "owner", event->owner);
    set_text(line, "address", event->address);
    set_text(line, "target", event->target);
    set_text(line, "reason", event->reason);
    if (event->count) {
        json_object_set_new(line, "count", json_integer((json_int_t)event->count));
    }
    char *text = json_dumps(line, JSON_COMPACT);
    json_decref(line);
    return text;
}

void sluice_event(const struct sluice_event *event)
{
    sluice_main_conf_t *conf =
        ngx_http_cycle_get_module_main_conf(ngx_cycle, ngx_http_sluice_module);
    char *text = line_of(event);
    size_t n = text ? strlen(text) : 0;
    if (n) {
        text[n++] = '\n'; /* in place of the NUL: write() takes a length */
    }
    if (n == 0 || !open_file(conf->state_dir) || write(log_file.fd, text, n) != (ssize_t)n) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno, "sluice: event \"%s\" is lost",
                      event->kind);
    }
    log_file.written += n;
    free(text);
}
