"""What a connection's bytes are taken for: the same however they are cut, bounded, and never two things."""

from itertools import pairwise

import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.http.framing import MAX_CHUNK_LINE_BYTES, MAX_EXTENSIONS_BYTES, MAX_HEAD_BYTES, MAX_HEADERS, Framer
from tests.examples import examples

HOST = b"Host: x\r\n"


def request(*lines: bytes, body: bytes = b"", first: bytes = b"POST /p HTTP/1.1", host: bytes = HOST) -> bytes:
    return first + b"\r\n" + host + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def run(parts: list[bytes]) -> tuple[bytes, int, int]:
    """The bytes passed on of all messages, the number of whole ones, and the status that ended it (0: nothing did)."""
    framer, out, whole = Framer(), b"", 0
    for part in parts:
        out += framer.feed(part)
        while framer.ended:
            whole += 1
            out += framer.following()
    return out, whole, framer.bad.status if framer.bad else 0


PIECES = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n",
        b"POST /a?b HTTP/1.1\r\n",
        b"POST / HTTP/1.0\r\n",
        b"POST / HTTP/2.0\r\n",
        b"CONNECT x HTTP/1.1\r\n",
        HOST,
        b"Host: a b\r\n",
        b"Content-Length: 3\r\n",
        b"Content-Length: +3\r\n",
        b"content-length:0\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AA\r\n",
        b"Connection: close\r\n",
        b"X: y\r\n",
        b"X : y\r\n",
        b" folded\r\n",
        b"X: \x00\r\n",
        b"\r\n",
        b"\r",
        b"\n",
        b"abc",
        b"3\r\nabc\r\n",
        b"1;ext=1\r\na\r\n",
        b"0\r\n\r\n",
        b"0\r\nTrailer: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ]
)
BYTES = st.lists(PIECES | st.binary(max_size=5), max_size=12).map(b"".join)


@settings(max_examples=examples(1_000))
@given(data=BYTES, cuts=st.lists(st.integers(0, 300), max_size=8))
def test_however_bytes_are_cut_they_are_taken_for_the_same(data: bytes, cuts: list[int]) -> None:
    """Whole, in parts, or one by one."""
    bounds = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    parts = [data[start:end] for start, end in pairwise(bounds)]
    assert run([data]) == run(parts) == run([data[i : i + 1] for i in range(len(data))])


@pytest.mark.parametrize("target", [b"/", b"/" + b"a" * 2_000])
@pytest.mark.parametrize("following", [request(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), b"\r\n" + request()])
def test_a_request_behind_one_whose_first_line_came_in_two_parts_is_taken_at_once(
    target: bytes, following: bytes
) -> None:
    """What was searched of the first request says nothing about the bytes of the next one."""
    first = request(first=b"GET " + target + b" HTTP/1.1")
    cut = len(target) + 8
    assert run([first + following]) == run([first[:cut], first[cut:] + following])
    assert 2 == run([first[:cut], first[cut:] + following])[1]


class Parsed:
    """What the server's parser makes of bytes."""

    def __init__(self, data: bytes) -> None:
        self.whole = 0
        self.bodies = [b""]
        parser = httptools.HttpRequestParser(self)
        parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.bodies[-1] += body

    def on_message_complete(self) -> None:
        self.whole += 1
        self.bodies.append(b"")


