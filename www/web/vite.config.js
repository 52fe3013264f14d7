import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { defineConfig } from "vite";

const here = import.meta.dirname;

/**
 * Replaces `<!-- include NAME -->` with `partials/NAME.html`: the header and the panel are written
 * once.
 */
const partials = {
  name: "partials",
  transformIndexHtml: {
    order: "pre",
    handler: (html) =>
      html.replace(/<!-- include (\w+) -->/g, (_, name) =>
        readFileSync(resolve(here, "partials", `${name}.html`), "utf8"),
      ),
  },
};

export default defineConfig({
  plugins: [partials],
  build: {
    target: "es2022",
    modulePreload: { polyfill: false },
    // The content security policy allows no data: URLs for fonts, scripts or connections.
    assetsInlineLimit: 0,
    rollupOptions: {
      // dashboard.html is a shell: the demo server puts the rendered page into it.
      input: ["index", "login", "dashboard", "refresh-session"].map((page) =>
        resolve(here, `${page}.html`),
      ),
    },
  },
  // `npx vite` beside a running demo server, for work on the looks.
  server: { proxy: { "/api": "http://localhost:3000", "/auth": "http://localhost:3000" } },
});
