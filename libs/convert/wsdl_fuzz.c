/* SPDX-License-Identifier: Apache-2.0 */
/* What is taken compiles, and its own WSDL can be made or is refused with a reason. */
#include <stdlib.h>

#include "convert/convert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *d = NULL;
    struct convert *c = NULL;
    struct convert_error e = {0};
    struct buf out;
    enum convert_err err = convert_from_wsdl(slice_of((const char *)data, size), NULL, &d, &e);
    if (err != CONVERT_OK) {
        if (d != NULL || e.text == NULL) {
            abort();
        }
        return 0;
    }
    if (convert_compile(d, &c, &e) != CONVERT_OK) {
        abort();
    }
    convert_free(&c);
    json_t *ops = json_object_get(d, "operations"), *op;
    size_t i;
    json_array_foreach(ops, i, op)
    {
        (void)json_object_set_new(op, "client", json_pack("[s]", "soap11"));
    }
    buf_init(&out);
    json_t *again = NULL;
    if (convert_wsdl_of(d, "S", "http://s/", true, &out, &e) == CONVERT_OK &&
        convert_from_wsdl(buf_slice(&out), NULL, &again, &e) != CONVERT_OK &&
        e.code != CONVERT_EUNSUPPORTED) {
        abort();
    }
    json_decref(again);
    buf_fini(&out);
    json_decref(d);
    return 0;
}
