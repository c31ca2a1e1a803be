/* SPDX-License-Identifier: Apache-2.0 */
/* sluice keystore: the key files of an app's own, as `sluice call` and `sluice sign` open them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "crypto/key.h"
#include "crypto/keystore.h"
#include "file.h"

static const char help[] =
    "usage: sluice keystore seal|check FILE...\n"
    "\n"
    "seal   puts a plain private key (PEM) or secret under a passphrase, in its place\n"
    "check  says whether each FILE is sealed and opens; an altered one does not\n"
    "\n"
    "The passphrase is the content of the file that SLUICE_KEY_PASSPHRASE_FILE names, which its\n"
    "owner alone may read, or of SLUICE_KEY_PASSPHRASE; else of `passphrase` beside FILE, which\n"
    "seal makes when it is missing. A sealed file keeps its name: under another it does not open.\n"
    "\n"
    "examples:\n"
    "  SLUICE_KEY_PASSPHRASE_FILE=/run/secrets/till sluice keystore seal till.key\n"
    "  SLUICE_KEY_PASSPHRASE_FILE=/run/secrets/till sluice call --key till.key …\n";

static int complain(const char *path, enum crypto_err err)
{
    fprintf(stderr, "sluice keystore: %s: %s\n", path,
            err == CRYPTO_EIO ? strerror(errno) : crypto_strerror(err));
    return 1;
}

static enum crypto_err check(const char *path)
{
    uint8_t plain[2 * CRYPTO_KEYSTORE_MAX];
    size_t n = 0;
    struct buf text;
    buf_init(&text);
    enum crypto_err err = file_read(path, sizeof plain, &text)
                              ? crypto_keystore_open(path, slice_of(text.p, text.n), plain, &n)
                              : CRYPTO_EIO;
    int error = errno;
    crypto_wipe(plain, sizeof plain);
    buf_wipe(&text);
    errno = error;
    return err;
}

int cli_keystore(int argc, char **argv)
{
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(help, stdout);
        return 0;
    }
    bool seal = argc > 2 && strcmp(argv[1], "seal") == 0;
    if (argc < 3 || (!seal && strcmp(argv[1], "check") != 0)) {
        fputs(help, stderr);
        return 2;
    }
    enum crypto_err err = crypto_keystore_take_environment();
    if (err != CRYPTO_OK) {
        return complain("SLUICE_KEY_PASSPHRASE", err);
    }
    for (int i = 2; i < argc; i++) {
        err = seal ? crypto_keystore_seal_file(argv[i]) : check(argv[i]);
        if (err != CRYPTO_OK) {
            return complain(argv[i], err);
        }
        printf("%s: sealed%s\n", argv[i], seal ? "" : ", and it opens");
    }
    return 0;
}
