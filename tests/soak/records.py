"""Hostile producers: records past any ingress, transactions that leave markers and gaps."""

import json
from collections.abc import Callable
from functools import cache
from random import Random

from schemas.settings import MIB, Api
from tests.soak.acts import Act, Produce, RawRecord, Transact
from tests.soak.bodies import BODIES, GAMES_PATH, Caller, good
from tests.soak.json_texts import CANARY, any_json

APP = "soakers"
PARTITIONS = 6

MakeRecords = Callable[[Random, Caller], Act]
RECORDS: dict[str, tuple[MakeRecords, float]] = {}

RawHeader = tuple[bytes, bytes | None]


def records(name: str, weight: float = 1.0) -> Callable[[MakeRecords], MakeRecords]:
    """Register a kind."""

    def register(make: MakeRecords) -> MakeRecords:
        RECORDS[name] = make, weight
        return make

    return register


def api_of(chance: Random) -> Api:
    return "games" if chance.random() < 0.5 else "analytics"


def produced(chance: Random, api: Api, *made: RawRecord) -> Produce:
    compression = chance.choice(("none", "none", "gzip", "lz4", "zstd"))
    return Produce(api, chance.randrange(PARTITIONS), made, compression)  # type: ignore[arg-type]  # one of its words


def key_of(chance: Random) -> bytes | None:
    return chance.choice(
        (f"{APP}/raw-{chance.randrange(20)}".encode(), f"{APP}/ann".encode(), None, b"", b"\xff/x", b"a")
    )


def usual_headers(chance: Random, api: Api) -> list[RawHeader]:
    kind = b"tallymill.games.events.record" if api == "games" else b"tallymill.analytics.pool"
    return [
        (b"ce_specversion", b"1.0"),
        (b"ce_id", str(chance.getrandbits(40)).encode()),
        (b"ce_source", f"/apps/{APP}/players/raw-{chance.randrange(20)}".encode()),
        (b"ce_type", kind),
        (b"ce_time", chance.choice((b"2026-11-28T10:00:00Z", b"9999-12-31T23:59:59.999999Z", b"0001-01-01T00:00:00Z"))),
        (b"content-type", b"application/json"),
        (b"judged", chance.choice((b"{}.", b'{"shift":1}.')) + b"0" * 64),
    ]


def good_value(chance: Random, api: Api, who: Caller) -> bytes:
    if api == "analytics":
        return f'{{"Token":"","eventData":[{good(who)}]}}'.encode()
    start = who.now_millis - 120_000
    times = {"periodStartMillis": str(start), "periodEndMillis": str(start + 60_000)}
    update = {"definitionId": CANARY, "updateCount": "1"}
    periods = [{"timePeriod": times, "updates": [update]}]
    return json.dumps({"requestId": str(chance.getrandbits(40)), "timePeriods": periods}).encode()


@records("good-records", 2)
def good_records(chance: Random, who: Caller) -> Act:
    """As a pipeline writes them that knows no ingress; some twice."""
    api = api_of(chance)
    made = RawRecord(f"{APP}/raw-{chance.randrange(20)}".encode(), good_value(chance, api, who))
    return produced(chance, api, *[made] * chance.randint(1, 3))


@records("null-headers", 3)
def null_headers(chance: Random, who: Caller) -> Act:
    """Some of the usual headers without a value, or away, or twice."""
    api = api_of(chance)
    headers: list[RawHeader] = []
    for name, value in usual_headers(chance, api):
        how = chance.random()
        headers += [(name, None)] if how < 0.4 else [(name, value)] * (2 if how > 0.9 else int(how < 0.85))
    return produced(chance, api, RawRecord(key_of(chance), good_value(chance, api, who), tuple(headers)))


