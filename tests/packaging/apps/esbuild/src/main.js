import { doesSessionExist, getUserId, init, signOut } from "passerby";

const events = [];
init({
  apiDomain: location.origin,
  anonymous: {},
  onHandleEvent: ({ action }) => events.push(action),
});
window.app = { events, doesSessionExist, getUserId, signOut };
