"""The common part of the SuperTokens back ends in Flask and Django in these tests: the
configuration, and what each route does. See `exercise.mjs` and `chromium.test.mjs` for what the
routes are for.

Arguments: the core's address, and the app's port. `WEBSITE`: where its pages come from.
"""

import asyncio
import os
import sys
import uuid
from dataclasses import dataclass
from typing import Any, Optional

import jwt as tokens
from supertokens_python import InputAppInfo, SupertokensConfig, get_all_cors_headers
from supertokens_python import init as init_supertokens
from supertokens_python.recipe import jwt, session
from supertokens_python.recipe.jwt.asyncio import create_jwt
from supertokens_python.recipe.session import SessionContainer
from supertokens_python.recipe.session import asyncio as sessions
from supertokens_python.types import RecipeUserId

core = sys.argv[1]
port = int(sys.argv[2])
origin = f"http://localhost:{port}"
website = os.environ.get("WEBSITE", origin)
keys = tokens.PyJWKClient(f"{core}/.well-known/jwks.json")


def init(framework, mode):
    init_supertokens(
        app_info=InputAppInfo(
            app_name="test", api_domain=origin, website_domain=website, api_base_path="/auth"
        ),
        supertokens_config=SupertokensConfig(
            connection_uri=core, api_key=os.environ.get("CORE_API_KEY")
        ),
        framework=framework,
        recipe_list=[session.init(anti_csrf="VIA_TOKEN"), jwt.init()],
        mode=mode,
    )


def allowed_headers():
    return ["content-type", *get_all_cors_headers()]


@dataclass
class Call:
    """A call as a framework hands it over: its request, what it read of it, and the session that
    was verified.
    """

    request: Any
    body: Any
    authorization: str
    session: Optional[SessionContainer] = None


async def guest_of(call):
    """The claims of a guest's token; None when there is none, or none of ours."""
    scheme, _, token = call.authorization.partition(" ")
    if scheme.lower() != "bearer":
        return None
    try:
        key = await asyncio.to_thread(keys.get_signing_key_from_jwt, token)
        claims = tokens.decode(token, key, algorithms=["RS256"], issuer=f"{origin}/auth")
    except tokens.PyJWTError:
        return None
    return claims if claims.get("isAnonymous") is True and "sessionHandle" not in claims else None


async def login(call):
    guest = await guest_of(call)
    of_guest = {"anonymousId": guest["anonymousId"]} if guest else {}
    payload = {**call.body.get("payload", {}), **of_guest}
    user = RecipeUserId(call.body["user"])
    made = await sessions.create_new_session(
        call.request, call.body.get("tenant", "public"), user, payload, call.body.get("data")
    )
    return {"handle": made.get_handle()}


async def me(call):
    own = call.session
    return {
        "user": own.get_user_id(),
        "handle": own.get_handle(),
        "tenant": own.get_tenant_id(),
        "payload": own.get_access_token_payload(),
    }


async def any_visitor(call):
    if call.session is not None:
        return {"kind": "user", "user": call.session.get_user_id()}
    guest = await guest_of(call)
    if guest:
        return {"kind": "anonymous", "anonymousId": guest["anonymousId"]}
    return {"kind": "nobody"}


async def checked(call):
    return {"user": call.session.get_user_id()}


async def merge(call):
    await call.session.merge_into_access_token_payload(call.body)
    return call.session.get_access_token_payload()


async def merge_by_handle(call, handle):
    return await sessions.merge_into_access_token_payload(handle, call.body)


async def information(_, handle):
    found = await sessions.get_session_information(handle)
    if found is None:
        return None
    return {
        "user": found.user_id,
        "payload": found.custom_claims_in_access_token_payload,
        "data": found.session_data_in_database,
        "tenant": found.tenant_id,
    }


async def data(call, handle):
    return await sessions.update_session_data_in_database(handle, call.body)


async def handles(_, user):
    return await sessions.get_all_session_handles_for_user(user)


async def revoke(_, handle):
    return await sessions.revoke_session(handle)


async def revoke_all(_, user):
    return await sessions.revoke_all_sessions_for_user(user)


async def make_jwt(call):
    return {"status": "OK", "jwt": (await create_jwt(call.body, 60, True)).jwt}


async def create_anonymous_session(_):
    """Anonymous sessions of endpoint mode: `{ "token": … }` to a POST."""
    made = await sessions.create_jwt(
        {"anonymousId": str(uuid.uuid4()), "isAnonymous": True}, 315_360_000, True
    )
    return {"token": made.jwt}


# Method, path, what `verify_session` gets where the route has it, and what answers.
ROUTES = [
    ("POST", "/login", None, login),
    ("GET", "/me", {}, me),
    ("GET", "/any", {"session_required": False}, any_visitor),
    ("GET", "/checked", {"check_database": True}, checked),
    ("POST", "/merge", {}, merge),
    ("POST", "/merge/<handle>", None, merge_by_handle),
    ("GET", "/information/<handle>", None, information),
    ("PUT", "/data/<handle>", None, data),
    ("GET", "/handles/<user>", None, handles),
    ("POST", "/revoke/<handle>", None, revoke),
    ("POST", "/revoke-all/<user>", None, revoke_all),
    ("POST", "/jwt", None, make_jwt),
    ("POST", "/create-anonymous-session", None, create_anonymous_session),
]
