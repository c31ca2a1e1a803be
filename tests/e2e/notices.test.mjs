// SPDX-License-Identifier: Apache-2.0
// Notices reach people outside the portal: by e-mail through a real SMTP server, by webhook verified with the stock
// library, again after a receiver was away and after the control plane was killed.

import assert from 'node:assert/strict';
import http from 'node:http';
import test, { after, before } from 'node:test';
import { SMTPServer } from 'smtp-server';
import { Webhook } from 'standardwebhooks';
import { Platform, freePorts } from './lib/platform.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;
let mails;
let smtp;
let hooks;
let hook;
let hookPort;
let answer = 204;

async function startSmtp(port) {
  mails = [];
  smtp = new SMTPServer({ authOptional: true, disabledCommands: ['STARTTLS'],
    onData(stream, session, done) {
      const parts = [];
      stream.on('data', (d) => parts.push(d));
      stream.on('end', () => { mails.push({ to: session.envelope.rcptTo.map((r) => r.address), text: Buffer.concat(parts).toString() }); done(); });
    } });
  await new Promise((resolve) => smtp.listen(port, '127.0.0.1', resolve));
}

function startHook() {
  hook = http.createServer((req, res) => {
    const parts = [];
    req.on('data', (d) => parts.push(d));
    req.on('end', () => { hooks.push({ headers: req.headers, body: Buffer.concat(parts).toString() }); res.writeHead(answer).end(); });
  });
  return new Promise((resolve) => hook.listen(hookPort, '127.0.0.1', resolve));
}

before(async () => {
  hooks = [];
  const [smtpPort, port] = await freePorts(2);
  hookPort = port;
  await startSmtp(smtpPort);
  await startHook();
  p = await Platform.start({ config: `control:\n  smtp: smtp://127.0.0.1:${smtpPort}\n  smtp_from: sluice@platform.example\n  private_webhooks: true\n` });
  world = await w.people(p);
});
after(async () => {
  await p?.stop();
  hook?.close();
  smtp?.close();
});

const contact = (body) => world.developer.post('/contact_points', body);
const testNotice = () => world.operator.post('/notices/test', { organisation_id: world.thirdParty, text: '联调 ready' });
const subject = (text) => [...text.matchAll(/=\?UTF-8\?B\?([^?]*)\?=/g)].map((m) => Buffer.from(m[1], 'base64')).reduce((a, b) => Buffer.concat([a, b]), Buffer.alloc(0)).toString();

test('[SW-8.2c2-3] a notice arrives by e-mail in the reader\'s language', async () => {
  const address = await contact({ channel: 'email', address: 'dev@house.example', language: 'zh' });
  await testNotice();
  const mail = await until(() => mails[0], { ms: 15000, what: 'the e-mail' });
  assert.deepEqual(mail.to, ['dev@house.example']);
  assert.match(subject(mail.text), /测试通知：联调 ready/);
  assert.match(mail.text, /Content-Transfer-Encoding: base64/i);
  await world.developer.act('contact_points', address.id, 'remove');
});

test('a webhook is signed so that the stock library verifies it, and a changed byte is refused', async () => {
  const point = await contact({ channel: 'webhook', address: `http://127.0.0.1:${hookPort}/in`, kinds: ['platform-test'] });
  await testNotice();
  const got = await until(() => hooks[0], { ms: 15000, what: 'the webhook' });
  const event = new Webhook(point.secret).verify(got.body, got.headers);
  assert.equal(event.specversion, '1.0');
  assert.equal(event.type, 'sluice.notice.platform-test');
  assert.throws(() => new Webhook(point.secret).verify(got.body.replace('联调', '联週'), got.headers));
});

test('[BK-9.4a2] a receiver that was away, and a control plane that was killed, lose no notice', async () => {
  hooks.length = 0;
  answer = 503;
  await testNotice();
  const first = await until(() => hooks[0], { ms: 15000, what: 'the refused delivery' });
  answer = 204;
  process.kill(p.processes().control[0], 'SIGKILL');
  const again = await until(() => hooks.find((h, i) => i > 0 && h.headers['webhook-id'] === first.headers['webhook-id']), { ms: 40000, what: 'the delivery again' });
  assert.equal(again.body, first.body);
  await p.ready();
});
