/** The module as JavaScript, in a file of its own: only visitors without WebAssembly load it. */
export { make } from "./generated/fallback.js";
