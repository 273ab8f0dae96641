"""The members of a group, as Kafka's admin client describes them."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, GroupLoadInProgressError, KafkaError

from ops.lineage import group

MEMBERS = (0, "g", "Stable", "consumer", "range", ["one", "two"])


@dataclass(slots=True)
class Answer:
    groups: list[tuple[Any, ...]]


@dataclass(slots=True)
class Admin:
    """Gives these answers one after the other, and the last one again and again."""

    answers: list[Answer | KafkaError] = field(default_factory=list)

    async def describe_consumer_groups(self, names: list[str]) -> list[Answer]:
        assert ["g"] == names
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, KafkaError):
            raise answer
        return [answer]


def members(*answers: Answer | KafkaError) -> int:
    return asyncio.run(group.members_of(cast("AIOKafkaAdminClient", Admin(list(answers))), "g"))


def test_a_kafka_that_never_had_a_group_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first answer is that there is no coordinator, because the topic of the groups is made then."""
    monkeypatch.setattr(group, "RETRY_SECONDS", 0)
    loading = Answer([(GroupLoadInProgressError.errno, *MEMBERS[1:])])
    assert 2 == members(GroupCoordinatorNotAvailableError(), loading, Answer([MEMBERS]))


def test_a_coordinator_that_never_comes_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a bounded time."""
    monkeypatch.setattr(group, "COORDINATOR_SECONDS", -1.0)
    with pytest.raises(GroupCoordinatorNotAvailableError):
        members(GroupCoordinatorNotAvailableError())
