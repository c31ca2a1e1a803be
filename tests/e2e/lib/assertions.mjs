// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

// A refusal of gateway or data service: RFC 9457, a code of contract/errors.tsv, a transaction number, no data.
export function refused(answer, status, code) {
  assert.equal(`${answer.status} ${answer.json?.code}`, `${status} ${code}`, answer.text.slice(0, 400));
  assert.match(answer.headers['content-type'] ?? '', /^application\/problem\+json/);
  assert.match(answer.txn ?? '', /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-/, 'Sluice-Transaction is a UUIDv7');
}

// A refusal of the control plane's REST. where: a JSON pointer, or undefined for any.
export async function restRefuses(promise, code, where) {
  await assert.rejects(promise, (e) => {
    assert.equal(e.code, code, e.message);
    if (where !== undefined) assert.equal(e.problem.where, where);
    return true;
  });
}

export function rows(answer, n) {
  assert.equal(answer.status, 200, answer.text.slice(0, 400));
  assert.ok(Array.isArray(answer.json), answer.text.slice(0, 200));
  if (n !== undefined) assert.equal(answer.json.length, n);
  return answer.json;
}
