"""The header `traceparent` of a request and of its record (W3C Trace Context).

An ingress copies it byte for byte if it is valid, and otherwise ignores it. Nothing that is counted depends on it: it
is not signed, and it is part of no id.
"""

import re
from typing import Final

TRACEPARENT: Final = "traceparent"

# A later version may add fields. This bounds what a client can add to each record.
MAX_BYTES: Final = 256

TRACEPARENT_PATTERN: Final = r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$"

# Version ff, and an id of zeros, are invalid. Only versions after 00 may have more fields.
_is_first_version = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}\Z").match
_is_later_version = re.compile(
    rb"(?!00|ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[\x20-\x7e]*)?\Z"
).match


def is_traceparent(value: bytes) -> bool:
    """Whether it is valid, and short enough to be copied."""
    return bool(_is_first_version(value) or (len(value) <= MAX_BYTES and _is_later_version(value)))
