"""What docs/anonymous-sessions.md tells services in Python: verifies a token from the key set alone, and prints its claims."""

import json
import sys

import jwt

key_set, issuer, token = sys.argv[1:]
keys = jwt.PyJWKClient(key_set)
payload = jwt.decode(token, keys.get_signing_key_from_jwt(token), algorithms=["RS256"], issuer=issuer)
if payload.get("isAnonymous") is not True:
    raise ValueError("not an anonymous session")
print(json.dumps(payload))
