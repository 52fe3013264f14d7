// A SuperTokens back end in Express: what the tests ask of any back end on the session core. See `exercise.mjs` and
// `chromium.test.mjs` for the routes. Arguments: the core's address, and this app's port. `WEBSITE`: where its pages come from.

import cors from "cors";
import express from "express";
import { createRemoteJWKSet, jwtVerify } from "jose";
import supertokens from "supertokens-node";
import { errorHandler, middleware } from "supertokens-node/framework/express";
import JWT from "supertokens-node/recipe/jwt";
import Session from "supertokens-node/recipe/session";
import { verifySession } from "supertokens-node/recipe/session/framework/express";

const [core, port] = process.argv.slice(2);
const origin = `http://localhost:${port}`;
const website = process.env.WEBSITE ?? origin;
const keys = createRemoteJWKSet(new URL(`${core}/.well-known/jwks.json`));
const ids = supertokens.convertToRecipeUserId;

supertokens.init({
    framework: "express",
    supertokens: { connectionURI: core, apiKey: process.env.CORE_API_KEY },
    appInfo: { appName: "test", apiDomain: origin, websiteDomain: website, apiBasePath: "/auth" },
    recipeList: [Session.init({ antiCsrf: "VIA_TOKEN" }), JWT.init()],
});

/** The claims of a guest's token; undefined when there is none, or none of ours. */
async function guestOf({ headers }) {
    const token = /^Bearer (.+)$/i.exec(headers.authorization ?? "")?.[1];
    if (!token) return undefined;
    try {
        const { payload } = await jwtVerify(token, keys, { algorithms: ["RS256"], issuer: `${origin}/auth` });
        return payload.isAnonymous === true && !("sessionHandle" in payload) ? payload : undefined;
    } catch {
        return undefined;
    }
}

const app = express();
app.use(cors({ origin: website, credentials: true, allowedHeaders: ["content-type", ...supertokens.getAllCORSHeaders()] }));
app.use(express.json());
app.use(middleware());

app.post("/login", async (req, res) => {
    const guest = await guestOf(req);
    const payload = { ...req.body.payload, ...(guest && { anonymousId: guest.anonymousId }) };
    const session = await Session.createNewSession(req, res, req.body.tenant ?? "public", ids(req.body.user), payload, req.body.data);
    res.json({ handle: session.getHandle() });
});
app.get("/me", verifySession(), async (req, res) => {
    const { session } = req;
    res.json({ user: session.getUserId(), handle: session.getHandle(), tenant: session.getTenantId(), payload: session.getAccessTokenPayload() });
});
app.get("/any", verifySession({ sessionRequired: false }), async (req, res) => {
    if (req.session) return res.json({ kind: "user", user: req.session.getUserId() });
    const guest = await guestOf(req);
    res.json(guest ? { kind: "anonymous", anonymousId: guest.anonymousId } : { kind: "nobody" });
});
app.get("/checked", verifySession({ checkDatabase: true }), (req, res) => res.json({ user: req.session.getUserId() }));
app.post("/merge", verifySession(), async (req, res) => {
    await req.session.mergeIntoAccessTokenPayload(req.body);
    res.json(req.session.getAccessTokenPayload());
});
app.post("/merge/:handle", async (req, res) => res.json(await Session.mergeIntoAccessTokenPayload(req.params.handle, req.body)));
app.get("/information/:handle", async (req, res) => {
    const found = await Session.getSessionInformation(req.params.handle);
    res.json(found ? { user: found.userId, payload: found.customClaimsInAccessTokenPayload, data: found.sessionDataInDatabase, tenant: found.tenantId } : null);
});
app.put("/data/:handle", async (req, res) => res.json(await Session.updateSessionDataInDatabase(req.params.handle, req.body)));
app.get("/handles/:user", async (req, res) => res.json(await Session.getAllSessionHandlesForUser(req.params.user)));
app.post("/revoke/:handle", async (req, res) => res.json(await Session.revokeSession(req.params.handle)));
app.post("/revoke-all/:user", async (req, res) => res.json(await Session.revokeAllSessionsForUser(req.params.user)));
app.post("/jwt", async (req, res) => res.json(await JWT.createJWT(req.body, 60, true)));

// Anonymous sessions of endpoint mode: `{ "token": … }` to a POST.
app.post("/create-anonymous-session", async (_, res) => {
    const made = await Session.createJWT({ anonymousId: crypto.randomUUID(), isAnonymous: true }, 315_360_000, true);
    res.set("cache-control", "no-store").json({ token: made.jwt });
});
app.use(errorHandler());
app.listen(Number(port), "127.0.0.1", () => console.log("listening"));
