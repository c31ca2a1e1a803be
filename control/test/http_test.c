/* SPDX-License-Identifier: Apache-2.0 */
/* The servers as they are: a process of its own, TLS, client certificates, signals. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "test/fixture.h"

static struct fixture f;
static pid_t pid;

static uint16_t free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    close(fd);
    return ntohs(a.sin_port);
}

struct answer {
    long status;
    struct buf body, headers;
    CURLcode code;
};

static size_t take(char *p, size_t size, size_t n, void *ctx)
{
    buf_add(ctx, p, size * n);
    return size * n;
}

/* This curl opens no encrypted key. */
static const char *plain_key(const char *certificate)
{
    const char *path = text("%s.plain", certificate);
    char *pem = NULL;
    assert_int_equal(crypto_pki_key(text("%s.key", certificate), &pem), CRYPTO_OK);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(pem, file) >= 0 && fclose(file) == 0);
    free(pem);
    return path;
}

static struct answer ask(uint16_t port, const char *path, const char *certificate, const char *body,
                         struct curl_slist *headers)
{
    struct answer a = {0};
    CURL *curl = curl_easy_init();
    buf_init(&a.body);
    buf_init(&a.headers);
    struct buf url;
    buf_init(&url);
    buf_addf(&url, "https://127.0.0.1:%u%s", port, path);
    buf_addc(&url, '\0');
    curl_easy_setopt(curl, CURLOPT_URL, url.p);
    buf_fini(&url); /* curl keeps a copy */
    curl_easy_setopt(curl, CURLOPT_CAINFO, text("%s/pki/ca.crt", f.dir));
    curl_easy_setopt(curl, CURLOPT_CAPATH, NULL); /* else the machine's too, read each time */
    if (certificate) {
        curl_easy_setopt(curl, CURLOPT_SSLCERT, text("%s.crt", certificate));
        curl_easy_setopt(curl, CURLOPT_SSLKEY, plain_key(certificate));
    }
    if (body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
    }
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &a.body);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &a.headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 20L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    a.code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &a.status);
    curl_easy_cleanup(curl);
    buf_addc(&a.body, '\0');
    buf_addc(&a.headers, '\0');
    return a;
}

static void answer_free(struct answer *a)
{
    buf_fini(&a->body);
    buf_fini(&a->headers);
}

static void wait_up(void)
{
    for (int i = 0; i < 100; i++) {
        struct answer a = ask(f.cfg.port, "/api/v1/health", NULL, NULL, NULL);
        bool up = a.status == 200;
        answer_free(&a);
        if (up) {
            return;
        }
        usleep(50000);
    }
    fail_msg("the control plane did not come up");
}

static int setup(void **state)
{
    (void)state;
    fixture_open(&f);
    control_close(&f.ctl);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    f.cfg.port = free_port();
    f.cfg.feed_port = free_port();
    f.cfg.openapi_path = SLUICE_OPENAPI;
    pid = fork();
    if (pid == 0) {
        _exit(control_run(&f.cfg));
    }
    wait_up();
    return 0;
}

/* Stops on SIGTERM at once, even while a node waits, and says 0. */
static int teardown(void **state)
{
    int status = -1;
    (void)state;
    kill(pid, SIGTERM);
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(control_open(&f.ctl, &f.cfg));
    fixture_close(&f);
    curl_global_cleanup();
    return 0;
}

static void rest(void **state)
{
    (void)state;
    struct answer a = ask(f.cfg.port, "/api/v1/openapi.yaml", NULL, NULL, NULL);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body.p, "openapi: 3.1.0"));
    answer_free(&a);
    a = ask(f.cfg.port, "/api/v1/sessions", NULL,
            "{\"login\":\"admin\",\"password\":\"" FIXTURE_ADMIN "\"}", NULL);
    assert_int_equal(a.status, 201);
    assert_non_null(strstr(a.headers.p, "Sluice-Transaction: "));
    assert_non_null(strstr(a.headers.p, "no-store"));
    answer_free(&a);
    struct curl_slist *zh = curl_slist_append(NULL, "Accept-Language: zh-CN,zh;q=0.9");
    a = ask(f.cfg.port, "/api/v1/apps", NULL, NULL, zh);
    assert_int_equal(a.status, 401);
    assert_non_null(strstr(a.body.p, "需要登录"));
    answer_free(&a);
    curl_slist_free_all(zh);
    a = ask(f.cfg.port, "/elsewhere", NULL, NULL, NULL);
    assert_int_equal(a.status, 404);
    answer_free(&a);
    a = ask(f.cfg.port, "/api/v1/%ff%fe", NULL, NULL, NULL);
    assert_int_equal(a.status, 404);
    answer_free(&a);
}

/* Up to what a connection can hold the answer is ours. */
static void large_head(void **state)
{
    (void)state;
    static const size_t sizes[] = {33000, 45000, 60000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *long_text = malloc(sizes[i] + 64);
        size_t n = (size_t)sprintf(long_text, "/api/v1/health?x=");
        memset(long_text + n, 'a', sizes[i]);
        long_text[n + sizes[i]] = '\0';
        struct answer in_url = ask(f.cfg.port, long_text, NULL, NULL, NULL);
        memcpy(long_text, "X-Long: ", 8);
        struct curl_slist *headers = curl_slist_append(NULL, long_text);
        struct answer in_header = ask(f.cfg.port, "/api/v1/health", NULL, NULL, headers);
        curl_slist_free_all(headers);
        free(long_text);
        struct answer *answers[] = {&in_url, &in_header};
        for (size_t k = 0; k < 2; k++) {
            if (answers[k]->status != 431) {
                fail_msg("%zu %s: %ld, curl %d", sizes[i], k ? "header" : "url", answers[k]->status,
                         (int)answers[k]->code);
            }
            assert_non_null(strstr(answers[k]->body.p, "request-too-large"));
            assert_non_null(strcasestr(answers[k]->headers.p, "application/problem+json"));
            answer_free(answers[k]);
        }
    }
    struct answer a = ask(f.cfg.port, "/api/v1/health", NULL, NULL, NULL);
    assert_int_equal(a.status, 200);
    answer_free(&a);
}

