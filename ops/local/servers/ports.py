"""Ports on loopback: the usual one if it is free, or any other.

Another port is reserved while this process runs: a socket is bound to it, so that the system gives it to no other
program, also while the server is down. On Linux a server may listen on a port that another socket is bound to, if both
set SO_REUSEADDR, as servers do.

A usual port is claimed too: of two systems that start in the same second both would see it free, and the second one
would use the first one's Kafka.
"""

import socket
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

LOOPBACK = "127.0.0.1"

KEEPS = sys.platform == "linux"


def is_free(port: int) -> bool:
    """Whether a server could listen there now. Addresses of closed connections do not count as taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


_claims: Final[set[int]] = set()


def claim(port: int) -> bool:
    """Whether a server could listen there now, and no other tallymill process means to. It is ours while we run.

    The claim is a socket with a name in Linux's abstract namespace (unix(7)): it leaves no file, and ends with the
    process, however that ends.
    """
    if not is_free(port):
        return False
    if port in _claims or not KEEPS:
        return True
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0tallymill-port-{port}")
    except OSError:
        name.close()
        return False
    name.detach()  # never closed
    _claims.add(port)
    return True


def any_free(avoid: Collection[int] = ()) -> int:
    """A free port that the system chooses, not one of `avoid`."""
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, 0))
            port = int(probe.getsockname()[1])
            if port in avoid:
                continue
            if KEEPS:
                probe.detach()  # never closed
            return port


def choose_ports(
    usual: Iterable[int],
    free: Callable[[int], bool] = claim,
    other: Callable[[Collection[int]], int] = any_free,
) -> tuple[int, ...]:
    """One port for each usual one, no two alike; 0 stands for any."""
    chosen: list[int] = []
    for port in usual:
        taken = port == 0 or port in chosen or not free(port)
        chosen.append(other(chosen) if taken else port)
    return tuple(chosen)


class PortsTaken(Exception):
    """Ports that the user has set are taken. The message names each setting."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A port that a process should listen on. `setting`: the user has set it, so no other will do."""

    process: str
    port: int
    setting: str | None = None


def assign_ports(
    wanted: Sequence[Wanted],
    free: Callable[[int], bool] = claim,
    other: Callable[[Collection[int]], int] = any_free,
) -> dict[str, int]:
    """A port for each process, no two alike. Those that the user has set come first. Raises PortsTaken."""
    ports: dict[str, int] = {}
    problems = []
    for one in sorted(wanted, key=lambda each: each.setting is None):
        holder = next((name for name, port in ports.items() if port == one.port), None)
        is_taken = one.port == 0 or holder is not None or not free(one.port)
        if is_taken and one.port and one.setting:
            problem = f"also the port of {holder}. Set" if holder else "taken by another program. Stop that, or set"
            problems.append(f"{one.setting}: port {one.port} for {one.process} is {problem} another port")
            continue
        ports[one.process] = other(ports.values()) if is_taken else one.port
    if problems:
        raise PortsTaken("\n".join(problems))
    return {one.process: ports[one.process] for one in wanted}
