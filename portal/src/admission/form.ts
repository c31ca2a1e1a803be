// SPDX-License-Identifier: Apache-2.0
// The forms of GET /form-kinds: what an application of each kind holds, and what one lacks still.
import { chinese } from '../i18n';

export interface FormMember { name: string; title_zh: string; title_en: string; type: string; required: boolean; min: number; max: number; values?: string[] }
export interface FormKind { name: string; title_zh: string; title_en: string; members: FormMember[]; documents: string[]; judged: string[]; identity: boolean; assessed: boolean }
export interface Material { kind: string; document_id: string; valid_until?: string | null }
export interface Permission { api_id: string; max_level?: number; fields?: string[] }

export const titled = (x: { title_zh: string; title_en: string }): string => (chinese.value ? x.title_zh : x.title_en);
export const lines = (text: string): string[] => text.split('\n').map((l) => l.trim()).filter(Boolean);
const empty = (v: unknown): boolean => v === undefined || v === null || v === '' || (Array.isArray(v) && v.length === 0) || (typeof v === 'object' && !Array.isArray(v) && Object.values(v as object).every(empty));

// Each member of the form or null: a merge patch takes away what is empty.
export const contentOf = (form: FormKind, content: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(form.members.map((m) => [m.name, empty(content[m.name]) ? null : content[m.name]]));
// The same without what is empty: for a draft that is made.
export const filled = (content: Record<string, unknown>): Record<string, unknown> => Object.fromEntries(Object.entries(content).filter(([, v]) => !empty(v)));

export interface Lack { member?: FormMember; document?: string }
export function lacking(form: FormKind, content: Record<string, unknown>, documents: Material[]): Lack[] {
  return [...form.members.filter((m) => m.required && empty(content[m.name])).map((member) => ({ member })),
    ...form.documents.filter((kind) => !documents.some((d) => d.kind === kind)).map((document) => ({ document }))];
}
