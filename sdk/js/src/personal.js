// SPDX-License-Identifier: Apache-2.0
// What is personal: by the tags and levels the platform publishes of each field (`GET /api/v1/apis/{id}/openapi`), and as a second net by the
// form of values, for what no description names.

// Tags of the platform (`GET /classification/tags`). An account, or what stands for one, may be written down partly masked; nothing else of these.
const ACCOUNT = new Set(['payment-account', 'pfi-account']);
const PERSONAL = new Set(['personal-financial', 'pfi-authentication', 'pfi-transaction', 'pfi-identity', 'pfi-property', 'pfi-lending', 'pfi-other', 'payment-sensitive', 'user-data', 'behaviour', 'derived']);

/** @returns {'account'|'personal'|'plain'} what may be done with a field in a log; not described: personal. */
export function kindOf(field) {
  const tags = field?.tags ?? [];
  if (tags.some((t) => t === 'payment-sensitive' || t === 'pfi-authentication')) return 'personal';
  if (tags.some((t) => ACCOUNT.has(t))) return 'account';
  return !field || !(field.level >= 1 && field.level <= 2) || tags.some((t) => PERSONAL.has(t)) ? 'personal' : 'plain';
}

/** The account is told apart from others, and cannot be used. */
export function maskAccount(value) {
  const text = String(value), shown = text.length >= 15 ? [6, 4] : text.length >= 7 ? [0, 4] : [0, Math.floor(text.length / 3)];
  return text.slice(0, shown[0]) + '*'.repeat(text.length - shown[0] - shown[1]) + (shown[1] ? text.slice(-shown[1]) : '');
}

export function luhn(digits) {
  const sum = [...digits].reverse().reduce((s, d, i) => s + (i % 2 ? (d * 2 > 9 ? d * 2 - 9 : d * 2) : Number(d)), 0);
  return sum % 10 === 0 && !/^(\d)\1*$/.test(digits);
}

const WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
export const idNumber = (text) => '10X98765432'[WEIGHTS.reduce((s, w, i) => s + w * Number(text[i]), 0) % 11] === text[17].toUpperCase();

const FORMS = [
  ['bank-card', /(?<![\d.*-])[2-9](?:[ -]?\d){12,18}(?![\d*]|\.\d)/g, (t) => luhn(t.replaceAll(/[ -]/g, ''))],
  ['id-number', /(?<![\dA-Za-z*])[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?![\dA-Za-z*])/g, idNumber],
  ['mobile', /(?<![\dA-Za-z*.-])(?:\+?86[- ]?)?1[3-9]\d{9}(?![\dA-Za-z*])/g, () => true],
  ['email', /(?<![\w.+*-])[A-Za-z0-9][\w.+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+/g, () => true],
];

/** Which personal values a text has, by their form: [[kind, index, length]]. */
export function findPersonal(text) {
  return FORMS.flatMap(([kind, form, proven]) => [...text.matchAll(form)].filter(([t]) => proven(t)).map((m) => [kind, m.index, m[0].length]));
}

function fieldsOf(schema, path, into) {
  if (schema?.items) return fieldsOf(schema.items, path, into);
  for (const [name, s] of Object.entries(schema?.properties ?? {})) {
    const at = path === '' ? name : `${path}.${name}`;
    if (s.properties || s.items) fieldsOf(s, at, into);
    else into.set(at, { level: s['x-sluice-level'] ?? 0, tags: s['x-sluice-tags'] ?? [] });
  }
  return into;
}

/**
 * What the platform says of an API: `{id, path, class, signed, seals, sealed, fields}`, of each path of the document.
 * @param {object} doc what `GET /api/v1/apis/{id}/openapi` gave
 */
export function described(doc) {
  const own = doc?.info ?? {};
  return Object.entries(doc?.paths ?? {}).map(([path, item]) => {
    const fields = new Map();
    for (const operation of Object.values(item)) fieldsOf(operation?.responses?.['200']?.content?.['application/json']?.schema, '', fields);
    return { id: own['x-sluice-api'], path, class: own['x-sluice-class'], signed: own['x-sluice-signed'], seals: own['x-sluice-seal-request'] === 'required', sealed: own['x-sluice-seal-response'] === 'required', fields };
  });
}

/** Of a value, the members a log may hold: {name: value}; accounts masked; what looks personal all the same is left out. */
export function loggable(value, fields, path = '') {
  const out = {};
  for (const [name, v] of Object.entries(value ?? {})) {
    const at = path === '' ? name : `${path}.${name}`;
    if (v !== null && typeof v === 'object') {
      for (const inner of Array.isArray(v) ? v.slice(0, 20) : [v]) if (inner && typeof inner === 'object') Object.assign(out, loggable(inner, fields, at));
      continue;
    }
    const kind = kindOf(fields?.get(at));
    const text = v === null || kind === 'personal' ? undefined : kind === 'account' ? maskAccount(v) : v;
    if (text !== undefined && !findPersonal(String(text)).length) out[at] = text;
  }
  return out;
}
