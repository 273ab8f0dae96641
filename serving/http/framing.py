"""Checks and bounds HTTP/1.1 requests as bytes, and rewrites them before a parser sees them (RFC 9112). Pure.

The server's parser is fast and lenient: it has no limits, stops at an upgrade, and accepts framings that another server
on the way may read differently (request smuggling). So it gets only checked messages, in one spelling:

- the head within limits, each line ended by CRLF, exactly one Host, one kind of framing;
- no upgrade: it is ignored, and the body is read (RFC 9110, section 7.8);
- of a chunked body the chunks alone: extensions and trailers are dropped.

One message at a time: bytes behind it wait until `following` is called. The result does not depend on how the bytes
are cut into parts.
"""

import re
from collections.abc import Callable
from typing import Final

MAX_HEAD_BYTES: Final = 64 * 1024
MAX_HEADERS: Final = 100
# Of the size of a chunk and its extensions. No known client sends extensions.
MAX_CHUNK_LINE_BYTES: Final = 256
# Of all extensions and leading zeros in the chunk lines of a body, so that they cost no more than a head.
MAX_EXTENSIONS_BYTES: Final = 16 * 1024
# A robust server ignores an empty line before a request (RFC 9112, section 2.2).
MAX_EMPTY_LINES: Final = 2

