"""What must be there before the first record, and what breaks a promise."""

import pytest

from ops.wanted import Index, indexes, remembered_seconds, topic_config, wrong_index, wrong_topic_config
from schemas.documents import DEFINITIONS, EXCEPTIONS, REQUESTS
from schemas.settings import KafkaSettings, Limits

KAFKA = KafkaSettings(retention_seconds=1_000)
LIMITS = Limits(dedupe_window_seconds=100, max_body_bytes=2_048)
WANTED = topic_config(KAFKA, LIMITS)


def test_a_topic_as_we_make_it_is_right() -> None:
    """Else init would complain of its own work."""
    assert [] == wrong_topic_config(WANTED, WANTED)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cleanup.policy", "compact"),
        ("cleanup.policy", "compact,delete"),
        ("message.timestamp.type", "CreateTime"),
        ("retention.ms", "1000001"),
        ("retention.ms", "-1"),
        ("max.message.bytes", "2048"),
    ],
)
def test_a_topic_setting_that_breaks_a_promise_is_told_with_the_reason(name: str, value: str) -> None:
    """For ever (-1) is more than any retention; a body needs room for its envelope too."""
    (problem,) = wrong_topic_config({**WANTED, name: value}, WANTED)
    assert problem.startswith(f"{name} is {value}, must be {WANTED[name]}: ")


@pytest.mark.parametrize(("name", "value"), [("retention.ms", "1"), ("max.message.bytes", "10000000")])
def test_a_topic_may_keep_less_and_hold_larger_messages(name: str, value: str) -> None:
    """Neither can count a batch twice or lose one that was applied in time."""
    assert [] == wrong_topic_config({**WANTED, name: value}, WANTED)


def test_a_setting_that_is_not_told_is_wrong() -> None:
    """What a broker doesn't say can't be relied on; all four at once."""
    assert len(WANTED) == len(wrong_topic_config({}, WANTED))


def test_ids_are_remembered_for_the_window_and_the_retention() -> None:
    """A record may be read that long after it was written, and its repeat that long after it."""
    assert 1_100 == remembered_seconds(KAFKA, LIMITS)
    assert {REQUESTS: 1_100, EXCEPTIONS: 1_100, DEFINITIONS: None} == {
        index.collection: index.expire_seconds for index in indexes(KAFKA, LIMITS)
    }


def test_a_ttl_that_forgets_too_soon_is_wrong_and_a_longer_one_is_not() -> None:
    """None at all keeps ids for ever, which is wrong too: it fills the disk."""
    wanted = Index(REQUESTS, "at", 1_100)
    assert (None, None) == tuple(wrong_index({"expireAfterSeconds": n}, wanted) for n in (1_100, 5_000))
    for found in ({"expireAfterSeconds": 1_099}, {}):
        assert "must be at least 1100" in (wrong_index(found, wanted) or "")


def test_an_index_without_a_ttl_has_nothing_to_be_wrong() -> None:
    """Its name says its key."""
    assert wrong_index({}, Index(DEFINITIONS, "app")) is None
