/* SPDX-License-Identifier: Apache-2.0 */
/* sluice mask: what a rule makes of a value, by the very function the gateway calls. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "crypto/crypto.h"
#include "mask/mask.h"
#include "unknown.h"

static const char help[] =
    "usage: sluice mask [try] [--key-file FILE] RULE [VALUE...]\n"
    "\n"
    "Prints each VALUE as third-party software would receive it under RULE; without\n"
    "values, masks the lines of standard input. It is the function the gateway calls.\n"
    "\n"
    "Rules:\n"
    "  name              first character of each word      欧阳娜娜 -> 欧***\n"
    "  phone             all but four digits               13812345678 -> 138****5678\n"
    "  email             first character and the domain    zhang@example.com -> z***@example.com\n"
    "  address           down to the district (区县旗市)    太原市小店区长风街1号 -> "
    "太原市小店区****\n"
    "  id_card           first 6 and last 2                110101**********1X\n"
    "  bank_card         first 6 and last 4                622202*********3445\n"
    "  uscc              first 8 and last 2                91140100********1X\n"
    "  keep:N:M          first N and last M characters     keep:1:2 abcdef -> a***ef\n"
    "  year              a date keeps its year             1987-05-01 -> 1987-**-**\n"
    "  null              nothing: JSON null\n"
    "  pseudonym[:DOMAIN]  a false value of the same form; equal values in a domain\n"
    "                    give equal ones, valid check digits stay valid\n"
    "  fake_name[:DOMAIN]  another name of as many characters\n"
    "  date_shift:DAYS[:DOMAIN]  all dates of a domain by as many days, at most DAYS either way\n"
    "  scale[:DOMAIN]    all numbers of a domain times one factor: order and sums stay\n"
    "\n"
    "A value its rule does not recognise is covered whole: phone 'call me' -> ***\n"
    "\n"
    "Options:\n"
    "  --key-file FILE   32-byte key (mode 0600) for keyed rules; without it a fresh random\n"
    "                    key is used and the pseudonyms differ from run to run\n"
    "  -h, --help        this text\n"
    "\n"
    "Examples:\n"
    "  sluice mask phone 13812345678 010-62345678\n"
    "  sluice mask keep:3:4 13812345678\n"
    "  cut -d, -f2 customers.csv | sluice mask name\n"
    "  sluice mask --key-file keys/pseudonym.key pseudonym:orders.phone 13812345678\n";

/* A value, to the end of a line. False: standard output is gone, or no memory. */
static bool print_masked(const struct mask_spec *spec, struct mask_key *key, struct slice value)
{
    size_t room = value.n > MASK_INPUT_MAX ? MASK_OUT_MAX(0) : MASK_OUT_MAX(value.n);
    char *out = malloc(room);
    if (out == NULL) {
        return false;
    }
    bool null = spec->rule == MASK_NULL;
    size_t n = mask_apply(spec, key, value, out);
    bool good = fwrite(null ? "null" : out, 1, null ? 4 : n, stdout) == (null ? 4 : n) &&
                putchar('\n') != EOF;
    free(out);
    return good;
}

static bool mask_lines(const struct mask_spec *spec, struct mask_key *key)
{
    char *line = NULL;
    size_t cap = 0;
    bool good = true;
    for (ssize_t n; good && (n = getline(&line, &cap, stdin)) >= 0;) {
        size_t length = (size_t)n;
        length -= length > 0 && line[length - 1] == '\n';
        length -= length > 0 && line[length - 1] == '\r';
        good = print_masked(spec, key, slice_of(line, length));
    }
    free(line);
    return good;
}

/* NULL: said why. */
static struct mask_key *open_key(const char *path)
{
    uint8_t bytes[CRYPTO_KEY_LEN];
    if (path == NULL) {
        crypto_random(bytes, sizeof bytes);
        fputs("sluice mask: random key; give --key-file for the same pseudonyms next time\n",
              stderr);
    } else {
        enum crypto_err err = crypto_keyfile_load(path, bytes);
        if (err != CRYPTO_OK) {
            fprintf(stderr, "sluice mask: %s: %s\n", path, crypto_strerror(err));
            return NULL;
        }
    }
    struct mask_key *key = mask_key_new(bytes);
    crypto_wipe(bytes, sizeof bytes);
    return key;
}

static bool mask_all(const struct mask_spec *spec, struct mask_key *key, char **values)
{
    if (*values == NULL) {
        return mask_lines(spec, key);
    }
    for (; *values != NULL; values++) {
        if (!print_masked(spec, key, slice_str(*values))) {
            return false;
        }
    }
    return true;
}

int cli_mask(int argc, char **argv)
{
    static const struct option options[] = {
        {"key-file", required_argument, NULL, 'k'}, {"help", no_argument, NULL, 'h'}, {0}};
    const char *key_file = NULL;
    struct mask_spec spec;
    struct mask_key *key = NULL;
    optind = 0;                                    /* getopt may have been used before */
    if (argc > 1 && strcmp(argv[1], "try") == 0) { /* the same, for who looks for a verb */
        argc--;
        argv++;
    }
    for (int c; (c = getopt_long(argc, argv, "+:h", options, NULL)) != -1;) {
        if (c == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (c == ':') {
            fprintf(stderr, "sluice mask: %s needs a value after it\n", argv[optind - 1]);
            return 2;
        }
        if (c != 'k') {
            cli_unknown_option("mask", argv[optind - 1], &options[0].name,
                               sizeof options / sizeof *options - 1, sizeof *options);
            return 2;
        }
        key_file = optarg;
    }
    if (optind >= argc) {
        fputs("sluice mask: which rule? 'sluice mask --help' lists them\n", stderr);
        return 2;
    }
    enum mask_err err = mask_parse(&spec, slice_str(argv[optind]));
    if (err != MASK_OK) {
        fprintf(stderr, "sluice mask: %s: %s; 'sluice mask --help' lists the rules\n", argv[optind],
                mask_strerror(err));
        return 2;
    }
    if (spec.rule == MASK_PSEUDONYM && (key = open_key(key_file)) == NULL) {
        return 1;
    }
    bool good = mask_all(&spec, key, argv + optind + 1) && fflush(stdout) == 0;
    mask_key_free(&key);
    if (!good) {
        perror("sluice mask");
    }
    return good ? 0 : 1;
}
