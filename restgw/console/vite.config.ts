import { defineConfig } from "vite";

declare const process: { env: Record<string, string | undefined> };

// One script and one stylesheet, named by their content: two requests until the first picture, and the server may let
// browsers keep both for ever. Nothing is inlined, since the page's security policy forbids data: and inline anything.
export default defineConfig({
    base: "/console/",
    esbuild: { jsx: "automatic", jsxImportSource: "preact", legalComments: "none" },
    build: {
        target: "es2022",
        outDir: "dist",
        emptyOutDir: true,
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        cssCodeSplit: false,
        reportCompressedSize: true,
        rollupOptions: { output: { inlineDynamicImports: true } },
    },
    server: { proxy: { "/v1": { target: process.env.SYNOD ?? "https://127.0.0.1:8443", secure: false } } },
});
