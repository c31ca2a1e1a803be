/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <stdio.h>
#include <string.h>

static const struct cli_command commands[] = {
    {"serve", "run the whole platform on this machine (also: control, data, gateway)", cli_serve},
    {"control", "run the control plane alone", cli_serve},
    {"data", "run the data service alone", cli_serve},
    {"gateway", "run a gateway node alone", cli_serve},
    {"access", "say who may do what and why; check this installation", cli_access},
    {"audit", "verify or show the call log and the operations log", cli_audit},
    {"explain", "say why a call would be allowed, denied or masked", cli_explain},
    {"rest", "sign in and talk to the control plane", cli_rest},
    {"call", "make a signed call to the gateway", cli_call},
    {"sign", "print the signature headers of a call", cli_sign},
    {"verify", "say whether a saved answer is what the platform signed", cli_verify},
    {"seal", "seal a body as a JWE", cli_seal},
    {"open", "open a sealed body", cli_open},
    {"mask", "try a mask rule on a value", cli_mask},
    {"package", "seal, verify or open an offline package", cli_package},
    {"keystore", "seal a key file under a passphrase, or try to open it", cli_keystore},
};

static void usage(FILE *to)
{
    fputs("usage: sluice <command> [options]\n\n", to);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].summary);
    }
    fputs("\n'sluice <command> --help' explains each, with examples.\n", to);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        puts("sluice " SLUICE_VERSION);
        return 0;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    fprintf(stderr, "sluice: there is no command '%s'\n\n", argv[1]);
    usage(stderr);
    return 2;
}
