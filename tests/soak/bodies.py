"""Hostile bodies of both APIs. Each function is one kind; a new one needs no more than the decorator."""

import gzip
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from urllib.parse import urlencode

from backports import zstd

from schemas.settings import MIB
from tests.soak.json_texts import CANARY, any_json, deep, huge_number, media_info, odd_string, repeats, timestamp

GAMES_PATH = "/games/v1/events"
POOL_PATH = "/AddEventBatch"
JSON_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Caller:
    """Tokens of hostile clients, and the time."""

    player: str
    anonymous: str
    stranger: str
    """An anonymous one of the app whose honest clients are at work."""
    now_millis: int


@dataclass(frozen=True, slots=True)
class Body:
    """A request but for its framing."""

    path: str
    data: bytes
    token: str = ""
    """For the Authorization header."""
    content_type: str = JSON_TYPE
    coding: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    copies: int = 1


MakeBody = Callable[[Random, Caller], Body]
BODIES: dict[str, tuple[MakeBody, float]] = {}


def body(name: str, weight: float = 1.0) -> Callable[[MakeBody], MakeBody]:
    """Register a kind. A weight of 2 comes twice as often as the others."""

    def register(make: MakeBody) -> MakeBody:
        BODIES[name] = make, weight
        return make

    return register


def item(title: str = f'"{CANARY}"', at: str = "", data: str = '{"Page":"/home"}', *, now: int = 0) -> str:
    return f'{{"Timestamp":{at or json.dumps(str(now))},"Event":{title},"Data":{data}}}'


def pool(chance: Random, who: Caller, items: list[str], media: str = "", **more: str) -> Body:
    """A pool with its token in the body or the header; some with partial=true."""
    token = chance.choice((who.player, who.anonymous))
    inside = chance.random() < 0.5
    members = {"Token": json.dumps(token)} if inside else {}
    members |= {"mediaInfo": json.dumps(media)} if media else {}
    members |= {name: value for name, value in more.items() if name != "eventData"}
    members["eventData"] = more.get("eventData", "[" + ",".join(items) + "]")
    text = "{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}"
    path = POOL_PATH + chance.choice(("", "", "?partial=true", "/"))
    return Body(path, encoded(text), "" if inside else token)


