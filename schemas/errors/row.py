"""The parts of a row in the table of errors (schemas/errors/table.py)."""

from dataclasses import dataclass
from enum import Enum, Flag, IntEnum, auto, unique
from typing import Final, NamedTuple


class StatusCode(IntEnum):
    """The reason in an analytics reply, for programs."""

    OK = 0
    NOT_READABLE = 1
    WRONG_FIELD = 2
    UNAUTHENTICATED = 3
    FORBIDDEN = 4
    TOO_LARGE = 5
    TOO_FAST = 6
    AGAIN = 7
    NOT_FOUND = 8
    INTERNAL = 9


class Severity(IntEnum):
    """What the client of an analytics request should do. With StatusCode 0, AGAIN means that a part was refused."""

    OK = 1
    AGAIN = 2
    DONT = 3


class Advice(NamedTuple):
    """What a client should do: whether to retry, in a few words, and in docs/clients.md for a batch and a pool."""

    retry: bool
    summary: str
    batch: str
    pool: str


class Action(Enum):
    """What the client should do."""

    CORRECT = Advice(
        retry=False,
        summary="correct the request or the settings",
        batch="do not retry: the program or its settings are wrong",
        pool="do not retry: the program is wrong; `StatusMessage` names the item and the field",
    )
    RENEW_TOKEN = Advice(
        retry=False,
        summary="get a new token",
        batch="get a new token, then send it again with the same id",
        pool="get a new token, then send the same pool",
    )
    SPLIT = Advice(
        retry=False,
        summary="split the request",
        batch="split it in two, each half with a new id",
        pool="split the pool in two, each half with a new id",
    )
    RETRY = Advice(
        retry=True,
        summary="again",
        batch="wait `Retry-After` seconds, or longer each time, then send it again with the same id",
        pool="wait `Retry-After` seconds, or longer each time, then send the same pool again",
    )
    DELETE = Advice(retry=False, summary="delete it", batch="delete the batch", pool="delete the pool")
    LOG = Advice(
        retry=False,
        summary="delete it; log the failure",
        batch="delete it; log the failure",
        pool="delete it; log the failure",
    )


class _Kind(NamedTuple):
    status: int
    canonical: str
    reason: str
    action: Action


@unique
class Kind(Enum):
    """What all errors of one HTTP status share: the canonical status, Google's reason, what the client should do."""

    MALFORMED = _Kind(400, "INVALID_ARGUMENT", "badRequest", Action.CORRECT)
    UNAUTHENTICATED = _Kind(401, "UNAUTHENTICATED", "authError", Action.RENEW_TOKEN)
    FORBIDDEN = _Kind(403, "PERMISSION_DENIED", "insufficientPermissions", Action.CORRECT)
    NOT_FOUND = _Kind(404, "NOT_FOUND", "notFound", Action.CORRECT)
    WRONG_METHOD = _Kind(405, "INVALID_ARGUMENT", "httpMethodNotAllowed", Action.CORRECT)
    REQUEST_LATE = _Kind(408, "DEADLINE_EXCEEDED", "requestTimeout", Action.RETRY)
    GONE = _Kind(410, "NOT_FOUND", "gone", Action.CORRECT)
    TOO_LARGE = _Kind(413, "INVALID_ARGUMENT", "requestTooLarge", Action.SPLIT)
    MEDIA_TYPE = _Kind(415, "INVALID_ARGUMENT", "unsupportedMediaType", Action.CORRECT)
    PAYLOAD_DIFFERS = _Kind(422, "FAILED_PRECONDITION", "payloadDiffers", Action.CORRECT)
    TOO_FAST = _Kind(429, "RESOURCE_EXHAUSTED", "rateLimitExceeded", Action.RETRY)
    HEAD_LARGE = _Kind(431, "RESOURCE_EXHAUSTED", "requestHeaderFieldsTooLarge", Action.CORRECT)
    INTERNAL = _Kind(500, "INTERNAL", "backendError", Action.RETRY)
    UNAVAILABLE = _Kind(503, "UNAVAILABLE", "backendError", Action.RETRY)
    QUERY_SLOW = _Kind(504, "DEADLINE_EXCEEDED", "timeout", Action.CORRECT)
    HTTP_VERSION = _Kind(505, "INVALID_ARGUMENT", "httpVersionNotSupported", Action.CORRECT)


class By(Flag):
    """The servers that answer an error with Google's error body."""

    INGRESS = auto()
    CONSOLE = auto()
    WORKER = auto()
    NONE = 0
    ALL = INGRESS | CONSOLE | WORKER


class Analytics(NamedTuple):
    """How AddEvent and AddEventBatch answer an error. `message`: None if it is the row's."""

    code: StatusCode
    rule: str
    message: str | None = None


# None: the value depends on the request.
Header = tuple[str, str | None]

CLOSE: Final[Header] = ("connection", "close")
# Outages of Kafka and MongoDB last seconds or minutes. One second bounds the rate of a fleet's retries.
RETRY_UNAVAILABLE_SECONDS: Final = 1
RETRY: Final[Header] = ("retry-after", f"{RETRY_UNAVAILABLE_SECONDS}")
RETRY_COMPUTED: Final[Header] = ("retry-after", None)


def challenge(error: str = "", scope: str = "") -> Header:
    """WWW-Authenticate (RFC 6750, section 3): no error code if no token was sent."""
    parts = {"realm": "tallymill", "error": error, "scope": scope}
    return ("www-authenticate", "Bearer " + ", ".join(f'{name}="{part}"' for name, part in parts.items() if part))


@dataclass(frozen=True, slots=True)
class Row:
    """One error: its kind, its message, and the headers that it always has.

    `by`: who answers it with Google's error body, as the row `rule` of docs/rules.md says. `analytics`: how AddEvent
    and AddEventBatch answer it, if they do.
    """

    kind: Kind
    message: str
    by: By = By.NONE
    rule: str = ""
    headers: tuple[Header, ...] = ()
    analytics: Analytics | None = None

    @property
    def code(self) -> int:
        """The HTTP status."""
        return self.kind.value.status

    @property
    def status(self) -> str:
        """The canonical status."""
        return self.kind.value.canonical

    @property
    def reason(self) -> str:
        """Google's reason."""
        return self.kind.value.reason

    @property
    def action(self) -> Action:
        """What the client should do."""
        return self.kind.value.action

    @property
    def severity(self) -> Severity:
        """The Severity of an analytics reply."""
        return Severity.AGAIN if self.action.value.retry else Severity.DONT

    @property
    def by_ingress(self) -> bool:
        """Whether the ingress answers it, with Google's error body or as an analytics reply."""
        return By.INGRESS in self.by or self.analytics is not None

    @property
    def fixed_headers(self) -> tuple[tuple[str, str], ...]:
        """The headers whose values do not depend on the request."""
        return tuple((name, value) for name, value in self.headers if value is not None)


def lacks(scope: str, by: By, rule: str) -> Row:
    """The error of a token without a scope (RFC 6750)."""
    message = f"The token lacks the scope {scope}. Get a token with it."
    return Row(Kind.FORBIDDEN, message, by, rule, headers=(challenge("insufficient_scope", scope),))
