"""How many connections a process can hold: the limit of open files, less those that the process needs itself."""

import resource
from typing import Final

RESERVED_DESCRIPTORS: Final = 128
"""For Kafka, MongoDB, keys, logs, and connections that are accepted and closed at once."""

MAX_CONNECTIONS: Final = 16_384
"""If the system sets no limit. A connection takes about 20 KB."""


def raise_descriptor_limit() -> int:
    """Raise the limit of open files as far as the system allows, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + RESERVED_DESCRIPTORS if hard == resource.RLIM_INFINITY else hard
    if soft not in (resource.RLIM_INFINITY, hard):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def connections_within(descriptors: int, wanted: int | None) -> int:
    """The connections that fit into this many open files, at most `wanted`."""
    room = MAX_CONNECTIONS if descriptors == resource.RLIM_INFINITY else descriptors - RESERVED_DESCRIPTORS
    return max(1, min(wanted or MAX_CONNECTIONS, room))
