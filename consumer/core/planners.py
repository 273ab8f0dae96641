"""The planner of each API: what it must know of a flush, and what it makes of it."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from consumer.core.analytics import plan as analytics
from consumer.core.flush import Flush
from consumer.core.games import plan as games
from consumer.core.plan import WritePlan
from consumer.core.reads import Known, Reads
from schemas.settings import Api, Limits


class Planner(NamedTuple):
    """Both functions are pure. Planned again after a lost race, a flush gives the same writes."""

    reads_of: Callable[[Flush], Reads]
    make_plan: Callable[[Flush, Known, Limits], WritePlan]


PLANNERS: Mapping[Api, Planner] = {
    "games": Planner(games.reads_of, games.make_plan),
    "analytics": Planner(analytics.reads_of, analytics.make_plan),
}
