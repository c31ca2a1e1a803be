/* SPDX-License-Identifier: Apache-2.0 */
/* How fast documents convert: about 1 MiB of synthetic declarations, JSON to XML and back, beside
 * libxml2's own parse and serialise of the same XML. Lines of `name value unit`; MB/s of the input
 * read, time on the processor, the median of the runs. */
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "convert/convert.h"

#define DOCUMENT_BYTES (1u << 20)
#define RUNS           21

static const char definition[] =
    "{\"version\":1,\"namespaces\":{\"c\":\"urn:example:customs\"},\"ns\":\"c\",\"operations\":[{"
    "\"name\":\"List\",\"method\":\"POST\",\"path\":\"/List\",\"upstream\":{\"form\":\"xml\"},"
    "\"request\":{\"name\":\"List\",\"type\":\"object\",\"elements\":[{\"name\":\"declaration\","
    "\"many\":true,\"type\":\"object\",\"attributes\":[{\"name\":\"id\",\"type\":\"integer\"}],"
    "\"elements\":[{\"name\":\"no\",\"type\":\"string\"},{\"name\":\"declarant\",\"type\":"
    "\"string\"},{\"name\":\"port\",\"type\":\"string\"},{\"name\":\"weight\",\"type\":\"decimal\"}"
    ","
    "{\"name\":\"cleared\",\"type\":\"boolean\"},{\"name\":\"at\",\"type\":\"dateTime\"},{\"name\":"
    "\"item\",\"many\":true,\"type\":\"object\",\"elements\":[{\"name\":\"code\",\"type\":"
    "\"string\"},{\"name\":\"title\",\"type\":\"string\"},{\"name\":\"count\",\"type\":\"integer\"}"
    "]}]}]}}]}";

static void make_document(struct buf *b)
{
    static const char *const goods[] = {"陈醋 500ml", "Notebook A5", "运动鞋 42", "USB cable 1m"};
    buf_adds(b, "{\"declaration\":[");
    for (unsigned i = 1; b->n < DOCUMENT_BYTES && !b->failed; i++) {
        buf_addf(
            b,
            "%s{\"@id\":%u,\"no\":\"D-2026-%08u\",\"declarant\":\"示例贸易有限公司 "
            "%u\",\"port\":\"太原"
            "\",\"weight\":%u.%02u,\"cleared\":%s,\"at\":\"2026-11-%02uT08:00:00Z\",\"item\":[",
            i > 1 ? "," : "", i, i, i % 977, i % 5000, i % 100, i % 3 != 0 ? "true" : "false",
            1 + i % 28);
        for (unsigned k = 0; k <= i % 3; k++) {
            buf_addf(b, "%s{\"code\":\"K%06u\",\"title\":\"%s\",\"count\":%u}", k > 0 ? "," : "",
                     i * 7 + k, goods[(i + k) % 4], 1 + k);
        }
        buf_adds(b, "]}");
    }
    buf_adds(b, "]}");
}

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct work {
    const struct convert_op *op;
    struct buf json, xml, out;
};

static bool to_xml(struct work *w)
{
    buf_clear(&w->out);
    return convert_to_xml(w->op, CONVERT_REQUEST, CONVERT_XML, buf_slice(&w->json), &w->out, NULL,
                          NULL) == CONVERT_OK;
}

static bool to_json(struct work *w)
{
    buf_clear(&w->out);
    return convert_to_json(w->op, CONVERT_REQUEST, CONVERT_XML, buf_slice(&w->xml), &w->out, NULL,
                           NULL) == CONVERT_OK;
}

static bool parse_serialise(struct work *w)
{
    xmlChar *text = NULL;
    int n = 0;
    xmlDoc *doc = xmlReadMemory(w->xml.p, (int)w->xml.n, NULL, NULL, XML_PARSE_NONET);
    if (doc == NULL) {
        return false;
    }
    xmlDocDumpMemory(doc, &text, &n);
    xmlFree(text);
    xmlFreeDoc(doc);
    return n > 0;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool measure(const char *name, bool (*run)(struct work *), struct work *w, size_t bytes)
{
    double speeds[RUNS];
    for (size_t i = 0; i < RUNS; i++) {
        double start = cpu_s();
        if (!run(w)) {
            fprintf(stderr, "convert_bench: %s failed\n", name);
            return false;
        }
        speeds[i] = (double)bytes / 1e6 / (cpu_s() - start);
    }
    qsort(speeds, RUNS, sizeof *speeds, by_size);
    printf("%s %.1f MB/s\n", name, speeds[RUNS / 2]);
    return true;
}

static bool measure_all(struct work *w)
{
    if (!to_xml(w)) {
        return false;
    }
    buf_add(&w->xml, w->out.p, w->out.n);
    bool good = measure("convert_json_to_xml", to_xml, w, w->json.n) &&
                measure("convert_xml_to_json", to_json, w, w->xml.n);
    good = good && w->out.n == w->json.n && memcmp(w->out.p, w->json.p, w->out.n) == 0;
    return good && measure("libxml2_parse_serialise", parse_serialise, w, w->xml.n);
}

int main(void)
{
    struct convert *c = NULL;
    struct work w = {0};
    json_t *d = json_loads(definition, 0, NULL);
    if (d == NULL || convert_compile(d, &c, NULL) != CONVERT_OK) {
        return 1;
    }
    w.op = convert_find(c, SLICE("POST"), SLICE("/List"));
    make_document(&w.json);
    bool good = measure_all(&w);
    if (good) {
        printf("convert_json_bytes %zu bytes\nconvert_xml_bytes %zu bytes\n", w.json.n, w.xml.n);
    }
    buf_fini(&w.json);
    buf_fini(&w.xml);
    buf_fini(&w.out);
    json_decref(d);
    convert_free(&c);
    return good ? 0 : 1;
}
