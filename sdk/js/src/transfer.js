// SPDX-License-Identifier: Apache-2.0
// Files both ways. A download is fetched chunk by chunk, each held against the manifest's SM3 and fetched again until it is right, and goes on
// where it was when the program comes back. An upload is tus 1.0 with a checksum on each piece; a piece that was lost or altered is sent again.

import { createHash } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readSync, renameSync, writeSync } from 'node:fs';
import { IntegrityError, LocalError, refusal } from './errors.js';
import { backOffMs, sleep } from './resilience.js';

const PIECE = 4 << 20, WAIT = { firstMs: 200, mostMs: 5000 };
const sm3 = (bytes) => createHash('sm3').update(bytes).digest('hex');

function validChunks({ files: [file] = [] }) {
  let at = 0;
  for (const c of file?.chunks ?? []) {
    if (c.offset !== at || !(c.bytes > 0) || !/^[0-9a-f]{64}$/.test(c.sm3)) throw new IntegrityError('file-altered', { message: 'the manifest does not add up' });
    at += c.bytes;
  }
  if (!file || at !== file.bytes) throw new IntegrityError('file-altered', { message: 'the manifest does not add up' });
  return file;
}

function readAt(fd, offset, length) {
  const bytes = Buffer.alloc(length);
  return readSync(fd, bytes, 0, length, offset) === length ? bytes : undefined;
}

function digestOfFile(fd, length) {
  const hash = createHash('sm3'), block = Buffer.alloc(1 << 20);
  for (let at = 0; at < length;) {
    const n = readSync(fd, block, 0, Math.min(block.length, length - at), at);
    if (n === 0) break;
    hash.update(block.subarray(0, n));
    at += n;
  }
  return hash.digest('hex');
}

/** One chunk, whatever it takes: as many times as `tries`. */
async function chunk(client, target, c, o) {
  for (let attempt = 0; attempt < o.tries; attempt++) {
    if (attempt) await sleep(backOffMs(attempt, {}, WAIT));
    try {
      const answer = await client.call(target, { ...o.call, user: undefined /* one download is one act of theirs */, headers: { range: `bytes=${c.offset}-${c.offset + c.bytes - 1}` }, raw: true });
      const { bytes } = answer; // 200: the whole file, when it is this one chunk
      if (bytes.length === c.bytes && sm3(bytes) === c.sm3) return bytes;
      o.onRepeat({ offset: c.offset, why: 'altered' });
    } catch (e) {
      if (e.kind !== 'network' && !['answer-altered', 'breaker-open'].includes(e.code)) throw e;
      o.onRepeat({ offset: c.offset, why: e.code });
    }
  }
  throw new IntegrityError('file-altered');
}

/**
 * @param {import('./client.js').Sluice} client @param {string} job the export's path, `/trade/orders/v1/exports/ID` @param {string} file where it is to be
 * @param {{call?: object, tries?: number, onRepeat?: (e: {offset: number, why: string}) => void}} [o] call: grant, purpose, user
 * @returns {Promise<{bytes: number, rows: number, sm3: string, fetched: number}>} fetched: chunks that were not there already
 */
export async function download(client, job, file, { call = {}, tries = 8, onRepeat = () => {} } = {}) {
  if (client.describes(job)?.class !== 'A1') throw new LocalError('store-forbidden', { message: `${job}: what no description says to be of class A1 is not put on disk` });
  const whole = validChunks((await client.call(`${job}/manifest`, { ...call, retry: true })).data);
  const part = `${file}.part`, fd = openSync(part, existsSync(part) ? 'r+' : 'w+', 0o600);
  let fetched = 0;
  try {
    for (const c of whole.chunks) {
      const had = readAt(fd, c.offset, c.bytes);
      if (had && sm3(had) === c.sm3) continue;
      writeSync(fd, await chunk(client, `${job}/data`, c, { call, tries, onRepeat }), 0, c.bytes, c.offset);
      fetched += 1;
    }
    fsyncSync(fd);
    if (digestOfFile(fd, whole.bytes) !== whole.sm3) throw new IntegrityError('file-altered');
  } finally { closeSync(fd); }
  renameSync(part, file);
  return { bytes: whole.bytes, rows: whole.rows, sm3: whole.sm3, fetched };
}

const TUS = { 'tus-resumable': '1.0.0' };
const metadata = (o) => Object.entries(o).map(([k, v]) => `${k} ${Buffer.from(v).toString('base64')}`).join(',');

class Upload {
  constructor(connection, control, authorization, o) { Object.assign(this, { connection, control, authorization, ...o }); }

  ask(method, url, headers = {}, body) { return this.connection.request({ method, url, headers: { ...TUS, authorization: this.authorization, ...headers }, body }); }

  async create(length, { name, type }) {
    const a = await this.ask('POST', `${this.control}/api/v1/uploads`, { 'upload-length': String(length), 'upload-metadata': metadata({ filename: name, filetype: type }) });
    if (a.status !== 201) throw refusal(a);
    return new URL(a.headers.location, this.control).href;
  }

  async offset(url) {
    const a = await this.ask('HEAD', url);
    if (a.status !== 200) throw refusal(a);
    return Number(a.headers['upload-offset']);
  }

  /** Sends one piece; resolves to where the platform is now. */
  async piece(url, at, bytes) {
    const sum = `sm3 ${createHash('sm3').update(bytes).digest('base64')}`;
    const a = await this.ask('PATCH', url, { 'upload-offset': String(at), 'content-type': 'application/offset+octet-stream', 'upload-checksum': sum }, bytes);
    if (a.status === 204) return Number(a.headers['upload-offset'] ?? at + bytes.length);
    throw refusal(a);
  }
}

/**
 * @param {{connection: import('./http.js').Connection, control: string, session: string}} to session: a signed-in user's token at the control plane
 * @param {Buffer} bytes @param {{name: string, type: string, url?: string, pieceBytes?: number, tries?: number, onRepeat?: Function}} o url: of one that broke off
 * @returns {Promise<{url: string, id: string, sm3: string}>}
 */
export async function upload({ connection, control, session }, bytes, { name, type, url, pieceBytes = PIECE, tries = 8, onRepeat = () => {} }) {
  const to = new Upload(connection, control, `Bearer ${session}`, {});
  const place = url ?? await to.create(bytes.length, { name, type });
  let at = url ? await to.offset(place) : 0;
  for (let failed = 0; at < bytes.length;) {
    try {
      at = await to.piece(place, at, bytes.subarray(at, at + pieceBytes));
      failed = 0;
    } catch (e) {
      const again = e.kind === 'network' || [460, 409, 503].includes(e.status);
      if (!again || ++failed >= tries) throw e.kind ? e : new LocalError('upload-failed', { cause: e });
      onRepeat({ offset: at, why: e.code });
      await sleep(backOffMs(failed, e, WAIT));
      at = await to.offset(place).catch((lost) => { if (lost.kind !== 'network') throw lost; return at; });
    }
  }
  return { url: place, id: place.split('/').at(-1), sm3: sm3(bytes) };
}
