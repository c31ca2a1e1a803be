// SPDX-License-Identifier: Apache-2.0
// A small trade platform made step by step through REST: what several stories start from.

import path from 'node:path';
import { mkdirSync } from 'node:fs';
import { trade } from '../../../demo/generate.mjs';
import { until } from './wait.mjs';

export const SEED = 7;
export const MERCHANTS = 10;
export const IN_A_YEAR = new Date(Date.now() + 365 * 86400e3).toISOString();

// 4 levels in one table: what each column of the orders is.
export const LEVELS = { order_id: 2, merchant_id: 2, product_title: 1, category: 1, quantity: 2, amount: 2, currency: 1, status: 2, ordered_at: 2,
  buyer_name: [3, 'name'], buyer_phone: [3, 'phone'], buyer_email: [3, 'email'], buyer_address: [3, 'address'], card_number: 4, pay_password: 4 };

export function classify(fields, levels) {
  return fields.map((f) => {
    const [level, mask] = [levels[f.column] ?? 0].flat();
    return { ...f, level, ...(mask ? { mask } : {}) };
  });
}

export async function ordersDatabase(dir, orders = 200) {
  mkdirSync(dir, { recursive: true });
  const file = path.join(dir, 'orders.db');
  await trade(file, { seed: SEED, orders, merchants: MERCHANTS });
  return file;
}

export const sqliteConnection = (file) => `Driver=SQLite3;Database=${file};Timeout=2000`;

export async function user(admin, login, role, more = {}) {
  const password = `${login}-first-Passw0rd`;
  await admin.post('/users', { login, role, password, display_name: login, ...more });
  return admin.signIn(login, password, `${password}-changed`);
}

export async function organisation(admin, name, kind) {
  const org = await admin.post('/organisations', { name, kind });
  await admin.act('organisations', org.id, 'approve');
  return org.id;
}

export async function admittedApp(world, name, environment = 'monitored') {
  const app = await world.developer.post('/apps', { name, organisation_id: world.thirdParty, environment });
  await world.operator.act('apps', app.id, 'admit');
  return app.id;
}

export const credential = (world, app, algorithm = 'hmac-sm3') => world.developer.post('/credentials', { app_id: app, algorithm });

export async function subscription(world, app, api, more = {}) {
  const s = await world.developer.post('/subscriptions', { app_id: app, api_id: api, purpose: 'order management', max_level: 3, ...more });
  await world.operator.act('subscriptions', s.id, 'approve');
  return s.id;
}

// The app may call without a kit an API that asks for one: asked for by its side, approved by the platform.
export async function directly(world, app, api) {
  const asked = await world.developer.post('/direct_connections', { app_id: app, api_id: api, reason: 'its server signs by itself', expires_at: IN_A_YEAR });
  return world.operator.act('direct_connections', asked.id, 'approve', { comment: 'looked at' });
}

export const grant = (world, app, api, more = {}) => world.owner.post('/grants',
  { app_id: app, api_id: api, owner: 'M00001', purpose: 'manage my orders', term: 'period', expires_at: IN_A_YEAR, ...more });

// Without a security review nothing opens: one of a dataset or an API is asked for and passed. fields: what is meant to
// become of some of them, [{name, level, mask}].
export async function reviewed(world, plural, id, fields) {
  const api = plural === 'datasets' ? {} : await world.admin.get(`/apis/${id}`);
  const dataset = plural === 'datasets' ? id : api.dataset_id;
  const money = ['payment', 'transfer', 'product-purchase'].includes(api.operation);
  const review = await world.admin.post('/security_reviews', { ...(dataset ? { dataset_id: dataset } : { api_id: id }),
    legal_basis: 'Data Security Law, art. 21', ...(money ? { no_clearing: true } : {}), ...(fields ? { fields } : {}) });
  return world.operator.act('security_reviews', review.id, 'pass', { conclusion: 'nothing stands against it' });
}

// What was found in a dataset's columns is decided, so that it may be put where others reach it.
export async function looked(world, dataset) {
  const discovery = await until(async () => (await world.operator.list('discoveries', { dataset_id: dataset }))
    .find((d) => ['proposed', 'applied'].includes(d.state)), { ms: 20000, what: 'the discovery of the dataset' });
  if (discovery.state === 'proposed') await world.operator.act('discoveries', discovery.id, 'accept-all');
}

