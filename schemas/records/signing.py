"""HMAC-SHA256 (RFC 2104) over parts. The first key signs, any key verifies: keys can be changed without a stop."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.settings import SigningSettings


@dataclass(frozen=True, slots=True, repr=False)
class SigningKeys:
    """Secret keys, newest first. Without a repr, so that no log shows them."""

    keys: tuple[bytes, ...]

    def sign(self, parts: Sequence[bytes]) -> str:
        """64 hex digits over `parts`. Two different lists of parts never sign the same text."""
        return hmac.digest(self.keys[0], _text(parts), "sha256").hex()

    def verifies(self, parts: Sequence[bytes], mac: bytes) -> bool:
        """Whether `mac` is the signature of `parts` under any of the keys."""
        text = _text(parts)
        for key in self.keys:  # noqa: SIM110 a generator costs as much as half of the digest
            if hmac.compare_digest(hmac.digest(key, text, "sha256").hex().encode(), mac):
                return True
        return False


def signing_keys(settings: SigningSettings) -> SigningKeys:
    """The keys in the settings. Raises ValueError if there are none, which start-up has already refused."""
    if not settings.keys:
        raise ValueError("signing.keys: required")
    return SigningKeys(tuple(key.get_secret_value().encode() for key in settings.keys))


def _text(parts: Sequence[bytes]) -> bytes:
    """Each part behind its length, so that the border between two parts can't be moved."""
    text = b""
    for part in parts:
        text += b"%d:%b" % (len(part), part)
    return text
