"""A right that Kafka denied is named by the request that asked for it."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import errors

from serving.kafka.rights import BY_CODE, Denials, Denied, missing_of
from serving.kafka.words import why

TOPIC = errors.TopicAuthorizationFailedError.errno
GROUP = errors.GroupAuthorizationFailedError.errno
CLUSTER = errors.ClusterAuthorizationFailedError.errno


class User:
    principal = "User:CN=a worker"
    servers = "kafka:9093"


@dataclass
class Time:
    now: float = 0.0
    told: list[Denied] = field(default_factory=list)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def denials(time: Time) -> Denials:
    made = Denials(lambda: time.now)
    made.tell = time.told.append
    return made


def request(key: int, **parts: str) -> Any:  # noqa: ANN401 aiokafka has no types
    return SimpleNamespace(API_KEY=key, **parts)


def topics(*rows: object) -> Any:  # noqa: ANN401 the same
    return SimpleNamespace(topics=list(rows))


@pytest.mark.parametrize(
    ("asked", "answer", "right"),
    [
        (request(0), topics(("t", [(0, TOPIC, 0)])), "Write on the topic t"),
        (request(1), topics(("t", [(0, TOPIC, 0)])), "Read on the topic t"),
        (request(2), topics(("t", [(0, TOPIC, 0)])), "Describe on the topic t"),
        (request(3), topics((TOPIC, "t", False, [])), "Describe on the topic t"),
        (request(8, _consumer_group="g"), topics(("t", [(0, GROUP)])), "Read on the group g"),
        (request(8, _consumer_group="g"), topics(("t", [(0, TOPIC)])), "Read on the topic t"),
        (request(10, _coordinator_key="g"), SimpleNamespace(error_code=GROUP), "Describe on the group g"),
        (request(11, _group="g"), SimpleNamespace(error_code=GROUP), "Read on the group g"),
        (request(15), SimpleNamespace(groups=[(GROUP, "g", "")]), "Describe on the group g"),
        (request(19), SimpleNamespace(topic_errors=[("t", TOPIC, "")]), "Create on the topic t"),
        (request(37), SimpleNamespace(topic_errors=[("t", TOPIC, "")]), "Alter on the topic t"),
        (request(32), SimpleNamespace(resources=[(TOPIC, "", 2, "t", [])]), "DescribeConfigs on the topic t"),
        (request(44), SimpleNamespace(responses=[(TOPIC, "", 2, "t")]), "AlterConfigs on the topic t"),
        (request(55), SimpleNamespace(error_code=CLUSTER), "Describe on the cluster"),
    ],
)
def test_the_right_follows_from_the_request(denials: Denials, time: Time, asked: Any, answer: Any, right: str) -> None:  # noqa: ANN401 the same
    denials.note(asked, answer, User)
    (denied,) = time.told
    assert str(denied).startswith(f"User:CN=a worker lacks the right {right}. Grant it: kafka-acls.sh ")
    error = next(kind for kind in (errors.for_code(code) for code in BY_CODE) if BY_CODE[kind.errno] == denied.resource)
    assert denied == denials.of(error())


def test_a_producer_that_may_write_nowhere_lacks_the_right_to_write(denials: Denials) -> None:
    """Kafka refuses the producer's id with the code of the cluster. A right on the cluster is not needed."""
    denials.note(request(22), SimpleNamespace(error_code=CLUSTER), User)
    denied = denials.of(errors.ClusterAuthorizationFailedError())
    assert "lacks the right Write on the topic. Grant it: " in str(denied)
    assert str(denied).endswith("--operation Write --topic NAME")


def test_the_command_can_be_pasted(denials: Denials, time: Time) -> None:
    denials.note(request(1), topics(("t", [(0, TOPIC, 0)])), User)
    assert str(time.told[0]).endswith(
        "--bootstrap-server kafka:9093 --add --allow-principal 'User:CN=a worker' --operation Read --topic t"
    )


def test_answers_that_deny_nothing_are_not_noted(denials: Denials, time: Time) -> None:
    denials.note(request(1), topics(("t", [(0, 0, 0)]), ("u", [])), User)
    denials.note(request(3), topics((3, "t", False, [])), User)
    denials.note(request(12, _group="g"), SimpleNamespace(error_code=27), User)
    denials.note(request(18), SimpleNamespace(api_versions=[]), User)
    denials.note(request(99), SimpleNamespace(error_code=GROUP), User)
    assert [] == time.told


def test_the_newest_of_the_topic_that_the_error_names(denials: Denials) -> None:
    for key, name in ((1, "t"), (0, "u"), (2, "t")):
        denials.note(request(key), topics((name, [(0, TOPIC, 0)])), User)
    assert ("Describe", "t") == named(denials.of(errors.TopicAuthorizationFailedError()))
    assert ("Write", "u") == named(denials.of(errors.TopicAuthorizationFailedError("u"), "u"))
    assert denials.of(errors.GroupAuthorizationFailedError()) is None
    assert denials.of(ValueError()) is None


def named(denied: Denied | None) -> tuple[str, str]:
    assert denied
    (operation,) = denied.operations
    return operation, denied.name


def test_an_old_denial_explains_no_new_error(denials: Denials, time: Time) -> None:
    denials.note(request(1), topics(("t", [(0, TOPIC, 0)])), User)
    time.now = 31
    assert denials.of(errors.TopicAuthorizationFailedError()) is None


def test_an_error_says_which_right_is_missing(monkeypatch: pytest.MonkeyPatch, denials: Denials) -> None:
    monkeypatch.setattr("serving.kafka.words.DENIALS", denials)
    denials.note(request(11, _group="g"), SimpleNamespace(error_code=GROUP), User)
    assert "lacks the right Read on the group g" in why(errors.GroupAuthorizationFailedError())


@pytest.mark.parametrize(
    ("process", "asked", "resource", "missing"),
    [
        ("ingress", "Describe", "topic", "Write"),
        ("worker", "Describe", "topic", "Read"),
        ("worker", "Describe", "group", "Read"),
        ("console", "Describe", "topic", "Read and Write"),
        ("console", "Describe", "group", "Describe"),
        ("console", "Read", "topic", "Read"),
        ("init", "DescribeConfigs", "topic", "AlterConfigs"),
        ("doctor", "DescribeConfigs", "topic", "DescribeConfigs"),
        ("", "Describe", "topic", "Describe"),
    ],
)
def test_the_right_that_the_process_needs_is_named(process: str, asked: str, resource: Any, missing: str) -> None:  # noqa: ANN401 a literal
    """Kafka asks for another one first, which the needed one includes."""
    assert missing == " and ".join(missing_of(process, asked, resource))


def test_several_missing_rights_are_granted_together(denials: Denials, time: Time) -> None:
    denials.process = "console"
    denials.note(request(3), SimpleNamespace(topics=[(TOPIC, "t", False, [])]), User)
    assert "lacks the rights Read and Write on the topic t. Grant it: " in str(time.told[0])
    assert str(time.told[0]).endswith("--operation Read --operation Write --topic t")
