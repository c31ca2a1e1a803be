// SPDX-License-Identifier: Apache-2.0
// A real browser on the platform's pages. Screenshots go to $SLUICE_SHOTS when that is set.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { chromium } from 'playwright-core';

export async function browser() {
  return chromium.launch({ executablePath: '/usr/bin/chromium', headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });
}

export async function visitor(b, locale = 'zh-CN') {
  const context = await b.newContext({ locale, ignoreHTTPSErrors: true });
  context.setDefaultTimeout(20000);
  return context.newPage();
}

export async function shot(page, name) {
  if (!process.env.SLUICE_SHOTS) return;
  mkdirSync(process.env.SLUICE_SHOTS, { recursive: true });
  await page.screenshot({ path: path.join(process.env.SLUICE_SHOTS, `${name}.png`), fullPage: true });
}

// The portal's pages for several users: one context each, signed in once; and what stands against the platform's own
// rules: scripts' errors, blocked content, and requests to anybody else.
export class Portal {
  constructor(p, b) {
    this.p = p;
    this.b = b;
    this.pages = {};
    this.violations = [];
  }

  watch(page) {
    page.on('pageerror', (e) => this.violations.push(`error: ${e.message}`));
    page.on('console', (m) => { if (/Content Security Policy|Refused to/.test(m.text())) this.violations.push(m.text()); });
    page.on('request', (q) => { if (!q.url().startsWith(this.p.control) && !/^(data|blob):/.test(q.url())) this.violations.push(`request: ${q.url()}`); });
    return page;
  }

  async visitor(locale) { return this.watch(await visitor(this.b, locale)); }

  async signedIn(login, locale = 'zh-CN') {
    if (this.pages[login]) return this.pages[login];
    const page = await this.visitor(locale);
    await page.goto(`${this.p.control}/portal/`);
    await this.enter(page, login, `${login}-first-Passw0rd-changed`);
    this.pages[login] = page;
    return page;
  }

  async enter(page, login, password) {
    await page.waitForURL(/\/login(\?continue=|$)/);
    await page.fill('#login', login);
    await page.fill('#password', password);
    await page.click('button[type=submit]');
    await page.waitForURL(/\/portal\//);
    await page.locator('main h1').waitFor();
  }

  async go(page, route, heading) {
    await page.goto(`${this.p.control}/portal/#${route}`);
    if (heading) await page.getByRole('heading', { level: 1, name: heading }).waitFor();
  }
}

// Chooses in one of Element Plus' selects: in its own list, for another's may be closing still.
export async function choose(page, label, ...options) {
  const input = page.getByLabel(label, { exact: true }).and(page.locator('[role=combobox]')).locator('visible=true').first();
  await page.locator('.el-select', { has: input }).first().click();
  const list = page.locator(`[id="${await input.getAttribute('aria-controls')}"]`);
  for (const option of options) await list.getByRole('option', { name: option }).first().click();
  if (options.length > 1) await page.keyboard.press('Escape');
}

// A row's action, and yes to the question.
export async function does(page, row, action, comment) {
  await row.getByRole('button', { name: action, exact: true }).click();
  const dialog = page.getByRole('dialog').locator('visible=true');
  if (comment) await dialog.locator('textarea').fill(comment);
  await dialog.getByRole('button', { name: '确定' }).click();
  await dialog.waitFor({ state: 'hidden' });
}
export const row = (page, table, text) => page.locator(`${table} .el-table__row`, { hasText: text });
