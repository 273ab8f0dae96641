"""Members of the group whose process is dead: a worker that starts removes them from the group.

Otherwise the coordinator would wait until their sessions end, and a rebalance would wait for them too. A member's
client id names its process: host name, PID namespace, pid and start time. Of the members with this host name
- one in this PID namespace is dead if no process has its pid and start time;
- one in another PID namespace is dead if it had this pid: the container was restarted.
The second is a guess if two containers share a host name. So members are removed only once, at the start: one that was
removed by mistake joins again with its partitions, and two such containers can't remove each other for ever.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import structlog
from aiokafka.errors import KafkaError

from consumer.group.coordinator import Coordinator
from consumer.group.wire import DescribedMember, Group, describe_request, leave_request, members_of

log = structlog.get_logger()

_PROGRAM = "tallymill-worker"

# The coordinator lists this member at the first or second request after it has joined.
_ASK_AGAIN_SECONDS = 0.05
_TRIES = 60


@dataclass(frozen=True, slots=True)
class Process:
    """A process of a host. The start time is needed because pids are reused."""

    host: str
    namespace: str
    pid: int
    started: str

    def client_id(self) -> str:
        return f"{_PROGRAM}@{self.host}/{self.namespace}/{self.pid}/{self.started}"


def own_process() -> Process:
    pid = os.getpid()
    return Process(socket.gethostname(), _namespace(), pid, started_at(pid) or "unknown")


def process_of(client_id: str) -> Process | None:
    """The process that a client id names; None for another program's id."""
    program, _, rest = client_id.partition("@")
    parts = rest.rsplit("/", 3)
    if program != _PROGRAM or len(parts) != 4 or not parts[2].isdecimal():  # noqa: PLR2004 as many as a Process has
        return None
    return Process(parts[0], parts[1], int(parts[2]), parts[3])


def started_at(pid: int) -> str | None:
    """When a process started, in the kernel's ticks; None if it is dead, or that is unknown."""
    try:
        # The name before the last parenthesis may contain any character.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    state, started = fields[0], fields[19]
    return None if state in "ZX" else started


def _namespace() -> str:
    try:
        return "".join(filter(str.isdecimal, os.readlink("/proc/self/ns/pid")))  # noqa: PTH115 the link is no path
    except OSError:
        return ""


def is_dead(other: Process, own: Process, started: Callable[[int], str | None] = started_at) -> bool:
    """Whether another member's process is certainly dead. Without /proc that is unknown."""
    if other.host != own.host or other == own or not own.namespace or "unknown" in (own.started, other.started):
        return False
    if other.namespace == own.namespace:
        return started(other.pid) != other.started
    return other.pid == own.pid


def dead_members(members: Iterable[DescribedMember], own: Process) -> list[DescribedMember]:
    return [one for one in members if (process := process_of(one.client_id)) and is_dead(process, own)]


async def leave_for_the_dead(coordinator: Coordinator, group: Group, own_member: str, own: Process) -> None:
    """Remove dead members, once this member is in the group: a group that became empty would start with a delay."""
    try:
        for dead in dead_members(await _described(coordinator, group, own_member), own):
            await coordinator.ask(leave_request(group, dead.member))
            log.info("dead_member_removed", group=group.name, member=dead.member)
    except KafkaError:
        return  # their sessions time out


async def _described(coordinator: Coordinator, group: Group, own_member: str) -> list[DescribedMember]:
    for _ in range(_TRIES):
        members = members_of(await coordinator.ask(describe_request(group)))
        if any(one.member == own_member for one in members):
            return members
        await asyncio.sleep(_ASK_AGAIN_SECONDS)
    return []
