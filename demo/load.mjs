// SPDX-License-Identifier: Apache-2.0
// Loads the demo into a running platform, through its REST alone: what this file does a customer can do.
//   SLUICE_PASSWORD=… node demo/load.mjs --control https://127.0.0.1:7300 --ca FILE --gateway https://… --data-dir DIR
// A second run finds its own credentials file and the published APIs, and changes nothing.

import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import * as catalogue from './catalogue.mjs';
import { commerce } from './commerce.mjs';
import { DEFAULTS, generate } from './generate.mjs';
import { selfCheck } from '../sdk/js/src/index.js';
import { Rest } from './rest_client.mjs';
import { window } from './window.mjs';

const YEAR_MS = 365 * 86400e3;
const newPassword = () => `${randomBytes(12).toString('base64url')}-9aZ`; // any password policy finds its kinds in it

// Everything a loading step needs: sessions by login, ids by kind and key.
class Demo {
  constructor(options, admin) {
    Object.assign(this, { options, admin, sessions: {}, passwords: {}, ids: {} });
  }

  remember(kind, key, resource) {
    (this.ids[kind] ??= {})[key] = resource.id;
    return resource;
  }

  id(kind, key) {
    const id = this.ids[kind]?.[key];
    if (!id) throw new Error(`the demo's ${kind} '${key}' is not there`);
    return id;
  }
}

async function addOrganisations(demo) {
  for (const { key, ...body } of catalogue.organisations) {
    const org = demo.remember('organisations', key, await demo.admin.post('/organisations', body));
    await demo.admin.act('organisations', org.id, 'approve');
  }
}

async function addUsers(demo) {
  for (const { organisation, ...user } of catalogue.users(demo.options.seed)) {
    const first = newPassword();
    const body = { ...user, password: first, ...(organisation ? { organisation_id: demo.id('organisations', organisation) } : {}) };
    await demo.admin.post('/users', body);
    const rest = await demo.admin.signIn(user.login, first, newPassword());
    demo.sessions[user.login] = rest;
    demo.passwords[user.login] = rest.password;
  }
}

async function addSources(demo, files) {
  for (const s of catalogue.sources) {
    const provider = demo.sessions[s.provider];
    const source = demo.remember('sources', s.key, await provider.post('/sources', {
      name: s.name, organisation_id: demo.id('organisations', s.provider), kind: 'odbc',
      connection: `Driver=SQLite3;Database=${files[s.key]};Timeout=2000` }));
    await provider.act('sources', source.id, 'check');
  }
}

function classify(dataset, levels) {
  return dataset.fields.map((field) => {
    const [level, mask] = [levels[field.column] ?? 0].flat();
    return { ...field, level, ...(mask ? { mask } : {}) };
  });
}

async function addDatasets(demo) {
  for (const d of catalogue.datasets) {
    const provider = demo.sessions[catalogue.sources.find((s) => s.key === d.source).provider];
    const made = await provider.post('/datasets', { name: d.name, title: d.title, source_id: demo.id('sources', d.source), table: d.table,
      ...(d.owner_column ? { owner_column: d.owner_column } : {}) });
    demo.remember('datasets', d.key, made);
    await provider.patch(`/datasets/${made.id}`, { fields: classify(made, d.levels) }, made.revision);
  }
}

// Nothing opens without a security review, by another than who asks for it.
async function reviewDatasets(demo) {
  for (const d of catalogue.datasets) {
    const provider = demo.sessions[catalogue.sources.find((s) => s.key === d.source).provider];
    const review = await provider.post('/security_reviews', { dataset_id: demo.id('datasets', d.key), legal_basis: catalogue.legal_basis });
    await demo.sessions.operator.act('security_reviews', review.id, 'pass', { conclusion: 'every field is classified, personal data is masked or closed' });
  }
}

