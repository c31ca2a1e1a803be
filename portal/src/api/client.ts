// SPDX-License-Identifier: Apache-2.0
// The one way to the control plane: REST below /api/v1, with the session's cookie, in the reader's language.
import type { components } from './schema';

export type Schemas = components['schemas'];
export interface Page<T> { items: T[]; page: number; page_size: number; total: number }

// What the platform answered instead of what was asked for (RFC 9457).
export class Problem extends Error {
  constructor(readonly status: number, readonly code: string, title: string, readonly detail: string, readonly where: string, readonly instance: string) {
    super(title);
  }
}

let language = 'zh-CN';
export const speak = (locale: string): void => { language = locale; };

export function signIn(): void {
  location.assign(`/login?continue=${encodeURIComponent(`/portal/${location.hash}`)}`);
}

async function problemOf(answer: Response): Promise<Problem> {
  const said = await answer.json().catch(() => ({}));
  return new Problem(answer.status, said.code ?? 'internal', said.title ?? `HTTP ${answer.status}`, said.detail ?? '', said.where ?? '', said.instance ?? '');
}

async function send(method: string, path: string, body?: unknown, revision?: number): Promise<Response> {
  const headers: Record<string, string> = { accept: 'application/json', 'accept-language': language, 'sluice-portal': '1' };
  if (body !== undefined) headers['content-type'] = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  if (revision !== undefined) headers['if-match'] = `"${revision}"`;
  const answer = await fetch(`/api/v1${path}`, { method, headers, credentials: 'same-origin', cache: 'no-store', body: body === undefined ? undefined : JSON.stringify(body) });
  if (!answer.ok) throw await problemOf(answer);
  return answer;
}

async function call<T>(method: string, path: string, body?: unknown, revision?: number): Promise<T> {
  const text = await (await send(method, path, body, revision)).text();
  return (text ? JSON.parse(text) : null) as T;
}

// {a: '1', b: ''} → "?a=1": what is empty is not asked for.
export function query(parameters: Record<string, string | number | undefined | null>): string {
  const q = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined && value !== null && value !== '') q.set(name, String(value));
  const text = q.toString();
  return text ? `?${text}` : '';
}

// A file as it is, and one that is fetched: no JSON.
async function upload(path: string, file: File): Promise<{ id: string; name: string }> {
  const answer = await fetch(`/api/v1${path}`, { method: 'POST', credentials: 'same-origin', cache: 'no-store', body: file,
    headers: { 'accept-language': language, 'sluice-portal': '1', 'content-type': file.type || 'application/octet-stream' } });
  if (!answer.ok) throw await problemOf(answer);
  return answer.json();
}
async function download(path: string, name: string): Promise<void> {
  const link = Object.assign(document.createElement('a'), { href: URL.createObjectURL(await (await send('GET', path)).blob()), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}

export const api = {
  upload,
  download,
  get: <T>(path: string) => call<T>('GET', path),
  post: <T>(path: string, body: unknown = {}, revision?: number) => call<T>('POST', path, body, revision),
  put: <T>(path: string, body: unknown) => call<T>('PUT', path, body),
  patch: <T>(path: string, body: unknown, revision: number) => call<T>('PATCH', path, body, revision),
  remove: <T>(path: string) => call<T>('DELETE', path),
  list: async <T>(plural: string, parameters: Record<string, string | number | undefined | null> = {}) =>
    (await call<Page<T>>('GET', `/${plural}${query({ page_size: 200, ...parameters })}`)).items,
  page: <T>(plural: string, parameters: Record<string, string | number | undefined | null> = {}) => call<Page<T>>('GET', `/${plural}${query(parameters)}`),
  // An action on the revision that is there now.
  act: async <T>(plural: string, id: string, action: string, body: unknown = {}) => {
    const { revision } = await call<{ revision: number }>('GET', `/${plural}/${id}`);
    return call<T>('POST', `/${plural}/${id}/${action}`, body, revision);
  },
};
