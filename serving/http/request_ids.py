"""X-Request-Id: the client's own, or a new one for a request without a valid one."""

import re
import secrets
from collections.abc import Mapping
from itertools import count

# A client's id is echoed only if it can neither break a log line nor fill it.
_is_request_id = re.compile(rb"[A-Za-z0-9._-]{1,64}\Z").match


class RequestIds:
    """The ids of one process: a random prefix, unique among processes, and a number. A uuid costs ten times as much."""

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(6).encode()
        self._numbers = count(1)

    def of(self, headers: Mapping[bytes, bytes]) -> bytes:
        """The id of the request that has these headers."""
        sent = headers.get(b"x-request-id")
        if sent is not None and _is_request_id(sent):
            return sent
        return b"%b-%03x" % (self._prefix, next(self._numbers))
