// An app whose requests are made by axios, which sends them by XMLHttpRequest.

import { openApp } from "./support/app.mjs";
import { visit } from "./support/visit.mjs";

const { test } = await openApp("axios");

test("login, expiry, refresh, logout", (visitor) => visit(visitor));
