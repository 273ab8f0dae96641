"""The envelope of a record: what goes in comes out, and only an ingress can say what was judged."""

import contextlib
import json
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.documents import utc
from schemas.games.body import EventFailureCause, EventUpdateFailureCause
from schemas.games.judging import Judgement
from schemas.records.envelope import (
    MAX_TIME_MILLIS,
    Carrier,
    Envelope,
    MalformedEnvelope,
    carry,
    clamped_millis,
    is_signed,
    matches_player,
    rfc3339,
    seal,
    unseal,
)
from schemas.records.headers import clean_headers
from schemas.records.pools import unseal_pool
from schemas.records.signing import SigningKeys
from tests.samples import KEYS, NOW

JUDGEMENT = Judgement(
    shift_millis=-5,
    periods=((1, EventFailureCause.TIME_PERIOD_LONG),),
    updates=((0, 2, EventUpdateFailureCause.NOT_FOUND),),
)
BODY = b'{"requestId":"5"}'


@given(st.integers(0, MAX_TIME_MILLIS))
def test_a_time_is_written_in_milliseconds_utc(millis: int) -> None:
    """RFC 3339, of three digits."""
    assert utc(millis).isoformat(timespec="milliseconds").replace("+00:00", "Z") == rfc3339(millis)


players = st.text(min_size=1, max_size=128).filter(matches_player)


@given(players, st.integers(0, 2**42), st.sampled_from([Judgement(), JUDGEMENT]))
def test_what_is_sealed_is_unsealed(player: str, received: int, judgement: Judgement) -> None:
    """Whatever the player is called, whenever it was received."""
    envelope = Envelope("demo", player, received, judgement)
    key, headers = seal(envelope, 5, BODY, KEYS)
    assert envelope == unseal(key, headers, BODY, NOW, KEYS)
    assert f"demo/{player}" == key.decode()


def test_the_headers_are_cloudevents() -> None:
    """CloudEvents 1.0, Kafka protocol binding, binary mode."""
    _, headers = seal(Envelope("demo", "a b|c", 1_790_000_070_123, Judgement()), -5, BODY, KEYS)
    named = dict(headers)
    judged = named.pop("judged")
    expected = {
        "ce_specversion": b"1.0",
        "ce_id": b"-5",
        "ce_source": b"/apps/demo/players/a%20b%7Cc",
        "ce_type": b"tallymill.games.events.record",
        "ce_time": b"2026-09-21T14:14:30.123Z",
        "content-type": b"application/json",
    }
    assert expected == named
    assert judged.startswith(b"{}.")


def test_only_a_judged_envelope_can_be_sealed() -> None:
    """The worker would judge an unjudged record by its own settings, which may contradict the client's answer."""
    with pytest.raises(ValueError, match="judged"):
        seal(Envelope("demo", "ann", NOW, None), 5, BODY, KEYS)


@pytest.mark.parametrize("changed", ["ce_id", "ce_source", "ce_time", "judged", "body", "key"])
def test_a_judgement_moved_or_forged_is_no_judgement(changed: str) -> None:
    """`judged` holds for this body, owner, id and time, under our keys."""
    key, headers = seal(Envelope("demo", "ann", NOW, JUDGEMENT), 5, BODY, KEYS)
    forged = {
        "ce_id": b"6",
        "ce_source": b"/apps/demo/players/bob",
        "ce_time": b"2026-09-21T14:14:31.000Z",
        "judged": b"{}." + dict(headers)["judged"].rpartition(b".")[2],
    }
    tampered = [(name, forged.get(name, value) if name == changed else value) for name, value in headers]
    body = BODY + b" " if changed == "body" else BODY
    keys = SigningKeys((b"another key of sixteen bytes",)) if changed == "key" else KEYS
    assert unseal(key, tampered, body, NOW, keys).judged is None


def test_an_old_key_still_verifies() -> None:
    """Keys are changed without a stop: the new one signs, the old one verifies."""
    key, headers = seal(Envelope("demo", "ann", NOW, JUDGEMENT), 5, BODY, KEYS)
    both = SigningKeys((b"the new key of sixteen bytes", *KEYS.keys))
    assert unseal(key, headers, BODY, NOW, both).judged == JUDGEMENT


def test_without_headers_the_key_names_the_owner_and_kafka_the_time() -> None:
    """A pipeline that produces by itself need know nothing but the key."""
    assert Envelope("demo", "ann", NOW, None) == unseal(b"demo/ann", [], BODY, NOW, KEYS)


@pytest.mark.parametrize(
    ("ce_time", "received"),
    [
        (b"2026-09-21T14:14:29.000Z", NOW - 1000),
        (b"2026-09-21T16:14:29+02:00", NOW - 1000),
        (b"9999-12-31T23:59:59Z", NOW),
        (b"1969-12-31T23:59:59Z", NOW),
        (b"2026-09-21T14:14:29", NOW),
        (b"\xff", NOW),
        (b"soon", NOW),
    ],
)
def test_an_unsigned_time_is_taken_as_far_as_it_can_be_true(ce_time: bytes, received: int) -> None:
    """Never after the broker's clock, never before 1970, never without a zone."""
    assert unseal(b"demo/ann", [("ce_time", ce_time)], BODY, NOW, KEYS).received_millis == received


