/* SPDX-License-Identifier: Apache-2.0 */
/* Split at every ';', quoted or not: wherever a driver sees an attribute begin, so do we, and what
 * we see beside that is refused at worst. */
#include "data/sources/connection.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "data/sources/attributes.h"

/* Attributes that load code, run a program or a statement, write a file or read one; an operator
 * who needs one sets it in odbc.ini and gives the provider the DSN. */
static const char *const refused_names[] = {
    "FILEDSN", "SAVEFILE",     "ILDAPI",                           /* the driver manager's */
    "LOADEXT", "TRACEFILE",    "NOCREAT",                          /* SQLite's */
    "PQOPT",   "CONNSETTINGS", "LOGDIR",  "DEBUG",      "COMMLOG", /* PostgreSQL's */
    "B2",      "B3",           "A6",      "INITSTMT",   "PLUGIN_DIR",    "USE_MYCNF",
    "SSLKEY",  "SSLCERT", /* MariaDB's */
    "SSLCA",   "SSLCAPATH",    "SSLCRL",  "SSLCRLPATH", "LOGFILE",       "DUMPFILE",
    "OPTION",  "OPTIONS",      "TRACE",   "SERVERKEY",  "TLSPEERFPLIST",
};

static const char *const database_names[] = {"DATABASE", "DB", "DBNAME"};
static const char *const driver_names[] = {"DRIVER", "DSN"};

static bool same_name(struct slice a, const char *b)
{
    return a.n == strlen(b) && strncasecmp(a.p, b, a.n) == 0;
}

#define NAMED(name, list) is_one_of(name, list, sizeof(list) / sizeof *(list))
static bool is_one_of(struct slice name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (same_name(name, list[i]))
            return true;
    return false;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Cuts the last component off; false when none is left. */
static bool to_parent(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash || (slash == path && slash[1] == '\0'))
        return false;
    slash[slash == path] = '\0';
    return true;
}

/* Folders are compared by device and inode: another spelling, a link or a second mount of the data
 * directory is the data directory. What does not exist is judged by the folder it would be in. */
static bool is_platform_file(const char *path, const char *data_dir)
{
    char at[PATH_MAX], demo_path[PATH_MAX], looked[CONNECTION_MAX + 1];
    struct stat data, demo, here;
    if ((size_t)snprintf(demo_path, sizeof demo_path, "%s/demo", data_dir) >= sizeof demo_path ||
        stat(data_dir, &data) != 0)
        return true;
    bool has_demo = lstat(demo_path, &demo) == 0 && S_ISDIR(demo.st_mode);
    strcpy(looked, path);
    while (!realpath(looked, at))
        if (!to_parent(looked))
            return false;
    do {
        if (stat(at, &here) != 0)
            continue;
        if (has_demo && same_file(&here, &demo))
            return false;
        if (same_file(&here, &data))
            return true;
    } while (to_parent(at));
    return false;
}

/* A value as it stands or without its quotes: which of them a driver opens is the driver's affair.
 */
static bool value_keeps_away(struct slice value, const char *data_dir)
{
    char path[CONNECTION_MAX + 1], resolved[PATH_MAX];
    memcpy(path, value.p, value.n);
    path[value.n] = '\0';
    if (strncasecmp(path, "file:", 5) == 0)
        return false;
    if (path[0] != '/' && !realpath(path, resolved))
        return true;
    return value.n == 0 || !is_platform_file(path[0] == '/' ? path : resolved, data_dir);
}

/* No empty, "." or ".." component: SQLite resolves those by its own rules, where a folder before
 * ".." need not exist. */
static bool is_plain_path(struct slice path)
{
    size_t start = 1;
    for (size_t i = 1; i <= path.n; i++) {
        if (i < path.n && path.p[i] != '/')
            continue;
        struct slice part = slice_of(path.p + start, i - start);
        if (part.n == 0 || slice_eq(part, SLICE(".")) || slice_eq(part, SLICE("..")))
            return false;
        start = i + 1;
    }
    return true;
}

static bool database_allowed(struct slice value, bool sqlite)
{
    if (value.n && value.p[0] == '/')
        return is_plain_path(value);
    return !sqlite && !memchr(value.p, '/', value.n) && !memchr(value.p, '=', value.n);
}

static bool attribute_allowed(const struct attribute *a, bool sqlite, const char *data_dir)
{
    if (!a->name.p || NAMED(a->name, refused_names))
        return false;
    if (NAMED(a->name, driver_names))
        return memchr(a->value.p, '/', a->value.n) == NULL;
    if (NAMED(a->name, database_names) && !database_allowed(a->value, sqlite))
        return false;
    return value_keeps_away(a->value, data_dir) &&
           value_keeps_away(attribute_unquoted(a->value), data_dir);
}

/* As a driver's name or a DSN's says; odbc.c adds what SQLite's driver needs by the same sign. */
static bool is_sqlite(struct slice rest)
{
    struct attribute a;
    while (attribute_next(&rest, &a))
        for (size_t i = 0; i + 6 <= a.value.n && NAMED(a.name, driver_names); i++)
            if (strncasecmp(a.value.p + i, "sqlite", 6) == 0)
                return true;
    return false;
}

bool connection_allowed(struct slice connection, const char *data_dir)
{
    struct attribute a;
    bool driver = false, sqlite;
    if (connection.n == 0 || connection.n > CONNECTION_MAX)
        return false;
    for (size_t i = 0; i < connection.n; i++)
        if ((unsigned char)connection.p[i] < ' ')
            return false;
    sqlite = is_sqlite(connection);
    while (attribute_next(&connection, &a)) {
        if (!attribute_allowed(&a, sqlite, data_dir))
            return false;
        driver = driver || NAMED(a.name, driver_names);
    }
    return driver;
}
