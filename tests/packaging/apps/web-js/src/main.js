import SuperTokens from "supertokens-web-js";
import Session from "supertokens-web-js/recipe/session";

const events = [];
SuperTokens.init({
  appInfo: { appName: "A small app", apiDomain: location.origin },
  recipeList: [Session.init({ onHandleEvent: ({ action }) => events.push(action) })],
});
const { doesSessionExist, getUserId, signOut } = Session;
window.app = { events, doesSessionExist, getUserId, signOut };
