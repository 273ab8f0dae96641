"""Masks secrets within texts that people read: URLs, and sets of keys. Pure."""

import json
import re
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

# As a secret is written.
MASK: Final = "**********"

# What is in keys, and in no path or URL.
CONTENT: Final = frozenset('"\n')

END_OF_HOST: Final = re.compile("[/?#]")

# Members of a key that say which key it is (RFC 7517). All others of a pasted set are left out.
NAMING_MEMBERS: Final = ("kty", "kid", "use", "alg", "crv")


class SecretSource(SecretStr):
    """Where something is read from, which may hold secrets: a URL, a file, or the content itself as JSON."""

    def _display(self) -> str:
        text = self.get_secret_value()
        if text.lstrip().startswith("{"):
            return masked_keys(text)
        # Neither a URL nor a path: a list of keys, or one in PEM.
        return MASK if CONTENT.intersection(text) else masked_url(text)


def masked_url(text: str) -> str:
    """A URL without user, password, query and fragment, which may be secrets. Other texts stay.

    A password may hold `/`, `?` or `#` where it should hold %2F. Then its end is unknown, and all is masked.
    """
    scheme, separator, rest = text.partition("://")
    if not separator:
        return text
    _, *path = END_OF_HOST.split(rest, maxsplit=1)
    if "@" in "".join(path):
        return f"{scheme}://{MASK}"
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
