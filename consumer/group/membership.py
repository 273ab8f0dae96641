"""Membership in a group of workers, apart from reading.

When a member joins or dies, the whole group rebalances, and the coordinator delays all answers until the last member
has joined again. A member gives up nothing meanwhile: it goes on reading its partitions, and only the new shares take
partitions away. During that time two members may own one partition. The checkpoint's compare-and-set decides between
them, so that no record counts twice.

A member names its partitions when it joins, and keeps them if possible (core/sharing.py). A member that was expelled
because it was silent for longer than its session gives up everything at once: others own it. A member that was expelled
sooner, by mistake, joins again and names its partitions.

aiokafka's own coordinator revokes all partitions before it joins, joins once for each assignment strategy, and keeps
the assigned partitions of all groups of a process in one place. Hence this implementation of the protocol.
"""

import asyncio
import time
from collections.abc import Mapping

import structlog
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    IllegalGenerationError,
    KafkaError,
    NotCoordinatorForGroupError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from aiokafka.protocol.api import Response
from aiokafka.protocol.group import JoinGroupRequest, SyncGroupRequest

from consumer.config import WorkerSettings
from consumer.core.sharing import Claim, share_out
from consumer.group.coordinator import Coordinator, NewClient
from consumer.group.predecessors import Process, leave_for_the_dead, own_process
from consumer.group.wire import (
    NO_MEMBER,
    Group,
    commit_request,
    given_member_id,
    heartbeat_request,
    join_request,
    joined,
    leave_request,
    raise_commit_errors,
    raise_error,
    share_of,
    sync_request,
)
from consumer.ports import Given, Membership, Unavailable
from schemas.settings import Api, KafkaSettings
from serving.kafka.bootstrap import bootstrap_options
from serving.kafka.client import why
from serving.outage import Outage

log = structlog.get_logger()

# A member learns of a rebalance from its next heartbeat, and the new shares wait for the last member. Several
# heartbeats fit into the shortest session, so that a late one does no harm.
HEARTBEAT_SECONDS = 1.0

# How long a rebalance waits for a member to join again, so also for a dead one. A living member joins within a
# heartbeat. If it is late, it joins the next rebalance.
REBALANCE_SECONDS = 3.0

# How long the answer to a join may take: the coordinator delays it until the rebalance ends. Workers of an earlier
# version may take longer. Then the request is sent again, which does no harm.
HELD_BACK_SECONDS = 8.0

# A coordinator that moves, or whose internal topic is being created, is available again sooner. Later it is an outage.
LOST_SECONDS = 3.0

# Pause between two tries after an error. A coordinator that moves is available again within about a second.
RETRY_SECONDS = 0.2

# How often the leader counts the topic's partitions. If some were added, it starts a rebalance.
PARTITIONS_SECONDS = 30.0


def membership_of(kafka: KafkaSettings, worker: WorkerSettings, api: Api, outage: Outage) -> Membership:
    """A member of the group that shares the topic of an API."""
    session_millis = int(worker.session_timeout_seconds * 1000)
    rebalance_millis = min(session_millis, int(REBALANCE_SECONDS * 1000))
    process = own_process()

    async def new_client() -> AIOKafkaClient:
        return AIOKafkaClient(**await bootstrap_options(kafka, process.client_id(), int(HELD_BACK_SECONDS * 1000)))

    group = Group(kafka.group_of(api), kafka.topic(api), session_millis, rebalance_millis)
    return GroupMember(new_client, group, outage, process)


