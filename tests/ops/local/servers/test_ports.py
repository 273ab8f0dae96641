"""Which ports the local system takes."""

import socket
import subprocess
import sys
from collections.abc import Collection

import pytest

from ops.local.servers.ports import (
    KEEPS,
    LOOPBACK,
    PortsTaken,
    Wanted,
    any_free,
    assign_ports,
    choose_ports,
    claim,
    is_free,
)


def first_from_5000(avoid: Collection[int]) -> int:
    return next(port for port in range(5000, 6000) if port not in avoid)


def test_the_usual_port_is_taken_when_it_is_free() -> None:
    assert choose_ports((9092, 27017), lambda _: True, first_from_5000) == (9092, 27017)


def test_a_taken_port_is_replaced_by_a_free_one() -> None:
    assert choose_ports((9092, 27017), lambda port: port != 9092, first_from_5000) == (5000, 27017)


def test_no_two_servers_get_one_port() -> None:
    """Neither when both have the same usual port, nor when both get another."""
    assert choose_ports((8080, 8080), lambda _: True, first_from_5000) == (8080, 5000)
    assert choose_ports((1, 2), lambda _: False, first_from_5000) == (5000, 5001)


def test_zero_stands_for_any_port() -> None:
    assert choose_ports((0,), lambda _: True, first_from_5000) == (5000,)


def test_a_port_that_is_listened_on_is_not_free() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        assert not is_free(port)
    assert is_free(port)


def test_a_port_listened_on_at_every_address_is_not_free_on_loopback() -> None:
    with socket.create_server(("", 0)) as server:
        assert not is_free(server.getsockname()[1])


def test_any_free_port_can_be_listened_on() -> None:
    assert is_free(any_free())


@pytest.mark.skipif(not KEEPS, reason="only Linux lets a server listen where another socket is bound")
def test_a_port_that_was_given_is_given_to_nobody_else_and_can_be_listened_on_again_and_again() -> None:
    """The system would give each port again before long: it has fewer than a test run has servers and connections."""
    port = any_free()
    for _ in range(2):
        with socket.create_server((LOOPBACK, port)), socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind((LOOPBACK, port))
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind((LOOPBACK, port))


def test_a_port_that_the_user_has_set_is_given_or_refused() -> None:
    """All that are taken are named at once. A port that is only usual is given up for it."""
    usual, asked = Wanted("kafka", 9092), Wanted("ingress", 9092, "ingress.port")
    assert {"kafka": 5000, "ingress": 9092} == assign_ports([usual, asked], lambda _: True, first_from_5000)
    wanted = [asked, Wanted("console", 9092, "console.port"), Wanted("worker-1", 9400, "worker.metrics_port")]
    with pytest.raises(PortsTaken) as refused:
        assign_ports(wanted, lambda port: port != 9400, first_from_5000)
    assert [
        "console.port: port 9092 for console is also the port of ingress. Set another port",
        "worker.metrics_port: port 9400 for worker-1 is taken by another program. Stop that, or set another port",
    ] == str(refused.value).splitlines()


def test_a_usual_port_that_is_taken_is_another_one() -> None:
    """Also where zero is asked for."""
    wanted = [Wanted("ingress", 8080), Wanted("console", 0, "console.port"), Wanted("kafka", 9092)]
    found = assign_ports(wanted, lambda port: port != 8080, first_from_5000)
    assert {"ingress", "console", "kafka"} == set(found)
    assert 9092 == found["kafka"]
    assert {5000, 5001} == {found["ingress"], found["console"]}


CLAIMS = "import sys; from ops.local.servers.ports import claim; print(claim(int(sys.argv[1])), flush=True); input()"


@pytest.mark.skipif(not KEEPS, reason="only Linux has names that end with their process")
def test_of_two_systems_that_start_at_once_one_gets_the_usual_port() -> None:
    """Neither listens yet. The claim ends with the process that has it, and is kept if it is asked for again."""
    port = any_free()
    command = [sys.executable, "-c", CLAIMS, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert "True\n" == other.stdout.readline()
        assert is_free(port)
        assert not claim(port)
        other.kill()
    assert claim(port)
    assert claim(port)
