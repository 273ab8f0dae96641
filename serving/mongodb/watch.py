"""Outages of MongoDB in the log of a process, two lines each. They are noticed by the client and by its calls.

- The client notices that the primary is gone as soon as a connection breaks or a heartbeat fails, even without calls.
  Its events come up to a second late, so the client's current state counts, not the event's.
- A call notices what a heartbeat can't: a wrong password, a full disk, a primary that has just frozen.
"""

import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError
from pymongo.monitoring import (
    TopologyClosedEvent,
    TopologyDescriptionChangedEvent,
    TopologyListener,
    TopologyOpenedEvent,
)
from pymongo.topology_description import TopologyDescription

from schemas.settings import MongoSettings
from serving.mongodb.client import CONNECT_MILLIS, HEARTBEAT_MILLIS, new_client
from serving.mongodb.denied import note_denied
from serving.mongodb.words import is_lost, why
from serving.outage import Outage

# A server has been silent for so long when its heartbeat times out.
_SILENT_SECONDS = (CONNECT_MILLIS + HEARTBEAT_MILLIS) / 1000


class MongoWatch(TopologyListener):
    """The outages that one client notices. The `outage` is shared with the other clients of the process."""

    def __init__(self, outage: Outage, name: str) -> None:
        self._outage = outage
        self._primary, self._calls = f"{name}: primary", f"{name}: calls"
        self._client: weakref.ref[AsyncMongoClient[dict[str, Any]]] | None = None
        self._failed_seconds = self._back_seconds = 0.0
        self._calls_fail = False

    def connect(self, mongodb: MongoSettings, appname: str, **own: Any) -> AsyncMongoClient[dict[str, Any]]:  # noqa: ANN401 options are any
        """Make the client to watch. Raises UnusableUri."""
        client = new_client(mongodb, appname, event_listeners=[self], **own)
        self._client = weakref.ref(client)
        return client

    def opened(self, event: TopologyOpenedEvent) -> None:
        """Nothing is known yet."""

    def closed(self, event: TopologyClosedEvent) -> None:
        """The process stops."""

    def description_changed(self, event: TopologyDescriptionChangedEvent) -> None:
        client = self._client and self._client()
        now = client.topology_description if client else event.new_description
        if now.has_writable_server():
            self._outage.back(self._primary)
        elif reason := no_primary(now):
            silent = any(getattr(server.error, "timeout", False) for server in now.server_descriptions().values())
            self._outage.lost(self._primary, reason, _SILENT_SECONDS if silent else 0)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Use around each call of the client. An error may be translated if the client's error is its cause."""
        began = time.monotonic()
        try:
            yield
        except Exception as error:
            cause = error if isinstance(error, PyMongoError) else error.__cause__
            if cause is not None and is_lost(cause):
                self._failed(began, why(cause))
            elif cause is not None:
                note_denied(cause)
            raise
        else:
            self._worked(began)

    def _failed(self, began: float, reason: str) -> None:
        """Note a failed call. One that began before MongoDB was back belongs to the outage that is over."""
        if began < self._back_seconds:
            return
        now = self._failed_seconds = time.monotonic()
        self._calls_fail = True
        self._outage.lost(self._calls, reason, now - began)

    def _worked(self, began: float) -> None:
        """Note a call that worked. One that began before the last failure says nothing about the time after it."""
        if self._calls_fail and began >= self._failed_seconds:
            self._calls_fail = False
            self._back_seconds = time.monotonic()
            self._outage.back(self._calls)


def no_primary(description: TopologyDescription) -> str | None:
    """Say why there is no primary. None until every server has answered or failed."""
    servers = description.server_descriptions().values()
    failed = [server for server in servers if not server.is_server_type_known]
    if not servers or any(server.error is None for server in failed):
        return None
    reasons = [why(server.error) for server in failed if server.error is not None]
    if len(failed) < len(servers):
        reasons.append("no primary among the other members" if reasons else "the replica set has no primary")
    return "; ".join(dict.fromkeys(reasons))
