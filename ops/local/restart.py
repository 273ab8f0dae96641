"""The delay before a child that has ended is started again. Pure: time is an argument."""

from collections.abc import Sequence

# Older ends of the process are not counted.
FORGIVEN_SECONDS = 60

FIRST_DELAY_SECONDS = 0.5

# Long enough that a child that cannot start takes little CPU, short enough to start soon after the cause is gone.
MAX_DELAY_SECONDS = 15


def restart_delay_seconds(deaths: Sequence[float], now: float) -> float:
    """The pause before the next start, doubled with each death of the last minute."""
    recent = sum(now - at < FORGIVEN_SECONDS for at in deaths)
    return float(min(FIRST_DELAY_SECONDS * 2 ** max(recent - 1, 0), MAX_DELAY_SECONDS))
