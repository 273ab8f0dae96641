"""`tallymill keys`: the secrets of a new system, in a folder for each kind of process.

    processes/  signing.keys, jwks.json, sessions.jwk    ingress and worker
    console/    console.session_keys, jwks.json          console
    issuer/     issuer.jwk                               what signs tokens: `tallymill token`, the canary

A process gets one of the folders as TALLYMILL_SECRETS_DIR, where a file has the name of its setting. The console can
sign no token, and no receipt: what only another process needs is not in its folder.
"""

import secrets
from collections.abc import Iterator
from pathlib import Path

from ops.errors import BadInput
from ops.output import EXIT_OK, say
from ops.private_file import write_private
from ops.tokens.issuer import PRIVATE_KEY_FILE, PUBLIC_KEYS_FILE, SESSION_KEY_FILE, ensure_key, public_keys

PROCESSES = "processes"
CONSOLE = "console"
ISSUER = "issuer"

KEY_BYTES = 32


async def keys(folder: Path) -> int:
    """Make what is missing. What is there is kept, because receipts, tokens and sessions outlive a run."""
    try:
        made = list(_made(folder))
    except OSError as error:
        reason = (error.strerror or "not writable").lower()
        raise BadInput([f"{error.filename or folder}: {reason}. Name a folder that this user may write to"]) from error
    say("\n".join(f"made {file}" for file in made) if made else f"{folder}: all keys are there")
    return EXIT_OK


def _made(folder: Path) -> Iterator[Path]:
    """Write each missing file, and name it."""
    for name in (PROCESSES, CONSOLE, ISSUER):
        (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    private = folder / ISSUER / PRIVATE_KEY_FILE
    for key in (private, folder / PROCESSES / SESSION_KEY_FILE):
        if ensure_key(key):
            yield key
    for secret in (folder / PROCESSES / "signing.keys", folder / CONSOLE / "console.session_keys"):
        if not secret.exists():
            write_private(secret, f"{secrets.token_urlsafe(KEY_BYTES)}\n")
            yield secret
    for name in (PROCESSES, CONSOLE):
        public = folder / name / PUBLIC_KEYS_FILE
        text = public_keys(private)
        if not public.exists() or public.read_text() != text:
            public.write_text(text)
            yield public