def encoded(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def good(who: Caller) -> str:
    return item(now=who.now_millis)


@body("deep-media", 3)
def deep_media(chance: Random, who: Caller) -> Body:
    text = f'{{"e":"\\ud83d\\ude00","{CANARY}":{deep(chance)}}}'
    return pool(chance, who, [good(who)], media_info(chance, text))


@body("media", 2)
def media(chance: Random, who: Caller) -> Body:
    """Any JSON at all, and none."""
    text = f'{{"{CANARY}":{any_json(chance)}}}' if chance.random() < 0.8 else CANARY
    return pool(chance, who, [good(who)] * chance.randint(1, 5), media_info(chance, text))


@body("deep-data", 2)
def deep_data(chance: Random, who: Caller) -> Body:
    return pool(chance, who, [good(who), item(data=deep(chance), now=who.now_millis)])


@body("deep-ignored", 2)
def deep_ignored(chance: Random, who: Caller) -> Body:
    """In an ignored member; some in a body so large that it is read in a thread."""
    padding = json.dumps(CANARY + "x" * chance.choice((0, 70_000, 200_000)))
    return pool(chance, who, [good(who)], ignored=deep(chance), padding=padding)


@body("event-data-as-text", 2)
def event_data_as_text(chance: Random, who: Caller) -> Body:
    data = chance.choice((deep, any_json))(chance)
    return pool(chance, who, [], eventData=json.dumps(f"[{good(who)},{item(data=data, now=who.now_millis)}]"))


@body("timestamps", 3)
def timestamps(chance: Random, who: Caller) -> Body:
    items = [item(at=timestamp(chance, who.now_millis)) for _ in range(chance.randint(1, 4))]
    return pool(chance, who, [*items, good(who)])


@body("expansion", 0.3)
def expansion(chance: Random, who: Caller) -> Body:
    """Small on the wire, large where it is stored: every item holds the media, and its Data is all structure."""
    count, inner = chance.choice(((10_000, 230), (2_000, 600), (300, 1_000)))
    data = "[" + ",".join(["[]"] * inner) + "]"
    items = [item(f'"{CANARY}"', json.dumps(str(who.now_millis + n)), data) for n in range(count)]
    made = pool(chance, who, items, media_info(chance, json.dumps({"film": "x" * 1_200})))
    return replace(made, coding="gzip")


@body("combining-marks", 2)
def combining_marks(chance: Random, who: Caller) -> Body:
    marks = "\u0300\u0316" * chance.choice((200, 5_000, 150_000))
    title = json.dumps("a" + marks, ensure_ascii=chance.random() < 0.3)
    if chance.random() < 0.7:
        return pool(chance, who, [good(who), item(title, now=who.now_millis)])
    return pool(chance, who, [item(data=f"{{{title}:1}}", now=who.now_millis)])


@body("repeated-keys", 1)
def repeated_keys(chance: Random, who: Caller) -> Body:
    """The same member thousands of times, without a token, or with a good one at the end."""
    key = chance.choice(("Token", "token", "eventData", "mediaInfo", "ignored"))
    value = chance.choice(("1", '""', "[]", f'"{CANARY}"'))
    text = f'"{key}":{value},' * chance.choice((10, 1_000, 80_000))
    last = who.player if chance.random() < 0.4 else ""
    return Body(POOL_PATH, encoded(f'{{{text}"Token":"{last}","eventData":[{good(who)}]}}'))


@body("junk-titles", 0.5)
def junk_titles(chance: Random, who: Caller) -> Body:
    """A thousand names, of an anonymous client of the honest clients' app."""
    titles = [f'"junk {chance.getrandbits(64):x}"' for _ in range(chance.choice((50, 1_000)))]
    items = [item(title, now=who.now_millis) for title in titles]
    return Body(POOL_PATH, encoded('{"eventData":[' + ",".join(items) + "]}"), who.stranger)


@body("used-key")
def used_key(chance: Random, who: Caller) -> Body:
    """One Idempotency-Key for several payloads."""
    text = item(json.dumps(f"{CANARY} {chance.randrange(50)}"), now=who.now_millis)
    made = pool(chance, who, [text])
    return replace(made, headers=(("Idempotency-Key", f"key-{chance.randrange(5)}"),))


@body("charsets")
def charsets(chance: Random, who: Caller) -> Body:
    charset = chance.choice(
        (
            "utf8",
            '"UTF8"',
            "us-ascii",
            "utf-16",
            "latin1",
            "utf-8; q=1",
            '"',
            "x" * 5_000,
            "\u00e4".encode().decode("latin-1"),
        )
    )
    made = pool(chance, who, [good(who)])
    data = made.data.decode().encode("utf-16") if charset == "utf-16" else made.data
    return replace(made, data=data, content_type=f"application/json; charset={charset}")


@body("strings", 2)
def strings(chance: Random, who: Caller) -> Body:
    odd = odd_string(chance)
    place = chance.randrange(3)
    if place == 0:
        return pool(chance, who, [good(who), item(odd, now=who.now_millis)])
    data = odd if place == 1 else f"{{{odd}:{odd}}}"
    return pool(chance, who, [item(data=f"[{data}]", now=who.now_millis)])


@body("numbers", 2)
def numbers(chance: Random, who: Caller) -> Body:
    if chance.random() < 0.5:
        return pool(chance, who, [item(data=f'{{"n":{huge_number(chance)}}}', now=who.now_millis)])
    return pool(chance, who, [item(at=huge_number(chance))])


@body("any-pool", 4)
def any_pool(chance: Random, who: Caller) -> Body:
    """Mixtures of all that, in every place."""
    items = [item(data=any_json(chance), now=who.now_millis) for _ in range(chance.randint(0, 4))]
    if chance.random() < 0.2:
        items.append(any_json(chance))
    more = {"ignored": any_json(chance)} if chance.random() < 0.3 else {}
    return pool(chance, who, items, media_info(chance, any_json(chance)) if chance.random() < 0.5 else "", **more)


@body("form")
def form(chance: Random, who: Caller) -> Body:
    """The same as a form; with a form's own ways to be large."""
    fields = [("Token", who.player), ("eventData", f"[{item(data=any_json(chance), now=who.now_millis)}]")]
    fields += [(f"field{n}", CANARY) for n in range(chance.choice((0, 2_000)))]
    data = urlencode(fields, errors="replace").encode()
    wrong = ("text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded; charset=utf-7")
    return Body(POOL_PATH, data, content_type=chance.choice(("application/x-www-form-urlencoded", *wrong)))


@body("bytes")
def random_bytes(chance: Random, who: Caller) -> Body:
    data = chance.randbytes(chance.choice((0, 1, 100, 100_000)))
    return Body(
        chance.choice((POOL_PATH, GAMES_PATH)), chance.choice((b"", b"{", b"\xef\xbb\xbf{}")) + data, who.player
    )


@cache
def bomb(coding: str, size: int, filling: bytes) -> bytes:
    """Small on the wire; unpacked it is `size` bytes of a pool without a token."""
    plain = b'{"eventData":[' + filling * (size // len(filling))
    if coding == "gzip":
        return gzip.compress(plain, 9, mtime=0)
    return zlib.compress(plain, 9) if coding == "deflate" else zstd.compress(plain, 19)


@body("bombs", 0.4)
def bombs(chance: Random, _who: Caller) -> Body:
    """Without a token, and many at once."""
    coding = chance.choice(("gzip", "deflate", "zstd"))
    filling = chance.choice((b" ", b"[],", b'{"Event":1},', b'"",'))
    size = chance.choice((8 * MIB - 64, 8 * MIB - 64, 32 * MIB))
    return Body(POOL_PATH, bomb(coding, size, filling), coding=f"!{coding}", copies=chance.choice((5, 15, 30)))


@body("codings")
def codings(chance: Random, who: Caller) -> Body:
    """Damaged, cut, doubled, of another name."""
    made = pool(chance, who, [good(who)])
    packed = gzip.compress(made.data, mtime=0)
    data = chance.choice((packed[:-5], packed + packed, packed + b"x", made.data, packed[:20], b"", zstd.compress(b"")))
    coding = chance.choice(("gzip", "x-gzip", "deflate", "zstd", "br", "gzip, gzip", "identity", ",", "GZIP "))
    return replace(made, data=data, coding=f"!{coding}")


@body("games-shape", 3)
def games_shape(chance: Random, who: Caller) -> Body:
    """Right in form; every value may be wrong."""
    edges = (
        '"0"',
        "0",
        "-1",
        "1",
        '"007"',
        "null",
        '""',
        "true",
        "1.5",
        huge_number(chance),
        deep(chance),
        any_json(chance),
    )

    def edge(usual: str) -> str:
        return chance.choice(edges) if chance.random() < 0.3 else usual

    start = who.now_millis - chance.randrange(-(10**6), 10**8)
    update = f'{{"definitionId":{edge(json.dumps(CANARY))},"updateCount":{edge("1")}}}'
    times = f'{{"periodStartMillis":{edge(str(start))},"periodEndMillis":{edge(str(start + 60_000))}}}'
    period = f'{{"timePeriod":{times},"updates":[{",".join([update] * chance.choice((0, 1, 2, 50)))}]}}'
    periods = ",".join([period] * chance.choice((1, 3)))
    text = f'{{"requestId":{edge(str(chance.getrandbits(40)))},"timePeriods":[{periods}]}}'
    return Body(GAMES_PATH, encoded(text), who.player)


@body("games-deep", 2)
def games_deep(chance: Random, who: Caller) -> Body:
    hostile = chance.choice((deep, repeats, odd_string, any_json))(chance)
    place = chance.choice(("ignored", "kind", "requestId", "currentTimeMillis", "timePeriods"))
    return Body(GAMES_PATH, encoded(f'{{"requestId":"1","{place}":{hostile},"timePeriods":[]}}'), who.player)


@body("games-large", 0.5)
def games_large(chance: Random, who: Caller) -> Body:
    """Nearly a whole MiB: of violations, of periods, of one name; some without a token."""
    piece = chance.choice(('{"x":1},', "{},", "[],", "1,", '"x",', '{"updates":[{"updateCount":-1}]},'))
    text = '{"requestId":"5","timePeriods":[' + piece * ((MIB - 100) // len(piece)) + "{}]}"
    return Body(GAMES_PATH, encoded(text), chance.choice((who.player, "")), copies=chance.choice((1, 5)))
