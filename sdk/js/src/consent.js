// SPDX-License-Identifier: Apache-2.0
// The consent a user gives the app's own company for what it collects itself. It has nothing to do with a grant at the platform: records of its
// own, in a place of their own, ended apart. What is shown always says who collects, and who does not; there is no way to leave that out.

import { randomUUID } from 'node:crypto';
import { LocalError } from './errors.js';
import { sm3Hex } from './sm.js';

const TEXT = {
  zh: { title: (c) => `${c}的个人信息收集同意书`, who: (c) => `以下信息由${c}收集，收集方并非您的银行或数据开放平台，与银行服务无关。您可以拒绝，不影响您已授权的银行数据。`,
    purpose: '收集目的', items: '收集的信息', yes: '我同意', no: '不同意', lang: 'zh-CN' },
  en: { title: (c) => `Consent to what ${c} collects`, who: (c) => `This is collected by ${c}, not by your bank or the data platform. It has nothing to do with the bank's services. You may refuse; what your bank gave us at your consent is not affected.`,
    purpose: 'What for', items: 'What is collected', yes: 'I agree', no: 'I do not agree', lang: 'en' },
};
const ACTS = ['tick', 'click', 'statement'];

const escaped = (s) => String(s).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll('\'', '&#39;');

/**
 * What to show. Nothing in the form is ticked. @param {{company: string, purpose: string, items: string[], lang?: 'zh'|'en', action?: string}} o
 * @returns {{text: string, html: string, statement: string, shown: string}} `shown` names exactly this text and goes into the record
 */
export function renderConsent({ company, purpose, items, lang = 'zh', action = '' }) {
  if (!TEXT[lang] || !company || !purpose || !items?.length) throw new LocalError('consent-incomplete');
  const t = TEXT[lang], statement = t.who(company);
  const text = [t.title(company), '', statement, '', `${t.purpose}: ${purpose}`, `${t.items}:`, ...items.map((i) => `- ${i}`), ''].join('\n');
  const html = `<section class="sluice-own-consent" lang="${t.lang}"><h2>${escaped(t.title(company))}</h2>
<p class="collector" role="note"><strong>${escaped(statement)}</strong></p>
<p>${escaped(t.purpose)}: ${escaped(purpose)}</p>
<p>${escaped(t.items)}:</p><ul>${items.map((i) => `<li>${escaped(i)}</li>`).join('')}</ul>
<form method="post" action="${escaped(action)}"><label><input type="checkbox" name="agree" value="yes" required> ${escaped(t.yes)}</label> <button name="act" value="agree">${escaped(t.yes)}</button> <button name="act" value="refuse" formnovalidate>${escaped(t.no)}</button></form></section>
`;
  return { text, html, statement, shown: sm3Hex(text) };
}

/** Records of it, by user. Over a vault of its own: give it a folder that holds nothing else. */
export class OwnConsents {
  /** @param {{company: string, vault: import('./vault.js').Vault, now?: () => number}} o */
  constructor({ company, vault, now = Date.now }) { Object.assign(this, { company, vault, now }); }

  #all(user) { return this.vault.session(user).get('consents') ?? []; }

  #save(user, list) { this.vault.session(user).put('consents', list, { class: 'A1' }); }

  /** @param {string} user @param {{purpose: string, items: string[], lang?: 'zh'|'en', shown: string, act: 'tick'|'click'|'statement'}} given `shown` as renderConsent() gave it */
  record(user, { purpose, items, lang = 'zh', shown, act }) {
    const page = renderConsent({ company: this.company, purpose, items, lang });
    if (page.shown !== shown || !ACTS.includes(act)) throw new LocalError('consent-incomplete');
    const one = { id: randomUUID(), given_to: this.company, purpose, items, act, lang, statement: page.statement, shown, given_at: new Date(this.now()).toISOString(), ended_at: null };
    this.#save(user, [...this.#all(user), one]);
    return one;
  }

  list(user) { return this.#all(user); }

  /** Is there one in force for all of these? */
  covers(user, purpose, items) { return items.every((i) => this.#all(user).some((c) => !c.ended_at && c.purpose === purpose && c.items.includes(i))); }

  /** Ends this one; grants at the platform are not touched. */
  end(user, id) {
    const list = this.#all(user), one = list.find((c) => c.id === id && !c.ended_at);
    if (!one) throw new LocalError('not-this-users');
    one.ended_at = new Date(this.now()).toISOString();
    this.#save(user, list);
    return one;
  }
}
