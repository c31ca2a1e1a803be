/* SPDX-License-Identifier: Apache-2.0 */
#include "control.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>

#include "core.h"
#include "http.h"
#include "jobs/jobs.h"

static void stop_polls(struct control *ctl)
{
    pthread_mutex_lock(&ctl->bell_lock);
    ctl->stopping = true;
    pthread_cond_broadcast(&ctl->bell);
    pthread_mutex_unlock(&ctl->bell_lock);
}

static int serve(struct control *ctl, const sigset_t *signals)
{
    struct http_server *rest = http_rest_start(ctl), *feed = rest ? http_feed_start(ctl) : NULL;
    int signal_number = 0;

    if (feed) {
        printf("sluice: control: REST on https://%s:%u, feed on port %u\n",
               ctl->cfg->listen_host ? ctl->cfg->listen_host : "127.0.0.1", ctl->cfg->port,
               ctl->cfg->feed_port);
        if (control_is_trial(ctl)) {
            printf(
                "sluice: control: this store is for trying things out, it asks for less than the "
                "clauses do: GET /api/v1/strict_settings, docs/strict.md\n");
        }
        fflush(stdout);
        struct jobs *jobs = jobs_start(ctl);
        sigwait(signals, &signal_number);
        jobs_stop(&jobs);
    }
    stop_polls(ctl);
    bool ran = feed != NULL;
    http_stop(&feed); /* first: a poll that is sent home comes back at once */
    http_stop(&rest);
    return ran ? 0 : 1;
}

int control_run(const struct control_config *cfg)
{
    struct control ctl;
    sigset_t signals, old;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    /* Before any thread starts, so that every one of them leaves these to sigwait. */
    pthread_sigmask(SIG_BLOCK, &signals, &old);
    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int code = 1;
    if (control_open(&ctl, cfg)) {
        code = serve(&ctl, &signals);
        control_close(&ctl);
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return code;
}
