import { defineConfig } from 'vite';

// `npm run dev` serves the sources with hot reload and passes API and FHIR requests to a running kiln.
const engine = process.env.KILN_URL ?? 'http://127.0.0.1:8090';

export default defineConfig({
  base: '/console/',
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact', legalComments: 'none' },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0, // the content security policy has no data: for scripts and styles
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    port: 5173,
    // The engine refuses foreign origins, so the proxy speaks in its name.
    proxy: Object.fromEntries(
      ['/api', '/fhir'].map((path) => [path, { target: engine, changeOrigin: true, headers: { origin: engine } }]),
    ),
  },
});
