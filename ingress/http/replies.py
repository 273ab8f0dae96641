"""What is answered (docs/rules.md, "Answers"; the other API's: analytics/replies.py). Pure: values in, a Reply out."""

import json
import math
from collections.abc import Mapping
from enum import Enum
from typing import Final

from ingress.http.encoding import DECODED
from schemas.wire.errors import Told, error_body
from schemas.wire.malformed import Violation
from schemas.wire.refusals import REFUSALS_SCOPE
from serving.http.reply import CLOSE, JSON, RawHeader, Reply
from serving.http.unparsed import Unparsed
from serving.tokens.bearer import CHALLENGE, CHALLENGE_INVALID, CHALLENGE_SCOPE, lacks_scope

# Kafka and MongoDB come back in seconds or in minutes; a second keeps a fleet's retries from piling up on either.
RETRY_UNAVAILABLE_SECONDS = 1
# Workers an hour behind are not caught up within seconds.
RETRY_LAG_SECONDS = 60


class Refusal(Enum):
    """Why a whole request is refused: HTTP code, Google's status and reason, and what the client is told."""

    BAD_HTTP = Unparsed.MALFORMED.value
    HEAD_LATE = Unparsed.LATE.value
    HEAD_LARGE = Unparsed.HEAD_LARGE.value
    FULL = Unparsed.FULL.value
    HTTP_VERSION = Unparsed.VERSION.value
    MALFORMED = Told(400, "INVALID_ARGUMENT", "badRequest", "The request is not valid.")
    NO_TOKEN = Told(401, "UNAUTHENTICATED", "authError", "A bearer token is required in the Authorization header.")
    UNAUTHENTICATED = Told(401, "UNAUTHENTICATED", "authError", "The bearer token is not valid, or has expired.")
    ANONYMOUS = Told(
        403, "PERMISSION_DENIED", "insufficientPermissions", "The token is anonymous; this needs a player's."
    )
    FORBIDDEN = Told(
        403,
        "PERMISSION_DENIED",
        "insufficientPermissions",
        "The token lacks the scope https://www.googleapis.com/auth/games or games_lite.",
    )
    FORBIDDEN_REFUSALS = Told(
        403, "PERMISSION_DENIED", "insufficientPermissions", "The token lacks the scope tallymill.refusals."
    )
    FORBIDDEN_LIST = Told(
        403,
        "PERMISSION_DENIED",
        "insufficientPermissions",
        "The token lacks the scope https://www.googleapis.com/auth/games.",
    )
    NOT_FOUND = Told(404, "NOT_FOUND", "notFound", "There is nothing at this path.")
    NOT_A_RECEIPT = Told(404, "NOT_FOUND", "notFound", "This is not a receipt of ours.")
    NOT_SEEN = Told(404, "NOT_FOUND", "notFound", "No request of this player counted under this id, or too long ago.")
    NO_ANONYMOUS = Told(
        403, "PERMISSION_DENIED", "insufficientPermissions", "The app takes no events of anonymous tokens."
    )
    NO_SESSIONS = Told(403, "PERMISSION_DENIED", "insufficientPermissions", "The app has no anonymous sessions.")
    METHOD = Told(405, "INVALID_ARGUMENT", "httpMethodNotAllowed", "This path does not take this method.")
    RECEIPT_GONE = Told(410, "NOT_FOUND", "gone", "What became of this batch is no longer known.")
    BODY_LATE = Told(408, "DEADLINE_EXCEEDED", "requestTimeout", "The request body did not come in time.")
    BODY_LARGE = Told(413, "INVALID_ARGUMENT", "requestTooLarge", "The request body is larger than allowed.")
    TOO_MANY_ITEMS = Told(413, "INVALID_ARGUMENT", "requestTooLarge", "More events than one request may hold.")
    TOO_MANY_VALUES = Told(413, "INVALID_ARGUMENT", "requestTooLarge", "More values than one request may hold.")
    TOO_MUCH_TO_STORE = Told(
        413, "INVALID_ARGUMENT", "requestTooLarge", "The events take more room than one request's."
    )
    MEDIA_TYPE = Told(415, "INVALID_ARGUMENT", "unsupportedMediaType", "The body must be JSON in UTF-8.")
    NOT_A_FORM = Told(
        415, "INVALID_ARGUMENT", "unsupportedMediaType", "A query sent as a body must be a form in UTF-8."
    )
    ENCODING = Told(
        415, "INVALID_ARGUMENT", "unsupportedMediaType", "The body's Content-Encoding must be one of Accept-Encoding."
    )
    PAYLOAD_DIFFERS = Told(
        422, "FAILED_PRECONDITION", "payloadDiffers", "The requestId was used before with another payload."
    )
    ADDRESS_RATE_HIGH = Told(429, "RESOURCE_EXHAUSTED", "rateLimitExceeded", "Too many requests from this address.")
    ACTOR_RATE_HIGH = Told(429, "RESOURCE_EXHAUSTED", "rateLimitExceeded", "Too many requests; send it again later.")
    INTERNAL = Told(500, "INTERNAL", "backendError", "An error of ours. Send the same request again.")
    SET_ASIDE = Told(500, "INTERNAL", "backendError", "The batch was accepted but could not be counted.")
    TOKEN_UNCHECKED = Told(
        503, "UNAVAILABLE", "backendError", "The token can't be checked now; nothing was done. Send the same again."
    )
    BUSY = Told(
        503, "UNAVAILABLE", "backendError", "Too many request bodies are in progress. Send the same request again."
    )
    AWAY = Told(503, "UNAVAILABLE", "backendError", "This can't be looked up now. Ask again.")
    UNAVAILABLE = Told(
        503, "UNAVAILABLE", "backendError", "Not sure to be recorded. Send it again with the same requestId."
    )


