"""Strong entity tags (RFC 9110, section 8.8.3): a reply that a browser has already is answered 304. Pure."""

import hashlib
from collections.abc import Mapping


def etag_of(body: bytes) -> bytes:
    """The tag of these bytes. 128 bits: no two bodies have one by chance."""
    return b'"%s"' % hashlib.sha256(body).hexdigest()[:32].encode()


def is_current(headers: Mapping[bytes, bytes], etag: bytes) -> bool:
    """Whether If-None-Match names this tag. A proxy that compresses a reply marks its tag weak: `W/` is ignored."""
    tags = headers.get(b"if-none-match", b"").split(b",")
    return any(tag.strip().removeprefix(b"W/") in (b"*", etag) for tag in tags)