// What the directory says of the datasets, open to be found.
async function listEntries(demo) {
  const { operator } = demo.sessions;
  const themes = new Map();
  for (const { key, ...theme } of catalogue.themes) themes.set(key, (await operator.post('/catalog_nodes', { scheme: 'theme', ...theme })).id);
  for (const { dataset, theme, ...said } of catalogue.entries) {
    const about = catalogue.datasets.find((d) => d.key === dataset);
    const provider = demo.sessions[catalogue.sources.find((s) => s.key === about.source).provider];
    const [entry] = await operator.list('entries', { dataset_id: demo.id('datasets', dataset) });
    await operator.patch(`/entries/${entry.id}`, { name: about.title, theme_id: themes.get(theme), decision: 'open', ...said }, entry.revision);
    await provider.act('entries', entry.id, 'submit');
    await operator.act('entries', entry.id, 'publish');
  }
}

async function publishApis(demo) {
  for (const { dataset, ...api } of catalogue.apis) {
    const source = catalogue.datasets.find((d) => d.key === dataset).source;
    const provider = demo.sessions[catalogue.sources.find((s) => s.key === source).provider];
    const published = await provider.act('datasets', demo.id('datasets', dataset), 'publish', { version: 'v1', class: 'A1', ...api });
    demo.remember('apis', api.name, published);
  }
}

async function publishServices(demo) {
  const provider = demo.sessions.window;
  const domains = Object.fromEntries((await provider.list('service_domains')).map((d) => [d.code, d.id]));
  for (const { dataset, domain, ...entry } of catalogue.services) {
    const made = await provider.post('/services/publish', { ...entry, dataset_id: demo.id('datasets', dataset), domain_id: domains[domain] });
    if (!made.published) throw new Error(`the service ${entry.name} lacks ${JSON.stringify(made.missing)}`);
    demo.remember('apis', entry.name, made.api);
  }
}

async function admitApps(demo) {
  const { developer, operator } = demo.sessions;
  for (const { key, organisation, ...body } of catalogue.apps) {
    const app = demo.remember('apps', key, await developer.post('/apps', { ...body, organisation_id: demo.id('organisations', organisation) }));
    await operator.act('apps', app.id, 'admit');
    demo.credential = await developer.post('/credentials', { app_id: app.id, algorithm: 'hmac-sm3' });
    demo.credentialSha256 = await developer.post('/credentials', { app_id: app.id, algorithm: 'hmac-sha256' });
  }
  for (const { app, api, ...body } of catalogue.subscriptions) {
    const s = await developer.post('/subscriptions', { ...body, app_id: demo.id('apps', app), api_id: demo.id('apis', api) });
    await operator.act('subscriptions', s.id, 'approve');
  }
}

// What the sample app is made of: gateways take calls from registered releases alone.
async function registerSdk(demo) {
  const { version, digest } = selfCheck();
  await demo.sessions.operator.post('/sdk_releases', { name: 'js', version, digest_sm3: digest, language: 'JavaScript', framework: 'Node.js 18' });
}

async function addGrants(demo) {
  for (const { app, api, owner, ...body } of catalogue.grants) {
    const { subject } = catalogue.users(demo.options.seed).find((u) => u.login === owner);
    const grant = await demo.sessions[owner].post('/grants', { ...body, app_id: demo.id('apps', app), api_id: demo.id('apis', api), owner: subject,
      expires_at: new Date(Date.now() + YEAR_MS).toISOString() });
    demo.remember('grants', api, grant);
  }
}

function credentials(demo, adminPassword) {
  const secret = ({ id, secret: value, algorithm }) => ({ id, algorithm, secret: value });
  return { control: demo.options.control, gateway: demo.options.gateway, ca: demo.options.ca,
    logins: { admin: adminPassword, ...demo.passwords }, app: demo.id('apps', 'erp'),
    credentials: [secret(demo.credential), secret(demo.credentialSha256)], apis: demo.ids.apis, grants: demo.ids.grants,
    subjects: Object.fromEntries(catalogue.users(demo.options.seed).filter((u) => u.subject).map((u) => [u.login, u.subject])) };
}

