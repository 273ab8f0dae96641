"""When a child that died is started again: pure, time is an argument."""

from collections.abc import Sequence

# Deaths longer ago than this are forgiven.
FORGIVEN_SECONDS = 60

FIRST_DELAY_SECONDS = 0.5

# Long enough not to eat a core with a child that cannot start, short enough to be back soon after its cause is gone.
MAX_DELAY_SECONDS = 15


def restart_delay_seconds(deaths: Sequence[float], now: float) -> float:
    """The pause before the next start, doubled with each death of the last minute."""
    recent = sum(now - at < FORGIVEN_SECONDS for at in deaths)
    return float(min(FIRST_DELAY_SECONDS * 2 ** max(recent - 1, 0), MAX_DELAY_SECONDS))
