/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that one or two keys sign. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "httpsig/httpsig.h"

#define PARAMS ";created=1;expires=9;nonce=\"12345678\";keyid=\"k\";alg=\"a\""
#define A      "a=(\"@method\")" PARAMS
#define B      "b=(\"@path\")" PARAMS
#define C      "c=()" PARAMS
#define SA     "a=:AQ==:"
#define SB     "b=:Ag==:"
#define SC     "c=:Aw==:"

static const struct {
    const char *input, *signature;
    enum httpsig_err err;
    const char *labels; /* one letter each */
} rows[] = {
    {A, SA, HTTPSIG_OK, "a"},
    {A ", " B, SA ", " SB, HTTPSIG_OK, "ab"},
    {A ", " B, SB ", " SA, HTTPSIG_OK, "ab"},
    {B "," A, SA "," SB, HTTPSIG_OK, "ba"},
    {A ", " B ", " C, SA ", " SC, HTTPSIG_OK, "ac"}, /* b is of somebody on the way */
    {A ", " B, SB, HTTPSIG_OK, "b"},
    {A, SA ", " SB, HTTPSIG_OK, "a"},
    {"x=(\"@status\";req);created=5, " A ", " B, SA ", " SB, HTTPSIG_OK, "ab"},
    {A ", " B ", " C, SA ", " SB ", " SC, HTTPSIG_ELABEL, ""},
    {A ", " A, SA, HTTPSIG_ELABEL, ""},
    {A ", " B ", " A, SA ", " SB, HTTPSIG_ELABEL, ""},
    {A ", " B ", " B, SA ", " SB, HTTPSIG_ELABEL, ""},
    {A ", " B, SA ", " SA, HTTPSIG_ELABEL, ""},
    {A ", " B, SC, HTTPSIG_ELABEL, ""},
    {"", SA, HTTPSIG_EMISSING, ""},
    {A, "", HTTPSIG_EMISSING, ""},
    {A ", b=(\"@path\")", SA ", " SB, HTTPSIG_EPARAMETER, ""},
    {"a=(\"@path\"), " B, SA ", " SB, HTTPSIG_EPARAMETER, ""},
    {A ", b=(\"@status\")" PARAMS, SA ", " SB, HTTPSIG_ECOMPONENT, ""},
    {A ", b=(", SA ", " SB, HTTPSIG_ESYNTAX, ""},
    {A ", " B, SA ", b=:A:", HTTPSIG_ESYNTAX, ""},
    {A ", " B, SA ", b=::", HTTPSIG_ESYNTAX, ""},
    {A ", " B, SA ",", HTTPSIG_ESYNTAX, ""},
};

static char *exact(const char *text) /* so that a read past the end is seen */
{
    size_t n = strlen(text);
    char *copy = malloc(n + !n);
    assert_non_null(copy);
    memcpy(copy, text, n);
    return copy;
}

static void several(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *input = exact(rows[i].input), *signature = exact(rows[i].signature);
        struct httpsig s[HTTPSIG_SIGNATURES_MAX];
        size_t n, bad_at;
        enum httpsig_err err =
            httpsig_parse_several(s, &n, slice_of(input, strlen(rows[i].input)),
                                  slice_of(signature, strlen(rows[i].signature)), &bad_at);
        if (err != rows[i].err) {
            fail_msg("%s | %s: %s", rows[i].input, rows[i].signature, httpsig_strerror(err));
        }
        assert_true(bad_at <= strlen(rows[i].input) || bad_at <= strlen(rows[i].signature));
        for (size_t k = 0; err == HTTPSIG_OK && k < n; k++) {
            assert_int_equal(n, strlen(rows[i].labels));
            assert_true(slice_eq(s[k].label, slice_of(rows[i].labels + k, 1)));
            assert_int_equal(s[k].sig_n, 1);
            assert_int_equal(s[k].sig[0], rows[i].labels[k] - 'a' + 1);
            assert_int_equal(s[k].n_components, rows[i].labels[k] != 'c');
        }
        free(input);
        free(signature);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[BK-7.2.1a1-4] httpsig: one or two signatures of a request, in order", several, NULL,
         NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
