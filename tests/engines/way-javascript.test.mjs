// The module as JavaScript, as where WebAssembly is missing or forbidden.

import { flows } from "./flows.mjs";
import { runIn } from "./support/run.mjs";

await runIn("chromium", flows, "WebAssembly");
