#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes nginx's generated headers (ngx_auto_config.h) for a module of Debian's nginx, from the sources
# its nginx-dev package ships. usage: nginx_headers.sh OUT_DIR STAMP
set -eu
src=/usr/share/nginx/src
[ -x "$src/configure" ] || { echo "nginx-dev is not installed: apt-get install nginx-dev" >&2; exit 1; }
rm -rf "$1"
mkdir -p "$1"
cp -r "$src/." "$1"
cd "$1"
./configure --with-compat --with-debug --with-pcre-jit --with-threads --with-http_ssl_module \
    --with-http_v2_module --with-http_realip_module > configure.log 2>&1 ||
    { tail -n 20 configure.log >&2; exit 1; }
