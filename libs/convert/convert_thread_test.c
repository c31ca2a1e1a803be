/* SPDX-License-Identifier: Apache-2.0 */
/* One compiled definition, four threads; run it under TSan. */
#include "convert/convert.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <pthread.h>

#include "convert/convert_testing.h"

static const char document[] = "{\"@id\":\"1\",\"no\":\"n\",\"items\":[{\"code\":\"k\",\"qty\":1}],"
                               "\"fee\":{\"@currency\":\"CNY\",\"#text\":1.10}}";

static void *work(void *arg)
{
    const struct convert_op *op = convert_find(arg, SLICE("POST"), SLICE("/Declare"));
    struct buf xml, json;
    struct convert_error e;
    bool good = op != NULL;
    buf_init(&xml);
    buf_init(&json);
    for (int i = 0; good && i < 300; i++) {
        buf_clear(&xml);
        buf_clear(&json);
        good = convert_to_xml(op, CONVERT_REQUEST, CONVERT_SOAP11, SLICE(document), &xml, NULL,
                              &e) == CONVERT_OK &&
               convert_to_json(op, CONVERT_REQUEST, CONVERT_SOAP11, buf_slice(&xml), &json, NULL,
                               &e) == CONVERT_OK &&
               slice_eq(buf_slice(&json), SLICE(document));
    }
    buf_fini(&xml);
    buf_fini(&json);
    return good ? arg : NULL;
}

static void threads_share(void **state)
{
    (void)state;
    struct convert *c = NULL;
    pthread_t threads[4];
    json_t *d = testing_json(testing_definition);
    assert_int_equal(convert_compile(d, &c, NULL), CONVERT_OK);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, work, c), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *result = NULL;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, c);
    }
    json_decref(d);
    convert_free(&c);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"[SW-6-protocol] threads share one definition", threads_share, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
