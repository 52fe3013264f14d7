import { doesSessionExist, getUserId, init, load, signOut } from "passerby/slim";
import wasm from "passerby/passerby.wasm?url";

const events = [];
await load(fetch(wasm));
init({
  apiDomain: location.origin,
  anonymous: {},
  onHandleEvent: ({ action }) => events.push(action),
});
window.app = { events, doesSessionExist, getUserId, signOut };