class GroupMember:
    """A Membership of one topic's group, from `start` to `stop`."""

    def __init__(self, new_client: NewClient, group: Group, outage: Outage, process: Process | None = None) -> None:
        """`process` is named by the client's id. Its dead predecessors are removed from the group; None: none are."""
        self._group = group
        self._outage = outage
        self._part = f"group {group.name}"
        self._process = process
        self._leaving_for: asyncio.Task[None] | None = None
        self._coordinator = Coordinator(new_client, group)
        self._given: Given = _ignore
        self._task: asyncio.Task[None] | None = None
        self._member = NO_MEMBER
        self._claim = Claim()
        self._must_join = True
        self._heard = time.monotonic()
        self._lost_at: float | None = None
        self._leads_partitions: int | None = None
        self._counted_at = 0.0

    @property
    def is_member(self) -> bool:
        return self._member != NO_MEMBER and self._claim.generation >= 0 and self._lost_at is None

    def start(self, given: Given) -> None:
        self._given = given
        self._task = asyncio.create_task(self._run(), name=f"member of {self._group.name}")

    async def commit(self, positions: Mapping[int, int]) -> None:
        request = commit_request(self._group, self._claim.generation, self._member, positions)
        try:
            raise_commit_errors(await self._coordinator.ask(request, "offsets"))
        except KafkaError as error:
            raise Unavailable(f"Kafka: {why(error)}") from error

    async def stop(self) -> None:
        """Leave the group, so that the others don't have to wait for the session to time out."""
        for task in (self._task, self._leaving_for):
            if task:
                task.cancel()
                await asyncio.wait((task,))
        try:
            if self._member != NO_MEMBER:
                await self._coordinator.ask(leave_request(self._group, self._member))
        except KafkaError as error:
            log.warning("group_not_left", group=self._group.name, reason=why(error))
        finally:
            self._member = NO_MEMBER
            await self._coordinator.close()

    async def _run(self) -> None:
        while True:
            pause = await self._turn()
            await asyncio.sleep(pause)

    async def _turn(self) -> float:
        """Join, or send a heartbeat. Returns the seconds to wait before the next turn."""
        try:
            await (self._join() if self._must_join else self._stay())
        except (RebalanceInProgressError, IllegalGenerationError):
            self._must_join = True
            return 0
        except UnknownMemberIdError:
            self._expelled()
            return 0
        except KafkaError as error:
            if isinstance(error, GroupCoordinatorNotAvailableError | NotCoordinatorForGroupError):
                self._coordinator.forget()
            return self._failed(why(error))
        except Exception as error:  # noqa: BLE001 a member that ended would leave its partitions without an owner
            await self._start_anew(error)
            return REBALANCE_SECONDS
        self._succeeded()
        return HEARTBEAT_SECONDS

    async def _stay(self) -> None:
        """Send a heartbeat. Raises KafkaError, also when a rebalance has begun."""
        answer = await self._coordinator.ask(heartbeat_request(self._group, self._claim.generation, self._member))
        raise_error(answer.error_code)
        if self._leads_partitions is not None and time.monotonic() - self._counted_at > PARTITIONS_SECONDS:
            self._must_join = self._leads_partitions != await self._count()

    async def _join(self) -> None:
        """Join, and take the assigned share. Raises KafkaError; then the member keeps its partitions."""
        answer = await self._held_back(join_request(self._group, self._member, self._claim))
        if member := given_member_id(answer):
            self._member = member
            self._leave_for_the_dead()
            answer = await self._held_back(join_request(self._group, member, self._claim))
        now = joined(answer)
        self._member = now.member
        self._leads_partitions = await self._count() if now.claims else None
        shares = share_out(now.claims, self._leads_partitions or 0)
        answer = await self._held_back(sync_request(self._group, now, shares))
        self._claim = Claim(now.generation, share_of(answer, self._group.topic))
        self._must_join = False
        self._given(self._claim.partitions)

    def _leave_for_the_dead(self) -> None:
        """Only at the first join, and while it waits: it is not answered before the dead members have left."""
        if (process := self._process) and not self._leaving_for:
            leaving = leave_for_the_dead(self._coordinator, self._group, self._member, process)
            self._leaving_for = asyncio.create_task(leaving, name="leave for the dead")

    async def _held_back(self, request: JoinGroupRequest | SyncGroupRequest) -> Response:
        return await self._coordinator.ask(request, "held back", HELD_BACK_SECONDS)

    async def _count(self) -> int:
        self._counted_at = time.monotonic()
        return await self._coordinator.partitions()

    def _expelled(self) -> None:
        """The coordinator does not know this member. If the session has timed out, others own its partitions."""
        self._member = NO_MEMBER
        self._must_join = True
        if time.monotonic() - self._heard > self._group.session_millis / 1000:
            log.warning("expelled_from_group", group=self._group.name, partitions=sorted(self._claim.partitions))
            self._claim = Claim()
            self._given(frozenset())

    async def _start_anew(self, error: Exception) -> None:
        """After an unexpected error: forget connections and member id, keep the partitions."""
        log.error("membership_failed", group=self._group.name, reason=str(error))
        self._failed(str(error))
        self._member, self._must_join = NO_MEMBER, True
        await self._coordinator.close()

    def _failed(self, reason: str) -> float:
        """Returns the seconds until the next try: few at first, as coordinators move; then those of a heartbeat."""
        now = time.monotonic()
        if self._lost_at is None:
            self._lost_at = now
        if now - self._lost_at >= LOST_SECONDS:
            self._outage.lost(self._part, f"{self._part}: {reason}", now - self._lost_at)
        return RETRY_SECONDS if now - self._lost_at < HELD_BACK_SECONDS else HEARTBEAT_SECONDS

    def _succeeded(self) -> None:
        self._heard = time.monotonic()
        if self._lost_at is not None:
            self._outage.back(self._part)
            self._lost_at = None


def _ignore(_: frozenset[int]) -> None:
    """The callback before `start` has given one."""
