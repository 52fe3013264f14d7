import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { include: ["*.vitest.mjs"], environmentOptions: { jsdom: { url: process.env.ORIGIN } } },
});
