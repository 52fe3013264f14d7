// The module is made a moment after `init`, as in Chromium up to 114.

import { flows } from "./flows.mjs";
import { runIn } from "./support/run.mjs";

await runIn("chromium", flows, "large modules");
