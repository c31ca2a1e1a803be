/* SPDX-License-Identifier: Apache-2.0 */
/* The input is a definition, a NUL and a scope. What compiles must evaluate on any scope. */
#include <stdlib.h>

#include "graph/graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void evaluate(const struct graph *g, const json_t *scope)
{
    struct buf out;
    buf_init(&out);
    for (uint32_t i = 0; i < g->n_steps; i++) {
        buf_clear(&out);
        if (graph_target(&g->steps[i], scope, &out) == GRAPH_TEXT_OK)
            for (size_t k = 0; k < out.n; k++)
                if (out.p[k] <= 0x20 || out.p[k] == 0x7f)
                    abort(); /* a target has nothing that ends a request line */
    }
    json_t *value = graph_map(g->output, scope);
    buf_clear(&out);
    if (value && graph_write(value, 4096, &out) && out.n > 4096)
        abort();
    json_decref(value);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *nul = size ? memchr(text, '\0', size) : NULL;
    size_t n = nul ? (size_t)(nul - text) : size;
    struct graph_error error;
    json_t *definition = json_loadb(text, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    json_t *scope =
        nul ? json_loadb(nul + 1, size - n - 1, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;
    struct graph *g = definition ? graph_new(definition, &error) : NULL;
    if (g)
        evaluate(g, scope);
    graph_free(&g);
    json_decref(definition);
    json_decref(scope);
    return 0;
}
