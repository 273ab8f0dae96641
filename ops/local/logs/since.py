"""`--since`: how long ago, or a time. Pure: the present is an argument."""

import re
from datetime import UTC, datetime, timedelta

from ops.errors import BadInput

_AGO = re.compile(r"(\d{1,9})\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def since_millis(text: str, now: datetime) -> int:
    """Milliseconds since 1970. A time without a zone is UTC, as all times in the logs. Raises BadInput."""
    try:
        at = _time(text.strip(), now)
        return int(at.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise BadInput(
            [f"--since {text}: must be like 30s, 10m, 2h or 1d, or a time like {now:%Y-%m-%dT%H:%M}"]
        ) from None


def _time(text: str, now: datetime) -> datetime:
    """Raises ValueError, OverflowError."""
    if ago := _AGO.fullmatch(text):
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
