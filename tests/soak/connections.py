"""Hostile use of HTTP itself: heads, framing, upgrades, and connections that say nothing."""

import json
from collections.abc import Callable
from random import Random

from tests.soak.acts import Hear, Pause, Reset, Send, Step, Talk, Target, in_pieces, whole
from tests.soak.bodies import GAMES_PATH, JSON_TYPE, POOL_PATH, Caller, good
from tests.soak.framing import HOST, Header, chunked, head, request

MakeTalk = Callable[[Random, Caller], Talk]
TALKS: dict[str, tuple[MakeTalk, float]] = {}

# Longer than any head needs, and shorter than the 20 s that one may take.
PATIENT_SECONDS = 15.0


def talk(name: str, weight: float = 1.0) -> Callable[[MakeTalk], MakeTalk]:
    """Register a kind."""

    def register(make: MakeTalk) -> MakeTalk:
        TALKS[name] = make, weight
        return make

    return register


def a_pool(who: Caller) -> bytes:
    return f'{{"Token":"{who.anonymous}","eventData":[{good(who)}]}}'.encode()


def a_batch(chance: Random) -> bytes:
    return json.dumps({"requestId": str(chance.getrandbits(40)), "timePeriods": []}).encode()


def posted(chance: Random, who: Caller, *headers: Header) -> bytes:
    """A good request of either API, with these headers beside its own."""
    if chance.random() < 0.5:
        return request("POST", POOL_PATH, [("Content-Type", JSON_TYPE), *headers], a_pool(who))
    bearer = ("Authorization", f"Bearer {who.player}")
    return request("POST", GAMES_PATH, [("Content-Type", JSON_TYPE), bearer, *headers], a_batch(chance))


def somewhere(chance: Random) -> Target:
    """Mostly the ingress; every process that serves HTTP gets a share."""
    targets: tuple[Target, ...] = ("ingress", "ingress", "ingress", "console", "worker")
    return chance.choice(targets)


