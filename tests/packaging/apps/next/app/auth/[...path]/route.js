import { getAppDirRequestHandler } from "supertokens-node/nextjs";
import { ensureSuperTokens } from "../../supertokens.js";

ensureSuperTokens();
const handle = getAppDirRequestHandler();
export { handle as GET, handle as POST };
