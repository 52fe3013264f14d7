"""The shop in Django, by `MODE` as an ASGI application (uvicorn) or a WSGI one (Django's own
server).
"""

import json
import logging
import os

import django
import uvicorn
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.servers import basehttp
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path as url
from shop import ROUTES, Call, allowed_headers, init, port, website
from supertokens_python.async_to_sync_wrapper import sync
from supertokens_python.recipe.session.framework.django import asyncio, syncio

mode = os.environ["MODE"]
init("django", mode)
settings.configure(
    SECRET_KEY="of a test",
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    ROOT_URLCONF=__name__,
    LOGGING_CONFIG=None,
    INSTALLED_APPS=["corsheaders", "supertokens_python"],
    MIDDLEWARE=[
        "corsheaders.middleware.CorsMiddleware",
        "supertokens_python.framework.django.django_middleware.middleware",
    ],
    CORS_ALLOWED_ORIGINS=[website],
    CORS_ALLOW_CREDENTIALS=True,
    CORS_ALLOW_HEADERS=allowed_headers(),
)
django.setup()
logging.getLogger("django").setLevel(logging.ERROR)


def call_of(request, verify):
    session = request.supertokens if verify is not None else None
    body = json.loads(request.body or b"{}")
    return Call(request, body, request.headers.get("Authorization", ""), session)


def response_of(said):
    response = JsonResponse(said, safe=False)
    response.headers["Cache-Control"] = "no-store"
    return response


def view(verify, answer):
    async def asynchronous(request, **params):
        return response_of(await answer(call_of(request, verify), **params))

    def synchronous(request, **params):
        return response_of(sync(answer(call_of(request, verify), **params)))

    answered, framework = (asynchronous, asyncio) if mode == "asgi" else (synchronous, syncio)
    return answered if verify is None else framework.verify_session(**verify)(answered)


# A path has one method here.
urlpatterns = [
    url(path[1:].replace("<", "<str:"), view(verify, answer))
    for _, path, verify, answer in ROUTES
]

if mode == "asgi":
    uvicorn.run(
        get_asgi_application(), host="127.0.0.1", port=port, log_level="warning", lifespan="off"
    )
else:
    basehttp.run("127.0.0.1", port, get_wsgi_application(), threading=True)