# RFC 9110 and RFC 5789, without CONNECT: this is not a proxy. The parser knows each of them.
METHODS: Final = frozenset((b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE"))

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_is_request_line = re.compile(rb"(" + _TOKEN + rb"{1,32}) ([\x21-\x7e]+) HTTP/([0-9])\.([0-9])").fullmatch
# A path or a whole URL (RFC 9112, section 3.2). A fragment is never sent.
_is_target = re.compile(rb"(?i:https?://[A-Z0-9._~%!$&'()*+,;=:\[\]-]+)?/[\x21\x22\x24-\x7e]*").fullmatch
_is_field = re.compile(rb"(" + _TOKEN + rb"+):[ \t]*([\t\x20-\x7e\x80-\xff]*)").fullmatch
_is_host = re.compile(rb"[A-Za-z0-9._~%!$&'()*+,;=:\[\]-]*").fullmatch
_is_length = re.compile(rb"[0-9]{1,19}").fullmatch
_is_chunk_line = re.compile(rb"([0-9A-Fa-f]{1,15})((?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?)").fullmatch

# Nearly every head matches, and is passed on unchanged.
_HEADERS = rb"(?:" + _TOKEN + rb"+:[ \t]*[\t\x20-\x7e\x80-\xff]*+\r\n)*+"
_is_plain_head = re.compile(
    rb"(?:" + b"|".join(sorted(METHODS)) + rb") /[\x21\x22\x24-\x7e]*+ HTTP/1\.1\r\n" + _HEADERS + rb"\r\n"
).fullmatch
_has_special_field = re.compile(
    rb"\n(?:upgrade|http2-settings|transfer-encoding|te|connection(?!:[ \t]*(?:keep-alive|close)\r)):", re.IGNORECASE
).search
_lengths_of = re.compile(rb"\ncontent-length:[ \t]*([^\r]*)\r", re.IGNORECASE).findall
_hosts_of = re.compile(rb"\nhost:[ \t]*([^\r]*)\r", re.IGNORECASE).findall


class BadHttp(ValueError):
    """The bytes are not a request that is served. `status`: that of the reply. The message says what is wrong."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


def _malformed(message: str) -> BadHttp:
    return BadHttp(400, message)


def _too_large(message: str) -> BadHttp:
    return BadHttp(431, message)


class Framer:
    """The requests of one connection. Once `bad` is set, nothing more is passed on."""

    def __init__(self) -> None:
        self.bad: BadHttp | None = None
        """Why the connection can't go on."""
        self.method = b""
        self.target = b""
        """Method and target of the request line, once it has arrived."""
        self._waiting = bytearray()
        self._looked_at = 0
        self._begin()

    def _begin(self) -> None:
        self.ended = False
        """Whether the whole message has arrived."""
        self.has_head = False
        """Whether its head has arrived."""
        self._step: Callable[[], bytes | None] = self._head
        self._head_bytes = 0
        self._empty_lines = 0
        self._lines: list[bytes] = []
        self._fields: dict[bytes, list[bytes]] = {}
        self._body_left = 0
        self._extension_bytes = 0
        self._minor = b"1"

    @property
    def is_silent(self) -> bool:
        """Whether no byte of a message has arrived."""
        return not (self.has_head or self._waiting or self._head_bytes)

    @property
    def waiting_bytes(self) -> int:
        """Bytes that have arrived and were not passed on."""
        return len(self._waiting)

    def feed(self, data: bytes) -> bytes:
        """The bytes for the parser, up to the end of this message or to the first error."""
        if self.bad:
            return b""
        self._waiting += data
        out = []
        try:
            while not self.ended and (part := self._step()) is not None:
                out.append(part)
        except BadHttp as bad:
            self.bad = bad
            self._waiting.clear()
        return b"".join(out)

    def following(self) -> bytes:
        """Begin the next message, with its bytes that have already arrived."""
        self.method = self.target = b""
        self._begin()
        return self.feed(b"")

    # Steps. Each consumes waiting bytes and returns bytes for the parser, or None until more has arrived. Each raises
    # BadHttp.

    def _head(self) -> bytes | None:
        if not self._head_bytes and (head := self._plain_head()):
            return head
        while (line := self._line(MAX_HEAD_BYTES - self._head_bytes, "The head of the request")) is not None:
            self._head_bytes += len(line) + 2
            if line:
                read = self._field if self._lines else self._request_line
                read(line)
            elif self._lines:
                return self._whole_head()
            else:
                self._empty_lines += 1
                if self._empty_lines > MAX_EMPTY_LINES:
                    raise _malformed("Empty lines before the request.")
        return None

    def _plain_head(self) -> bytes | None:
        """A head that has arrived whole and is passed on unchanged; None if it must be read line by line."""
        before, ending, _ = self._waiting[:MAX_HEAD_BYTES].partition(b"\r\n\r\n")
        head = bytes(before + ending)
        if not ending or not _is_plain_head(head) or _has_special_field(head) or head.count(b"\n") - 2 > MAX_HEADERS:
            return None
        hosts, lengths = _hosts_of(head), _lengths_of(head)
        if len(hosts) != 1 or not _is_host(hosts[0].rstrip(b" \t")) or len(lengths) > 1:
            return None
        method, target, _ = head.split(b" ", 2)
        length = lengths[0].rstrip(b" \t") if lengths else b"0"
        if not _is_length(length):
            return None
        self.method, self.target = method, target
        self._taken(len(head))
        self._await_body(int(length))
        return head

    def _request_line(self, line: bytes) -> None:
        found = _is_request_line(line)
        if not found:
            raise _malformed("The request line is not valid.")
        self.method, self.target = found[1], found[2]
        if found[3] != b"1" or found[4] not in (b"0", b"1"):
            raise BadHttp(505, "Only HTTP/1.1 and HTTP/1.0 are served here.")
        if self.method == b"CONNECT":
            raise _malformed("This is not a proxy.")
        if not _is_target(self.target) and (self.method, self.target) != (b"OPTIONS", b"*"):
            raise _malformed("The target is neither a path nor a URL.")
        if self.method not in METHODS:
            raise BadHttp(405, "The method is not served here.")
        self._minor = found[4]
        self._lines.append(line)

    def _field(self, line: bytes) -> None:
        found = _is_field(line)
        if not found:
            raise _malformed("A header line is not valid.")
        if sum(map(len, self._fields.values())) >= MAX_HEADERS:
            raise _too_large(f"More than {MAX_HEADERS} headers.")
        name, value = found[1].lower(), found[2].rstrip(b" \t")
        self._fields.setdefault(name, []).append(value)
        if name not in (b"upgrade", b"http2-settings", b"connection", b"content-length", b"transfer-encoding"):
            self._lines.append(found[1] + b": " + value)

    def _whole_head(self) -> bytes:
        hosts = self._fields.get(b"host", [])
        if len(hosts) > 1 or (self._minor == b"1" and not hosts) or not all(map(_is_host, hosts)):
            raise _malformed("Exactly one valid Host header is required.")
        if any(b"chunked" in value.lower() for value in self._fields.get(b"te", ())):
            raise _malformed("TE must not name chunked: it is always taken (RFC 9110, section 10.1.4).")
        framing = self._framing()
        asked = {token.strip().lower() for value in self._fields.get(b"connection", ()) for token in value.split(b",")}
        kept = [b"connection: " + token for token in (b"close", b"keep-alive") if token in asked][:1]
        return b"\r\n".join([*self._lines, *framing, *kept, b"", b""])

    def _framing(self) -> list[bytes]:
        """The header that says how the body ends."""
        lengths, codings = self._fields.get(b"content-length", []), self._fields.get(b"transfer-encoding", [])
        if codings:
            if lengths or self._minor == b"0" or [coding.lower() for coding in codings] != [b"chunked"]:
                raise _malformed("The body must be sent with one Content-Length, or Transfer-Encoding: chunked alone.")
            self.has_head, self._step = True, self._chunk_line
            return [b"transfer-encoding: chunked"]
        if len(lengths) > 1 or not all(map(_is_length, lengths)):
            raise _malformed("Content-Length must be there once at most, and be a number.")
        self._await_body(int(lengths[0]) if lengths else 0)
        return [b"content-length: " + length for length in lengths]

    def _await_body(self, size_bytes: int) -> None:
        self.has_head = True
        self._body_left, self._step = size_bytes, self._body
        self.ended = not size_bytes

    def _body(self) -> bytes | None:
        part = self._taken(self._body_left)
        self._body_left -= len(part)
        self.ended = not self._body_left
        return part or None

    def _chunk_line(self) -> bytes | None:
        line = self._line(MAX_CHUNK_LINE_BYTES, "The line of a chunk")
        if line is None:
            return None
        found = _is_chunk_line(line)
        if not found:
            raise _malformed("The line of a chunk is not valid.")
        self._extension_bytes += len(found[2]) + len(found[1]) - len(found[1].lstrip(b"0"))
        if self._extension_bytes > MAX_EXTENSIONS_BYTES:
            raise _too_large("The chunks of the body have too long extensions.")
        self._body_left = int(found[1], 16)
        if not self._body_left:
            self._head_bytes = 0
            self._fields.clear()
            self._step = self._trailer
            return b""
        self._step = self._chunk
        return b"%x\r\n" % self._body_left

    def _chunk(self) -> bytes | None:
        part = self._taken(self._body_left)
        self._body_left -= len(part)
        if not self._body_left:
            self._step = self._end_of_chunk
        return part or None

    def _end_of_chunk(self) -> bytes | None:
        line = self._line(2, "A chunk")
        if line is None:
            return None
        self._step = self._chunk_line
        return b"\r\n"

    def _trailer(self) -> bytes | None:
        """Checks, bounds and drops it: no code here reads trailers, and a trailer must not replace a header."""
        line = self._line(MAX_HEAD_BYTES - self._head_bytes, "The trailer of the request")
        if line is None:
            return None
        self._head_bytes += len(line) + 2
        if line:
            self._field(line)
            return b""
        self.ended = True
        return b"0\r\n\r\n"

    def _line(self, most_bytes: int, what: str) -> bytes | None:
        """The next line without its CRLF, of at most `most_bytes` with it; None until its end has arrived."""
        end = self._waiting.find(b"\n", self._looked_at) + 1
        if (end or len(self._waiting)) > most_bytes:
            raise _too_large(f"{what} is larger than allowed.")
        if not end:
            self._looked_at = len(self._waiting)
            return None
        line = self._taken(end)
        if not line.endswith(b"\r\n"):
            raise _malformed("A line does not end with CRLF.")
        return line[:-2]

    def _taken(self, size_bytes: int) -> bytes:
        """The first `size_bytes` of the waiting bytes, or all."""
        taken = bytes(self._waiting[:size_bytes])
        del self._waiting[:size_bytes]
        self._looked_at = 0  # a place among bytes that have just moved
        return taken
