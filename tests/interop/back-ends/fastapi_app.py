"""A SuperTokens back end in FastAPI: what the tests ask of any back end on the session core. See
`exercise.mjs` and `chromium.test.mjs` for the routes.

Arguments: the core's address, and this app's port. `WEBSITE`: where its pages come from.
"""

import asyncio
import os
import sys
import uuid
from typing import Optional

import jwt as tokens
import uvicorn
from fastapi import Depends, FastAPI, Request, Response
from starlette.middleware.cors import CORSMiddleware
from supertokens_python import InputAppInfo, SupertokensConfig, get_all_cors_headers, init
from supertokens_python.framework.fastapi import get_middleware
from supertokens_python.recipe import jwt, session
from supertokens_python.recipe.jwt.asyncio import create_jwt
from supertokens_python.recipe.session import SessionContainer
from supertokens_python.recipe.session import asyncio as sessions
from supertokens_python.recipe.session.framework.fastapi import verify_session
from supertokens_python.types import RecipeUserId

core, port = sys.argv[1:3]
origin = f"http://localhost:{port}"
website = os.environ.get("WEBSITE", origin)
keys = tokens.PyJWKClient(f"{core}/.well-known/jwks.json")
init(
    app_info=InputAppInfo(
        app_name="test", api_domain=origin, website_domain=website, api_base_path="/auth"
    ),
    supertokens_config=SupertokensConfig(
        connection_uri=core, api_key=os.environ.get("CORE_API_KEY")
    ),
    framework="fastapi",
    recipe_list=[session.init(anti_csrf="VIA_TOKEN"), jwt.init()],
    mode="asgi",
)
app = FastAPI()
app.add_middleware(get_middleware())
app.add_middleware(
    CORSMiddleware,
    allow_origins=[website],
    allow_credentials=True,
    allow_methods=["GET", "POST", "PUT"],
    allow_headers=["content-type", *get_all_cors_headers()],
)


async def guest_of(request: Request):
    """The claims of a guest's token; None when there is none, or none of ours."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    try:
        key = await asyncio.to_thread(keys.get_signing_key_from_jwt, token)
        claims = tokens.decode(token, key, algorithms=["RS256"], issuer=f"{origin}/auth")
    except tokens.PyJWTError:
        return None
    return claims if claims.get("isAnonymous") is True and "sessionHandle" not in claims else None


@app.post("/login")
async def login(request: Request):
    body = await request.json()
    guest = await guest_of(request)
    of_guest = {"anonymousId": guest["anonymousId"]} if guest else {}
    payload = {**body.get("payload", {}), **of_guest}
    made = await sessions.create_new_session(
        request, body.get("tenant", "public"), RecipeUserId(body["user"]), payload, body.get("data")
    )
    return {"handle": made.get_handle()}


@app.get("/me")
async def me(own: SessionContainer = Depends(verify_session())):
    return {
        "user": own.get_user_id(),
        "handle": own.get_handle(),
        "tenant": own.get_tenant_id(),
        "payload": own.get_access_token_payload(),
    }


@app.get("/any")
async def any_visitor(
    request: Request,
    own: Optional[SessionContainer] = Depends(verify_session(session_required=False)),
):
    if own is not None:
        return {"kind": "user", "user": own.get_user_id()}
    guest = await guest_of(request)
    if guest:
        return {"kind": "anonymous", "anonymousId": guest["anonymousId"]}
    return {"kind": "nobody"}


@app.get("/checked")
async def checked(own: SessionContainer = Depends(verify_session(check_database=True))):
    return {"user": own.get_user_id()}


@app.post("/merge")
async def merge(request: Request, own: SessionContainer = Depends(verify_session())):
    await own.merge_into_access_token_payload(await request.json())
    return own.get_access_token_payload()


@app.post("/merge/{handle}")
async def merge_by_handle(handle: str, request: Request):
    return await sessions.merge_into_access_token_payload(handle, await request.json())


@app.get("/information/{handle}")
async def information(handle: str):
    found = await sessions.get_session_information(handle)
    if found is None:
        return None
    return {
        "user": found.user_id,
        "payload": found.custom_claims_in_access_token_payload,
        "data": found.session_data_in_database,
        "tenant": found.tenant_id,
    }


@app.put("/data/{handle}")
async def data(handle: str, request: Request):
    return await sessions.update_session_data_in_database(handle, await request.json())


@app.get("/handles/{user}")
async def handles(user: str):
    return await sessions.get_all_session_handles_for_user(user)


@app.post("/revoke/{handle}")
async def revoke(handle: str):
    return await sessions.revoke_session(handle)


@app.post("/revoke-all/{user}")
async def revoke_all(user: str):
    return await sessions.revoke_all_sessions_for_user(user)


@app.post("/jwt")
async def make_jwt(request: Request):
    made = await create_jwt(await request.json(), 60, True)
    return {"status": "OK", "jwt": made.jwt}


@app.post("/create-anonymous-session")
async def create_anonymous_session(response: Response):
    """Anonymous sessions of endpoint mode: `{ "token": … }` to a POST."""
    response.headers["cache-control"] = "no-store"
    made = await sessions.create_jwt(
        {"anonymousId": str(uuid.uuid4()), "isAnonymous": True}, 315_360_000, True
    )
    return {"token": made.jwt}


uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning")
