// SPDX-License-Identifier: Apache-2.0
// JSON on one side and XML or SOAP on the other, with a SOAP client and a SOAP server that we did not write.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { refused, restRefuses } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { sign } from './lib/sign.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

const soap = createRequire(import.meta.url)('soap');
const NS = 'urn:test:customs';
const FIELDS = ['no', 'weight', 'note'].map((path) => ({ path, name: path, level: 2, type: 'scalar', mask: '' }))
  .concat([{ path: 'phone', name: 'phone', level: 3, type: 'scalar', mask: 'phone' }, { path: 'secret', name: 'secret', level: 4, type: 'scalar', mask: '' }]);

let p;
let world;
let service; // the SOAP server: {url, seen, close}
let unit; // a JSON upstream
let raw; // an upstream that answers what the test says

// Services behind the gateway ---------------------------------------------------------------------------------------

const WSDL = (url) => `<?xml version="1.0" encoding="UTF-8"?>
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:xs="http://www.w3.org/2001/XMLSchema"
  xmlns:t="${NS}" targetNamespace="${NS}" name="Customs">
<wsdl:types><xs:schema targetNamespace="${NS}" elementFormDefault="qualified">
  <xs:element name="GetStatus"><xs:complexType><xs:sequence><xs:element name="no" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
  <xs:element name="Declare"><xs:complexType><xs:sequence><xs:element name="no" type="xs:string"/><xs:element name="weight" type="xs:decimal"/></xs:sequence></xs:complexType></xs:element>
  <xs:complexType name="Status"><xs:sequence><xs:element name="no" type="xs:string"/><xs:element name="weight" type="xs:decimal" minOccurs="0"/>
    <xs:element name="phone" type="xs:string" minOccurs="0"/><xs:element name="secret" type="xs:string" minOccurs="0"/></xs:sequence></xs:complexType>
  <xs:element name="GetStatusResponse" type="t:Status"/><xs:element name="DeclareResponse" type="t:Status"/>
</xs:schema></wsdl:types>
${['GetStatus', 'Declare'].map((o) => `<wsdl:message name="${o}In"><wsdl:part name="parameters" element="t:${o}"/></wsdl:message>
<wsdl:message name="${o}Out"><wsdl:part name="parameters" element="t:${o}Response"/></wsdl:message>`).join('\n')}
<wsdl:portType name="Port">${['GetStatus', 'Declare'].map((o) => `<wsdl:operation name="${o}"><wsdl:input message="t:${o}In"/><wsdl:output message="t:${o}Out"/></wsdl:operation>`).join('')}</wsdl:portType>
<wsdl:binding name="Binding" type="t:Port"><soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
${['GetStatus', 'Declare'].map((o) => `<wsdl:operation name="${o}"><soap:operation soapAction="${NS}/${o}"/><wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation>`).join('\n')}
</wsdl:binding><wsdl:service name="Customs"><wsdl:port name="P" binding="t:Binding"><soap:address location="${url}"/></wsdl:port></wsdl:service></wsdl:definitions>`;

const status = (no, more = {}) => ({ no, weight: '12345678901234567890.10', phone: '13812345678', secret: 's3cret', ...more });
const fault = (code) => { throw { Fault: { faultcode: code, faultstring: 'ORA-00942 at 10.0.0.5', detail: { stack: 's3cret' } } }; };

