/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of this module. */
#pragma once
#include "httpsig/httpsig.h"
#include "httpsig/sf.h"

/* May a request, or a response, cover this? */
bool httpsig_allowed(const struct httpsig_covered *one, bool response);
/* Adds a component by its name; kind is set here. Names are those of RFC 9421, or fields. */
enum httpsig_err httpsig_add(struct httpsig *s, struct httpsig_covered one);
/* Reads a component with its parameters. False: syntax; *err is what else is wrong. */
bool httpsig_read_component(struct sf *c, struct httpsig *s, bool response, enum httpsig_err *err);

/* The member of a Signature or Signature-Input value that has this label, as it stands. */
bool httpsig_signature_member(struct slice value, struct slice label, struct slice *member);
bool httpsig_input_member(struct slice value, struct slice label, struct slice *member);
