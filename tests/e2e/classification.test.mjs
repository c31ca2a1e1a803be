// SPDX-License-Identifier: Apache-2.0
// What data is found to be, who says so, and the review without which none of it opens.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { refused, restRefuses } from './lib/assertions.mjs';
import { Platform } from './lib/platform.mjs';
import { until } from './lib/wait.mjs';
import * as w from './lib/world.mjs';

let p;
let world;

before(async () => {
  p = await Platform.start();
  world = await w.trading(p, { orders: 20 });
});
after(() => p?.stop());

const call = (target, more = {}) => p.call(target, { key: world.key, grant: world.grant, ...more });

test('[SW-9.4-4a, SW-9.4-4b] nothing opens before its security review: by another, on a legal basis, of these very fields', async () => {
  const made = await world.provider.post('/datasets', { name: 'unseen', source_id: world.source, table: 'orders', owner_column: 'merchant_id' });
  await world.provider.patch(`/datasets/${made.id}`, { fields: w.classify(made.fields, w.LEVELS) }, made.revision);
  const publish = () => world.provider.unreviewed('datasets', made.id, 'publish', { name: 'unseen', version: 'v1', path: '/unseen/v1' });
  await restRefuses(publish(), 'security-review-missing');
  await restRefuses(world.provider.post('/security_reviews', { dataset_id: made.id }), 'field-invalid', '/legal_basis');
  const review = await world.provider.post('/security_reviews', { dataset_id: made.id, legal_basis: 'Data Security Law, art. 21' });
  await restRefuses(publish(), 'security-review-missing');
  await restRefuses(world.provider.act('security_reviews', review.id, 'pass', { conclusion: 'fit' }), 'not-permitted');
  const passed = await world.operator.act('security_reviews', review.id, 'pass', { conclusion: 'masked where personal' });
  assert.deepEqual([passed.requested_by, passed.reviewed_by, passed.conclusion, passed.fields.length], ['provider', 'operator', 'masked where personal', made.fields.length]);
  refused(await call('/unseen/v1?limit=1'), 404, 'route-unknown');
  await publish();
  await until(async () => (await call('/unseen/v1?limit=1')).json?.code === 'subscription-missing', { what: 'the API on the gateway' });
  const now = await world.provider.get(`/datasets/${made.id}`);
  const lowered = w.classify(now.fields, { ...w.LEVELS, buyer_phone: 1 });
  await restRefuses(world.provider.patch(`/datasets/${made.id}`, { fields: lowered }, now.revision), 'security-review-missing');
  await world.operator.act('security_reviews', review.id, 'revoke', { comment: 'a complaint' });
  await until(async () => (await call('/unseen/v1?limit=1')).json?.code === 'api-offline', { what: 'the closing of what rested on it' });
});
