/* SPDX-License-Identifier: Apache-2.0 */
/* The folder and its store without the platform around: ways out of it, files that change under the
 * reader, what a death leaves, what types values get, files handed in. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "data/files/inner.h"

static char base[64], roots[96];
static struct files_config cfg = {.poll_s = 3600};
static struct files_source src = {.folder = "in", .encoding = ""};

static void path_of(const char *name, char path[static PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/in/%s", base, name);
}

static void write_bytes(const char *name, const void *p, size_t n)
{
    char path[PATH_MAX];
    path_of(name, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, p, n), (ssize_t)n);
    close(fd);
}

static void write_text(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text));
}

static int setup(void **state)
{
    static char data[80];
    char path[PATH_MAX];
    (void)state;
    snprintf(base, sizeof base, "/tmp/sluice-files-XXXXXX");
    assert_non_null(mkdtemp(base));
    snprintf(data, sizeof data, "%s/platform", base);
    assert_int_equal(mkdir(data, 0700), 0);
    path_of("", path);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(roots, sizeof roots, "in=%s/in", base);
    cfg.data_dir = data;
    cfg.roots = roots;
    uuid_new(&src.id);
    return 0;
}

static int teardown(void **state)
{
    char command[PATH_MAX + 16];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", base);
    return system(command) == 0 ? 0 : 1;
}

/* The one value of a statement on the source's store, as text. */
static char *ask(const char *sql)
{
    static char out[4096];
    struct zone *z = NULL;
    sqlite3_stmt *st = NULL;
    assert_int_equal(zone_open(&z, cfg.data_dir, &src.id), ZONE_OK);
    assert_int_equal(sqlite3_prepare_v2(zone_handle(z), sql, -1, &st, NULL), SQLITE_OK);
    snprintf(out, sizeof out, "%s",
             sqlite3_step(st) == SQLITE_ROW && sqlite3_column_text(st, 0)
                 ? (const char *)sqlite3_column_text(st, 0)
                 : "-");
    sqlite3_finalize(st);
    zone_close(&z);
    return out;
}

static const char *reason(const char *path)
{
    static char out[300];
    struct zone *z = NULL;
    assert_int_equal(files_store_open(&z, cfg.data_dir, &src.id), ZONE_OK);
    json_t *item = files_store_item(z, path);
    const char *why = json_string_value(json_object_get(item, "reason"));
    snprintf(out, sizeof out, "%s", !item ? "unknown" : why ? why : "ok");
    json_decref(item);
    zone_close(&z);
    return out;
}

static void roots_are_checked(void **state)
{
    struct files_config c = cfg;
    char text[3 * PATH_MAX];
    (void)state;
    assert_null(files_check_roots(&c));
    static const char *const bad[] = {"in", "in=relative", "=/x", "In=/tmp", "in=/nowhere/at/all"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        c.roots = bad[i];
        assert_non_null(files_check_roots(&c));
    }
    snprintf(text, sizeof text, "in=%s", base); /* holds the platform's own folder */
    c.roots = text;
    assert_non_null(files_check_roots(&c));
    snprintf(text, sizeof text, "in=%s/keys", cfg.data_dir);
    assert_int_equal(mkdir(text + 3, 0700), 0);
    assert_non_null(files_check_roots(&c));
    c.roots = "";
    assert_null(files_check_roots(&c));
    c.roots = "all=/";
    assert_non_null(files_check_roots(&c));
}

static void no_path_leaves_the_folder(void **state)
{
    static const char *const paths[] = {"../platform", "a/../../x", "/etc/passwd", "./a",
                                        ".hidden",     "",          "a//b",        "link/passwd",
                                        "link",        "file"};
    char path[PATH_MAX];
    int fd = -1, root;
    (void)state;
    path_of("link", path);
    assert_int_equal(symlink("/etc", path), 0);
    path_of("file", path);
    assert_int_equal(symlink("/etc/hostname", path), 0);
    root = files_root(&cfg, &src);
    assert_true(root >= 0);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        assert_int_not_equal(files_open(root, paths[i], &fd), FILES_OK);
        assert_int_equal(fd, -1);
    }
    close(root);
    static const char *const folders[] = {"in/..", "in/link", "out", "in/.", "in//"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        struct files_source s = src;
        s.folder = folders[i];
        assert_int_equal(files_root(&cfg, &s), -1);
    }
}

/* What somebody else does to a file in the middle of our reading it. */
static void (*meddle)(const char *path);
static char meddled[PATH_MAX];
ssize_t __real_read(int fd, void *p, size_t n);
ssize_t __wrap_read(int fd, void *p, size_t n);

ssize_t __wrap_read(int fd, void *p, size_t n)
{
    ssize_t done = __real_read(fd, p, n);
    if (meddle)
        meddle(meddled);
    meddle = NULL;
    return done;
}

static void grow(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "2\n", 2), 2);
    close(fd);
}

static void shrink(const char *path)
{
    assert_int_equal(truncate(path, 100000), 0);
}

