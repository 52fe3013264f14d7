import { NextResponse } from "next/server";
import supertokens from "supertokens-node";
import { withPreParsedRequestResponse } from "supertokens-node/nextjs";
import Session from "supertokens-node/recipe/session";
import { ensureSuperTokens } from "../supertokens.js";

ensureSuperTokens();

export const POST = (request) =>
  withPreParsedRequestResponse(request, async (baseRequest, baseResponse) => {
    const user = supertokens.convertToRecipeUserId("ada");
    const session = await Session.createNewSession(baseRequest, baseResponse, "public", user, {
      role: "botanist",
    });
    return NextResponse.json({ handle: session.getHandle() });
  });
