"""The failures that events.record names in a reply with HTTP status 200, and what the client should do."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from schemas.errors.row import Action
from schemas.games.body import EventFailureCause, EventUpdateFailureCause


class InBand(NamedTuple):
    """A failure that events.record names in a reply with HTTP status 200."""

    meaning: str
    action: Action


IN_BAND: Final[Mapping[EventFailureCause | EventUpdateFailureCause, InBand]] = {
    EventFailureCause.TOO_LARGE: InBand(
        "The request has more updates than allowed. Nothing was recorded.", Action.SPLIT
    ),
    EventFailureCause.RECORD_RATE_HIGH: InBand(
        "The player is too fast, or the workers are far behind. Nothing was recorded.", Action.RETRY
    ),
    EventFailureCause.ALREADY_UPDATED: InBand("The requestId has counted before.", Action.DELETE),
    EventFailureCause.TIME_PERIOD_SHORT: InBand("The period is shorter than allowed.", Action.LOG),
    EventFailureCause.TIME_PERIOD_LONG: InBand("The period is longer than allowed, or ends in the future.", Action.LOG),
    EventFailureCause.TIME_PERIOD_EXPIRED: InBand("The period ended too long ago.", Action.LOG),
    EventUpdateFailureCause.NOT_FOUND: InBand("The app has no definition with this id.", Action.LOG),
    EventUpdateFailureCause.INVALID_UPDATE_VALUE: InBand("updateCount is below 1, or larger than allowed.", Action.LOG),
}
