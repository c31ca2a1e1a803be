// SPDX-License-Identifier: Apache-2.0
// The signer the stories use, against the examples of the RFC itself.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import test from 'node:test';
import { contentDigest, signatureBase } from './lib/sign.mjs';

test('the tests\' own signer gives the HMAC signature of RFC 9421 B.2.5', () => {
  const key = Buffer.from('uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==', 'base64');
  const base = signatureBase([['date', 'Tue, 20 Apr 2021 02:07:55 GMT'], ['@authority', 'example.com'], ['content-type', 'application/json']],
    '("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"');
  assert.equal(createHmac('sha256', key).update(base).digest('base64'), 'pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=');
});

test('the tests\' own Content-Digest is that of RFC 9530 appendix D', () => {
  assert.equal(contentDigest('{"hello": "world"}\n'), 'sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:');
});
