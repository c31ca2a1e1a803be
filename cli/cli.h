/* SPDX-License-Identifier: Apache-2.0 */
/* One row a sub-command, in cli/main.c. */
#pragma once
#include <jansson.h>

struct cli_command {
    const char *name, *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns the exit code */
};

int cli_serve(int argc,
              char **argv); /* cli/serve.c: all roles, or one: serve|control|data|gateway */
int cli_access(int argc, char **argv);  /* cli/access.c: who may do what, and why; the self-check */
int cli_audit(int argc, char **argv);   /* cli/audit.c: verify, show */
int cli_explain(int argc, char **argv); /* cli/explain.c */
int cli_sign(int argc, char **argv); /* cli/sign.c: signature headers for curl, batches for load */
int cli_call(int argc, char **argv); /* cli/call.c: a signed call, answer printed */
int cli_verify(int argc, char **argv); /* cli/verify.c: a saved answer, is it the platform's */
int cli_seal(int argc, char **argv);   /* cli/seal.c: a body as JWE */
int cli_open(int argc, char **argv);   /* cli/seal.c */
int cli_rest(int argc, char **argv); /* cli/rest.c: login and REST requests to the control plane */
int cli_mask(int argc, char **argv); /* cli/mask.c: try a mask rule */
int cli_package(int argc, char **argv);  /* cli/package.c: offline packages */
int cli_keystore(int argc, char **argv); /* cli/keystore.c: key files under a passphrase */

/* cli/rest.c: the answer of a GET in the session that `sluice rest login` keeps. NULL: none, and
 * the reason is printed. New reference. */
json_t *cli_rest_get(const char *path);
