/* SPDX-License-Identifier: Apache-2.0 */
/* libcyaml forgets where a value stood once it has taken it; libyaml's document still knows. */
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "settings.h"

/* The value of a key of a mapping. NULL: it has no such key, or is no mapping. */
static yaml_node_t *member(yaml_document_t *doc, yaml_node_t *map, const char *name, size_t n,
                           size_t *line)
{
    if (map == NULL || map->type != YAML_MAPPING_NODE) {
        return NULL;
    }
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top;
         p++) {
        const yaml_node_t *key = yaml_document_get_node(doc, p->key);
        if (key != NULL && key->type == YAML_SCALAR_NODE && key->data.scalar.length == n &&
            memcmp(key->data.scalar.value, name, n) == 0) {
            *line = key->start_mark.line + 1;
            return yaml_document_get_node(doc, p->value);
        }
    }
    return NULL;
}

static size_t line_in(yaml_document_t *doc, const char *key)
{
    yaml_node_t *at = yaml_document_get_root_node(doc);
    size_t line = 0;
    while (at != NULL && *key != '\0') {
        size_t n = strcspn(key, ".");
        at = member(doc, at, key, n, &line);
        key += n + (key[n] == '.');
    }
    return at == NULL ? 0 : line;
}

/* 0: the file does not have the key. */
static size_t line_of(const char *path, const char *key)
{
    yaml_parser_t parser;
    yaml_document_t doc;
    size_t line = 0;
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return 0;
    }
    if (yaml_parser_initialize(&parser)) {
        yaml_parser_set_input_file(&parser, f);
        if (yaml_parser_load(&parser, &doc)) {
            line = line_in(&doc, key);
            yaml_document_delete(&doc);
        }
        yaml_parser_delete(&parser);
    }
    fclose(f);
    return line;
}

void settings_complain(const struct settings *s, const char *key, const char *text)
{
    size_t line = s->config[0] == '\0' || key == NULL ? 0 : line_of(s->config, key);
    fputs("sluice: ", stderr);
    if (line != 0) {
        fprintf(stderr, "%s: line %zu: ", s->config, line);
    }
    if (key != NULL) {
        fprintf(stderr, "%s: ", key);
    }
    fprintf(stderr, "%s\n", text);
}
