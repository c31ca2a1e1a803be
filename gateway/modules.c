/* SPDX-License-Identifier: Apache-2.0 */
/* What nginx's configure would generate for a dynamic filter module: our filters run after the copy
 * filter (bodies are in memory) and before headers, charset, gzip and chunked. */
#include <ngx_config.h>

#include <ngx_core.h>

extern ngx_module_t ngx_http_sluice_module;
extern ngx_module_t *ngx_modules[];
extern char *ngx_module_names[];
extern char *ngx_module_order[];

ngx_module_t *ngx_modules[] = {&ngx_http_sluice_module, NULL};
char *ngx_module_names[] = {"ngx_http_sluice_module", NULL};
char *ngx_module_order[] = {"ngx_http_sluice_module", "ngx_http_copy_filter_module", NULL};
