"""How many connections a process can hold: as many as the system lets it open files, but for those it needs itself."""

import resource
from typing import Final

RESERVED_DESCRIPTORS: Final = 128
"""For Kafka, MongoDB, keys and logs, and for what is accepted before it can be closed again."""

MAX_CONNECTIONS: Final = 16_384
"""Where the system sets no limit. One takes about 20 KB."""


def raise_descriptor_limit() -> int:
    """Let this process open as many files as it may. Returns how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + RESERVED_DESCRIPTORS if hard == resource.RLIM_INFINITY else hard
    if soft not in (resource.RLIM_INFINITY, hard):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def connections_within(descriptors: int, wanted: int | None) -> int:
    """Connections that fit into so many open files; fewer where so many are `wanted`."""
    room = MAX_CONNECTIONS if descriptors == resource.RLIM_INFINITY else descriptors - RESERVED_DESCRIPTORS
    return max(1, min(wanted or MAX_CONNECTIONS, room))