static void rewrite(const char *path)
{
    int fd = open(path, O_WRONLY);
    assert_int_equal(write(fd, "b", 1), 1);
    close(fd);
}

static void what_changes_while_it_is_read_is_not_taken(void **state)
{
    static void (*const changes[])(const char *path) = {grow, shrink, rewrite};
    static char text[300000];
    (void)state;
    memset(text, '1', sizeof text);
    for (size_t i = 1; i < sizeof text; i += 2)
        text[i] = '\n';
    text[0] = 'a';
    path_of("moves.csv", meddled);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        write_bytes("moves.csv", text, sizeof text);
        meddle = changes[i];
        assert_true(files_take_all(&cfg, &src));
        assert_null(meddle);
        assert_string_equal(reason("moves.csv"), "changed-while-read");
        assert_true(files_take_all(&cfg, &src)); /* at rest */
        assert_string_equal(reason("moves.csv"), "ok");
    }
    unlink(meddled);
}

static void types_are_those_all_values_have(void **state)
{
    (void)state;
    write_text("types.csv", "i,n,zero,plus,big,day,time,zone,flag,mix,none\n"
                            "1,1.5,01,+1,1234567890123456789,2026-01-02,2026-01-02T03:04:05,2026-"
                            "01-02T03:04:05Z,true,1,\n"
                            "-2,3,1,1,1,2026-12-31,2026-01-02 03:04:06,x,false,x,\n");
    write_text("types.ndjson", "{\"s\":\"1\",\"n\":1.25,\"b\":true,\"o\":{\"a\":1},\"m\":[1]}\n"
                               "{\"s\":\"2\",\"n\":-7,\"b\":null,\"o\":{},\"m\":\"x\"}\n");
    write_text("names.csv", "a,A,,\"x\"\"y\",sqlite_z\n1,2,3,4,5\n");
    assert_true(files_take_all(&cfg, &src));
    assert_string_equal(
        ask("SELECT group_concat(name || ' ' || type) FROM pragma_table_info('types.csv')"),
        "i bigint,n numeric,zero varchar(4000),plus varchar(4000),big varchar(4000),day date,"
        "time timestamp,zone varchar(4000),flag boolean,mix varchar(4000),none varchar(4000)");
    assert_string_equal(ask("SELECT zero || time || ifnull(none, 'null') FROM \"types.csv\""),
                        "012026-01-02 03:04:05null");
    assert_string_equal(
        ask("SELECT group_concat(name || ' ' || type) FROM pragma_table_info('types.ndjson')"),
        "s varchar(4000),n numeric,b boolean,o json_text,m varchar(4000)");
    assert_string_equal(ask("SELECT group_concat(name) FROM pragma_table_info('names.csv')"),
                        "a,A_2,column_3,x_y,xsqlite_z");
}

static void encodings_are_found_or_said(void **state)
{
    static const char gb[] = "\xc6\xb7\xc3\xfb\n\xb2\xe8\n"; /* 品名, 茶 */
    static const char wide[] = "\xff\xfe"
                               "a\0\n\0"
                               "\x36\x83\n\0"; /* a, 茶 */
    (void)state;
    write_bytes("gb.csv", gb, sizeof gb - 1);
    write_bytes("wide.csv", wide, sizeof wide - 1);
    write_text("mark.csv", "\xef\xbb\xbf"
                           "a\n1\n");
    write_text("nul.ndjson", "{\"a\":1}\n");
    write_bytes("nul.csv", "a\n1\0\n", 5);
    write_bytes("half.csv", "a\n\xb2\xe8\n\xb2", 6);
    assert_true(files_take_all(&cfg, &src));
    assert_string_equal(ask("SELECT \"\xe5\x93\x81\xe5\x90\x8d\" FROM \"gb.csv\""), "\xe8\x8c\xb6");
    assert_string_equal(ask("SELECT a FROM \"wide.csv\""), "\xe8\x8c\xb6");
    assert_string_equal(ask("SELECT a FROM \"mark.csv\""), "1");
    assert_string_equal(reason("nul.csv"), "type-mismatch");
    assert_string_equal(reason("half.csv"), "encoding");
    struct files_source declared = src;
    declared.encoding = "utf-8";
    write_bytes("gb.csv", gb, sizeof gb - 2);
    assert_true(files_take_all(&cfg, &declared));
    assert_string_equal(reason("gb.csv"), "encoding");
    assert_string_equal(ask("SELECT \"\xe5\x93\x81\xe5\x90\x8d\" FROM \"gb.csv\""), "\xe8\x8c\xb6");
}

