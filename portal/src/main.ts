// SPDX-License-Identifier: Apache-2.0
import { createApp } from 'vue';
import Frame from './Frame.vue';
import { elements } from './elements';
import { i18n } from './i18n';
import { router } from './router';
import './style.css';

const app = createApp(Frame);
elements(app);
app.use(i18n).use(router).mount('#app');
