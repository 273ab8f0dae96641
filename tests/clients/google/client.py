"""The real google-api-python-client, used as by its users, and requests made with it."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import google.auth.credentials
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

MINUTE_MILLIS = 60_000


@contextmanager
def events(url: str, token: str | google.auth.credentials.Credentials) -> Iterator[Any]:
    """`service.events()` of one player; built from the document inside the client, so nothing is asked of Google."""
    credentials = Credentials(token=token) if isinstance(token, str) else token  # type: ignore[no-untyped-call]  # google-auth's
    options = {"api_endpoint": url}
    with build("games", "v1", credentials=credentials, client_options=options, static_discovery=True) as service:
        yield service.events()


class Refreshing(google.auth.credentials.Credentials):
    """Credentials that get their next token from a list, as an OAuth client's would from its issuer."""

    def __init__(self, *tokens: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # google-auth's
        self._tokens = list(tokens)
        self.refreshes = -1
        self.refresh(None)

    def refresh(self, request: object) -> None:  # noqa: ARG002 the signature is google-auth's
        self.token = self._tokens.pop(0) if len(self._tokens) > 1 else self._tokens[0]
        self.refreshes += 1


def now_millis() -> int:
    return time.time_ns() // 1_000_000


def batch(request_id: int, *periods: dict[str, Any]) -> dict[str, Any]:
    return {"requestId": str(request_id), "currentTimeMillis": str(now_millis()), "timePeriods": list(periods)}


def period(*, minutes_ago: float = 2, seconds: float = 60, **counts: int) -> dict[str, Any]:
    """The updates of a period; `counts` by definition."""
    start = now_millis() - int(minutes_ago * MINUTE_MILLIS)
    return {
        "timePeriod": {"periodStartMillis": str(start), "periodEndMillis": str(start + int(seconds * 1_000))},
        "updates": [{"definitionId": event, "updateCount": str(count)} for event, count in counts.items()],
    }


def told(error: HttpError) -> tuple[int, str, str]:
    """What a client acts on: the HTTP status, and the status and reason of Google's error body."""
    body = json.loads(error.content)["error"]
    assert error.resp.status == body["code"]
    (one,) = body["errors"]
    return error.resp.status, body["status"], one["reason"]
