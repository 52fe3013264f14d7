// @ts-check
// The browsers: each with the same few methods, which are Playwright's.

import { chromium } from "playwright-core";
import { firefox } from "playwright-firefox";
import { FLAGS } from "../../e2e/support/browser.mjs";
import { launch as launchWebKit } from "./webdriver.mjs";

export const ENGINES = {
  chromium: () =>
    chromium.launch({
      executablePath: process.env.PASSERBY_CHROMIUM ?? "/usr/bin/chromium",
      args: FLAGS,
      // As visitors have it.
      ignoreDefaultArgs: ["--disable-back-forward-cache"],
    }),
  // By WebDriver BiDi, which the browser as it is distributed speaks.
  firefox: () =>
    firefox.launch({
      channel: "moz-firefox",
      executablePath: process.env.PASSERBY_FIREFOX ?? "/usr/bin/firefox-esr",
    }),
  webkit: launchWebKit,
};
