"""What the console answers when it can't answer: Google's error body, as the ingress has it. Pure."""

import json
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final

from starlette.responses import Response

from schemas.wire.console_replies import READ_SCOPE
from schemas.wire.errors import Told, error_body
from schemas.wire.malformed import Violation
from serving.tokens.bearer import CHALLENGE, CHALLENGE_INVALID, lacks_scope

RETRY_SECONDS = 1

_JSON = "application/json; charset=utf-8"


class Refusal(Enum):
    """Why a request is refused: HTTP code, Google's status and reason, and what the client is told."""

    BAD_QUERY = Told(400, "INVALID_ARGUMENT", "badRequest", "The query is not valid.")
    NO_TOKEN = Told(401, "UNAUTHENTICATED", "authError", "A bearer token is required in the Authorization header.")
    UNAUTHENTICATED = Told(401, "UNAUTHENTICATED", "authError", "The bearer token is not valid, or has expired.")
    NO_SCOPE = Told(403, "PERMISSION_DENIED", "insufficientPermissions", "The token lacks the scope tallymill.read.")
    OTHER_APP = Told(403, "PERMISSION_DENIED", "insufficientPermissions", "The token is for another app.")
    NOT_FOUND = Told(404, "NOT_FOUND", "notFound", "There is nothing at this path.")
    METHOD = Told(405, "INVALID_ARGUMENT", "httpMethodNotAllowed", "This path does not take this method.")
    INTERNAL = Told(500, "INTERNAL", "backendError", "An error of ours.")
    TOKEN_UNCHECKED = Told(503, "UNAVAILABLE", "backendError", "The token can't be checked now. Ask again.")
    AWAY = Told(503, "UNAVAILABLE", "backendError", "This can't be looked up now. Ask again.")
    BUSY = Told(503, "UNAVAILABLE", "backendError", "Too many queries are under way. Ask again.")
    SLOW = Told(504, "DEADLINE_EXCEEDED", "timeout", "The query took too long. Ask for a shorter range.")


_HEADERS: Final[Mapping[Refusal, Mapping[str, str]]] = {
    Refusal.NO_TOKEN: {"www-authenticate": CHALLENGE.decode()},
    Refusal.UNAUTHENTICATED: {"www-authenticate": CHALLENGE_INVALID.decode()},
    Refusal.NO_SCOPE: {"www-authenticate": lacks_scope(READ_SCOPE).decode()},
    Refusal.TOKEN_UNCHECKED: {"retry-after": str(RETRY_SECONDS)},
    Refusal.AWAY: {"retry-after": str(RETRY_SECONDS)},
    Refusal.BUSY: {"retry-after": str(RETRY_SECONDS)},
}


class Refused(Exception):
    """Carries the refusal of a request to where the reply is made."""

    def __init__(self, refusal: Refusal, violations: Sequence[Violation] = ()) -> None:
        self.refusal = refusal
        self.violations = tuple(violations)
        super().__init__(refusal.name)


def refusal_reply(
    refusal: Refusal, violations: Sequence[Violation] = (), headers: Mapping[str, str] | None = None
) -> Response:
    """Google's error body; `details` only where parameters are at fault."""
    body = error_body(refusal.value, violations)
    return json_reply(body, refusal.value.code, {**_HEADERS.get(refusal, {}), **(headers or {})})


def json_reply(value: Mapping[str, object], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json.dumps(value, allow_nan=False), status, headers, media_type=_JSON)
