"""Masks secrets within texts that people read: URLs, and sets of keys. Pure."""

import json
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

# As a secret is written.
MASK: Final = "**********"

# Members of a key that say which key it is (RFC 7517). All others of a pasted set are left out.
NAMING_MEMBERS: Final = ("kty", "kid", "use", "alg", "crv")


class SecretSource(SecretStr):
    """Where something is read from, which may hold secrets: a URL, a file, or the content itself as JSON."""

    def _display(self) -> str:
        text = self.get_secret_value()
        return masked_keys(text) if text.lstrip().startswith("{") else masked_url(text)


def masked_url(text: str) -> str:
    """A URL without user, password, query and fragment, which may be secrets. Other texts stay."""
    if "://" not in text:
        return text
    try:
        parts = urlsplit(text)
    except ValueError:  # no URL at all: what it holds is unknown
        return MASK
    user, separator, host = parts.netloc.rpartition("@")
    masked = parts._replace(netloc=(MASK if user else "") + separator + host, query=MASK if parts.query else "")
    return masked._replace(fragment="").geturl()


def masked_keys(text: str) -> str:
    """A set of keys as JSON: which keys they are, without their numbers."""
    try:
        keys = json.loads(text)["keys"]
        return json.dumps({"keys": [{name: key[name] for name in NAMING_MEMBERS if name in key} for key in keys]})
    except (ValueError, TypeError, KeyError, RecursionError):
        return MASK
