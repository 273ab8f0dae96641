"""Which members of a group are certainly dead: their processes on this machine are checked."""

import subprocess
import sys
from dataclasses import replace

import pytest

from consumer.group.predecessors import Process, dead_members, is_dead, own_process, process_of, started_at
from consumer.group.wire import DescribedMember
from tests.consumer.parts import eventually

OWN = Process("host", "40", 7, "100")


def test_a_client_id_names_a_process() -> None:
    """There and back, also of a host name that holds what divides its parts."""
    for process in (own_process(), OWN, replace(OWN, host="a/b@c")):
        assert process == process_of(process.client_id())


@pytest.mark.parametrize("client_id", ["", "tallymill-worker", "tallymill-worker@host/40/x/100", "other@host/40/7/1"])
def test_other_clients_are_nobodys_predecessors(client_id: str) -> None:
    """Workers of before, and whatever else joined."""
    assert process_of(client_id) is None


@pytest.mark.parametrize(
    ("other", "runs_since", "dead"),
    [
        (OWN, "100", False),  # ourselves, in the group of the other topic or joined before
        (replace(OWN, pid=8, started="90"), "90", False),  # another worker of this host
        (replace(OWN, pid=8, started="90"), None, True),  # it was one
        (replace(OWN, pid=8, started="90"), "95", True),  # its pid is another's now
        (replace(OWN, started="90"), "100", True),  # its pid is ours now
        (replace(OWN, namespace="39", started="90"), "100", True),  # our container before it was started again
        (replace(OWN, namespace="39", pid=8), None, False),  # another container with the same name: unknown
        (replace(OWN, host="elsewhere", started="90"), None, False),
        (replace(OWN, pid=8, started="unknown"), None, False),
    ],
)
def test_only_what_is_known_is_called_dead(other: Process, runs_since: str | None, dead: bool) -> None:  # noqa: FBT001
    """Host, namespace, pid and start time."""
    assert dead == is_dead(other, OWN, lambda _: runs_since)


def test_without_proc_nobody_is_dead() -> None:
    """Other systems have none: then sessions end by themselves."""
    assert not is_dead(replace(OWN, pid=8), replace(OWN, namespace=""), lambda _: None)


async def test_a_killed_process_is_dead_before_its_parent_has_noticed() -> None:
    """A zombie still has a pid."""
    own = own_process()
    with subprocess.Popen((sys.executable, "-c", "input()"), stdin=subprocess.PIPE) as child:  # noqa: ASYNC220 for a zombie
        other = replace(own, pid=child.pid, started=started_at(child.pid) or "")
        seen = [
            DescribedMember("m1", other.client_id()),
            DescribedMember("m2", own.client_id()),
            DescribedMember("m3", "aiokafka-0.14"),
        ]
        assert [] == dead_members(seen, own)
        child.kill()
        await eventually(lambda: dead_members(seen, own) == [seen[0]])
    assert [seen[0]] == dead_members(seen, own)
