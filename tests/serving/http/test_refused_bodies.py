"""A request that is refused before its body is read is answered, however large the body is and however it is sent.

On real sockets: a client that writes its whole body before it reads, as most libraries do, loses the reply if the
server closes the connection too early. The sizes are around those that fill the buffers of the server and the system.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from itertools import pairwise
from typing import Final
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.console.test_console_conformance import rig_on_a_socket as console_on_a_socket
from tests.examples import examples
from tests.ingress.rig import RECORD, token
from tests.ingress.test_conformance import rig_on_a_socket as ingress_on_a_socket
from tests.patience import PATIENCE_SECONDS

MIB: Final = 1 << 20
# Of the ingress's default limit, which is checked before the token is.
BODY_LARGE: Final = 413
SIZES: Final = st.sampled_from([0, 1, 100, 65_536, 65_537, 256 << 10, MIB, 5 * MIB]) | st.integers(0, 3 * MIB)

REDRIVE: Final = "/v1/dead-letters/redrive"
JSON: Final = "application/json"
READ_ONLY: Final = f"Bearer {token(exp=4_000_000_000)}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that is refused whatever its body is, and the status of its answer."""

    status: int
    method: str
    path: str
    authorization: str | None = None
    media_type: str = JSON
    version: str = "HTTP/1.1"


CONSOLE: Final = (
    Refusal(401, "POST", REDRIVE),
    Refusal(403, "POST", REDRIVE, READ_ONLY),
    Refusal(404, "POST", "/v1/nothing"),
    Refusal(405, "POST", "/v1/counts"),
    Refusal(405, "PUT", "/v1/counts"),
    Refusal(401, "GET", "/v1/counts"),
    Refusal(505, "POST", REDRIVE, version="HTTP/2.0"),
)
INGRESS: Final = (
    Refusal(401, "POST", RECORD),
    Refusal(404, "POST", "/nothing"),
    Refusal(405, "PUT", RECORD),
    Refusal(415, "POST", RECORD, READ_ONLY, "text/plain"),
    Refusal(505, "POST", RECORD, version="HTTP/2.0"),
)


@dataclass(frozen=True, slots=True)
class Way:
    """How the body is sent."""

    size: int
    is_chunked: bool
    part_bytes: int
    expects: bool

    def head(self, refusal: Refusal) -> bytes:
        lines = [
            f"{refusal.method} {refusal.path} {refusal.version}",
            "Host: 127.0.0.1",
            f"Content-Type: {refusal.media_type}",
        ]
        if refusal.authorization:
            lines.append(f"Authorization: {refusal.authorization}")
        lines.append("Transfer-Encoding: chunked" if self.is_chunked else f"Content-Length: {self.size}")
        if self.expects:
            lines.append("Expect: 100-continue")
        return "\r\n".join([*lines, "", ""]).encode()

    def parts(self) -> Iterator[bytes]:
        cuts = [*range(0, self.size, self.part_bytes), self.size]
        for start, end in pairwise(cuts):
            part = b" " * (end - start)
            yield b"%x\r\n%b\r\n" % (len(part), part) if self.is_chunked else part
        if self.is_chunked:
            yield b"0\r\n\r\n"


WAYS: Final = st.builds(
    Way, SIZES, is_chunked=st.booleans(), part_bytes=st.sampled_from([16_384, 65_536, 8 * MIB]), expects=st.booleans()
)


def answer(url: str, refusal: Refusal, way: Way) -> HTTPResponse:
    """Of a client that writes everything, whatever it is answered meanwhile, and reads then."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname or "", address.port or 0), PATIENCE_SECONDS) as connection:
        connection.sendall(way.head(refusal))
        for part in way.parts():
            connection.sendall(part)
        response = HTTPResponse(connection, method=refusal.method)
        response.begin()
        response.read()
        return response


@contextmanager
def serving(refusals: tuple[Refusal, ...]) -> Iterator[str]:
    with (console_on_a_socket if refusals is CONSOLE else ingress_on_a_socket)() as (_, url):
        yield url


@pytest.mark.parametrize("refusals", [CONSOLE, INGRESS], ids=["console", "ingress"])
def test_a_refused_body_never_costs_the_answer(refusals: tuple[Refusal, ...]) -> None:
    """The status and the whole body of the answer arrive, in each way of sending."""
    with serving(refusals) as url:

        @settings(max_examples=examples(40))
        @given(refusal=st.sampled_from(refusals), way=WAYS)
        def holds(refusal: Refusal, way: Way) -> None:
            found = answer(url, refusal, way)
            assert found.status in (refusal.status, BODY_LARGE), (refusal, way)
            assert way.size > MIB or refusal.status == found.status
            assert JSON == (found.headers["Content-Type"] or "").partition(";")[0]

        holds()
