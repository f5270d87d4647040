import { defineConfig } from "vite";

export default defineConfig({
  base: "./", // so that it works below any address
  plugins: [
    {
      // GraphiQL's style sheet carries 400 kB of Roboto and Fira Code: the system's own fonts do, as in the console.
      name: "system-fonts",
      enforce: "pre",
      transform: (code, id) =>
        id.endsWith("/graphiql/dist/style.css")
          ? code.replace(/@font-face\s*\{\s*font-family:\s*(Roboto|Fira Code);[^}]*\}/g, "")
          : null,
    },
  ],
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
