"""Hostile records of clients and producers, whose fate is certain. They are mixed with honest ones."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from consumer.core.records import Record
from schemas.records.envelope import rfc3339
from tests.consumer.sums import Sent, counting, now_millis

PLAYER = "eve"

MakeSent = Callable[[Random, int, int], Sent]


def _with_headers(sent: Sent, headers: Any) -> Sent:  # noqa: ANN401 as they come from Kafka, null too
    return replace(sent, record=sent.record._replace(headers=headers))


def _dead(partition: int, key: bytes | None, value: bytes, headers: Any = ()) -> Sent:  # noqa: ANN401 the same
    return Sent(partition, Record(0, 0, key, value, headers), "dead")


def _received_now(partition: int, number: int) -> Sent:
    """As an ingress writes it. Its time counts if the rest is not signed."""
    made = counting(partition, number, PLAYER)
    now = rfc3339(now_millis()).encode()
    return _with_headers(made, [(name, now if name == "ce_time" else value) for name, value in made.record.headers])


def null_headers(_: Random, partition: int, number: int) -> Sent:
    """`judged` and others without a value: it is not signed, so the worker judges it."""
    made = _received_now(partition, number)
    nulls = ("judged", "content-type", "ce_type")
    return _with_headers(made, [(name, None if name in nulls else value) for name, value in made.record.headers])


def forged(chance: Random, partition: int, number: int) -> Sent:
    """A signature that is none: the same."""
    made = _received_now(partition, number)
    judged = chance.choice((b"{}." + b"0" * 64, b'{"periods":[[0,"x"]]}.' + b"f" * 64, b"\xff\xfe", b"."))
    return _with_headers(made, [*made.record.headers[:-1], ("judged", judged)])


def null_headers_of_garbage(_: Random, partition: int, __: int) -> Sent:
    headers = [("judged", None), ("content-type", None), ("ce_source", None)]
    return _dead(partition, f"demo/{PLAYER}".encode(), b"\xff\x00", headers)


def deep(chance: Random, partition: int, number: int) -> Sent:
    depth = chance.choice((500, 970, 5_000))
    value = b'{"requestId":"%d","timePeriods":%b%b}' % (number, b"[" * depth, b"]" * depth)
    return _dead(partition, f"demo/{PLAYER}".encode(), value)


def huge_number(chance: Random, partition: int, _: int) -> Sent:
    digits = chance.choice((20, 4_301, 50_000))
    return _dead(partition, f"demo/{PLAYER}".encode(), b'{"requestId":%b,"timePeriods":[]}' % (b"9" * digits))


def nobodys(chance: Random, partition: int, number: int) -> Sent:
    """A good batch without an owner."""
    made = counting(partition, number, PLAYER, raw=True)
    return _dead(partition, chance.choice((None, b"", b"\xff/eve", b"demo", b"/eve")), made.record.value)


def empty(_: Random, partition: int, __: int) -> Sent:
    return _dead(partition, f"demo/{PLAYER}".encode(), b"")


HOSTILE: tuple[MakeSent, ...] = (
    null_headers,
    forged,
    null_headers_of_garbage,
    deep,
    huge_number,
    nobodys,
    empty,
)