@settings(max_examples=examples(1_000))
@given(data=BYTES)
def test_the_parser_takes_all_that_is_passed_on_and_ends_messages_where_this_does(data: bytes) -> None:
    """It never raises, never stops at an upgrade, and never sees another message than this one does."""
    framer = Framer()
    out = framer.feed(data)
    while framer.ended:
        found = Parsed(out)
        assert (found.whole, len(found.bodies)) == (1, 2)
        out = framer.following()
    assert Parsed(out).whole == 0


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request(host=b""), 400),
        (request(host=HOST * 2), 400),
        (request(host=b"Host: a, b c\r\n"), 400),
        (request(host=b"Host: a/b\r\n"), 400),
        (request(first=b"GET / HTTP/2.0"), 505),
        (request(first=b"GET / HTTP/1.2"), 505),
        (request(first=b"GET / HTTP/0.9"), 505),
        (b"GET /\r\n\r\n", 400),
        (request(first=b"GET  / HTTP/1.1"), 400),
        (request(first=b"GET /\xc3\xa9 HTTP/1.1"), 400),
        (request(first=b"CONNECT x:1 HTTP/1.1"), 400),
        (request(first=b"G@T / HTTP/1.1"), 400),
        (request(first=b"get / HTTP/1.1"), 405),
        (request(first=b"M-SEARCH / HTTP/1.1"), 405),
        (request(b"Content-Length: 1", b"Content-Length: 1"), 400),
        (request(b"Content-Length: 1", b"Content-Length: 2"), 400),
        (request(b"Content-Length: 1, 1"), 400),
        (request(b"Content-Length: +1"), 400),
        (request(b"Content-Length: -1"), 400),
        (request(b"Content-Length: 0x1"), 400),
        (request(b"Content-Length: 1_0"), 400),
        (request(b"Content-Length: "), 400),
        (request(b"Content-Length: 99999999999999999999"), 400),
        (request(b"Content-Length: 5", b"Transfer-Encoding: chunked"), 400),
        (request(b"Transfer-Encoding: gzip, chunked"), 400),
        (request(b"Transfer-Encoding: chunked, chunked"), 400),
        (request(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), 400),
        (request(b"Transfer-Encoding: identity"), 400),
        (request(b"Transfer-Encoding: xchunked"), 400),
        (request(b"Transfer-Encoding: \x0bchunked"), 400),
        (request(b"Transfer-Encoding : chunked"), 400),
        (request(b"TE: gzip, chunked"), 400),
        (request(b"te: Chunked;q=0"), 400),
        (request(first=b"GET /a#b HTTP/1.1"), 400),
        (request(first=b"GET a HTTP/1.1"), 400),
        (request(first=b"GET * HTTP/1.1"), 400),
        (request(first=b"GET ftp://x/a HTTP/1.1"), 400),
        (request(first=b"GET http://a@b/c HTTP/1.1"), 400),
        (request(first=b"GET http://x HTTP/1.1"), 400),
        (request(b"Transfer-Encoding: chunked", body=b"1 \r\na\r\n"), 400),
        (request(b"Transfer-Encoding: chunked", first=b"POST / HTTP/1.0"), 400),
        (request(b"X: a", b" folded"), 400),
        (request(b"X: a", b"\tfolded"), 400),
        (request(b"X: a\x00b"), 400),
        (request(b"X: a\rb"), 400),
        (request(b"X"), 400),
        (request(b": empty"), 400),
        (request(b"X y: z"), 400),
        (request(b"X\xc3\xa9: z"), 400),
        (b"GET / HTTP/1.1\nHost: x\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\n\r\n", 400),
        (b"\r\n\r\n\r\nGET / HTTP/1.1\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (request(b"Transfer-Encoding: chunked", body=b"-1\r\n"), 400),
        (request(b"Transfer-Encoding: chunked", body=b"0x1\r\n"), 400),
        (request(b"Transfer-Encoding: chunked", body=b"1\r\nab\r\n"), 431),
        (request(b"Transfer-Encoding: chunked", body=b"1\r\na\n\n"), 400),
        (request(b"Transfer-Encoding: chunked", body=b"1\nab\r\n"), 400),
        (request(b"Transfer-Encoding: chunked", body=b"\r\n"), 400),
        (request(b"Transfer-Encoding: chunked", body=b"ffffffffffffffff\r\n"), 400),
        (request(b"Transfer-Encoding: chunked", body=b"0\r\nX : y\r\n\r\n"), 400),
        (b"GET /" + b"x" * MAX_HEAD_BYTES, 431),
        (request(b"X: " + b"y" * MAX_HEAD_BYTES), 431),
        (request(*[b"X: y"] * MAX_HEADERS), 431),
        (request(b"Transfer-Encoding: chunked", body=b"1;" + b"x" * MAX_CHUNK_LINE_BYTES), 431),
        (
            request(
                b"Transfer-Encoding: chunked",
                body=(b"1;" + b"x" * 200 + b"\r\na\r\n") * (MAX_EXTENSIONS_BYTES // 200 + 1),
            ),
            431,
        ),
        (request(b"Transfer-Encoding: chunked", body=b"0\r\n" + b"X: y\r\n" * (MAX_HEADERS + 1)), 431),
        (request(b"Transfer-Encoding: chunked", body=b"0\r\nX: " + b"y" * MAX_HEAD_BYTES), 431),
        (request(*[b"X: " + b"y" * 8_000] * 9), 431),
        (request(b"Transfer-Encoding: chunked", body=b"0\r\n" + (b"X: " + b"y" * 8_000 + b"\r\n") * 9), 431),
        (
            request(
                b"Transfer-Encoding: chunked",
                body=(b"0" * 14 + b"1\r\na\r\n") * (MAX_EXTENSIONS_BYTES // 14 + 1),
            ),
            431,
        ),
    ],
)
def test_what_another_server_may_take_for_something_else_is_refused(data: bytes, status: int) -> None:
    """The public cases of request smuggling among it, and what has no bound."""
    assert run([data])[2] == status
    assert run([data[i : i + 7] for i in range(0, len(data), 7)])[2] == status


@pytest.mark.parametrize(
    "data",
    [
        request(),
        request(b"Content-Length: 3", body=b"abc"),
        request(b"Transfer-Encoding: Chunked", body=b"3\r\nabc\r\n0\r\n\r\n"),
        request(b"TE: trailers"),
        request(b"Content-Length: 3 ", b"X:", b"Y:\tz", body=b"abc"),
        request(first=b"GET http://x/p HTTP/1.1"),
        request(first=b"OPTIONS * HTTP/1.1"),
        request(first=b"GET / HTTP/1.0", host=b""),
        request(host=b"Host: [::1]:8080\r\n"),
        request(host=b"Host:\r\n"),
        b"\r\n\r\n" + request(),
        request(*[b"X: y"] * (MAX_HEADERS - 1)),
        request(
            *[b"X: y"] * (MAX_HEADERS - 2), b"Transfer-Encoding: chunked", body=b"0\r\n" + b"X: y\r\n" * 100 + b"\r\n"
        ),
    ],
)
def test_what_real_clients_send_passes(data: bytes) -> None:
    """Two of them after each other are two."""
    for parts in ([data * 2], [data[i : i + 1] for i in range(len(data))] * 2):
        assert run(parts)[1:] == (2, 0)


@pytest.mark.parametrize("more", [(), (b"Content-Length: 3",)], ids=["empty", "with a body"])
@pytest.mark.parametrize("protocol", [b"h2c", b"websocket", b"TLS/1.0", b"anything"])
def test_an_upgrade_is_ignored_and_the_body_is_read(protocol: bytes, more: tuple[bytes, ...]) -> None:
    """RFC 9110, section 7.8. The parser would stop at it, and lose the body or take it for the next request."""
    asked = (b"Connection: Upgrade, HTTP2-Settings, close", b"Upgrade: " + protocol, b"HTTP2-Settings: AAMAAABk")
    body = b"abc" if more else b""
    out, whole, status = run([request(*asked, *more, body=body)])
    assert (whole, status) == (1, 0)
    assert Parsed(out).bodies == [body, b""]
    assert b"pgrade" not in out
    assert b"connection: close\r\n" in out


def test_extensions_and_trailers_are_dropped() -> None:
    """Nothing reads them, and a trailer can't replace a header."""
    body = b'3;a="b"\r\nabc\r\n2 ; x\r\nde\r\n0;last\r\nAuthorization: Bearer x\r\nContent-Length: 7\r\n\r\n'
    out, whole, _ = run([request(b"Transfer-Encoding: chunked", body=body)])
    assert whole == 1
    assert out.partition(b"\r\n\r\n")[2] == b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"


def test_what_waits_is_bounded() -> None:
    """However much is sent of a head, and however slowly."""
    framer, most = Framer(), 0
    for _ in range(MAX_HEAD_BYTES):
        assert framer.feed(b"xy") == b""
        most = max(most, len(framer._waiting))
    assert framer.bad
    assert most <= MAX_HEAD_BYTES
    assert framer._waiting == b""
