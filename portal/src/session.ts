// SPDX-License-Identifier: Apache-2.0
// Who is signed in and what they may do. What is shown follows from it; what is done, the server decides at each call.
import { reactive } from 'vue';
import { api, Problem, signIn } from './api/client';

interface Mine { user_id: string; login: string; role: string; duty: string; operations: string[] }

export const session = reactive({ known: false, login: '', role: '', passwordDue: false, factorDue: false, refused: null as Problem | null, operations: new Set<string>() });
export const can = (operation: string): boolean => session.operations.has(operation);
export const canAny = (...operations: string[]): boolean => operations.some(can);

export async function begin(): Promise<void> {
  try {
    const mine = await api.get<Mine>('/access/mine');
    Object.assign(session, { known: true, login: mine.login, role: mine.role, passwordDue: false, factorDue: false, refused: null, operations: new Set(mine.operations) });
  } catch (e) {
    if (!(e instanceof Problem)) throw e;
    session.passwordDue = e.code === 'password-change-required';
    session.factorDue = e.code === 'second-factor-required';
    if (!session.passwordDue && e.status !== 401) session.refused = e;
  }
}

export async function end(): Promise<void> {
  await api.remove('/sessions/current').catch(() => undefined);
  location.hash = '';
  signIn();
}
