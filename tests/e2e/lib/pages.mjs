// SPDX-License-Identifier: Apache-2.0
// The platform's own pages without a browser: cookies, hidden fields, redirects that are looked at and not followed.

import assert from 'node:assert/strict';
import https from 'node:https';

export class Visitor {
  constructor(platform, agent) {
    this.platform = platform;
    this.agent = agent; // undefined: a connection for each request that Node keeps
    this.cookies = new Map();
  }

  ask(method, target, body, headers = {}) {
    const url = target.startsWith('http') ? target : `${this.platform.control}${target}`;
    const text = body && new URLSearchParams(body).toString();
    const all = { cookie: [...this.cookies].map(([k, v]) => `${k}=${v}`).join('; '), 'accept-language': 'en',
      ...(text === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(text) }), ...headers };
    return new Promise((resolve, reject) => {
      const req = https.request(url, { method, ca: this.platform.ca, headers: all, agent: this.agent }, (res) => {
        const parts = [];
        res.on('data', (d) => parts.push(d)).on('end', () => {
          for (const line of res.headers['set-cookie'] ?? []) {
            const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
            this.cookies.set(name, value);
          }
          const page = Buffer.concat(parts).toString();
          let json;
          try { json = JSON.parse(page); } catch { /* a page */ }
          resolve({ status: res.statusCode, headers: res.headers, location: res.headers.location, text: page, json });
        });
      });
      req.on('error', reject).end(text);
    });
  }

  get(target) { return this.ask('GET', target); }

  // The form of a page that was got before, its hidden fields kept.
  async submit(page, target, fields) {
    const hidden = Object.fromEntries([...page.text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)].map((m) => [m[1], m[2].replaceAll('&amp;', '&')]));
    return this.ask('POST', target, { ...hidden, ...fields });
  }

  // Follows a redirect to sign-in, signs in, and gets what was asked for.
  async signedIn(target, login, password) {
    const first = await this.get(target);
    if (first.status === 200) return first;
    assert.match(first.location, /^\/login\?continue=/);
    const answer = await this.submit(await this.get(first.location), '/login', { login, password });
    assert.equal(answer.status, 303, answer.text.slice(0, 600));
    return this.get(answer.location);
  }
}
