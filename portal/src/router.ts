// SPDX-License-Identifier: Apache-2.0
// Every page of the portal, the area it belongs to and what one has to be allowed to see it.
import { createRouter, createWebHashHistory } from 'vue-router';
import { signIn } from './api/client';
import { begin, canAny, session } from './session';

export type Area = 'portal' | 'developer' | 'manage';
declare module 'vue-router' {
  interface RouteMeta { area?: Area; title: string; needs?: string[]; menu?: boolean; open?: boolean }
}

const MANAGES = ['services.publish', 'services.approve'];
const routes = [
  { path: '/', redirect: '/resources' },
  { path: '/resources', component: () => import('./resources/Search.vue'), meta: { area: 'portal' as Area, title: 'search', needs: ['entries.read'], menu: true } },
  { path: '/resources/:id', component: () => import('./resources/Entry.vue'), props: true, meta: { area: 'portal' as Area, title: 'entry', needs: ['entries.read'] } },
  { path: '/overview', component: () => import('./resources/Overview.vue'), meta: { area: 'portal' as Area, title: 'overview', needs: ['entries.read'], menu: true } },
  { path: '/services', component: () => import('./services/Business.vue'), meta: { area: 'portal' as Area, title: 'business', needs: ['catalogue.read'], menu: true } },
  { path: '/development', component: () => import('./services/Development.vue'), meta: { area: 'portal' as Area, title: 'development', needs: ['catalogue.read'], menu: true } },
  { path: '/public', component: () => import('./services/PublicApis.vue'), meta: { area: 'portal' as Area, title: 'publicApis', menu: true, open: true } },
  { path: '/apis/:id', component: () => import('./services/Api.vue'), props: true, meta: { area: 'portal' as Area, title: 'api', needs: ['apis.read'] } },
  { path: '/records/:id', component: () => import('./resources/Records.vue'), props: true, meta: { area: 'portal' as Area, title: 'records', needs: ['apis.try'] } },
  { path: '/developer/apps', component: () => import('./developer/Apps.vue'), meta: { area: 'developer' as Area, title: 'apps', needs: ['apps.create'], menu: true } },
  { path: '/developer/apps/:id', component: () => import('./developer/App.vue'), props: true, meta: { area: 'developer' as Area, title: 'app', needs: ['apps.create'] } },
  { path: '/developer/subscriptions', component: () => import('./developer/Subscriptions.vue'), meta: { area: 'developer' as Area, title: 'subscriptions', needs: ['subscriptions.create'], menu: true } },
  { path: '/developer/changes', component: () => import('./developer/Changes.vue'), meta: { area: 'developer' as Area, title: 'changes', needs: ['major_changes.read'], menu: true } },
  { path: '/developer/notices', component: () => import('./developer/Notices.vue'), meta: { area: 'developer' as Area, title: 'notices', needs: ['notices.read'], menu: true } },
  { path: '/manage/centre', component: () => import('./manage/Centre.vue'), meta: { area: 'manage' as Area, title: 'centre', needs: MANAGES, menu: true } },
  { path: '/manage/services/:id', component: () => import('./manage/Service.vue'), props: true, meta: { area: 'manage' as Area, title: 'service', needs: ['services.create'] } },
  { path: '/manage/apis/:id', component: () => import('./manage/Configure.vue'), props: true, meta: { area: 'manage' as Area, title: 'configure', needs: ['apis.update'] } },
  { path: '/manage/publish', component: () => import('./services/Publish.vue'), meta: { area: 'manage' as Area, title: 'publish', needs: ['services.publish'], menu: true } },
  { path: '/manage/categories', component: () => import('./manage/Categories.vue'), meta: { area: 'manage' as Area, title: 'categories', needs: ['catalog_nodes.create'], menu: true } },
  { path: '/manage/providers', component: () => import('./manage/Providers.vue'), meta: { area: 'manage' as Area, title: 'providers', needs: ['organisations.approve'], menu: true } },
  { path: '/manage/tasks', component: () => import('./manage/Tasks.vue'), meta: { area: 'manage' as Area, title: 'tasks', needs: ['scheduled_tasks.create'], menu: true } },
  { path: '/password', component: () => import('./account/Password.vue'), meta: { title: 'password' } },
  { path: '/second-factor', component: () => import('./account/SecondFactor.vue'), meta: { title: 'secondFactor' } },
  { path: '/:rest(.*)*', component: () => import('./parts/Nowhere.vue'), meta: { title: 'nowhere', open: true } },
];

export const router = createRouter({ history: createWebHashHistory('/portal/'), routes, scrollBehavior: () => ({ top: 0 }) });
export const pages = routes.filter((r) => r.meta?.menu).map((r) => ({ path: r.path, ...r.meta! }));

router.beforeEach(async (to) => {
  if (!session.known) await begin();
  if (to.meta.open) return true;
  if (session.passwordDue) return to.path === '/password' ? true : '/password';
  if (session.factorDue) return to.path === '/second-factor' ? true : '/second-factor';
  if (!session.known && !session.refused) {
    signIn();
    return false;
  }
  return true;
});

export const allowed = (needs?: string[]): boolean => !needs || canAny(...needs);
