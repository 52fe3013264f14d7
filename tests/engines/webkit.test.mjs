import { flows, ways } from "./flows.mjs";
import { runIn } from "./support/run.mjs";

await runIn("webkit", [...flows, ...ways]);
