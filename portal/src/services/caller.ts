// SPDX-License-Identifier: Apache-2.0
// Calls made as one of one's own apps, by the platform and through a gateway: decided, masked and recorded as each call of the app.
import { computed, ref, watch, type Ref } from 'vue';
import { api, Problem, type Schemas } from '../api/client';
import { load } from '../parts/load';

export interface Answer { status: number; target: string; transaction_id: string; ms: number; body: unknown }
interface Refusal { code?: string; title?: string; detail?: string; where?: string; instance?: string }

// content: of a method that has a body; live: a call that writes as an app that is live is meant.
export interface More { method?: string; content?: string; content_type?: string; purpose?: string; live?: boolean }
const bodyOf = (app: string, grant: string, target: string, more: More) => ({ app_id: app, target, ...(grant ? { grant_id: grant } : {}), ...more });

export const ask = (apiId: string, app: string, grant: string, target: string, more: More = {}): Promise<Answer> =>
  api.post(`/apis/${apiId}/try`, bodyOf(app, grant, target, more));

// The same, signed by a key of the app's: the platform says what is to be signed, the key signs it here.
export async function askSigned(apiId: string, app: string, grant: string, target: string, more: More, credential: string, by: (base: string, algorithm: string) => Promise<string>): Promise<Answer> {
  const body = { ...bodyOf(app, grant, target, more), credential_id: credential };
  const { sign } = await api.post<{ sign: { signature_input: string; base: string; algorithm: string } }>(`/apis/${apiId}/try`, body);
  return api.post(`/apis/${apiId}/try`, { ...body, signature_input: sign.signature_input, signature: await by(sign.base, sign.algorithm) });
}

// Rows, or what the gateway refused as a Problem like any other.
export async function rowsOf(apiId: string, app: string, grant: string, target: string): Promise<Record<string, unknown>[]> {
  const a = await ask(apiId, app, grant, target);
  if (a.status === 200) return Array.isArray(a.body) ? a.body : [a.body as Record<string, unknown>];
  const said = (a.body ?? {}) as Refusal;
  throw new Problem(a.status, said.code ?? 'internal', said.title ?? `HTTP ${a.status}`, said.detail ?? '', said.where ?? '', a.transaction_id);
}

// The apps one may call as, and the grants that owners gave the chosen one for this API.
export function caller(apiId: string) {
  const app = ref(''), grant = ref('');
  const apps = load<Schemas['App'][]>([], async () => (await api.list<Schemas['App']>('apps')).filter((a) => ['admitted', 'testing'].includes(a.state)));
  const grants = load<Schemas['Grant'][]>([], async () => (app.value ? api.list<Schemas['Grant']>('grants', { app_id: app.value, api_id: apiId, state: 'active' }) : []));
  watch(apps.value, (list) => { app.value ||= list[0]?.id ?? ''; });
  watch(app, () => { grant.value = ''; void grants.again(); });
  watch(grants.value, (list) => { grant.value ||= list[0]?.id ?? ''; });
  const settled = computed(() => app.value !== '' && !grants.busy.value);
  return { app, grant, apps, grants, settled } as { app: Ref<string>; grant: Ref<string>; apps: typeof apps; grants: typeof grants; settled: typeof settled };
}
