"""The shop in Flask."""

import logging

from flask import Flask, abort, g, jsonify, request
from flask_cors import CORS
from shop import ROUTES, Call, allowed_headers, init, port, website
from supertokens_python.async_to_sync_wrapper import sync
from supertokens_python.framework.flask import Middleware
from supertokens_python.recipe.session.framework.flask import verify_session

init("flask", "wsgi")
app = Flask(__name__)
Middleware(app)
CORS(app, origins=[website], supports_credentials=True, allow_headers=allowed_headers())


def view(verify, answer):
    def answered(**params):
        session = g.supertokens if verify is not None else None
        body = request.get_json(silent=True) or {}
        call = Call(request, body, request.headers.get("Authorization", ""), session)
        response = jsonify(sync(answer(call, **params)))
        response.headers["Cache-Control"] = "no-store"
        return response

    return answered if verify is None else verify_session(**verify)(answered)


for method, path, verify, answer in ROUTES:
    app.add_url_rule(path, f"{method} {path}", view(verify, answer), methods=[method])


@app.route("/", defaults={"path": ""})
@app.route("/<path:path>")
def nothing(path):
    """So that Flask answers preflights of the session's own routes, as SuperTokens' guide has
    it.
    """
    abort(404)


logging.getLogger("werkzeug").setLevel(logging.ERROR)
app.run(host="127.0.0.1", port=port, threaded=True)
