// SPDX-License-Identifier: Apache-2.0
// What a page needs at its start or when something changes: loading, a problem, the value.
import { ref, type Ref } from 'vue';

export interface Loaded<T> { value: Ref<T>; busy: Ref<boolean>; problem: Ref<unknown>; again: () => Promise<void> }

export function load<T>(first: T, ask: () => Promise<T>): Loaded<T> {
  const value = ref(first) as Ref<T>, busy = ref(false), problem = ref<unknown>(null);
  let turn = 0;
  const again = async (): Promise<void> => {
    const mine = ++turn;
    busy.value = true;
    try {
      const got = await ask();
      if (mine === turn) { value.value = got; problem.value = null; } // a later question's answer stands
    } catch (e) {
      if (mine === turn) problem.value = e;
    } finally {
      if (mine === turn) busy.value = false;
    }
  };
  void again();
  return { value, busy, problem, again };
}

// Something a user does: a problem is kept for its ProblemBox; true when it went well.
export function act(): { busy: Ref<boolean>; problem: Ref<unknown>; run: (what: () => Promise<unknown>) => Promise<boolean> } {
  const busy = ref(false), problem = ref<unknown>(null);
  const run = async (what: () => Promise<unknown>): Promise<boolean> => {
    if (busy.value) return false;
    busy.value = true;
    problem.value = null;
    try {
      await what();
      return true;
    } catch (e) {
      problem.value = e;
      return false;
    } finally {
      busy.value = false;
    }
  };
  return { busy, problem, run };
}
