// SPDX-License-Identifier: Apache-2.0
import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vite';

export default defineConfig({
  base: '/portal/',
  plugins: [vue()],
  define: {
    __VUE_OPTIONS_API__: true, // Element Plus
    __VUE_PROD_DEVTOOLS__: false,
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: false,
    __INTLIFY_PROD_DEVTOOLS__: false,
  },
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0, // nothing inline: the content security policy takes files alone
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    target: 'es2020',
    chunkSizeWarningLimit: 1500,
    rollupOptions: {
      output: {
        // What seldom changes is a file of its own, so browsers keep it.
        manualChunks: (id) => (id.includes('node_modules') ? 'parts' : undefined),
      },
    },
  },
});
