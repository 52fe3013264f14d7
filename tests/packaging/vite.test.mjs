import { openApp } from "./support/app.mjs";
import { visit } from "./support/visit.mjs";

const { test } = await openApp("vite");

test("login, expiry, refresh, logout", (visitor) => visit(visitor));
