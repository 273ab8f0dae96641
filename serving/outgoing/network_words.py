"""Errors of the network in plain words, by number: no class name, no repr of a library."""

import errno
import os
import re
import socket

CLOSED = "the connection was closed by the other side"

_BY_CLASS: dict[type[BaseException], str] = {
    EOFError: CLOSED,
    TimeoutError: "no answer in time",
    socket.gaierror: "host name not found",
}

_BY_NUMBER = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: CLOSED,
    errno.ECONNABORTED: CLOSED,
    errno.EPIPE: CLOSED,
    errno.ETIMEDOUT: "no answer in time",
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "no route to the host",
}

_ERRNO = re.compile(r"\[Errno (\d+)\]|\berrno=(\d+)")


def network_words(error: OSError | EOFError) -> str:
    """Why the network failed.

    For a name with several addresses asyncio raises one error, with the numbers in its text.
    """
    for kind, words in _BY_CLASS.items():
        if isinstance(error, kind):
            return words
    found = _ERRNO.search(str(error))
    number = getattr(error, "errno", None) or (int(found[1] or found[2]) if found else None)
    if number is None:
        return CLOSED
    return _BY_NUMBER.get(number) or os.strerror(number).lower()