async function listen(handler) {
  const seen = [];
  const server = http.createServer((req, res) => {
    const parts = [];
    req.on('data', (d) => parts.push(d));
    req.on('end', () => { const body = Buffer.concat(parts).toString(); seen.push({ method: req.method, url: req.url, headers: req.headers, body }); handler?.(req, res, body); });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { server, seen, url: `http://127.0.0.1:${server.address().port}`, close: () => { server.closeAllConnections(); server.close(); } };
}

async function soapService() {
  const seen = [];
  const s = await listen();
  s.server.removeAllListeners('request');
  const GetStatus = (args, cb, headers, req) => {
    seen.push({ args, url: req.url, method: req.method, headers: req.headers });
    if (args.no === 'mine') fault('soap:Server');
    if (args.no === 'yours') fault('soap:Client');
    return status(args.no);
  };
  const Declare = (args, cb, headers, req) => { seen.push({ args, url: req.url, method: req.method, headers: req.headers }); return { no: args.no, weight: args.weight }; };
  const url = `${s.url}/customs`;
  await new Promise((done) => soap.listen(s.server, { path: '/customs', services: { Customs: { P: { GetStatus, Declare } } }, xml: WSDL(url), callback: done }));
  return { ...s, seen, url, origin: s.url };
}

// Calls -------------------------------------------------------------------------------------------------------------

function send(method, target, { body, headers = {} } = {}) {
  return p.send(method, target, { headers: sign(world.key, { method, url: p.gateway + target, headers, body }), body });
}
const rest = (target, body) => send(body === undefined ? 'GET' : 'POST', target, body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
const xml = (body, more = {}) => send('POST', '/unit/v1/Declare', { body, headers: { 'content-type': 'application/xml', ...more } });
const envelope = (inner, ns = 'http://schemas.xmlsoap.org/soap/envelope/') => `<e:Envelope xmlns:e="${ns}"><e:Body>${inner}</e:Body></e:Envelope>`;
const soap11 = (body, action = `${NS}/Declare`) => send('POST', '/unit/v1', { body, headers: { 'content-type': 'text/xml; charset=utf-8', soapaction: `"${action}"` } });

// What the soap client sends, signed by us and sent by us because it knows neither our CA nor our signatures.
const signing = { request(url, data, callback, headers = {}) {
  const { pathname, search } = new URL(url);
  const all = Object.fromEntries(Object.entries(headers).map(([n, v]) => [n.toLowerCase(), String(v)]).filter(([n]) => !['host', 'content-length', 'connection'].includes(n)));
  send(data ? 'POST' : 'GET', pathname + search, { body: data ?? undefined, headers: data ? all : {} })
    .then((a) => callback(null, { status: a.status, statusCode: a.status, headers: a.headers, data: a.text }, a.text), callback);
} };
const client = (more = {}) => soap.createClientAsync(`${p.gateway}/unit/v1?wsdl`, { httpClient: signing, disableCache: true, ...more });

const DECLARE = { version: 1, namespaces: { c: NS }, ns: 'c', operations: [{ name: 'Declare', method: 'POST', path: '/Declare', action: `${NS}/Declare`,
  client: ['json', 'xml', 'soap11', 'soap12'], upstream: { form: 'json', method: 'POST', path: '/declarations' },
  request: { name: 'Declaration', type: 'object', elements: [{ name: 'no', type: 'string', required: true }, { name: 'weight', type: 'decimal' },
    { name: 'item', member: 'items', many: true, type: 'string' }] },
  response: { name: 'Receipt', type: 'object', elements: [{ name: 'no', type: 'string' }, { name: 'phone', type: 'string' }, { name: 'note', type: 'string' }] } }] };
const declaration = (inner, ns = NS) => `<c:Declaration xmlns:c="${ns}">${inner}</c:Declaration>`;
const GOOD = declaration('<c:no>7</c:no><c:weight>1.10</c:weight><c:item>tea</c:item>');

async function published(name, upstream, conversion, more = {}) {
  const api = await w.httpApi(world, name, upstream, { fields: FIELDS, ...more });
  await world.provider.post('/conversions', { api_id: api, ...conversion });
  await w.subscription(world, world.app, api);
  return api;
}

before(async () => {
  p = await Platform.start();
  service = await soapService();
  unit = await listen((req, res, body) => {
    const { no } = JSON.parse(body);
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(no === 'odd' ? { no: 5 } : { no, phone: '13912345678', note: 'a < b & c', secret: 's3cret' }));
  });
  raw = await listen((req, res) => raw.answer(res));
  world = await w.people(p, 'controlled');
  await published('customs', service.origin, { wsdl: WSDL(service.url), get_operations: ['GetStatus'] }, { sign_response: true });
  await published('raw', raw.url, { wsdl: WSDL(`${raw.url}/customs`), get_operations: ['GetStatus'] });
  world.unit = await published('unit', unit.url, { definition: DECLARE });
  await until(async () => (await rest('/customs/v1/GetStatus?no=1')).status === 200 && (await xml(GOOD)).status === 200, { ms: 10000, what: 'the converted APIs' });
});
after(async () => {
  for (const u of [service, unit, raw]) u?.close();
  await p?.stop();
});

// REST in front of SOAP ---------------------------------------------------------------------------------------------

test('[SW-6-protocol, GS-4c] a GET in JSON reaches a SOAP server that is not ours; its answer is JSON, levels and masks hold on it', async () => {
  const answer = await rest('/customs/v1/GetStatus?no=A%26B');
  assert.equal(answer.status, 200, answer.text);
  assert.match(answer.headers['content-type'], /^application\/json/);
  assert.equal(answer.text.includes('12345678901234567890.10'), true, answer.text); // to the digit
  assert.deepEqual([answer.json.no, answer.json.phone, 'secret' in answer.json], ['A&B', '138****5678', false]);
  const heard = service.seen.at(-1);
  assert.deepEqual([heard.args.no, heard.method, heard.headers.soapaction], ['A&B', 'POST', `"${NS}/GetStatus"`]);
  assert.match(heard.headers['content-type'], /^text\/xml/);
});

test('[SW-8.3.4-protocol] a POST in JSON reaches it too, its digest renewed, a SOAPAction of the client\'s not passed on', async () => {
  const body = '{"no":"9","weight":1.25}';
  const answer = await send('POST', '/customs/v1/Declare', { body, headers: { 'content-type': 'application/json', soapaction: '"urn:evil"' } });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.text, '{"no":"9","weight":1.25}');
  const heard = service.seen.at(-1);
  assert.equal(heard.headers.soapaction, `"${NS}/Declare"`);
  assert.ok(!heard.headers['content-digest'] || heard.headers['content-digest'].startsWith('sha-256='));
});

// A GET that went on as a POST: what is signed is the answer to the GET, after the plan.
for (const [target, wanted] of [['/customs/v1/GetStatus?no=5', 200], ['/customs/v1/GetStatus?no=mine', 502], ['/customs/v1/GetStatus', 400]]) {
  test(`[EC-6.1.4.3d] a converted answer (${wanted}) is signed as the answer to what the client asked`, async () => {
    const headers = sign(world.key, { url: p.gateway + target });
    const answer = await p.send('GET', target, { headers });
    assert.equal(answer.status, wanted, answer.text);
    const head = (start, fields) => `${start}\r\n${Object.entries(fields).map(([n, v]) => `${n}: ${v}\r\n`).join('')}\r\n`;
    const exchange = path.join(p.dir, `signed-${wanted}.http`);
    writeFileSync(exchange, head(`GET ${target} HTTP/1.1`, { host: `127.0.0.1:${p.gatewayPort}`, ...headers }) + head(`HTTP/1.1 ${answer.status} X`, answer.headers) + answer.text);
    const v = p.sluice('verify', '--platform-key', path.join(p.data, 'keys/answer.pub'), exchange);
    assert.equal(v.code, 0, v.out + v.err);
    assert.match(v.out, /^response: valid/m);
  });
}

for (const [target, body, status_, code, where] of [
  ['/GetStatus', undefined, 400, 'parameter-missing', 'no'], ['/GetStatus?no=1&x=2', undefined, 400, 'parameter-unknown'], ['/GetStatus?no=1&no=2', undefined, 400, 'parameter-invalid'],
  ['/Nothing', undefined, 404, 'operation-unknown'], ['/Declare', { no: '1' }, 400, 'body-invalid'], ['/Declare', { no: '1', weight: 'x' }, 400, 'body-invalid'],
  ['/Declare', { no: '1', weight: 1, more: 1 }, 400, 'body-invalid'], ['/Declare', { no: 1, weight: 1 }, 400, 'body-invalid']]) {
  test(`[SW-8.3.4-protocol, BK-7.2.2a] ${target} ${JSON.stringify(body) ?? ''} is refused ${code}, the server is not asked`, async () => {
    const heard = service.seen.length;
    const answer = await rest(`/customs/v1${target}`, body);
    refused(answer, status_, code);
    if (where) assert.equal(answer.json.where, where);
    assert.equal(service.seen.length, heard);
  });
}

for (const [no, code] of [['mine', 'upstream-unavailable'], ['yours', 'upstream-refused']]) {
  test(`[BK-7.1g] a fault of the server (${no}) is ${code}, without a word of it`, async () => {
    const answer = await rest(`/customs/v1/GetStatus?no=${no}`);
    refused(answer, 502, code);
    assert.ok(!/ORA|10\.0|s3cret/.test(answer.text), answer.text);
  });
}

const LAUGHS = `<!DOCTYPE l [<!ENTITY a "ha">${Array.from({ length: 9 }, (_, i) => `<!ENTITY ${'bcdefghij'[i]} "${`&${'abcdefghi'[i]};`.repeat(10)}">`).join('')}]>`;
const XXE = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>';
for (const [name, text, code, type = 'text/xml'] of [
  ['a billion laughs', `${LAUGHS}${envelope(`<GetStatusResponse xmlns="${NS}"><no>&j;</no></GetStatusResponse>`)}`, 'upstream-invalid'],
  ['an external entity', `${XXE}${envelope(`<GetStatusResponse xmlns="${NS}"><no>&e;</no></GetStatusResponse>`)}`, 'upstream-invalid'],
  ['another namespace', envelope('<GetStatusResponse xmlns="urn:other"><no>1</no></GetStatusResponse>'), 'upstream-invalid'],
  ['half a document', envelope(`<GetStatusResponse xmlns="${NS}"><no>1</no></GetStatusResponse>`).slice(0, -20), 'upstream-invalid'],
  ['no envelope', `<GetStatusResponse xmlns="${NS}"><no>1</no></GetStatusResponse>`, 'upstream-invalid'],
  ['200,000 nested elements', `${'<a>'.repeat(200000)}${'</a>'.repeat(200000)}`, 'upstream-invalid'],
  ['JSON', '{"no":"1"}', 'upstream-invalid', 'application/json'], ['HTML', '<html>s3cret</html>', 'upstream-invalid', 'text/html'],
  ['5 MiB', envelope(`<GetStatusResponse xmlns="${NS}"><no>${'x'.repeat(5 << 20)}</no></GetStatusResponse>`), 'answer-too-large']]) {
  test(`[BK-7.1g, BK-7.3.2a1] a server that answers ${name} yields ${code}`, async () => {
    raw.answer = (res) => res.writeHead(200, { 'content-type': type }).end(text);
    const answer = await rest('/raw/v1/GetStatus?no=1');
    refused(answer, 502, code);
    assert.ok(!/s3cret|root:|haha/.test(answer.text));
  });
}

test('[BK-7.1g] a server that dies half way through its XML yields a clean refusal', async () => {
  raw.answer = (res) => { res.writeHead(200, { 'content-type': 'text/xml', 'content-length': '1000' }); res.write('<e:Envelope', () => res.socket.destroy()); };
  refused(await rest('/raw/v1/GetStatus?no=1'), 502, 'upstream-invalid');
});

// SOAP and XML in front of JSON -------------------------------------------------------------------------------------

for (const [version, more] of [['1.1', {}], ['1.2', { forceSoap12Headers: true }]]) {
  test(`[CI-6.2.2b1, BK-6.1b2] a stock SOAP client made from our WSDL calls a JSON service, SOAP ${version}; levels and masks hold`, async () => {
    const c = await client(more);
    const [receipt] = await c.DeclareAsync({ no: 'x<y', weight: '2.50', item: ['tea', 'silk'] });
    assert.equal(receipt.no, 'x<y');
    assert.equal(receipt.phone, '139****5678');
    assert.equal(receipt.note, 'a < b & c');
    assert.equal(receipt.secret, undefined);
    const heard = unit.seen.at(-1);
    assert.deepEqual([heard.method, heard.url, heard.body], ['POST', '/declarations', '{"no":"x<y","weight":2.50,"items":["tea","silk"]}']);
    assert.match(heard.headers['content-type'], /^application\/json/);
  });
}

test('[GS-4b, SW-8.3.4-protocol] a call in bare XML is answered in XML, the same call in JSON in JSON', async () => {
  const answer = await xml(GOOD);
  assert.equal(answer.status, 200, answer.text);
  assert.match(answer.headers['content-type'], /^application\/xml/);
  assert.match(answer.text, /<c:no>7<\/c:no><c:phone>139\*\*\*\*5678<\/c:phone><c:note>a &lt; b &amp; c<\/c:note>/);
  assert.ok(!answer.text.includes('s3cret'));
  const json = await rest('/unit/v1/Declare', { no: '7', weight: 1.1 });
  assert.deepEqual(json.json, { no: '7', phone: '139****5678', note: 'a < b & c' });
});

test('the WSDL is given to a signed caller alone', async () => {
  const answer = await send('GET', '/unit/v1?wsdl');
  assert.equal(answer.status, 200);
  assert.match(answer.headers['content-type'], /^text\/xml/);
  assert.match(answer.text, new RegExp(`location="${p.gateway}/unit/v1"`));
  refused(await p.send('GET', '/unit/v1?wsdl'), 401, 'signature-missing');
  refused(await send('GET', '/customs/v1?wsdl'), 404, 'operation-unknown');
});

const many = (n) => `${'<c:item>'.repeat(n)}${'</c:item>'.repeat(n)}`;
const NEGATIVE = [['a billion laughs', `${LAUGHS}${declaration('<c:no>&j;</c:no>')}`, 'body-malformed'], ['an external entity', `${XXE}${declaration('<c:no>&e;</c:no>')}`, 'body-malformed'],
  ['an unknown element', declaration('<c:no>1</c:no><c:price>0</c:price>'), 'body-invalid'], ['an element twice', declaration('<c:no>1</c:no><c:no>2</c:no>'), 'body-invalid'],
  ['another namespace', declaration('<c:no>1</c:no>', 'urn:other'), 'body-invalid'], ['a text for a number', declaration('<c:no>1</c:no><c:weight>heavy</c:weight>'), 'body-invalid'],
  ['a required element missing', declaration('<c:weight>1</c:weight>'), 'body-invalid'], ['1,000 nested elements', declaration(many(1000)), 'body-too-complex'],
  ['an unknown attribute', declaration('<c:no id="1">1</c:no>'), 'body-invalid'], ['no XML', '{"no":"1"}', 'body-malformed'], ['another encoding', `<?xml version="1.0" encoding="UTF-16"?>${GOOD}`, 'body-malformed'],
  ['a processing instruction', `<?xml-stylesheet href="x"?>${GOOD}`, 'body-malformed'], ['an inclusion', declaration('<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/>'), 'body-invalid']];

for (const [name, body, code] of NEGATIVE) {
  test(`[BK-7.3.2a1] XML with ${name} is refused ${code} in XML, the service is not asked`, async () => {
    const heard = unit.seen.length;
    const answer = await xml(body);
    assert.equal(answer.status, 400, answer.text);
    assert.match(answer.headers['content-type'], /^application\/problem\+xml/);
    assert.match(answer.text, new RegExp(`<code>${code}</code>.*<instance>${answer.txn}</instance>`));
    assert.ok(!/root:|haha/.test(answer.text));
    assert.equal(unit.seen.length, heard);
  });
  test(`[BK-7.3.2a1, BK-7.1g] SOAP with ${name} is refused by a fault that says ${code} and nothing of ours`, async () => {
    const heard = unit.seen.length;
    const cut = body.lastIndexOf('<c:Declaration');
    const answer = await soap11(cut < 0 ? body : body.slice(0, cut) + envelope(body.slice(cut)));
    assert.equal(answer.status, 500, answer.text);
    assert.match(answer.headers['content-type'], /^text\/xml/);
    assert.match(answer.text, new RegExp(`<faultcode>soap:Client</faultcode><faultstring>${code}: [^<]* \\(${answer.txn}\\)</faultstring></soap:Fault>`));
    assert.equal(unit.seen.length, heard);
  });
}

test('[BK-7.3.2a1] a body over the API\'s limit is refused before it is read as XML', async () => {
  const heard = unit.seen.length;
  const answer = await xml(declaration(`<c:no>${'x'.repeat(70000)}</c:no>`));
  assert.equal(answer.status, 413);
  assert.match(answer.text, /<code>body-too-large<\/code>/);
  assert.equal(unit.seen.length, heard);
});

test('[BK-6.1b2, BK-7.1g] to a SOAP client every refusal is a fault, of its version, also before it is known', async () => {
  const one = await p.send('POST', '/unit/v1', { body: envelope(GOOD), headers: { 'content-type': 'text/xml', soapaction: '""' } });
  assert.deepEqual([one.status, /<faultstring>signature-missing: /.test(one.text)], [500, true], one.text);
  const two = await p.send('POST', '/unit/v1', { body: envelope(GOOD, 'http://www.w3.org/2003/05/soap-envelope'), headers: { 'content-type': 'application/soap+xml' } });
  assert.deepEqual([two.status, /<soap:Value>soap:Sender<\/soap:Value>/.test(two.text), /signature-missing: /.test(two.text)], [400, true, true], two.text);
  const other = await soap11(envelope(GOOD), 'urn:other');
  assert.match(other.text, /operation-unknown: /);
  const c = await client();
  await assert.rejects(c.DeclareAsync({ weight: 'x' }), (e) => /body-invalid/.test(e.message) || /body-invalid/.test(String(e.root?.Envelope?.Body?.Fault?.faultstring)));
});

test('[SW-8.3.4-protocol] an answer that does not fit its description leaves neither in XML nor in part', async () => {
  const answer = await xml(declaration('<c:no>odd</c:no>'));
  assert.equal(answer.status, 502, answer.text);
  assert.match(answer.text, /<code>upstream-invalid<\/code>/);
});

test('[SW-8.3.4-protocol] a form the operation does not offer is refused', async () => {
  const answer = await send('POST', '/customs/v1/Declare', { body: '<a/>', headers: { 'content-type': 'application/xml' } });
  assert.equal(answer.status, 415, answer.text);
  refused(await send('POST', '/unit/v1/Declare', { body: '{}', headers: { 'content-type': 'text/plain' } }), 415, 'media-type-unsupported');
});

test('[BK-7.2.2a, BK-6.1b2] a SOAP or XML call is held against the description of the REST call it means', async () => {
  const schema = { type: 'object', required: ['no'], properties: { no: { type: 'string' }, weight: { type: 'number', maximum: 2 }, items: { type: 'array', items: {} } } };
  const openapi = { openapi: '3.1.0', info: { title: 'unit', version: '1' }, paths: { '/Declare': { post: {
    requestBody: { required: true, content: { 'application/json': { schema } } }, responses: { 200: { description: 'ok' } } } } } };
  await world.provider.post('/schemas', { api_id: world.unit, openapi });
  const heavy = declaration('<c:no>7</c:no><c:weight>2.5</c:weight>');
  await until(async () => (await xml(heavy)).status === 400, { ms: 10000, what: 'the description' });
  const heard = unit.seen.length;
  assert.match((await xml(heavy)).text, /<code>body-invalid<\/code>/);
  assert.match((await soap11(envelope(heavy))).text, /body-invalid: /);
  refused(await rest('/unit/v1/Declare', { no: '7', weight: 2.5 }), 400, 'body-invalid');
  assert.equal(unit.seen.length, heard);
  assert.equal((await xml(GOOD)).status, 200);
  assert.equal((await soap11(envelope(GOOD))).status, 200);
});

test('[SW-8.3.4-protocol] a definition that cannot be used is refused when it is made', async () => {
  const api = await w.httpApi(world, 'bad', unit.url, { fields: FIELDS });
  await restRefuses(world.provider.post('/conversions', { api_id: api, definition: { ...DECLARE, version: 2 } }), 'field-invalid');
  await restRefuses(world.provider.post('/conversions', { api_id: api, wsdl: `${XXE}${WSDL('http://x')}` }), 'field-invalid');
});