/* Dies again and again while versions are loaded; each look finds one of them whole. */
static void a_death_leaves_the_old_or_the_new(void **state)
{
    static char text[200000];
    char last[16] = "0";
    (void)state;
    for (int version = 0; version < 12; version++) {
        size_t n = (size_t)snprintf(text, sizeof text, "v,w\n");
        for (int i = 0; i < 4000; i++)
            n += (size_t)snprintf(text + n, sizeof text - n, "%d,%d\n", version, i);
        write_bytes("versions.csv", text, n);
        pid_t child = fork();
        if (child == 0)
            _exit(files_take_all(&cfg, &src) ? 0 : 1);
        if (version % 3 == 0) {
            waitpid(child, NULL, 0);
        } else {
            usleep((useconds_t)(version * 4000));
            kill(child, SIGKILL);
            waitpid(child, NULL, 0);
        }
        assert_string_equal(
            ask("SELECT count(DISTINCT v) || ' ' || count(*) FROM \"versions.csv\""), "1 4000");
        const char *now = ask("SELECT min(v) FROM \"versions.csv\"");
        assert_true(atoi(now) >= atoi(last) && atoi(now) <= version);
        snprintf(last, sizeof last, "%s", now);
    }
    assert_true(files_take_all(&cfg, &src));
    assert_string_equal(ask("SELECT min(v) FROM \"versions.csv\""), "11");
    assert_string_equal(ask("SELECT count(*) FROM sqlite_master WHERE name = '_sluice_stage'"),
                        "0");
}

static void documents_come_and_go_with_their_bytes(void **state)
{
    static const char pdf[] = "%PDF-1.7\nx\n%%EOF\n";
    char path[PATH_MAX], kept[2 * PATH_MAX], id[33];
    (void)state;
    write_bytes("a.pdf", pdf, sizeof pdf - 1);
    write_bytes("same.pdf", pdf, sizeof pdf - 1);
    assert_true(files_take_all(&cfg, &src));
    files_id(&src.id, "a.pdf", id);
    assert_string_equal(ask("SELECT id FROM documents WHERE path = 'a.pdf'"), id);
    char text[UUID_TEXT_LEN + 1];
    uuid_format(&src.id, text);
    snprintf(kept, sizeof kept, "%s/" FILES_FOLDER "/%s/kept/%s", cfg.data_dir, text,
             ask("SELECT sm3 FROM documents WHERE path = 'a.pdf'"));
    assert_int_equal(access(kept, R_OK), 0);
    path_of("a.pdf", path);
    unlink(path);
    assert_true(files_take_all(&cfg, &src));
    assert_string_equal(ask("SELECT count(*) FROM documents WHERE path = 'a.pdf'"), "0");
    assert_int_equal(access(kept, R_OK), 0); /* the other has the same */
    path_of("same.pdf", path);
    unlink(path);
    assert_true(files_take_all(&cfg, &src));
    assert_int_not_equal(access(kept, R_OK), 0);
    /* A folder that is away is no empty one. */
    write_bytes("b.pdf", pdf, sizeof pdf - 1);
    assert_true(files_take_all(&cfg, &src));
    struct files_source gone = src;
    gone.folder = "in/nowhere";
    assert_false(files_take_all(&cfg, &gone));
    assert_string_equal(ask("SELECT count(*) FROM documents WHERE path = 'b.pdf'"), "1");
}

static void files_are_handed_in_piece_by_piece(void **state)
{
    const char *why = NULL;
    struct files *f = files_start(&cfg, &why);
    struct files_source handed = {.folder = "", .encoding = ""};
    (void)state;
    uuid_new(&handed.id);
    assert_non_null(f);
    assert_int_equal(files_check(f, &handed), PROBLEM_OK);
    static const char *const bad[] = {"", "../a.csv", "a/b.csv", ".a.csv", "a\nb.csv"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(files_put(f, &handed.id, bad[i], 0, SLICE("a"), true),
                         PROBLEM_BODY_MALFORMED);
    assert_int_equal(files_put(f, &handed.id, "a.csv", 0, SLICE("a\n"), false), PROBLEM_OK);
    assert_int_equal(files_put(f, &handed.id, "a.csv", 3, SLICE("1\n"), true),
                     PROBLEM_STATE_CONFLICT);
    assert_true(files_take_all(&cfg, &handed));
    src.id = handed.id;
    assert_string_equal(ask("SELECT count(*) FROM _sluice_files"), "0"); /* half of one is none */
    for (int i = 0; i < 2; i++) /* once more, as after a death: it is one piece */
        assert_int_equal(files_put(f, &handed.id, "a.csv", 2, SLICE("1\n"), false), PROBLEM_OK);
    assert_int_equal(files_put(f, &handed.id, "a.csv", 4, SLICE("2\n"), true), PROBLEM_OK);
    assert_true(files_take_all(&cfg, &handed));
    assert_string_equal(ask("SELECT group_concat(a) FROM \"a.csv\""), "1,2");
    assert_int_equal(files_drop(f, &handed.id), PROBLEM_OK);
    files_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_are_checked),
        cmocka_unit_test(no_path_leaves_the_folder),
        cmocka_unit_test(what_changes_while_it_is_read_is_not_taken),
        cmocka_unit_test(types_are_those_all_values_have),
        cmocka_unit_test(encodings_are_found_or_said),
        cmocka_unit_test(a_death_leaves_the_old_or_the_new),
        cmocka_unit_test(documents_come_and_go_with_their_bytes),
        cmocka_unit_test(files_are_handed_in_piece_by_piece),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
