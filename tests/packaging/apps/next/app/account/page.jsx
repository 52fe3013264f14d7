import { headers } from "next/headers";
import { redirect } from "next/navigation";

/**
 * Rendered with what the API says to the visitor's cookies. An expired session is refreshed in the
 * browser, which has the token.
 */
export default async function Account() {
  const { host, cookie } = Object.fromEntries(await headers());
  const answer = await fetch(`http://${host}/api/account`, {
    headers: { cookie },
    cache: "no-store",
  });
  if (answer.status === 401) redirect("/refresh-session?redirectBack=/account");
  const { userId } = await answer.json();
  return <h1>{userId}</h1>;
}
