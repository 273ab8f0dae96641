"""Three mongods on loopback as one replica set, quick to elect; any of them can be killed and started again."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from ops.local.servers.fetch import mongod_file
from ops.local.servers.mongod import REPLICA_SET, STOP_SECONDS, MongodPlace, mongod_options
from ops.local.servers.ports import LOOPBACK, any_free
from ops.local.servers.processes import Child, Children, Program
from tests.frozen import freeze, thaw

MEMBERS = 3
CACHE_GB = "0.25"
READY_SECONDS = 120
# mongod 6.0.5 was seen in ROLLBACK for two minutes after forced step-downs, until it was restarted. An operator would
# restart it, and so does the test. A rollback that makes progress takes seconds.
STUCK_SECONDS = 30
# The default, ten seconds, would make a test of every failover. Heartbeats come twice as often, too.
ELECTION_MILLIS = 1_000
HEARTBEAT_MILLIS = 500

Client = MongoClient[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Advised:
    """What an operator sets: of the set's configuration, and of each mongod at its start."""

    settings: Mapping[str, int] = field(default_factory=dict)
    parameters: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Member:
    place: MongodPlace
    program: Program
    child: Child


class ReplicaSet:
    """Started with `start`; the members are their Children's to end."""

    def __init__(self, children: Children, members: list[Member]) -> None:
        self._children = children
        self._members = members

    @classmethod
    def start(
        cls,
        children: Children,
        folder: Path,
        election_millis: int = ELECTION_MILLIS,
        heartbeat_millis: int = HEARTBEAT_MILLIS,
        advised: Advised = Advised(),
    ) -> "ReplicaSet":
        """Returns when there is a primary that everybody can reach."""
        timing = {"electionTimeoutMillis": election_millis, "heartbeatIntervalMillis": heartbeat_millis}
        settings = {**timing, **advised.settings}
        members: list[Member] = []
        for number in range(MEMBERS):
            place = MongodPlace(folder / f"mongod-{number}", any_free([member.place.port for member in members]))
            place.home.mkdir(parents=True)
            program = _program(place, number, advised.parameters)
            members.append(Member(place, program, children.start(program)))
        _until(lambda: all(_answers(member) for member in members), "all members answer")
        with _direct(members[0]) as client:
            client.admin.command("replSetInitiate", _config(members, settings))
        made = cls(children, members)
        _until(lambda: made.primary() is not None, "a primary")
        return made

    @property
    def uri(self) -> str:
        addresses = ",".join(member.place.address for member in self._members)
        return f"mongodb://{addresses}/?replicaSet={REPLICA_SET}"

    @property
    def members(self) -> list[Member]:
        return list(self._members)

    def primary(self) -> Member | None:
        return next((member for member in self._members if _hello(member).get("isWritablePrimary")), None)

    def kill_primary(self) -> Member | None:
        """SIGKILL. The set elects another primary. Returns the killed member, so that it can be started again."""
        if member := self.primary():
            self._children.forget(member.child)
        return member

    def kill(self, member: Member) -> None:
        """SIGKILL."""
        self._children.forget(member.child)

    def start_again(self, member: Member) -> None:
        member.child = self._children.start(member.program)

    def freeze(self, member: Member) -> None:
        freeze(member.child.pid)

    def thaw(self, member: Member) -> None:
        thaw(member.child.pid)

    def step_down(self) -> None:
        """Ask the primary to stop being it, at once."""
        if member := self.primary():
            try:
                with _direct(member) as client:
                    client.admin.command("replSetStepDown", 2, secondaryCatchUpPeriodSecs=1, force=True)
            except PyMongoError:
                return  # a set in the middle of an election has stepped down by itself

    def settle(self) -> None:
        """Wait until all members run and one is the primary. A member that makes no progress is restarted."""
        if not _becomes(self._is_whole, STUCK_SECONDS):
            for member in self._members:
                if not _is_member(member):
                    self._children.forget(member.child)
                    self.start_again(member)
        _until(self._is_whole, "a whole set")

    def _is_whole(self) -> bool:
        return self.primary() is not None and all(map(_is_member, self._members))


def _program(place: MongodPlace, number: int, parameters: Mapping[str, int]) -> Program:
    options = list(mongod_options(place.port))
    options[options.index("--wiredTigerCacheSizeGB") + 1] = CACHE_GB
    where = ("--bind_ip", LOOPBACK, "--dbpath", str(place.home), "--nounixsocket")
    given = [word for name, value in parameters.items() for word in ("--setParameter", f"{name}={value}")]
    return Program(f"mongod-{number}", (mongod_file(), *where, *options, *given), stop_seconds=STOP_SECONDS)


def _config(members: list[Member], settings: Mapping[str, int]) -> dict[str, object]:
    return {
        "_id": REPLICA_SET,
        "members": [{"_id": number, "host": member.place.address} for number, member in enumerate(members)],
        "settings": dict(settings),
    }


def _direct(member: Member) -> Client:
    return MongoClient(f"mongodb://{member.place.address}", directConnection=True, serverSelectionTimeoutMS=500)


def _hello(member: Member) -> dict[str, Any]:
    try:
        with _direct(member) as client:
            return dict(client.admin.command("hello"))
    except PyMongoError:
        return {}


def _answers(member: Member) -> bool:
    return bool(_hello(member))


def _is_member(member: Member) -> bool:
    found = _hello(member)
    return bool(found.get("isWritablePrimary") or found.get("secondary"))


def _until(holds: Callable[[], bool], what: str) -> None:
    assert _becomes(holds, READY_SECONDS), f"not within {READY_SECONDS} s: {what}"


def _becomes(holds: Callable[[], bool], seconds: float) -> bool:
    give_up = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.1)
    return True
