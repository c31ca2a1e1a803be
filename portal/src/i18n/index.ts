// SPDX-License-Identifier: Apache-2.0
import elementEn from 'element-plus/es/locale/lang/en.mjs';
import elementZh from 'element-plus/es/locale/lang/zh-cn.mjs';
import { computed } from 'vue';
import { createI18n } from 'vue-i18n';
import { speak } from '../api/client';
import en from './en';
import zh from './zh';

type Locale = 'zh-CN' | 'en';
const KEPT = 'sluice-locale';
const kept = localStorage.getItem(KEPT);
const first: Locale = kept === 'en' || kept === 'zh-CN' ? kept : navigator.language.startsWith('zh') ? 'zh-CN' : 'en';

export const i18n = createI18n({ legacy: false, locale: first, fallbackLocale: 'en', messages: { 'zh-CN': zh, en }, missingWarn: false, fallbackWarn: false });
export const elementLocale = computed(() => (i18n.global.locale.value === 'en' ? elementEn : elementZh));
export const chinese = computed(() => i18n.global.locale.value === 'zh-CN');

export function setLocale(locale: Locale): void {
  i18n.global.locale.value = locale;
  localStorage.setItem(KEPT, locale);
  document.documentElement.lang = locale;
  speak(locale);
}
setLocale(first);
