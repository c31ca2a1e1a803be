/* SPDX-License-Identifier: Apache-2.0 */
/* For measuring precision and recall: reads lines `column <TAB> value` from stdin, lines of a
 * column together, and writes for each value `v <TAB> rules that its own form proves`, then for
 * each column `c <TAB> name <TAB> rules found <TAB> confidence`. */
#include <stdio.h>
#include <stdlib.h>

#include "detect/detect.h"

static void print_value(struct detect *d, struct slice value)
{
    struct detect_column one = {0};

    detect_value(d, &one, value);
    printf("v\t");
    for (size_t i = 0; i < detect_rules_n; i++) {
        if (one.votes[i].valid || one.votes[i].inside)
            printf("%s ", detect_rules[i].name);
    }
    printf("\n");
}

static void print_column(const char *name, const struct detect_column *column)
{
    struct detect_finding f[DETECT_BUILT_IN];
    size_t n = detect_judge(column, slice_str(name), SLICE(""), f, DETECT_BUILT_IN);

    printf("c\t%s\t", name);
    for (size_t i = 0; i < n; i++)
        printf("%s=%.2f ", detect_rules[f[i].rule].name, f[i].confidence);
    printf("\n");
}

int main(void)
{
    static char line[1 << 16], name[256];
    static struct detect_column column;
    struct detect *d = NULL;
    struct detect_error err;
    size_t bad;

    if (detect_new(&d, NULL, 0, &bad, &err))
        return 1;
    while (fgets(line, sizeof line, stdin)) {
        char *value = strchr(line, '\t');
        line[strcspn(line, "\n")] = '\0';
        if (!value)
            continue;
        *value++ = '\0';
        if (strcmp(name, line) != 0) {
            if (name[0])
                print_column(name, &column);
            snprintf(name, sizeof name, "%.255s", line);
            column = (struct detect_column){0};
        }
        detect_value(d, &column, slice_str(value));
        print_value(d, slice_str(value));
    }
    if (name[0])
        print_column(name, &column);
    detect_free(&d);
    return 0;
}
