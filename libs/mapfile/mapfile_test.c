/* SPDX-License-Identifier: Apache-2.0 */
/* The file, its owners and its clock. Locks of dead and stopped holders: libs/limit's tests. */
#include "mapfile/mapfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char dir[] = "/tmp/sluice-mapfile-XXXXXX";
static char path[64];
static const char magic[MAPFILE_MAGIC_LEN] = "SLUTEST1";

static int no_file(void **unused)
{
    (void)unused;
    unlink(path);
    return 0;
}

static void made_whole(void **unused)
{
    struct mapfile one, two;
    struct stat st;
    (void)unused;
    assert_int_equal(mapfile_open(&one, path, magic, 10000), MAPFILE_OK);
    assert_int_equal(mapfile_open(&two, path, magic, 999), MAPFILE_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, MAPFILE_HEAD_BYTES + 10000);
    assert_int_equal(two.body_bytes, 10000);
    assert_int_equal(two.seed, one.seed);
    ((char *)one.body)[9999] = 'x';
    assert_int_equal(((char *)two.body)[9999], 'x');
    mapfile_close(&one);
    mapfile_close(&two);
    mapfile_close(&two); /* no harm */
}

static void foreign_files(void **unused)
{
    static const struct {
        off_t at;   /* of a byte that is flipped; -1: none */
        off_t size; /* 0: as it is */
    } rows[] = {
        {0, 0}, {7, 0}, {8, 0}, {16, 0}, {24, 0}, {-1, 4096}, {-1, 1}, {-1, 8191}, {-1, 8193},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mapfile m, untouched;
        memset(&m, '?', sizeof m);
        memcpy(&untouched, &m, sizeof m);
        struct mapfile made;
        unlink(path);
        assert_int_equal(mapfile_open(&made, path, magic, 4096), MAPFILE_OK);
        mapfile_close(&made);
        int fd = open(path, O_RDWR);
        char byte = 0;
        if (rows[i].at >= 0) {
            assert_int_equal(pread(fd, &byte, 1, rows[i].at), 1);
            byte ^= 1;
            assert_int_equal(pwrite(fd, &byte, 1, rows[i].at), 1);
        }
        assert_int_equal(rows[i].size != 0 ? ftruncate(fd, rows[i].size) : 0, 0);
        close(fd);
        assert_int_equal(mapfile_open(&m, path, magic, 4096), MAPFILE_EFORMAT);
        assert_memory_equal(&m, &untouched, sizeof m);
    }
    struct mapfile m;
    assert_int_equal(mapfile_open(&m, "/dev/null", magic, 4096), MAPFILE_EFORMAT);
    assert_int_equal(mapfile_open(&m, dir, magic, 4096), MAPFILE_EIO);
    assert_int_equal(mapfile_open(&m, "/tmp/no/such/place", magic, 4096), MAPFILE_EIO);
    assert_int_equal(errno, ENOENT);
    for (int i = 0; i <= MAPFILE_EOWNERS + 1; i++) {
        assert_true(strlen(mapfile_strerror((enum mapfile_err)i)) > 5);
    }
}

static void owners(void **unused)
{
    struct mapfile m, other;
    unsigned seen;
    (void)unused;
    assert_int_equal(mapfile_open(&m, path, magic, 4096), MAPFILE_OK);
    assert_int_equal(mapfile_join(&m), MAPFILE_OK);
    seen = m.owner;
    assert_false(mapfile_owner_is_dead(&m, seen));
    pid_t pid = fork();
    if (pid == 0) {
        _exit(mapfile_open(&other, path, magic, 0) == MAPFILE_OK &&
                      mapfile_join(&other) == MAPFILE_OK
                  ? (int)other.owner
                  : 99);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), seen + 1);
    assert_true(mapfile_owner_is_dead(&m, seen + 1));
    assert_false(mapfile_owner_is_dead(&m, seen + 2)); /* nobody's */
    mapfile_owner_free(&m, seen + 1);
    assert_false(mapfile_owner_is_dead(&m, seen + 1));
    assert_int_equal(mapfile_open(&other, path, magic, 0), MAPFILE_OK);
    assert_int_equal(mapfile_join(&other), MAPFILE_OK);
    seen = other.owner;
    mapfile_close(&other); /* one that left is as dead */
    assert_true(mapfile_owner_is_dead(&m, seen));
    mapfile_close(&m);
}

