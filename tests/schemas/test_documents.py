"""The ids of documents, and the times of definitions."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from schemas.coordinates import PartitionId
from schemas.definitions import Definition, definition_of
from schemas.documents import millis_of, period_count_key, request_key, utc
from schemas.settings import KafkaSettings, Limits
from tests.samples import NOW

DECLARED = datetime(2026, 1, 1, tzinfo=UTC)


def definition(**more: object) -> Definition:
    return Definition.model_validate(
        {
            "app": "demo",
            "definitionId": "A",
            "defaultLanguage": "en",
            "names": {"en": "a"},
            "declaredAt": DECLARED,
            **more,
        }
    )


def test_ids_are_spelt_owner_or_time_first() -> None:
    """Each can be read back in one way, and sorts by its lookup key."""
    assert request_key("demo", "ann", -5) == "demo/ann/-5"
    hour = utc(NOW // 3_600_000 * 3_600_000)
    assert period_count_key(hour, "demo", "games", "A", PartitionId("r1", 3)) == "2026-09-21T14/demo/games/A/r1/03"


def test_times_keep_their_milliseconds() -> None:
    """MongoDB's own precision."""
    assert millis_of(utc(NOW + 123)) == NOW + 123


def test_a_definition_reads_back_from_its_document() -> None:
    """In camelCase in MongoDB, with its `_id`."""
    stored = definition(retiredAt=DECLARED).document()
    assert stored["_id"] == "demo/A"
    assert stored["definitionId"] == "A"
    assert definition_of(stored) == definition(retiredAt=DECLARED)


def test_g12_a_definition_is_in_force_from_declared_until_retired() -> None:
    """G12: so a record can be judged by its own time."""
    second = timedelta(seconds=1)
    assert not definition().in_force(DECLARED - second)
    assert definition().in_force(DECLARED)
    retired = definition(retiredAt=DECLARED + second)
    assert retired.in_force(DECLARED)
    assert not retired.in_force(DECLARED + second)


def test_g12_a_definition_declared_again_is_in_force_for_its_earlier_times_too() -> None:
    """Each start inclusive, end exclusive; not in between."""
    hours = [DECLARED + timedelta(hours=n) for n in range(7)]
    terms = [{"declaredAt": hours[start], "retiredAt": hours[start + 1]} for start in (0, 2)]
    again = definition(declaredAt=hours[4], retiredAt=hours[6], earlier=terms)
    assert [True, False, True, False, True, True, False] == [again.in_force(hour) for hour in hours]
    assert again == definition_of(again.document())


def test_settings_that_contradict_each_other_are_refused() -> None:
    """Each message names what is wrong."""
    with pytest.raises(ValidationError, match="sasl_username"):
        KafkaSettings(security_protocol="SASL_SSL")
    with pytest.raises(ValidationError, match="min_period_seconds"):
        Limits(min_period_seconds=10, max_period_seconds=5)


def test_a_token_url_may_be_missing_and_must_be_private() -> None:
    """The client's secret is sent there."""
    assert KafkaSettings.model_validate({"oauth_token_url": None}).oauth_token_url is None
    with pytest.raises(ValidationError, match="must begin with https://"):
        KafkaSettings(oauth_token_url="http://issuer.example/token")


def test_a_client_is_told_how_to_connect() -> None:
    """In aiokafka's names. Each connection reads the password by itself."""
    kafka = KafkaSettings.model_validate(
        {"security_protocol": "SASL_SSL", "sasl_username": "u", "sasl_password": "p", "bootstrap_servers": "k:9"}
    )
    expected = {
        "bootstrap_servers": "k:9",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
    }
    assert expected == kafka.client_options()