@pytest.mark.parametrize(
    ("key", "source"),
    [
        (None, None),
        (b"", None),
        (b"demo", None),
        (b"demo/", None),
        (b"de mo/ann", None),
        (b"demo/a/b", None),
        (b"demo/\xff", None),
        (b"demo/ann", b"/apps/demo"),
        (b"demo/ann", b"/apps/demo/players/%ff"),
        (b"demo/ann", b"/apps/de.mo/players/ann"),
        (b"demo/ann", b"\xff"),
    ],
)
def test_a_record_without_an_owner_is_malformed(key: bytes | None, source: bytes | None) -> None:
    """The key does not replace a wrong ce_source: the record would count for another player."""
    headers = [] if source is None else [("ce_source", source)]
    with pytest.raises(MalformedEnvelope):
        unseal(key, headers, BODY, NOW, KEYS)


def signed(judged: bytes) -> tuple[bytes, list[tuple[str, bytes]]]:
    """A record of which an ingress has signed this."""
    return carry(Envelope("demo", "ann", NOW, None), Carrier("t", "5", "application/json", judged), BODY, KEYS)


SOURCES = [b"/apps/demo/players/", b"%ff", b"%00", b"%", b"%2", b"%zz", b"%ed%a0%80", b"%2F", b"\xff", b"ann", b"~"]
TIMES = [
    b"9999-12-31T23:59:59.999999-08:00",
    b"9999-12-31T23:59:59.999999Z",
    b"0001-01-01T00:00:00+14:00",
    b"9000-01-01T00:00:00Z",
    b"9000-01-01T00:00:00.001Z",
    b"1970-01-01T00:00:00Z",
    b"2026-W01-1",
]
pieces = st.binary(max_size=5) | st.sampled_from([*SOURCES, *TIMES, b"{}.", b"{}.\xff", b'{"shift":1}.ab', b"."])
values = st.none() | st.lists(pieces, max_size=4).map(b"".join)
named = st.sampled_from(["judged", "ce_id", "ce_source", "ce_time", "ce_type", "content-type"])
any_headers = st.lists(st.tuples(named | st.text(max_size=5) | st.binary(max_size=5), values), max_size=8)
any_time = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([-1, NOW])


@given(st.none() | pieces | st.just(b"demo/ann"), any_headers, any_time, st.lists(st.just(1), max_size=1))
def test_any_record_has_an_envelope_or_a_malformed_one(
    key: bytes | None, raw: list[tuple[str | bytes, bytes | None]], timestamp: int, signed_too: list[int]
) -> None:
    """Any key, any headers in any order, any time: and the time is one that can be stored and reckoned with."""
    headers = clean_headers([*signed(b"{}")[1], *raw] if signed_too else raw)
    for opens in (unseal, unseal_pool):
        try:
            found = opens(key, headers, BODY, timestamp, KEYS)
        except MalformedEnvelope:
            continue
        owner = found if isinstance(found, Envelope) else found[0]
        assert matches_player(owner.player)
        assert 0 <= owner.received_millis <= MAX_TIME_MILLIS
        assert isinstance(utc(owner.received_millis), datetime)


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["shift", "periods", "updates", "partial", "requestId"]) | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
)


@given(any_json.map(json.dumps).map(str.encode) | st.binary(min_size=1))
def test_what_an_ingress_signed_is_read_or_malformed(judged: bytes) -> None:
    """Of another API, or of a version that comes later: never an error of another kind."""
    key, headers = signed(judged)
    for opens in (unseal, unseal_pool):
        with contextlib.suppress(MalformedEnvelope):
            opens(key, headers, BODY, NOW, KEYS)


@pytest.mark.parametrize(
    "judged",
    [b"[]", b"{", b'{"shift":true}', b'{"shift":%d}' % 2**63, b'{"periods":[[0,"NOPE"]]}', b'{"updates":[[0]]}'],
)
def test_a_judgement_that_can_not_be_read_is_malformed(judged: bytes) -> None:
    """To count more than the client's answer says would be worse than a dead letter."""
    with pytest.raises(MalformedEnvelope, match="judged"):
        unseal(*signed(judged), BODY, NOW, KEYS)


@pytest.mark.parametrize("judged", [b'{"partial":1}', b'{"requestId":7}', b"[]"])
def test_a_pools_judgement_that_can_not_be_read_is_malformed(judged: bytes) -> None:
    """The same."""
    with pytest.raises(MalformedEnvelope, match="judged"):
        unseal_pool(*signed(judged), BODY, NOW, KEYS)


def test_nesting_that_json_can_not_follow_is_malformed() -> None:
    """Python's json raises RecursionError."""
    with pytest.raises(MalformedEnvelope, match="judged"):
        unseal(*signed(b"[" * 100_000), BODY, NOW, KEYS)


def test_a_null_judged_is_none_and_a_record_without_an_owner_is_not_signed() -> None:
    """Both were seen to end a worker."""
    key, headers = signed(b"{}")
    null = clean_headers([(name, None if name == "judged" else value) for name, value in headers])
    assert unseal(key, null, BODY, NOW, KEYS).judged is None
    assert is_signed(headers, BODY, KEYS)
    assert not is_signed(null, BODY, KEYS)
    assert not is_signed((), BODY, KEYS)


@pytest.mark.parametrize(("millis", "kept"), [(-1, 0), (0, 0), (NOW, NOW), (2**63 - 1, MAX_TIME_MILLIS)])
def test_a_time_that_no_clock_means_becomes_the_nearest_that_can_be_kept(millis: int, kept: int) -> None:
    """Kafka's -1 means that there is none."""
    assert kept == clamped_millis(millis)
