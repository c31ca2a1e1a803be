// SPDX-License-Identifier: Apache-2.0
// Looks an app's own log through for personal data in clear: values of a form that speaks for itself (card numbers by Luhn, identity numbers by
// their check digit, mobile numbers, addresses of mail), and members whose name says what they are. Says where and what kind, never the value.

import { closeSync, openSync, readSync } from 'node:fs';
import { findPersonal, kindOf } from './personal.js';

const NAMES = ['name', 'real_name', 'full_name', 'buyer_name', 'contact_name', 'consignee', 'holder_name', 'cardholder', 'id_card', 'id_no', 'id_number', 'phone', 'mobile', 'tel', 'telephone', 'email', 'address', 'birthday',
  'card_no', 'card_number', 'bank_card', 'account_no', 'bank_account', 'payment_account', 'password', 'pay_password', 'cvv', 'cvv2', 'pin', '姓名', '身份证', '手机', '电话', '地址', '卡号', '账号', '密码'];
const BLOCK = 1 << 20, LINE_MAX = 1 << 20;

/** The names of members that a log may not hold in clear: known ones, and those the platform's descriptions tag. */
export function personalNames(apis = []) {
  const tagged = apis.flatMap((a) => [...a.fields].filter(([, f]) => kindOf(f) !== 'plain' && f.level > 0).map(([path]) => path.split('.').at(-1)));
  return new Set([...NAMES, ...tagged].map((n) => n.toLowerCase()));
}

const MEMBER = /(?<![\p{L}\p{N}_])["']?([\p{L}_][\p{L}\p{N}_]*)["']?\s*[:=]\s*("(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;}\]&]+)/gu;
const hidden = (value) => /\*|^(null|true|false|undefined|""|''|-)?$/.test(value.trim());

function ofLine(text, names) {
  const members = [...text.replaceAll('\\"', '"').matchAll(MEMBER)].filter(([, name, value]) => names.has(name.toLowerCase()) && !hidden(value)).map(([, name]) => `member ${name}`);
  return [...findPersonal(text).map(([kind]) => kind), ...members];
}

/** @returns {Generator<{line: number, kind: string}>} Reads piece by piece: a log may be larger than memory. */
export function* scanLog(file, names = personalNames()) {
  const fd = openSync(file, 'r'), block = Buffer.alloc(BLOCK), decoder = new TextDecoder();
  let rest = '', line = 0;
  try {
    for (let n; (n = readSync(fd, block)) > 0 || rest !== '';) {
      const lines = (rest + (n > 0 ? decoder.decode(block.subarray(0, n), { stream: true }) : '')).split('\n');
      rest = n > 0 ? lines.pop() : '';
      if (rest.length > LINE_MAX) lines.push(rest) && (rest = '');
      for (const text of lines) {
        line += 1;
        for (const kind of new Set(ofLine(text, names))) yield { line, kind };
      }
    }
  } finally { closeSync(fd); }
}