# Headers that belong to a refusal, whatever the request was.
REFUSAL_HEADERS: Final[Mapping[Refusal, tuple[RawHeader, ...]]] = {
    Refusal.NO_TOKEN: ((b"www-authenticate", CHALLENGE),),
    Refusal.UNAUTHENTICATED: ((b"www-authenticate", CHALLENGE_INVALID),),
    Refusal.FORBIDDEN: ((b"www-authenticate", lacks_scope("https://www.googleapis.com/auth/games")),),
    Refusal.FORBIDDEN_LIST: ((b"www-authenticate", lacks_scope("https://www.googleapis.com/auth/games")),),
    Refusal.FORBIDDEN_REFUSALS: ((b"www-authenticate", lacks_scope(REFUSALS_SCOPE)),),
    Refusal.NO_ANONYMOUS: ((b"www-authenticate", CHALLENGE_SCOPE),),
    Refusal.ANONYMOUS: ((b"www-authenticate", CHALLENGE_SCOPE),),
    Refusal.TOKEN_UNCHECKED: ((b"retry-after", b"%d" % RETRY_UNAVAILABLE_SECONDS),),
    Refusal.BAD_HTTP: (CLOSE,),
    Refusal.HEAD_LATE: (CLOSE,),
    Refusal.HEAD_LARGE: (CLOSE,),
    Refusal.HTTP_VERSION: (CLOSE,),
    Refusal.FULL: (CLOSE, (b"retry-after", b"%d" % RETRY_UNAVAILABLE_SECONDS)),
    Refusal.BODY_LATE: (CLOSE,),
    # The rest of the body is still on its way; who keeps the connection would have to read it all.
    Refusal.BODY_LARGE: (CLOSE,),
    Refusal.BUSY: ((b"retry-after", b"%d" % RETRY_UNAVAILABLE_SECONDS), CLOSE),
    Refusal.ENCODING: ((b"accept-encoding", b", ".join(DECODED)),),
    Refusal.AWAY: ((b"retry-after", b"%d" % RETRY_UNAVAILABLE_SECONDS),),
    Refusal.UNAVAILABLE: ((b"retry-after", b"%d" % RETRY_UNAVAILABLE_SECONDS),),
}


UNPARSED: Final[Mapping[Unparsed, Refusal]] = {unparsed: Refusal(unparsed.value) for unparsed in Unparsed}
"""How it is answered that something is no request."""


class Refused(Exception):
    """Carries the refusal of a whole request to where the reply is sent; `headers` are this one's own."""

    def __init__(
        self, refusal: Refusal, violations: tuple[Violation, ...] = (), headers: tuple[RawHeader, ...] = ()
    ) -> None:
        self.refusal = refusal
        self.violations = violations
        self.headers = headers
        super().__init__(refusal.name)


def refusal_reply(refusal: Refusal, violations: tuple[Violation, ...] = ()) -> Reply:
    """Google's error body, and the headers that the refusal always has."""
    body = _compact(error_body(refusal.value, violations))
    return Reply(refusal.value.code, body, (JSON, *REFUSAL_HEADERS.get(refusal, ())))


def json_reply(status: int, value: Mapping[str, object]) -> Reply:
    return Reply(status, _compact(value))


def _compact(value: Mapping[str, object]) -> bytes:
    """No spaces unless `prettyPrint` asks for them (G2)."""
    return json.dumps(value, separators=(",", ":")).encode()


def retry_after(seconds: float) -> RawHeader:
    """`Retry-After`: whole seconds, one at least."""
    return (b"retry-after", b"%d" % max(1, math.ceil(seconds)))


def server_timing(accepted_seconds: float, visible_seconds: float | None) -> RawHeader:
    """`Server-Timing` (W3C): ms from the request's arrival to Kafka's ack, and to being counted when that is known."""
    text = b"accepted;dur=%.1f" % (accepted_seconds * 1000)
    if visible_seconds is not None:
        text += b", visible;dur=%.1f" % (visible_seconds * 1000)
    return (b"server-timing", text)
