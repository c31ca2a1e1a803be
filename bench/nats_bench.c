/* SPDX-License-Identifier: Apache-2.0 */
/* The peer of the events bench: nats_bench URL SECONDS prints events a second from a publisher to a
 * consumer through a JetStream file store. */
#include <nats/nats.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static atomic_long sent;
static atomic_bool ended;
static const char *url;
static int seconds;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *publish(void *p)
{
    static char body[300];
    natsConnection *nc = NULL;
    jsCtx *js = NULL;
    (void)p;
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = 'a';
    if (natsConnection_ConnectTo(&nc, url) != NATS_OK ||
        natsConnection_JetStream(&js, nc, NULL) != NATS_OK)
        exit(1);
    double end = now() + seconds;
    while (now() < end) {
        for (int i = 0; i < 500; i++)
            if (js_PublishAsync(js, "bench.a", body, sizeof body, NULL) != NATS_OK)
                exit(1);
        js_PublishAsyncComplete(js, NULL);
        atomic_fetch_add(&sent, 500);
    }
    atomic_store(&ended, true);
    jsCtx_Destroy(js);
    natsConnection_Destroy(nc);
    return NULL;
}

int main(int argc, char **argv)
{
    natsConnection *nc = NULL;
    jsCtx *js = NULL;
    jsStreamConfig cfg;
    jsErrCode err;
    natsSubscription *sub = NULL;
    pthread_t thread;
    long got = 0;
    const char *subjects[] = {"bench.*"};
    if (argc != 3)
        return 2;
    url = argv[1];
    seconds = atoi(argv[2]);
    jsStreamConfig_Init(&cfg);
    cfg.Name = "BENCH";
    cfg.Subjects = subjects;
    cfg.SubjectsLen = 1;
    cfg.Storage = js_FileStorage;
    if (natsConnection_ConnectTo(&nc, url) != NATS_OK ||
        natsConnection_JetStream(&js, nc, NULL) != NATS_OK)
        return 1;
    js_DeleteStream(js, "BENCH", NULL, &err);
    if (js_AddStream(NULL, js, &cfg, NULL, &err) != NATS_OK ||
        js_PullSubscribe(&sub, js, "bench.*", "reader", NULL, NULL, &err) != NATS_OK)
        return 1;
    double from = now();
    if (pthread_create(&thread, NULL, publish, NULL) != 0)
        return 1;
    while (!atomic_load(&ended) || got < atomic_load(&sent)) {
        natsMsgList list;
        if (natsSubscription_Fetch(&list, sub, 500, 1000, &err) != NATS_OK)
            continue;
        for (int i = 0; i < list.Count; i++)
            natsMsg_Ack(list.Msgs[i], NULL);
        got += list.Count;
        natsMsgList_Destroy(&list);
    }
    double took = now() - from;
    pthread_join(thread, NULL);
    printf("%.0f\n", (double)got / took);
    natsSubscription_Destroy(sub);
    jsCtx_Destroy(js);
    natsConnection_Destroy(nc);
    nats_Close();
    return 0;
}
