// SPDX-License-Identifier: Apache-2.0
// Every page of the portal, the area it belongs to and what one has to be allowed to see it.
import { createRouter, createWebHashHistory } from 'vue-router';
import { signIn } from './api/client';
import { begin, canAny, session } from './session';

export type Area = 'portal' | 'developer' | 'manage';
declare module 'vue-router' {
  interface RouteMeta { area?: Area; title: string; needs?: string[]; menu?: boolean; open?: boolean }
}

const routes = [
  { path: '/', redirect: '/resources' },
  { path: '/resources', component: () => import('./resources/Search.vue'), meta: { area: 'portal' as Area, title: 'search', needs: ['entries.read'], menu: true } },
  { path: '/resources/:id', component: () => import('./resources/Entry.vue'), props: true, meta: { area: 'portal' as Area, title: 'entry', needs: ['entries.read'] } },
  { path: '/overview', component: () => import('./resources/Overview.vue'), meta: { area: 'portal' as Area, title: 'overview', needs: ['entries.read'], menu: true } },
  { path: '/password', component: () => import('./account/Password.vue'), meta: { title: 'password' } },
  { path: '/:rest(.*)*', component: () => import('./parts/Nowhere.vue'), meta: { title: 'nowhere', open: true } },
];

export const router = createRouter({ history: createWebHashHistory('/portal/'), routes, scrollBehavior: () => ({ top: 0 }) });
export const pages = routes.filter((r) => r.meta?.menu).map((r) => ({ path: r.path, ...r.meta! }));

router.beforeEach(async (to) => {
  if (to.meta.open) return true;
  if (!session.known) await begin();
  if (session.passwordDue) return to.path === '/password' ? true : '/password';
  if (!session.known && !session.refused) {
    signIn();
    return false;
  }
  return true;
});

export const allowed = (needs?: string[]): boolean => !needs || canAny(...needs);
