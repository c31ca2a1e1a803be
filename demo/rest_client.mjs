// SPDX-License-Identifier: Apache-2.0
// A client of the control plane's REST, for the demo's loader and the tests. Node alone, no package.

import https from 'node:https';

export class RestProblem extends Error {
  constructor(method, path, status, problem) {
    super(`${method} ${path}: ${status} ${problem?.code ?? ''} ${problem?.detail ?? problem?.title ?? ''} ${problem?.where ?? ''}`.trim());
    Object.assign(this, { status, problem, code: problem?.code });
  }
}

export class Rest {
  // ca: PEM of the platform's inner CA.
  constructor(base, ca, token = null) {
    this.base = base;
    this.ca = ca;
    this.token = token;
    this.agent = new https.Agent({ ca, keepAlive: true, maxSockets: 8 });
  }

  // Any answer, refusals too: {status, headers, body}. Throws only when there is none.
  raw(method, path, body, headers = {}) {
    const text = body === undefined || Buffer.isBuffer(body) || typeof body === 'string' ? body : JSON.stringify(body);
    const all = { accept: 'application/json', ...(this.token ? { authorization: `Bearer ${this.token}` } : {}),
      ...(text === undefined ? {} : { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
        'content-length': Buffer.byteLength(text) }), ...headers };
    return new Promise((resolve, reject) => {
      const req = https.request(this.base + path, { method, headers: all, agent: this.agent, timeout: 30000 }, (res) => {
        const parts = [];
        res.on('data', (p) => parts.push(p));
        res.on('error', reject);
        res.on('end', () => {
          const answer = Buffer.concat(parts).toString('utf8');
          let json = null;
          try { json = answer ? JSON.parse(answer) : null; } catch { /* the caller sees the text */ }
          resolve({ status: res.statusCode, headers: res.headers, body: json ?? answer });
        });
      });
      req.on('timeout', () => req.destroy(new Error(`${method} ${path}: no answer in 30 s`)));
      req.on('error', reject);
      req.end(text);
    });
  }

  // The body of a 2xx answer, or a RestProblem.
  async ok(method, path, body, headers) {
    const answer = await this.raw(method, path, body, headers);
    if (answer.status < 200 || answer.status > 299) throw new RestProblem(method, path, answer.status, answer.body);
    return answer.body;
  }

  get(path) { return this.ok('GET', `/api/v1${path}`); }
  post(path, body, headers) { return this.ok('POST', `/api/v1${path}`, body ?? {}, headers); }
  patch(path, body, revision) { return this.ok('PATCH', `/api/v1${path}`, body, { 'if-match': `"${revision}"` }); }

  // POST /<plural>/{id}/<action> on the revision that is there now.
  async act(plural, id, action, body) {
    const { revision } = await this.get(`/${plural}/${id}`);
    return this.post(`/${plural}/${id}/${action}`, body, { 'if-match': `"${revision}"` });
  }

  async list(plural, query = {}) {
    const q = new URLSearchParams({ page_size: '200', ...query });
    return (await this.get(`/${plural}?${q}`)).items;
  }

  // A client of its own for this user; a first password is changed to `next` when the platform asks for that.
  async signIn(login, password, next) {
    const rest = new Rest(this.base, this.ca);
    const session = await rest.post('/sessions', { login, password });
    rest.token = session.token;
    rest.user = session.user;
    rest.password = password;
    if (!session.password_change_required) return rest;
    if (!next) throw new Error(`${login} must change the first password`);
    await rest.ok('PUT', '/api/v1/users/me/password', { old_password: password, new_password: next });
    return this.signIn(login, next);
  }

  close() { this.agent.destroy(); }
}
