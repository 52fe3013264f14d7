import { createRoot } from "react-dom/client";
import SuperTokens, { SuperTokensWrapper } from "supertokens-auth-react";
import Session, { SessionAuth, useSessionContext } from "supertokens-auth-react/recipe/session";

const events = [];
SuperTokens.init({
  appInfo: { appName: "A small app", apiDomain: location.origin, websiteDomain: location.origin },
  recipeList: [Session.init({ onHandleEvent: ({ action }) => events.push(action) })],
});

function Who() {
  const { loading, doesSessionExist, userId } = useSessionContext();
  return <p id="who">{loading ? "loading" : doesSessionExist ? userId : "nobody"}</p>;
}

createRoot(document.getElementById("root")).render(
  <SuperTokensWrapper>
    <SessionAuth requireAuth={false}>
      <Who />
    </SessionAuth>
    <SessionAuth>
      <p id="inside">There is a session.</p>
    </SessionAuth>
  </SuperTokensWrapper>,
);
const { doesSessionExist, getUserId, signOut } = Session;
window.app = { events, doesSessionExist, getUserId, signOut };
