"""Encrypts what a browser keeps for the console, so that every replica can read it, and only replicas can write it.

JWE (RFC 7516) with AES-256-GCM. Each purpose has a key of its own, so that what was sealed for one is nothing to
another.
"""

import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

_HEADER: Final = {"alg": "dir", "enc": "A256GCM"}
_ALGORITHMS: Final = tuple(_HEADER.values())


def derived_key(secret: bytes, purpose: str) -> bytes:
    """A key of 256 bits for one purpose (HKDF-Expand with one block, RFC 5869; the secret is random)."""
    return hmac.digest(secret, purpose.encode() + b"\x01", "sha256")


class Seal:
    """Seals and opens for one purpose. The first secret seals; all open."""

    def __init__(self, secrets: Sequence[bytes], purpose: str) -> None:
        self._purpose = purpose
        self.renew(secrets)

    def renew(self, secrets: Sequence[bytes]) -> None:
        """Use these secrets from now on."""
        purpose = f"tallymill console {self._purpose}"
        self._keys = [OctKey.import_key(derived_key(secret, purpose)) for secret in secrets]

    def seal(self, fields: Mapping[str, object], ends_seconds: float) -> str:
        """These fields as text that is safe in a cookie. They can't be opened after `ends_seconds`."""
        text = json.dumps({**fields, "exp": ends_seconds}, separators=(",", ":")).encode()
        return jwe.encrypt_compact(_HEADER, text, self._keys[0], algorithms=list(_ALGORITHMS))

    def open(self, text: str, now_seconds: float) -> Mapping[str, Any] | None:
        """The fields; None if this console did not seal them, or if they have ended."""
        for key in self._keys:
            try:
                opened = jwe.decrypt_compact(text, key, algorithms=list(_ALGORITHMS)).plaintext
            except (JoseError, ValueError):  # sealed with another key, or not sealed
                continue
            fields: Mapping[str, Any] = json.loads(opened or b"{}")
            return fields if fields["exp"] > now_seconds else None
        return None
