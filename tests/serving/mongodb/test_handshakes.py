"""When a server that closes connections is asked for the reason."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from serving.mongodb import handshakes
from serving.mongodb.handshakes import PAUSE_SECONDS, Handshakes
from serving.mongodb.words import FOUND, why

CLOSED = AutoReconnect("a:1: connection closed")


class Asked:
    """Counts the questions. `now`: the clock."""

    def __init__(self) -> None:
        self.count = 0
        self.now = 0.0

    def reason_of(self, *_: object) -> str:
        self.count += 1
        return "the server requires TLS"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    made = Asked()
    monkeypatch.setattr(handshakes, "reason_of", made.reason_of)
    monkeypatch.setattr("serving.mongodb.handshakes.time.monotonic", lambda: made.now)
    yield made
    FOUND.clear()


def event(error: Exception | None = None) -> Any:  # noqa: ANN401 pymongo's events, of which two fields are read
    return SimpleNamespace(connection_id=("a", 1), reply=error)


def test_a_server_that_closes_connections_is_asked_seldom(asked: Asked) -> None:
    """The question blocks the event loop."""
    listener = Handshakes(lambda: None, None)
    for at in (0, 1, PAUSE_SECONDS - 1):
        asked.now = at
        listener.failed(event(CLOSED))
    assert 1 == asked.count
    asked.now = PAUSE_SECONDS
    listener.failed(event(CLOSED))
    assert 2 == asked.count


def test_the_reason_is_said_until_the_server_answers(asked: Asked) -> None:
    listener = Handshakes(lambda: None, None)
    listener.failed(event(AutoReconnect("a:1: timed out")))
    assert 0 == asked.count, "a server that says nothing is not asked again"
    listener.failed(event(CLOSED))
    assert "a:1: the server requires TLS" == why(CLOSED)
    listener.succeeded(event())
    assert "a:1: the connection was closed" == why(CLOSED)
