"""How a body goes over the wire: coding, head, framing, and the pace of its pieces."""

import gzip
import zlib
from collections.abc import Sequence
from random import Random

from backports import zstd

from tests.soak.acts import Hear, Pause, Reset, Send, Step, Talk
from tests.soak.bodies import Body

HOST = "soak.example"

_CODINGS = {"gzip": lambda data: gzip.compress(data, 5, mtime=0), "deflate": zlib.compress, "zstd": zstd.compress}

Header = tuple[str, str]


def head(line: str, headers: Sequence[Header]) -> bytes:
    """A request's head as text, without characters that are no Latin-1."""
    lines = [line, *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1", errors="ignore")


def request(method: str, path: str, headers: Sequence[Header] = (), data: bytes = b"") -> bytes:
    """A whole and honest request, with its length."""
    length = [("Content-Length", str(len(data)))] if data or method == "POST" else []
    return head(f"{method} {path} HTTP/1.1", [("Host", HOST), *headers, *length]) + data


def chunked(data: bytes, size: int, trailers: bytes = b"") -> bytes:
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n" + trailers + b"\r\n"


def coded(chance: Random, made: Body) -> tuple[bytes, str]:
    """The bytes that are sent, and their Content-Encoding. `!` before a coding: they are in it already, or never."""
    if made.coding.startswith("!"):
        return made.data, made.coding[1:]
    coding = made.coding or chance.choice(("", "", "", "gzip", "deflate", "zstd"))
    return (_CODINGS[coding](made.data), coding) if coding else (made.data, "")


def headers_of(made: Body, coding: str) -> list[Header]:
    found: list[Header] = [("Host", HOST), ("Content-Type", made.content_type)]
    if made.token:
        found.append(("Authorization", f"Bearer {made.token}"))
    if coding:
        found.append(("Content-Encoding", coding))
    return found + list(made.headers)


def talk_of(chance: Random, made: Body) -> Talk:
    """Mostly as a client would send it; some chunked, some in pieces, some cut short."""
    data, coding = coded(chance, made)
    headers, line = headers_of(made, coding), f"POST {made.path} HTTP/1.1"
    if chance.random() < 0.15:
        sent = head(line, [*headers, ("Transfer-Encoding", "chunked")]) + chunked(data, chance.choice((1_000, 65_536)))
    else:
        sent = head(line, [*headers, ("Content-Length", str(len(data)))]) + data
    return Talk(_paced(chance, sent), copies=made.copies)


def _paced(chance: Random, sent: bytes) -> tuple[Step, ...]:
    """In one piece, in two with a pause between, or cut short and reset."""
    how = chance.random()
    if how < 0.9:
        return Send(sent), Hear()
    cut = chance.randrange(len(sent))
    if how < 0.95:
        return Send(sent[:cut]), Pause(chance.uniform(0.01, 0.5)), Send(sent[cut:]), Hear()
    return (Send(sent[:cut]), Reset()) if how < 0.98 else (Send(sent[:cut]),)
