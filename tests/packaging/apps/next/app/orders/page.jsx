import { cookies } from "next/headers";
import { redirect } from "next/navigation";
import { getSSRSession } from "supertokens-node/nextjs";
import { ensureSuperTokens } from "../supertokens.js";

ensureSuperTokens();

/** Only looks: what must be refreshed is refreshed in the browser, which may write cookies. */
export default async function Orders({ searchParams }) {
  const { accessTokenPayload, error } = await getSSRSession((await cookies()).getAll());
  if (error) throw error;
  if (!accessTokenPayload) {
    const query = new URLSearchParams(await searchParams).toString();
    redirect(
      `/refresh-session?redirectBack=${encodeURIComponent(query ? `/orders?${query}` : "/orders")}`,
    );
  }
  return <h1>{accessTokenPayload.sub}</h1>;
}
