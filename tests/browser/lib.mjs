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
  context.setDefaultTimeout(8000);
  return context.newPage();
}

export async function shot(page, name) {
  if (!process.env.SLUICE_SHOTS) return;
  mkdirSync(process.env.SLUICE_SHOTS, { recursive: true });
  await page.screenshot({ path: path.join(process.env.SLUICE_SHOTS, `${name}.png`), fullPage: true });
}