@talk("huge-head")
def huge_head(chance: Random, _who: Caller) -> Talk:
    size = chance.choice((60_000, 70_000, 1 << 20, 4 << 20))
    start = head("GET /livez HTTP/1.1", [("Host", HOST)])[:-2]
    name = b"x-padding: " if chance.random() < 0.5 else b""
    pieces: list[Step] = [Send(start + name)]
    pieces += [Send(b"x" * min(65_536, size))] * max(1, size // 65_536)
    return Talk((*pieces, Send(b"\r\n\r\n"), Hear())).at(somewhere(chance))


@talk("many-headers")
def many_headers(chance: Random, who: Caller) -> Talk:
    count = chance.choice((90, 101, 1_000, 20_000))
    headers = [(chance.choice(("x-a", f"x-{n}", "cookie")), "1") for n in range(count)]
    return whole(posted(chance, who, *headers)).at(somewhere(chance))


@talk("huge-url")
def huge_url(chance: Random, who: Caller) -> Talk:
    size = chance.choice((8_000, 65_000, 70_000, 1 << 20))
    path = chance.choice(("/", f"{GAMES_PATH}?fields=", "/v1/receipts/", "/livez?", "/%2e%2e/")) + "a(" * (size // 2)
    return whole(request("GET", path, [("Authorization", f"Bearer {who.player}")])).at(somewhere(chance))


@talk("trailers")
def trailers(chance: Random, who: Caller) -> Talk:
    count = chance.choice((1, 200, 50_000))
    start = head(f"POST {POOL_PATH} HTTP/1.1", [("Host", HOST), ("Transfer-Encoding", "chunked")])
    return whole(start + chunked(a_pool(who), 100, b"x-trailer: 1234567890\r\n" * count))


@talk("slow-head", 0.5)
def slow_head(chance: Random, who: Caller) -> Talk:
    sent = posted(chance, who)[:100]
    return Talk((*in_pieces(sent, 1, PATIENT_SECONDS / len(sent)), Reset()), copies=chance.choice((1, 20)))


@talk("slow-body", 0.5)
def slow_body(chance: Random, who: Caller) -> Talk:
    sent = posted(chance, who)
    start, _, data = sent.partition(b"\r\n\r\n")
    steps = in_pieces(data[:30], 1, 0.3)
    return Talk((Send(start + b"\r\n\r\n"), *steps, Hear(1.0)), copies=chance.choice((1, 10)))


@talk("silent", 0.15)
def silent(chance: Random, _who: Caller) -> Talk:
    """Connections that say nothing, or nothing more after a request: hundreds at once."""
    first: tuple[Step, ...] = (Send(request("GET", "/livez")),) if chance.random() < 0.3 else ()
    return Talk((*first, Pause(chance.uniform(3, 12))), copies=chance.choice((50, 150, 300)))


@talk("upgrade", 2)
def upgrade(chance: Random, who: Caller) -> Talk:
    to = chance.choice(("h2c", "websocket", "TLS/1.3", "anything", "h2c, websocket", ""))
    more = [("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA")] if "h2c" in to else []
    connection = ("Connection", chance.choice(("Upgrade", "Upgrade, HTTP2-Settings", "keep-alive")))
    first = posted(chance, who, connection, ("Upgrade", to), *more)
    return whole(first + (request("GET", "/livez") if chance.random() < 0.5 else b"")).at(somewhere(chance))


@talk("expect")
def expect(chance: Random, who: Caller) -> Talk:
    """With a token or a bad one; the body comes, comes late, or never; and one more request behind it."""
    token = chance.choice((who.player, "bad"))
    headers = [("Authorization", f"Bearer {token}"), ("Expect", chance.choice(("100-continue", "200-maybe")))]
    start, _, data = request("POST", GAMES_PATH, headers, a_batch(chance)).partition(b"\r\n\r\n")
    late: tuple[Step, ...] = (Send(data + request("GET", "/livez")),) if chance.random() < 0.7 else ()
    return Talk((Send(start + b"\r\n\r\n"), Hear(0.5), *late, Hear(2.0)))


@talk("hosts")
def hosts(chance: Random, who: Caller) -> Talk:
    """Two Hosts, none, an empty one; versions that are not ours."""
    version = chance.choice(("HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "HTTP/1.2", "http/1.1", "HTTP/11", ""))
    names = [("Host", chance.choice((HOST, "", "a b", "x" * 300)))] * chance.choice((0, 1, 2))
    data = a_pool(who)
    return whole(head(f"POST {POOL_PATH} {version}", [*names, ("Content-Length", str(len(data)))]) + data)


@talk("smuggling", 2)
def smuggling(chance: Random, who: Caller) -> Talk:
    """Lengths and codings that two servers would read differently."""
    inner = request("POST", POOL_PATH, [("Content-Type", JSON_TYPE)], a_pool(who))
    framings: tuple[list[Header], ...] = (
        [("Transfer-Encoding", "gzip, chunked")],
        [("Transfer-Encoding", "chunked"), ("Content-Length", "3")],
        [("Content-Length", "3"), ("Content-Length", str(len(inner)))],
        [("Content-Length", "+3")],
        [("Content-Length", "3,3")],
        [("Content-Length", "-1")],
        [("Content-Length", "9" * 30)],
        [("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "identity")],
        [("Transfer-Encoding", "xchunked")],
        [("Transfer-Encoding", "\x0bchunked")],
        [("Transfer-Encoding ", "chunked")],
        [("Content-Length", "0"), ("Connection", "Content-Length")],
    )
    start = head(f"POST {POOL_PATH} HTTP/1.1", [("Host", HOST), *chance.choice(framings)])
    return whole(start + chance.choice((inner, chunked(inner, 50), b"0\r\n\r\n" + inner)))


@talk("chunks")
def chunks(chance: Random, who: Caller) -> Talk:
    """Sizes that are none, extensions without end, chunks of one byte."""
    start = head(f"POST {POOL_PATH} HTTP/1.1", [("Host", HOST), ("Transfer-Encoding", "chunked")])
    whats = (
        b"zz\r\n",
        b"ffffffffffffffffff\r\n",
        b"-1\r\nx\r\n0\r\n\r\n",
        b"1;" + b"x" * 200_000 + b"\r\nx\r\n0\r\n\r\n",
        b"0x5\r\nabcde\r\n0\r\n\r\n",
        b"5\nabcde\n0\n\n",
        chunked(a_pool(who) + b" " * 20_000, 1),
    )
    return whole(start + chance.choice(whats))


@talk("other-protocols")
def other_protocols(chance: Random, who: Caller) -> Talk:
    whats = (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(200),
        b"GET / HTTP/1.1\nHost: x\n\n",
        b"GET /livez\r\n\r\n",
        b"\r\n\r\n\r\n" + request("GET", "/livez"),
        b"\x00" * 1_000,
        chance.randbytes(5_000),
        b"GET http://other.example/livez HTTP/1.1\r\nHost: x\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        head("GET /livez HTTP/1.1", [("Host", HOST), ("x-a", "1\r\n folded")]),
        head("GET /livez HTTP/1.1", [("Host", HOST), ("x-a", "\x00\x01")]),
        head("GET /livez HTTP/1.1", [("Host", HOST), ("x a", "1")]),
        request("x" * 40_000, "/"),
        posted(chance, who) * 30,
    )
    return whole(chance.choice(whats)).at(somewhere(chance))


@talk("mutations", 4)
def mutations(chance: Random, who: Caller) -> Talk:
    """A good request with some of its bytes changed, doubled or left out."""
    sent = bytearray(posted(chance, who))
    for _ in range(chance.randint(1, 8)):
        where = chance.randrange(len(sent))
        length = chance.choice((1, 1, 5, 40))
        match chance.randrange(3):
            case 0:
                sent[where : where + length] = chance.randbytes(length)
            case 1:
                sent[where:where] = sent[where : where + length] * chance.choice((1, 1, 100))
            case _:
                del sent[where : where + length]
        sent = sent or bytearray(b"\r\n")
    return whole(bytes(sent)).at(somewhere(chance))


@talk("resets")
def resets(chance: Random, who: Caller) -> Talk:
    """Gone before the answer, at any byte."""
    sent = posted(chance, who)
    cut = chance.randint(0, len(sent))
    return Talk((Send(sent[:cut]), Pause(chance.choice((0, 0.01, 0.2))), Reset()), copies=chance.choice((1, 10)))
