// SPDX-License-Identifier: Apache-2.0
// A browser without scripts: cookies by origin, forms filled from the page they are on, redirects looked at one by one or followed.

import assert from 'node:assert/strict';
import https from 'node:https';

export class Visitor {
  // where: a platform, whose control plane addresses without an origin are; or origin -> PEM of its CA. agent: undefined is a
  // connection for each request that Node keeps.
  constructor(where, agent) {
    this.home = where.control;
    this.cas = where.control ? { [where.control]: where.ca } : where;
    this.agent = agent;
    this.jars = {};
  }

  cookies(origin) { return (this.jars[origin] ??= new Map()); }

  // One exchange. Resolves to {url, status, headers, text, json, location, to}: to is where a redirect leads, in full.
  ask(method, target, form, more = {}) {
    const url = target.startsWith('http') ? target : `${this.home}${target}`;
    const { origin } = new URL(url);
    const jar = this.cookies(origin);
    const body = form && new URLSearchParams(form).toString();
    const headers = { cookie: [...jar].map(([k, v]) => `${k}=${v}`).join('; '), 'accept-language': 'en',
      ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) }), ...more };
    return new Promise((resolve, reject) => {
      https.request(url, { method, headers, ca: this.cas[origin], agent: this.agent }, (res) => {
        const parts = [];
        for (const line of res.headers['set-cookie'] ?? []) {
          const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
          if (/Max-Age=0/.test(line)) jar.delete(name); else jar.set(name, value);
        }
        res.on('data', (d) => parts.push(d)).on('end', () => {
          const { location } = res.headers;
          const text = Buffer.concat(parts).toString();
          let json;
          try { json = JSON.parse(text); } catch { /* a page */ }
          resolve({ url, status: res.statusCode, headers: res.headers, text, json, location, to: location && new URL(location, url).href });
        });
      }).on('error', reject).end(body);
    });
  }

  get(target) { return this.ask('GET', target); }

  send(method, url, form) { return this.ask(method, url, form); }

  // Follows redirects until a page, or an address that is not among the known origins. way: the addresses passed.
  async open(url, form) {
    const way = [];
    let page = await this.ask(form ? 'POST' : 'GET', url, form);
    while (page.to && this.cas[new URL(page.to).origin] && way.length < 20) {
      way.push(page.to);
      page = await this.get(page.to);
    }
    return { ...page, way };
  }

  // The hidden fields of a page.
  static fields(text) {
    const plain = (s) => s.replaceAll('&amp;', '&').replaceAll('&quot;', '"').replaceAll('&#39;', '\'').replaceAll('&lt;', '<').replaceAll('&gt;', '>');
    return Object.fromEntries([...text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)].map(([, n, v]) => [n, plain(v)]));
  }

  // The form of a page that was got before, its hidden fields kept; where it leads is looked at, not followed.
  submit(page, target, fields) { return this.ask('POST', target, { ...Visitor.fields(page.text), ...fields }); }

  // Fills in the sign-in page it is on, and goes on from there.
  signIn(page, login, password) {
    return this.open(`${new URL(page.url).origin}/login`, { ...Visitor.fields(page.text), login, password });
  }

  // Gets a page of the platform's, by way of the sign-in it may lead to.
  async signedIn(target, login, password) {
    const first = await this.get(target);
    if (first.status === 200) return first;
    assert.match(first.location, /^\/login\?continue=/);
    const answer = await this.submit(await this.get(first.location), '/login', { login, password });
    assert.equal(answer.status, 303, answer.text.slice(0, 600));
    return this.get(answer.location);
  }

  signOut(origin) {
    return this.open(`${origin}/oauth/logout`).then((page) => this.open(`${origin}/oauth/logout`, Visitor.fields(page.text)));
  }
}
