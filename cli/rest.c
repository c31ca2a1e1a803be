/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice rest`: signs in to the control plane and talks to its REST. The session lives in a file
 * of mode 0600, so a token is never on a command line, where every user of the machine could read
 * it; for the same reason there is no --password. */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli.h"
#include "crypto/crypto.h"
#include "unknown.h"

#define ANSWER_MAX_BYTES (16u << 20)
#define BODY_MAX_BYTES   (16u << 20)
#define TIMEOUT_S        60L
#define ETAG_MAX         64

struct session {
    char *control, *ca, *token; /* heap; token NULL: not signed in */
};

struct answer {
    long status;
    struct buf body;
    char etag[ETAG_MAX]; /* "" when there was none */
    bool file;           /* not for reading here: it goes out as it came */
};

/* What to do about a refusal, for those where it is not plain from the title. */
static const struct {
    const char *code, *next;
} next_steps[] = {
    {"not-signed-in", "sign in: sluice rest login --control URL --ca FILE --login NAME"},
    {"sign-in-failed", "check the login and the password; a locked account needs an administrator"},
    {"too-many-attempts", "wait a minute, then sign in again"},
    {"password-change-required",
     "sluice rest PUT /users/me/password '{\"old_password\":\"…\",\"new_password\":\"…\"}', then "
     "sign in again"},
    {"second-factor-required",
     "enrol an authenticator: sluice rest POST /users/me/totp, then sluice rest POST "
     "/users/me/totp/confirm '{\"otp\":\"…\"}'; where one is enrolled: sluice rest login … --otp "
     "CODE"},
    {"precondition-required", "add --if-match auto to write to the revision that is there now"},
    {"precondition-failed", "somebody changed it first: GET it, look, and write again"},
    {"state-conflict", "the detail above names the actions this state allows"},
    {"fields-unclassified", "give each field named above a level from 1 to 4, then publish again"},
    {"field-unmasked",
     "give the level-3 field a mask (try one with: sluice mask), then publish again"},
    {"level-forbidden", "level 4 never leaves: publish a dataset that has fields below it"},
    {"security-review-missing",
     "ask for a review (POST /security_reviews), which an operator passes; then publish again"},
    {"not-permitted", "sign in as a user whose role allows it"},
    {"already-exists", "choose another name, or change the one that is there"},
    {"source-unavailable",
     "check the connection string and that the database is up, then check again"},
    {"storage-full", "make room in the data directory; nothing was changed"},
};

static const char usage_text[] =
    "usage: sluice rest login --control URL --ca FILE --login NAME [--password-file FILE] [--otp "
    "CODE]\n"
    "       sluice rest GET|POST|PUT|PATCH|DELETE PATH [JSON|@FILE|@-] [--type MEDIA-TYPE]\n"
    "                   [--if-match auto|REVISION]\n"
    "       sluice rest logout\n\n"
    "The password comes from --password-file, from SLUICE_PASSWORD, or is asked for.\n"
    "The session is kept in $SLUICE_SESSION, else in ~/.config/sluice/session.\n"
    "PATH may leave out /api/v1. --type: the body is a file of that type, as for /documents.\n\n"
    "examples:\n"
    "  sluice rest login --control https://127.0.0.1:7300 --ca data/pki/ca.crt --login admin\n"
    "  sluice rest GET '/apis?state=published'\n"
    "  sluice rest POST /organisations '{\"name\":\"Port\",\"kind\":\"holder\"}'\n"
    "  sluice rest POST /organisations/ID/approve --if-match auto\n"
    "  sluice rest POST '/documents?name=licence.pdf' @licence.pdf --type application/pdf\n"
    "  sluice rest GET /documents/ID/content >licence.pdf\n";

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "sluice rest: %s: %s\n", what, why);
    return 1;
}

static char *session_path(void)
{
    const char *given = getenv("SLUICE_SESSION"), *home = getenv("HOME");
    char *path = NULL;
    if (given != NULL && *given != '\0') {
        return strdup(given);
    }
    if (home == NULL || asprintf(&path, "%s/.config/sluice/session", home) < 0) {
        return NULL;
    }
    return path;
}

static void session_fini(struct session *s)
{
    if (s->token != NULL) {
        crypto_wipe(s->token, strlen(s->token));
    }
    free(s->control);
    free(s->ca);
    free(s->token);
    *s = (struct session){0};
}

static char *copy_member(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? NULL : strdup(text);
}

static bool session_load(struct session *s)
{
    char *path = session_path();
    json_t *root = path == NULL ? NULL : json_load_file(path, 0, NULL);
    free(path);
    if (root == NULL) {
        return false;
    }
    *s = (struct session){copy_member(root, "control"), copy_member(root, "ca"),
                          copy_member(root, "token")};
    json_decref(root);
    return s->control != NULL && s->ca != NULL && s->token != NULL;
}

/* Makes the folders above path, each 0700. */
static void make_parents(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700); /* what could not be made shows when the file is opened */
        *slash = '/';
    }
}

static bool write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return false;
        }
        p += done;
        n -= (size_t)done;
    }
    return true;
}

/* Written aside and renamed: a full disk or a crash leaves the old session whole. */
static int session_store(const struct session *s)
{
    char *path = session_path(), *aside = NULL, *text = NULL;
    json_t *root =
        json_pack("{s:s,s:s,s:s}", "control", s->control, "ca", s->ca, "token", s->token);
    int fd = -1, rc = 1;
    if (path == NULL || root == NULL || asprintf(&aside, "%s.new", path) < 0 ||
        (text = json_dumps(root, JSON_INDENT(2))) == NULL) {
        fail("session", path == NULL ? "set HOME or SLUICE_SESSION" : "out of memory");
        goto out;
    }
    make_parents(path);
    (void)unlink(aside); /* an old one may have another mode */
    fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || !write_all(fd, text, strlen(text)) || rename(aside, path) != 0) {
        fail(path, strerror(errno));
        goto out;
    }
    rc = 0;
out:
    if (fd >= 0) {
        close(fd);
    }
    if (text != NULL) {
        crypto_wipe(text, strlen(text));
    }
    free(text);
    free(path);
    free(aside);
    json_decref(root);
    return rc;
}

static size_t take_body(char *p, size_t size, size_t n, void *ctx)
{
    struct answer *a = ctx;
    if (a->body.n + size * n > ANSWER_MAX_BYTES) {
        return 0; /* curl then reports a write error */
    }
    buf_add(&a->body, p, size * n);
    return a->body.failed ? 0 : size * n;
}

static size_t take_header(char *p, size_t size, size_t n, void *ctx)
{
    struct answer *a = ctx;
    size_t len = size * n;
    if (len > 5 && strncasecmp(p, "etag:", 5) == 0) {
        (void)snprintf(a->etag, sizeof a->etag, "%.*s", (int)(len - 5), p + 5);
        a->etag[strcspn(a->etag, "\r\n")] = '\0';
    }
    a->file = a->file || (len > 20 && strncasecmp(p, "content-disposition:", 20) == 0);
    return len;
}

static struct curl_slist *add_header(struct curl_slist *list, const char *name, const char *value)
{
    char *line = NULL;
    if (asprintf(&line, "%s: %s", name, value) < 0) {
        return list;
    }
    struct curl_slist *longer = curl_slist_append(list, line);
    crypto_wipe(line, strlen(line)); /* it may hold the token */
    free(line);
    return longer == NULL ? list : longer;
}

static char *full_url(const struct session *s, const char *path)
{
    char *url = NULL;
    const char *prefix = strncmp(path, "/api/", 5) == 0 ? "" : "/api/v1";
    return asprintf(&url, "%s%s%s", s->control, prefix, path) < 0 ? NULL : url;
}

struct payload {
    const char *type;   /* of its media; NULL: the JSON that the method takes */
    struct slice bytes; /* p NULL: no body */
};

static struct payload json_payload(const char *text)
{
    return (struct payload){.bytes = text == NULL ? (struct slice){NULL, 0} : slice_str(text)};
}

static const char *media_type(const char *method, const struct payload *body)
{
    if (body->type != NULL) {
        return body->type;
    }
    return strcmp(method, "PATCH") == 0 ? "application/merge-patch+json" : "application/json";
}

/* One request. False: no answer, and the reason is printed. */
static bool exchange(const struct session *s, const char *method, const char *path,
                     struct payload body, const char *if_match, struct answer *a)
{
    char reason[CURL_ERROR_SIZE] = "", *url = full_url(s, path), *bearer = NULL;
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = add_header(NULL, "Accept", "application/json");
    if (s->token != NULL && asprintf(&bearer, "Bearer %s", s->token) > 0) {
        headers = add_header(headers, "Authorization", bearer);
    }
    if (body.bytes.p != NULL) {
        headers = add_header(headers, "Content-Type", media_type(method, &body));
        headers = add_header(headers, "Expect", ""); /* the answer to a 100 is not worth the wait */
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.bytes.n);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.bytes.p);
    }
    if (if_match != NULL) {
        headers = add_header(headers, "If-Match", if_match);
    }
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(curl, CURLOPT_CAINFO, s->ca);
    curl_easy_setopt(curl, CURLOPT_CAPATH, NULL); /* else all public CAs beside it */
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, a);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, a);
    CURLcode rc = curl == NULL || url == NULL ? CURLE_OUT_OF_MEMORY : curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &a->status);
    if (rc != CURLE_OK) {
        fail(url == NULL ? path : url, *reason == '\0' ? curl_easy_strerror(rc) : reason);
    }
    if (bearer != NULL) {
        crypto_wipe(bearer, strlen(bearer));
    }
    free(bearer);
    free(url);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return rc == CURLE_OK;
}

static const char *next_step(const char *code)
{
    for (size_t i = 0; i < sizeof next_steps / sizeof *next_steps; i++) {
        if (strcmp(next_steps[i].code, code) == 0) {
            return next_steps[i].next;
        }
    }
    return NULL;
}

static void print_problem(long status, const json_t *problem)
{
    static const char *const members[] = {"title", "detail", "where"};
    const char *code = json_string_value(json_object_get(problem, "code"));
    fprintf(stderr, "refused: %ld %s\n", status, code == NULL ? "(no code)" : code);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const char *text = json_string_value(json_object_get(problem, members[i]));
        if (text != NULL && *text != '\0') {
            fprintf(stderr, "  %-7s %s\n", members[i], text);
        }
    }
    const char *next = code == NULL ? NULL : next_step(code);
    if (next != NULL) {
        fprintf(stderr, "  next    %s\n", next);
    }
}

/* Returns the exit code: 0 for 2xx. */
static int print_answer(const struct answer *a)
{
    json_t *root =
        a->body.n == 0 || a->file ? NULL : json_loadb(a->body.p, a->body.n, JSON_DECODE_ANY, NULL);
    bool good = a->status >= 200 && a->status <= 299;
    if (!good) {
        print_problem(a->status, root);
    } else if (root != NULL) {
        (void)json_dumpf(root, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_ENCODE_ANY);
        putchar('\n');
    } else if (a->body.n > 0) {
        (void)fwrite(a->body.p, 1, a->body.n, stdout); /* the OpenAPI text is YAML */
    }
    json_decref(root);
    return good ? 0 : 1;
}

/* Adds what the stream has; false: it cannot be read, or is too long. */
static bool read_stream(FILE *f, struct buf *out)
{
    char chunk[8192];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0) {
        buf_add(out, chunk, n);
        if (out->n > BODY_MAX_BYTES || out->failed) {
            return false;
        }
    }
    crypto_wipe(chunk, sizeof chunk);
    return ferror(f) == 0;
}

static bool read_file(const char *path, struct buf *out)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *f = standard ? stdin : fopen(path, "re");
    bool good = f != NULL && read_stream(f, out);
    if (f != NULL && !standard) {
        (void)fclose(f);
    }
    if (!good) {
        fail(path, errno != 0 ? strerror(errno) : "cannot be read, or is over 16 MB");
    }
    return good;
}

static bool prompt_password(struct buf *out)
{
    struct termios old, quiet;
    char line[1024];
    if (tcgetattr(STDIN_FILENO, &old) != 0) {
        fail("password", "give --password-file or SLUICE_PASSWORD: there is no terminal to ask on");
        return false;
    }
    quiet = old;
    quiet.c_lflag &= (tcflag_t)~ECHO;
    fputs("password: ", stderr);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    bool good = fgets(line, sizeof line, stdin) != NULL;
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
    fputc('\n', stderr);
    if (good) {
        buf_adds(out, line);
    }
    crypto_wipe(line, sizeof line);
    return good;
}

static bool get_password(const char *file, struct buf *out)
{
    const char *env = getenv("SLUICE_PASSWORD");
    bool good = true;
    if (file != NULL) {
        good = read_file(file, out);
    } else if (env != NULL) {
        buf_adds(out, env);
    } else {
        good = prompt_password(out);
    }
    while (out->n > 0 && strchr("\r\n", out->p[out->n - 1]) != NULL) {
        out->n--;
    }
    return good;
}

struct login_options {
    const char *control, *ca, *login, *password_file, *otp;
};

static bool login_options(int argc, char **argv, struct login_options *o)
{
    const struct {
        const char *name, **value;
    } known[] = {{"--control", &o->control},
                 {"--ca", &o->ca},
                 {"--login", &o->login},
                 {"--password-file", &o->password_file},
                 {"--otp", &o->otp}};
    const size_t n = sizeof known / sizeof *known;
    for (int i = 0; i < argc; i += 2) {
        size_t k = 0;
        while (k < n && strcmp(argv[i], known[k].name) != 0) {
            k++;
        }
        if (k == n) {
            cli_unknown_option("rest login", argv[i], &known[0].name, n, sizeof *known);
            return false;
        }
        if (i + 1 == argc) {
            fprintf(stderr, "sluice rest login: %s needs a value after it\n", argv[i]);
            return false;
        }
        *known[k].value = argv[i + 1];
    }
    if (o->control == NULL || o->ca == NULL || o->login == NULL) {
        fputs("sluice rest login: --control, --ca and --login are needed\n", stderr);
        return false;
    }
    return true;
}

/* Keeps the token of a 201 answer. */
static int keep_session(struct session *s, const struct answer *a, const char *login)
{
    json_t *root = json_loadb(a->body.p, a->body.n, 0, NULL);
    s->token = copy_member(root, "token");
    bool change = json_is_true(json_object_get(root, "password_change_required"));
    json_decref(root);
    if (s->token == NULL) {
        return fail("login", "the answer has no token");
    }
    if (session_store(s) != 0) {
        return 1;
    }
    printf("signed in as %s\n", login);
    if (change) {
        printf("this password works once: %s\n", next_step("password-change-required"));
    }
    return 0;
}

static int login(int argc, char **argv)
{
    struct login_options o = {0};
    if (!login_options(argc, argv, &o)) {
        return 2;
    }
    char ca[4096];
    if (realpath(o.ca, ca) == NULL) { /* the next command may run in another folder */
        return fail(o.ca, strerror(errno));
    }
    struct session s = {strdup(o.control), strdup(ca), NULL};
    struct buf password;
    struct answer a = {0};
    buf_init(&password);
    buf_init(&a.body);
    int rc = 1;
    char *body = NULL;
    if (get_password(o.password_file, &password)) {
        json_t *root = json_pack("{s:s,s:s%,s:s*}", "login", o.login, "password",
                                 password.p == NULL ? "" : password.p, password.n, "otp", o.otp);
        body = root == NULL ? NULL : json_dumps(root, JSON_COMPACT);
        json_decref(root);
    }
    if (body != NULL && exchange(&s, "POST", "/sessions", json_payload(body), NULL, &a)) {
        rc = a.status == 201 ? keep_session(&s, &a, o.login) : print_answer(&a);
    }
    if (body != NULL) {
        crypto_wipe(body, strlen(body));
    }
    free(body);
    buf_wipe(&password);
    buf_wipe(&a.body);
    session_fini(&s);
    return rc;
}

static int logout(const struct session *s)
{
    struct answer a = {0};
    buf_init(&a.body);
    bool answered = exchange(s, "DELETE", "/sessions/current", json_payload(NULL), NULL, &a);
    int rc = answered && (a.status < 300 || a.status == 401) ? 0 : 1;
    char *path = session_path();
    if (path != NULL) {
        (void)unlink(path);
    }
    free(path);
    buf_fini(&a.body);
    return rc;
}

/* The resource an action or a change is about: its path without the action and the query. */
static char *resource_path(const char *method, const char *path)
{
    char *out = strndup(path, strcspn(path, "?"));
    char *last = out == NULL ? NULL : strrchr(out, '/');
    if (strcmp(method, "POST") == 0 && last != NULL) {
        *last = '\0';
    }
    return out;
}

static bool current_etag(const struct session *s, const char *method, const char *path,
                         struct buf *etag)
{
    char *resource = resource_path(method, path);
    struct answer a = {0};
    buf_init(&a.body);
    bool good = resource != NULL && exchange(s, "GET", resource, json_payload(NULL), NULL, &a);
    if (good && a.status != 200) {
        (void)print_answer(&a);
        good = false;
    } else if (good && a.etag[0] == '\0') {
        fail(resource, "has no ETag, so --if-match auto cannot be used");
        good = false;
    }
    if (good) {
        buf_adds(etag, a.etag + strspn(a.etag, " "));
    }
    free(resource);
    buf_fini(&a.body);
    return good;
}

struct request {
    const char *method, *path, *body, *if_match, *type;
};

static bool request_options(int argc, char **argv, struct request *r)
{
    *r = (struct request){.method = argv[0], .path = argv[1]};
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--if-match") == 0 && i + 1 < argc) {
            r->if_match = argv[++i];
        } else if (strcmp(argv[i], "--type") == 0 && i + 1 < argc) {
            r->type = argv[++i];
        } else if (r->body == NULL && strncmp(argv[i], "--", 2) != 0) {
            r->body = argv[i];
        } else {
            fprintf(stderr,
                    "sluice rest: what is '%s'? A request takes one body, as JSON, @FILE or @-, "
                    "--type MEDIA-TYPE and --if-match auto|REVISION\n",
                    argv[i]);
            return false;
        }
    }
    if (r->path[0] != '/') {
        fprintf(stderr, "sluice rest: a path begins with '/', as /%s\n", r->path);
    }
    return r->path[0] == '/';
}

static int request(const struct session *s, const struct request *r)
{
    struct buf body, etag;
    struct answer a = {0};
    buf_init(&body);
    buf_init(&etag);
    buf_init(&a.body);
    bool good = true;
    if (r->body != NULL && r->body[0] == '@') {
        good = read_file(r->body + 1, &body);
    } else if (r->body != NULL) {
        buf_adds(&body, r->body);
    }
    if (r->if_match != NULL && strcmp(r->if_match, "auto") == 0) {
        good = good && current_etag(s, r->method, r->path, &etag);
    } else if (r->if_match != NULL) {
        buf_addf(&etag, r->if_match[0] == '"' ? "%s" : "\"%s\"", r->if_match);
    }
    buf_addc(&etag, '\0');
    bool writes = strcmp(r->method, "GET") != 0 && strcmp(r->method, "DELETE") != 0;
    struct payload payload = {r->type, buf_slice(&body)};
    if (body.n == 0) {
        payload = json_payload(writes ? "{}" : NULL);
    }
    int rc = good && !body.failed &&
                     exchange(s, r->method, r->path, payload, etag.n > 1 ? etag.p : NULL, &a)
                 ? print_answer(&a)
                 : 1;
    buf_wipe(&body); /* it may hold a password */
    buf_fini(&etag);
    buf_wipe(&a.body); /* and the answer a credential's secret */
    return rc;
}

json_t *cli_rest_get(const char *path)
{
    struct session s = {0};
    struct answer a = {0};
    json_t *json = NULL;
    buf_init(&a.body);
    if (!session_load(&s)) {
        fail("no session", next_step("not-signed-in"));
    } else if (exchange(&s, "GET", path, json_payload(NULL), NULL, &a)) {
        json = json_loadb(a.body.p, a.body.n, 0, NULL);
        if (a.status != 200 || json == NULL) {
            print_problem(a.status, json);
            json_decref(json);
            json = NULL;
        }
    }
    session_fini(&s);
    buf_wipe(&a.body);
    return json;
}

static bool is_method(const char *word)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strcmp(word, methods[i]) == 0) {
            return true;
        }
    }
    return false;
}

int cli_rest(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage_text, stdout);
            return 0;
        }
    }
    if (strcmp(word, "login") == 0) {
        return login(argc - 2, argv + 2);
    }
    struct request r = {0};
    bool out = strcmp(word, "logout") == 0;
    if (!out && (!is_method(word) || argc < 3)) {
        if (argc > 1) {
            fprintf(stderr, "sluice rest: '%s' %s\n", word,
                    is_method(word) ? "needs a path after it" : "is not login, logout or a method");
        }
        fputs(usage_text, stderr);
        return 2;
    }
    if (!out && !request_options(argc - 1, argv + 1, &r)) {
        return 2;
    }
    struct session s = {0};
    if (!session_load(&s)) {
        session_fini(&s);
        return fail("no session", next_step("not-signed-in"));
    }
    int rc = out ? logout(&s) : request(&s, &r);
    session_fini(&s);
    return rc;
}
