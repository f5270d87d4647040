import { defineConfig } from "vite";

export default defineConfig({
  base: "./", // so that it works below any address
  build: {
    assetsDir: "page", // what partwise/page.py serves with long cache headers
    chunkSizeWarningLimit: 5000, // kB: Monaco
    license: { fileName: "LICENSES.md" },
    modulePreload: { polyfill: false },
    outDir: "../partwise/static",
    emptyOutDir: true,
    rolldownOptions: { input: { graphql: "graphql.html", console: "console.html" } },
    target: "es2022",
  },
  server: { proxy: { "^/graphql$": process.env["PARTWISE_URL"] ?? "http://127.0.0.1:8000" } },
});
