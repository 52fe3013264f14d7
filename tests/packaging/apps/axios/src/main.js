import axios from "axios";
import { doesSessionExist, getUserId, init, signOut } from "passerby";

const events = [];
init({
  apiDomain: location.origin,
  anonymous: {},
  onHandleEvent: ({ action }) => events.push(action),
});
const shop = axios.create({ adapter: "fetch" });
const request = async (method, url, data) => {
  const { status, data: body } = await shop({ method, url, data });
  return { status, body };
};
window.app = { events, doesSessionExist, getUserId, signOut, request };
