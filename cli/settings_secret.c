/* SPDX-License-Identifier: Apache-2.0 */
/* Settings are copied, mailed and kept in version control; what is in them is known. So the file is
 * looked at before it is parsed, and a secret is refused even in a comment or under an unknown key.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "settings.h"

#define LINE_ROOM 4096

/* Of the key of a line, '-' as '_'; `_file` after it makes it the name of a place. */
static const char *const words[] = {"secret", "password", "passphrase", "private_key", "passwd"};

static bool names_secret(const char *line)
{
    char key[64] = "";
    size_t n = 0;

    line += strspn(line, " \t#-");
    for (; n < sizeof key - 1 && (isalnum((unsigned char)line[n]) || strchr("_-", line[n])); n++) {
        if (line[n] == '\0') {
            break;
        }
        key[n] = (char)(line[n] == '-' ? '_' : tolower((unsigned char)line[n]));
    }
    if (line[n] != ':' || (n > 5 && strcmp(key + n - 5, "_file") == 0)) {
        return false;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strstr(key, words[i])) {
            return true;
        }
    }
    return false;
}

bool settings_without_secret(const char *path)
{
    FILE *f = fopen(path, "re");
    char line[LINE_ROOM];
    unsigned number = 0;
    bool clean = true;

    if (f == NULL) {
        return true; /* who reads the file next says why it cannot be read */
    }
    while (clean && fgets(line, sizeof line, f) != NULL) {
        number++;
        clean = !names_secret(line) && strstr(line, "PRIVATE KEY-----") == NULL;
    }
    fclose(f);
    explicit_bzero(line, sizeof line);
    if (!clean) {
        fprintf(stderr,
                "sluice: %s: line %u: secrets do not belong in a settings file; take it out, count "
                "it as given away and see docs/credentials.md for where it goes\n",
                path, number);
    }
    return clean;
}
