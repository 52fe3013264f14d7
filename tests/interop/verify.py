"""The program that docs/anonymous-sessions.md shows to services in Python: verifies a token from
the key set alone, and prints whose it is and its claims.
"""

import json
import sys

import jwt

key_set, issuer, token = sys.argv[1:]

keys = jwt.PyJWKClient(key_set)
key = keys.get_signing_key_from_jwt(token)
payload = jwt.decode(token, key, algorithms=["ES256", "RS256"], issuer=issuer)
is_visitor = payload.get("isAnonymous") is True and "sessionHandle" not in payload
is_user = "isAnonymous" not in payload and "sub" in payload and "sessionHandle" in payload
if not is_visitor and not is_user:
    raise ValueError("no session's token")

print(json.dumps({"isVisitor": is_visitor, "isUser": is_user, "payload": payload}))
