// SPDX-License-Identifier: Apache-2.0
import { i18n } from '../i18n';

export const day = (time?: string | null): string => (time ? new Date(time).toLocaleDateString(i18n.global.locale.value) : '—');
export const moment = (time?: string | null): string => (time ? new Date(time).toLocaleString(i18n.global.locale.value, { hour12: false }) : '—');
export const count = (n?: number | null): string => (n === null || n === undefined ? '—' : n.toLocaleString(i18n.global.locale.value));
export const shown = (v: unknown): string => (v === null || v === undefined ? '—' : typeof v === 'object' ? JSON.stringify(v) : String(v));
