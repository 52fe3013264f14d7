import session from "supertokens-website";

export const start = () => session.init({ apiDomain: location.origin, apiBasePath: "/auth" });
export const questions = {
  doesSessionExist: () => session.doesSessionExist(),
  getUserId: () => session.getUserId(),
  getAccessTokenPayloadSecurely: () => session.getAccessTokenPayloadSecurely(),
};

/**
 * As the SuperTokens documentation has it: a guest's token is fetched first, and the app sends it.
 */
export async function firstRequest() {
  const { token } = await (await fetch("/create-anonymous-session", { method: "POST" })).json();
  return (await fetch("/any", { headers: { authorization: `Bearer ${token}` } })).text();
}
