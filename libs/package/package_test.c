/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "package/package.h"

static struct crypto_key *signer, *other;
static struct jwe_key *own, *stranger;

static struct jwe_key *receiver(enum crypto_key_kind kind, const char *kid)
{
    struct crypto_key *key = crypto_key_new(kind);
    struct jwe_key *made = jwe_key_take(&key, slice_str(kid));
    assert_non_null(made);
    return made;
}

static FILE *make(void)
{
    struct package_writer w;
    FILE *f = tmpfile();
    assert_non_null(f);
    package_begin(&w, f);
    package_add(&w, own, SLICE(PACKAGE_JSON), SLICE("{\"files\":1}"));
    package_add(&w, own, SLICE("text/csv"), SLICE("id\r\n1\r\n"));
    package_add(&w, own, SLICE("text/csv"), SLICE(""));
    assert_int_equal(package_end(&w, signer, "the maker"), PACKAGE_OK);
    return f;
}

static bool collect(void *ctx, uint64_t part, const char *cty, struct slice plain)
{
    struct buf *out = ctx;
    buf_addf(out, "%d %s ", (int)part, cty);
    buf_add(out, plain.p, plain.n);
    buf_addc(out, '|');
    return true;
}

static void a_package_opens_for_its_receiver_alone(void **state)
{
    struct buf out;
    char kid[PACKAGE_KID_MAX + 1];
    uint64_t parts;
    FILE *f = make();
    (void)state;
    buf_init(&out);
    assert_int_equal(package_look(f, kid, &parts), PACKAGE_OK);
    assert_string_equal(kid, "the maker");
    assert_int_equal(parts, 3);
    assert_int_equal(package_verify(f, signer), PACKAGE_OK);
    assert_int_equal(package_verify(f, other), PACKAGE_ESIGNATURE);
    assert_int_equal(package_open(f, own, 1, collect, &out), PACKAGE_OK);
    buf_addc(&out, '\0');
    assert_string_equal(out.p,
                        "0 application/json {\"files\":1}|1 text/csv id\r\n1\r\n|2 text/csv |");
    buf_clear(&out);
    assert_int_equal(package_open(f, stranger, 1, collect, &out), PACKAGE_EOPEN);
    assert_int_equal(out.n, 0);
    buf_fini(&out);
    fclose(f);
}

static char *text_of(FILE *f, size_t *n)
{
    char *text = calloc(1, 65536);
    rewind(f);
    *n = fread(text, 1, 65535, f);
    return text;
}

static enum package_err verify_text(const char *text, size_t n)
{
    FILE *f = tmpfile();
    assert_int_equal(fwrite(text, 1, n, f), n);
    enum package_err err = package_verify(f, signer);
    fclose(f);
    return err;
}

/* Each byte of it changed, one at a time; cut anywhere; with something behind it. */
static void no_change_goes_unseen(void **state)
{
    size_t n;
    FILE *f = make();
    char *text = text_of(f, &n);
    (void)state;
    fclose(f);
    assert_int_equal(verify_text(text, n), PACKAGE_OK);
    for (size_t i = 0; i < n; i += 7) {
        text[i] ^= 1;
        assert_int_not_equal(verify_text(text, n), PACKAGE_OK);
        text[i] ^= 1;
        assert_int_not_equal(verify_text(text, i), PACKAGE_OK);
    }
    text[n] = '\n';
    assert_int_not_equal(verify_text(text, n + 1), PACKAGE_OK);
    free(text);
}

/* A line dropped, doubled or moved. */
static void no_part_is_missing_or_moved(void **state)
{
    size_t n;
    FILE *f = make();
    static char mixed[131072];
    char *text = text_of(f, &n);
    (void)state;
    fclose(f);
    char *one = strchr(text, '\n') + 1, *two = strchr(one, '\n') + 1,
         *three = strchr(two, '\n') + 1;
    int head = (int)(one - text), a = (int)(two - one), b = (int)(three - two);
    int m = sprintf(mixed, "%.*s%.*s%s", head, text, b, two, three);
    assert_int_equal(verify_text(mixed, (size_t)m), PACKAGE_ESIGNATURE);
    m = sprintf(mixed, "%.*s%.*s%.*s%s", head, text, b, two, a, one, three);
    assert_int_equal(verify_text(mixed, (size_t)m), PACKAGE_ESIGNATURE);
    m = sprintf(mixed, "%.*s%.*s%.*s%.*s%s", head, text, a, one, a, one, b, two, three);
    assert_int_equal(verify_text(mixed, (size_t)m), PACKAGE_ESIGNATURE);
    free(text);
}

static void what_is_no_package_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "\n",
                                        "SLUICE-PACKAGE 1",
                                        "SLUICE-PACKAGE 1\n",
                                        "SLUICE-PACKAGE 1\n=\n",
                                        "SLUICE-PACKAGE 2\n=x.y.z\n",
                                        "SLUICE-PACKAGE 1\n=x.y.z\n"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_not_equal(verify_text(texts[i], strlen(texts[i])), PACKAGE_OK);
    }
}

static int start(void **state)
{
    (void)state;
    signer = crypto_key_new(CRYPTO_KEY_SM2);
    other = crypto_key_new(CRYPTO_KEY_SM2);
    own = receiver(CRYPTO_KEY_SM2, "own");
    stranger = receiver(CRYPTO_KEY_SM2, "stranger");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    crypto_key_free(&signer);
    crypto_key_free(&other);
    jwe_key_free(&own);
    jwe_key_free(&stranger);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_package_opens_for_its_receiver_alone),
        cmocka_unit_test(no_change_goes_unseen),
        cmocka_unit_test(no_part_is_missing_or_moved),
        cmocka_unit_test(what_is_no_package_is_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
