"""Membership in a group of workers, apart from reading.

If a member joins or dies, the group rebalances: the coordinator answers only when every member has joined again. Each
member keeps reading its partitions meanwhile, and gives some up only when the new shares arrive. During that time two
members may own one partition. The checkpoint's compare-and-set decides between them, so no record counts twice.

A member names its partitions when it joins, and keeps them if the shares allow (core/sharing.py). A member that was
expelled after a silence longer than its session gives up all partitions at once, because other members have them. One
that was expelled earlier, by mistake, joins again with its partitions.

The protocol is implemented here because aiokafka's coordinator revokes all partitions before it joins, joins once for
each assignor, and keeps the partitions of all groups of a process in one place.
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
from consumer.group.predecessors import Process, own_process, remove_dead_members
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

# A member learns of a rebalance with its next heartbeat, and the new shares wait for the last member. The shortest
# session has time for several heartbeats, so a late one does no harm.
HEARTBEAT_SECONDS = 1.0

# In a rebalance the coordinator waits so long for each member: the shares wait no longer for a dead one. A live member
# joins within a heartbeat. One that is late joins again.
REBALANCE_SECONDS = 3.0

# The time-out of an answer that comes only when the group has formed. The coordinator may wait longer for workers of an
# older version. Then the request is sent again, which changes nothing.
HELD_BACK_SECONDS = 8.0

# Without an answer for so long, it is an outage. A coordinator that moves answers sooner, also when Kafka creates its
# topic for the first group.
LOST_SECONDS = 3.0

# Between two tries after an error: a coordinator that moves answers again within about a second.
RETRY_SECONDS = 0.2

# How often the leader counts the topic's partitions, with one small request. If some were added, the group rebalances.
# An ingress doesn't use a partition before a worker has claimed it. Records of other producers wait for so long.
PARTITIONS_SECONDS = 2.0


def membership_of(kafka: KafkaSettings, worker: WorkerSettings, api: Api, outage: Outage) -> Membership:
    """A member of the group that shares the topic of an API. A new client replaces one that fails."""
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
        """`process`: the one that the client's id names. Dead members with such an id are removed; with None, none."""
        self._group = group
        self._outage = outage
        self._part = f"group {group.name}"
        self._process = process
        self._removing: asyncio.Task[None] | None = None
        self._coordinator = Coordinator(new_client, group)
        self._given: Given = lambda _: None
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
        """Leave the group, so that the others do not wait until the session ends."""
        for task in (self._task, self._removing):
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
        """Join, or send a heartbeat, once. Returns the seconds until the next turn."""
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
        except Exception as error:  # noqa: BLE001 if a member ended, no worker would read its partitions
            # Unforeseen: forget the connections and the member id, and keep the partitions.
            reason = str(error)
            log.error("membership_failed", group=self._group.name, reason=reason)  # noqa: TRY400 the reason is enough
            self._failed(reason)
            self._member, self._must_join = NO_MEMBER, True
            await self._coordinator.close()
            return REBALANCE_SECONDS
        self._heard = time.monotonic()
        if self._lost_at is not None:
            self._outage.back(self._part)
            self._lost_at = None
        return HEARTBEAT_SECONDS

    async def _stay(self) -> None:
        """Send a heartbeat. Raises KafkaError, for example RebalanceInProgressError."""
        answer = await self._coordinator.ask(heartbeat_request(self._group, self._claim.generation, self._member))
        raise_error(answer.error_code)
        if self._leads_partitions is not None and time.monotonic() - self._counted_at > PARTITIONS_SECONDS:
            self._must_join = self._leads_partitions != await self._count()

    async def _join(self) -> None:
        """Join, and take the new share. Raises KafkaError; then the old share stays."""
        answer = await self._held_back(join_request(self._group, self._member, self._claim))
        if member := given_member_id(answer):
            self._member = member
            if (process := self._process) and not self._removing:
                # In its own task, because the next request is answered only when the dead members have left.
                removal = remove_dead_members(self._coordinator, self._group, member, process)
                self._removing = asyncio.create_task(removal, name="remove dead members")
            answer = await self._held_back(join_request(self._group, member, self._claim))
        now = joined(answer, self._group.topic)
        self._member = now.member
        self._leads_partitions = await self._count() if now.claims else None
        shares = share_out(now.claims, self._leads_partitions or 0)
        answer = await self._held_back(sync_request(self._group, now, shares))
        self._claim = Claim(now.generation, share_of(answer, self._group.topic))
        self._must_join = False
        self._given(self._claim.partitions)

    async def _held_back(self, request: JoinGroupRequest | SyncGroupRequest) -> Response:
        return await self._coordinator.ask(request, "held back", HELD_BACK_SECONDS)

    async def _count(self) -> int:
        self._counted_at = time.monotonic()
        return await self._coordinator.partitions()

    def _expelled(self) -> None:
        """The coordinator does not know the member. After its session has ended, others have its partitions."""
        self._member = NO_MEMBER
        self._must_join = True
        if time.monotonic() - self._heard > self._group.session_millis / 1000:
            log.warning("expelled_from_group", group=self._group.name, partitions=sorted(self._claim.partitions))
            self._claim = Claim()
            self._given(frozenset())

    def _failed(self, reason: str) -> float:
        """Returns the seconds until the next try: few at first, because coordinators move; later a heartbeat's."""
        now = time.monotonic()
        if self._lost_at is None:
            self._lost_at = now
        if now - self._lost_at >= LOST_SECONDS:
            self._outage.lost(self._part, f"{self._part}: {reason}", now - self._lost_at)
        return RETRY_SECONDS if now - self._lost_at < HELD_BACK_SECONDS else HEARTBEAT_SECONDS