@records("header-names", 2)
def header_names(chance: Random, who: Caller) -> Act:
    """No UTF-8, empty, very long, very many."""
    api = api_of(chance)
    name = chance.choice((b"\xff\xfe", b"", b"\xed\xa0\x80", b"x" * 30_000, b"judged\x00", b"\xc3\x28"))
    count = chance.choice((1, 1, 3_000))
    odd = [(name, chance.choice((None, b"", b"\xff", b"x" * 100)))] * count
    headers = (*usual_headers(chance, api), *odd)
    return produced(chance, api, RawRecord(key_of(chance), good_value(chance, api, who), headers))


@records("header-values", 3)
def header_values(chance: Random, who: Caller) -> Act:
    """Forged and broken values, each in any of the usual headers."""
    api = api_of(chance)
    odd: tuple[bytes, ...] = (
        b"",
        b"\xff\xfe",
        b"{}." + b"\xff" * 64,
        b"." * 100,
        b"null." + b"0" * 64,
        b"[" * 2_000 + b"." + b"0" * 64,
        b"/apps/%2F/players/%ff",
        f"/apps/{APP}/players/{'%00' * 50}".encode(),
        b"9" * 5_000,
        b"application/json; charset=\xff",
        b"multipart/form-data; boundary=x",
        any_json(chance).encode(errors="replace")[:10_000],
    )
    headers = tuple(
        (name, chance.choice(odd) if chance.random() < 0.3 else value) for name, value in usual_headers(chance, api)
    )
    return produced(chance, api, RawRecord(key_of(chance), good_value(chance, api, who), headers))


@records("hostile-values", 5)
def hostile_values(chance: Random, who: Caller) -> Act:
    """The very bodies that hostile clients send, without an ingress before them; some to the other API's topic."""
    make, _ = chance.choice(list(BODIES.values()))
    made = make(chance, who)
    api: Api = "games" if (made.path == GAMES_PATH) != (chance.random() < 0.1) else "analytics"
    headers: tuple[RawHeader, ...] = ()
    if chance.random() < 0.5:
        kept = [one for one in usual_headers(chance, api) if one[0] != b"content-type"]
        headers = (*kept, (b"content-type", made.content_type.encode(errors="replace")))
    return produced(chance, api, RawRecord(key_of(chance), made.data[: 8 * MIB], headers))


@records("random-records", 2)
def random_records(chance: Random, _who: Caller) -> Act:
    """No value, no key, nothing but noise, times of any age."""
    times = (None, 0, 1, 2**53, 4_102_444_800_000)
    made = [
        RawRecord(
            chance.choice((None, chance.randbytes(10))),
            chance.choice((None, b"", chance.randbytes(chance.choice((1, 100, 50_000))))),
            tuple(
                (chance.randbytes(5), chance.choice((None, chance.randbytes(5)))) for _ in range(chance.randrange(3))
            ),
            chance.choice(times),
        )
        for _ in range(chance.randint(1, 10))
    ]
    return produced(chance, api_of(chance), *made)


@cache
def zeros(size: int, filling: bytes) -> bytes:
    return filling * (size // len(filling))


@records("giant-records", 0.15)
def giant_records(chance: Random, _who: Caller) -> Act:
    """Tens of MiB that pack to tens of KiB: the broker's limit is of the packed batch."""
    size = chance.choice((9, 20, 60)) * MIB
    value = zeros(size, chance.choice((b" ", b"\x00", b"[],")))
    api = api_of(chance)
    key = f"{APP}/raw-1".encode()
    headers = tuple(usual_headers(chance, api)) if chance.random() < 0.5 else ()
    return Produce(api, chance.randrange(PARTITIONS), (RawRecord(key, value, headers),), "zstd")


@records("transactions", 2)
def transactions(chance: Random, who: Caller) -> Act:
    """Committed, aborted, or with nothing in them: each leaves a marker, some at the end of a partition."""
    made = [chance.choice((good_records, random_records))(chance, who) for _ in range(chance.randint(1, 3))]
    ending = chance.choice(("commit", "abort"))
    batches = tuple(one for one in made if isinstance(one, Produce))
    # No longer: until it ends, nobody reads what comes behind it, of whoever it is.
    return Transact(batches, ending, chance.choice((0.0, 0.05, 0.3)))  # type: ignore[arg-type]  # one of its words
