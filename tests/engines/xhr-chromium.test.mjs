import { compareTraces } from "./support/traces.mjs";

await compareTraces("chromium");
