"""The envelope of a record: what goes in comes out, and only an ingress can say what was judged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import Envelope, MalformedEnvelope, matches_player, seal, unseal
from schemas.games import EventFailureCause, EventUpdateFailureCause
from schemas.judging import Judgement
from schemas.signing import SigningKeys
from tests.samples import KEYS, NOW

JUDGEMENT = Judgement(
    shift_millis=-5,
    periods=((1, EventFailureCause.TIME_PERIOD_LONG),),
    updates=((0, 2, EventUpdateFailureCause.NOT_FOUND),),
)
BODY = b'{"requestId":"5"}'
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
    """An unjudged record would be judged by the worker's settings instead of what the client was told."""
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
    """A wrong ce_source is not made good by the key: it would count for somebody else."""
    headers = [] if source is None else [("ce_source", source)]
    with pytest.raises(MalformedEnvelope):
        unseal(key, headers, BODY, NOW, KEYS)
