// An app that does nothing but ask whether there is a session.

import { questions, start } from "contestant";

const before = performance.now();
start();
const init = performance.now() - before;
const exists = await questions.doesSessionExist();
globalThis.measured = { init, answered: performance.now(), exists };
