"""Topics: `init` creates them, corrects them and checks them.

- A setting that a person has made on the topic is not changed. If it is wrong, it is reported.
- Before the first record, settings that come from the brokers' defaults are corrected, and partitions are added. Such
  a topic was created by a client's first request.
- After the first record, partitions are added only with `--partitions` or `--add-partitions`, because keys then go to
  other partitions. Kafka can't remove partitions.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import KafkaError, LeaderNotAvailableError, UnknownTopicOrPartitionError, for_code

from ops.config import Settings
from ops.connect import NotReachable
from ops.init.alter_topic import alter_topic
from ops.init.finding import Finding, State
from ops.topic import bounds_of, partitions_of
from schemas import requirements
from schemas.settings import Api
from schemas.topic_risks import (
    TopicShape,
    fewer_refused,
    more_partitions,
    new_topic_config,
    too_few_partitions,
    topic_risks,
    with_partitions,
)
from serving.kafka.client import why
from serving.kafka.topic import TopicConfig, topic_config, topic_shape

# A fresh topic, or a change of one, is known to all brokers within a second or so; one of hundreds of partitions on a
# busy broker within half a minute.
APPEARS_TRIES = 300
APPEARS_PAUSE_SECONDS = 0.2

TOPIC_ALREADY_EXISTS = 36

T = TypeVar("T")


class TopicInit:
    """One API's topic."""

    def __init__(
        self,
        admin: AIOKafkaAdminClient,
        consumer: AIOKafkaConsumer,
        settings: Settings,
        api: Api,
        partitions: int | None = None,
    ) -> None:
        """`partitions`: how many the topic gets; by default those of the settings."""
        self._admin = admin
        self._consumer = consumer
        self._set = settings.kafka
        self._kafka = settings.kafka if partitions is None else with_partitions(settings.kafka, partitions)
        self._name = settings.kafka.topic(api)
        self._wanted = requirements.topic_config(settings.kafka, settings.limits, api)

    async def why_not(self) -> list[str]:
        """Why the topic can't have so few partitions; empty if it can, or if it doesn't exist. Raises KafkaError."""
        try:
            found = (await topic_shape(self._admin, self._name)).partitions
        except UnknownTopicOrPartitionError:
            return []
        return [fewer] if (fewer := fewer_refused(self._name, found, self._kafka.partitions)) else []

    async def findings(self, *, add_partitions: bool) -> list[Finding]:
        """Create, correct or check the topic; a warning for each risk. Raises NotReachable, KafkaError."""
        made = await self._create()
        if made is not None and made.state == "wrong":
            return [made]
        config = await self._when_known(lambda: topic_config(self._admin, self._name))
        shape = await self._when_known(lambda: topic_shape(self._admin, self._name))
        if made is None:
            changes = await self._correct(config, shape, add_partitions=add_partitions)
            if changes:
                config, shape = await self._changed(shape)
            made = self._check(config, shape, changes)
        risks = topic_risks(config.in_force, shape, self._kafka)
        if more := more_partitions(shape.partitions, self._set):
            risks.append(more)
        return [made, *(self._finding("warning", risk) for risk in risks)]

    async def _create(self) -> Finding | None:
        """None if the topic exists."""
        config = self._wanted | new_topic_config(self._kafka)
        partitions = self._kafka.partitions
        topic = NewTopic(self._name, partitions, self._kafka.replication_factor, topic_configs=config)
        _, code, *message = (await self._admin.create_topics([topic])).topic_errors[0]
        if code == TOPIC_ALREADY_EXISTS:
            return None
        if code:
            return self._finding("wrong", f"Kafka did not create it: {why(for_code(code)(*message))}")
        return self._finding("made", f"{partitions} partitions")

    async def _correct(self, config: TopicConfig, shape: TopicShape, *, add_partitions: bool) -> list[str]:
        """Change what may be changed. Returns what was changed."""
        is_new = await self._is_new()
        changes = []
        broken = requirements.broken_settings(config.in_force, self._wanted)
        ours = {name: value for name, value in broken.items() if name not in config.own}
        if is_new and ours:
            await alter_topic(self._admin, self._name, ours)
            changes += [f"{name} changed from {config.in_force.get(name)} to {value}" for name, value in ours.items()]
        if (is_new or add_partitions) and shape.partitions < self._kafka.partitions:
            await self._admin.create_partitions({self._name: NewPartitions(self._kafka.partitions)})
            changes.append(f"partitions added: {self._kafka.partitions}, were {shape.partitions}")
        return changes

    async def _is_new(self) -> bool:
        """Whether no record was ever written to the topic."""
        bounds = await bounds_of(self._consumer, self._name, await partitions_of(self._consumer, self._name))
        return not any(end for _, end in bounds.values())

    async def _changed(self, before: TopicShape) -> tuple[TopicConfig, TopicShape]:
        """Settings and shape when all brokers know the changes, or after the last try."""
        for _ in range(APPEARS_TRIES):
            config = await topic_config(self._admin, self._name)
            shape = await topic_shape(self._admin, self._name)
            broken = requirements.broken_settings(config.in_force, self._wanted).keys() - config.own
            grown = shape.partitions > before.partitions or before.partitions >= self._kafka.partitions
            if grown and not broken:
                break
            await asyncio.sleep(APPEARS_PAUSE_SECONDS)
        return config, shape

    def _check(self, config: TopicConfig, shape: TopicShape, changes: list[str]) -> Finding:
        problems = requirements.wrong_topic_config(config.in_force, self._wanted)
        if few := too_few_partitions(shape.partitions, self._kafka):
            problems.append(few)
        if problems:
            return self._finding("wrong", "; ".join([*changes, *problems]))
        return self._finding("changed" if changes else "there", "; ".join(changes))

    async def _when_known(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Repeat the question until the broker knows the topic."""
        problem: KafkaError | None = None
        for _ in range(APPEARS_TRIES):
            try:
                return await ask()
            except (UnknownTopicOrPartitionError, LeaderNotAvailableError) as error:
                problem = error
                await asyncio.sleep(APPEARS_PAUSE_SECONDS)
        raise NotReachable(
            f"Topic {self._name} was created, but Kafka does not report it yet. Run the command again"
        ) from problem

    def _finding(self, state: State, detail: str) -> Finding:
        return Finding(f"topic {self._name}", state, detail)
