"""mediaInfo: base64 of a JSON object that says which film the events belong to (docs/rules.md, A7).

A value that can't be decoded is kept as it was sent. If it were refused, a client would resend its pool for ever.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas.wire.strict_json import BadJson, read_value, text_of
from schemas.wire.values import BadValue, storable_bytes

_TO_STANDARD = str.maketrans("-_", "+/")


class Media(NamedTuple):
    """`info` if it could be decoded, otherwise `raw`. Both are None if none was sent."""

    info: Mapping[str, Any] | None = None
    raw: str | None = None


NO_MEDIA = Media()


def decode_media(sent: str | None) -> Media:
    """Base64, standard or URL-safe, padding optional, blanks ignored. Never raises."""
    if not sent:
        return NO_MEDIA
    text = "".join(sent.split()).rstrip("=").translate(_TO_STANDARD)
    try:
        info = read_value(text_of(base64.b64decode(text + "=" * (-len(text) % 4), validate=True)))
        storable_bytes(info)
    except (binascii.Error, BadJson, BadValue, ValueError):
        return Media(raw=sent)
    return Media(info=info) if isinstance(info, dict) else Media(raw=sent)
