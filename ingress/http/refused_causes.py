"""Why the ingress refuses: the values of the label `cause` of its counter, by the API whose route was asked.

A series that can't move would look like a promise that something is counted, so only possible pairs are declared
(tests/ingress/http/test_refused_causes.py provokes each of them).
"""

from collections.abc import Mapping
from typing import Final, Literal

from schemas.errors.table import Refusal
from schemas.games.body import EventFailureCause, EventUpdateFailureCause
from serving.http.unparsed import BY_STATUS

RouteApi = Literal["games", "analytics", "other"]
"""The API of a route; `other`: a route of neither, or a path that does not exist."""

# An event that was refused while the rest of its batch was accepted.
BAD_ITEM: Final = "BAD_ITEM"

# Whether a requestId was seen before is known to the workers alone, and the answer is no refusal (G14).
_BY_WORKERS: Final = (EventFailureCause.ALREADY_UPDATED,)

_EVERYWHERE: Final = (
    *BY_STATUS.values(),
    Refusal.MALFORMED,
    Refusal.NO_TOKEN,
    Refusal.UNAUTHENTICATED,
    Refusal.RESERVED_APP,
    Refusal.METHOD,
    Refusal.BODY_LATE,
    Refusal.BODY_LARGE,
    Refusal.MEDIA_TYPE,
    Refusal.ENCODING,
    Refusal.ADDRESS_RATE_HIGH,
    Refusal.INTERNAL,
    Refusal.TOKEN_UNCHECKED,
    Refusal.BUSY,
    Refusal.UNAVAILABLE,
)
_GAMES: Final = (
    Refusal.NOT_A_FORM,
    Refusal.ANONYMOUS,
    Refusal.FORBIDDEN,
    Refusal.FORBIDDEN_LIST,
    Refusal.SET_ASIDE,
    Refusal.AWAY,
)
_ANALYTICS: Final = (
    Refusal.NO_ANONYMOUS,
    Refusal.TOO_MANY_ITEMS,
    Refusal.TOO_MANY_VALUES,
    Refusal.TOO_MUCH_TO_STORE,
    Refusal.PAYLOAD_DIFFERS,
    Refusal.ACTOR_RATE_HIGH,
    Refusal.SET_ASIDE,
)
_OTHER: Final = (
    Refusal.NOT_A_FORM,
    Refusal.ANONYMOUS,
    Refusal.FORBIDDEN,
    Refusal.FORBIDDEN_REFUSALS,
    Refusal.NO_SESSIONS,
    Refusal.NOT_FOUND,
    Refusal.NOT_A_RECEIPT,
    Refusal.NOT_SEEN,
    Refusal.RECEIPT_GONE,
    Refusal.AWAY,
)

CAUSES: Final[Mapping[RouteApi, tuple[str, ...]]] = {
    "games": (
        *(one.name for one in (*_EVERYWHERE, *_GAMES)),
        *(cause for cause in EventFailureCause if cause not in _BY_WORKERS),
        *EventUpdateFailureCause,
    ),
    "analytics": (*(one.name for one in (*_EVERYWHERE, *_ANALYTICS)), BAD_ITEM),
    "other": tuple(one.name for one in (*_EVERYWHERE, *_OTHER)),
}

KNOWN_CAUSES: Final = frozenset(
    (
        *(refusal.name for refusal in Refusal if refusal.value.by_ingress),
        *EventFailureCause,
        *EventUpdateFailureCause,
        BAD_ITEM,
    )
)
"""All names of causes, also of those that no request to the ingress meets: what GET /v1/refusals may be asked for."""
