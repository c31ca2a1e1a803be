// SPDX-License-Identifier: Apache-2.0
declare module '*.vue' {
  import type { DefineComponent } from 'vue';
  const component: DefineComponent<object, object, unknown>;
  export default component;
}
declare module 'sm-crypto' {
  export const sm2: { doEncrypt(text: string, publicKey: string, mode: 0 | 1): string };
}
