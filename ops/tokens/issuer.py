"""The local issuer: a P-256 key pair, so that tokens can be made without an identity provider.

It is created once for each data folder and kept, because tokens outlive a run. A production ingress gets only the
public keys.
"""

import json
from pathlib import Path

from joserfc.jwk import ECKey

from ops.private_file import write_private

ISSUER = "tallymill-local"
AUDIENCE = "tallymill"
ALGORITHM = "ES256"
PRIVATE_KEY_FILE = "issuer.jwk"
PUBLIC_KEYS_FILE = "jwks.json"
# The ingress signs anonymous sessions with another key, so that it can't sign tokens of players.
SESSION_KEY_FILE = "sessions.jwk"


def ensure_issuer(data: Path) -> dict[str, str]:
    """The `tokens` settings of the local issuer under `data`. Missing keys are created."""
    private, public, sessions = data / PRIVATE_KEY_FILE, data / PUBLIC_KEYS_FILE, data / SESSION_KEY_FILE
    for file in (private, sessions):
        if not file.exists():
            key = ECKey.generate_key("P-256", {"alg": ALGORITHM, "use": "sig"}, auto_kid=True)
            write_private(file, json.dumps(key.as_dict(private=True)))
    key = ECKey.import_key(json.loads(private.read_text()))
    write_private(public, json.dumps({"keys": [key.as_dict(private=False)]}))
    return {
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "jwks": str(public.resolve()),
        "private_key": str(private.resolve()),
        "session_key": str(sessions.resolve()),
    }
