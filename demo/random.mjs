// SPDX-License-Identifier: Apache-2.0
// Numbers that look random and are the same for the same seed: two machines load the same demo.

export class Random {
  #state;

  constructor(seed) {
    this.#state = seed >>> 0;
  }

  // mulberry32: 32 bits of state, uniform enough for test data, and never for anything secret.
  next() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  below(n) {
    return Math.floor(this.next() * n);
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  digits(n) {
    let out = '';
    for (let i = 0; i < n; i++) out += this.below(10);
    return out;
  }
}
