// SPDX-License-Identifier: Apache-2.0
export const delay = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Until test() is truthy; its value. An error of a connection means "not yet", any other is thrown at once.
export async function until(test, { ms = 5000, every = 20, what = 'the condition' } = {}) {
  const end = Date.now() + ms;
  let last;
  for (;;) {
    try {
      const value = await test();
      if (value) return value;
    } catch (e) {
      last = e;
      if (!e.code || !/^(ECONN|EPIPE|ENOENT|EPROTO|ERR_SSL|HPE_)/.test(e.code)) {
        if (!/socket hang up|no answer/.test(e.message)) throw e;
      }
    }
    if (Date.now() > end) throw new Error(`${what} did not come in ${ms} ms${last ? ` (last: ${last.message})` : ''}`);
    await delay(every);
  }
}

export const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
