// The cookies of an app's own handler, which answers later than the browser's. Few apps have one,
// so the npm package loads this when it is first asked; it imports nothing.

/** @typedef {import("./handlers.js").CookieHandler} CookieHandler */

/** The handler's last answer, with the cookies that were written since. */
export let copy = "";
/** @type {Promise<unknown>} */
let writes = Promise.resolve();

/** Asks the handler, once everything is written. @param {CookieHandler} handler */
export async function read(handler) {
  await writes;
  copy = await handler.getCookie();
}

/**
 * @param {CookieHandler} handler
 * @param {string} name
 * @param {string | number} value
 * @param {string} text of the cookie, with its attributes
 */
export function write(handler, name, value, text) {
  const others = copy.split(";").filter((pair) => pair.split("=")[0]?.trim() !== name);
  copy = [...others, ...(value ? [`${name}=${value}`] : [])].join(";");
  // It is missed when it is read back.
  writes = writes.then(() => handler.setCookie(text)).catch((error) => console.error(error));
}

/** Calls back once everything is written. @param {() => void} callback */
export const settled = (callback) => void writes.then(callback);
