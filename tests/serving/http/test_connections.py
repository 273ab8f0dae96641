"""Which connection is closed when there are too many: silent ones first, and never a probe's."""

import pytest

from serving.descriptors import MAX_CONNECTIONS, RESERVED_DESCRIPTORS, connections_within
from serving.http.connections import RESERVED_PLACES, Cause, Connections


class Fake:
    """A connection that notes whether it was dropped."""

    def __init__(self, address: str | None = None) -> None:
        self.address = address
        self.dropped = False

    def drop(self) -> None:
        self.dropped = True


@pytest.fixture
def closed() -> list[Cause]:
    return []


def opened(connections: Connections, number: int, *, busy: bool = False) -> list[Fake]:
    fakes = [Fake() for _ in range(number)]
    for fake in fakes:
        assert connections.opened(fake)
        if busy:
            connections.busy(fake)
    return fakes


def test_who_has_been_silent_for_longest_goes_for_a_new_one(closed: list[Cause]) -> None:
    """One that has had an answer is silent from then on."""
    connections = Connections(3, None, closed.append)
    first, second, third = opened(connections, 3)
    connections.busy(first)
    connections.silent(first)
    opened(connections, 2)
    assert [True, True, False] == [fake.dropped for fake in (second, third, first)]
    assert (closed, len(connections)) == (["silent", "silent"], 3)


def test_no_number_of_silent_connections_keeps_a_new_one_out(closed: list[Cause]) -> None:
    """A thousand of them."""
    connections = Connections(10, None, closed.append)
    opened(connections, 1_000)
    assert (len(connections), len(closed)) == (10, 990)
    assert not connections.is_full


def test_where_all_are_at_work_some_places_are_left_for_probes(closed: list[Cause]) -> None:
    """And none beyond them."""
    connections = Connections(3, None, closed.append)
    opened(connections, 3, busy=True)
    assert not connections.is_full
    reserved = opened(connections, RESERVED_PLACES, busy=True)
    assert [True, False, ["full"]] == [connections.is_full, connections.opened(Fake()), closed]
    for fake in reserved:
        connections.gone(fake)
    assert [False] == [connections.is_full]


def test_one_address_has_so_many_connections_at_most(closed: list[Cause]) -> None:
    """Others are not in the way, and one that is gone makes room."""
    connections = Connections(10, 2, closed.append)
    mine = [Fake("192.0.2.1") for _ in range(3)]
    assert [True, True, False] == [connections.opened(fake) for fake in mine]
    assert connections.opened(Fake("192.0.2.2"))
    assert closed == ["address"]
    connections.gone(mine[2])
    connections.gone(mine[0])
    connections.gone(mine[0])
    assert connections.opened(Fake("192.0.2.1"))
    assert not connections.opened(Fake("192.0.2.1"))


def test_an_address_without_connections_is_forgotten() -> None:
    """A client of IPv6 has more addresses than there is memory."""
    connections = Connections(10, 1)
    for number in range(100):
        one = Fake(f"2001:db8::{number:x}")
        assert connections.opened(one)
        connections.gone(one)
    assert not connections._by_address


def test_a_connection_that_is_gone_stays_gone() -> None:
    """Whatever is reported of it afterwards."""
    connections = Connections(10, None)
    (fake,) = opened(connections, 1)
    connections.gone(fake)
    connections.busy(fake)
    connections.silent(fake)
    assert len(connections) == 0


@pytest.mark.parametrize(
    ("descriptors", "wanted", "expected"),
    [
        (1024, None, 1024 - RESERVED_DESCRIPTORS),
        (1024, 100, 100),
        (1024, 5_000, 1024 - RESERVED_DESCRIPTORS),
        (10**6, None, MAX_CONNECTIONS),
        (-1, None, MAX_CONNECTIONS),
        (64, None, 1),
    ],
)
def test_connections_fit_into_what_the_system_lets_open(descriptors: int, wanted: int | None, expected: int) -> None:
    """With a reserve for what the process needs itself; -1 is no limit."""
    assert connections_within(descriptors, wanted) == expected