static void owners_run_out(void **unused)
{
    static struct mapfile all[MAPFILE_OWNERS + 1];
    (void)unused;
    for (int i = 0; i <= MAPFILE_OWNERS; i++) {
        assert_int_equal(mapfile_open(&all[i], path, magic, 4096), MAPFILE_OK);
        assert_int_equal(mapfile_join(&all[i]), i < MAPFILE_OWNERS ? MAPFILE_OK : MAPFILE_EOWNERS);
    }
    for (int i = 0; i <= MAPFILE_OWNERS; i++) {
        mapfile_close(&all[i]);
    }
}

/* As after a reboot: the boot in the head is another's. Offsets: see struct mapfile_head. */
static void reboot(uint64_t kept_us)
{
    uint64_t words[3] = {12345, 0, kept_us};
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, words, sizeof words, 64), sizeof words);
    close(fd);
}

static void the_clock(void **unused)
{
    struct mapfile m;
    uint64_t wall_us = (uint64_t)time(NULL) * 1000000, day_us = UINT64_C(86400000000);
    (void)unused;
    assert_int_equal(mapfile_open(&m, path, magic, 4096), MAPFILE_OK);
    assert_in_range(mapfile_now_us(&m), wall_us, wall_us + 60000000);
    uint64_t once = mapfile_now_us(&m);
    assert_true(mapfile_now_us(&m) >= once);
    mapfile_keep_time(&m);
    mapfile_close(&m);
    reboot(wall_us - day_us); /* a day switched off */
    assert_int_equal(mapfile_open(&m, path, magic, 4096), MAPFILE_OK);
    assert_in_range(mapfile_now_us(&m), wall_us, wall_us + 60000000);
    mapfile_close(&m);
    reboot(wall_us + day_us); /* the wall clock went back a day meanwhile */
    assert_int_equal(mapfile_open(&m, path, magic, 4096), MAPFILE_OK);
    assert_in_range(mapfile_now_us(&m), wall_us + day_us, wall_us + day_us + 60000000);
    mapfile_close(&m);
}

/* A pid alone is no name: the start time and the boot count too. */
static void a_reused_pid_is_another(void **unused)
{
    struct mapfile m;
    _Atomic uint64_t word;
    (void)unused;
    assert_int_equal(mapfile_open(&m, path, magic, 4096), MAPFILE_OK);
    atomic_init(&word, m.token ^ 1); /* our pid, started at another time */
    assert_int_equal(mapfile_lock(&m, &word), MAPFILE_TAKEN_OVER);
    mapfile_unlock(&word);
    assert_int_equal(mapfile_lock(&m, &word), MAPFILE_LOCKED);
    assert_int_equal(mapfile_lock(&m, &word), MAPFILE_BUSY); /* ours, and we live */
    mapfile_close(&m);
}

static uint64_t counter;
static _Atomic uint64_t word;

static void *count(void *m)
{
    for (int i = 0; i < 100000; i++) {
        if (mapfile_lock(m, &word) != MAPFILE_LOCKED) {
            return m;
        }
        counter++;
        mapfile_unlock(&word);
    }
    return NULL;
}

static void locks_exclude(void **unused)
{
    struct mapfile m;
    pthread_t ids[3];
    void *failed;
    (void)unused;
    assert_int_equal(mapfile_open(&m, path, magic, 4096), MAPFILE_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&ids[i], NULL, count, &m), 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(ids[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(counter, 300000);
    mapfile_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"a new file is whole, private and shared", made_whole, no_file, NULL},
        {"a foreign or damaged file is refused", foreign_files, no_file, NULL},
        {"an owner is dead when its process is or has left", owners, no_file, NULL},
        {"owners run out at 256", owners_run_out, no_file, NULL},
        {"the clock never goes back, over reboots as well", the_clock, no_file, NULL},
        {"a lock of a process whose pid was reused is taken over", a_reused_pid_is_another, no_file,
         NULL},
        {"locks exclude threads", locks_exclude, no_file, NULL},
    };
    if (mkdtemp(dir) == NULL) {
        return 1;
    }
    snprintf(path, sizeof path, "%s/file", dir);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    rmdir(dir);
    return failed;
}