static void large_body(void **state)
{
    (void)state;
    size_t n = 10u << 20;
    char *body = malloc(n + 1);
    memset(body, 'x', n);
    body[n] = '\0';
    struct answer a = ask(f.cfg.port, "/api/v1/sessions", NULL, body, NULL);
    assert_int_equal(a.status, 413);
    assert_non_null(strstr(a.body.p, "body-too-large"));
    answer_free(&a);
    free(body);
}

static void feed_needs_our_certificate(void **state)
{
    (void)state;
    static const char *const names[] = {"control"};
    char own[96], foreign[96];
    snprintf(own, sizeof own, "%s/pki/control", f.dir);
    snprintf(foreign, sizeof foreign, "%s/foreign", f.dir);
    struct answer a = ask(f.cfg.feed_port, "/feed/v1/changes?after=0", NULL, NULL, NULL);
    assert_true(a.code != CURLE_OK || a.status == 401);
    answer_free(&a);
    assert_int_equal(mkdir(foreign, 0700), 0);
    assert_int_equal(crypto_pki_ensure(foreign, names, 1, "127.0.0.1"), CRYPTO_OK);
    a = ask(f.cfg.feed_port, "/feed/v1/changes?after=0", text("%s/control", foreign), NULL, NULL);
    assert_true(a.code != CURLE_OK || a.status == 401);
    answer_free(&a);
    a = ask(f.cfg.feed_port, "/feed/v1/changes?after=0&kinds=api,app", own, NULL, NULL);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body.p, "\"reset\":true"));
    answer_free(&a);
    static const char *const bad[] = {"/feed/v1/changes?after=x", "/feed/v1/changes?after=-1",
                                      "/feed/v1/changes?kinds=user", "/feed/v1/changes?wait_ms=1s"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        a = ask(f.cfg.feed_port, bad[i], own, NULL, NULL);
        assert_int_equal(a.status, 400);
        answer_free(&a);
    }
    a = ask(f.cfg.feed_port, "/feed/v1/seals", own, NULL, NULL);
    assert_int_equal(a.code, CURLE_OK);
    assert_int_equal(a.status, 404);
    answer_free(&a);
}

static void rest_is_not_on_the_feed_port(void **state)
{
    (void)state;
    struct answer a =
        ask(f.cfg.feed_port, "/api/v1/health", text("%s/pki/control", f.dir), NULL, NULL);
    assert_int_equal(a.status, 404);
    answer_free(&a);
}

static void nodes_report(void **state)
{
    (void)state;
    static const char report[] =
        "{\"node\":\"gw\",\"at\":1,\"version\":\"\",\"events\":[{\"id\":\"01a20106-0dc8-7e83-8236-"
        "6981d4646010\",\"at\":1,\"kind\":\"target-down\"}],\"limits\":[],\"targets\":[],\"keys\":["
        "]}";
    const char *own = text("%s/pki/control", f.dir);
    struct answer a = ask(f.cfg.feed_port, "/feed/v1/reports", NULL, report, NULL);
    assert_true(a.code != CURLE_OK || a.status == 401);
    answer_free(&a);
    a = ask(f.cfg.feed_port, "/feed/v1/reports", own, NULL, NULL);
    assert_int_equal(a.status, 405);
    answer_free(&a);
    a = ask(f.cfg.feed_port, "/feed/v1/reports", own, "{\"node\":7}", NULL);
    assert_int_equal(a.status, 400);
    assert_non_null(strstr(a.body.p, "body-malformed"));
    answer_free(&a);
    a = ask(f.cfg.feed_port, "/feed/v1/reports", own, report, NULL);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body.p, "{\"accepted\":1}");
    answer_free(&a);
    char *big = malloc((2u << 20) + 1);
    memset(big, ' ', 2u << 20);
    big[2u << 20] = '\0';
    a = ask(f.cfg.feed_port, "/feed/v1/reports", own, big, NULL);
    assert_int_equal(a.status, 413);
    answer_free(&a);
    free(big);
    a = ask(f.cfg.port, "/feed/v1/reports", own, report, NULL);
    assert_int_equal(a.status, 404);
    answer_free(&a);
    a = ask(f.cfg.port, "/api/v1/keys", NULL, NULL, NULL);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.headers.p, "application/jwk-set+json"));
    answer_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"REST over TLS", rest, NULL, NULL, NULL},
        {"[BK-7.3.2a1] a URL or header past the limit is a problem", large_head, NULL, NULL, NULL},
        {"a body of 10 MB", large_body, NULL, NULL, NULL},
        {"[EC-4.3.2a] the feed serves our own nodes alone", feed_needs_our_certificate, NULL, NULL,
         NULL},
        {"nodes report with our certificate alone", nodes_report, NULL, NULL, NULL},
        {"the feed port serves the feed alone", rest_is_not_on_the_feed_port, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
