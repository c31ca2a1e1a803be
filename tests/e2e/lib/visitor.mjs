// SPDX-License-Identifier: Apache-2.0
// A browser without scripts: cookies by origin, redirects followed one by one, forms filled from the page they are on.

import https from 'node:https';

export class Visitor {
  constructor(cas) { // origin -> PEM of its CA
    this.cas = cas;
    this.jars = {};
  }

  cookies(origin) { return (this.jars[origin] ??= new Map()); }

  // One exchange. Resolves to {url, status, headers, text, to}: to is where a redirect leads.
  send(method, url, form) {
    const { origin } = new URL(url);
    const jar = this.cookies(origin);
    const body = form && new URLSearchParams(form).toString();
    const headers = { cookie: [...jar].map(([k, v]) => `${k}=${v}`).join('; '), 'accept-language': 'en',
      ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) }) };
    return new Promise((resolve, reject) => {
      https.request(url, { method, headers, ca: this.cas[origin] }, (res) => {
        const parts = [];
        for (const line of res.headers['set-cookie'] ?? []) {
          const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
          if (/Max-Age=0/.test(line)) jar.delete(name); else jar.set(name, value);
        }
        res.on('data', (d) => parts.push(d)).on('end', () => {
          const to = res.headers.location && new URL(res.headers.location, url).href;
          resolve({ url, status: res.statusCode, headers: res.headers, text: Buffer.concat(parts).toString(), to });
        });
      }).on('error', reject).end(body);
    });
  }

  // Follows redirects until a page, or an address that is not among the known origins. way: the addresses passed.
  async open(url, form) {
    const way = [];
    let page = await this.send(form ? 'POST' : 'GET', url, form);
    while (page.to && this.cas[new URL(page.to).origin] && way.length < 20) {
      way.push(page.to);
      page = await this.send('GET', page.to);
    }
    return { ...page, way };
  }

  // The hidden fields of a page.
  static fields(text) {
    const plain = (s) => s.replaceAll('&amp;', '&').replaceAll('&quot;', '"').replaceAll('&#39;', '\'').replaceAll('&lt;', '<').replaceAll('&gt;', '>');
    return Object.fromEntries([...text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)].map(([, n, v]) => [n, plain(v)]));
  }

  // Fills in the sign-in page it is on.
  signIn(page, login, password) {
    return this.open(`${new URL(page.url).origin}/login`, { ...Visitor.fields(page.text), login, password });
  }

  signOut(origin) {
    return this.open(`${origin}/oauth/logout`).then((page) => this.open(`${origin}/oauth/logout`, Visitor.fields(page.text)));
  }
}