// A half-written file must not look like a loaded demo: written aside, then renamed.
function save(file, value) {
  const aside = `${file}.new`;
  writeFileSync(aside, JSON.stringify(value, null, 2) + '\n', { mode: 0o600 });
  renameSync(aside, file);
}

// The administrator's first password may have to be changed, and a run cut after that must not lock anyone
// out: the next one follows from the first.
async function adminSession(rest, password) {
  try {
    return await rest.signIn('admin', password, `${password}-changed`);
  } catch (e) {
    if (e.code !== 'sign-in-failed') throw e;
    return rest.signIn('admin', `${password}-changed`);
  }
}

async function published(admin) {
  const there = new Set((await admin.list('apis')).map((api) => api.path));
  return [...catalogue.apis, ...catalogue.services].filter((api) => there.has(api.path)).length;
}

async function databases(dir, options) {
  const files = { ...await generate(dir, options), window: path.resolve(dir, 'window.db'), commerce: path.resolve(dir, 'commerce.db') };
  for (const f of [files.window, files.commerce]) rmSync(f, { force: true });
  options.progress('tables of a single window and of electronic commerce');
  window(files.window, options);
  commerce(files.commerce, options);
  return files;
}

// Returns the credentials (also in DATA/demo/credentials.json); `fresh` false: they were there.
export async function load(options) {
  const o = { ...DEFAULTS, progress: () => {}, ...options };
  const file = path.join(o.dataDir, 'demo', 'credentials.json');
  const old = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null;
  const ca = readFileSync(o.ca, 'utf8');
  const admin = await adminSession(new Rest(o.control, ca), old?.logins.admin ?? o.password);
  const count = await published(admin);
  const all = catalogue.apis.length + catalogue.services.length;
  if (old && count === all) return { fresh: false, credentials: old, file };
  if (count > 0) throw new Error(`the store holds ${count} of the demo's ${all} APIs but ${file} is missing: start with an empty --data-dir`);
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const files = await databases(path.dirname(file), o);
  const demo = new Demo(o, admin);
  for (const [what, step] of [['organisations', addOrganisations], ['users', addUsers], ['sources', (d) => addSources(d, files)],
    ['datasets, classified field by field', addDatasets], ['their security reviews', reviewDatasets], ['APIs', publishApis], ['services of the single window', publishServices], ['the directory', listEntries],
    ['an app with credentials and subscriptions', admitApps], ['the release of the SDK', registerSdk],
    ['grants of the owners', addGrants]]) {
    o.progress(what);
    await step(demo);
  }
  const made = credentials(demo, admin.password);
  save(file, made);
  for (const rest of [admin, ...Object.values(demo.sessions)]) rest.close();
  return { fresh: true, credentials: made, file };
}

const NAMES = { '--control': 'control', '--ca': 'ca', '--gateway': 'gateway', '--data-dir': 'dataDir', '--enterprises': 'enterprises', '--orders': 'orders' };

async function main(args) {
  const options = { password: process.env.SLUICE_PASSWORD, progress: (what) => console.log(`  demo: ${what}`) };
  for (let i = 0; i < args.length; i += 2) {
    const name = NAMES[args[i]];
    if (!name || args[i + 1] === undefined) throw new Error(`${args[i]}: not an option; there are ${Object.keys(NAMES).join(' ')}`);
    options[name] = ['enterprises', 'orders'].includes(name) ? Number(args[i + 1]) : args[i + 1];
  }
  for (const need of ['control', 'ca', 'dataDir']) if (!options[need]) throw new Error(`${Object.keys(NAMES).find((n) => NAMES[n] === need)} is needed`);
  const { fresh, file } = await load(options);
  console.log(fresh ? `  demo: loaded; logins and keys are in ${file}` : `  demo: already loaded (${file})`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  main(process.argv.slice(2)).catch((e) => {
    console.error(`demo: ${e.message}`);
    process.exit(1);
  });
}
