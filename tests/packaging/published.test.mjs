// What the tools for checking published packages say of the tarball.

import { test } from "node:test";
import { isLeftOut } from "./support/app.mjs";
import { install, npm } from "./support/install.mjs";

const skip = isLeftOut("published");
const folder = skip ? "" : await install("published");

test("publint has nothing to say", { skip }, () => npm(folder, "run", "publint"));

test("every entry point has the right types, for every kind of resolution", { skip }, () => npm(folder, "run", "types"));