// The matters of a service's end, agreed between its provider and the app's side.
export async function agreed(world, termination) {
  for (const item of await world.provider.list('termination_items', { termination_id: termination })) {
    await world.provider.patch(`/termination_items/${item.id}`, { responsible: 'both', responsible_name: 'the two contacts of the agreement', agreement: `${item.matter}: as the agreement says` }, item.revision);
    await world.provider.act('termination_items', item.id, 'propose');
    await world.developer.act('termination_items', item.id, 'agree');
  }
}

// What a story publishes has passed its review, unless the story is about that.
function reviewing(world, rest) {
  const act = rest.act.bind(rest);
  rest.unreviewed = act;
  rest.act = async (plural, id, action, body) => {
    if (action === 'publish') await reviewed(world, plural, id);
    return act(plural, id, action, body);
  };
  return rest;
}

// An API of kind http on an upstream of the test's own. sdk_required false: the platform opens it to direct calls.
export async function httpApi(world, name, upstream, { sdk_required, ...more } = {}) {
  const api = await world.provider.post('/apis', { name, version: 'v1', path: `/${name}/v1`, kind: 'http', upstream, class: 'A1', access: 'subscription',
    methods: ['GET', 'POST'], query: true, timeout_ms: 1500, max_body_bytes: 65536, title: name,
    fields: [{ path: 'id', name: 'id', level: 2, type: 'scalar', mask: '' }, { path: 'phone', name: 'phone', level: 3, type: 'scalar', mask: 'phone' },
      { path: 'items.id', name: 'item', level: 2, type: 'scalar', mask: '' }, { path: 'secret', name: 'secret', level: 4, type: 'scalar', mask: '' }], ...more });
  if (sdk_required === false) await world.operator.patch(`/apis/${api.id}`, { sdk_required }, api.revision);
  await world.provider.act('apis', api.id, 'publish');
  return api.id;
}

// Organisations, users and an app with a credential; nothing published yet.
export async function people(platform, environment = 'monitored') {
  const admin = await platform.admin();
  const world = { admin, platform };
  world.holder = await organisation(admin, 'Trade platform', 'holder');
  world.thirdParty = await organisation(admin, 'Software house', 'third_party');
  world.operator = await user(admin, 'operator', 'operator');
  world.provider = reviewing(world, await user(admin, 'provider', 'provider', { organisation_id: world.holder }));
  world.developer = await user(admin, 'developer', 'developer', { organisation_id: world.thirdParty });
  world.owner = await user(admin, 'owner', 'owner', { subject: 'M00001' });
  world.app = await admittedApp(world, 'Order helper', environment);
  world.key = await credential(world, world.app);
  return world;
}

// The orders published at /trade/orders/v1, subscribed and granted. connection: of a database that has them already.
export async function trading(platform, { orders = 200, connection, environment } = {}) {
  const world = await people(platform, environment);
  const file = connection ? null : await ordersDatabase(platform.dir, orders);
  const source = await world.provider.post('/sources', { name: 'orders', organisation_id: world.holder, kind: 'odbc', connection: connection ?? sqliteConnection(file) });
  world.source = source.id;
  await world.provider.act('sources', source.id, 'check');
  const dataset = await world.provider.post('/datasets', { name: 'orders', source_id: source.id, table: 'orders', owner_column: 'merchant_id' });
  world.dataset = dataset.id;
  await world.provider.patch(`/datasets/${dataset.id}`, { fields: classify(dataset.fields, LEVELS) }, dataset.revision);
  world.api = (await world.provider.act('datasets', dataset.id, 'publish', { name: 'orders', version: 'v1', path: '/trade/orders/v1', title: 'Orders' })).id;
  world.subscription = await subscription(world, world.app, world.api);
  world.grant = (await grant(world, world.app, world.api)).id;
  await until(async () => (await platform.call('/trade/orders/v1?limit=1', world)).status === 200, { ms: 10000, what: 'the published orders' });
  return world;
}
