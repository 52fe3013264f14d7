import * as passerby from "/dist/slim.js";
import { harnessOf } from "/pages/harness.js";

await passerby.load(fetch("/dist/passerby.wasm"));
harnessOf(passerby, { anonymous: {} });
